"""How far an unknown selection could move an answer: its parameter held at the ends of its stated range."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayestwin.analyse.forecast import Averages, at_kept_draws, averages
from bayestwin.twin.twin import Definition

OUTER, INNER = 200, 2  # only changes of means are wanted, and every answer meets the same chance
COLUMNS = ["parameter", "value", "quantity", "total", "change", "error"]
Ranges = Mapping[str, tuple[float, float]]


def put_in_place(definition: Definition, data: Any, posterior: xr.Dataset, span: Any, seed: int, ranges: Ranges) -> pd.DataFrame:
    """Totals over a span with each selection parameter that no data inform at the ends of its range, the others as in the posterior.

    Its posterior is its prior and independent of all else: putting one value in place of its draws gives the posterior under that
    value exactly, without a new fit. Totals are means over about 200 posterior draws.

    Args:
        definition: the model.
        data: its data.
        posterior: its posterior, dims chain and draw first.
        span: weeks to answer for.
        seed: seed of the draws, the same for every value.
        ranges: ends of the range by parameter.

    Returns:
        parameter, value, quantity, total (posterior mean over all units and weeks; the weeks' average of a quantity whose
        groups show means), change (relative to the posterior's own total) and its Monte Carlo error; a row for each end and quantity.

    Source: Rosenbaum (2002), Observational Studies, ch. 4, for the range of an unobserved selection as the answer.
    """
    if not ranges:
        return pd.DataFrame(columns=COLUMNS)
    posterior = posterior.isel(draw=slice(None, None, max(posterior.sizes["chain"] * posterior.sizes["draw"] // OUTER, 1)))

    def totals(draws: xr.Dataset) -> dict[str, np.ndarray]:
        return _totals(definition, averages(definition, data, draws, span, seed, inner=INNER), span)

    own = totals(posterior)
    rows = []
    for name, ends in ranges.items():
        for value in ends:
            for quantity, held in totals(posterior.assign({name: xr.full_like(posterior[name], value)})).items():
                mean, moved = own[quantity].mean(), held - own[quantity]
                rows.append((name, value, quantity, held.mean(), moved.mean() / mean, moved.std() / np.sqrt(moved.size) / abs(mean)))
    return pd.DataFrame(rows, columns=COLUMNS)


def conditioned(definition: Definition, ahead: Averages, posterior: xr.Dataset, span: Any, ranges: Ranges) -> pd.DataFrame:
    """The same for selection parameters that the data inform a little, such as by who answered.

    What a value of one says of all others is in the joint posterior: each draw's total is regressed on the parameter, which is exact
    for a normal posterior and of first order otherwise.

    Args:
        definition: the model.
        ahead: averages over the weeks of the span, draw by draw.
        posterior: the posterior that they were drawn from.
        span: the weeks.
        ranges: ends of the range by parameter, scalars.

    Returns:
        As `put_in_place`.
    """
    rows = []
    for name, ends in ranges.items():
        parameter = at_kept_draws(posterior[name])
        departure = parameter - parameter.mean()
        for quantity, total in _totals(definition, ahead, span).items():
            slope = (departure * total).sum() / np.square(departure).sum()
            left = (total - total.mean() - slope * departure).std()
            error = left / np.sqrt(np.square(departure).sum()) / abs(total.mean())
            for value in ends:
                moved = value - parameter.mean()
                held = total.mean() + slope * moved
                rows.append((name, value, quantity, held, held / total.mean() - 1.0, error * abs(moved)))
    return pd.DataFrame(rows, columns=COLUMNS)


def together(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """One table of several, empty ones left out."""
    some = [table for table in tables if len(table)]
    return pd.concat(some, ignore_index=True) if some else pd.DataFrame(columns=COLUMNS)


def _totals(definition: Definition, average: Averages, span: Any) -> dict[str, np.ndarray]:
    """Totals over all units and weeks by quantity, chance averaged out, (outer,)."""
    over = {q.name: 1 if q.mean else len(span.weeks) for q in definition.quantities}
    return {name: average.values[definition.whole, name].mean((1, 2)) * weeks for name, weeks in over.items()}
