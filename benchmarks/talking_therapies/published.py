"""NHS Talking Therapies annual counts: what providers publish, the tree of totals that binds it, and England's true sums.

Source: NHS England, "NHS Talking Therapies, for anxiety and depression, annual reports" (Open Government Licence v3.0), as
collected by github.com/bennettoxford/nhstt.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from bayestwin.barriers import Access, Round, Suppress

SHARED = Path(os.environ.get("BAYESTWIN_SHARED_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
FILE = Path("nhs_talking_therapies", "tt_counts_suppressed.csv.gz")
SET = ["reporting_period", "measure_name"]
LABELS = ["variable_type", "variable_a", "variable_b"]
RULES = (Suppress(below=5, zero="hidden"), Round(base=5))  # the evidence: docs/suppression-and-rounding.md
TOTAL = "Total"


class Family(NamedTuple):
    """Columns that add up to another.

    Attributes:
        total: the column that is their sum.
        parts: the columns that add up to it.
    """

    total: str
    parts: tuple[str, ...]


class Published(NamedTuple):
    """Published numbers, a row for each provider in each set (year and measure).

    Attributes:
        sets: (year, measure) of each set.
        which: set of each row.
        columns: labels of the last axis.
        values: (row, column) published numbers, 0 where hidden.
        hidden: (row, column) cells published as '*'.
        truth: (set, column) England's unrounded counts.
        families: which columns add up to which.
    """

    sets: list[tuple[str, str]]
    which: np.ndarray
    columns: list[str]
    values: np.ndarray
    hidden: np.ndarray
    truth: np.ndarray
    families: tuple[Family, ...]

    def at(self, columns: tuple[str, ...]) -> np.ndarray:
        """Positions of columns."""
        return np.array([self.columns.index(column) for column in columns])

    def cells(self, columns: tuple[str, ...]) -> np.ndarray:
        """Observations, (row, column, 2): ends of what is published like these numbers."""
        values, hidden = self.values[:, self.at(columns)], self.hidden[:, self.at(columns)]
        return Access(releases=RULES).read(values, hidden, np.ones(values.shape, bool))

    @property
    def leaves(self) -> tuple[str, ...]:
        """Columns that are no sum of others."""
        totals = {family.total for family in self.families}
        return tuple(column for column in self.columns if column not in totals)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sums over the providers of each set: (..., row, column) to (..., set, column)."""
        return np.stack([values[..., self.which == i, :].sum(-2) for i in range(len(self.sets))], axis=-2)


def read_table(source: Path) -> pd.DataFrame:
    """The published table as it stands, one row a cell."""
    table = pd.read_csv(source / FILE, keep_default_na=False, dtype=str)
    names = table[LABELS].drop_duplicates()
    names["column"] = [": ".join(part for part in row if part not in ("NULL", "All")) for row in names.itertuples(index=False)]
    table = table.merge(names, on=LABELS)
    table["hidden"] = table["value"] == "*"
    table["count"] = pd.to_numeric(table["value"].where(~table["hidden"], "0")).astype(float)
    return table


def distinct(table: pd.DataFrame) -> pd.DataFrame:
    """Each organisation's cells once: one provider is listed twice under two names.

    Raises:
        ValueError: if what it published differs.
    """
    once = table.drop(columns="org_name").drop_duplicates()
    differ = once.duplicated([*SET, "column", "org_type", "org_code"])
    if differ.any():
        raise ValueError(f"{int(differ.sum())} cells have two values, such as {once[differ].iloc[0].to_dict()}")
    return once


def read_published(source: Path) -> Published:
    """Providers' published numbers and England's counts."""
    table = distinct(read_table(source))
    families = families_of(list(table["column"].unique()))
    columns = [TOTAL, *(part for family in families for part in family.parts)]
    wide = {
        kind: table[table["org_type"] == kind].pivot(index=[*SET, "org_code"], columns="column", values=["count", "hidden"])
        for kind in ("Provider", "England")
    }
    rows, england = wide["Provider"], wide["England"]["count"][columns].astype(float)
    sets = [(year, measure) for year, measure, _ in england.index]
    which = np.array([sets.index((year, measure)) for year, measure, _ in rows.index])
    values, hidden = rows["count"][columns].to_numpy(float), rows["hidden"][columns].to_numpy(bool)
    return Published(sets, which, columns, values, hidden, england.to_numpy(), families)


def families_of(columns: list[str]) -> tuple[Family, ...]:
    """Age bands, genders and ethnic groups add up to the total, subgroups to their group."""

    def below(start: str, depth: int) -> tuple[str, ...]:
        return tuple(sorted(c for c in columns if c.startswith(f"{start}: ") and c.count(": ") == depth))

    groups = below("Ethnic Group", 1)
    tops = (below("Age Group", 1), below("Gender", 1), groups)
    return (*(Family(TOTAL, parts) for parts in tops), *(Family(group, below(group, 2)) for group in groups if below(group, 2)))
