import numpy as np
import pytest
import xarray as xr

from bayestwin.analyse.ridges import ridges_of
from bayestwin.twin.twin import Ridge

RATE = Ridge("rate or minutes", {"rate": 1, "minutes": 1}, {"rate": 1, "minutes": -1}, "only the product is seen")
RNG = np.random.default_rng(0)


def sites(product_sd: float, ratio_sd: float, extra: tuple[int, ...] = ()) -> xr.Dataset:
    """Draws of two sites whose log product and log ratio have these sds; the first may be a vector."""
    product, ratio = product_sd * RNG.standard_normal((2, 2000)), ratio_sd * RNG.standard_normal((2, 2000))
    rate, dims = np.exp((product + ratio) / 2), ("chain", "draw")
    if extra:
        rate, dims = rate[..., None] * np.exp([0.4, -0.4]), (*dims, "unit")
    return xr.Dataset({"rate": (dims, rate), "minutes": (("chain", "draw"), np.exp((product - ratio) / 2))})


@pytest.mark.parametrize("extra", [(), (2,)])
def test_a_ridge_is_found_where_only_the_product_is_seen(extra: tuple[int, ...]) -> None:
    held = ridges_of(sites(0.2, 1.0, extra), sites(1.0, 1.0, extra), [RATE])[0]
    assert held.found
    assert held.seen == pytest.approx(0.96, abs=0.01)
    assert held.unseen == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize(("product", "ratio"), [(0.2, 0.2), (1.0, 1.0), (1.0, 0.2)])
def test_no_ridge_where_both_are_seen_or_the_product_is_not(product: float, ratio: float) -> None:
    assert not ridges_of(sites(product, ratio), sites(1.0, 1.0), [RATE])[0].found


def test_sites_that_are_logarithms_are_taken_as_they_are() -> None:
    ridge = Ridge("x", RATE.seen, RATE.unseen, "x", logs=False)
    assert ridges_of(np.log(sites(0.2, 1.0)), np.log(sites(1.0, 1.0)), [ridge])[0].found


def test_a_ridge_of_a_site_that_is_not_there_is_left_out() -> None:
    assert ridges_of(sites(0.2, 1.0).drop_vars("minutes"), sites(1.0, 1.0), [RATE]) == ()
