"""Where spreads start from: moments of what is seen, group by group."""

import numpy as np
import pytest

from bayestwin.components.hierarchy import spread

GROUPS = np.repeat(np.arange(20), 30)


@pytest.mark.parametrize("sd", [0.05, 0.4])
def test_spread_is_found_beside_noise_and_differences_between_groups(sd: float) -> None:
    rng = np.random.default_rng(1)
    noise = rng.uniform(0.02, 0.1, 600)
    value = 3.0 * GROUPS + sd * rng.standard_normal(600) + noise * rng.standard_normal(600)
    assert float(spread(value, noise**-2.0, GROUPS)) == pytest.approx(sd, rel=0.15)


def test_silent_members_do_not_count() -> None:
    rng = np.random.default_rng(2)
    value, information = 0.3 * rng.standard_normal((600, 2)), np.full((600, 2), 1e4)
    value[::2], information[::2] = 99.0, 0.0
    np.testing.assert_allclose(spread(value, information, GROUPS), 0.3, rtol=0.15)


def test_members_that_are_hardly_seen_do_not_count() -> None:
    rng = np.random.default_rng(2)
    value, information = 0.3 * rng.standard_normal(600), np.full(600, 1e4)
    value[::2], information[::2] = -50.0, 1e-9
    np.testing.assert_allclose(spread(value, information, GROUPS), 0.3, rtol=0.15)


def test_no_spread_is_seen_where_groups_have_one_member_and_none_below_half_the_noise() -> None:
    alone = np.zeros(600)
    alone[::30] = 1e4
    assert np.isnan(spread(np.ones(600), alone, GROUPS))
    assert float(spread(np.ones(600), np.full(600, 100.0), GROUPS)) == pytest.approx(0.05)
