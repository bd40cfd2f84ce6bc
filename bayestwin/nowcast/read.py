"""Read a reporting triangle from a table: date, location, age_group, then one column a delay."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from bayestwin.errors import ExtractError, Fault
from bayestwin.nowcast.triangle import Triangle

KEYS = ["date", "location", "age_group"]
DELAY = re.compile(r"d(\d+)")
PLACE = re.compile(r"DE(-[A-Z]{2})?")
OPEN = re.compile(r"d\d+d_plus")


def read_triangle(path: Path) -> Triangle:
    """A daily reporting triangle as the German nowcast hub publishes it.

    Args:
        path: CSV file (also compressed) with columns date, location, age_group, d0, d1, …; an empty cell is not yet
            known, a negative one a correction. A last column such as d81d_plus gathers all longer delays; its
            reports have no known day, so it is left out.

    Raises:
        ExtractError: if the file is not there, a column is missing, a delay is skipped, or a date or count cannot be read.

    Source: Wolffram et al. (2023), "Collaborative nowcasting of COVID-19 hospitalization incidences in Germany",
    PLOS Computational Biology 19(8).
    """
    name = str(path)
    if not Path(path).is_file():
        raise ExtractError([Fault(name, "no such file", remedy="give the path of a reporting triangle")])
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    delays = _delay_columns(name, table)
    dates = _dates(name, table)
    counts = np.column_stack([_counts(name, table, column) for column in delays])
    _no_duplicates(name, table)
    keys = table["location"] + "," + table["age_group"]
    series = tuple(sorted(keys.unique()))
    days = np.arange(dates.min(), dates.max() + np.timedelta64(1, "D"))
    filled = np.full((len(days), len(delays), len(series)), np.nan)
    filled[np.searchsorted(days, dates), :, np.searchsorted(series, keys.to_numpy())] = counts
    seen = ~np.isnan(filled)
    places = tuple(place if PLACE.fullmatch(place := name.split(",")[0]) else None for name in series)
    return Triangle(np.where(seen, filled, 0.0), seen, days, series, places=places)


def _delay_columns(name: str, table: pd.DataFrame) -> list[str]:
    """Names d0, d1, … in order; faults where one is missing or a column is not understood."""
    faults = [
        Fault(name, "column missing", column=key, remedy="the table needs date, location and age_group") for key in KEYS if key not in table
    ]
    rest = [str(column) for column in table.columns if column not in KEYS]
    closed = [column for column in rest if DELAY.fullmatch(column)]
    for column in rest:
        if column not in closed and not OPEN.fullmatch(column):
            faults.append(Fault(name, "column not understood", column=column, expected="d0, d1, … or a last d81d_plus"))
    closed.sort(key=lambda column: int(column[1:]))
    wanted = [f"d{i}" for i in range(max(len(closed), 1))]
    faults += [
        Fault(name, "delay missing", column=want, remedy="give every delay from d0 on, in days after the event day")
        for want in wanted
        if want not in closed
    ]
    if not len(table):
        faults.append(Fault(name, "no rows", remedy="give at least one event date"))
    if faults:
        raise ExtractError(faults)
    return closed


def _dates(name: str, table: pd.DataFrame) -> np.ndarray:
    """Event dates, datetime64[D]."""
    dates = pd.to_datetime(table["date"], format="%Y-%m-%d", errors="coerce")
    wrong = np.flatnonzero(dates.isna())
    if wrong.size:
        expected = "a date such as 2021-11-21"
        raise ExtractError(
            [Fault(name, "not a date", "date", int(i) + 2, table["date"].iloc[i], expected, "correct the date") for i in wrong]
        )
    return dates.to_numpy().astype("datetime64[D]")


def _counts(name: str, table: pd.DataFrame, column: str) -> np.ndarray:
    """One delay's counts, NaN where empty."""
    text = table[column].str.strip()
    values = pd.to_numeric(text, errors="coerce").to_numpy(float)
    wrong = np.flatnonzero(((text != "") & np.isnan(values)) | np.isinf(values) | (values % 1 > 0))
    if wrong.size:
        expected = "a whole number, or empty where not yet known"
        raise ExtractError(
            [Fault(name, "not a count", column, int(i) + 2, text.iloc[i], expected, "correct or empty the cell") for i in wrong]
        )
    return values


def _no_duplicates(name: str, table: pd.DataFrame) -> None:
    """One row for each date, location and age group."""
    wrong = np.flatnonzero(table.duplicated(KEYS))
    if wrong.size:
        faults = [
            Fault(name, "second row of the same date, location and age group", "date", int(i) + 2, table["date"].iloc[i], remedy="keep one")
            for i in wrong
        ]
        raise ExtractError(faults)
