"""Numbers as people read them."""

from __future__ import annotations

import math


def number(value: float | None, sign: bool = False) -> str:
    """Separators from a thousand on, three significant digits below, whole numbers as they are.

    Args:
        value: a number; a dash stands for one that is absent or not finite.
        sign: whether to show the sign of a positive number too.

    Example:
        >>> number(12345.6), number(1.2345, sign=True), number(9.999), number(999.9), number(4.0), number(float("nan"))
        ('12,346', '+1.23', '10.0', '1,000', '4', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    plus = "+" if sign else ""
    if abs(value) >= 999.5 or value == int(value):
        return f"{value:{plus},.0f}"
    return f"{value:{plus}#.3g}".rstrip(".")


def one_digit(error: float) -> str:
    """An error to one significant digit, which is as much as is known of it.

    Args:
        error: a Monte Carlo error.

    Example:
        >>> one_digit(0.00245), one_digit(23.4), one_digit(0.0)
        ('0.002', '20', '0')
    """
    return f"{float(f'{error:.1g}'):,g}"


def fixed(value: float | None, places: int) -> str:
    """A fixed number of decimal places.

    Args:
        value: a number; a dash stands for one that is absent or not finite.
        places: after the point.

    Example:
        >>> fixed(1.00449, 4), fixed(None, 2)
        ('1.0045', '–')
    """
    return "–" if value is None or not math.isfinite(value) else f"{value:.{places}f}"
