"""Statistical checks that take minutes: `nox -s slow`."""

from pathlib import Path

import numpy as np
import pytest
from tiny_study import write_tiny_study

import bayestwin as bt
from bayestwin.library import library_folder
from bayestwin.report import tables

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["virtual_practices", "virtual_clinic"])
def test_bundled_study_passes_and_its_truth_is_covered(tmp_path: Path, name: str) -> None:
    study = bt.read_study(library_folder("data") / name)
    run = bt.calibrate(study, out=tmp_path / "run")
    assert run.verdict["status"] == "PASS", run.verdict["reasons"]
    table = tables.against_truth(run.posterior, run.truth)
    assert 0.90 <= table["inside"].mean() <= 0.99
    for row in tables.forecast_against_truth(run.forecast, run.truth).to_dict("records"):
        assert row["inside_95"] >= 0.80, row


@pytest.mark.parametrize("seed", [11, 12, 13, 14, 15, 16])
def test_parameters_of_fresh_studies_are_covered(tmp_path: Path, seed: int) -> None:
    study = bt.simulate_study(tmp_path / "study", design=bt.Design(units=12, groups=3, weeks=20), seed=seed)
    run = bt.calibrate(study, bt.Sampling(draws=500), tmp_path / "run")
    inside = tables.against_truth(run.posterior, run.truth)["inside"]
    # Elements share hyperparameters, so the share inside varies more than a binomial would.
    assert inside.mean() > 0.85


def test_daily_grid_calibrates_and_agrees_with_the_weekly_one(tmp_path: Path) -> None:
    folder = write_tiny_study(tmp_path / "study", weeks=8)
    weekly = bt.calibrate(bt.read_study(folder), bt.Sampling(chains=2, draws=300), tmp_path / "weekly")
    text = (folder / "study.toml").read_text(encoding="utf-8")
    (folder / "study.toml").write_text(text.replace('grid = "week"', 'grid = "day"'), encoding="utf-8")
    daily = bt.calibrate(bt.read_study(folder), bt.Sampling(chains=2, draws=300), tmp_path / "daily")
    assert daily.tree["observed_data"]["appointments"].sizes["period"] == 56
    level = [float(np.exp(run.posterior["area_level"]).mean()) for run in (weekly, daily)]
    assert level[1] == pytest.approx(level[0], rel=0.02)
