"""A small simulated triangle, and a shape that is quick to fit."""

from pathlib import Path

import numpy as np
import pytest

from bayestwin.nowcast import Settings, Shape, Triangle

SMALL = Shape(times=42, delays=8, knots=(0, 1, 2, 3, 5, 7), early=(0, 1), late=(4,), pace=14)
START = np.datetime64("2024-02-05")  # a Monday


def simulated(seed: int, rate: float = 60.0, days: int = 70, growth: float = 0.02, series: int = 1) -> Triangle:
    """Poisson counts: exponential growth, quiet weekends, fewer reports on Sundays, all of them seen."""
    rng = np.random.default_rng(seed)
    day, delay = np.arange(days), np.arange(SMALL.delays)
    expected = rate * np.exp(growth * (day - days / 2)) * np.where(day % 7 >= 5, 0.5, 1.0)
    logit = -1.0 + 0.1 * delay - 1.0 * ((day[:, None] + delay) % 7 == 6)
    hazard = 1.0 / (1.0 + np.exp(-logit))
    hazard[:, -1] = 1.0
    share = hazard * np.cumprod(np.concatenate([np.ones((days, 1)), 1.0 - hazard[:, :-1]], axis=1), axis=1)
    counts = rng.poisson(expected[:, None, None] * share[..., None], (days, SMALL.delays, series)).astype(float)
    names = tuple(f"unit {i}" for i in range(series))
    return Triangle(counts, np.ones(counts.shape, bool), START + np.arange(days).astype("timedelta64[D]"), names)


@pytest.fixture
def settings() -> Settings:
    return Settings(SMALL, last=10, within=(SMALL.delays,), draws=400)


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The benchmark's folder, from which its scripts can be imported as they import each other."""
    folder = Path(__file__).parents[2] / "benchmarks" / "nowcast"
    monkeypatch.syspath_prepend(str(folder))
    return folder
