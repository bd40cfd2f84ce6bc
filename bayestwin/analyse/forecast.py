"""Forecasts with their uncertainty split in two.

Total variance of a quantity Y is E[Var(Y | θ)] + Var(E[Y | θ]): the first part (aleatoric) is chance that more data up
to the as-of date would not remove, the second (epistemic) is what is not known about θ, parameters and states so far.
Both are estimated from K inner draws for each of S posterior draws; the variance of the inner means holds 1/K of the
aleatoric part, which is taken out.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayestwin.twin.twin import Definition, Quantity

LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
OUTER, INNER = 400, 20

Drawn = Mapping[tuple[str, str], np.ndarray]


@dataclass(frozen=True)
class Averages:
    """Averages a week over a span, draw by draw.

    Attributes:
        codes: units or groups by level.
        values: (outer, inner, code) by level and quantity.
    """

    codes: Mapping[str, np.ndarray]
    values: Mapping[tuple[str, str], np.ndarray]


@dataclass(frozen=True)
class Forecast:
    """Answers for a span of weeks.

    Attributes:
        units: tidy table by unit, week and quantity.
        groups: the same for groups of units, with a `level` column.
        draws: one draw of each quantity for each posterior draw used, dims (chain, draw, period, unit).
        averages: the draws of units and groups, averaged over the weeks.
    """

    units: pd.DataFrame
    groups: pd.DataFrame
    draws: xr.Dataset
    averages: Averages


def answer(definition: Definition, data: Any, posterior: xr.Dataset, span: Any, seed: int, inner: int = INNER) -> Forecast:
    """Draw every quantity over a span and summarise it.

    Args:
        definition: the model.
        data: its data.
        posterior: its posterior, dims chain and draw first.
        span: weeks to answer for, from `definition.future` or `definition.fitted`.
        seed: seed of the draws; the same one meets the same chance, whatever the span.
        inner: inner draws for each posterior draw, ≥ 2.

    Returns:
        Tables with mean, sd, quantiles .025 to .975, var_aleatoric, var_epistemic; quantities per 1,000 included.
    """
    codes = codes_by_level(definition, data, span)
    samples, weekly = defaultdict(list), defaultdict(list)
    for drawn in draw_by_draw(definition, data, posterior, span, seed, inner):
        for key, value in drawn.items():
            samples[key].append(value.astype(np.float32) if key[0] == definition.unit else value)
            weekly[key].append(value.mean(1))
    stacked = {key: np.stack(values) for key, values in samples.items()}
    people = by_level(definition, data, span, np.asarray(span.people, float), "sum")
    tables = [
        _table(stacked[level, quantity.name], span.weeks, codes[level], quantity, people[level]).assign(level=level)
        for level in codes
        for quantity in definition.quantities
    ]
    table = pd.concat(tables, ignore_index=True)
    leaf = table["level"] == definition.unit
    return Forecast(
        units=table[leaf].drop(columns="level").reset_index(drop=True),
        groups=table[~leaf].reset_index(drop=True),
        draws=_draws({q.name: stacked[definition.unit, q.name][:, 0] for q in definition.quantities}, posterior, span, definition.unit),
        averages=Averages(codes, {key: np.stack(values) for key, values in weekly.items()}),
    )


def averages(definition: Definition, data: Any, posterior: xr.Dataset, span: Any, seed: int, inner: int = INNER) -> Averages:
    """The averages of `answer` alone."""
    weekly = defaultdict(list)
    for drawn in draw_by_draw(definition, data, posterior, span, seed, inner):
        for key, value in drawn.items():
            weekly[key].append(value.mean(1))
    return Averages(codes_by_level(definition, data, span), {key: np.stack(values) for key, values in weekly.items()})


def draw_by_draw(definition: Definition, data: Any, posterior: xr.Dataset, span: Any, seed: int, inner: int) -> Iterator[Drawn]:
    """Inner draws (inner, week, code) by level and quantity, for one posterior draw after the other.

    Each posterior draw starts a generator of its own, so that two spans meet the same chance draw by draw.
    """
    flat = {name: at_kept_draws(values) for name, values in posterior.data_vars.items()}
    arrays = definition.per_draw(data, flat, span)

    def drawn(i: int) -> Drawn:
        own = {name: values[i] for name, values in arrays.items()}
        found = definition.draw(data, span, own, np.random.default_rng((seed, i)), inner)
        return {
            (level, quantity.name): values
            for quantity in definition.quantities
            for level, values in by_level(definition, data, span, found[quantity.name], quantity.over).items()
        }

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # NumPy lets go of the interpreter in what takes time
        yield from pool.map(drawn, range(len(next(iter(flat.values())))))


def codes_by_level(definition: Definition, data: Any, span: Any) -> dict[str, np.ndarray]:
    """Codes of the units of a span, and of the groups above them."""
    return {definition.unit: np.asarray(span.units)} | {level: codes for level, (codes, _) in definition.groups(data, span).items()}


def by_level(definition: Definition, data: Any, span: Any, values: np.ndarray, over: str) -> dict[str, np.ndarray]:
    """Values of units (..., unit) and of the groups above them, each the sum or the mean over its units."""
    groups = definition.groups(data, span)
    return {definition.unit: values} | {level: _grouped(values, index, len(codes), over) for level, (codes, index) in groups.items()}


def _grouped(values: np.ndarray, index: np.ndarray, count: int, over: str) -> np.ndarray:
    totals = np.zeros((*values.shape[:-1], count))
    for group in range(count):
        inside = values[..., index == group]
        totals[..., group] = inside.mean(-1) if over == "mean" else inside.sum(-1)
    return totals


def at_kept_draws(values: xr.DataArray) -> np.ndarray:
    """A parameter at the posterior draws that answers are made of, leading axis outer draw."""
    return values.to_numpy()[:, _kept(values)[1]].reshape(-1, *values.shape[2:])


def _kept(posterior: xr.Dataset | xr.DataArray) -> tuple[int, np.ndarray]:
    chains, draws = posterior.sizes["chain"], posterior.sizes["draw"]
    return chains, np.linspace(0, draws - 1, min(draws, OUTER // chains)).astype(int)


def _table(values: np.ndarray, weeks: np.ndarray, codes: np.ndarray, quantity: Quantity, people: np.ndarray) -> pd.DataFrame:
    """Summaries of (outer, inner, week, unit) samples, and the same per 1,000 people."""
    summary = summarise(values)
    keys = {"unit": np.tile(codes, len(weeks)), "period_start": np.repeat(weeks.astype("datetime64[ns]"), len(codes))}
    table = pd.DataFrame({**keys, "quantity": quantity.name, **{k: v.ravel() for k, v in summary.items()}})
    if not quantity.rated:
        return table
    scale = np.divide(1000.0, people.ravel(), out=np.full(people.size, np.nan), where=people.ravel() > 0)
    rate = table.assign(quantity=f"{quantity.name}_per_1000")
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


def _draws(first: Mapping[str, np.ndarray], posterior: xr.Dataset, span: Any, unit: str) -> xr.Dataset:
    chains, kept = _kept(posterior)
    dims = ("chain", "draw", "period", unit)
    coords = {"chain": np.arange(chains), "draw": kept, "period": span.weeks.astype("datetime64[ns]"), unit: span.units}
    return xr.Dataset({name: (dims, v.reshape(chains, -1, *v.shape[1:])) for name, v in first.items()}, coords=coords)
