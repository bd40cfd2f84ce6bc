"""The chain ladder against a triangle worked out by hand."""

import numpy as np
import pytest

from bayestwin.nowcast.chain_ladder import completed, ladder

COUNTS = np.array([[40.0, 20.0, 10.0], [60.0, 30.0, 0.0], [50.0, 0.0, 0.0]])[..., None]
SEEN = np.array([[True, True, True], [True, True, False], [True, False, False]])[..., None]


def test_development_factors_fill_the_triangle() -> None:
    filled = completed(COUNTS, SEEN)[..., 0]
    # Second reports are half of the first, (20 + 30) / (40 + 60); third ones a sixth of both, 10 / 60.
    np.testing.assert_allclose(filled, [[40.0, 20.0, 10.0], [60.0, 30.0, 15.0], [50.0, 25.0, 12.5]])
    coming, dispersion = ladder(COUNTS, SEEN)
    np.testing.assert_allclose(coming[:, 0], [0.0, 15.0, 37.5])
    assert dispersion.tolist() == [1.0]  # the rows are in proportion to one another


def test_counts_that_are_overdispersed_are_found_so() -> None:
    rng = np.random.default_rng(1)
    size = (2000, 4, 3)
    mean = 50.0 * np.array([0.5, 0.25, 0.15, 0.1])[:, None]
    for factor in (1.0, 3.0):
        counts = rng.poisson(mean, size) if factor == 1.0 else rng.poisson(rng.gamma(mean / (factor - 1.0), factor - 1.0, size))
        assert ladder(counts.astype(float), np.ones(size, bool))[1] == pytest.approx(np.full(3, factor), rel=0.1)


def test_a_row_whose_first_reports_are_not_known_is_not_developed_and_widens_nothing() -> None:
    rng = np.random.default_rng(2)
    counts = rng.poisson(np.array([30.0, 15.0, 5.0]), (30, 3)).astype(float)[..., None]
    seen = np.ones(counts.shape, bool)
    before = ladder(counts, seen)[1]
    seen[4, 0] = False
    coming, dispersion = ladder(counts, seen)
    assert abs(dispersion - before) < 0.2
    assert coming[4] == 0.0
