"""Typed observations: the only form in which data travel past the edge."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from bayestwin.errors import ExtractError, Fault
from bayestwin.extracts.deliveries import Delivery, read_deliveries
from bayestwin.extracts.hierarchy import Hierarchy
from bayestwin.extracts.schema import Extract
from bayestwin.extracts.validate import RowCheck
from bayestwin.extracts.versions import current, first_known, known_rows, last_report
from bayestwin.periods import first_day, period_index


@dataclass(frozen=True)
class Provenance:
    """Where observations came from.

    Attributes:
        extract: name of the extract.
        file: the files with rows that were used, joined by commas.
        sha256: hash of that file; of several, the hash of their sorted hashes. A later delivery leaves it as it is.
        rows: rows in all files.
        rows_used: rows used after the `where` filter and the as-of date.
        rows_after_as_of: rows not known at the as-of date, or of a report period not known whole, which were not seen.
        first_event, last_event: first days of the first and the last period with a row used.
        last_known: when the last of them became known.
        deliveries: every file.
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
    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True)
class Undated:
    """Rows without an event date.

    Attributes:
        values: their sum by report period and unit.
        periods: first days of the report periods, datetime64[D].
    """

    values: np.ndarray
    periods: np.ndarray


@dataclass(frozen=True)
class Observations:
    """Values of one stream on named dims.

    Attributes:
        stream: the stream that they feed.
        values: counts (int64) or measurements (float64), shape by `dims`; 0 where masked or hidden.
        mask: True where observed, same shape.
        hidden: True where observed but released as a symbol, same shape.
        dims: names of the axes; time first, then the unit's level, then further dims, in a triangle `delay` last.
        coords: coordinates by dim; time is datetime64[D] at the period's start, delay is in periods.
        measure: what the values count.
        provenance: where they came from.
        undated: rows without an event date, where the study keeps them.
    """

    stream: str
    values: np.ndarray
    mask: np.ndarray
    hidden: np.ndarray
    dims: tuple[str, ...]
    coords: Mapping[str, np.ndarray]
    measure: str
    provenance: Provenance
    undated: Undated | None = None


def read_extract(
    folder: Path,
    extract: Extract,
    hierarchy: Hierarchy,
    as_of: date,
    symbols: Collection[str] = frozenset(),
    checks: Sequence[RowCheck] = (),
) -> Observations:
    """Read one extract as it was known on a date.

    Args:
        folder: the study's folder.
        extract: how the study describes the table.
        hierarchy: the study's units.
        as_of: rows known later are not seen.
        symbols: texts that a release puts in place of a value, such as "*".
        checks: what the release promises about the values that it shows.

    Raises:
        ExtractError: with every fault of every file, if there are any.
    """
    units = hierarchy.codes[extract.level]
    rows, deliveries = read_deliveries(folder, extract, list(units), symbols, checks)
    seen = known_rows(rows, extract, as_of)
    dated = current(seen, extract)
    undated, dated = dated[dated["undated"]], dated[~dated["undated"]]
    if dated.empty:
        raise ExtractError([_nothing_known(rows, extract, as_of)])
    coords = _coords(dated, extract, units)
    index = _index(dated, extract, coords)
    values, mask, hidden = _filled(dated, extract, coords, index)
    if extract.reports == "add":
        mask &= observable(coords, last_report(rows, extract, as_of))
    return Observations(
        stream=extract.stream,
        values=values,
        mask=mask,
        hidden=hidden,
        dims=tuple(coords),
        coords=coords,
        measure=extract.measure,
        provenance=_provenance(extract, deliveries, rows, seen),
        undated=_undated(undated, extract, len(units)) if extract.undated == "keep" else None,
    )


def _nothing_known(rows: pd.DataFrame, extract: Extract, as_of: date) -> Fault:
    first = first_known(rows[~rows["undated"]], extract)
    whole = f"a row with an event date, of a {extract.resolution} whose reports are known whole"
    remedy = "move as_of later or ask for earlier data" if first else "ask for later data"
    return Fault(extract.file_label, f"nothing was known on {as_of}", expected=f"as_of ≥ {first}" if first else whole, remedy=remedy)


def _coords(rows: pd.DataFrame, extract: Extract, units: np.ndarray) -> dict[str, np.ndarray]:
    event = period_index(rows["event"].to_numpy(), extract.resolution)
    coords = {extract.resolution: first_day(np.arange(event.min(), event.max() + 1), extract.resolution), extract.level: units}
    for dim in extract.dims:
        coords[dim] = np.array(extract.categories.get(dim) or sorted(rows[dim].unique()))
    if extract.max_delay is not None:
        coords["delay"] = np.arange(extract.max_delay + 1)
    return coords


def _index(rows: pd.DataFrame, extract: Extract, coords: Mapping[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """The cell of each row."""
    event = period_index(rows["event"].to_numpy(), extract.resolution)
    index = [event - event.min(), rows["unit"].to_numpy(), *(pd.Index(coords[dim]).get_indexer(rows[dim]) for dim in extract.dims)]
    if extract.max_delay is not None:
        index.append(np.minimum(period_index(rows["report"].to_numpy(), extract.resolution) - event, extract.max_delay))
    return tuple(index)


def _filled(
    rows: pd.DataFrame, extract: Extract, coords: Mapping[str, np.ndarray], index: tuple[np.ndarray, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values, mask and hidden cells; a cell with any hidden row is hidden."""
    shape = tuple(len(coord) for coord in coords.values())
    values = _summed(rows, extract, index, shape)
    mask, hidden = np.zeros(shape, bool), np.zeros(shape, bool)
    mask[index] = True
    np.logical_or.at(hidden, index, rows["hidden"].to_numpy())
    if extract.absent == "zero":
        mask[:, rows["unit"].unique()] = True
    return np.where(hidden, values.dtype.type(0), values), mask, hidden


def _summed(rows: pd.DataFrame, extract: Extract, index: tuple[np.ndarray, ...], shape: tuple[int, ...]) -> np.ndarray:
    number = rows["value"].to_numpy()
    order = slice(None) if extract.integer else np.argsort(number, kind="stable")  # fractions add up the same in any order of rows
    values = np.zeros(shape, np.int64 if extract.integer else float)
    np.add.at(values, tuple(axis[order] for axis in index), number[order].astype(values.dtype))
    return values


def observable(coords: Mapping[str, np.ndarray], last: int) -> np.ndarray:
    """Cells of a triangle whose report period, in the last cell the first of them, is not after the last one; shape as `coords` or 1."""
    resolution = next(iter(coords))
    due = period_index(coords[resolution], resolution)[:, None] + coords["delay"] <= last
    return due.reshape(len(due), *[1] * (len(coords) - 2), -1)


def _undated(rows: pd.DataFrame, extract: Extract, units: int) -> Undated:
    report = period_index(rows["report"].to_numpy(), extract.resolution)
    periods = np.arange(report.min(), report.max() + 1) if len(report) else report
    values = _summed(rows, extract, (report - periods[:1], rows["unit"].to_numpy()), (len(periods), units))
    return Undated(values, first_day(periods, extract.resolution))


def _provenance(extract: Extract, deliveries: list[Delivery], rows: pd.DataFrame, seen: pd.DataFrame) -> Provenance:
    used = seen["delivery"].value_counts()
    deliveries = [replace(delivery, rows_used=int(used.get(i, 0))) for i, delivery in enumerate(deliveries)]
    with_rows = [delivery for delivery in deliveries if delivery.rows_used]
    digests = sorted(delivery.sha256 for delivery in with_rows)
    event = first_day(period_index(seen["event"].dropna().to_numpy(), extract.resolution), extract.resolution)
    return Provenance(
        extract=extract.name,
        file=", ".join(delivery.file for delivery in with_rows),
        sha256=digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest(),
        rows=sum(delivery.rows for delivery in deliveries),
        rows_used=len(seen),
        rows_after_as_of=len(rows) - len(seen),
        first_event=event.min().item(),
        last_event=event.max().item(),
        last_known=seen["known"].max().date(),
        deliveries=tuple(deliveries),
    )
