"""How a study describes an extract: its file, its columns, what an absent row means."""

import re
from typing import Annotated, Literal, Self

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Measure = Literal["appointments", "patients", "fte", "minutes", "messages", "visits", "score"]
Resolution = Literal["day", "week", "month"]
RESERVED = {"unit", "time", "event", "known", "value"}


class Columns(BaseModel):
    """Names of an extract's columns.

    Attributes:
        unit: code of the unit that a row is about.
        event: when it happened.
        value: the number released.
        report: when it became known, if the extract says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    unit: str
    event: str
    value: str
    report: str | None = None


class Extract(BaseModel):
    """One delivered table.

    Attributes:
        name: what the study calls it.
        stream: which of the model's streams it feeds.
        file: path inside the study's folder.
        level: level of the hierarchy that its units belong to.
        measure: what the value counts.
        columns: names of its columns.
        dims: further dims and the columns that hold them.
        categories: allowed values of each further dim, in order.
        where: keep only rows with these values.
        event_format: strptime format of the dates, without time zone; ISO 8601 if absent.
        resolution: length of a row's period.
        absent: what a missing row means: a zero count, or nothing known.
        repeated: what rows with one key (unit, event, further dims, report) mean: a fault, or parts that are to be added.
        integer: whether values must be whole numbers.
        report_lag_days: days from the end of a period until its rows are known, where no column says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    stream: str
    file: str
    level: str
    measure: Measure
    columns: Columns
    dims: dict[str, str] = {}
    categories: dict[str, tuple[str, ...]] = {}
    where: dict[str, str] = {}
    event_format: str | None = None
    resolution: Resolution = "day"
    absent: Literal["zero", "missing"] = "missing"
    repeated: Literal["fault", "sum"] = "fault"
    integer: bool = True
    report_lag_days: Annotated[int, Field(ge=0, le=36_500)] = 0

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
