"""What a what-if may change."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from bayestwin.twin.scenario import Change

from .workload import MESSAGES, Roster

MessageName = Literal["advice", "prescriptions", "results", "calls"]


class _During(Change):
    """A change that holds from `start` to `end`; the whole span where they are absent."""

    start: date | None = None
    end: date | None = None

    @model_validator(mode="after")
    def _runs_forwards(self) -> Self:
        if self.start and self.end and self.end < self.start:
            raise ValueError(f"it runs from {self.start} to {self.end}: give the earlier day first")
        return self

    def holds(self, days: np.ndarray) -> np.ndarray:
        """Which days it holds on."""
        after = days >= np.datetime64(self.start) if self.start else np.ones(len(days), bool)
        before = days <= np.datetime64(self.end) if self.end else np.ones(len(days), bool)
        return after & before


class _Who(_During):
    """A change for some providers or clinics; for all where none is named."""

    labels: ClassVar[dict[str, str]] = {"providers": "provider", "clinics": "clinic"}

    providers: tuple[str, ...] = ()
    clinics: tuple[str, ...] = ()

    def chosen(self, roster: Roster) -> np.ndarray:
        """Which providers it is for."""
        if not self.providers and not self.clinics:
            return np.ones(len(roster.provider), bool)
        return np.isin(roster.provider, self.providers) | np.isin(roster.clinic[roster.clinic_of], self.clinics)


class AddTime(_Who):
    """Scheduled time added to each chosen provider's working days, without more visits unless `visits` is true."""

    kind: Literal["add_time"] = "add_time"
    fte: Annotated[float, Field(gt=-1, le=1)]
    visits: bool = False


class ProtectInbox(_Who):
    """Hours a week that are kept free of visits: slots are closed, scheduled time stays."""

    kind: Literal["protect_inbox"] = "protect_inbox"
    hours: Annotated[float, Field(gt=0, le=40)]


class PanelSize(_Who):
    """Panels multiplied by a factor."""

    kind: Literal["panel"] = "panel"
    factor: Annotated[float, Field(gt=0, le=10)]


class TeamInbox(_Who):
    """A share of messages that a team answers instead."""

    kind: Literal["team_inbox"] = "team_inbox"
    share: Annotated[float, Field(gt=0, le=1)]
    messages: tuple[MessageName, ...] = MESSAGES


class MessageGrowth(_Who):
    """Messages that grow by a rate a year from the first day of the span (or `start`) on, beyond what the model expects."""

    kind: Literal["message_growth"] = "message_growth"
    per_year: Annotated[float, Field(gt=-1, le=10)]
    messages: tuple[MessageName, ...] = MESSAGES


class Leave(_During):
    """Providers who are away: no visits, and colleagues of the clinic answer their messages."""

    labels: ClassVar[dict[str, str]] = {"providers": "provider"}

    kind: Literal["leave"] = "leave"
    providers: Annotated[tuple[str, ...], Field(min_length=1)]


class NewProvider(Change):
    """A provider whom nobody has observed, drawn from the clinic's hierarchy.

    Attributes:
        code: a name of their own.
        clinic: where they join.
        fte: share of a full-time schedule, that of a typical colleague.
        panel: patients, taken from the clinic's other providers in proportion where `shared`, else new to it.
    """

    labels: ClassVar[dict[str, str]] = {"clinic": "clinic"}

    kind: Literal["new_provider"] = "new_provider"
    code: Annotated[str, Field(min_length=1)]
    clinic: str
    fte: Annotated[float, Field(gt=0, le=1)] = 1.0
    panel: Annotated[float, Field(gt=0)]
    shared: bool = True

    def makes(self) -> dict[str, tuple[str, ...]]:
        """The provider."""
        return {"provider": (self.code,)}


class NewClinic(Change):
    """A clinic that nobody has observed, with providers of its own, drawn from the organisation's hierarchy."""

    labels: ClassVar[dict[str, str]] = {"organisation": "organisation"}

    kind: Literal["new_clinic"] = "new_clinic"
    code: Annotated[str, Field(min_length=1)]
    organisation: str
    providers: Annotated[int, Field(ge=1, le=100)]
    fte: Annotated[float, Field(gt=0, le=1)] = 1.0
    panel: Annotated[float, Field(gt=0)]

    def makes(self) -> dict[str, tuple[str, ...]]:
        """The clinic and its providers."""
        return {"clinic": (self.code,), "provider": tuple(f"{self.code}-{i + 1}" for i in range(self.providers))}


CHANGES = (AddTime, ProtectInbox, PanelSize, TeamInbox, MessageGrowth, Leave, NewProvider, NewClinic)
