import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayestwin.report import tables

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
    found = tables.variance_shares(forecast)
    assert found["week"].tolist() == [1, 2]
    np.testing.assert_allclose(found["epistemic"], [0.5, 0.5])


def test_selections_show_both_ends_and_leave_out_what_does_not_move() -> None:
    table = pd.DataFrame(
        [("slope", 0.5, "hours", 110.0, 0.1), ("slope", -0.5, "hours", 95.0, -0.05), ("slope", 0.5, "visits", 7.0, 0.0)],
        columns=["parameter", "value", "quantity", "total", "change"],
    )
    found = tables.selections(table).to_dict("records")
    assert found == [{"parameter": "slope", "quantity": "hours", "low_value": -0.5, "high_value": 0.5, "low": -0.05, "high": 0.1}]


def test_randomised_pit_is_uniform_where_the_model_is_true() -> None:
    rng = np.random.default_rng(1)
    observed, replicated = rng.poisson(3.0, 4000), rng.poisson(3.0, (500, 4000))
    values = tables.randomised_pit(observed, replicated, np.ones(4000, bool))
    counts = np.histogram(values, bins=10, range=(0, 1))[0]
    assert ((counts - 400) ** 2 / 400).sum() < 27.9  # chi-squared with 9 degrees of freedom, p = 0.001


def test_coverage_by_category_counts_seen_cells_only() -> None:
    observed = np.zeros((2, 1, 3), int)
    observed[1] = 99
    tree = xr.DataTree.from_dict(
        {
            "observed_data": xr.Dataset({"s": (("week", "area", "band"), observed)}, coords={"band": ["a", "b", "c"]}),
            "posterior_predictive": xr.Dataset({"s": ((*DIMS, "week", "area", "band"), np.zeros((2, 5, 2, 1, 3), int))}),
            "constant_data": xr.Dataset({"s_seen": (("week", "area"), np.array([[True], [False]]))}),
        }
    )
    found = tables.category_coverage(tree, "s", "band")
    assert found["cells"] == 1
    np.testing.assert_array_equal(found["inside"], 1.0)
