"""What lifting is foretold to leave is what refits of a small clinic find that it leaves. `nox -s slow`, some minutes."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))  # a script's folder, as it is when the script runs

from access_brute_force import ALL, ratio, run, summary

from bayestwin.infer.device import prepare_device

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    prepare_device()
    return run(60, 2)


def test_shares_that_are_left_agree_with_refits(found: dict[str, Any]) -> None:
    rows = summary(found["rows"])
    assert [row["lifted"] for row in rows] == ["coverage", "suppress", "round", "site_absence", "withheld", ALL]
    for row in rows:
        assert row["foretold"] == pytest.approx(row["refitted"], abs=0.05), row
    foretold, refitted = (np.array([row[name] for row in found["rows"]]) for name in ("foretold", "refitted"))
    assert np.corrcoef(foretold, refitted)[0, 1] > 0.95


def test_units_that_nobody_has_seen_are_foretold_to_be_known_once_they_are(found: dict[str, Any]) -> None:
    absent = [
        row for row in found["rows"] if row["lifted"] == "site_absence" and row["parameter"] in {f"visits_provider[{i}]" for i in (6, 7, 8)}
    ]
    assert len(absent) == 3
    for row in absent:
        assert row["foretold"] == pytest.approx(row["refitted"], abs=0.05), row
        assert row["refitted"] < 0.2


def test_every_refit_counts(found: dict[str, Any]) -> None:
    assert found["failed"] < 0.02
    assert ratio(np.array([1.0, 2.0]), np.array([2.0, 4.0])) == (0.5, 0.0)
