"""Days and the periods that they fall in, told by number, counted from that of 1 January 1970, or by first day.

Weeks begin on Monday, months and years on their first.
"""

from __future__ import annotations

from datetime import date

import numpy as np

DAY = np.timedelta64(1, "D")
RESOLUTIONS = ("day", "week", "month", "year")
_CALENDAR = {"month": "datetime64[M]", "year": "datetime64[Y]"}


def period_index(days: np.ndarray, resolution: str) -> np.ndarray:
    """Number of each day's period.

    Args:
        days: datetime64[D].
        resolution: day, week, month or year.
    """
    if resolution in _CALENDAR:
        return days.astype(_CALENDAR[resolution]).astype(np.int64)
    number = days.astype("datetime64[D]").astype(np.int64)
    return (number + 3) // 7 if resolution == "week" else number  # 1 January 1970 was a Thursday


def first_day(index: np.ndarray, resolution: str) -> np.ndarray:
    """First day of each period, datetime64[D].

    Args:
        index: numbers of the periods.
        resolution: day, week, month or year.
    """
    if resolution in _CALENDAR:
        return index.astype(_CALENDAR[resolution]).astype("datetime64[D]")
    return (7 * index - 3 if resolution == "week" else index).astype("datetime64[D]")


def period_start(days: np.ndarray, resolution: str) -> np.ndarray:
    """First day of each day's period, datetime64[D].

    Args:
        days: datetime64[D].
        resolution: day, week, month or year.

    Example:
        >>> period_start(np.array(["2024-02-29"], "datetime64[D]"), "week").tolist()
        [datetime.date(2024, 2, 26)]
    """
    return first_day(period_index(days, resolution), resolution)


def period_end(days: np.ndarray, resolution: str) -> np.ndarray:
    """Last day of each day's period, datetime64[D].

    Args:
        days: datetime64[D].
        resolution: day, week, month or year.
    """
    return first_day(period_index(days, resolution) + 1, resolution) - DAY


def last_whole(day: date, resolution: str) -> int:
    """Number of the last period that has ended by the end of a day.

    Args:
        day: the day.
        resolution: day, week, month or year.
    """
    return int(period_index(np.array(day, "datetime64[D]") + DAY, resolution)) - 1
