"""How a study describes an extract: its files, its columns, what an absent row and a repeated one mean."""

import re
from typing import Annotated, Literal, Self

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Measure = Literal["appointments", "patients", "fte", "minutes", "days", "messages", "visits", "score"]
Resolution = Literal["day", "week", "month"]
RESERVED = {"unit", "time", "event", "report", "known", "value", "hidden", "undated", "delay", "delivery", "line"}


class Columns(BaseModel):
    """Names of an extract's columns.

    Attributes:
        unit: code of the unit that a row is about.
        event: when it happened.
        value: the number released; without it each row is one event (a line list).
        report: when the source registered it, if the extract says.
        known: when the row reached us, if the extract says; else `report`, else `report_lag_days` after the period's end.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    unit: str
    event: str
    value: str | None = None
    report: str | None = None
    known: str | None = None

    @property
    def later(self) -> dict[str, str]:
        """The dates that follow the event and are mapped, in their order: report, known."""
        return {step: column for step, column in (("report", self.report), ("known", self.known)) if column is not None}


class Extract(BaseModel):
    """One table, delivered once or many times.

    Attributes:
        name: what the study calls it.
        stream: which of the model's streams it feeds.
        file: path inside the study's folder, a pattern such as "deliveries/*.csv", or a list of these; a file that
            is there twice, byte for byte, is read once.
        level: level of the hierarchy that its units belong to.
        measure: what the value counts.
        columns: names of its columns.
        dims: further dims and the columns that hold them.
        categories: allowed values of each further dim, in order.
        where: keep only rows with these values.
        event_format: strptime format of the event dates, without time zone; ISO 8601 if absent, as all other dates are.
        resolution: length of a row's period.
        absent: what a missing row means: a zero count, or nothing known.
        undated: what a row without an event date is: a fault, or kept and counted by its report period and unit.
        reports: what a later report of a key (unit, event, further dims) does: it replaces the earlier, or it adds
            to it (a reporting triangle; the observations have a further dim `delay`).
        max_delay: periods from event to report in a triangle; its last cell holds this delay "or longer".
        repeated: what rows with one key, known and reported at the same time, are: a fault if their values differ
            (a mere repeat is left out), or parts that are to be added. Rows of a line list always add up.
        integer: whether values must be whole numbers.
        signed: whether values may be negative, as noised releases are.
        report_lag_days: days from the end of a period until its rows are known, where no column says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    stream: str
    file: str | Annotated[tuple[str, ...], Field(min_length=1)]
    level: str
    measure: Measure
    columns: Columns
    dims: dict[str, str] = {}
    categories: dict[str, tuple[str, ...]] = {}
    where: dict[str, str] = {}
    event_format: str | None = None
    resolution: Resolution = "day"
    absent: Literal["zero", "missing"] = "missing"
    undated: Literal["fault", "keep"] = "fault"
    reports: Literal["replace", "add"] = "replace"
    max_delay: Annotated[int, Field(ge=0, le=3_650)] | None = None
    repeated: Literal["fault", "sum"] = "fault"
    integer: bool = True
    signed: bool = False
    report_lag_days: Annotated[int, Field(ge=0, le=36_500)] = 0

    @property
    def files(self) -> tuple[str, ...]:
        """Paths and patterns of its files."""
        return (self.file,) if isinstance(self.file, str) else self.file

    @property
    def file_label(self) -> str:
        """Its files in one line, for messages about all of them."""
        return ", ".join(self.files)

    @property
    def line_list(self) -> bool:
        """Whether each row is one event."""
        return self.columns.value is None

    @property
    def parts(self) -> bool:
        """Whether rows of one key and version are to be added."""
        return self.line_list or self.repeated == "sum"

    @field_validator("categories")
    @classmethod
    def _each_category_once(cls, categories: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for dim, labels in categories.items():
            if not labels or len(set(labels)) < len(labels):
                raise ValueError(f"categories of {dim!r} are {list(labels)}: give each category once, and at least one")
        return categories

    @field_validator("event_format")
    @classmethod
    def _can_be_parsed(cls, layout: str | None) -> str | None:
        if layout is None:
            return None
        if not re.search("%[YyG]", layout) or "%z" in layout.lower():
            raise ValueError("give strptime codes with a year and no time zone, such as %d/%m/%Y; leave event_format out for ISO 8601")
        try:
            pd.to_datetime(pd.Series(["x"]), format=layout, errors="coerce")
        except re.error as error:
            raise ValueError(f"a code is there twice ({error})") from error
        return layout

    @model_validator(mode="after")
    def _dims_have_names_of_their_own(self) -> Self:
        taken = self.dims.keys() & {self.level, self.resolution, *RESERVED}
        if taken:
            raise ValueError(f"dims cannot be named {sorted(taken)}: these names are in use; choose others")
        return self

    @model_validator(mode="after")
    def _columns_are_there_for_what_is_asked(self) -> Self:
        if (self.reports == "add") != (self.max_delay is not None):
            raise ValueError('give reports = "add" and max_delay together: a triangle has a longest delay, nothing else has')
        if self.columns.report is None and self.reports == "add":
            raise ValueError('reports = "add" needs the report column: map it in `columns`')
        if self.columns.report is None and self.undated == "keep":
            raise ValueError('undated = "keep" needs the report column, by which such rows are counted: map it in `columns`')
        if self.line_list and self.absent == "missing":
            raise ValueError('a line list (no value column) has no rows of zero: set absent = "zero", or map `value` in `columns`')
        return self
