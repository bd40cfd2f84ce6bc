"""Days and the periods that they fall in: weeks begin on Monday, months and years on their first."""

import numpy as np

DAY, MONTH = np.timedelta64(1, "D"), np.timedelta64(1, "M")
RESOLUTIONS = ("day", "week", "month", "year")
_UNITS = {"day": "D", "month": "M", "year": "Y"}


def period_start(days: np.ndarray, resolution: str) -> np.ndarray:
    """First day of each day's period, datetime64[D].

    Args:
        days: datetime64[D].
        resolution: day, week, month or year.

    Example:
        >>> period_start(np.array(["2024-02-29"], "datetime64[D]"), "week").tolist()
        [datetime.date(2024, 2, 26)]
    """
    if resolution == "week":
        return days - ((days.astype(int) + 3) % 7).astype("timedelta64[D]")
    return days.astype(f"datetime64[{_UNITS[resolution]}]").astype("datetime64[D]")


def period_end(starts: np.ndarray, resolution: str) -> np.ndarray:
    """Last day of each period, datetime64[D].

    Args:
        starts: first day of each period.
        resolution: day, week, month or year.
    """
    if resolution == "week":
        return starts + 6 * DAY
    unit = _UNITS[resolution]
    return (starts.astype(f"datetime64[{unit}]") + 1).astype("datetime64[D]") - DAY
