"""Ranks are uniform where truth and draws are alike, ties or not, and the p-value finds a shift and a wrong spread."""

import numpy as np
import pytest

from bayestwin.analyse.ranks import p_uniform, rank


@pytest.mark.parametrize("rounded", [False, True])
def test_ranks_of_like_among_like_are_uniform(rounded: bool) -> None:
    rng = np.random.default_rng(5)
    centre = rng.normal(size=(2000, 1))
    draws, truth = centre + rng.normal(size=(2000, 300)), (centre + rng.normal(size=(2000, 1)))[:, 0]
    if rounded:
        draws, truth = draws.round(0), truth.round(0)
    u = rank(draws, truth, rng)
    assert ((u > 0.0) & (u < 1.0)).all()
    assert p_uniform(u) > 1e-4


@pytest.mark.parametrize("wrong", [lambda u: u**1.3, lambda u: 0.5 + 0.8 * (u - 0.5), lambda u: np.where(u < 0.5, 0.9 * u, u)])
def test_what_is_not_uniform_is_found(wrong) -> None:
    assert p_uniform(wrong(np.random.default_rng(6).random(3000))) < 1e-6


@pytest.mark.parametrize("count", [5, 20])
def test_few_uniform_values_are_seldom_taken_for_others(count: int) -> None:
    """A check multiplies the least p by tens of quantities: its tail must not be too heavy, as that of a chi-square over many nearly empty bins is."""
    rng = np.random.default_rng(7)
    p = np.array([p_uniform(rng.random(count)) for _ in range(3000)])
    for level in (0.05, 0.01, 0.001):
        assert (p < level).mean() < level + 4.0 * np.sqrt(level / len(p))
