"""The access ledger: one line an extract, in plain values."""

import json
from datetime import date
from pathlib import Path

import pytest

import bayestwin as bt
from bayestwin.extracts.ledger import LedgerRow
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
