"""The access ledger: one line an extract, in plain values."""

import json
from datetime import date
from pathlib import Path

import pytest
from extract_cases import COLUMNS, TRIANGLE, deliver, read, read_files, table, with_report

import bayestwin as bt
from bayestwin.extracts.ledger import LedgerRow, ledger_row
from bayestwin.study import Study, ledger


def rows_of(study: Study) -> dict[str, LedgerRow]:
    observations = bt.read_observations(study, bt.read_hierarchy(study), [e.stream for e in study.extracts])
    return {row.stream: row for row in ledger(study, observations)}


def test_a_row_for_every_extract_in_the_order_of_the_study(tiny_study: Path) -> None:
    study = bt.read_study(tiny_study)
    assert list(rows_of(study)) == ["durations", "staff_mix", "patients", "registered", "workforce"]


def test_span_and_age_are_those_of_what_is_known(tiny_study: Path) -> None:
    study = bt.read_study(tiny_study)
    row = rows_of(study)["durations"]
    assert (row.resolution, row.first_event, row.last_event, row.lag_days) == ("day", date(2022, 1, 3), study.as_of, 0)
    later = rows_of(study.at(date(2022, 3, 1)))["patients"]
    assert (later.first_event, later.last_event, later.lag_days) == (date(2021, 12, 1), date(2022, 1, 31), 29)


def test_units_and_shares(tiny_study: Path) -> None:
    rows = rows_of(bt.read_study(tiny_study))
    assert (rows["staff_mix"].units_present, rows["staff_mix"].units_total) == (2, 2)
    durations = rows["durations"]
    assert durations.share_masked == 0.0
    assert durations.share_banded + durations.share_unknown == pytest.approx(1.0)
    assert durations.share_unknown == pytest.approx(0.24, abs=0.02)
    assert rows["staff_mix"].share_banded == 0.0
    assert rows["staff_mix"].share_unknown == pytest.approx(1 / 3, abs=0.02)
    assert rows["patients"].share_unknown == 0.0


def test_barriers_are_said_in_the_order_in_which_they_acted(tiny_study: Path) -> None:
    row = rows_of(bt.read_study(tiny_study))["durations"]
    assert [barrier["kind"] for barrier in row.barriers] == ["coverage", "band", "unknown"]
    assert row.barriers[2]["label"] == "unknown-selection"


def test_rows_are_plain_values(tiny_study: Path) -> None:
    for row in rows_of(bt.read_study(tiny_study)).values():
        assert json.loads(json.dumps(row.as_row()))["stream"] == row.stream


def test_hidden_cells_are_a_share_of_the_observed_ones(tmp_path: Path) -> None:
    rows = table([("A", "2022-01-03", "5"), ("B", "2022-01-03", "*"), ("A", "2022-01-04", "1"), ("B", "2022-01-04", "2")])
    row = ledger_row(read(tmp_path, rows, symbols="*"), (), date(2022, 2, 1))
    assert (row.share_hidden, row.share_masked, row.share_undated) == (0.25, pytest.approx(1 / 3), 0.0)


def test_cells_of_a_triangle_that_are_not_due_are_not_missing(tmp_path: Path) -> None:
    rows = table([(unit, "2022-01-03", 5) for unit in "ABC"] + [("A", "2022-01-04", 1)], known_on="2022-01-04")
    found = read(tmp_path, rows, "2022-01-05", **with_report(**TRIANGLE, max_delay=4))
    assert found.mask.mean() == pytest.approx(5 / 10)
    row = ledger_row(found, (), date(2022, 1, 5))
    assert (row.share_masked, row.units_present, row.last_event, row.lag_days) == (0.0, 3, date(2022, 1, 4), 1)
    without_one = read(tmp_path, rows[rows["unit_code"] != "C"], "2022-01-05", **with_report(**TRIANGLE, max_delay=4))
    row = ledger_row(without_one, (), date(2022, 1, 5))
    assert (row.share_masked, row.units_present, row.units_total) == (pytest.approx(1 / 3), 2, 3)


def test_several_files_are_one_line(tmp_path: Path) -> None:
    deliver(tmp_path, {"1.csv": table(reached="2022-02-03"), "2.csv": table([("C", "2022-02-02", 1)], reached="2022-03-03")})
    for as_of, files, units in ((date(2022, 3, 2), "1.csv", 2), (date(2022, 3, 3), "1.csv, 2.csv", 3)):
        found = read_files(tmp_path, as_of, file="*.csv", columns=COLUMNS | {"known": "reached"})
        row = ledger_row(found, (), as_of)
        assert (row.file, row.sha256, row.units_present) == (files, found.provenance.sha256, units)
        assert json.loads(json.dumps(row.as_row()))["file"] == files


def test_undated_rows_are_a_share_of_the_total(tmp_path: Path) -> None:
    rows = table([("A", "2022-01-03", 6), ("A", "", 2)], known_on="2022-01-05")
    row = ledger_row(read(tmp_path, rows, **with_report(undated="keep")), (), date(2022, 2, 1))
    assert row.share_undated == 0.25
