"""Released values: symbols in place of a number, what a release promises, noise below zero."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from extract_cases import COLUMNS, DATED, LINES, TRIANGLE, read, table, with_report

from bayestwin.errors import ExtractError
from bayestwin.extracts.validate import RowCheck

STARRED = table([("A", "2022-01-03", "5"), ("B", "2022-01-03", "*"), ("A", "2022-01-05", "10"), ("B", "2022-01-05", "-")])
FIVES = RowCheck("is not rounded to 5", "a multiple of 5", "mend it or remove the rounding barrier", lambda value: value % 5 != 0)
SMALL = RowCheck("is below 3, which the release hides", "≥ 3", "hide it", lambda value: value < 3)


def test_a_symbol_is_observed_but_hidden(tmp_path: Path) -> None:
    found = read(tmp_path, STARRED, symbols="*-")
    assert found.values[[0, 2]].tolist() == [[5, 0, 0], [10, 0, 0]]
    assert found.values.dtype == np.int64
    assert found.mask[[0, 2]].tolist() == [[True, True, False], [True, True, False]]
    assert found.hidden[[0, 2]].tolist() == [[False, True, False], [False, True, False]]


def test_a_symbol_that_no_barrier_names_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(
        ExtractError, match=r"'n', line 5: count is negative or not a whole number: found '-'; expected a whole .* or one of \['\*'\]"
    ):
        read(tmp_path, STARRED, symbols="*")
    with pytest.raises(ExtractError, match=r"line 3: .*found '\*'.*a hidden cell needs a barrier"):
        read(tmp_path, STARRED)


def test_a_number_may_stand_for_hidden(tmp_path: Path) -> None:
    found = read(tmp_path, table([("A", "2022-01-03", "-1"), ("B", "2022-01-03", "1")]), symbols=["-1"])
    assert (found.values.tolist(), found.hidden.tolist()) == ([[0, 1, 0]], [[True, False, False]])


def test_a_sum_with_a_hidden_part_is_hidden(tmp_path: Path) -> None:
    found = read(tmp_path, STARRED, symbols="*-", resolution="week")
    assert (found.values.tolist(), found.hidden.tolist()) == ([[15, 0, 0]], [[False, True, False]])
    parts = table([("A", "2022-01-03", "5"), ("A", "2022-01-03", "*")])
    found = read(tmp_path, parts, symbols="*", repeated="sum")
    assert (found.values[0, 0], found.hidden[0, 0]) == (0, True)


def test_a_later_version_may_hide_or_show(tmp_path: Path) -> None:
    rows = pd.concat([STARRED.assign(known_on="2022-02-01"), STARRED.iloc[:2].assign(n=["*", "7"], known_on="2022-03-01")])
    early, late = (read(tmp_path, rows, as_of, symbols="*-", **with_report()) for as_of in ("2022-02-28", "2022-03-01"))
    assert (early.values[0].tolist(), early.hidden[0].tolist()) == ([5, 0, 0], [False, True, False])
    assert (late.values[0].tolist(), late.hidden[0].tolist()) == ([0, 7, 0], [True, False, False])


def test_shown_and_hidden_at_the_same_time_is_a_conflict(tmp_path: Path) -> None:
    with pytest.raises(ExtractError, match=r"line 3: one key has two values: found 'a symbol'; expected 0 as on line 2"):
        read(tmp_path, table([("A", "2022-01-03", "0"), ("A", "2022-01-03", "*")]), symbols="*")


def test_a_hidden_row_without_a_date_could_be_put_nowhere(tmp_path: Path) -> None:
    rows = table([("A", "2022-01-03", "5"), ("A", "", "*")], known_on="2022-02-01")
    with pytest.raises(ExtractError, match=r"'n', line 3: .*found '\*'"):
        read(tmp_path, rows, symbols="*", **with_report(undated="keep"))


def test_what_a_release_promises_is_checked_on_the_values_shown(tmp_path: Path) -> None:
    rows = table(
        [("A", "2022-01-03", "5"), ("B", "2022-01-03", "*"), ("A", "2022-01-05", "12"), ("B", "2022-01-05", "1"), ("C", "2022-01-05", "x")]
    )
    with pytest.raises(ExtractError) as caught:
        read(tmp_path, rows, symbols="*", checks=[FIVES, SMALL])
    assert [(fault.problem, fault.row, fault.value) for fault in caught.value.faults] == [
        ("count is negative or not a whole number", 6, "x"),
        ("is not rounded to 5", 4, "12"),
        ("is not rounded to 5", 5, "1"),
        ("is below 3, which the release hides", 5, "1"),
    ]
    assert "a.csv, column 'n', line 4: is not rounded to 5: found '12'; expected a multiple of 5. To mend it: mend it or" in str(
        caught.value
    )
    assert read(tmp_path, STARRED, symbols="*-", checks=[FIVES, SMALL]).values.sum() == 15


def test_noise_may_take_counts_below_zero_where_the_study_says_so(tmp_path: Path) -> None:
    rows = table([("A", "2022-01-03", -3), ("B", "2022-01-03", 4)])
    assert read(tmp_path, rows, signed=True).values.tolist() == [[-3, 4, 0]]
    noised = rows.assign(n=[-3.25, 4.5])
    assert read(tmp_path, noised, signed=True, integer=False).values.tolist() == [[-3.25, 4.5, 0.0]]
    with pytest.raises(ExtractError, match=r"line 2: count is not a whole number: found '-3.25'; expected a whole number from -10¹² to"):
        read(tmp_path, noised, signed=True)
    with pytest.raises(ExtractError, match=r"line 2: value cannot be used: found '-3.25'; expected a number from 0 to"):
        read(tmp_path, noised, integer=False)


def test_a_line_list_has_no_values_to_check(tmp_path: Path) -> None:
    found = read(tmp_path, table().drop(columns="n"), columns=LINES, absent="zero", symbols="*", checks=[FIVES])
    assert found.values.sum() == 4
    assert not found.hidden.any()


def test_hidden_cells_of_a_triangle_are_observed_ones(tmp_path: Path) -> None:
    rows = STARRED.assign(registered=["2022-01-03", "2022-01-04", "2022-01-05", "2022-01-06"], reached="2022-01-05")
    rows.loc[3, "reached"] = "2022-01-06"
    for as_of in ("2022-01-05", "2022-01-06"):
        found = read(tmp_path, rows, as_of, symbols="*-", columns=COLUMNS | DATED, **TRIANGLE, max_delay=2)
        assert found.hidden.sum() == (1 if as_of == "2022-01-05" else 2)
        assert found.mask[found.hidden].all()
        assert not found.values[found.hidden].any()
