"""Cells left out by importance sampling and by a refit: both find the same, and a check says which cells are left."""

import json
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import pytest
import xarray as xr
from bakery_study import write_bakery
from numpyro import distributions as dist
from numpyro.handlers import seed, substitute, trace
from scipy import stats
from typer.testing import CliRunner

import bayestwin as bt
from bayestwin.cli import app
from bayestwin.credibility.influence import Cells, cells_left_out, checks_of_influence, refit_without, refitted, without_influential
from bayestwin.infer.leave_out import without_cell
from bayestwin.infer.predictive import prior_draws, sites
from bayestwin.prepared import prepare


@pytest.mark.parametrize("name", ["virtual_practices", "bakery"])
def test_a_cell_that_is_left_out_takes_its_own_log_probability_and_nothing_else(name: str, tmp_path: Path) -> None:
    folder = write_bakery(tmp_path / name) if name == "bakery" else Path(__file__).parents[2] / "data" / name
    prepared = prepare(bt.read_study(folder))
    model, roles = prepared.model, sites(prepared.model)
    values = {site: drawn[0] for site, drawn in prior_draws(model, np.random.default_rng(5), 1).items() if site in roles.latent}

    def cells(model: Callable[[], None]) -> dict[str, np.ndarray]:
        found = trace(seed(substitute(model, values), jax.random.key(0))).get_trace()
        return {site: np.array(found[site]["fn"].log_prob(found[site]["value"])) for site in roles.observed}

    whole, less = cells(model), model
    index = {site: tuple(map(int, np.unravel_index(int(values.argmin()), values.shape))) for site, values in whole.items()}
    for site, at in index.items():
        less = without_cell(less, site, at)
    for site, left in cells(less).items():
        assert left[index[site]] == 0.0
        whole[site][index[site]] = 0.0
        np.testing.assert_allclose(left, whole[site], rtol=1e-12)


def test_a_cell_of_which_nothing_is_told_stays_silent_when_another_is_left_out() -> None:
    def model() -> None:
        numpyro.sample("y", dist.Normal(jnp.zeros(3), 1.0).mask(np.array([True, False, True])), obs=jnp.array([1.0, 2.0, 3.0]))

    law = trace(seed(without_cell(model, "y", (2,)), 0)).get_trace()["y"]["fn"]
    assert (np.asarray(law.log_prob(jnp.array([1.0, 2.0, 3.0]))) == 0.0).tolist() == [False, True, True]


def test_importance_sampling_leaves_out_as_algebra_does() -> None:
    """Normal cells of unknown mean: given the others, a cell is normal about their mean with variance 1 + 1 / (n - 1)."""
    rng = np.random.default_rng(2)
    y = rng.normal(3.0, 1.0, 40)
    mean = rng.normal(y.mean(), 1 / np.sqrt(40), (4, 500, 1))
    cells = cells_left_out(xr.DataArray(stats.norm.logpdf(y, mean), dims=("chain", "draw", "cell")))
    others = (y.sum() - y) / 39
    np.testing.assert_allclose(cells.elpd, stats.norm.logpdf(y, others, np.sqrt(1 + 1 / 39)), atol=0.02)
    assert not cells.influential.any()


def test_a_cell_that_says_nothing_has_no_k_and_its_own_density() -> None:
    values = np.concatenate([np.random.default_rng(1).normal(size=(4, 500, 3)), np.full((4, 500, 1), -1.5)], axis=-1)
    cells = cells_left_out(xr.DataArray(values, dims=("chain", "draw", "cell")))
    assert np.isnan(cells.k).tolist() == [False, False, False, True]
    assert cells.elpd[3] == pytest.approx(-1.5)
    assert not cells.influential[3]


def test_a_refit_finds_what_importance_sampling_finds_where_that_can_be_trusted(run: bt.Run) -> None:
    cells = cells_left_out(run.tree["log_likelihood"].to_dataset()["bread"])
    index = tuple(map(int, np.unravel_index(int(np.nanargmax(cells.k)), cells.k.shape)))
    assert cells.k[index] < 0.7
    study = bt.read_study(run.manifest["study"]["folder"])
    (row,) = refit_without(study, "bread", index, "a cell", bt.Sampling(chains=4, draws=800, warmup=400))
    assert row["r_hat"] < 1.05
    assert row["elpd"] == pytest.approx(cells.elpd[index], abs=4 * row["error"] + 0.03)
    in_sample = run.tree["log_likelihood"].to_dataset()["bread"].to_numpy()[(..., *index)]
    assert row["elpd"] < np.log(np.exp(in_sample.astype(float)).mean())
    assert set(row["means"]) == {"customers", "appetite", "sd_shop"}


def leaning() -> xr.DataTree:
    """Sixty cells, and one that the posterior leans on."""
    rng = np.random.default_rng(1)
    mean = rng.normal(size=(4, 500, 1))
    cells = np.concatenate([-0.5 * np.square(rng.normal(size=(1, 1, 60)) - 0.1 * mean), -5.0 * np.square(mean)], axis=-1)
    named = {"cells": (("chain", "draw", "cell"), cells)}
    return xr.DataTree.from_dict(
        {"log_likelihood": xr.Dataset(named), "posterior": xr.Dataset({"mean": (("chain", "draw"), mean[..., 0])})}
    )


def row(**changed: object) -> dict:
    return {"stream": "cells", "index": [60], "cell": "it", "r_hat": 1.0, "elpd": -9.0, "error": 0.1, "means": {"mean": 0.5}} | changed


def test_a_cell_that_a_refit_left_out_is_influential_no_more() -> None:
    (before,), (after,) = (list(checks_of_influence(leaning(), rows)) for rows in ([], [row()]))
    assert before.status == "REVIEW"
    assert "--loo 1" in before.recommendation
    assert (after.status, after.value) == ("PASS", 0.0)
    assert "1 of 61 cells have a Pareto k above 0.7, 1 of them left out by a refit" in after.reason
    assert "by more than 0.5" in after.reason


def test_a_refit_that_did_not_mix_changes_nothing() -> None:
    (before,), (after,) = (list(checks_of_influence(leaning(), rows)) for rows in ([], [row(r_hat=1.2)]))
    assert after == before
    for r_hat in (1.2, None):
        cells = Cells(np.array([-1.0, -2.0]), np.array([0.9, 0.1]))
        np.testing.assert_array_equal(refitted(cells, [row(index=[0], r_hat=r_hat)]).k, cells.k)


def test_the_worst_cells_are_refitted_first_and_no_more_than_there_are(run: bt.Run) -> None:
    tree, study = leaning(), bt.read_study(run.manifest["study"]["folder"])
    pieces = without_influential(study, tree["log_likelihood"].to_dataset(), 5, bt.Sampling())
    assert [piece.name for piece in pieces] == ["refitting without cells (cell 60)"]
    one = tree["log_likelihood"].to_dataset()["cells"]
    two = xr.concat([2.0 * one[..., -1:], one], "cell").transpose("chain", "draw", "cell").to_dataset(name="cells")  # leant on yet more
    names = [piece.name for piece in without_influential(study, two, 5, bt.Sampling())]
    assert names == ["refitting without cells (cell 0)", "refitting without cells (cell 61)"]
    assert [piece.name for piece in without_influential(study, two, 1, bt.Sampling())] == names[:1]


def test_the_command_refits_and_shows(run: bt.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every cell taken for influential, the one with the largest Pareto k is refitted, kept, counted and shown."""
    monkeypatch.setattr("bayestwin.credibility.influence.INFLUENTIAL", -1.0)
    done = CliRunner().invoke(app, ["validate", str(run.folder), "--loo", "1", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    (left_out,) = found["loo"]
    assert left_out["cell"].startswith("bread (week 2024-")
    check = next(check for check in found["checks"] if check["name"] == "influence of cells of bread")
    assert "1 of them left out by a refit" in check["reason"]
    assert left_out["cell"] in (run.folder / "report.html").read_text(encoding="utf-8")
