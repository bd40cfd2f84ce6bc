"""A study: one folder with `study.toml` and its extracts, the unit of work.

study   = read_study(folder)             the question, the units, the extracts, the barriers
units   = read_hierarchy(study)          which unit belongs to which
streams = read_observations(study)       what was known at the as-of date, by stream
"""

from __future__ import annotations

import hashlib
import json
import types
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from difflib import get_close_matches
from os.path import isfile
from pathlib import Path
from typing import Annotated, Any, Literal, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator, model_validator

from bayestwin.cells import StudyExtract, contradictions, exact_sum_faults, row_checks, symbols_of
from bayestwin.components.calendar import unknown_place
from bayestwin.errors import ExtractError, Fault, StudyError
from bayestwin.extracts.deliveries import delivered_files
from bayestwin.extracts.hierarchy import Hierarchy, HierarchyFile, read_hierarchy_file
from bayestwin.extracts.ledger import LedgerRow, ledger_row
from bayestwin.extracts.observations import Observations, read_extract
from bayestwin.extracts.validate import YEARS
from bayestwin.toml import parsed, read_toml

STUDY_FILE = "study.toml"
EARLIEST, LATEST = (year.date() for year in YEARS)


class SchoolHoliday(BaseModel):
    """Days on which a share of schools is closed; term dates are published years ahead."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: date
    end: date
    share: Annotated[float, Field(gt=0, le=1)] = 1.0

    @model_validator(mode="after")
    def _runs_forwards(self) -> Self:
        if self.end < self.start:
            raise ValueError(f"a school holiday runs from {self.start} to {self.end}: give the earlier day first")
        return self


class Calendar(BaseModel):
    """Which days are holidays, in the past and ahead.

    Attributes:
        country: ISO 3166 code whose public holidays count.
        subdivision: its subdivision, such as ENG.
        school_holidays: spans of days with the share of schools closed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    country: str
    subdivision: str | None = None
    school_holidays: tuple[SchoolHoliday, ...] = ()

    @model_validator(mode="after")
    def _has_known_holidays(self) -> Self:
        problem = unknown_place(self.country, self.subdivision)
        if problem:
            raise ValueError(f"{problem}: give ISO 3166 codes, such as GB and ENG")
        return self


class StudyPrior(BaseModel):
    """A prior that the study states in place of the model's own; unit and source are required."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    distribution: Literal["Normal", "LogNormal", "HalfNormal", "Beta", "Gamma"]
    parameters: tuple[float | tuple[float, ...], ...]
    unit: Annotated[str, Field(min_length=1)]
    source: Annotated[str, Field(min_length=1)]


class Study(BaseModel):
    """What is asked, of which units, with which data, through which barriers.

    Attributes:
        name: short name, used for folders.
        model: name of a model of the library, or a path to a model folder.
        question: the quantity of interest, as a sentence.
        audience: who acts on the answer.
        as_of: rows known later are not seen.
        grid: period of the counts, "week" or "day".
        horizon_weeks: weeks to forecast.
        calendar: whose public holidays count.
        hierarchy: the table of units.
        extracts: the delivered tables.
        priors: priors stated in place of the model's.
        truth: file with the true values, where the study was simulated.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]
    model: str
    question: str
    audience: str
    as_of: date
    grid: Literal["week", "day"] = "week"
    horizon_weeks: Annotated[int, Field(ge=1, le=104)] = 8
    calendar: Calendar
    hierarchy: HierarchyFile
    extracts: Annotated[tuple[StudyExtract, ...], Field(min_length=1, alias="extract")]
    priors: Annotated[tuple[StudyPrior, ...], Field(alias="prior")] = ()
    truth: str | None = None
    _folder: Path = PrivateAttr(default=Path())

    @field_validator("as_of")
    @classmethod
    def _is_a_day_of_our_time(cls, as_of: date) -> date:
        if not EARLIEST <= as_of <= LATEST:
            raise ValueError(f"give a day from {EARLIEST} to {LATEST}, as all dates of extracts are")
        return as_of

    @property
    def folder(self) -> Path:
        """The study's folder."""
        return self._folder

    @property
    def sha256(self) -> str:
        """Hash of the study as parsed: layout and comments of the file do not matter."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def hierarchy_sha256(self) -> str:
        """Hash of the table of units."""
        return hashlib.sha256((self.folder / self.hierarchy.file).read_bytes()).hexdigest()

    @property
    def truth_sha256(self) -> str | None:
        """Hash of the true values, where the study was simulated."""
        return hashlib.sha256((self.folder / self.truth).read_bytes()).hexdigest() if self.truth else None

    def at(self, as_of: date) -> Study:
        """The same study asked as of another date."""
        moved = self.model_copy(update={"as_of": as_of})
        moved._folder = self.folder
        return moved


def study_json_schema() -> dict[str, Any]:
    """JSON Schema of `study.toml`."""
    return Study.model_json_schema(by_alias=True)


def read_study(path: str | Path) -> Study:
    """Read and check a study's `study.toml`.

    Args:
        path: the study's folder, or the file itself.

    Raises:
        StudyError: with every fault: no such file, TOML syntax, unknown key (with the nearest), wrong value,
            files that are missing.

    Example:
        >>> from bayestwin.library import library_folder
        >>> read_study(library_folder("data") / "virtual_practices").model
        'gp_appointments'
    """
    path = Path(path)
    file = path / STUDY_FILE if path.is_dir() else path
    raw = read_toml(file, StudyError, remedy="give the folder that holds study.toml; `bayestwin init` makes one")
    try:
        study = parsed(Study, raw)
    except ValidationError as error:
        raise StudyError([_schema_fault(file.name, detail) for detail in error.errors()]) from error
    study._folder = file.parent
    faults = list(_consistency(study, file.name))
    if faults:
        raise StudyError(faults)
    return study


def _schema_fault(file: str, detail: Mapping[str, Any]) -> Fault:
    loc = list(detail["loc"])
    key = ".".join(str(part) for part in loc)
    if detail["type"] == "extra_forbidden":
        allowed = _allowed_keys(loc[:-1])
        near = get_close_matches(str(loc[-1]), allowed, n=1, cutoff=0.5)
        remedy = f"did you mean {near[0]!r}?" if near else f"remove it; the keys here are {sorted(allowed)}"
        return Fault(file, "unknown key", key, expected="a key of the schema", remedy=remedy)
    value = None if detail["type"] == "missing" else str(detail["input"])[:80]
    return Fault(
        file, detail["msg"][:1].lower() + detail["msg"][1:], key, value=value, remedy="see docs/study.schema.json for what is allowed"
    )


def _allowed_keys(loc: Iterable[Any]) -> list[str]:
    """Keys that the schema allows at a place; list positions and union tags in the place are stepped over."""
    models: list[type[BaseModel]] = [Study]
    for part in loc:
        annotations = [f.annotation for m in models for n, f in m.model_fields.items() if part in (n, f.alias)]
        tagged = [m for m in models if "kind" in m.model_fields and part == m.model_fields["kind"].default]
        models = tagged or [m for a in annotations for m in _models_in(a)] or models
    return [field.alias or name for model in models for name, field in model.model_fields.items()]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (tuple, list, dict, Union, types.UnionType, Annotated):
        return [model for part in get_args(annotation) for model in _models_in(part)]
    return []


def _consistency(study: Study, file: str) -> Iterable[Fault]:
    """Faults that no single key shows: missing files, names used twice or not at all, levels and dims that do not fit."""
    yield from _file_faults(study, file)
    for stream in _twice(extract.stream for extract in study.extracts):
        yield Fault(file, "stream is fed by two extracts", "extract.stream", value=stream, expected="one extract a stream")
    for name in _twice(extract.name for extract in study.extracts):
        yield Fault(file, "two extracts have one name", "extract.name", value=name, expected="a name of its own for each extract")
    for name in _twice(prior.name for prior in study.priors):
        yield Fault(file, "two priors of one parameter", "prior.name", value=name, expected="one prior a parameter", remedy="remove one")
    yield from _reference_faults(study, file)
    for extract in study.extracts:
        if extract.level not in study.hierarchy.columns:
            near = get_close_matches(extract.level, study.hierarchy.columns, n=1)
            remedy = f"did you mean {near[0]!r}?" if near else None
            yield Fault(
                file,
                "level is not in the hierarchy",
                f"extract.{extract.name}.level",
                value=extract.level,
                expected=f"one of {list(study.hierarchy.columns)}",
                remedy=remedy,
            )
        if extract.repeated == "sum" and extract.columns.report and extract.reports == "replace":
            yield Fault(
                file,
                "rows of one key cannot be both parts and revisions",
                f"extract.{extract.name}.repeated",
                value="sum",
                expected="'fault' with a report column",
            )
        for dim in extract.categories.keys() - extract.dims.keys():
            yield Fault(
                file,
                "categories of a dim without a column",
                f"extract.{extract.name}.categories",
                value=dim,
                expected=f"one of {list(extract.dims)}",
            )


def _file_faults(study: Study, file: str) -> Iterable[Fault]:
    """Files that are not there, or outside of the study's folder; only the truth of a simulated study may lie beside it."""
    named = [study.hierarchy.file, *(name for extract in study.extracts for name in extract.files)]
    outside = [name for name in dict.fromkeys(named) if Path(name).is_absolute() or ".." in Path(name).parts]
    for name in outside:
        remedy = "copy it into the folder: a study holds all that it reads"
        yield Fault(file, "file lies outside of the study's folder", value=name, expected=f"a file in {study.folder}", remedy=remedy)
    delivered = (name for extract in study.extracts for name in delivered_files(study.folder, extract))
    for name in dict.fromkeys([study.hierarchy.file, *delivered, *([study.truth] if study.truth else [])]):
        if name not in outside and not isfile(study.folder / name):
            yield Fault(
                file, "file is missing", value=name, expected=f"a file in {study.folder}", remedy="copy it there or correct its name"
            )


def _reference_faults(study: Study, file: str) -> Iterable[Fault]:
    """Barriers that name a stream which no extract feeds."""
    fed = [extract.stream for extract in study.extracts]
    for extract in study.extracts:
        for barrier in extract.barriers:
            for key in ("exact", "covered", "population"):
                stream = getattr(barrier, key) if key in type(barrier).model_fields else None
                if stream is not None and stream not in fed:
                    near = get_close_matches(stream, fed, n=1)
                    remedy = f"did you mean {near[0]!r}?" if near else None
                    place = f"extract.{extract.name}.barriers.{barrier.title}.{key}"
                    yield Fault(file, "no extract feeds the stream", place, value=stream, expected=f"one of {fed}", remedy=remedy)


def _twice(names: Iterable[str]) -> list[str]:
    names = list(names)
    return [name for name in dict.fromkeys(names) if names.count(name) > 1]


def read_hierarchy(study: Study) -> Hierarchy:
    """The study's units, level by level.

    Raises:
        ExtractError: as `read_hierarchy_file`.
    """
    return read_hierarchy_file(study.folder, study.hierarchy)


def read_observations(
    study: Study, hierarchy: Hierarchy, streams: Iterable[str], optional: Collection[str] = frozenset()
) -> dict[str, Observations]:
    """Everything that was known at the study's as-of date, by stream.

    Args:
        study: the study.
        hierarchy: its units.
        streams: the streams that the model asks for.
        optional: those of them that may be absent.

    Raises:
        ExtractError: with the faults of all extracts together, unknown and absent streams among them.
    """
    faults = list(_stream_faults(study, list(streams), optional))
    observations = {}
    for extract in study.extracts:
        try:
            access = extract.access(study.as_of)
            checks = row_checks(access, whole=extract.integer)
            found = read_extract(study.folder, extract, hierarchy, study.as_of, symbols_of(access), checks)
            faults.extend(contradictions(extract, found, access, hierarchy))
            observations[extract.stream] = found
        except ExtractError as error:
            faults.extend(error.faults)
    faults.extend(exact_sum_faults(study.extracts, observations, hierarchy))
    if faults:
        raise ExtractError(faults)
    return observations


def _stream_faults(study: Study, streams: list[str], optional: Collection[str]) -> Iterable[Fault]:
    fed = [extract.stream for extract in study.extracts]
    for stream in fed:
        if stream not in streams:
            near = get_close_matches(stream, streams, n=1)
            remedy = f"did you mean {near[0]!r}?" if near else None
            yield Fault(STUDY_FILE, "unknown stream", "extract.stream", value=stream, expected=f"one of {streams}", remedy=remedy)
    for stream in streams:
        if stream not in fed and stream not in optional:
            yield Fault(
                STUDY_FILE,
                "no extract feeds the stream",
                "extract.stream",
                value=stream,
                expected=f"an extract for every stream of the model{f', {sorted(optional)} aside' if optional else ''}",
            )


def withheld(study: Study, streams: Iterable[str]) -> list[str]:
    """Streams of the model that no extract of the study feeds."""
    fed = {extract.stream for extract in study.extracts}
    return [stream for stream in streams if stream not in fed]


def ledger(study: Study, observations: Mapping[str, Observations]) -> list[LedgerRow]:
    """The access ledger, an extract a row."""
    return [ledger_row(observations[extract.stream], extract.barriers, study.as_of) for extract in study.extracts]


if __name__ == "__main__":
    print(json.dumps(study_json_schema(), indent=2))
