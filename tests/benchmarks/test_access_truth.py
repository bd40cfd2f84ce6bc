"""The truth test's table and figure: means over clinics with their errors, and what a barrier that is lifted shows."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayestwin as bt
from bayestwin.cells import known_cells
from bayestwin.prepared import prepare
from bayestwin.preposterior.current import sites_of_model
from bayestwin.preposterior.lifting import barrier_names, lifted

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))  # a script's folder, as it is when the script runs

from access_truth import _lifted, draw, renewed, steadied, summary


def table(clinics: int) -> pd.DataFrame:
    """Clinics whose realised shares lie 0.1, 0.2, ... beyond what was predicted."""
    rows = [
        {
            "clinic": c,
            "lifted": "delay",
            "level": "provider",
            "name": name,
            "unit": u,
            "predicted": share,
            "realised": share + 0.1 * c,
            "r_hat": 1.0,
        }
        for c in range(1, clinics + 1)
        for name, share in (("visits", 0.3), ("tlx", 0.7))
        for u in ("a", "b")
    ]
    return pd.DataFrame(rows)


def test_shares_are_means_over_clinics_with_the_error_between_them(tmp_path: Path) -> None:
    (found,) = summary(table(3))
    assert (found["clinics"], found["predicted"], found["realised"]) == (3, pytest.approx(0.5), pytest.approx(0.7))
    assert found["apart"] == pytest.approx(0.2)
    assert found["error"] == pytest.approx(0.1 / 3**0.5)
    assert summary(table(1))[0]["error"] is None
    draw(table(3), tmp_path / "truth.svg")
    assert "delay lifted" in (tmp_path / "truth.svg").read_text(encoding="utf-8")


def test_predictions_are_renewed_where_there_are_new_ones_and_what_was_left_stays() -> None:
    old = table(2)
    new = old[old["clinic"] == 2].drop(columns=["realised", "r_hat"]).assign(predicted=0.9).sample(frac=1.0, random_state=1)
    found = renewed(old, new)
    assert (found.loc[found["clinic"] == 2, "predicted"] == 0.9).all()
    pd.testing.assert_frame_equal(found[found["clinic"] == 1], old[old["clinic"] == 1])
    pd.testing.assert_series_equal(found["realised"], old["realised"])


def test_what_is_left_is_laid_over_all_calibrations_that_know_as_much() -> None:
    """Of a variance of which a half is left: estimates with errors of a third, and two barriers that take nothing."""
    noise = np.exp(np.random.default_rng(1).normal(0.0, 0.35, (4, 2000)))
    noise /= noise.mean()
    share = {"nothing": 1.0, "as little": 1.0, "half": 0.5}
    rows = [
        pd.DataFrame({"clinic": range(2000), "lifted": name, "predicted": left, "realised": left * then / noise[0]})
        for (name, left), then in zip(share.items(), noise[1:], strict=True)
    ]
    old = pd.concat(rows, ignore_index=True).assign(name="visits", level="all", unit="all")
    before, after = (each.groupby("lifted")["realised"].mean() for each in (old, steadied(old)))
    assert before["half"] == pytest.approx(0.565, abs=0.02)
    assert after["half"] == pytest.approx(0.52, abs=0.015)
    assert after["nothing"] == pytest.approx(1.06, abs=0.03)
    taken = old[old["lifted"] == "half"]
    pd.testing.assert_frame_equal(steadied(taken), taken)


def test_what_a_lifted_barrier_shows_is_what_happened(tmp_path: Path) -> None:
    bt.simulate_study(tmp_path / "clinic", model="provider_workload", design=bt.Design(units=4, groups=2, weeks=5), seed=3)
    degraded, clean = (prepare(bt.read_study(path)) for path in (tmp_path / "clinic", tmp_path / "clinic" / "clean"))
    sites = sites_of_model(degraded.finer, degraded.twin.definition.reads)
    whole = _lifted(degraded.data, clean.data, sites, lifted(sites, barrier_names(sites)), np.random.default_rng(1))
    for name, stream in whole.streams.items():
        assert not stream.access.barriers
        told = known_cells(stream.ends)
        np.testing.assert_array_equal(stream.ends[told], clean.data.streams[name].ends[told], name)
        if name != "tlx":
            np.testing.assert_array_equal(told, known_cells(clean.data.streams[name].ends), name)


def test_weeks_without_an_answer_stay_without_and_others_answer_as_often(tmp_path: Path) -> None:
    bt.simulate_study(tmp_path / "clinic", model="provider_workload", design=bt.Design(units=6, groups=2, weeks=16), seed=4)
    degraded, clean = (prepare(bt.read_study(path)) for path in (tmp_path / "clinic", tmp_path / "clinic" / "clean"))
    sites, now = sites_of_model(degraded.finer), degraded.data.streams["tlx"]
    released, answered = now.access.present(now.grid), known_cells(now.ends)
    assert not answered[released].all()
    accesses = lifted(sites, ["site_selection"])
    then = known_cells(_lifted(degraded.data, clean.data, sites, accesses, np.random.default_rng(2)).streams["tlx"].ends)
    np.testing.assert_array_equal(then[released], answered[released])
    assert then[~released].mean() == pytest.approx(answered[released].mean(), abs=0.2)
