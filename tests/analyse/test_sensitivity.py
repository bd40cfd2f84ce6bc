"""A selection that the data inform a little: what one value of it says of an answer is in the joint posterior."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr

from bayestwin.analyse.forecast import OUTER, Averages, at_kept_draws
from bayestwin.analyse.sensitivity import COLUMNS, conditioned, together

WEEKS, UNITS, SLOPE, NOISE = 4, 3, 6.0, 2.0
DEFINITION: Any = SimpleNamespace(
    whole="all", quantities=[SimpleNamespace(name="minutes", mean=False), SimpleNamespace(name="tlx", mean=True)]
)
SPAN = SimpleNamespace(weeks=np.arange(WEEKS))


def posterior() -> xr.Dataset:
    return xr.Dataset({"slope": (("chain", "draw"), 0.2 + 0.5 * np.random.default_rng(4).standard_normal((2, 300)))})


def ahead(draws: xr.Dataset) -> Averages:
    """Weekly averages of the whole, (outer, inner, 1), that follow the slope."""
    slope = at_kept_draws(draws["slope"])
    noise = NOISE * np.random.default_rng(5).standard_normal((2, len(slope)))
    followed = {("all", name): (100.0 + SLOPE * slope + own)[:, None, None] for name, own in zip(("minutes", "tlx"), noise, strict=True)}
    return Averages({"all": np.array(["all"])}, followed)


def test_a_linear_answer_is_found_within_its_error() -> None:
    draws = posterior()
    found = conditioned(DEFINITION, ahead(draws), draws, SPAN, {"slope": (-1.0, 1.0)}).set_index(["quantity", "value"])
    for quantity, weeks in (("minutes", WEEKS), ("tlx", 1)):
        for value in (-1.0, 1.0):
            row = found.loc[quantity, value]
            true = weeks * (100.0 + SLOPE * value)
            assert abs(row["total"] - true) < 4.0 * row["error"] * true
    assert found["error"].max() == pytest.approx(NOISE / np.sqrt(OUTER) / 0.5 * 1.2 / 101.2, rel=0.15)


def test_held_at_its_own_mean_nothing_changes() -> None:
    draws = posterior()
    mean = float(at_kept_draws(draws["slope"]).mean())
    found = conditioned(DEFINITION, ahead(draws), draws, SPAN, {"slope": (mean, mean)})
    np.testing.assert_allclose(found["change"], 0.0, atol=1e-12)
    np.testing.assert_allclose(found["error"], 0.0, atol=1e-12)


def test_without_selections_the_table_is_empty_and_has_its_columns() -> None:
    draws = posterior()
    assert list(together([conditioned(DEFINITION, ahead(draws), draws, SPAN, {})]).columns) == COLUMNS
