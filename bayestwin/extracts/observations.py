"""Typed observations: the only form in which data travel past the edge."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from bayestwin.errors import ExtractError, Fault
from bayestwin.extracts.hierarchy import Hierarchy
from bayestwin.extracts.schema import Extract
from bayestwin.extracts.table import read_table
from bayestwin.extracts.validate import dates, duplicate_faults, missing_columns, row_faults

DAY, MONTH = np.timedelta64(1, "D"), np.timedelta64(1, "M")
FREQUENCY = {"day": "D", "week": "W", "month": "M"}


@dataclass(frozen=True)
class Provenance:
    """Where observations came from.

    Attributes:
        extract: name of the extract.
        file: its file inside the study.
        sha256: hash of that file.
        rows: rows in the file.
        rows_used: rows used after the `where` filter and the as-of date.
        rows_after_as_of: rows not known at the as-of date, which were not seen.
        first_event, last_event: span of the rows used.
        last_known: when the last of them became known.
    """

    extract: str
    file: str
    sha256: str
    rows: int
    rows_used: int
    rows_after_as_of: int
    first_event: date
    last_event: date
    last_known: date


@dataclass(frozen=True)
class Observations:
    """Values of one stream on named dims.

    Attributes:
        stream: the stream that they feed.
        values: counts (int64) or measurements (float64), shape by `dims`; 0 where masked.
        mask: True where observed, same shape.
        dims: names of the axes; time first, then the unit's level, then further dims.
        coords: coordinates by dim; time is datetime64[D] at the period's start.
        measure: what the values count.
        provenance: where they came from.
    """

    stream: str
    values: np.ndarray
    mask: np.ndarray
    dims: tuple[str, ...]
    coords: Mapping[str, np.ndarray]
    measure: str
    provenance: Provenance


def read_extract(folder: Path, extract: Extract, hierarchy: Hierarchy, as_of: date) -> Observations:
    """Read one extract as it was known on a date.

    Args:
        folder: the study's folder.
        extract: how the study describes the table.
        hierarchy: the study's units.
        as_of: rows known later are not seen.

    Raises:
        ExtractError: with every fault of the file, if it has any.
    """
    path = folder / extract.file
    whole = read_table(path)
    faults = missing_columns(whole, extract)
    if faults:
        raise ExtractError(faults)
    table = _kept(whole, extract)
    if table.empty:
        raise ExtractError(
            [Fault(extract.file, "extract has no rows", expected="at least one", remedy=f"check `where` of extract {extract.name!r}")]
        )
    faults = row_faults(table, extract, list(hierarchy.codes[extract.level]))
    faults += duplicate_faults(table, extract) if extract.repeated == "fault" else []
    if faults:
        raise ExtractError(faults)
    rows = _typed(table, extract)
    seen = rows[rows["known"].to_numpy() < np.datetime64(as_of) + DAY]
    if seen.empty:
        first = rows["known"].min().date()
        remedy = "move as_of later or ask for earlier data"
        raise ExtractError([Fault(extract.file, f"nothing was known on {as_of}", expected=f"as_of ≥ {first}", remedy=remedy)])
    return _dense(
        _latest(seen, extract) if extract.columns.report else seen, extract, hierarchy, _provenance(path, extract, whole, rows, seen)
    )


def _kept(table: pd.DataFrame, extract: Extract) -> pd.DataFrame:
    for column, value in extract.where.items():
        table = table[table[column] == value]
    return table


def _typed(table: pd.DataFrame, extract: Extract) -> pd.DataFrame:
    event = dates(table[extract.columns.event], extract.event_format).to_numpy()
    start = period_start(event.astype("datetime64[D]"), extract.resolution)
    if extract.columns.report:
        known = dates(table[extract.columns.report], None).to_numpy()
    else:
        known = period_end(start, extract.resolution) + extract.report_lag_days * DAY
    number = pd.to_numeric(table[extract.columns.value]).to_numpy()
    typed = {"time": start, "event": event, "unit": table[extract.columns.unit].to_numpy(str), "known": known}
    typed |= {dim: table[column].to_numpy(str) for dim, column in extract.dims.items()}
    typed["value"] = number.astype(np.int64 if extract.integer else float)
    return pd.DataFrame(typed)


def period_start(days: np.ndarray, resolution: str) -> np.ndarray:
    """First day of each day's period, datetime64[D]; weeks begin on Monday."""
    if resolution == "month":
        return days.astype("datetime64[M]").astype("datetime64[D]")
    if resolution == "week":
        return days - ((days.astype(int) + 3) % 7).astype("timedelta64[D]")
    return days


def period_end(starts: np.ndarray, resolution: str) -> np.ndarray:
    """Last day of each period, datetime64[D]."""
    if resolution == "month":
        return (starts.astype("datetime64[M]") + MONTH).astype("datetime64[D]") - DAY
    return starts + (6 * DAY if resolution == "week" else 0 * DAY)


def _latest(rows: pd.DataFrame, extract: Extract) -> pd.DataFrame:
    """The last version of each released row."""
    return rows.sort_values("known", kind="stable").drop_duplicates(["unit", "event", *extract.dims], keep="last")


def _provenance(path: Path, extract: Extract, whole: pd.DataFrame, rows: pd.DataFrame, seen: pd.DataFrame) -> Provenance:
    return Provenance(
        extract=extract.name,
        file=extract.file,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        rows=len(whole),
        rows_used=len(seen),
        rows_after_as_of=len(rows) - len(seen),
        first_event=seen["time"].min().date(),
        last_event=seen["time"].max().date(),
        last_known=seen["known"].max().date(),
    )


def _dense(rows: pd.DataFrame, extract: Extract, hierarchy: Hierarchy, provenance: Provenance) -> Observations:
    time = rows["time"].to_numpy().astype("datetime64[D]")
    coords: dict[str, np.ndarray] = {extract.resolution: _every_period(time.min(), time.max(), extract.resolution)}
    coords[extract.level] = hierarchy.codes[extract.level]
    for dim in extract.dims:
        coords[dim] = np.array(extract.categories.get(dim) or sorted(rows[dim].unique()))
    columns = [time, rows["unit"].to_numpy(str), *(rows[dim].to_numpy(str) for dim in extract.dims)]
    index = tuple(_position(coord, column) for coord, column in zip(coords.values(), columns, strict=True))
    shape = tuple(len(coord) for coord in coords.values())
    values = np.zeros(shape, np.int64 if extract.integer else float)
    np.add.at(values, index, rows["value"].to_numpy())
    mask = np.zeros(shape, bool)
    mask[index] = True
    if extract.absent == "zero":
        mask |= np.isin(coords[extract.level], rows["unit"].to_numpy(str)).reshape(1, -1, *[1] * len(extract.dims))
    return Observations(extract.stream, values, mask, tuple(coords), coords, extract.measure, provenance)


def _every_period(first: np.datetime64, last: np.datetime64, resolution: str) -> np.ndarray:
    if resolution == "month":
        return np.arange(first.astype("datetime64[M]"), last.astype("datetime64[M]") + MONTH).astype("datetime64[D]")
    return np.arange(first, last + DAY, 7 * DAY if resolution == "week" else DAY)


def _position(coord: np.ndarray, column: np.ndarray) -> np.ndarray:
    order = np.argsort(coord)
    return order[np.searchsorted(coord[order], column)]
