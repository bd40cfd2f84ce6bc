"""Simulation-based calibration of the fast path: two hundred small posteriors by one program. `nox -s slow`, some minutes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "batched.py"


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    command = [sys.executable, str(BENCHMARK), "--fits", "200", "--json"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_ranks_of_the_truth_are_uniform(found: dict[str, Any]) -> None:
    assert len(found["p"]) == 185
    assert "log_likelihood" in found["p"]
    assert found["p_least"] > 1e-3


def test_nearly_every_fit_passes_its_gate(found: dict[str, Any]) -> None:
    assert found["pass"] > 0.85
    assert found["quantiles_0_5_50_95_100"]["rhat_max"][2] < 1.01
