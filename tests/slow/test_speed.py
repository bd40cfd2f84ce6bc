"""The speed benchmark compares like with like: three engines, one posterior. `nox -s slow`, some minutes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "speed.py"
PEERS = ["numpyro", "nutpie"]


@pytest.fixture(scope="module")
def small() -> dict[str, Any]:
    command = [sys.executable, str(BENCHMARK), "--size", "small", "--engines", "bayestwin", *PEERS, "--peer-draws", "2000", "--json"]
    (result,) = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return result


@pytest.mark.parametrize("peer", PEERS)
def test_means_and_sds_agree_within_monte_carlo_error(small: dict[str, Any], peer: str) -> None:
    found = small["agreement"][peer]
    assert found["mean_in_mcse_most"] < 4.0
    assert found["sd_in_mcse_most"] < 4.5


def test_each_row_says_what_it_cost_and_each_peer_has_its_ratio(small: dict[str, Any]) -> None:
    assert [row["engine"] for row in small["rows"]] == ["bayestwin", *PEERS]
    assert all(row["gradients"] > 0 and row["peak_mb"] > 0 and row["ess_per_second"] > 0 for row in small["rows"])
    efficiency = {row["engine"]: row["ess_per_second"] for row in small["rows"]}
    for peer in PEERS:
        assert small[f"ratio_{peer}"] == pytest.approx(efficiency["bayestwin"] / efficiency[peer], rel=0.01)
