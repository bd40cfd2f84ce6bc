"""Tipping points: inside the stated range they ask for a person, outside they do not."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayestwin.credibility.tipping import tipping_points


@dataclass
class Told:
    """A run that says no more than what is asked of it."""

    manifest: dict[str, Any]
    groups: dict[str, xr.Dataset]
    posterior: xr.Dataset
    sensitivity: pd.DataFrame

    def group(self, name: str) -> xr.Dataset:
        return self.groups[name]


def told(change: float) -> Told:
    """Totals of mean 100 and sd 5 (half an interval is 9.8 %), which one end of a selection's range changes."""
    total = 100.0 + 5.0 * np.random.default_rng(1).standard_normal((4, 5000))
    drawn = xr.Dataset({"hours": (("chain", "draw", "period", "site"), np.stack([total / 4] * 4, -1).reshape(4, 5000, 2, 2))})
    answers = {"unit": "site", "whole": "all", "shown": (), "names": "site_name", "categorical": ()}
    quantity = {"name": "hours", "unit": "h", "words": "hours", "headline": True}
    table = pd.DataFrame(
        [
            ("slope", -1.0, "hours", 100.0, -0.5 * change, 0.0),
            ("slope", 1.0, "hours", 100.0, change, 0.0),
            ("slope", 1.0, "other", 1.0, 9.0, 0.0),
        ],
        columns=["parameter", "value", "quantity", "total", "change", "error"],
    )
    posterior = xr.Dataset({"slope": (("chain", "draw"), np.zeros((4, 5000)))})
    return Told({"answers": answers | {"quantities": [quantity]}}, {"predictions": drawn}, posterior, table)


def test_a_selection_that_could_not_change_the_answer_passes() -> None:
    (check,) = tipping_points(told(0.049))
    assert check.status == "PASS"
    assert check.value == pytest.approx(0.5, rel=0.03)


def test_one_that_could_says_how_strong_it_would_have_to_be() -> None:
    (check,) = tipping_points(told(0.196))
    assert check.status == "REVIEW"
    assert check.value == pytest.approx(2.0, rel=0.03)
    assert "at +0.5" in check.reason or "at +0.49" in check.reason
    assert check.recommendation


def test_a_total_that_only_chance_moves_does_not_hide_one_that_tips() -> None:
    run = told(0.196)
    run.groups["predictions"] = run.groups["predictions"].assign(noise=lambda drawn: drawn["hours"])
    run.manifest["answers"]["quantities"].append({"name": "noise", "unit": "h", "words": "noise", "headline": True})
    run.sensitivity.loc[len(run.sensitivity)] = ("slope", 1.0, "noise", 100.0, 5.0, 4.0)
    (check,) = tipping_points(run)
    assert check.status == "REVIEW"
    assert "hours" in check.reason
