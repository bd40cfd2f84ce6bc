"""How strong an unknown selection would have to be to change an answer: totals at the ends of its range, against their own interval.

Source: Rosenbaum (2002), Observational Studies, ch. 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from bayestwin.twin.twin import Quantity

UNMOVED = 1e-4  # a relative change that nobody would call one


@dataclass(frozen=True)
class Band:
    """What a selection could make of a forecast total, which no data correct.

    Attributes:
        parameter: that stands for the selection.
        quantity: of the total.
        mean: of the parameter's posterior, where the total is the posterior's own.
        ends: of the parameter's stated range, lower end first.
        changes: of the total at each end, relative to the posterior's own.
        error: Monte Carlo error of the changes.
        interval: ends of the total's 95 % interval beyond its mean, relative to it.
    """

    parameter: str
    quantity: str
    mean: float
    ends: tuple[float, float]
    changes: tuple[float, float]
    error: float
    interval: tuple[float, float]

    @property
    def shares(self) -> tuple[float, float]:
        """How much of what would take the total out of its interval each end moves it, on the side that it moves it to."""
        low, high = (change / self.interval[change > 0] for change in self.changes)
        return low, high

    @property
    def furthest(self) -> int:
        """Which end brings the total nearer to leaving its interval."""
        return int(np.argmax(self.shares))

    @property
    def moves(self) -> bool:
        """Whether the selection moves the total by more than chance."""
        return bool(np.max(np.abs(self.changes)) > UNMOVED + 2.0 * self.error)

    @property
    def tips_at(self) -> float | None:
        """The value at which the total leaves its 95 % interval, on a line from the mean to the end that brings it nearer, within the range or beyond; None if it does not move.

        Example:
            >>> Band("slope", "hours", 0.0, (-1.0, 1.0), (-0.1, 0.2), 0.0, (-0.3, 0.1)).tips_at
            0.5
        """
        return self.mean + (self.ends[self.furthest] - self.mean) / self.shares[self.furthest] if self.moves else None

    @property
    def tips_within(self) -> bool:
        """Whether an end of the stated range takes the total out of its interval."""
        return self.moves and self.shares[self.furthest] >= 1.0


def bands(sensitivity: pd.DataFrame, posterior: xr.Dataset, predictions: xr.Dataset, quantities: Iterable[Quantity]) -> Iterator[Band]:
    """Every selection's band for some quantities; a total that nothing is unknown of has none, nor one whose change is no number.

    Args:
        sensitivity: of a run, a row for each end and quantity (`analyse/sensitivity.py`).
        posterior: draws of the parameters.
        predictions: draws of the forecast by quantity, dims chain and draw first.
        quantities: which are asked for.
    """
    intervals = {quantity.name: _interval(predictions[quantity.name], quantity.mean) for quantity in quantities}
    table = sensitivity[sensitivity["quantity"].isin(list(intervals))].sort_values("value", kind="stable")
    for (name, quantity), rows in table.groupby(["parameter", "quantity"], sort=False):
        low, high = intervals[str(quantity)]
        if low < 0.0 < high and np.isfinite(rows[["change", "error"]]).all(axis=None):
            ends, changes = ((float(column.iloc[0]), float(column.iloc[-1])) for column in (rows["value"], rows["change"]))
            mean, error = float(posterior[str(name)].mean()), float(rows["error"].max())
            yield Band(str(name), str(quantity), mean, ends, changes, error, (low, high))


def _interval(drawn: xr.DataArray, mean: bool) -> tuple[float, float]:
    """Ends of a total's interval beyond its mean, relative to it; NaN of a total that is surely zero."""
    stacked = drawn.stack(sample=("chain", "draw"))
    rest = [dim for dim in stacked.dims if dim != "sample"]
    total = (stacked.mean(rest) if mean else stacked.sum(rest)).to_numpy()
    if not total.any():
        return np.nan, np.nan
    low, high = np.quantile(total, (0.025, 0.975)) - total.mean()
    return float(low / abs(total.mean())), float(high / abs(total.mean()))
