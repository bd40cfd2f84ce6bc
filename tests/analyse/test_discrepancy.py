"""Parameters without a discrepancy, against the posterior of a model that has none."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayestwin.analyse.discrepancy import without
from bayestwin.report.tables import discrepancy

DRAWS = 20000


def linear_posterior(design: np.ndarray, y: np.ndarray, precision: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of coefficients with normal priors, unit noise."""
    covariance = np.linalg.inv(design.T @ design + np.diag(precision))
    return covariance @ design.T @ y, covariance


def test_it_is_the_posterior_of_the_model_without_it() -> None:
    rng = np.random.default_rng(3)
    design, y = rng.standard_normal((12, 5)), rng.standard_normal(12)  # two parameters, three coefficients
    mean, covariance = linear_posterior(design, y, np.array([0.2, 0.2, 1.0, 1.0, 1.0]))
    draws = rng.multivariate_normal(mean, covariance, DRAWS)
    found = without(draws[:, :2], draws[:, 2:])
    alone, spread = linear_posterior(design[:, :2], y, np.array([0.2, 0.2]))
    np.testing.assert_allclose(found.mean_without, alone, atol=5.0 * found.error.max())
    np.testing.assert_allclose(found.sd_without, np.sqrt(np.diag(spread)), rtol=0.03)


def test_its_error_is_the_spread_over_repeats() -> None:
    rng = np.random.default_rng(4)
    covariance = np.array([[1.0, 0.6, 0.3], [0.6, 1.0, 0.2], [0.3, 0.2, 1.0]])
    repeats = [without(d[:, :1], d[:, 1:]) for d in rng.multivariate_normal([0.0, 3.0, -2.0], covariance, (400, 300))]
    spread = np.std([float(found.mean_without[0]) for found in repeats])
    assert spread == pytest.approx(np.mean([float(found.error[0]) for found in repeats]), rel=0.15)


def sampled(**sites: np.ndarray) -> xr.Dataset:
    return xr.Dataset({name: (("chain", "draw", *(["place"] if v.ndim == 3 else [])), v) for name, v in sites.items()})


def test_the_table_leaves_the_discrepancy_itself_out() -> None:
    rng = np.random.default_rng(5)
    slow = 2.0 + rng.standard_normal((2, 4000, 3))
    posterior = sampled(
        level=-slow[..., 0] + 0.1 * rng.standard_normal((2, 4000)),
        other=rng.standard_normal((2, 4000)),
        slow=slow,
        sd_slow=slow[..., 1] ** 2,
    )
    table = discrepancy(posterior, ("slow", "sd_slow"))
    assert table["parameter"].tolist() == ["level", "other"]
    assert table.loc[0, "mean_without"] == pytest.approx(0.0, abs=0.02)
    assert table.loc[0, "moved"] == pytest.approx(2.0, abs=0.1)


def test_a_model_without_one_has_no_table() -> None:
    posterior = sampled(level=np.zeros((2, 10)))
    for sites in ((), ("slow", "sd_slow")):
        pd.testing.assert_index_equal(discrepancy(posterior, sites).index, pd.RangeIndex(0))
