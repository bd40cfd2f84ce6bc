"""Groups of cells: what is wrong on one weekday, in one place, in the tails or about a barrier is found there and nowhere else."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayestwin.credibility.check import worst_of
from bayestwin.credibility.fit_by import PLACE, TOLD, WEEKDAY, WHOLE, checks_of_fit, fit_by_group

DAYS = pd.date_range("2024-01-01", periods=140)
UNITS = np.array(["U1", "U2", "U3", "U4"])
MEAN, THRESHOLD = 12.0, 8


class Told:
    """A run of daily counts of four units in two towns, small numbers hidden."""

    def __init__(self, mean: np.ndarray | float = MEAN, drawn: np.ndarray | None = None, threshold: int = THRESHOLD) -> None:
        rng = np.random.default_rng(7)
        shape = (len(DAYS), len(UNITS))
        observed = _published(rng.poisson(mean, shape) if drawn is None else drawn, THRESHOLD)
        replicated = _published(rng.poisson(MEAN, (2, 50, *shape)), threshold)
        coords = {"day": DAYS, "unit": UNITS}
        dims = ("day", "unit", "end")
        groups = {
            "observed_data": xr.Dataset({"calls": (dims, observed)}, coords),
            "posterior_predictive": xr.Dataset({"calls": (("chain", "draw", *dims), replicated)}, coords),
            "constant_data": xr.Dataset({"unit_name": ("unit", UNITS), "unit_town": ("unit", np.array(["A", "A", "B", "B"]))}, coords),
        }
        self.tree = xr.DataTree.from_dict(groups)
        answers = {"unit": "unit", "whole": "all", "shown": [], "names": "unit_name", "categorical": [], "quantities": []}
        self.manifest = {"answers": answers}


def _published(counts: np.ndarray, threshold: int) -> np.ndarray:
    low, high = (np.where((counts > 0) & (counts < threshold), end, counts) for end in (1, threshold - 1))
    return np.stack([low, high], -1).astype(float)


def found(run: Told) -> dict[str, str]:
    return {check.name: check.status for check in checks_of_fit(fit_by_group(run))}


def test_a_true_model_passes_in_every_group() -> None:
    rows = fit_by_group(Told())
    assert {(row["by"], row["group"]) for row in rows} == (
        {(WHOLE, "calls"), (TOLD, "as a number"), (PLACE, "A"), (PLACE, "B")} | {(WEEKDAY, day) for day in DAYS[:7].day_name()}
    )
    assert sum(row["cells"] for row in rows if row["by"] == WEEKDAY) == 560
    assert worst_of(check.status for check in checks_of_fit(rows)) == "PASS"


@pytest.mark.parametrize(("factor", "status"), [(1.15, "REVIEW"), (1.5, "FAIL")])
def test_a_weekday_that_the_model_lacks_is_found(factor: float, status: str) -> None:
    busy = np.where(DAYS.day_of_week == 0, factor, 1.0)[:, None]
    run = Told(MEAN * busy)
    assert found(run)["fit by weekday"] == status
    assert found(run)["fit by place"] == {"REVIEW": "PASS", "FAIL": "REVIEW"}[status]  # a seventh of each place's days
    check = next(check for check in checks_of_fit(fit_by_group(run)) if check.name == "fit by weekday")
    assert "1 of 7 groups lie apart; farthest calls Monday" in check.reason


def test_a_place_that_the_model_lacks_is_found() -> None:
    run = Told(MEAN * np.array([1.0, 1.0, 1.3, 1.3]))
    assert found(run)["fit by place"] != "PASS"
    assert found(run)["fit by weekday"] == "REVIEW"  # every day has more than the model expects, half of it
    assert {row["group"]: row["score"] > 0.5 for row in fit_by_group(run) if row["by"] == PLACE} == {"A": False, "B": True}


def test_tails_that_are_too_heavy_are_found_though_the_middle_is_right() -> None:
    rng = np.random.default_rng(3)
    drawn = rng.poisson(MEAN * rng.gamma(3.0, 1 / 3.0, (len(DAYS), len(UNITS))))
    assert found(Told(drawn=drawn))["fit of tails"] == "FAIL"


def test_a_threshold_that_is_another_than_stated_is_found() -> None:
    run = Told(threshold=11)
    (row,) = [row for row in fit_by_group(run) if row["by"] == TOLD]
    assert row["share"] > row["expected"] + 0.1
    assert found(run)["fit of what barriers hide"] == "FAIL"


def test_a_stream_without_barriers_is_not_held_against_them() -> None:
    rng = np.random.default_rng(5)
    run = Told(drawn=rng.poisson(MEAN, (len(DAYS), len(UNITS))), threshold=0)
    pair = run.tree["observed_data"].to_dataset()
    pair["calls"] = pair["calls"].copy(data=np.repeat(pair["calls"].to_numpy()[..., 1:], 2, axis=-1))
    run.tree["observed_data"] = xr.DataTree(pair)
    assert "fit of what barriers hide" not in found(run)


def test_cells_of_which_nothing_is_known_are_in_no_group() -> None:
    run = Told()
    silent = run.tree["observed_data"].to_dataset()
    silent["calls"][:, 0] = [-np.inf, np.inf]
    run.tree["observed_data"] = xr.DataTree(silent)
    rows = fit_by_group(run)
    assert {row["group"]: row["cells"] for row in rows if row["by"] == PLACE} == {"A": 140, "B": 280}
    assert next(row["cells"] for row in rows if row["by"] == TOLD) == 420


def test_a_dim_of_weekdays_is_no_place() -> None:
    run = Told()
    names = {"unit": ("unit", np.array(["Monday", "Tuesday", "Saturday", "Sunday"]))}
    run.tree = xr.DataTree.from_dict(
        {name: group.to_dataset().drop_vars("day", errors="ignore").assign_coords(names) for name, group in run.tree.items()}
    )
    assert {(row["by"], row["group"]) for row in fit_by_group(run) if row["by"] in (PLACE, WEEKDAY)} == {
        (WEEKDAY, day) for day in ("Monday", "Tuesday", "Saturday", "Sunday")
    }
