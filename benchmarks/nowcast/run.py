"""Nowcast the German 7-day hospitalisation sums as of every date of a span.

    uv run python benchmarks/nowcast/run.py --triangle FILE --from DATE --to DATE --levels national,states,age --out FILE.csv

Every date uses only the cells reported by then. Writes FILE.csv (location, age_group, forecast_date, target_end_date,
quantile, value) and the references beside it: FILE.frozen.csv, FILE.chain_ladder.csv, FILE.kit_like.csv.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from baselines import chain_ladder, frozen, kit_like
from rich.progress import track
from rich.console import Console
from targets import HORIZONS, LEVELS, QUANTILES

from bayestwin.errors import BayestwinError, ExtractError, Fault
from bayestwin.nowcast.read import read_triangle
from bayestwin.nowcast.triangle import Triangle

Nowcaster = Callable[[Triangle, np.datetime64], np.ndarray]


def rows(series: tuple[str, ...], as_of: np.datetime64, values: np.ndarray) -> pd.DataFrame:
    """One date's nowcasts in the long form."""
    location, age = zip(*(name.split(",") for name in series), strict=True)
    ends = (as_of - np.arange(HORIZONS)).astype(str)
    horizon, which, quantile = (index.ravel() for index in np.indices(values.shape))
    return pd.DataFrame(
        {
            "location": np.array(location)[which],
            "age_group": np.array(age)[which],
            "forecast_date": str(as_of),
            "target_end_date": ends[horizon],
            "quantile": QUANTILES[quantile],
            "value": values.ravel().round(3),
        }
    )


def nowcasts(make: Nowcaster, triangle: Triangle, dates: np.ndarray, label: str) -> pd.DataFrame:
    """All dates' nowcasts of one method, with progress on stderr."""
    shown = track(dates, description=label, console=Console(stderr=True))
    return pd.concat([rows(triangle.series, day, make(triangle, day)) for day in shown], ignore_index=True)


def chosen(triangle: Triangle, levels: str, path: str) -> tuple[str, ...]:
    """Series of the levels asked for."""
    unknown = [level for level in levels.split(",") if level not in LEVELS]
    if unknown:
        raise ExtractError([Fault("--levels", "no such level", value=level, expected=", ".join(LEVELS)) for level in unknown])
    names = tuple(name for level in levels.split(",") for name in LEVELS[level])
    absent = [name for name in names if name not in triangle.series]
    if absent:
        raise ExtractError([Fault(path, "series missing", column="location, age_group", value=name) for name in absent])
    return names


def main(arguments: list[str] | None = None) -> None:
    """Run all methods and write their files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--triangle", type=Path, required=True, help="reporting triangle, possibly later than the dates asked for")
    parser.add_argument("--from", dest="first", type=date.fromisoformat, required=True, help="first forecast date")
    parser.add_argument("--to", dest="last", type=date.fromisoformat, required=True, help="last forecast date")
    parser.add_argument("--step", type=int, default=1, help="days from one forecast date to the next (default %(default)s)")
    parser.add_argument("--levels", default="national,states,age", help="comma-separated: national, states, age (default all)")
    parser.add_argument("--out", type=Path, required=True, help="CSV file to write; the references go beside it")
    asked = parser.parse_args(arguments)
    dates = np.arange(np.datetime64(asked.first), np.datetime64(asked.last) + np.timedelta64(1, "D"), np.timedelta64(asked.step, "D"))
    try:
        triangle = read_triangle(asked.triangle)
        names = chosen(triangle, asked.levels, str(asked.triangle))
    except BayestwinError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    part = triangle.select(names)
    for label, make in {"frozen": frozen, "chain_ladder": chain_ladder, "kit_like": kit_like()}.items():
        nowcasts(make, part, dates, label).to_csv(asked.out.with_suffix(f".{label}{asked.out.suffix}"), index=False)


if __name__ == "__main__":
    main()
