"""What every access barrier has in common.

A barrier is one mechanism between the system and the analyst. It is stated in `study.toml`, so it is a
frozen pydantic model; it knows its ignorability and the sentence that a report says about it.
"""

from abc import ABC, abstractmethod
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Ignorability(StrEnum):
    """How far the mechanism lets itself be corrected (Rubin 1976; only the first two may be)."""

    CALENDAR = "calendar-ignorable"
    KNOWN_RULE = "known-rule"
    UNKNOWN_SELECTION = "unknown-selection"


class AbstractBarrier(BaseModel, ABC):
    """One mechanism between the system and the analyst; concrete barriers add `kind` and fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    @abstractmethod
    def label(self) -> Ignorability:
        """Whether the mechanism is fixed by the calendar, a published rule, or unknown selection."""

    @property
    @abstractmethod
    def sentence(self) -> str:
        """What a report says about the barrier."""
