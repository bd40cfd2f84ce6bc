"""The deliveries of an extract: files in, one frame of typed rows out, or every fault of every file."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from glob import glob
from os.path import isfile  # unlike Path.is_file it has an answer for names that no file can have
from pathlib import Path

import pandas as pd

from bayestwin.errors import ExtractError, Fault
from bayestwin.extracts.gaps import far_dates
from bayestwin.extracts.rows import typed_rows
from bayestwin.extracts.schema import Extract
from bayestwin.extracts.table import read_table
from bayestwin.extracts.validate import RowCheck, missing_columns, row_faults
from bayestwin.extracts.versions import conflicts


@dataclass(frozen=True)
class Delivery:
    """One file of an extract.

    Attributes:
        file: path inside the study's folder.
        sha256: hash of the file.
        rows: rows in the file.
        rows_used: rows used after the `where` filter and the as-of date.
    """

    file: str
    sha256: str
    rows: int
    rows_used: int = 0


def delivered_files(folder: Path, extract: Extract) -> list[str]:
    """Names of an extract's files inside a folder, patterns written out; a pattern that fits no file stays as it is."""
    found: list[str] = []
    for name in extract.files:
        fitting = [] if isfile(folder / name) else sorted(glob(name, root_dir=folder, recursive=True))
        found += [Path(fit).as_posix() for fit in fitting if isfile(folder / fit)] or [name]
    return list(dict.fromkeys(found))


def read_deliveries(
    folder: Path, extract: Extract, units: Sequence[str], symbols: Collection[str], checks: Sequence[RowCheck]
) -> tuple[pd.DataFrame, list[Delivery]]:
    """The typed rows of all deliveries, with the delivery's number in `delivery`, and what the deliveries are.

    Args:
        folder: the study's folder.
        extract: how the study describes the table.
        units: codes of the extract's level of the hierarchy.
        symbols: texts that a release puts in place of a value.
        checks: what the release promises about the values that it shows.

    Raises:
        ExtractError: with every fault of every file.
    """
    faults: list[Fault] = []
    frames: list[pd.DataFrame] = []
    deliveries: list[Delivery] = []
    for file in delivered_files(folder, extract):
        try:
            table = read_table(folder / file)
        except ExtractError as error:
            faults += [replace(fault, file=file) for fault in error.faults]
            continue
        digest = hashlib.sha256((folder / file).read_bytes()).hexdigest()
        if digest in [delivery.sha256 for delivery in deliveries]:
            continue  # the same delivery under another name: parts and line lists must not count it twice
        frame, wrong = _checked(table, extract, file, units, symbols, checks)
        faults += wrong
        frames += [] if frame is None else [frame.assign(delivery=len(deliveries))]
        deliveries.append(Delivery(file, digest, len(table)))
    rows = pd.concat(frames, ignore_index=True) if frames else None
    if rows is not None:
        files = [delivery.file for delivery in deliveries]
        faults += [*conflicts(rows, extract, files), *far_dates(rows, extract, files)]
    if faults:
        raise ExtractError(faults)
    if rows is None:
        remedy = f"check `where` of extract {extract.name!r}"
        raise ExtractError([Fault(extract.file_label, "extract has no rows", expected="at least one", remedy=remedy)])
    return rows, deliveries


def _checked(
    table: pd.DataFrame, extract: Extract, file: str, units: Sequence[str], symbols: Collection[str], checks: Sequence[RowCheck]
) -> tuple[pd.DataFrame | None, list[Fault]]:
    """The typed rows that `where` keeps, if there are any, and their faults."""
    missing = missing_columns(table, extract, file)
    if missing:
        return None, missing
    for column, value in extract.where.items():
        table = table[table[column] == value]
    if table.empty:
        return None, []
    rows = typed_rows(table, extract, units, symbols)
    return rows, row_faults(table, rows, extract, file, symbols, checks)
