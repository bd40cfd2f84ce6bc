"""Days, weeks and months: a period is told by its number, counted from that of 1 January 1970, and by its first day."""

from __future__ import annotations

from datetime import date

import numpy as np

DAY = np.timedelta64(1, "D")


def period_index(days: np.ndarray, resolution: str) -> np.ndarray:
    """Number of each day's period; weeks begin on Monday."""
    if resolution == "month":
        return days.astype("datetime64[M]").astype(np.int64)
    number = days.astype("datetime64[D]").astype(np.int64)
    return (number + 3) // 7 if resolution == "week" else number  # 1 January 1970 was a Thursday


def first_day(index: np.ndarray, resolution: str) -> np.ndarray:
    """First day of each period, datetime64[D]."""
    if resolution == "month":
        return index.astype("datetime64[M]").astype("datetime64[D]")
    return (7 * index - 3 if resolution == "week" else index).astype("datetime64[D]")


def period_start(days: np.ndarray, resolution: str) -> np.ndarray:
    """First day of each day's period, datetime64[D]."""
    return first_day(period_index(days, resolution), resolution)


def period_end(days: np.ndarray, resolution: str) -> np.ndarray:
    """Last day of each day's period, datetime64[D]."""
    return first_day(period_index(days, resolution) + 1, resolution) - DAY


def last_whole(day: date, resolution: str) -> int:
    """Number of the last period that has ended by the end of a day."""
    return int(period_index(np.array(day, "datetime64[D]") + DAY, resolution)) - 1
