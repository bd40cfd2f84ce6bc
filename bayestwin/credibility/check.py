"""A check: a value, the threshold that it is held against, and what to do where it fails."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Status = Literal["PASS", "REVIEW", "FAIL"]
ORDER: tuple[Status, ...] = ("PASS", "REVIEW", "FAIL")


@dataclass(frozen=True)
class Check:
    """One check of a calibration.

    Attributes:
        name: what is checked.
        status: PASS, REVIEW (a person must look) or FAIL.
        value: what was found; None where it is no finite number.
        threshold: what it is held against, in words.
        reason: what was found, in words.
        recommendation: what to do; empty where it passes.
        source: of the threshold.
    """

    name: str
    status: Status
    value: float | None
    threshold: str
    reason: str
    recommendation: str = ""
    source: str = ""


def worst_of(statuses: Iterable[Status]) -> Status:
    """The worst of several statuses; PASS of none.

    Example:
        >>> worst_of(["PASS", "REVIEW", "PASS"])
        'REVIEW'
    """
    return max(statuses, key=ORDER.index, default="PASS")


def graded(value: float, passes: float, fails: float, chance: float = 0.0) -> Status:
    """PASS up to one bound, FAIL beyond another, REVIEW between; PASS up to what chance does, too.

    Example:
        >>> [graded(x, 0.05, 0.15) for x in (0.02, 0.1, 0.2)], graded(0.1, 0.05, 0.15, chance=0.12)
        (['PASS', 'REVIEW', 'FAIL'], 'PASS')
    """
    return "PASS" if value <= max(passes, chance) else "REVIEW" if value <= fails else "FAIL"
