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
    assert float(spread(value, noise**-2.0, GROUPS, 0.1)) == pytest.approx(sd, rel=0.15)


def test_silent_members_do_not_count() -> None:
    rng = np.random.default_rng(2)
    value, information = 0.3 * rng.standard_normal((600, 2)), np.full((600, 2), 1e4)
    value[::2], information[::2] = 99.0, 0.0
    np.testing.assert_allclose(spread(value, information, GROUPS, 0.3), 0.3, rtol=0.15)


def test_members_that_are_hardly_seen_do_not_count() -> None:
    rng = np.random.default_rng(2)
    value, information = 0.3 * rng.standard_normal(600), np.full(600, 1e4)
    value[::2], information[::2] = -50.0, 1e-9
    np.testing.assert_allclose(spread(value, information, GROUPS, 0.3), 0.3, rtol=0.15)


def test_the_usual_spread_where_groups_have_one_member_and_none_below_half_the_noise() -> None:
    alone = np.zeros(600)
    alone[::30] = 1e4
    assert float(spread(np.ones(600), alone, GROUPS, 0.3)) == pytest.approx(0.3)
    assert float(spread(np.ones(600), np.full(600, 100.0), GROUPS, 0.05)) == pytest.approx(0.05)


def test_few_members_that_happen_to_be_alike_leave_more_of_the_usual_spread_than_many() -> None:
    few, many = (float(spread(np.ones(n), np.full(n, 1e6), np.zeros(n, int), 0.3)) for n in (4, 100))
    assert few == pytest.approx(0.15, rel=1e-3)  # three free differences of zero beside one of the usual size
    assert many == pytest.approx(0.03, rel=1e-3)
