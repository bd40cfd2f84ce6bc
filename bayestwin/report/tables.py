"""Tables and figures in words that the report shows, computed from a run's groups."""

from __future__ import annotations

from collections.abc import Collection
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayestwin.analyse.discrepancy import flat, without
from bayestwin.twin.answered import PER_1000, Answered

KEEPS_PRIOR = 0.2
SHORT = 5  # elements of a vector that are shown one by one


def contraction(posterior: xr.Dataset, prior: xr.Dataset) -> pd.DataFrame:
    """Contraction 1 - Var(posterior) / Var(prior) of every scalar that has a prior of its own.

    Args:
        posterior: posterior draws; deterministic sites named in `attrs` are left out.
        prior: prior draws of the same sites.

    Returns:
        parameter, prior_mean, prior_sd, mean, sd, contraction; a row a parameter or element of a short vector.
    """
    rows = []
    for name, labels in _short(posterior).items():
        flat = [values[name].to_numpy().reshape(-1, len(labels)) for values in (posterior, prior)]
        for i, label in enumerate(labels):
            new, old = flat[0][:, i], flat[1][:, i]
            rows.append((f"{name}{label}", old.mean(), old.std(), new.mean(), new.std(), 1.0 - new.var() / old.var()))
    return pd.DataFrame(rows, columns=["parameter", "prior_mean", "prior_sd", "mean", "sd", "contraction"])


def discrepancy(posterior: xr.Dataset, sites: Collection[str]) -> pd.DataFrame:
    """Parameters with the model's discrepancy and without, those first that it moves most.

    Args:
        posterior: posterior draws; deterministic sites named in `attrs` are left out.
        sites: of the discrepancy, its coefficients first; no rows if there are none.

    Returns:
        parameter, mean, sd, mean_without, sd_without, error (of `mean_without`), moved (in sds).
    """
    columns = ["parameter", "mean", "sd", "mean_without", "sd_without", "error"]
    if not set(sites) <= set(posterior) or not sites:
        return pd.DataFrame(columns=[*columns, "moved"])
    coefficients, *belonging = sites
    shown = {name: labels for name, labels in _short(posterior).items() if name not in {coefficients, *belonging}}
    found = without(flat(posterior, shown), flat(posterior, [coefficients]))
    table = pd.DataFrame(
        dict(zip(columns, ([f"{name}{label}" for name, labels in shown.items() for label in labels], *found), strict=True))
    )
    table = table.assign(moved=(table["mean_without"] - table["mean"]) / table["sd"])
    return table.iloc[np.argsort(-table["moved"].abs(), kind="stable")].reset_index(drop=True)


def _short(posterior: xr.Dataset) -> dict[str, list[str]]:
    """Labels of the elements of each scalar or short vector that has a prior of its own."""
    left_out = set(np.atleast_1d(posterior.attrs.get("deterministic", [])).tolist())
    found = {}
    for name, values in posterior.data_vars.items():
        extra = [dim for dim in values.dims if dim not in ("chain", "draw")]
        if name not in left_out and int(np.prod([values.sizes[dim] for dim in extra])) <= SHORT:
            found[str(name)] = _labels(values, extra)
    return found


def _labels(values: xr.DataArray, dims: list[Any]) -> list[str]:
    """A label in brackets for each element of some dims, in their order; none for a scalar."""
    keys = [np.datetime_as_string(key, "D") if (key := values[dim].to_numpy()).dtype.kind == "M" else key for dim in dims]
    return [f"[{', '.join(map(str, key))}]" if key else "" for key in product(*keys)]


def variance_shares(forecast: pd.DataFrame, quantities: Collection[str]) -> pd.DataFrame:
    """Epistemic share of variance by quantity and week ahead, averaged over units.

    Args:
        forecast: tidy forecast of leaf units.
        quantities: names of those to show.

    Returns:
        quantity, week (1, 2, ...), epistemic.
    """
    rows = forecast[forecast["quantity"].isin(quantities)].copy()
    rows["epistemic"] = rows["var_epistemic"] / (rows["var_epistemic"] + rows["var_aleatoric"])
    rows["week"] = rows["period_start"].rank(method="dense").astype(int)
    return rows.groupby(["quantity", "week"], sort=False)[["epistemic"]].mean().reset_index()


def against_truth(posterior: xr.Dataset, truth: xr.Dataset) -> pd.DataFrame:
    """Posterior beside the truth, element by element.

    Returns:
        parameter, site, truth, mean, low, high, inside; low and high bound the central 95 %.
    """
    rows = []
    for name, values in posterior.data_vars.items():
        if name not in truth:
            continue
        flat = values.to_numpy().reshape(values.sizes["chain"] * values.sizes["draw"], -1)
        low, high = np.quantile(flat, (0.025, 0.975), axis=0)
        for i, true in enumerate(truth[name].to_numpy().ravel()):
            rows.append((name if flat.shape[1] == 1 else f"{name}[{i}]", name, true, flat[:, i].mean(), low[i], high[i]))
    table = pd.DataFrame(rows, columns=["parameter", "site", "truth", "mean", "low", "high"])
    return table.assign(inside=(table["truth"] >= table["low"]) & (table["truth"] <= table["high"]))


def coverage_by_site(table: pd.DataFrame) -> pd.DataFrame:
    """Elements and share inside their 95 % interval by site; scalars stand as they are."""
    return (
        table.groupby("site", sort=False)
        .agg(elements=("inside", "size"), inside=("inside", "mean"), truth=("truth", "mean"), mean=("mean", "mean"))
        .reset_index()
    )


def forecast_against_truth(forecast: pd.DataFrame, truth: xr.Dataset) -> pd.DataFrame:
    """Coverage of the forecast's 50 % and 95 % intervals over the drawn future, of the quantities that the truth holds.

    Returns:
        quantity, cells, inside_50, inside_95.
    """
    rows = []
    for name in (str(name) for name in truth.data_vars if str(name).startswith("future_")):
        quantity = name.removeprefix("future_")
        future = truth[name].to_series().rename("truth").reset_index()
        future.columns = ["period_start", "unit", "truth"]
        both = forecast[forecast["quantity"] == quantity].merge(future, on=["unit", "period_start"])
        if len(both):
            inside = [
                float(both["truth"].between(both[low], both[high]).mean()) for low, high in (("q0.25", "q0.75"), ("q0.025", "q0.975"))
            ]
            rows.append((quantity, len(both), *inside))
    return pd.DataFrame(rows, columns=["quantity", "cells", "inside_50", "inside_95"])


def highest(forecast: pd.DataFrame, known: Answered, names: pd.Series, count: int = 10) -> pd.DataFrame:
    """Units with the most of the ranking quantity in the first forecast week, per 1,000 people where it is rated.

    Args:
        forecast: tidy forecast of leaf units.
        known: what the run answers for.
        names: readable names by unit; a unit of a scenario may have none.
        count: rows.
    """
    quantity = known.ranking.name + (PER_1000 if known.ranking.rated else "")
    rows = forecast[(forecast["quantity"] == quantity) & (forecast["period_start"] == forecast["period_start"].min())]
    top = rows.nlargest(count, "mean")
    return top.assign(name=[names.get(unit, "") for unit in top["unit"]])[["unit", "name", "quantity", "mean", "q0.025", "q0.975"]]


def headline(groups: pd.DataFrame, known: Answered) -> list[dict[Any, Any]]:
    """The whole's first and last forecast week."""
    names = [quantity.name for quantity in known.headline]
    whole = groups[(groups["level"] == known.whole) & groups["quantity"].isin(names)]
    ends = whole[whole["period_start"].isin([whole["period_start"].min(), whole["period_start"].max()])]
    order = {name: place for place, name in enumerate(names)}
    return ends.sort_values(
        ["period_start", "quantity"], key=lambda column: column.map(order) if column.name == "quantity" else column
    ).to_dict("records")


def put_aside(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Coverage of the cells of places that were put aside, by stream, over all folds.

    Args:
        rows: of a validation's `sites`.

    Returns:
        stream, places, cells, coverage_50, coverage_80, coverage_95 (means over cells).
    """
    table = pd.DataFrame([row | {"places": len(row["places"])} for row in rows if "stream" in row])
    if table.empty:
        return table
    held = [f"coverage_{level}" for level in (50, 80, 95)]
    table[held] = table[held].mul(table["cells"], axis=0)
    total = table.groupby("stream", sort=False)[["places", "cells", *held]].sum()
    total[held] = total[held].div(total["cells"], axis=0)
    return total.reset_index()


def farthest(rows: list[dict[str, Any]], count: int = 8) -> pd.DataFrame:
    """Groups of cells whose mean score chance explains least, the farthest first.

    Args:
        rows: of a validation's `fit`.
        count: how many.
    """
    table = pd.DataFrame([row for row in rows if row["by"] in ("weekday", "place")])
    if table.empty:
        return table
    return table.iloc[(-table["score"].abs() * np.sqrt(table["cells"])).argsort(kind="stable")].head(count)
