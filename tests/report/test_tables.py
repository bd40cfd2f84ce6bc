from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayestwin.report import tables
from bayestwin.twin.answered import Answered
from bayestwin.twin.twin import Quantity

DIMS = ("chain", "draw")


def test_contraction_is_that_of_the_closed_form() -> None:
    rng = np.random.default_rng(0)
    prior = xr.Dataset({"a": (DIMS, 2.0 * rng.standard_normal((1, 4000))), "long": ((*DIMS, "area"), rng.standard_normal((1, 4000, 9)))})
    posterior = xr.Dataset(
        {"a": (DIMS, rng.standard_normal((4, 4000))), "b": (DIMS, np.ones((4, 4000))), "long": ((*DIMS, "area"), np.ones((4, 4000, 9)))}
    )
    posterior.attrs["deterministic"] = ["b"]
    found = tables.contraction(posterior, prior)
    assert found["parameter"].tolist() == ["a"]
    assert found["contraction"].item() == pytest.approx(0.75, abs=0.02)


def test_elements_of_a_small_matrix_keep_their_labels() -> None:
    rng = np.random.default_rng(0)
    sd = np.array([[1.0, 0.5], [0.1, 1.0]])
    prior, posterior = (
        xr.Dataset({"m": ((*DIMS, "vendor", "metric"), scale * rng.standard_normal((2, 3000, 2, 2)))}, coords={"vendor": ["x", "y"]})
        for scale in (np.ones((2, 2)), sd)
    )
    found = tables.contraction(posterior, prior).set_index("parameter")["contraction"]
    assert found.index.tolist() == ["m[x, 0]", "m[x, 1]", "m[y, 0]", "m[y, 1]"]
    np.testing.assert_allclose(found, (1.0 - sd**2).ravel(), atol=0.08)


def test_elements_by_week_are_labelled_by_the_day() -> None:
    weeks = np.array(["2022-04-04", "2022-04-11"], "datetime64[ns]")
    prior, posterior = (
        xr.Dataset({"noise": ((*DIMS, "week"), np.random.default_rng(seed).standard_normal((1, 50, 2)))}, coords={"week": weeks})
        for seed in (0, 1)
    )
    assert tables.contraction(posterior, prior)["parameter"].tolist() == ["noise[2022-04-04]", "noise[2022-04-11]"]


def test_variance_shares_are_epistemic_over_total_by_week_ahead() -> None:
    forecast = pd.DataFrame(
        {
            "quantity": "appointments",
            "unit": ["x", "y", "x", "y"],
            "period_start": pd.to_datetime(["2024-01-01"] * 2 + ["2024-01-08"] * 2),
            "var_epistemic": [1.0, 3.0, 2.0, 2.0],
            "var_aleatoric": [3.0, 1.0, 2.0, 2.0],
        }
    )
    found = tables.variance_shares(forecast, ["appointments"])
    assert found["week"].tolist() == [1, 2]
    np.testing.assert_allclose(found["epistemic"], [0.5, 0.5])


def test_units_are_ranked_per_1000_people_where_the_first_headline_quantity_is_rated() -> None:
    quantities = (Quantity("other", "h", "other"), Quantity("hours", "h", "hours", headline=True, rated=True))
    known = Answered("site", "all", (), "site_name", (), quantities)
    forecast = pd.DataFrame(
        {
            "quantity": ["hours", "hours_per_1000"] * 2,
            "unit": ["a", "a", "b", "b"],
            "period_start": pd.Timestamp("2024-01-01"),
            "mean": [9.0, 1.0, 2.0, 4.0],
            "q0.025": 0.0,
            "q0.975": 9.0,
        }
    )
    found = tables.highest(forecast, known, pd.Series({"a": "Site A"}))
    assert found["unit"].tolist() == ["b", "a"]
    assert found["name"].tolist() == ["", "Site A"]
    plain = replace(known, quantities=(replace(quantities[1], rated=False),))
    assert tables.highest(forecast, plain, pd.Series(dtype=str))["unit"].tolist() == ["a", "b"]
