"""Nowcast the German 7-day hospitalisation sums as of every date of a span.

    uv run python benchmarks/nowcast/run.py --triangle FILE --from DATE --to DATE --levels national,states,age --out FILE.csv

Every date uses only the cells reported by then. Writes FILE.csv (location, age_group, forecast_date, target_end_date,
quantile, value) and the references beside it: FILE.frozen.csv, FILE.chain_ladder.csv, FILE.kit_like.csv.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from baselines import chain_ladder, frozen, kit_like
from rich.console import Console
from rich.progress import track
from targets import DELAYS_NEEDED, FROZEN_AFTER, HORIZONS, LEVELS, QUANTILES, WINDOW

from bayestwin.errors import BayestwinError, ExtractError, Fault
from bayestwin.infer.device import prepare_device
from bayestwin.nowcast import Settings, Triangle, nowcast, read_triangle

LEAD = "DE,00+"
SETTINGS = Settings(last=HORIZONS + WINDOW - 1, within=tuple(range(FROZEN_AFTER + 1, DELAYS_NEEDED + 1)))
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


def ours(triangle: Triangle, as_of: np.datetime64) -> np.ndarray:
    """Our nowcast of the seven-day sums: (horizon, series, quantile)."""
    total = nowcast(triangle, as_of, lead=LEAD, settings=SETTINGS)["total"].to_numpy()
    ends, back = SETTINGS.last - 1 - np.arange(HORIZONS)[:, None], np.arange(WINDOW)
    sums = total[:, ends - back, :, back].sum(1)  # the day `back` days before the end counts `back` delays more
    return np.moveaxis(np.quantile(sums, QUANTILES, axis=1), 0, -1)


def by_date(make: Nowcaster, triangle: Triangle, dates: Iterable[np.datetime64], names: tuple[str, ...]) -> pd.DataFrame:
    """The nowcasts of one method as of several dates, of the series asked for."""
    keep = [triangle.series.index(name) for name in names]
    return pd.concat([rows(names, day, make(triangle, day)[:, keep]) for day in dates], ignore_index=True)


def progress(dates: Iterable, label: str, total: int) -> Iterable:
    """The same dates, with progress on stderr."""
    return track(dates, description=label, total=total, console=Console(stderr=True))


def ours_by_date(triangle: Triangle, dates: np.ndarray, names: tuple[str, ...], processes: int) -> pd.DataFrame:
    """Our nowcasts, the dates shared between processes."""
    one = partial(by_date, ours, triangle, names=names)
    if processes == 1:
        prepare_device()
        return pd.concat([one([day]) for day in progress(dates, "bayestwin", len(dates))], ignore_index=True)
    pools = [one_process(core) for core in range(processes)]
    answers = [pools[index % processes].submit(one, [day]) for index, day in enumerate(dates)]
    found = [answer.result() for answer in progress(answers, "bayestwin", len(dates))]
    for pool in pools:
        pool.shutdown()
    return pd.concat(found, ignore_index=True)


def one_process(core: int) -> ProcessPoolExecutor:
    """A process that keeps to one core, where that can be asked for: JAX's threads otherwise wait for each other.

    The core is set before the process starts, for JAX counts the cores when it is loaded.
    """
    pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
    if not hasattr(os, "sched_setaffinity"):
        pool.submit(prepare_device).result()
        return pool
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(allowed)[core % len(allowed)]})
    try:
        pool.submit(prepare_device).result()
    finally:
        os.sched_setaffinity(0, allowed)
    return pool


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


def check_span(triangle: Triangle, first: date, last: date, path: str) -> None:
    """Forecast dates must lie among the event dates."""
    begin, end = triangle.dates[0].item(), triangle.dates[-1].item()
    if not begin <= first <= last <= end:
        expected = f"forecast dates in order, from {begin} to {end}"
        raise ExtractError([Fault(path, "forecast dates outside the triangle", "date", None, f"{first} to {last}", expected)])


def main(arguments: list[str] | None = None) -> None:
    """Run all methods and write their files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--triangle", type=Path, required=True, help="reporting triangle, possibly later than the dates asked for")
    parser.add_argument("--from", dest="first", type=date.fromisoformat, required=True, help="first forecast date")
    parser.add_argument("--to", dest="last", type=date.fromisoformat, required=True, help="last forecast date")
    parser.add_argument("--step", type=int, default=1, help="days from one forecast date to the next (default %(default)s)")
    parser.add_argument("--levels", default="national,states,age", help="comma-separated: national, states, age (default all)")
    parser.add_argument("--out", type=Path, required=True, help="CSV file to write; the references go beside it")
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1), help="processes (default %(default)s)")
    asked = parser.parse_args(arguments)
    dates = np.arange(np.datetime64(asked.first), np.datetime64(asked.last) + np.timedelta64(1, "D"), np.timedelta64(asked.step, "D"))
    try:
        triangle = read_triangle(asked.triangle)
        names = chosen(triangle, asked.levels, str(asked.triangle))
        check_span(triangle, asked.first, asked.last, str(asked.triangle))
    except BayestwinError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    part = triangle.select(dict.fromkeys((LEAD, *names)))
    start = time.perf_counter()
    ours_by_date(part, dates, names, asked.processes).to_csv(asked.out, index=False)
    seconds = time.perf_counter() - start
    print(f"bayestwin: {seconds:.0f} s, {seconds / len(dates) / len(part.series):.3f} s a series and date", file=sys.stderr)
    for label, make in {"frozen": frozen, "chain_ladder": chain_ladder, "kit_like": kit_like()}.items():
        table = by_date(make, part, progress(dates, label, len(dates)), names)
        table.to_csv(asked.out.with_suffix(f".{label}{asked.out.suffix}"), index=False)


if __name__ == "__main__":
    main()
