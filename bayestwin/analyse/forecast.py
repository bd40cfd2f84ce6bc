"""Forecasts with their uncertainty split in two.

Total variance of a quantity Y is E[Var(Y | θ)] + Var(E[Y | θ]): the first part (aleatoric) is chance that more data up
to the as-of date would not remove, the second (epistemic) is what is not known about θ, parameters and states so far.
Both are estimated from K inner draws for each of S posterior draws; the variance of the inner means holds 1/K of the
aleatoric part, which is taken out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayestwin.twin.twin import Definition

LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
OUTER, INNER = 400, 50


@dataclass(frozen=True)
class Forecast:
    """Answers for a span of weeks.

    Attributes:
        units: tidy table by unit, week and quantity.
        groups: the same for totals over groups of units, with a `level` column.
        draws: one draw of each quantity for each posterior draw used, dims (chain, draw, period, unit).
    """

    units: pd.DataFrame
    groups: pd.DataFrame
    draws: xr.Dataset


def answer(definition: Definition, data: Any, posterior: xr.Dataset, span: Any, unit: str, seed: int, inner: int = INNER) -> Forecast:
    """Draw every quantity over a span and summarise it.

    Args:
        definition: the model.
        data: its data.
        posterior: its posterior, dims chain and draw first.
        span: weeks to answer for, from `definition.future` or `definition.fitted`.
        unit: name of the unit's dim.
        seed: seed of the draws.
        inner: inner draws for each posterior draw, ≥ 2.

    Returns:
        Tables with mean, sd, quantiles .025 to .975, var_aleatoric, var_epistemic; quantities per 1,000 included.
    """
    chains, kept = _kept(posterior)
    flat = {name: v.to_numpy()[:, kept].reshape(-1, *v.shape[2:]) for name, v in posterior.data_vars.items()}
    arrays = definition.per_draw(data, flat, span)
    rng = np.random.default_rng(seed)
    groups = definition.groups(data)
    samples: dict[str, list] = {}
    totals: dict[tuple[str, str], list] = {}
    for i in range(chains * len(kept)):
        for name, drawn in definition.draw(data, span, {k: v[i] for k, v in arrays.items()}, rng, inner).items():
            samples.setdefault(name, []).append(drawn.astype(np.float32))
            for level, (codes, index) in groups.items():
                totals.setdefault((level, name), []).append(_grouped(drawn, index, len(codes)))
    unit_codes = posterior.coords[unit].to_numpy()
    people = np.asarray(span.patients, float)
    units = [_table(np.stack(values), span.weeks, unit_codes, name, people, definition.rated) for name, values in samples.items()]
    tables = [
        _table(np.stack(values), span.weeks, groups[level][0], name, _grouped(people, groups[level][1], len(groups[level][0])), definition.rated).assign(level=level)
        for (level, name), values in totals.items()
    ]  # fmt: skip
    first = {name: np.stack([v[0] for v in values]) for name, values in samples.items()}
    return Forecast(
        pd.concat(units, ignore_index=True), pd.concat(tables, ignore_index=True), _draws(first, chains, kept, span.weeks, unit, unit_codes)
    )


def _kept(posterior: xr.Dataset) -> tuple[int, np.ndarray]:
    chains, draws = posterior.sizes["chain"], posterior.sizes["draw"]
    return chains, np.linspace(0, draws - 1, min(draws, OUTER // chains)).astype(int)


def _grouped(values: np.ndarray, index: np.ndarray, count: int) -> np.ndarray:
    totals = np.zeros((*values.shape[:-1], count))
    for group in range(count):
        totals[..., group] = values[..., index == group].sum(-1)
    return totals


def _table(values: np.ndarray, weeks: np.ndarray, codes: np.ndarray, name: str, people: np.ndarray, rated: tuple[str, ...]) -> pd.DataFrame:
    """Summaries of (outer, inner, week, unit) samples, and the same per 1,000 people."""
    summary = summarise(values)
    keys = {"unit": np.tile(codes, len(weeks)), "period_start": np.repeat(weeks.astype("datetime64[ns]"), len(codes))}
    table = pd.DataFrame({**keys, "quantity": name, **{k: v.ravel() for k, v in summary.items()}})
    if name not in rated:
        return table
    scale = 1000.0 / people.ravel()
    rate = table.assign(quantity=f"{name}_per_1000")
    for column in summary:
        rate[column] = table[column] * (scale**2 if column.startswith("var_") else scale)
    return pd.concat([table, rate], ignore_index=True)


def summarise(values: np.ndarray) -> dict[str, np.ndarray]:
    """Mean, sd, quantiles and the two variances of nested draws.

    Args:
        values: (outer, inner, ...) draws: outer over the posterior, inner over chance; inner ≥ 2.

    Returns:
        Arrays by column name. The epistemic variance is the variance of the inner means less a K-th of the aleatoric
        variance, and not below zero.

    Example:
        >>> nested = np.random.default_rng(1).normal(size=(2000, 50)) * 2.0
        >>> bool(abs(summarise(nested)["var_aleatoric"] - 4.0) < 0.1)
        True
    """
    values = values.astype(float)
    inner = values.shape[1]
    aleatoric = values.var(1, ddof=1).mean(0)
    means = values.mean(1)
    epistemic = np.maximum(means.var(0, ddof=1) - aleatoric / inner, 0.0)
    flat = values.reshape(-1, *values.shape[2:])
    quantiles = np.quantile(flat, LEVELS, axis=0)
    columns: dict[str, np.ndarray] = {"mean": means.mean(0), "sd": np.sqrt(aleatoric + epistemic)}
    columns |= {f"q{level:g}": quantile for level, quantile in zip(LEVELS, quantiles, strict=True)}
    return columns | {"var_aleatoric": aleatoric, "var_epistemic": epistemic}


def _draws(first: Mapping[str, np.ndarray], chains: int, kept: np.ndarray, weeks: np.ndarray, unit: str, codes: np.ndarray) -> xr.Dataset:
    dims = ("chain", "draw", "period", unit)
    coords = {"chain": np.arange(chains), "draw": kept, "period": weeks.astype("datetime64[ns]"), unit: codes}
    return xr.Dataset({name: (dims, v.reshape(chains, -1, *v.shape[1:])) for name, v in first.items()}, coords=coords)
