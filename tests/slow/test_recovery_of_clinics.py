"""Sixteen simulated clinics under full and degraded access, and a naive analysis beside: `nox -s slow`, an hour or so on two cores.

Fits of fifty are kept beside the benchmark, which prints their table.
"""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from scipy import stats

pytestmark = pytest.mark.slow
BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "clinic_recovery"
CLINICS = 16
# Errors that a share may lie from its nominal value: three of a normal law, more as few clinics tell the error itself.
ERRORS = float(stats.t.ppf(stats.norm.cdf(3.0), CLINICS - 1))


@pytest.fixture(scope="module")
def recovered(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    fits = tmp_path_factory.mktemp("recovery") / "fits.jsonl"
    command = [sys.executable, str(BENCHMARK), "--clinics", str(CLINICS), "--out", str(fits), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return pd.DataFrame(json.loads(done.stdout)).query("name == 'all'").set_index(["arm", "kind"])


@pytest.mark.parametrize("arm", ["full", "degraded"])
@pytest.mark.parametrize("kind", ["parameter", "forecast"])
def test_intervals_hold_the_truth_as_often_as_they_say(recovered: pd.DataFrame, arm: str, kind: str) -> None:
    found = recovered.loc[arm, kind]
    assert found["clinics"] == CLINICS
    for share, nominal in (("inside_50", 0.5), ("inside_90", 0.9), ("below", 0.5)):
        assert abs(found[share] - nominal) < ERRORS * found[f"{share}_se"], (share, found.to_dict())


def test_degraded_access_widens(recovered: pd.DataFrame) -> None:
    assert (recovered.loc["degraded"]["width_ratio"] > 1.0).all()


def test_the_naive_analysis_is_sure_of_what_is_not_so(recovered: pd.DataFrame) -> None:
    for kind in ("parameter", "forecast"):
        naive = recovered.loc["naive", kind]
        assert naive["inside_90"] < 0.9 - ERRORS * naive["inside_90_se"], naive.to_dict()
