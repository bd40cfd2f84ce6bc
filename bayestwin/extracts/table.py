"""Read a delivered file into a table of text and numbers, or say what is wrong with the file itself."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Sequence
from dataclasses import replace
from os.path import isfile
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pyarrow import ArrowException

from bayestwin.errors import ExtractError, Fault
from bayestwin.extracts.validate import PER_CHECK, further

LONGEST_HEADER = 65_536  # bytes; a first line beyond this is no header


def read_table(path: Path) -> pd.DataFrame:
    """Every column of a CSV, CSV.gz or Parquet file as text, row order kept, blank lines left out.

    Args:
        path: the file; its kind is told by its suffix.

    Returns:
        The rows; the index is the row's line in the file less two, so that the first line below the header is 0.

    Raises:
        ExtractError: if it is missing, empty, cut short, binary, or not a table.
    """
    if not isfile(path):
        raise _unreadable(path, "file is missing", "a file at this path", "copy the extract there or correct `file` in study.toml")
    if path.stat().st_size == 0:
        raise _unreadable(path, "file is empty", "a header and rows", "ask for the extract again")
    try:
        table = _read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _unreadable(
            path, f"compressed file is cut short or damaged ({error})", "a whole gzip file", "copy or download it again"
        ) from error
    except UnicodeDecodeError as error:
        raise _unreadable(path, f"is not UTF-8 text (byte {error.start})", "UTF-8", "save the extract as UTF-8") from error
    except pd.errors.EmptyDataError as error:
        raise _unreadable(path, "file has no header", "a header and rows", "ask for the extract again") from error
    except (pd.errors.ParserError, csv.Error, ValueError, OSError, ArrowException) as error:
        raise _unreadable(
            path, f"cannot be read as a table ({str(error).strip()})", "CSV, CSV.gz or Parquet", "check the file's format"
        ) from error
    if table.empty:
        raise _unreadable(path, "file has no rows, only a header", "a header and rows", "ask for the extract again")
    return table


def _read_parquet(path: Path) -> pd.DataFrame:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    _refuse_twice(path, file.schema_arrow.names)
    return file.read().to_pandas(ignore_metadata=True).astype("string")


def _read_csv(path: Path) -> pd.DataFrame:
    _refuse_binary(path)
    packed: Literal["gzip"] | None = "gzip" if path.suffix == ".gz" else None
    header = pd.read_csv(path, dtype="string", keep_default_na=False, header=None, nrows=1, compression=packed).iloc[0]
    _refuse_twice(path, header.tolist())
    table = pd.read_csv(path, dtype="string", keep_default_na=False, skip_blank_lines=False, compression=packed)
    if not isinstance(table.index, pd.RangeIndex):
        raise _unreadable(path, "rows have more fields than the header", "as many", "complete the header or remove the commas at the ends")
    table.index = pd.Index(_lines(table))
    doubtful = table[table.iloc[:, 0] == ""]
    blank = doubtful.index[(doubtful == "").all(axis=1)]
    table = table.drop(index=blank) if len(blank) else table
    if (table.iloc[:, -1] == "").any():  # as the last cell of a row that ends early reads too
        _refuse_short_rows(path, table.shape[1])
    return table


def _refuse_twice(path: Path, names: Sequence[str]) -> None:
    twice = [name for name in dict.fromkeys(names) if name and names.count(name) > 1]
    if twice:
        fault = Fault(path.name, "has two columns of one name", expected="each column once", remedy="rename or remove one of them")
        raise ExtractError([replace(fault, column=name) for name in twice])


def _refuse_short_rows(path: Path, columns: int) -> None:
    """A row that ends early is cut off, or lacks a cell before the last."""
    opener = gzip.open if path.suffix == ".gz" else open
    fault = Fault(path.name, "row has fewer fields than the header", expected=f"{columns} fields", remedy="ask for the extract again")
    with opener(path, "rt", encoding="utf-8-sig", newline="") as stream:
        reader, line, faults = csv.reader(stream), 1, []
        for fields in reader:
            if 0 < len(fields) < columns:
                faults.append(replace(fault, row=line, value=",".join(fields)[:80]))
            line = reader.line_num + 1
    if faults:
        raise ExtractError(faults[:PER_CHECK] + further(fault, len(faults)))


def _lines(table: pd.DataFrame) -> np.ndarray:
    """Line of each row less two; a line break inside quotes moves the rows below it."""
    if not any(table[column].str.contains("\n", regex=False).any() for column in table):
        return np.arange(len(table))
    breaks = sum(table[column].str.count("\n").to_numpy(int) for column in table)
    return np.arange(len(table)) + np.concatenate([[0], np.cumsum(breaks)])[: len(table)]


def _refuse_binary(path: Path) -> None:
    """Look at the first bytes only: a file that is no text must not be read whole to find out."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as stream:
        header = stream.readline(LONGEST_HEADER + 1)
        if b"\0" in header + stream.read(LONGEST_HEADER):
            raise _unreadable(path, "is binary, not text", "CSV in UTF-8", "export the extract as CSV or Parquet")
        if len(header) > LONGEST_HEADER:
            raise _unreadable(path, f"first line is longer than {LONGEST_HEADER:,} bytes", "a header", "check that this is the extract")


def _unreadable(path: Path, problem: str, expected: str, remedy: str) -> ExtractError:
    return ExtractError([Fault(path.name, problem, expected=expected, remedy=remedy)])
