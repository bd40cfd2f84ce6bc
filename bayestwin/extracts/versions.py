"""The as-of store: which rows were known on a date, and which version of each counts.

A row is about a *key*. Rows of one key that became known or were reported at different times are its *versions*; the last
one known counts. Rows of one key and one version are a repeat, parts that add up, or a conflict.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from bayestwin.errors import Fault
from bayestwin.extracts.schema import Extract
from bayestwin.extracts.validate import PER_CHECK, further
from bayestwin.periods import DAY, last_whole, period_end, period_index


def known_rows(rows: pd.DataFrame, extract: Extract, as_of: date) -> pd.DataFrame:
    """The rows that were known on a date; of a triangle only those of report periods that were known whole."""
    seen = _known_by(rows, as_of)
    if extract.reports == "replace" or seen.empty:
        return seen
    return seen[period_index(seen["report"].to_numpy(), extract.resolution) <= last_report(rows, extract, as_of)]


def _known_by(rows: pd.DataFrame, as_of: date) -> pd.DataFrame:
    return rows[rows["known"].to_numpy() < np.datetime64(as_of) + DAY]


def first_known(rows: pd.DataFrame, extract: Extract) -> date | None:
    """The first date on which a row counts, if there is one."""
    known = rows["known"].to_numpy().astype("datetime64[D]")
    ended = period_end(rows["report"].to_numpy(), extract.resolution)
    days = np.unique(np.concatenate([known, ended])).tolist()
    return next((day for day in days if not known_rows(rows, extract, day).empty), None)


def last_report(rows: pd.DataFrame, extract: Extract, as_of: date) -> int:
    """Number of the last report period that was known whole on a date on which any row was known.

    Where rows say when they reached us, silence after the last of them, or after the last report in them, is no zero.
    """
    if extract.columns.known is None:
        return last_whole(as_of, extract.resolution)
    seen = _known_by(rows, as_of)
    reached, reported = seen["known"].max().date(), seen["report"].to_numpy()
    return min(last_whole(reached, extract.resolution), int(period_index(reported, extract.resolution).max()))


def current(rows: pd.DataFrame, extract: Extract) -> pd.DataFrame:
    """The last version of each key, repeats left out; all its parts where rows are parts."""
    key = ["unit", "event", *extract.dims]
    if extract.reports == "add" or extract.line_list:
        return _last(rows, [*key, "report"], extract)  # no report replaces another
    undated = rows["undated"].to_numpy()
    if not undated.any():
        return _last(rows, key, extract)
    return pd.concat([_last(rows[~undated], key, extract), _last(rows[undated], [*key, "report"], extract)])


def _last(rows: pd.DataFrame, key: list[str], extract: Extract) -> pd.DataFrame:
    versioned = bool(extract.columns.later.keys() - set(key))
    if extract.parts and not versioned:
        return rows
    ordered = rows.sort_values(["known", "report"], kind="stable") if versioned else rows
    last = ordered.drop_duplicates(key, keep="last")
    return rows.merge(last[list(dict.fromkeys([*key, "known", "report"]))]) if extract.parts else last


def conflicts(rows: pd.DataFrame, extract: Extract, files: Sequence[str]) -> list[Fault]:
    """Rows that give a key, known and reported at the same time, another value than an earlier row does.

    Args:
        rows: the rows of all deliveries; those that cannot be read are passed over.
        extract: how the study describes them.
        files: names of the deliveries.
    """
    if extract.parts:
        return []
    key = ["unit", "event", *extract.dims, *extract.columns.later]
    readable = (rows["unit"] >= 0) & (rows["event"].notna() | rows["undated"]) & rows[["report", "known", "value"]].notna().all(axis=1)
    shared = rows[readable & rows.duplicated(key, keep=False)]
    if shared.empty:
        return []
    first = shared.groupby(key, dropna=False)[["value", "hidden", "line", "delivery"]].transform("first")
    differs = (shared["value"] != first["value"]) | (shared["hidden"] != first["hidden"])
    found = [
        _conflict(row, other, extract, files)
        for row, other in zip(shared[differs].head(PER_CHECK).itertuples(), first[differs].head(PER_CHECK).itertuples(), strict=True)
    ]
    return found + (further(Fault(extract.file_label, found[0].problem, extract.columns.value), int(differs.sum())) if found else [])


def _conflict(row: Any, other: Any, extract: Extract, files: Sequence[str]) -> Fault:
    line = f"line {other.line}" if row.delivery == other.delivery else f"line {other.line} of {files[other.delivery]}"
    remedy = "remove one of the rows, or map `report` or `known` so that revisions are told apart"
    expected = f"{_shown(other)} as on {line}"
    return Fault(files[row.delivery], "one key has two values", extract.columns.value, int(row.line), _shown(row), expected, remedy)


def _shown(row: Any) -> str:
    return "a symbol" if row.hidden else f"{row.value:.15g}"
