"""Score nowcasts against the truth frozen 40 days after each window's end.

    uv run python benchmarks/nowcast/score.py FILE.csv --triangle TRIANGLE [--json]

Prints the mean weighted interval score (WIS) and the coverage of the 50 % and 95 % intervals by level and by horizon,
for FILE.csv and for the references that run.py wrote beside it (FILE.frozen.csv, …), all over the same targets.
Targets whose truth is not complete are listed and left out. Exit code 1: something is wrong with a file.

Source: Wolffram et al. (2023), 10.1371/journal.pcbi.1011394; Bracher et al. (2021), 10.1371/journal.pcbi.1008618.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from targets import HORIZONS, LEVEL_OF, LEVELS, QUANTILES, frozen_truth

from bayestwin.errors import BayestwinError, ExtractError, Fault
from bayestwin.nowcast.read import read_triangle
from bayestwin.nowcast.triangle import Triangle

COLUMNS = ["location", "age_group", "forecast_date", "target_end_date", "quantile", "value"]
KEYS = COLUMNS[:4]
BANDS = {"0": (0, 0), "1-3": (1, 3), "4-7": (4, 7), "8-14": (8, 14), "15-28": (15, 28)}


def read_nowcasts(path: Path) -> pd.DataFrame:
    """A row for each target, a column for each quantile."""
    table = pd.read_csv(path)
    missing = [column for column in COLUMNS if column not in table]
    if missing:
        raise ExtractError([Fault(str(path), "column missing", column=column, expected=", ".join(COLUMNS)) for column in missing])
    wide = table.pivot_table(index=KEYS, columns="quantile", values="value", aggfunc="first").reset_index()
    lacking = [q for q in QUANTILES if q not in wide]
    if lacking:
        raise ExtractError([Fault(str(path), "quantile missing", column="quantile", expected=f"{q:g}") for q in lacking])
    incomplete = wide[wide[list(QUANTILES)].isna().any(axis=1)]
    if len(incomplete):
        first = incomplete.iloc[0]
        where = f"{first.location}, {first.age_group}, {first.forecast_date}, {first.target_end_date}"
        raise ExtractError([Fault(str(path), f"{len(incomplete)} targets lack a quantile, the first", value=where)])
    return wide


def with_truth(nowcasts: pd.DataFrame, triangle: Triangle) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Nowcasts with the column `truth`, and those whose truth is not known."""
    value, known = frozen_truth(triangle)
    series = nowcasts["location"] + "," + nowcasts["age_group"]
    days = nowcasts["target_end_date"].to_numpy().astype("datetime64[D]")
    columns, rows = pd.Index(triangle.series).get_indexer(series), (days - triangle.dates[0]).astype(int)
    inside = (columns >= 0) & (rows >= 0) & (rows < len(triangle.dates))
    scoreable = inside & known[np.where(inside, rows, 0), np.where(inside, columns, 0)]
    scored = nowcasts[scoreable].copy()
    scored["truth"] = value[rows[scoreable], columns[scoreable]]
    scored["level"] = series[scoreable].map(LEVEL_OF).fillna("other")
    scored["horizon"] = (scored["forecast_date"].to_numpy().astype("datetime64[D]") - days[scoreable]).astype(int)
    return scored, nowcasts[~scoreable]


def scores(scored: pd.DataFrame) -> pd.DataFrame:
    """WIS and interval hits of each target."""
    y, q = scored["truth"].to_numpy()[:, None], scored[list(QUANTILES)].to_numpy()
    out = scored[[*KEYS, "level", "horizon"]].copy()
    out["wis"] = (2 * (np.less(y, q) - QUANTILES) * (q - y)).mean(1)
    out["cover_50"] = (q[:, 2] <= y[:, 0]) & (y[:, 0] <= q[:, 4])
    out["cover_95"] = (q[:, 0] <= y[:, 0]) & (y[:, 0] <= q[:, 6])
    return out


def summary(each: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Means over targets."""
    return each.groupby(by, sort=False)[["wis", "cover_50", "cover_95"]].mean().assign(targets=each.groupby(by, sort=False).size())


def compared(path: Path, triangle: Triangle) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores of the nowcasts and of the references beside them, over the targets that all have; and what has no truth."""
    scored, without = with_truth(read_nowcasts(path), triangle)
    if scored.empty:
        raise ExtractError([Fault(str(path), "no target has its truth in this triangle", remedy="give a later triangle or earlier dates")])
    parts = [scores(scored).assign(model="bayestwin")]
    for sibling in sorted(path.parent.glob(f"{path.stem}.*{path.suffix}")):
        other, _ = with_truth(read_nowcasts(sibling), triangle)
        parts.append(scores(other).merge(scored[KEYS], on=KEYS).assign(model=sibling.stem.removeprefix(f"{path.stem}.")))
    return pd.concat(parts), without


def answer(each: pd.DataFrame, without: pd.DataFrame) -> dict:
    """The machine form."""
    bands = {h: name for name, (low, high) in BANDS.items() for h in range(low, high + 1)}
    each = each.assign(horizon=each["horizon"].map(bands))
    found: dict = {"without_truth": {"targets": len(without)}, "levels": {}}
    if len(without):
        found["without_truth"] |= {"first": str(without["target_end_date"].min()), "last": str(without["target_end_date"].max())}
    for level in [*LEVELS, "other"]:
        part = each[each["level"] == level]
        if part.empty:
            continue
        overall, by_horizon = summary(part, ["model"]), summary(part, ["model", "horizon"])
        base = overall["wis"].get("frozen")
        found["levels"][level] = {
            model: {
                **row.to_dict(),
                "wis_over_frozen": row["wis"] / base if base else None,
                "by_horizon": by_horizon.loc[model].to_dict("index"),
            }
            for model, row in overall.iterrows()
        }
    return found


def printed(found: dict, console: Console) -> None:
    """Tables for a reader."""
    for level, models in found["levels"].items():
        table = Table(title=f"{level}: {next(iter(models.values()))['targets']:.0f} targets", title_justify="left")
        for column in ["model", "WIS", "/ frozen", "50 %", "95 %", *(f"h {band}: WIS (50, 95)" for band in BANDS)]:
            table.add_column(column, justify="left" if column == "model" else "right")
        for model, row in models.items():
            cells = [row["by_horizon"].get(band) for band in BANDS]
            table.add_row(
                model,
                f"{row['wis']:.2f}",
                "" if row["wis_over_frozen"] is None else f"{row['wis_over_frozen']:.4f}",
                f"{row['cover_50']:.3f}",
                f"{row['cover_95']:.3f}",
                *("" if c is None else f"{c['wis']:.1f} ({c['cover_50']:.2f}, {c['cover_95']:.2f})" for c in cells),
            )
        console.print(table)


def main(arguments: list[str] | None = None) -> None:
    """Score and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="nowcasts, as run.py writes them")
    parser.add_argument("--triangle", type=Path, required=True, help="reporting triangle that holds the truth")
    parser.add_argument("--from", dest="first", help="first forecast date that counts")
    parser.add_argument("--to", dest="last", help="last forecast date that counts")
    parser.add_argument("--json", action="store_true", help="print the machine form")
    asked = parser.parse_args(arguments)
    try:
        each, without = compared(asked.file, read_triangle(asked.triangle))
    except BayestwinError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    if len(without):
        ends = sorted(without["target_end_date"].unique())
        listed = ", ".join(map(str, ends[:HORIZONS])) + (f", … {ends[-1]}" if len(ends) > HORIZONS else "")
        print(f"left out: {len(without)} targets have no {40}-day truth in this triangle; windows ending {listed}", file=sys.stderr)
    each = each[(each["forecast_date"] >= (asked.first or "")) & (each["forecast_date"] <= (asked.last or "9999"))]
    found = answer(each, without)
    if asked.json:
        print(json.dumps(found, indent=2))
    else:
        printed(found, Console(width=190))


if __name__ == "__main__":
    main()
