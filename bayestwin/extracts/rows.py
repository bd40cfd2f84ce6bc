"""The rows of one delivery by type: text becomes positions, dates and numbers, once."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from bayestwin.extracts.schema import Extract
from bayestwin.extracts.validate import by_unique, dates, is_missing
from bayestwin.periods import DAY, period_end


def typed_rows(table: pd.DataFrame, extract: Extract, units: Sequence[str], symbols: Collection[str]) -> pd.DataFrame:
    """Unit, dates, value and dims of each row; -1, NaT or NaN where the text cannot be read, so that every fault can be listed.

    Args:
        table: the rows as text; the index is the row's line in the file less two.
        extract: how the study describes the table.
        units: codes of the extract's level of the hierarchy.
        symbols: texts that a release puts in place of a value.

    Returns:
        Columns unit (position among the units), event, report, known, value (0 where hidden), hidden, undated, line, and
        the dims as text. Without a report column, report is known.
    """
    columns = extract.columns
    event = dates(table[columns.event], extract.event_format, months=extract.resolution == "month").to_numpy()
    stated = {step: dates(table[column], None).to_numpy() for step, column in columns.later.items()}
    known = stated.get("known", stated.get("report", _published(event, extract)))
    undated = is_missing(table[columns.event]) & (extract.undated == "keep")
    value, hidden = _values(table, extract, symbols, undated)
    typed = {
        "unit": by_unique(table[columns.unit], lambda unique: pd.Index(units).get_indexer(pd.Index(unique))),
        "event": event,
        "report": stated.get("report", known),
        "known": known,
        "value": value,
        "hidden": hidden,
        "undated": undated,
        "line": table.index.to_numpy() + 2,
    }
    return pd.DataFrame(typed | {dim: table[column].array for dim, column in extract.dims.items()})


def _published(event: np.ndarray, extract: Extract) -> np.ndarray:
    """When rows become known of which no column says it."""
    published, readable = event.astype("datetime64[D]"), ~np.isnat(event)
    published[readable] = period_end(event[readable], extract.resolution) + extract.report_lag_days * DAY
    return published


def _values(table: pd.DataFrame, extract: Extract, symbols: Collection[str], undated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if extract.columns.value is None:
        return np.ones(len(table)), np.zeros(len(table), bool)
    text = table[extract.columns.value]
    number = by_unique(text, lambda unique: pd.to_numeric(unique, errors="coerce").to_numpy(float, na_value=np.nan))
    # A hidden row without an event date could be put in no cell, so that there its symbol is a fault of the value.
    hidden = by_unique(text, lambda unique: unique.isin(list(symbols)).to_numpy(bool)) & ~undated
    return np.where(hidden, 0.0, number), hidden
