"""The working calendar: which kind of day each date is, known as far ahead as anyone cares to ask."""

from collections.abc import Sequence
from datetime import date
from enum import IntEnum

import numpy as np


class DayKind(IntEnum):
    """Kinds of day; the first five are working days by weekday."""

    MONDAY = 0
    TUESDAY = 1
    WEDNESDAY = 2
    THURSDAY = 3
    FRIDAY = 4
    SATURDAY = 5
    SUNDAY = 6
    HOLIDAY = 7


def public_holidays(days: np.ndarray, country: str, subdivision: str | None) -> np.ndarray:
    """Which days are public holidays.

    Args:
        days: datetime64[D] dates.
        country: ISO 3166 country code, such as "GB".
        subdivision: its subdivision, such as "ENG", or None.

    Returns:
        Boolean array, shaped like `days`.
    """
    import holidays

    years = range(days.min().item().year, days.max().item().year + 1)
    dates = holidays.country_holidays(country, subdiv=subdivision, years=years)
    return np.isin(days, np.array(sorted(dates), dtype="datetime64[D]"))


def unknown_place(country: str, subdivision: str | None) -> str | None:
    """Why the public holidays of a place are not known; None where they are.

    Args:
        country: ISO 3166 country code.
        subdivision: its subdivision, or None.

    Example:
        >>> unknown_place("GB", "ENG"), unknown_place("GB", "Yorkshire")
        (None, 'Entity `GB` does not have subdivision Yorkshire')
    """
    import holidays

    try:
        holidays.country_holidays(country, subdiv=subdivision)
    except NotImplementedError as error:
        return str(error)
    return None


def day_kinds(days: np.ndarray, holiday: np.ndarray) -> np.ndarray:
    """Kind of each day: a holiday that falls on a working day is HOLIDAY, at a weekend it stays a weekend."""
    weekday = (days.astype("datetime64[D]").astype(int) + 3) % 7
    return np.where(holiday & (weekday < 5), DayKind.HOLIDAY, weekday)


def after_closure(days: np.ndarray, country: str, subdivision: str | None) -> np.ndarray:
    """Whether a working day is the first after a public holiday that fell on a working day.

    Args:
        days: datetime64[D] dates.
        country: ISO 3166 country code.
        subdivision: its subdivision, or None.
    """
    span = np.arange(days.min() - np.timedelta64(10, "D"), days.max() + np.timedelta64(1, "D"))
    kinds = day_kinds(span, public_holidays(span, country, subdivision))
    open_day = kinds <= DayKind.FRIDAY
    closed_before = np.zeros(span.size, bool)
    pending = False
    for i, kind in enumerate(kinds):
        closed_before[i] = open_day[i] and pending
        pending = (pending and not open_day[i]) or kind == DayKind.HOLIDAY
    return closed_before[np.searchsorted(span, days)]


def around_christmas(days: np.ndarray) -> np.ndarray:
    """Whether a day lies from 20 to 31 December, when few routine appointments are made."""
    return _december(days) >= 20


def holiday_eve(days: np.ndarray) -> np.ndarray:
    """Whether a day is 24 or 31 December, when many close at noon."""
    return np.isin(_december(days), (24, 31))


def _december(days: np.ndarray) -> np.ndarray:
    """Day of the month in December, 0 in other months."""
    month = days.astype("datetime64[M]")
    of_month = (days.astype("datetime64[D]") - month.astype("datetime64[D]")).astype(int) + 1
    return np.where(month.astype(int) % 12 == 11, of_month, 0)


def school_closure(days: np.ndarray, spans: Sequence[tuple[date, date, float]]) -> np.ndarray:
    """Share of schools closed on each day.

    Args:
        days: datetime64[D] dates.
        spans: first day, last day and share closed of each holiday; of overlapping ones the largest share counts.
    """
    share = np.zeros(len(days))
    for first, last, closed in spans:
        inside = (days >= np.datetime64(first)) & (days <= np.datetime64(last))
        share[inside] = np.maximum(share[inside], closed)
    return share


def monday(days: np.ndarray) -> np.ndarray:
    """The Monday on or before each day (the ISO week's start), datetime64[D]."""
    days = days.astype("datetime64[D]")
    return days - ((days.astype(int) + 3) % 7).astype("timedelta64[D]")
