"""How far an unknown selection could move an answer: its parameter held at the ends of its stated range."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import xarray as xr

from bayestwin.analyse.forecast import averages
from bayestwin.twin.twin import Definition

OUTER, INNER = 200, 2  # only changes of means are wanted, and every answer meets the same chance


def sensitivity(
    definition: Definition, data: Any, posterior: xr.Dataset, span: Any, seed: int, ranges: Mapping[str, tuple[float, float]]
) -> pd.DataFrame:
    """Totals over a span with each selection parameter held at the ends of its range, the others as in the posterior.

    No data inform such a parameter, so its posterior is its prior and independent of all else: putting one value in
    place of its draws gives the posterior under that value exactly, without a new fit. The totals are means over about
    200 posterior draws: a change carries a Monte Carlo error of a few tenths of a per cent.

    Args:
        definition: the model.
        data: its data.
        posterior: its posterior, dims chain and draw first.
        span: weeks to answer for.
        seed: seed of the draws, the same for every value.
        ranges: ends of the range by parameter.

    Returns:
        parameter, value, quantity, total (posterior mean over all units and weeks; the weeks' average of a quantity whose
        groups show means), change (relative to the posterior's own total); a row for each end and quantity.

    Source: Rosenbaum (2002), Observational Studies, ch. 4, for the range of an unobserved selection as the answer.
    """
    columns = ["parameter", "value", "quantity", "total", "change"]
    if not ranges:
        return pd.DataFrame(columns=columns)

    def totals(draws: xr.Dataset) -> pd.Series:
        average = averages(definition, data, draws, span, seed, inner=INNER).values
        over = {q.name: 1 if q.mean else len(span.weeks) for q in definition.quantities}
        found = {name: average[definition.whole, name].mean() * weeks for name, weeks in over.items()}
        return pd.Series(found).rename_axis("quantity")

    posterior = posterior.isel(draw=slice(None, None, max(posterior.sizes["chain"] * posterior.sizes["draw"] // OUTER, 1)))
    own = totals(posterior)
    tables = [
        pd.DataFrame({"parameter": name, "value": value, "total": held, "change": held / own - 1.0}).reset_index()
        for name, ends in ranges.items()
        for value in ends
        for held in [totals(posterior.assign({name: xr.full_like(posterior[name], value)}))]
    ]
    return pd.concat(tables, ignore_index=True)[columns]
