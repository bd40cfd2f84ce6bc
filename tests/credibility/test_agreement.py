"""A second engine: what it finds of the same posterior agrees, what it finds of another does not."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from bakery_study import write_bakery
from model_parts import model_part

import bayestwin as bt
from bayestwin.credibility.agreement import checks_of_agreement, checks_of_density, moments_of, sample_again, second_density
from bayestwin.credibility.validation import SECOND
from bayestwin.errors import ModelError

QUICK = replace(SECOND, chains=2, draws=50, warmup=50)


class Told:
    """A run that says no more than its posterior."""

    def __init__(self, seed: int, shift: float = 0.0) -> None:
        rng = np.random.default_rng(seed)
        dims = ("chain", "draw")
        self.posterior = xr.Dataset(
            {"level": (dims, shift + rng.standard_normal((4, 1000))), "effect": ((*dims, "site"), rng.standard_normal((4, 1000, 5)))}
        )
        self.posterior["derived"] = self.posterior["level"].astype(np.float32)
        self.posterior.attrs["deterministic"] = ["derived"]


def rows(told: Told, r_hat: float = 1.0) -> list[dict]:
    return [{"quantity": name, "engine": "pymc", "r_hat": r_hat} | row for name, row in moments_of(told.posterior).items()]


@pytest.mark.parametrize(("shift", "r_hat", "status"), [(0.0, 1.0, "PASS"), (0.3, 1.0, "FAIL"), (0.3, 1.3, "REVIEW")])
def test_another_posterior_is_found_unless_the_engine_has_not_mixed(shift: float, r_hat: float, status: str) -> None:
    (check,) = checks_of_agreement(Told(1), rows(Told(2, shift), r_hat))
    assert check.status == status
    assert "2 quantities" in check.reason
    if shift and r_hat == 1.0:
        assert "mean of level" in check.reason


def test_nothing_is_said_where_no_other_engine_was_asked() -> None:
    assert list(checks_of_agreement(Told(1), [])) == []


def test_a_model_that_is_not_written_for_the_second_engine_is_refused(tmp_path: Path) -> None:
    study = bt.read_study(write_bakery(tmp_path / "study"))
    with pytest.raises(ModelError, match="not written for the second engine"):
        bt.calibrate(study, QUICK, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_pymc_is_not_imported_unless_it_is_asked_for() -> None:
    code = "import bayestwin as bt, sys; bt.calibrate; from bayestwin.twin.twin import load_twin; load_twin('gp_appointments'); print('pymc' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.slow
@pytest.mark.parametrize(("model", "units", "groups", "weeks"), [("gp_appointments", 12, 4, 12), ("provider_workload", 3, 2, 6)])
def test_both_engines_find_the_same_posterior(
    model: str, units: int, groups: int, weeks: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("nutpie")
    from bayestwin.twin.twin import Design

    if model == "provider_workload":  # by week: by day it would take far longer
        monkeypatch.setattr(model_part(model, "publish"), "DAILY_CELLS", 0)
    bt.simulate_study(tmp_path / "study", model=model, design=Design(units=units, groups=groups, weeks=weeks), seed=3)
    study = bt.read_study(tmp_path / "study")
    run = bt.calibrate(study, bt.Sampling(draws=1500, warmup=500), tmp_path / "run")
    (check,) = checks_of_agreement(run, sample_again(study, SECOND))
    assert check.status == "PASS", check.reason


@pytest.fixture(scope="module")
def practices(tmp_path_factory: pytest.TempPathFactory) -> bt.Run:
    pytest.importorskip("pymc")
    from bayestwin.twin.twin import Design

    folder = tmp_path_factory.mktemp("practices")
    bt.simulate_study(folder / "study", model="gp_appointments", design=Design(units=6, groups=2, weeks=8), seed=3)
    return bt.calibrate(folder / "study", bt.Sampling(chains=2, draws=100, warmup=100), folder / "run")


def test_draws_are_weighed_alike_by_a_model_that_is_the_same(practices: bt.Run) -> None:
    found = second_density(bt.read_study(practices.folder.parent / "study"), practices.posterior, 1).work(lambda progress: None)
    assert {row["quantity"] for row in found} >= {"region_level", "sd_region"}
    assert found[0]["share"] == pytest.approx(1.0, abs=1e-6)
    assert all(abs(row[part]) < 1e-6 for row in found for part in ("mean", "sd"))
    (check,) = checks_of_density(found)
    assert check.status == "PASS", check.reason


def test_a_prior_that_differs_shows_in_weights(practices: bt.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from bayestwin.infer import second

    study = bt.read_study(practices.folder.parent / "study")
    right = second.log_density

    def tilted(made):
        density = right(made)
        return lambda point: density(point) + 3.0 * float(np.sum(point["region_level"]))

    monkeypatch.setattr(second, "log_density", tilted)
    found = second_density(study, practices.posterior, 1).work(lambda progress: None)
    (check,) = checks_of_density(found)
    moved = {row["quantity"]: row["mean"] for row in found}
    assert check.status == "FAIL"
    assert moved["region_level"] > 0.0
    assert found[0]["share"] < 1.0


def test_no_density_is_compared_where_none_was_asked() -> None:
    assert list(checks_of_density([])) == []
