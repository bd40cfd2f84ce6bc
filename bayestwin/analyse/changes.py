"""What a scenario changes: the same weeks with and without it, draw by draw under the same chance."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from bayestwin.analyse.forecast import LEVELS, Averages
from bayestwin.twin.twin import Quantity

COLUMNS = ("level", "unit", "quantity", "mean", "sd", *(f"q{level:g}" for level in LEVELS), "probability_helps", "baseline")


def changes(changed: Averages, baseline: Averages, quantities: Iterable[Quantity]) -> pd.DataFrame:
    """Change of each quantity, averaged over the weeks, of the units and groups that both answers have.

    Args:
        changed: weekly averages under the scenario.
        baseline: those without it, drawn with the same seed.
        quantities: what the model answers for.

    Returns:
        level, unit, quantity; mean, sd and quantiles .025 to .975 of the change of the weekly average; probability_helps
        (of a change in the quantity's better direction; NaN where it has none); baseline, the mean without the scenario.

    Example:
        >>> more, less = (Averages({"site": np.array(["a"])}, {("site", "hours"): np.full((4, 2, 1), v)}) for v in (7.0, 5.0))
        >>> row = changes(more, less, [Quantity("hours", "hours a week", "hours", better="lower")]).iloc[0]
        >>> float(row["mean"]), float(row["probability_helps"]), float(row["baseline"])
        (2.0, 0.0, 5.0)
    """
    tables = [
        _table(level, codes, quantity, changed.values[level, quantity.name][..., one], baseline.values[level, quantity.name][..., other])
        for level, (codes, one, other) in _common(changed, baseline).items()
        for quantity in quantities
    ]
    return pd.concat(tables, ignore_index=True)[list(COLUMNS)]


def _common(changed: Averages, baseline: Averages) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Codes of both answers by level, and their places in either."""
    both = changed.codes.keys() & baseline.codes.keys()
    return {
        level: np.intersect1d(codes, baseline.codes[level], return_indices=True) for level, codes in changed.codes.items() if level in both
    }


def _table(level: str, codes: np.ndarray, quantity: Quantity, changed: np.ndarray, baseline: np.ndarray) -> pd.DataFrame:
    """A row a code, from draws (outer, inner, code)."""
    change = (changed - baseline).reshape(-1, len(codes))
    summary = {f"q{at:g}": row for at, row in zip(LEVELS, np.quantile(change, LEVELS, axis=0), strict=True)}
    keys = {"level": level, "unit": codes, "quantity": quantity.name, "probability_helps": _helps(change, quantity)}
    return pd.DataFrame({**keys, "mean": change.mean(0), "sd": change.std(0), **summary, "baseline": baseline.mean((0, 1))})


def _helps(change: np.ndarray, quantity: Quantity) -> np.ndarray:
    if quantity.better is None:
        return np.full(change.shape[1], np.nan)
    return (change < 0 if quantity.better == "lower" else change > 0).mean(0)
