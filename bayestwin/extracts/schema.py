"""How a study describes an extract: its file, its columns, what an absent row means."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Measure = Literal["appointments", "patients", "fte", "minutes", "messages", "visits", "score"]
Resolution = Literal["day", "week", "month"]


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
        event_format: strptime format of the dates; ISO 8601 if absent.
        resolution: length of a row's period.
        absent: what a missing row means: a zero count, or nothing known.
        repeated: what rows with one key mean: a fault, or parts of a unit that are to be added.
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
    report_lag_days: Annotated[int, Field(ge=0)] = 0
