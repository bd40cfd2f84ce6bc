"""Which rule published the counts: `uv run python benchmarks/talking_therapies/evidence.py [--source FOLDER]`.

A candidate rule says between which ends each published number lies. Where parts cannot add up to their published total between
those ends, the rule is refuted; England's unrounded counts say what a hidden cell, and a published 5, stand for on average.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from published import SET, SHARED, TOTAL, Family, distinct, families_of, read_table

from bayestwin.barriers import Access, Round, Suppress

CANDIDATES = {
    "0..4 hidden, then rounded": (Suppress(below=5, zero="hidden"), Round(base=5)),
    "1..4 hidden, then rounded": (Suppress(below=5), Round(base=5)),
    "0..3 hidden, then rounded": (Suppress(below=4, zero="hidden"), Round(base=5)),
    "0..5 hidden, then rounded": (Suppress(below=6, zero="hidden"), Round(base=5)),
    "rounded, then below 5 hidden": (Round(base=5), Suppress(below=5, zero="hidden")),
}


def contradictions(table: pd.DataFrame, access: Access, families: tuple[Family, ...]) -> tuple[int, int]:
    """Sums that cannot be, and sums looked at, over all organisations but England."""
    wide = table[table["org_type"] != "England"].pivot(index=[*SET, "org_type", "org_code"], columns="column", values=["count", "hidden"])
    values, hidden = wide["count"].astype(float), wide["hidden"].astype(bool)
    cells = access.read(values.to_numpy(), hidden.to_numpy(), np.ones(values.shape, bool))
    low, high = (pd.DataFrame(cells[..., side], columns=values.columns) for side in (0, 1))
    wrong = [(low[list(f.parts)].sum(axis=1) > high[f.total]) | (high[list(f.parts)].sum(axis=1) < low[f.total]) for f in families]
    return int(np.sum(wrong)), int(np.size(wrong))


def averages(table: pd.DataFrame) -> pd.DataFrame:
    """England less the published sum, by least squares on how many providers are hidden, show 5, or show more."""
    providers = table[table["org_type"] == "Provider"].assign(five=lambda rows: rows["count"] == 5)
    by = providers.groupby([*SET, "column"])[["count", "hidden", "five"]].sum().astype(float)
    by["more"] = providers.groupby([*SET, "column"]).size() - by["hidden"] - by["five"]
    rest = table[table["org_type"] == "England"].set_index([*SET, "column"])["count"] - by["count"]
    weight = 1 / np.sqrt(2 * (by["more"] + by["five"]) + 1.5 * by["hidden"])
    design = by[["hidden", "five", "more"]].mul(weight, axis=0).to_numpy()
    found = np.linalg.lstsq(design, (rest * weight).to_numpy(), rcond=None)[0]
    error = np.sqrt(np.diag(np.linalg.inv(design.T @ design)))
    return pd.DataFrame(
        {"cells": ["'*'", "5", "more, less what is shown"], "stands for": found + np.array([0.0, 5.0, 0.0]), "standard error": error}
    )


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, default=SHARED, help="folder above nhs_talking_therapies")
    table = distinct(read_table(parser.parse_args().source))
    families = families_of([TOTAL, *table["column"].unique()])
    for name, rules in CANDIDATES.items():
        wrong, seen = contradictions(table, Access(releases=rules), families)
        print(f"{name}: {wrong} of {seen} sums cannot be")
    print(averages(table).round(2).to_string(index=False))


if __name__ == "__main__":
    main()
