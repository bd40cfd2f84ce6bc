"""Scores of forecasts, as draws, against what came, beside those of a simple forecast of the same cells.

Source: Bracher, Ray, Gneiting & Reich (2021), PLOS Computational Biology 17, for the weighted interval score; Gneiting & Raftery (2007), JASA 102, for the
continuous ranked probability score; Czado, Gneiting & Held (2009), Biometrics 65, for randomised PIT values of counts. scoringrules computes the scores, and the interval scores of the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from bayestwin.credibility.rivals import Came
from bayestwin.report.checks import randomised_pit

LEVELS = (0.5, 0.8, 0.95)
TENTHS = 10  # of PIT values


def stretches(times: int) -> Iterator[tuple[int, slice]]:
    """All times together as number 0, then each by itself.

    Example:
        >>> list(stretches(2))
        [(0, slice(None, None, None)), (1, slice(0, 1, None)), (2, slice(1, 2, None))]
    """
    yield 0, slice(None)
    yield from ((time + 1, slice(time, time + 1)) for time in range(times))


def scores(drawn: Float[np.ndarray, "draw time unit"], later: Came, naive: Float[np.ndarray, "naive time unit"]) -> dict[str, Any]:
    """Scores of draws against what came, and those of naive draws on the same cells; cells with a NaN among the latter are left out."""
    import scoringrules

    known = _foretold(later, naive)
    if not known.any():
        return {"cells": 0}
    y = later.values[known]
    ours = drawn[:, known].astype(float)
    unit = np.broadcast_to(np.arange(later.seen.shape[1]), later.seen.shape)[known]
    with np.errstate(divide="ignore", invalid="ignore"):  # of draws most of which are one count there is no density
        log_score = float(scoringrules.logs_ensemble(y, ours.T, backend="numpy").mean())
    row: dict[str, Any] = {
        "crps": float(scoringrules.crps_ensemble(y, ours.T, estimator="pwm", backend="numpy").mean()),
        "log_score": log_score if np.isfinite(log_score) else None,
        "pit": (np.histogram(randomised_pit(y, ours, np.ones(len(y), bool)), TENTHS, (0.0, 1.0))[0] / len(y)).round(4).tolist(),
    }
    for level in LEVELS:
        low, high = np.quantile(ours, (0.5 - level / 2, 0.5 + level / 2), axis=0)
        held = pd.Series((low <= y) & (y <= high)).groupby(unit).mean()
        row |= {f"coverage_{100 * level:.0f}": float(((low <= y) & (y <= high)).mean())}
        row |= {f"coverage_{100 * level:.0f}_error": float(held.std(ddof=1) / np.sqrt(len(held))) if len(held) > 1 else None}
    return compared(drawn, later, naive) | row


def compared(drawn: Float[np.ndarray, "draw time unit"], later: Came, naive: Float[np.ndarray, "naive time unit"]) -> dict[str, Any]:
    """Weighted interval scores of draws and of naive draws on the cells that these foretell, and the skill: None where the naive make no error."""
    known = _foretold(later, naive)
    if not known.any():
        return {"cells": 0}
    ours, theirs = (_wis(draws[:, known].astype(float), later.values[known]) for draws in (drawn, naive))
    return {"cells": int(known.sum()), "wis": ours, "naive_wis": theirs, "skill": 1.0 - ours / theirs if theirs > 0 else None}


def _foretold(later: Came, naive: Float[np.ndarray, "naive time unit"]) -> Bool[np.ndarray, "time unit"]:
    return later.seen & ~np.isnan(naive).any(0)


def by_unit(
    drawn: Float[np.ndarray, "draw time unit"], later: Came, naive: Float[np.ndarray, "naive time unit"], units: np.ndarray
) -> list[dict[str, Any]]:
    """Scores of each unit over all weeks ahead."""
    each = ((slice(None), slice(i, i + 1)) for i in range(len(units)))
    found = (scores(drawn[:, *one], later.at(one), naive[:, *one]) for one in each)
    parts = ("cells", "wis", "crps", "log_score", "coverage_50", "coverage_80", "coverage_95", "naive_wis", "skill")
    return [{"unit": str(unit)} | {part: row[part] for part in parts if part in row} for unit, row in zip(units, found, strict=True)]


def _wis(draws: Float[np.ndarray, "draw cell"], y: Float[np.ndarray, " cell"]) -> float:
    """Mean weighted interval score (Bracher et al. 2021, equation 1), of interval scores: without numba scoringrules 0.11 weighs the median, not its error."""
    import scoringrules

    alpha = 1.0 - np.array(LEVELS)
    low, high = (np.quantile(draws, q, axis=0).T for q in (alpha / 2, 1.0 - alpha / 2))
    intervals = scoringrules.interval_score(y, low, high, alpha, backend="numpy")
    return float(((0.5 * np.abs(y - np.median(draws, axis=0)) + intervals @ (alpha / 2)) / (len(alpha) + 0.5)).mean())


def skill_of(table: pd.DataFrame) -> float | None:
    """Skill over several rows of scores, cell by cell; None where the naive forecast makes no error that ours could be a share of.

    Args:
        table: columns cells, wis, naive_wis.
    """
    ours, theirs = (float((table[part] * table["cells"]).sum()) for part in ("wis", "naive_wis"))
    return 1.0 - ours / theirs if theirs > 0 else None
