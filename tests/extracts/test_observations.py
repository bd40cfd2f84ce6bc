"""What was known on a date, on named dims, whatever the order and the form of the rows."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from extract_cases import ROWS, UNITS, extract, read, same, table, with_report
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bayestwin.errors import ExtractError
from bayestwin.extracts.hierarchy import Hierarchy, HierarchyFile, read_hierarchy_file
from bayestwin.extracts.observations import read_extract
from bayestwin.periods import period_end, period_start


def test_days_in_between_are_on_the_axis_and_masked(tmp_path: Path) -> None:
    found = read(tmp_path, table())
    assert found.dims == ("day", "area")
    assert found.values.shape == (30, 3)
    assert found.values.dtype == np.int64
    assert found.coords["day"][[0, -1]].astype(str).tolist() == ["2022-01-03", "2022-02-01"]
    assert found.values.sum() == 15
    assert found.mask.sum() == 4
    assert (found.values[~found.mask] == 0).all()


def test_absent_rows_are_zeros_only_where_the_study_says_so_and_the_unit_reports(tmp_path: Path) -> None:
    found = read(tmp_path, table(), absent="zero")
    assert found.mask[:, :2].all()
    assert not found.mask[:, 2].any()  # C has no row at all: nothing is known of it


@pytest.mark.parametrize(("resolution", "periods", "first"), [("day", 30, 5), ("week", 5, 7), ("month", 2, 7)])
def test_rows_are_summed_to_their_period(tmp_path: Path, resolution: str, periods: int, first: int) -> None:
    found = read(tmp_path, table(), resolution=resolution)
    assert found.values.shape == (periods, 3)
    assert found.values[0, 0] == first
    assert found.values.sum() == 15


def test_periods() -> None:
    days = np.array(["2022-01-01", "2022-01-03", "2022-01-09", "2024-02-29"], "datetime64[D]")
    weeks = period_start(days, "week")
    assert weeks.astype(str).tolist() == ["2021-12-27", "2022-01-03", "2022-01-03", "2024-02-26"]
    assert period_end(weeks, "week").astype(str).tolist() == ["2022-01-02", "2022-01-09", "2022-01-09", "2024-03-03"]
    assert period_end(period_start(days, "month"), "month").astype(str).tolist()[2:] == ["2022-01-31", "2024-02-29"]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(8)))
def test_order_of_rows_changes_nothing(tmp_path: Path, order: list[int]) -> None:
    rows = pd.concat([table(known_on="2022-02-10T08:00"), table(known_on="2022-02-10T17:00", n=[6, 8, 3, 2])])
    expected = read(tmp_path, rows, **with_report())
    assert same(read(tmp_path, rows.iloc[order], **with_report()), expected)
    assert expected.values.sum() == 19


def test_as_of_hides_later_rows(tmp_path: Path) -> None:
    found = read(tmp_path, table(), as_of="2022-01-03")
    assert found.values.sum() == 12
    assert (found.provenance.rows, found.provenance.rows_used, found.provenance.rows_after_as_of) == (4, 2, 2)
    assert found.provenance.last_known == date(2022, 1, 3)


def test_a_period_is_known_at_its_end(tmp_path: Path) -> None:
    assert read(tmp_path, table(), as_of="2022-02-27", resolution="month").values.sum() == 14
    assert read(tmp_path, table(), as_of="2022-02-28", resolution="month").values.sum() == 15
    with pytest.raises(ExtractError, match=r"nothing was known on 2022-01-30; expected as_of ≥ 2022-01-31"):
        read(tmp_path, table(), as_of="2022-01-30", resolution="month")


def test_lag_of_the_publication_delays_what_is_known(tmp_path: Path) -> None:
    assert read(tmp_path, table(), as_of="2022-01-06", report_lag_days=3).values.sum() == 12
    assert read(tmp_path, table(), as_of="2022-01-08", report_lag_days=3).values.sum() == 14


def test_latest_version_known_at_the_date_wins(tmp_path: Path) -> None:
    rows = pd.concat([table(known_on="2022-02-03"), table([("A", "2022-01-03", 50)], known_on="2022-02-20")])
    assert read(tmp_path, rows, as_of="2022-02-19", **with_report()).values[0, 0] == 5
    assert read(tmp_path, rows, as_of="2022-02-20", **with_report()).values[0, 0] == 50


def test_a_report_later_on_the_day_of_the_question_is_known(tmp_path: Path) -> None:
    rows = table(known_on="2022-02-03T16:30:00+00:00")
    assert read(tmp_path, rows, as_of="2022-02-03", **with_report()).values.sum() == 15
    with pytest.raises(ExtractError, match="nothing was known"):
        read(tmp_path, rows, as_of="2022-02-02", **with_report())


def test_an_event_late_on_the_day_of_its_report_is_no_fault(tmp_path: Path) -> None:
    rows = table([("A", "2022-01-03T10:00", 5)], known_on="2022-01-03")
    assert read(tmp_path, rows, **with_report()).values.sum() == 5
    with pytest.raises(ExtractError, match=r"line 2: event is after its report: found '2022-01-04T00:30 > 2022-01-03'"):
        read(tmp_path, table([("A", "2022-01-04T00:30", 5)], known_on="2022-01-03"), **with_report())


def test_versions_of_single_days_are_told_apart_within_a_week(tmp_path: Path) -> None:
    rows = pd.concat([table(ROWS[:3], known_on="2022-01-10"), table([("A", "2022-01-05", 4)], known_on="2022-01-11")])
    assert read(tmp_path, rows, resolution="week", **with_report()).values[0].tolist() == [9, 7, 0]


def test_same_key_and_report_with_two_values_is_a_fault(tmp_path: Path) -> None:
    rows = pd.concat([table(known_on="2022-02-03"), table([("A", "2022-01-03", 50)], known_on="2022-02-03")])
    with pytest.raises(ExtractError, match=r"'n', line 6: one key has two values: found '50'; expected 5 as on line 2"):
        read(tmp_path, rows, **with_report())


def test_a_column_that_the_study_does_not_map_tells_no_rows_apart(tmp_path: Path) -> None:
    rows = table([*ROWS, ("A", "2022-01-03", 6)], remark=["a", "b", "c", "d", "e"])
    with pytest.raises(ExtractError, match=r"line 6: one key has two values"):
        read(tmp_path, rows)
    assert read(tmp_path, rows, repeated="sum").values[0, 0] == 11


def test_a_mere_repeat_is_harmless_unless_rows_are_parts(tmp_path: Path) -> None:
    rows = table([*ROWS, ROWS[0]], remark=["a", "b", "c", "d", "e"])
    assert same(read(tmp_path, rows), read(tmp_path, table()))
    assert read(tmp_path, rows, repeated="sum").values[0, 0] == 10


def test_one_day_written_in_two_ways_is_one_key(tmp_path: Path) -> None:
    with pytest.raises(ExtractError, match=r"line 3: one key has two values: found '6'; expected 5 as on line 2"):
        read(tmp_path, table([("A", "03-Jan-22", 5), ("A", "3-Jan-22", 6)]), event_format="%d-%b-%y")


def test_dims_follow_the_order_of_their_categories(tmp_path: Path) -> None:
    rows, dims = table(kind=["x", "y", "y", "x"]), {"mode": "kind"}
    assert read(tmp_path, rows, dims=dims).coords["mode"].tolist() == ["x", "y"]
    found = read(tmp_path, rows, dims=dims, categories={"mode": ("y", "z", "x")})
    assert found.values.sum((0, 1)).tolist() == [9, 0, 6]


def test_empty_category_is_a_fault_even_where_all_are_allowed(tmp_path: Path) -> None:
    with pytest.raises(ExtractError, match=r"column 'kind', line 3: category is not known: found ''"):
        read(tmp_path, table(kind=["x", "", "y", "x"]), dims={"mode": "kind"})


def test_where_keeps_rows_and_their_lines(tmp_path: Path) -> None:
    rows = table(status=["no", "yes", "no", "yes"])
    assert read(tmp_path, rows, where={"status": "yes"}).values.sum() == 8
    rows.loc[3, "n"] = -1
    with pytest.raises(ExtractError, match=r"line 5: count is negative"):
        read(tmp_path, rows, where={"status": "yes"})
    with pytest.raises(ExtractError, match=r"extract has no rows.*check `where` of extract 'counts'"):
        read(tmp_path, rows, where={"status": "perhaps"})


@pytest.mark.parametrize("value", ["NaN", "", "inf", "-0.5", "1e13", "lots"])
@pytest.mark.parametrize("integer", [True, False])
def test_a_value_that_is_no_number_is_never_taken_for_missing(tmp_path: Path, value: str, integer: bool) -> None:
    with pytest.raises(ExtractError, match=rf"column 'n', line 4: .*found '{value}'"):
        read(tmp_path, table().astype({"n": str}).assign(n=["5", "7", value, "1"]), integer=integer)


def test_nan_in_parquet_is_a_fault(tmp_path: Path) -> None:
    table().assign(n=[1.5, np.nan, 2.0, 1.0]).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(ExtractError, match=r"column 'n', line 3: value cannot be used"):
        read_extract(tmp_path, extract(file="a.parquet", integer=False), UNITS, date(2022, 12, 31))


@pytest.mark.parametrize("value", ["9999-12-31", "1900-01-01", "now", "2022", "2022-1130", "2022-02-30", ""])
def test_a_date_that_stands_for_something_else_is_a_fault(tmp_path: Path, value: str) -> None:
    with pytest.raises(ExtractError, match=rf"column 'day_of', line 2: date cannot be read: found '{value}'.*from 1980 to 2100"):
        read(tmp_path, table([("A", value, 1), *ROWS]))


def test_time_zones_on_some_rows_only_are_a_fault(tmp_path: Path) -> None:
    rows = [(unit, day + "T09:00Z", n) for unit, day, n in ROWS]
    assert read(tmp_path, table(rows)).values.sum() == 15
    with pytest.raises(ExtractError, match=r"column 'day_of', line 6: time zones are mixed.*write every date in one time zone"):
        read(tmp_path, table([*rows, ("C", "2022-01-03T09:00", 1)]))


def test_a_local_time_keeps_its_local_day(tmp_path: Path) -> None:
    found = read(tmp_path, table([("A", "2022-01-03T23:30:00-05:00", 1)]))
    assert found.coords["day"].astype(str).tolist() == ["2022-01-03"]


def test_many_faults_are_counted_not_listed(tmp_path: Path) -> None:
    rows = [("A", day.date().isoformat(), -1) for day in pd.date_range("2022-01-01", periods=25)]
    with pytest.raises(ExtractError, match="in 15 further rows") as caught:
        read(tmp_path, table(rows))
    assert len(caught.value.faults) == 11


def test_all_kinds_of_fault_are_reported_at_once(tmp_path: Path) -> None:
    rows = [*ROWS, ("Z", "2022-01-03", 1), ("C", "soon", 1), ("C", "2022-01-04", -1), ("A", "2022-01-03", 1)]
    with pytest.raises(ExtractError) as caught:
        read(tmp_path, table(rows))
    assert {(fault.row, fault.column) for fault in caught.value.faults} == {(6, "unit_code"), (7, "day_of"), (8, "n"), (9, "n")}


@pytest.mark.parametrize("native", [False, True])
def test_parquet_and_csv_give_the_same(tmp_path: Path, native: bool) -> None:
    rows = table()
    expected = read(tmp_path, rows)
    typed = rows.assign(day_of=pd.to_datetime(rows["day_of"])) if native else rows.astype(str)
    typed.to_parquet(tmp_path / "a.parquet")
    assert same(read_extract(tmp_path, extract(file="a.parquet"), UNITS, date(2022, 12, 31)), expected)


def places(folder: Path, text: str) -> Hierarchy:
    (folder / "places.csv").write_text(text, encoding="utf-8")
    return read_hierarchy_file(folder, HierarchyFile(file="places.csv", columns={"area": "a", "board": "b"}))


def test_hierarchy_is_sorted_and_points_to_parents(tmp_path: Path) -> None:
    found = places(tmp_path, "a,b\nA2,Y\nA1,X\nA3,Y\n")
    assert found.codes["area"].tolist() == ["A1", "A2", "A3"]
    assert found.parents["area", "board"].tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,c\nA1,X\n", r"'b': column is missing"),
        ("a,b\nA1,X\nA1,X\n", r"'a', line 3: unit is listed twice: found 'A1'"),
        ("a,b\nA1,X\n\n,X\n", r"'a', line 4: code of the area is empty"),
        ("a,b\nA1,X\nA2,\n", r"'b', line 3: code of the board is empty"),
        ("a,b\nA1,X\nA2,  \n", r"'b', line 3: code of the board is empty"),
        ("", r"^places\.csv: file is empty"),
    ],
)
def test_faulty_hierarchy(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ExtractError, match=message):
        places(tmp_path, text)


def test_unit_with_two_parents(tmp_path: Path) -> None:
    (tmp_path / "places.csv").write_text("a,b,r\nA1,X,N\nA2,X,S\n", encoding="utf-8")
    spec = HierarchyFile(file="places.csv", columns={"area": "a", "board": "b", "region": "r"})
    with pytest.raises(ExtractError, match=r"'r', line 3: board has two regions: found 'X'"):
        read_hierarchy_file(tmp_path, spec)
