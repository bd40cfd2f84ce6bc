"""Kinds of event and report days."""

import numpy as np

from bayestwin.components.calendar import public_holidays
from bayestwin.nowcast.model import KINDS

SATURDAY, SUNDAY, MONDAY = 5, 6, 0


def day_kinds(dates: np.ndarray, place: str | None) -> np.ndarray:
    """Kinds of days, 0 Monday to 6 Sunday: a public holiday is a Sunday, the working day after it a Monday.

    So a nowcast at Christmas knows what to expect without having seen one: an office that is closed reports as on any
    day when it is closed, and its backlog comes as after any weekend.

    Args:
        dates: datetime64[D], consecutive.
        place: whose holidays count, such as "DE" or "DE-BY"; None for no holidays.

    Example:
        >>> day_kinds(np.arange("2021-12-24", "2021-12-29", dtype="datetime64[D]"), "DE").tolist()
        [4, 6, 6, 0, 1]
    """
    days = np.concatenate([dates[:1] - np.timedelta64(1, "D"), dates])
    kinds = (days.astype(int) + 3) % KINDS
    if place is not None:
        country, _, subdivision = place.partition("-")
        closed = public_holidays(days, country, subdivision or None)
        after = np.concatenate([[False], closed[:-1]]) & (kinds < SATURDAY)
        kinds = np.where(closed, SUNDAY, np.where(after, MONDAY, kinds))
    return kinds[1:]
