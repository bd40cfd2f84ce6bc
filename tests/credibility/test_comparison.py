"""Runs of the same data: the better one is found, runs that do not differ are not told apart, runs of other data are refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from bakery_study import write_bakery
from typer.testing import CliRunner

import bayestwin as bt
from bayestwin.cli import app
from bayestwin.credibility.influence import cells_left_out
from bayestwin.errors import RunError

WRONG = """
[[prior]]
name = "sd_shop"
distribution = "HalfNormal"
parameters = [0.001]
unit = "log"
source = "[E]"
"""


class Told:
    """A run of normal cells with a known error, of 200 cells."""

    validation = None

    def __init__(self, name: str, off: float = 0.0, data: float = 0.0, cells: int = 200) -> None:
        rng = np.random.default_rng(4)
        y = rng.normal(size=cells) + data
        mean = off + rng.normal(0.0, 0.01, (4, 500, 1))
        dims = ("chain", "draw", "cell")
        likelihood = xr.Dataset({"cells": (dims, -0.5 * np.square(y - mean) - 0.5 * np.log(2 * np.pi))})
        self.folder = Path(name)
        self.groups = {"log_likelihood": likelihood, "observed_data": xr.Dataset({"cells": ("cell", y)})}

    def group(self, name: str) -> xr.Dataset:
        return self.groups[name]


def test_the_difference_is_that_of_the_log_densities_and_its_error_that_of_their_spread() -> None:
    one, other = Told("true"), Told("off", 1.0)
    best, worse = bt.compare([other, one])["streams"]
    y = one.group("observed_data")["cells"].to_numpy()
    apart = -0.5 * np.square(y - 1.0) + 0.5 * np.square(y)
    assert (best["run"], best["difference"]) == ("true", 0.0)
    assert worse["difference"] == pytest.approx(apart.sum(), rel=0.01)
    assert worse["error"] == pytest.approx(np.sqrt(200) * apart.std(ddof=1), rel=0.02)
    assert worse["told_apart"]


@pytest.mark.parametrize(("off", "cells"), [(0.02, 200), (1.0, 50)])
def test_runs_that_hardly_differ_and_runs_of_few_cells_are_not_told_apart(off: float, cells: int) -> None:
    _, worse = bt.compare([Told("one", cells=cells), Told("other", off, cells=cells)])["streams"]
    assert not worse["told_apart"]


def test_runs_of_other_data_are_refused() -> None:
    with pytest.raises(RunError, match="no stream is observed alike"):
        bt.compare([Told("one"), Told("other", data=0.1)])


def test_streams_whose_cells_are_others_are_not_compared() -> None:
    one, other = Told("one"), Told("other")
    other.groups["log_likelihood"] = one.group("log_likelihood").isel(cell=slice(100))
    with pytest.raises(RunError, match="no stream is observed alike"):
        bt.compare([one, other])


def test_a_cell_that_a_validation_refitted_counts_as_it_was_found_then() -> None:
    one, other = Told("one"), Told("other")
    before = bt.compare([one, other])["streams"][0]["elpd"]
    one.validation = {"loo": [{"stream": "cells", "index": [0], "r_hat": 1.0, "elpd": 50.0}]}
    best, worse = bt.compare([one, other])["streams"]
    assert (best["run"], worse["elpd"]) == ("one", before)
    own = float(cells_left_out(other.group("log_likelihood")["cells"]).elpd[0])
    assert best["elpd"] == pytest.approx(before + 50.0 - own)


def test_one_run_and_the_same_run_twice_are_refused() -> None:
    with pytest.raises(RunError, match="nothing to compare"):
        bt.compare([Told("one")])
    with pytest.raises(RunError, match="named twice"):
        bt.compare([Told("one"), Told("one")])


def scored(*wis: float, origin: str = "2024-03-10") -> dict:
    row = {"quantity": "loaves", "origin": origin, "week_ahead": 0, "cells": 9}
    return {"backtest": [row | {"wis": value} for value in wis] + [row | {"week_ahead": 1, "wis": 0.0}]}


def test_backtests_are_compared_where_dates_and_cells_are_the_same() -> None:
    one, other = Told("one"), Told("other")
    one.validation, other.validation = scored(2.0), scored(3.0)
    assert [(row["run"], row["ratio"]) for row in bt.compare([other, one])["backtest"]] == [("one", 1.0), ("other", 1.5)]
    other.validation = scored(3.0, origin="2024-03-03")
    assert bt.compare([other, one])["backtest"] == []


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The bakery with shops that differ, as they do, and with a prior that says that they do not."""
    folder = tmp_path_factory.mktemp("bakery")
    study = write_bakery(folder / "study")
    bt.calibrate(bt.read_study(study), bt.Sampling(chains=2, draws=400, warmup=300), folder / "differ")
    text = (study / "study.toml").read_text(encoding="utf-8")
    (study / "study.toml").write_text(text + WRONG, encoding="utf-8")
    bt.calibrate(bt.read_study(study), bt.Sampling(chains=2, draws=400, warmup=300), folder / "alike")
    return folder / "differ", folder / "alike"


def test_a_wrong_prior_foretells_worse(runs: tuple[Path, Path]) -> None:
    done = CliRunner().invoke(app, ["compare", *map(str, runs), "--json"])
    assert done.exit_code == 0, done.output
    best, worse = json.loads(done.stdout)["streams"]
    assert best["run"] == str(runs[0])
    assert worse["difference"] < -3 * worse["error"]
    said = CliRunner().invoke(app, ["compare", *map(str, runs)]).stdout
    assert f"{runs[1]}: {worse['difference']:+.1f} ±" in said


def test_a_run_that_is_not_there_is_an_error_of_input(runs: tuple[Path, Path], tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["compare", str(runs[0]), str(tmp_path / "none")]).exit_code == 2
