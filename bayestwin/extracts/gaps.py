"""Dates that stand far from all others: a slip of the year would stretch an extract over decades that nobody recorded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bayestwin.errors import Fault
from bayestwin.extracts.schema import Extract

LONGEST = {
    "zero": np.timedelta64(1_096, "D"),  # three years in which nothing happened anywhere
    "missing": np.timedelta64(4_018, "D"),  # eleven, as censuses are ten apart
}


def far_dates(rows: pd.DataFrame, extract: Extract, files: Sequence[str]) -> list[Fault]:
    """The row on the emptier side of every gap that is too long.

    Args:
        rows: the rows of all deliveries; those without a date are passed over.
        extract: how the study describes them.
        files: names of the deliveries.
    """
    dated = rows[rows["event"].notna()].sort_values("event", kind="stable")
    days = dated["event"].to_numpy().astype("datetime64[D]")
    faults = []
    for after in np.flatnonzero(np.diff(days) > LONGEST[extract.absent]):
        lone, other = (after, after + 1) if after + 1 <= len(days) // 2 else (after + 1, after)
        row, years = dated.iloc[lone], (days[after + 1] - days[after]).astype(int) / 365.25
        problem, remedy = f"date stands {years:.0f} years from the next", "correct the date, or leave the row out"
        expected = f"no gap of more than {LONGEST[extract.absent].astype(int):,} days; the next date is {days[other]}"
        column, file = extract.columns.event, files[row["delivery"]]
        faults.append(Fault(file, problem, column, int(row["line"]), str(days[lone]), expected, remedy))
    return faults
