"""Nowcasts from two published line lists, held against what was known in the end.

    uv run python benchmarks/nowcast/linelists.py [--source FOLDER] [--json]

- dengue: Puerto Rico 1990-2010, weekly onsets with reports up to 26 weeks later; as of every 26th week.
- mpox: New York City 2022, daily onsets. A quarter of the cases with a known onset, drawn at random, have it hidden: they
  are reports without an event date, as 812 of the 3,323 cases really are, but with a truth to be held against.

Prints mean absolute error of the median, WIS and coverage of the 50 % and 95 % intervals by how far back, beside a chain
ladder; for mpox the ladder's totals are divided by the share of dated reports.

Source: McGough et al. (2020), "Nowcasting by Bayesian smoothing", PLOS Computational Biology 16(4), and R package NobBS.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from baselines import ladder, spread
from rich.console import Console
from rich.progress import track
from rich.table import Table
from targets import QUANTILES

from bayestwin.nowcast import Settings, Shape, Triangle, nowcast
from bayestwin.nowcast.triangle import recent

SHARED = Path(os.environ.get("BAYESTWIN_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
WEEKLY = Shape(times=78, delays=27, knots=(0, 1, 2, 3, 4, 5, 6, 8, 10, 14, 20, 26), early=(0, 1), late=(3, 8), pace=4, weekdays=False)
DAILY = Shape(times=77, delays=43, knots=(0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 17, 21, 25, 30, 36, 42))
HIDDEN = 0.25
BANDS = {"0-2": (0, 2), "3-6": (3, 6), "7-13": (7, 13)}


def triangle_of(event: pd.Series, report: pd.Series, n: pd.Series | int, step: int, delays: int, name: str) -> Triangle:
    """Reporting triangle of a line list, which knows nothing of reports before its first one; what is later than `delays` is left out."""
    unit = np.timedelta64(step, "D")
    first, last = event.min().to_datetime64().astype("datetime64[D]"), report.max().to_datetime64().astype("datetime64[D]")
    dates = np.arange(first, last + unit, unit)
    rows = ((event.to_numpy().astype("datetime64[D]") - first) / unit).astype(int)
    delay = ((report - event).dt.days // step).to_numpy()
    counts = np.zeros((len(dates), delays, 1))
    inside = (delay >= 0) & (delay < delays)
    np.add.at(counts, (rows[inside], delay[inside], 0), np.broadcast_to(n, len(rows))[inside])
    begun = report.min().to_datetime64().astype("datetime64[D]")
    seen = dates[:, None] + unit * np.arange(delays) >= begun
    return Triangle(counts, seen[..., None], dates, (name,), step=step)


def scored(truth: np.ndarray, quantiles: np.ndarray) -> pd.DataFrame:
    """Scores by periods back, from (back) truths and (back, quantile) nowcasts."""
    y = truth[:, None]
    return pd.DataFrame(
        {
            "back": np.arange(len(truth)),
            "error": np.abs(quantiles[:, 3] - truth),
            "wis": (2 * (np.less(y, quantiles) - QUANTILES) * (quantiles - y)).mean(1),
            "cover_50": (quantiles[:, 2] <= truth) & (truth <= quantiles[:, 4]),
            "cover_95": (quantiles[:, 0] <= truth) & (truth <= quantiles[:, 6]),
        }
    )


def answers(
    triangle: Triangle,
    dates: np.ndarray,
    shape: Shape,
    back: int,
    label: str,
    undated: np.ndarray | None = None,
    extra: np.ndarray | None = None,
) -> pd.DataFrame:
    """Both methods' scores as of each date.

    Args:
        triangle: dated reports.
        dates: as-of dates.
        shape: of the nowcast.
        back: periods back that are scored.
        label: for the progress shown.
        undated: (time, series) undated reports by report period.
        extra: (time,) undated events by event period: the part of the truth that the triangle does not have.
    """
    settings = Settings(shape, last=back, within=(shape.delays,))
    final = triangle.reported(shape.delays)[:, 0] + (0 if extra is None else extra)
    parts = []
    for day in track(dates, description=label, console=Console(stderr=True)):
        known = recent(triangle, day, shape.times, shape.delays)
        rows = np.flatnonzero(np.isin(triangle.dates, known.dates[-back:]))[::-1]
        total = nowcast(triangle, day, settings=settings, undated=undated)["total"].to_numpy()[:, ::-1, 0, 0]
        coming, dispersion = ladder(known.counts, known.seen)
        rough = known.reported(shape.delays)[:, 0, None] + spread(coming[:, 0], dispersion[0])
        if undated is not None:
            upto = triangle.dates <= day
            rough = rough * (1.0 + undated[upto].sum() / max(triangle.at(day).counts.sum(), 1.0))
        parts.append(scored(final[rows], np.quantile(total, QUANTILES, axis=0).T).assign(model="bayestwin"))
        parts.append(scored(final[rows], rough[-back:][::-1]).assign(model="chain_ladder"))
    return pd.concat(parts)


def dengue(source: Path) -> pd.DataFrame:
    """Weekly onsets of dengue in Puerto Rico."""
    table = pd.read_csv(source / "nobbs_delay" / "dengue_pr_onset_report_week.csv.gz", parse_dates=["onset_week", "report_week"])
    triangle = triangle_of(table["onset_week"], table["report_week"], table["n"], 7, WEEKLY.delays, "Puerto Rico")
    return answers(triangle, triangle.dates[104 : -WEEKLY.delays : 26], WEEKLY, 14, "dengue")


def mpox(source: Path) -> pd.DataFrame:
    """Daily onsets of mpox in New York City, a quarter of them hidden."""
    table = pd.read_csv(source / "nobbs_delay" / "mpox_nyc_linelist.csv.gz", parse_dates=["onset_date", "onset_report_date"])
    table = table.dropna(subset=["onset_date"])
    table = table[(table["onset_report_date"] - table["onset_date"]).dt.days < DAILY.delays]
    hide = np.random.default_rng(2022).random(len(table)) < HIDDEN
    everyone = triangle_of(table["onset_date"], table["onset_report_date"], 1, 1, DAILY.delays, "New York City")
    rows = ((table["onset_date"].to_numpy().astype("datetime64[D]") - everyone.dates[0]).astype(int), table["onset_report_date"])
    reports = (rows[1].to_numpy().astype("datetime64[D]") - everyone.dates[0]).astype(int)
    undated, extra = (np.bincount(index[hide], minlength=len(everyone.dates))[: len(everyone.dates)] for index in (reports, rows[0]))
    shown = np.where(hide, 0, 1)
    dated = triangle_of(table["onset_date"], table["onset_report_date"], shown, 1, DAILY.delays, "New York City")
    dates = np.arange("2022-07-29", "2022-09-25", 3, dtype="datetime64[D]")
    return answers(dated, dates, DAILY, 14, "mpox", undated[:, None], extra)


def summary(each: pd.DataFrame) -> pd.DataFrame:
    """Means by how far back and model."""
    bands = {h: name for name, (low, high) in BANDS.items() for h in range(low, high + 1)}
    each = each.assign(back=each["back"].map(bands))
    groups = each.groupby(["back", "model"], sort=False)
    return groups[["error", "wis", "cover_50", "cover_95"]].mean().assign(nowcasts=groups.size()).reset_index()


def main(arguments: list[str] | None = None) -> None:
    """Run and print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--source", type=Path, default=SHARED, help="folder above nobbs_delay (default BAYESTWIN_SHARED_DATA or %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print the machine form")
    asked = parser.parse_args(arguments)
    made: dict[str, Callable[[Path], pd.DataFrame]] = {"dengue": dengue, "mpox": mpox}
    found = {name: summary(make(asked.source)) for name, make in made.items()}
    if asked.json:
        print(json.dumps({name: table.to_dict("records") for name, table in found.items()}, indent=2))
        return
    for name, figures in found.items():
        table = Table(title=name, title_justify="left")
        for column in ["periods back", "model", "mean |error|", "WIS", "50 %", "95 %", "nowcasts"]:
            table.add_column(column)
        for row in figures.itertuples():
            table.add_row(
                row.back, row.model, f"{row.error:.2f}", f"{row.wis:.2f}", f"{row.cover_50:.2f}", f"{row.cover_95:.2f}", str(row.nowcasts)
            )
        Console(width=110).print(table)


if __name__ == "__main__":
    main()
