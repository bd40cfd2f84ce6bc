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
        half_width: half of the total's 95 % interval, relative to its mean.
    """

    parameter: str
    quantity: str
    mean: float
    ends: tuple[float, float]
    changes: tuple[float, float]
    error: float
    half_width: float

    @property
    def furthest(self) -> int:
        """Which end moves the total more."""
        return int(np.argmax(np.abs(self.changes)))

    @property
    def moves(self) -> bool:
        """Whether the selection moves the total by more than chance."""
        return bool(np.max(np.abs(self.changes)) > UNMOVED + 2.0 * self.error)

    @property
    def share(self) -> float:
        """How much of what would take the total out of its interval that end moves it."""
        return abs(self.changes[self.furthest]) / self.half_width if self.half_width > 0 else 0.0

    @property
    def tips_at(self) -> float | None:
        """The value at which the total leaves its 95 % interval, on a line from the mean to that end, within the range or beyond; None if it does not move.

        Example:
            >>> Band("slope", "hours", 0.0, (-1.0, 1.0), (-0.1, 0.2), 0.0, 0.1).tips_at
            0.5
        """
        return self.mean + (self.ends[self.furthest] - self.mean) / self.share if self.moves else None

    @property
    def tips_within(self) -> bool:
        """Whether that value lies in the stated range."""
        return self.moves and self.share >= 1.0


def bands(sensitivity: pd.DataFrame, posterior: xr.Dataset, predictions: xr.Dataset, quantities: Iterable[Quantity]) -> Iterator[Band]:
    """Every selection's band for some quantities; a total that is surely zero has none.

    Args:
        sensitivity: of a run, a row for each end and quantity (`analyse/sensitivity.py`).
        posterior: draws of the parameters.
        predictions: draws of the forecast by quantity, dims chain and draw first.
        quantities: which are asked for.
    """
    widths = {quantity.name: _half_width(predictions[quantity.name], quantity.mean) for quantity in quantities}
    table = sensitivity[sensitivity["quantity"].isin(list(widths))].sort_values("value", kind="stable")
    for (name, quantity), rows in table.groupby(["parameter", "quantity"], sort=False):
        ends, changes = ((float(column.iloc[0]), float(column.iloc[-1])) for column in (rows["value"], rows["change"]))
        if np.isfinite(widths[str(quantity)]):
            mean, error = float(posterior[str(name)].mean()), float(rows["error"].max())
            yield Band(str(name), str(quantity), mean, ends, changes, error, widths[str(quantity)])


def _half_width(drawn: xr.DataArray, mean: bool) -> float:
    stacked = drawn.stack(sample=("chain", "draw"))
    rest = [dim for dim in stacked.dims if dim != "sample"]
    total = (stacked.mean(rest) if mean else stacked.sum(rest)).to_numpy()
    low, high = np.quantile(total, (0.025, 0.975))
    return float(0.5 * (high - low) / abs(total.mean())) if total.any() else np.nan
