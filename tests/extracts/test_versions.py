"""The as-of store: at any date exactly what was known, whatever the order, the repeats and the deliveries of the rows."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from extract_cases import (
    COLUMNS,
    DATED,
    DAY,
    LINES,
    TRIANGLE,
    deliver,
    extract,
    read,
    read_files,
    same,
    table,
    versions,
    with_report,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from bayestwin.errors import ExtractError
from bayestwin.extracts.observations import Observations

PROPERTY = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
EACH_KIND = settings(PROPERTY, max_examples=6)
REPLACE = {"columns": COLUMNS | DATED}
ADD = {"columns": COLUMNS | DATED, **TRIANGLE, "max_delay": 3}
KINDS = {
    "revisions": REPLACE,
    "revisions of the report only": {"columns": COLUMNS | {"report": "registered"}},
    "revisions by arrival only": {"columns": COLUMNS | {"known": "reached"}},
    "triangle": ADD,
    "triangle by week": ADD | {"resolution": "week", "max_delay": 1},
    "triangle as reported": {"columns": COLUMNS | {"report": "registered"}, **TRIANGLE, "max_delay": 9},
}
PARTS = {
    "parts": {"columns": COLUMNS | {"known": "reached"}, "repeated": "sum"},
    "line list": {"columns": LINES | {"report": "registered"}, "absent": "zero"},
    "line list in a triangle": {"columns": LINES | {"report": "registered"}, **TRIANGLE, "max_delay": 4},
}


def told_apart(rows: pd.DataFrame, kind: dict) -> pd.DataFrame:
    """The rows without two of one key and version."""
    return (
        rows if kind.get("repeated") or "value" not in kind["columns"] else rows.drop_duplicates(list({*kind["columns"].values()} - {"n"}))
    )


def known_column(kind: dict) -> str:
    return kind["columns"].get("known", kind["columns"].get("report"))


def known_or_nothing(folder: Path, as_of: date | str = "2022-12-31", **kind: object) -> Observations | None:
    try:
        return read_files(folder, as_of, **kind)
    except ExtractError as error:
        assert [fault.problem.split(" on ")[0] for fault in error.faults] == ["nothing was known"]
        return None


def agree(left: Observations | None, right: Observations | None) -> bool:
    return left is right is None if left is None or right is None else same(left, right)


@pytest.mark.parametrize("kind", [*KINDS.values(), *PARTS.values()], ids=[*KINDS, *PARTS])
@EACH_KIND
@given(data=st.data())
def test_as_of_is_the_table_cut_at_that_date(tmp_path: Path, kind: dict, data: st.DataObject) -> None:
    rows = told_apart(data.draw(versions()), kind)
    as_of = rows[known_column(kind)].min() + data.draw(st.integers(0, 20)) * DAY
    deliver(tmp_path, {"a.csv": rows, "cut.csv": rows[rows[known_column(kind)] <= as_of]})
    whole, cut = (known_or_nothing(tmp_path, as_of.date(), file=file, **kind) for file in ("a.csv", "cut.csv"))
    assert agree(whole, cut)
    assert whole is not None or kind.get("resolution") == "week"


@PROPERTY
@given(rows=versions())
def test_last_version_known_at_every_date_by_brute_force(tmp_path: Path, rows: pd.DataFrame) -> None:
    for as_of in pd.date_range(rows["reached"].min(), rows["reached"].max()):
        expected: dict[tuple, tuple] = {}
        for row in rows.itertuples():
            version = (row.reached, row.registered, row.n)
            if row.reached <= as_of and version > expected.get((row.day_of, row.unit_code), (pd.Timestamp(0),)):
                expected[row.day_of, row.unit_code] = version
        found = read(tmp_path, rows, as_of=as_of.date(), **REPLACE)
        cells = {
            (pd.Timestamp(found.coords["day"][i]), found.coords["area"][j]): found.values[i, j]
            for i, j in zip(*np.nonzero(found.mask), strict=True)
        }
        assert cells == {key: version[-1] for key, version in expected.items()}


@PROPERTY
@given(rows=versions(lowest=-3))
def test_triangle_at_every_date_by_brute_force(tmp_path: Path, rows: pd.DataFrame) -> None:
    kind = {"columns": COLUMNS | {"report": "registered"}, **TRIANGLE, "max_delay": 3}
    rows = told_apart(rows, kind)
    for as_of in pd.date_range(rows["registered"].min(), rows["registered"].max() + 5 * DAY):
        found = read(tmp_path, rows, as_of=as_of.date(), **kind)
        assert found.dims == ("day", "area", "delay")
        values, mask = np.zeros(found.values.shape, int), np.zeros(found.values.shape, bool)
        first = pd.Timestamp(found.coords["day"][0])
        for row in rows[rows["registered"] <= as_of].itertuples():
            delay = min((row.registered - row.day_of).days, 3)
            values[(row.day_of - first).days, "ABC".index(row.unit_code), delay] += row.n
            mask[:, "ABC".index(row.unit_code)] = True
        day, delay = np.indices(mask[:, 0].shape)
        due = day + delay <= (as_of - first).days
        np.testing.assert_array_equal(found.values, values)
        np.testing.assert_array_equal(found.mask, mask & due[:, None])


@pytest.mark.parametrize("kind", [*KINDS.values(), *PARTS.values()], ids=[*KINDS, *PARTS])
@EACH_KIND
@given(data=st.data())
def test_order_and_deliveries_change_nothing(tmp_path: Path, kind: dict, data: st.DataObject) -> None:
    rows = told_apart(data.draw(versions()), kind).assign(row=lambda t: range(len(t)))
    order = data.draw(st.permutations(range(len(rows))))
    cut = data.draw(st.integers(0, len(rows)))
    deliver(tmp_path, {"a.csv": rows, "b.csv": rows.iloc[order], "c.csv": rows.iloc[order[:cut]], "d.csv": rows.iloc[order[cut:]]})
    expected = known_or_nothing(tmp_path, **kind)
    assert agree(known_or_nothing(tmp_path, file="b.csv", **kind), expected)
    if 0 < cut < len(rows):
        assert agree(known_or_nothing(tmp_path, file=("d.csv", "c.csv"), **kind), expected)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@EACH_KIND
@given(data=st.data())
def test_rows_delivered_again_change_nothing(tmp_path: Path, kind: dict, data: st.DataObject) -> None:
    rows = told_apart(data.draw(versions()), kind)
    again = rows.iloc[data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=5))]
    deliver(tmp_path, {"a.csv": rows, "b.csv": pd.concat([rows, again]), "c.csv": again})
    expected = known_or_nothing(tmp_path, **kind)
    assert agree(known_or_nothing(tmp_path, file="b.csv", **kind), expected)
    assert agree(known_or_nothing(tmp_path, file=("a.csv", "c.csv"), **kind), expected)


@pytest.mark.parametrize(("resolution", "months", "days"), [("day", 0, 1), ("week", 0, 7), ("month", 1, 0)])
@settings(PROPERTY, max_examples=8)
@given(rows=versions(days=60), periods=st.integers(-30, 30))
def test_moving_all_dates_by_periods_moves_the_coords_and_nothing_else(
    tmp_path: Path, resolution: str, months: int, days: int, rows: pd.DataFrame, periods: int
) -> None:
    kind = {"columns": COLUMNS | DATED, **TRIANGLE, "max_delay": 2, "resolution": resolution}
    if resolution == "month":  # months differ in length: only their first days can be moved by months
        first = rows[["day_of", "registered", "reached"]].apply(lambda column: column.dt.to_period("M").dt.to_timestamp())
        rows = rows.assign(**first).drop_duplicates([*first.columns, "unit_code"])
    step = pd.DateOffset(months=periods * months, days=periods * days)
    moved = rows.assign(**{column: rows[column] + step for column in ("day_of", "registered", "reached")})
    as_of = pd.Timestamp("2022-04-30")
    later = as_of + step + (pd.offsets.MonthEnd(0) if resolution == "month" else pd.DateOffset())
    deliver(tmp_path, {"a.csv": rows, "b.csv": moved})
    left = known_or_nothing(tmp_path, as_of.date(), **kind)
    right = known_or_nothing(tmp_path, later.date(), file="b.csv", **kind)
    if left is None or right is None:
        assert left is right is None
        return
    np.testing.assert_array_equal(left.values, right.values)
    np.testing.assert_array_equal(left.mask, right.mask)
    np.testing.assert_array_equal(pd.DatetimeIndex(left.coords[resolution]) + step, pd.DatetimeIndex(right.coords[resolution]))
    np.testing.assert_array_equal(left.coords["delay"], right.coords["delay"])


def test_a_row_is_known_when_it_reached_us_not_when_it_was_registered(tmp_path: Path) -> None:
    rows = table(registered="2022-02-03", reached="2022-03-01")
    assert read(tmp_path, rows, as_of="2022-03-01", **REPLACE).values.sum() == 15
    with pytest.raises(ExtractError, match=r"nothing was known on 2022-02-28; expected as_of ≥ 2022-03-01"):
        read(tmp_path, rows, as_of="2022-02-28", **REPLACE)


def test_of_versions_that_came_together_the_last_registered_counts(tmp_path: Path) -> None:
    rows = pd.concat([table([("A", "2022-01-03", 9)], registered="2022-01-05"), table([("A", "2022-01-03", 4)], registered="2022-01-04")])
    assert read(tmp_path, rows.assign(reached="2022-01-09"), **REPLACE).values[0, 0] == 9


@pytest.mark.parametrize(
    ("dates", "message"),
    [
        (
            ("2022-01-05", "2022-01-04"),
            r"'registered', line 2: report is after the row was known: found '2022-01-05 > 2022-01-04'; expected report ≤",
        ),
        (("2022-01-02", "2022-01-04"), r"'day_of', line 2: event is after its report: found '2022-01-03 > 2022-01-02'"),
        (("2022-01-05", "soon"), r"'reached', line 2: known date cannot be read: found 'soon'; expected an ISO 8601 date"),
        (("", "2022-01-04"), r"'registered', line 2: report date cannot be read: found ''"),
    ],
)
def test_dates_that_cannot_be(tmp_path: Path, dates: tuple[str, str], message: str) -> None:
    with pytest.raises(ExtractError, match=message):
        read(tmp_path, table([("A", "2022-01-03", 5)], registered=dates[0], reached=dates[1]), **REPLACE)


def test_an_event_after_the_row_was_known(tmp_path: Path) -> None:
    with pytest.raises(ExtractError, match=r"line 2: event is after the row was known: found '2022-01-03 > 2022-01-02'"):
        read(tmp_path, table([("A", "2022-01-03", 5)], reached="2022-01-02"), columns=COLUMNS | {"known": "reached"})


def test_conflict_names_both_files_and_lines(tmp_path: Path) -> None:
    deliver(
        tmp_path,
        {"a.csv": table(known_on="2022-02-03"), "b.csv": table([("C", "2022-01-03", 1), ("A", "2022-01-05", 3)], known_on="2022-02-03")},
    )
    with pytest.raises(
        ExtractError, match=r"b\.csv, column 'n', line 3: one key has two values: found '3'; expected 2 as on line 4 of a\.csv\. .*`known`"
    ):
        read_files(tmp_path, file=("a.csv", "b.csv"), **with_report())


def test_many_conflicts_are_counted_not_listed(tmp_path: Path) -> None:
    rows = table([("A", f"2022-01-{day:02d}", n) for n in (1, 2) for day in range(3, 28)])
    with pytest.raises(ExtractError, match="one key has two values, in 15 further rows") as caught:
        read(tmp_path, rows)
    assert len(caught.value.faults) == 11


def test_a_version_holds_all_its_parts(tmp_path: Path) -> None:
    kind = {"columns": COLUMNS | {"known": "reached"}, "repeated": "sum"}
    first, second = table([ROW, ROW], reached="2022-02-01"), table([ROW, ("A", "2022-01-03", 8)], reached="2022-03-01")
    rows = pd.concat([first, second])
    assert read(tmp_path, rows, as_of="2022-02-28", **kind).values[0, 0] == 10
    assert read(tmp_path, rows, as_of="2022-03-01", **kind).values[0, 0] == 13


ROW = ("A", "2022-01-03", 5)


def test_rows_of_a_line_list_add_up_whenever_they_are_reported(tmp_path: Path) -> None:
    rows = table([ROW, ROW, ROW], known_on=["2022-01-04", "2022-01-04", "2022-01-09"]).drop(columns="n")
    kind = {"columns": LINES | {"report": "known_on"}, "absent": "zero"}
    assert read(tmp_path, rows, as_of="2022-01-08", **kind).values[0].tolist() == [2, 0, 0]
    assert read(tmp_path, rows, as_of="2022-01-09", **kind).values[0].tolist() == [3, 0, 0]
    snapshots = pd.concat([rows.iloc[:2].assign(reached="2022-01-10"), rows.assign(reached="2022-01-20")])
    kind["columns"] |= {"known": "reached"}
    assert read(tmp_path, snapshots, as_of="2022-01-19", **kind).values[0, 0] == 2
    assert read(tmp_path, snapshots, as_of="2022-01-20", **kind).values[0, 0] == 3


def test_silence_after_the_last_delivery_is_no_zero(tmp_path: Path) -> None:
    rows = table([("A", "2022-01-03", 5), ("A", "2022-01-04", 1)], registered=["2022-01-03", "2022-01-05"], reached="2022-01-07")
    found = read(tmp_path, rows, as_of="2022-02-01", **ADD)
    assert found.mask[:, 0].tolist() == [[True, True, True, False], [True, True, False, False]]
    as_reported = {"columns": COLUMNS | {"report": "registered"}, **TRIANGLE, "max_delay": 3}
    assert read(tmp_path, rows, as_of="2022-02-01", **as_reported).mask[:, 0].all()


def test_only_whole_report_periods_count_in_a_triangle(tmp_path: Path) -> None:
    rows = table([("A", "2022-01-03", 5), ("A", "2022-01-04", 1)], known_on=["2022-01-04", "2022-01-11"])
    kind = with_report(**TRIANGLE, max_delay=1, resolution="week")
    found = read(tmp_path, rows, as_of="2022-01-15", **kind)
    assert (found.values[0, 0].tolist(), found.mask[0, 0].tolist()) == ([5, 0], [True, False])
    assert (found.provenance.rows_used, found.provenance.rows_after_as_of) == (1, 1)
    assert read(tmp_path, rows, as_of="2022-01-16", **kind).values[0, 0].tolist() == [5, 1]
    with pytest.raises(ExtractError, match=r"nothing was known on 2022-01-08; expected as_of ≥ 2022-01-09"):
        read(tmp_path, rows, as_of="2022-01-08", **kind)


def test_longer_delays_are_in_the_last_cell_and_corrections_may_be_negative(tmp_path: Path) -> None:
    rows = table([ROW, ("A", "2022-01-03", 4), ("A", "2022-01-03", -2)], known_on=["2022-01-03", "2022-01-10", "2022-03-10"])
    assert read(tmp_path, rows, **with_report(**TRIANGLE, max_delay=2)).values[0, 0].tolist() == [5, 0, 2]
    with pytest.raises(ExtractError, match=r"line 2: count is not a whole number: found '1.5'; expected a whole number from -10¹² to 10¹²"):
        read(tmp_path, table([("A", "2022-01-03", 1.5)], known_on="2022-01-04"), **with_report(**TRIANGLE, max_delay=2))


def test_further_dims_come_before_the_delay(tmp_path: Path) -> None:
    rows = table([ROW, ROW], known_on=["2022-01-03", "2022-01-04"], sex=["f", "m"])
    found = read(tmp_path, rows, **with_report(**TRIANGLE, max_delay=1, dims={"sex": "sex"}))
    assert found.dims == ("day", "area", "sex", "delay")
    assert found.values[0, 0].tolist() == [[5, 0], [0, 5]]  # f at once, m a day later


REPORTS = ["2022-01-05", "2022-01-05", "2022-01-08", "2022-01-20", "2022-01-06"]
UNDATED = [("A", "2022-01-03", 5), ("A", "", 2), ("B", "", 1), ("B", "", 4), ("A", "2022-01-04", 1)]


def test_undated_rows_are_counted_by_report_period_and_unit(tmp_path: Path) -> None:
    rows = table(UNDATED, known_on=REPORTS)
    found = read(tmp_path, rows, as_of="2022-01-19", **with_report(undated="keep"))
    assert found.values.sum() == 6
    assert found.undated is not None
    assert found.undated.periods.astype(str).tolist() == ["2022-01-05", "2022-01-06", "2022-01-07", "2022-01-08"]
    assert found.undated.values.tolist() == [[2, 0, 0], [0, 0, 0], [0, 0, 0], [0, 1, 0]]
    by_week = read(tmp_path, rows, **with_report(undated="keep", resolution="week", **TRIANGLE, max_delay=1)).undated
    assert by_week is not None
    assert by_week.periods.astype(str).tolist() == ["2022-01-03", "2022-01-10", "2022-01-17"]
    assert by_week.values.tolist() == [[2, 1, 0], [0, 0, 0], [0, 4, 0]]


def test_no_undated_row_yet_is_an_empty_table(tmp_path: Path) -> None:
    found = read(tmp_path, table(known_on="2022-02-03"), **with_report(undated="keep")).undated
    assert found is not None
    assert (found.values.shape, found.periods.shape) == ((0, 3), (0,))


def test_undated_rows_are_a_fault_unless_kept(tmp_path: Path) -> None:
    rows = table(UNDATED, known_on=REPORTS)
    with pytest.raises(ExtractError, match=r"'day_of', line 3: date cannot be read: found ''"):
        read(tmp_path, rows, **with_report())
    with pytest.raises(ExtractError, match=r"line 2: date cannot be read: found 'soon'"):
        read(tmp_path, rows.replace("2022-01-03", "soon"), **with_report(undated="keep"))
    with pytest.raises(ExtractError, match=r"nothing was known on 2022-12-31; expected a row with an event date, of a day"):
        read(tmp_path, rows[rows["day_of"] == ""], **with_report(undated="keep"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reports": "add", "columns": COLUMNS | DATED}, "give reports = .add. and max_delay together"),
        ({"max_delay": 3}, "give reports = .add. and max_delay together"),
        ({"reports": "add", "max_delay": 3}, "reports = .add. needs the report column"),
        ({"undated": "keep"}, "undated = .keep. needs the report column"),
        ({"columns": LINES}, "a line list .* has no rows of zero: set absent = .zero."),
        ({"dims": {"delay": "n"}}, r"dims cannot be named \['delay'\]"),
        ({"file": ()}, "at least 1 item"),
    ],
)
def test_a_schema_that_contradicts_itself(changes: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        extract(**changes)


@PROPERTY
@given(order=st.permutations(range(6)))
def test_fractions_add_up_the_same_in_any_order(tmp_path: Path, order: list[int]) -> None:
    rows = table([("A", "2022-01-03", n) for n in (0.1, 0.2, 0.3, 1e9, 1e-9, 0.7)])
    kind = {"integer": False, "repeated": "sum"}
    assert same(read(tmp_path, rows.iloc[order], **kind), read(tmp_path, rows, **kind))
