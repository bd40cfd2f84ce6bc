"""Tables of the report, computed from a run's groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

QUANTITIES = ("appointments", "clinician_hours", "gp_hours")
KEEPS_PRIOR = 0.2
UNITS = ("area", "board", "region")
LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)


def contraction(posterior: xr.Dataset, prior: xr.Dataset) -> pd.DataFrame:
    """Contraction 1 - Var(posterior) / Var(prior) of every scalar that has a prior of its own.

    Args:
        posterior: posterior draws; deterministic sites named in `attrs` are left out.
        prior: prior draws of the same sites.

    Returns:
        parameter, prior_mean, prior_sd, mean, sd, contraction; a row a parameter or element of a short vector.
    """
    left_out = set(np.atleast_1d(posterior.attrs.get("deterministic", [])).tolist())
    rows = []
    for name, after in posterior.data_vars.items():
        extra = [dim for dim in after.dims if dim not in ("chain", "draw")]
        if name in left_out or int(np.prod([after.sizes[dim] for dim in extra])) > 5:
            continue
        labels = [""] if not extra else [f"[{label}]" for label in after.coords[extra[0]].to_numpy()]
        flat = [values[name].to_numpy().reshape(-1, len(labels)) for values in (posterior, prior)]
        for i, label in enumerate(labels):
            new, old = flat[0][:, i], flat[1][:, i]
            rows.append((f"{name}{label}", old.mean(), old.std(), new.mean(), new.std(), 1.0 - new.var() / old.var()))
    return pd.DataFrame(rows, columns=["parameter", "prior_mean", "prior_sd", "mean", "sd", "contraction"])


def variance_shares(forecast: pd.DataFrame) -> pd.DataFrame:
    """Epistemic share of variance by quantity and week ahead, averaged over units.

    Args:
        forecast: tidy forecast of leaf units.

    Returns:
        quantity, week (1, 2, ...), epistemic.
    """
    rows = forecast[forecast["quantity"].isin(QUANTITIES)].copy()
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
        flat = values.transpose("chain", "draw", ...).to_numpy().reshape(values.sizes["chain"] * values.sizes["draw"], -1)
        low, high = np.quantile(flat, (0.025, 0.975), axis=0)
        own = [dim for dim in values.dims if dim not in ("chain", "draw")]
        for i, true in enumerate(truth[name].transpose(*own).to_numpy().ravel()):
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
    """Coverage of the forecast's 50 % and 95 % intervals over the drawn future.

    Returns:
        quantity, cells, inside_50, inside_95.
    """
    rows = []
    for quantity in QUANTITIES:
        name = f"future_{quantity}"
        if name not in truth:
            continue
        future = truth[name].to_series().rename("truth").reset_index()
        future.columns = ["period_start", "unit", "truth"]
        both = forecast[forecast["quantity"] == quantity].merge(future, on=["unit", "period_start"])
        if len(both):
            inside = [
                float(both["truth"].between(both[low], both[high]).mean()) for low, high in (("q0.25", "q0.75"), ("q0.025", "q0.975"))
            ]
            rows.append((quantity, len(both), *inside))
    return pd.DataFrame(rows, columns=["quantity", "cells", "inside_50", "inside_95"])


def randomised_pit(observed: np.ndarray, replicated: np.ndarray, seen: np.ndarray, seed: int = 0) -> np.ndarray:
    """Randomised PIT of counts (Czado, Gneiting & Held 2009, Biometrics 65).

    Args:
        observed: counts.
        replicated: predictive draws, leading axis draw.
        seen: which counts were observed.
        seed: seed of the randomisation.
    """
    below = (replicated < observed).mean(0)
    upto = (replicated <= observed).mean(0)
    return (below + np.random.default_rng(seed).uniform(size=below.shape) * (upto - below))[seen]


@dataclass(frozen=True)
class Check:
    """A published stream beside its replicates.

    Attributes:
        stream: name of the site.
        observed: (time, unit..., category...) published counts, missing cells not a number.
        replicated: the same with a leading sample axis.
        category: dim of the categories, or None for a plain count.
        labels: the categories.
        times: start of each period.
    """

    stream: str
    observed: np.ndarray
    replicated: np.ndarray
    category: str | None
    labels: list[str]
    times: np.ndarray


def check(tree: xr.DataTree, stream: str) -> Check:
    """A stream's published counts and replicates; cells that were not seen are NaN in both.

    Args:
        tree: the run's groups; a mask lies in constant_data as `<stream>_seen`, without one all cells were seen.
        stream: a site of observed_data and posterior_predictive whose first dim is time.
    """
    observed = tree["observed_data"][stream]
    replicated = tree["posterior_predictive"][stream].stack(sample=("chain", "draw")).transpose("sample", *observed.dims)
    constants = tree["constant_data"]
    seen = constants[f"{stream}_seen"].astype(bool) if f"{stream}_seen" in constants else xr.ones_like(observed, dtype=bool)
    last = str(observed.dims[-1])
    category = None if last in UNITS or observed.ndim == 1 else last
    return Check(
        stream,
        observed.where(seen).to_numpy(),
        replicated.where(seen).transpose("sample", *observed.dims).to_numpy(),
        category,
        [str(label) for label in observed[last].to_numpy()] if category else [],
        observed[str(observed.dims[0])].to_numpy(),
    )


def category_coverage(made: Check) -> dict[str, Any]:
    """Share of the seen cells inside their 95 % predictive interval, by category.

    Args:
        made: a stream with categories.

    Returns:
        inside (a share a category), labels, cells (seen cells of each category).
    """
    low, high = np.nanquantile(made.replicated, (0.025, 0.975), axis=0)
    flat = ((made.observed >= low) & (made.observed <= high)).reshape(-1, len(made.labels))
    seen = ~np.isnan(made.observed).reshape(flat.shape).any(1)
    return {"inside": flat[seen].mean(0), "labels": made.labels, "cells": int(seen.sum())}


def coverage(made: Check) -> dict[str, Any]:
    """Cells of a stream and the share inside their 50 % and 95 % predictive intervals."""
    seen = ~np.isnan(made.observed)
    row: dict[str, Any] = {"stream": made.stream, "cells": int(seen.sum())}
    for level in (50, 95):
        tail = (1 - level / 100) / 2
        low, high = np.quantile(made.replicated[:, seen], (tail, 1 - tail), axis=0)
        row[f"inside_{level}"] = float(((made.observed[seen] >= low) & (made.observed[seen] <= high)).mean())
    return row


def category_totals(made: Check) -> list[tuple[str, pd.DataFrame]]:
    """Share of each category in the total over units, by time: published, and replicated with quantiles.

    Args:
        made: a stream with categories.

    Returns:
        (label, table) by category; columns period_start, observed and q0.025 to q0.975.
    """
    middle = tuple(range(1, made.observed.ndim - 1))
    observed = np.nansum(made.observed, axis=middle) if middle else np.nan_to_num(made.observed)
    replicated = np.nansum(made.replicated, axis=tuple(i + 1 for i in middle)) if middle else np.nan_to_num(made.replicated)
    with np.errstate(invalid="ignore"):  # a period without any count has no shares
        observed = observed / observed.sum(-1, keepdims=True)
        replicated = replicated / replicated.sum(-1, keepdims=True)
    made_of = {f"q{level:g}": np.quantile(replicated, level, axis=0) for level in LEVELS}
    return [
        (label, pd.DataFrame({"period_start": made.times, "observed": observed[:, j], **{k: v[:, j] for k, v in made_of.items()}}))
        for j, label in enumerate(made.labels)
    ]


def busiest(predictions: xr.Dataset, forecast: pd.DataFrame, places: pd.DataFrame, count: int = 10) -> pd.DataFrame:
    """Units with the most clinician hours per 1,000 patients and week, averaged over the horizon.

    Args:
        predictions: draws of `clinician_hours`, dims (chain, draw, period, unit).
        forecast: tidy forecast of leaf units, which tells the people of each unit and week.
        places: readable `name` and `board` by unit.
        count: rows.

    Returns:
        unit, name, board, mean, low, high; low and high bound the central 95 %.
    """
    hours = predictions["clinician_hours"]
    unit = str(hours.dims[-1])
    wide = {
        name: forecast[forecast["quantity"] == name]
        .pivot(index="period_start", columns="unit", values="mean")
        .reindex(index=hours["period"].to_index(), columns=hours[unit].to_index())
        for name in ("clinician_hours", "clinician_hours_per_1000")
    }
    per_hour = (wide["clinician_hours_per_1000"] / wide["clinician_hours"]).to_numpy()
    rates = (hours.to_numpy().astype(float) * per_hour).mean(2).reshape(-1, hours.sizes[unit])
    low, high = np.quantile(rates, (0.025, 0.975), axis=0)
    table = pd.DataFrame({"unit": hours[unit].to_numpy(), "mean": rates.mean(0), "low": low, "high": high})
    return table.nlargest(count, "mean").merge(places, left_on="unit", right_index=True, how="left")


def headline(predictions: xr.Dataset) -> list[dict[str, Any]]:
    """Totals over all units and the whole horizon, from joint draws.

    Quantiles of weekly totals must not be added up: weeks share what is not known about the parameters.

    Args:
        predictions: draws of quantities, dims (chain, draw, period, unit).

    Returns:
        quantity, mean, low, high by quantity; low and high bound the central 95 %.
    """
    rows = []
    for quantity in QUANTITIES:
        if quantity in predictions:
            draws = predictions[quantity].astype(float)
            totals = draws.sum([dim for dim in draws.dims if dim not in ("chain", "draw")]).to_numpy().ravel()
            low, high = np.quantile(totals, (0.025, 0.975))
            rows.append({"quantity": quantity, "mean": float(totals.mean()), "low": float(low), "high": float(high)})
    return rows
