"""A validation for pipelines: every figure of the answer is in its tables, with what says where it belongs."""

import json

import numpy as np
import pytest

import bayestwin as bt
from bayestwin.credibility.validation import Refits

NUMBERS = (int, float)


@pytest.fixture(scope="module")
def answer(run: bt.Run) -> dict:
    found = bt.validate(run, Refits(origins=1, folds=2, replicates=3))
    bt.validate(run)  # leave the run as the other tests find it
    return json.loads(json.dumps(found))


def test_checks_and_verdict_are_those_of_the_answer(answer: dict) -> None:
    found = bt.Validation.of(answer)
    assert found.verdict == answer["verdict"]
    assert [check.name for check in found.checks] == [check["name"] for check in answer["checks"]]


def test_every_row_is_in_its_table(answer: dict) -> None:
    tables = bt.Validation.of(answer).tables
    for part, rows in answer.items():
        if part == "checks" or not isinstance(rows, list) or not rows:
            continue
        dataset = tables[part].to_dataset()
        assert dataset.sizes["row"] == len(rows)
        for name in {name for row in rows for name, value in row.items() if isinstance(value, NUMBERS)}:
            expected = [np.nan if row.get(name) is None else row[name] for row in rows]
            np.testing.assert_array_equal(dataset[name].to_numpy(), np.array(expected, float))


def test_what_a_row_holds_several_of_says_which_row_it_is_of(answer: dict) -> None:
    tables = bt.Validation.of(answer).tables
    (row,) = (row for row in answer["backtest"] if row["week_ahead"] == 0)
    by_unit = tables["backtest_by_unit"].to_dataset()
    assert by_unit["unit"].to_numpy().tolist() == [unit["unit"] for unit in row["by_unit"]]
    assert set(by_unit["origin"].to_numpy().tolist()) == {row["origin"]}
    places = [(row["stream"], place) for row in answer["sites"] if "places" in row for place in row["places"]]
    told = tables["sites_places"].to_dataset()
    assert list(zip(told["stream"].to_numpy(), told["label"].to_numpy(), strict=True)) == places
    ranks = tables["replicates_ranks"].to_dataset()
    assert ranks.sizes["row"] == sum(len(row["ranks"]) for row in answer["replicates"])
    assert ((ranks["value"] >= 0) & (ranks["value"] <= 1)).all()


def test_the_tables_can_be_written(answer: dict, tmp_path) -> None:
    import xarray as xr

    bt.Validation.of(answer).tables.to_netcdf(tmp_path / "validation.nc", engine="h5netcdf")
    with xr.open_datatree(tmp_path / "validation.nc", engine="h5netcdf") as kept:
        assert kept["backtest"].sizes["row"] == len(answer["backtest"])


def test_parts_that_were_not_done_have_no_table() -> None:
    found = bt.Validation.of({"verdict": "PASS", "checks": [], "backtest": []})
    assert found.checks == ()
    assert not found.tables.children
