"""The speed benchmark: its problem, and how it compares draws."""

import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))  # a script's folder, as it is when the script runs

from speed import agreement
from speed_engine import PARAMETERS
from speed_problem import MISSING, SIZES, draw


def test_a_problem_is_drawn_by_its_seed_and_a_quarter_of_its_clinics_is_silent() -> None:
    size = SIZES["reference"]
    first, again, other = draw(size, 1), draw(size, 1), draw(size, 2)
    np.testing.assert_array_equal(first.counts, again.counts)
    assert (first.counts != other.counts).any()
    assert first.counts.shape == (52, 96, 4)
    heard = first.seen.any((0, 2))
    assert set(first.clinic_of[~heard]) == {0, 1, 2}
    assert first.seen[:, heard].mean() == pytest.approx(1.0 - MISSING, abs=0.02)
    assert (first.counts[~first.seen] == 0).all()


def drawn(seed: int, shift: float = 0.0, scale: float = 1.0) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    return xr.Dataset({name: (("chain", "draw"), shift + scale * rng.standard_normal((4, 500))) for name in PARAMETERS})


def test_draws_of_one_law_agree_within_monte_carlo_error() -> None:
    found = agreement(drawn(1), drawn(2))
    assert found["mean_in_mcse_most"] < 4.0
    assert found["sd_in_mcse_most"] < 4.0


def test_draws_of_another_mean_or_spread_do_not() -> None:
    assert agreement(drawn(1), drawn(2, shift=0.3))["mean_in_mcse_99"] > 6.0
    wider = agreement(drawn(1), drawn(2, scale=1.3))
    assert wider["sd_in_mcse_99"] > 6.0
    assert wider["sd_share_most"] == pytest.approx(1.0 - 1.0 / 1.3, abs=0.06)
