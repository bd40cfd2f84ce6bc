"""What is asked of a nowcast: levels, horizons, quantiles, and the truth frozen 40 days after a window's end.

Source: Wolffram et al. (2023), PLOS Computational Biology, 10.1371/journal.pcbi.1011394.
"""

from __future__ import annotations

import numpy as np

from bayestwin.nowcast.triangle import Triangle

QUANTILES = np.array([0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975])
HORIZONS = 29  # 0 … 28 days back
WINDOW = 7  # days in a target's sum
FROZEN_AFTER = 40  # days after the window's end
DELAYS_NEEDED = FROZEN_AFTER + WINDOW  # of the window's first day

STATES = ("BB", "BE", "BW", "BY", "HB", "HE", "HH", "MV", "NI", "NW", "RP", "SH", "SL", "SN", "ST", "TH")
AGES = ("00-04", "05-14", "15-34", "35-59", "60-79", "80+")
LEVELS = {
    "national": ("DE,00+",),
    "states": tuple(f"DE-{state},00+" for state in STATES),
    "age": tuple(f"DE,{age}" for age in AGES),
}
LEVEL_OF = {name: level for level, names in LEVELS.items() for name in names}


def frozen_truth(triangle: Triangle) -> tuple[np.ndarray, np.ndarray]:
    """Seven-day sums of the reports up to 40 days after the window's end, and where all of them are known.

    Returns:
        value, known: (time, series), by the window's last day.
    """
    times, delays, series = triangle.counts.shape
    value, known = np.zeros((times, series)), np.zeros((times, series), bool)
    upto = np.concatenate([np.zeros((times, 1, series)), np.where(triangle.seen, triangle.counts, 0.0).cumsum(1)], axis=1)
    whole = np.concatenate([np.ones((times, 1, series), bool), np.logical_and.accumulate(triangle.seen, axis=1)], axis=1)
    if delays < DELAYS_NEEDED:
        return value, known
    for end in range(WINDOW - 1, times):
        back = np.arange(WINDOW)
        value[end] = upto[end - back, FROZEN_AFTER + 1 + back].sum(0)
        known[end] = whole[end - back, FROZEN_AFTER + 1 + back].all(0)
    return value, known


def window_sums(daily: np.ndarray) -> np.ndarray:
    """Sums over the last seven entries of axis 0 ending at each of the last 29, most recent first."""
    ends = daily.shape[0] - np.arange(HORIZONS)
    total = np.concatenate([np.zeros((1, *daily.shape[1:])), daily.cumsum(0)])
    return total[ends] - total[ends - WINDOW]
