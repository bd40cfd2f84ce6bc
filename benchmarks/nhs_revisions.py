"""Revisions of NHS England's appointment counts: two releases as two deliveries of one extract, and what the first one lacked.

    uv run python benchmarks/nhs_revisions.py [--source ../shared/data] [--json]

The store is asked what was known before and after the second release. Half of the boards, drawn at random, say how far a
first version lies from the later one (`Revision.from_versions`); the other half is held against the intervals that follow.
"""

import argparse
import json
import tempfile
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from bayestwin.barriers import Revision
from bayestwin.extracts.hierarchy import HierarchyFile, read_hierarchy_file
from bayestwin.extracts.observations import read_extract
from bayestwin.extracts.schema import Extract

RELEASES = {  # publication day: file; the months' counts were first released about four weeks after their end
    "2021-09-30": ("nhs_gp_2021_vintage/gp_appointments_ccg_month.csv.gz", {"stp_ons": "board", "appt_status": "status"}),
    "2022-05-26": ("nhs_gp/appointments_regional.csv.gz", {"icb_ons_code": "board", "appointment_month": "month", "appointment_status": "status"}),
}  # fmt: skip
EXTRACT = Extract(
    name="attended appointments",
    stream="attended",
    file="*.parquet",
    level="board",
    measure="appointments",
    columns={"unit": "board", "event": "month", "value": "count_of_appointments", "known": "published"},
    where={"status": "Attended"},
    event_format="%Y-%m",
    resolution="month",
    repeated="sum",
)


def deliver(source: Path, folder: Path) -> list[str]:
    """Write the releases as deliveries, for the boards that both know; returns these."""
    tables = {day: pd.read_csv(source / file, dtype=str).rename(columns=names) for day, (file, names) in RELEASES.items()}
    boards = sorted(set.intersection(*(set(table["board"]) for table in tables.values())))
    for day, table in tables.items():
        kept = table.loc[table["board"].isin(boards), ["board", "month", "status", "count_of_appointments"]]
        kept.assign(published=day).to_parquet(folder / f"{day}.parquet")
    pd.DataFrame({"board": boards}).to_csv(folder / "boards.csv", index=False)
    return boards


def versions(source: Path) -> tuple[np.ndarray, np.ndarray]:
    """Counts by month and board as known before and after the second release, for the months that both hold."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        deliver(source, folder)
        hierarchy = read_hierarchy_file(folder, HierarchyFile(file="boards.csv", columns={"board": "board"}))
        before, after = (read_extract(folder, EXTRACT, hierarchy, date.fromisoformat(day)) for day in ("2022-05-25", "2022-05-26"))
    months = before.coords["month"]
    both = months[(months >= np.datetime64("2020-01-01")) & np.isin(months, after.coords["month"])]
    return tuple(found.values[np.isin(found.coords["month"], both)] for found in (before, after))


def measured(first: np.ndarray, later: np.ndarray, repeats: int = 200) -> dict[str, float]:
    """Size of the revisions, and coverage of the later counts by intervals learnt on half of the boards."""
    ratio = np.log(first / later)
    rng, inside = np.random.default_rng(0), {0.5: [], 0.95: []}
    for _ in range(repeats):
        order = rng.permutation(first.shape[1])
        half = order.size // 2
        barrier = Revision.from_versions(first[:, order[:half]], later[:, order[:half]])
        for level, found in inside.items():
            reach = barrier.log_sd * stats.norm.ppf(0.5 + level / 2)
            found.append(float((np.abs(ratio[:, order[half:]]) <= reach).mean()))
    return {
        "board_months": int(first.size),
        "share_revised": float((first != later).mean()),
        "ratio_least": float(np.exp(-ratio).min()),
        "ratio_most": float(np.exp(-ratio).max()),
        "log_sd": Revision.from_versions(first, later).log_sd,
        "coverage_50": float(np.mean(inside[0.5])),
        "coverage_95": float(np.mean(inside[0.95])),
        "coverage_as_if_final": float((first == later).mean()),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, default=Path("../shared/data"))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measured(*versions(options.source))
    print(json.dumps(figures) if options.json else "\n".join(f"{name:22s} {value:.4g}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
