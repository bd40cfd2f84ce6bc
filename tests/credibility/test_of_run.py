"""Checks of a run find what is wrong with it, and nothing else."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

import bayestwin as bt
from bayestwin.cli import EXIT_VERDICT, app
from bayestwin.credibility.check import graded, worst_of
from bayestwin.credibility.influence import checks_of_influence
from bayestwin.credibility.validation import PIECES, Refits
from bayestwin.errors import RunError


@pytest.fixture(scope="module")
def answer(run: bt.Run) -> dict:
    done = CliRunner().invoke(app, ["validate", str(run.folder), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_every_check_says_what_it_is_held_against(answer: dict) -> None:
    assert [check["name"] for check in answer["checks"]] == [
        "computation", "fit of bread", "fit by place", "fit of tails", "fit of what barriers hide", "influence of cells of bread", "sensitivity to priors",
    ]  # fmt: skip
    for check in answer["checks"]:
        assert set(check) == {"name", "status", "value", "threshold", "reason", "recommendation", "source"}
        assert check["threshold"]
        assert check["reason"]
        assert check["source"]
        assert bool(check["recommendation"]) == (check["status"] != "PASS")
    assert answer["verdict"] == worst_of(check["status"] for check in answer["checks"])
    assert answer["backtest"] == []
    assert {row["by"] for row in answer["fit"]} == {"whole", "place", "told"}
    assert {row["source"] for row in answer["sensitivity"]} == {"prior", "bread"}


def test_a_ridge_leaves_its_parameters_to_their_priors(answer: dict) -> None:
    """Sales identify customers × appetite only, so the prior of either moves it; a model that is true fits."""
    found = {check["name"]: check for check in answer["checks"]}
    assert found["sensitivity to priors"]["status"] == "REVIEW"
    assert "customers" in found["sensitivity to priors"]["reason"]
    assert "appetite" in found["sensitivity to priors"]["reason"]
    assert found["computation"]["status"] == found["fit of bread"]["status"] == found["influence of cells of bread"]["status"] == "PASS"


def test_what_was_found_is_kept_and_shown(run: bt.Run, answer: dict) -> None:
    assert bt.load_run(run.folder).validation == answer
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    for shown in ('id="validation"', "Groups of cells that lie farthest", "What moves each parameter", "Computation"):
        assert shown in page


def test_a_run_that_did_not_converge_fails(run: bt.Run, tmp_path: Path) -> None:
    short = bt.calibrate(bt.read_study(run.manifest["study"]["folder"]), bt.Sampling(chains=2, draws=50, warmup=50), tmp_path / "short")
    done = CliRunner().invoke(app, ["validate", str(short.folder)])
    assert done.exit_code == EXIT_VERDICT
    assert done.stdout.startswith("FAIL")
    assert "FAIL   computation" in done.stdout
    assert "to do:" in done.stdout


def test_a_cell_that_the_posterior_leans_on_is_found() -> None:
    rng = np.random.default_rng(1)
    mean = rng.normal(size=(4, 500, 1))
    plain = -0.5 * np.square(rng.normal(size=(1, 1, 60)) - 0.1 * mean)
    heavy = np.concatenate([plain, -5.0 * np.square(mean)], axis=-1)
    nothing = np.concatenate([plain, np.zeros_like(mean)], axis=-1)

    def found(values: np.ndarray):
        cells = xr.Dataset({"cells": (("chain", "draw", "cell"), values)})
        return next(checks_of_influence(xr.DataTree.from_dict({"log_likelihood": cells}), []))

    assert found(plain).status == "PASS"
    assert found(nothing).value == 0.0
    assert "61 cells" not in found(nothing).reason
    assert found(heavy).status == "REVIEW"
    assert found(heavy).value == pytest.approx(1 / 61)


def test_grades_and_the_worst_of_them() -> None:
    assert [graded(value, 0.1, 0.2) for value in (0.1, 0.15, 0.2, 0.3)] == ["PASS", "REVIEW", "REVIEW", "FAIL"]
    assert worst_of(["PASS", "FAIL", "REVIEW"]) == "FAIL"
    assert worst_of([]) == "PASS"


def test_a_backtest_sees_what_was_known_and_scores_what_came(run: bt.Run) -> None:
    """The bakery sells at constant rates, so recent weeks forecast well; hidden weeks of the small shop are not scored."""
    pieces = run.folder / PIECES
    before = set(pieces.glob("*"))
    found = bt.validate(run, Refits(origins=1))
    rows = found["backtest"]
    assert {row["origin"] for row in rows} == {"2024-03-10"}
    assert {row["quantity"] for row in rows} == {"loaves"}
    whole = next(row for row in rows if row["week_ahead"] == 0)
    each = [row for row in rows if row["week_ahead"] > 0]
    assert whole["cells"] == sum(row["cells"] for row in each)
    assert 0 < whole["cells"] <= 3 * 3
    assert whole["wis"] > 0
    assert {"backtest of loaves: skill against recent weeks", "backtest of loaves: coverage"} <= {
        check["name"] for check in found["checks"]
    }
    assert len(set(pieces.iterdir()) - before) == 1
    said: list[str] = []
    assert bt.validate(run, Refits(origins=1), say=said.append) == found  # nothing is refitted twice
    assert said == ["checking the run"]
    bt.validate(run)  # leave the run as the other tests find it


def test_more_dates_than_there_are_weeks_are_refused(run: bt.Run) -> None:
    with pytest.raises(RunError, match="12 weeks are too few for 5 past dates"):
        bt.validate(run, Refits(origins=5))


def test_a_negative_number_of_dates_is_refused(run: bt.Run) -> None:
    with pytest.raises(ValueError, match="origins is -1"):
        Refits(origins=-1)
