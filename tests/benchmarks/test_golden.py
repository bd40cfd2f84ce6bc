"""Golden runs: what chance could have made is as before, what it could not have made has changed."""

import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

sys.path.append(str(Path(__file__).parents[2] / "benchmarks" / "golden"))  # a script's folder, as it is when the script runs

from golden import STUDIES, calibrated, changed, compare, summary, written


class Told:
    """A run that says no more than what is asked of it."""

    def __init__(self, seed: int, shift: float = 0.0, stretch: float = 1.0) -> None:
        rng = np.random.default_rng(seed)
        sample = ("chain", "draw")
        coords = {"chain": np.arange(4), "draw": np.arange(1000)}
        self.posterior = xr.Dataset(
            {
                "level": (sample, shift + stretch * rng.standard_normal((4, 1000))),
                "effect": ((*sample, "site"), rng.standard_normal((4, 1000, 5))),
            },
            coords=coords,
        )
        ahead = xr.Dataset(
            {"hours": ((*sample, "period", "site"), rng.normal(10.0, 1.0, (4, 100, 2, 5)))}, {"draw": np.arange(0, 1000, 10)}
        )
        self.tree = xr.DataTree.from_dict({"posterior": self.posterior, "predictions": ahead})
        quantity = {"name": "hours", "unit": "h", "words": "hours", "headline": True}
        answers = {"unit": "site", "whole": "all", "shown": (), "names": "site_name", "categorical": (), "quantities": [quantity]}
        self.manifest = {"answers": answers}


def test_a_summary_has_means_sds_and_their_errors() -> None:
    found = summary(Told(1, shift=3.0))
    assert set(found) == {"level", "effect", "forecast of hours"}
    assert found["level"]["mean"] == pytest.approx(3.0, abs=0.1)
    assert found["level"]["mean_error"] == pytest.approx(1.0 / np.sqrt(4000), rel=0.3)
    assert found["effect"]["sd"] == pytest.approx(1.0 / np.sqrt(5), rel=0.1)


@pytest.mark.parametrize(
    ("other", "rows"),
    [({}, []), ({"shift": 0.15}, [("level", "mean")]), ({"stretch": 1.2}, [("level", "sd")])],
)
def test_what_chance_could_not_have_made_has_changed(other: dict, rows: list) -> None:
    found = changed(summary(Told(1)), summary(Told(2, **other)))
    assert [(row["quantity"], row["part"]) for row in found] == rows


def test_a_quantity_that_has_gone_and_another_verdict_are_changes() -> None:
    now = summary(Told(1))
    before = {"verdict": "PASS", "quantities": now | {"gone": now["level"]}}
    found = compare(before, {"verdict": "FAIL", "quantities": now})
    assert [row["quantity"] for row in found] == ["verdict", "gone"]


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES)
def test_a_bundled_study_gives_what_it_gave(study: str) -> None:
    assert compare(written(study), calibrated(study)) == []
