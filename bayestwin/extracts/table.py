"""Read a delivered file into a table of text and numbers, or say what is wrong with the file itself."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import pandas as pd

from bayestwin.errors import ExtractError, Fault

LONGEST_LINE = 1_000_000  # bytes; a first line beyond this is no header
PEEK = 65_536


def read_table(path: Path) -> pd.DataFrame:
    """Every column of a CSV, CSV.gz or Parquet file as text, row order kept.

    Args:
        path: the file; its kind is told by its suffix.

    Raises:
        ExtractError: if it is missing, empty, cut short, binary, or not a table.
    """
    if not path.is_file():
        raise _unreadable(path, "file is missing", "a file at this path", "copy the extract there or correct `file` in study.toml")
    if path.stat().st_size == 0:
        raise _unreadable(path, "file is empty", "a header and rows", "ask for the extract again")
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path).astype("string")
        _refuse_binary(path)
        return pd.read_csv(path, dtype="string", keep_default_na=False, engine="c")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _unreadable(
            path, f"compressed file is cut short or damaged ({error})", "a whole gzip file", "copy or download it again"
        ) from error
    except UnicodeDecodeError as error:
        raise _unreadable(path, f"is not UTF-8 text (byte {error.start})", "UTF-8", "save the extract as UTF-8") from error
    except pd.errors.EmptyDataError as error:
        raise _unreadable(path, "file has no header", "a header and rows", "ask for the extract again") from error
    except (pd.errors.ParserError, ValueError, OSError) as error:
        raise _unreadable(path, f"cannot be read as a table ({error})", "CSV, CSV.gz or Parquet", "check the file's format") from error


def _refuse_binary(path: Path) -> None:
    """Look at the first bytes only: a file that is no text must not be read whole to find out."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as stream:
        head = stream.read(PEEK)
        if b"\0" in head:
            raise _unreadable(path, "is binary, not text", "CSV", "export the extract as CSV or Parquet")
        if b"\n" not in head and len(stream.read(LONGEST_LINE)) == LONGEST_LINE:
            raise _unreadable(path, f"first line is longer than {LONGEST_LINE:,} bytes", "a header line", "check that this is the extract")


def _unreadable(path: Path, problem: str, expected: str, remedy: str) -> ExtractError:
    return ExtractError([Fault(path.name, problem, expected=expected, remedy=remedy)])
