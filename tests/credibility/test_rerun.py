"""A run calibrated again: the same draws, or what is different and by how much."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from bakery_study import write_bakery
from typer.testing import CliRunner

import bayestwin as bt
from bayestwin.cli import EXIT_VERDICT, app
from bayestwin.credibility.rerun import differing, rerun, rerun_text, shifts
from bayestwin.errors import RunError


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> bt.Run:
    study = write_bakery(tmp_path_factory.mktemp("rerun") / "study")
    return bt.calibrate(study, bt.Sampling(chains=2, draws=100, warmup=100), study.parent / "run")


def test_a_rerun_gives_the_same_draws_and_leaves_the_run_alone(run: bt.Run) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in run.folder.iterdir()}
    done = CliRunner().invoke(app, ["report", str(run.folder), "--rerun", "--json"])
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout) == {"run": str(run.folder), "same": True, "reasons": [], "sites": []}
    assert {path.name: path.stat().st_mtime_ns for path in run.folder.iterdir()} == before


def with_manifest(run: bt.Run, **changes: object) -> bt.Run:
    return bt.Run(run.folder, {**run.manifest, **changes})


def test_another_seed_differs_without_a_reason(run: bt.Run) -> None:
    answer = rerun(with_manifest(run, sampling={**run.manifest["sampling"], "seed": 1}))
    assert not answer["same"]
    assert answer["reasons"] == []
    assert {row["site"] for row in answer["sites"]} == set(run.posterior.data_vars)
    assert all(0.5 < row["share"] <= 1.0 and 0.0 < row["shift"] < 6.0 for row in answer["sites"])
    text = rerun_text(answer)
    assert "without a reason that is known" in text
    assert "Monte Carlo standard errors" in text


def test_versions_device_extracts_are_given_as_reasons(run: bt.Run) -> None:
    file = Path(run.manifest["study"]["folder"]) / "bread.csv"
    before = file.read_text(encoding="utf-8")
    file.write_text(before.replace("S2,2024-01-01,", "S2,2024-01-01,3", 1), encoding="utf-8")
    old = {**run.manifest["versions"], "jax": "0.1"}
    try:
        answer = rerun(with_manifest(run, versions=old, device="an abacus"))
    finally:
        file.write_text(before, encoding="utf-8")
    assert [row["what"] for row in answer["reasons"]] == ["jax", "device", "bread.csv"]
    assert max(row["shift"] for row in answer["sites"]) > 10.0  # three hundred loaves more in a week
    text = rerun_text(answer)
    assert "before 0.1" in text
    assert "before an abacus" in text
    assert "bread.csv: has changed since the run" in text


def test_a_difference_without_a_reason_ends_with_exit_code_3(run: bt.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"site": "x", "share": 1.0, "shift": 0.3}
    for reasons, code in (([], EXIT_VERDICT), ([{"what": "jax", "before": "0.1", "now": "0.2"}], 0)):
        answer = {"run": "r", "same": False, "reasons": reasons, "sites": [row]}
        monkeypatch.setattr("bayestwin.credibility.rerun.rerun", lambda *_, answer=answer: answer)
        assert CliRunner().invoke(app, ["report", str(run.folder), "--rerun"]).exit_code == code


def test_a_study_that_has_moved_is_named(run: bt.Run) -> None:
    with pytest.raises(RunError, match="the run's study is not there"):
        rerun(with_manifest(run, study={**run.manifest["study"], "folder": "nowhere", "from_run": "nowhere"}))


def test_one_bit_is_a_difference_and_other_shapes_are_told() -> None:
    draws = np.random.default_rng(1).normal(size=(2, 100, 3))
    before = xr.Dataset(dict.fromkeys(("a", "b", "gone", "longer"), (("chain", "draw", "k"), draws)))
    moved = draws.copy()
    moved[1, 7, 2] = np.nextafter(moved[1, 7, 2], np.inf)
    rows = list(differing(before, {"a": draws, "b": moved, "longer": draws[..., :2], "new": draws}))
    assert [row["site"] for row in rows] == ["b", "gone", "longer", "new"]
    assert rows[0]["share"] == pytest.approx(1 / 600)
    assert 0.0 <= rows[0]["shift"] < 1e-12
    assert all(row["share"] is None and row["shift"] is None for row in rows[1:])
    assert "of another shape" in rerun_text({"same": False, "reasons": [], "sites": rows})


def test_shifts_of_equal_posteriors_are_standard_normal() -> None:
    one, other = np.random.default_rng(2).normal(size=(2, 4, 500, 400))
    found = shifts(one, other)
    assert (found < 1.96).mean() == pytest.approx(0.95, abs=0.04)
    assert shifts(np.ones((2, 100)), np.ones((2, 100))) == 0.0
    assert shifts(np.ones((2, 100)), np.zeros((2, 100))) == np.inf
    constant = xr.Dataset({"x": (("chain", "draw"), np.ones((2, 100)))})
    assert list(differing(constant, {"x": np.zeros((2, 100))})) == [{"site": "x", "share": 1.0, "shift": None}]
