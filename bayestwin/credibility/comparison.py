"""Runs of the same data held against one another: which foretells a cell better given the others, and which forecast the past better.

Source: Vehtari, Gelman & Gabry (2017), Statistics and Computing 27, for differences cell by cell; Sivula, Magnusson, Matamoros & Vehtari (2025),
Bayesian Analysis 20, for when their errors can be trusted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from bayestwin.credibility.influence import Cells, cells_left_out, refitted
from bayestwin.errors import Fault, RunError
from bayestwin.numbers import number
from bayestwin.runs import Run

ALL = "all streams"
ALIKE, FEW = 4.0, 100  # difference of log densities, and number of cells, below which an error of the difference is not to be trusted


def compare(runs: Sequence[Run]) -> dict[str, Any]:
    """Hold runs of the same data against one another.

    Args:
        runs: two or more, of different models, priors or barriers, all of the same published data.

    Returns:
        `streams`: a row for each stream that all have, and for all of these together, and run: `cells`, `elpd` (expected log predictive density of
        the cells, each given the others), `difference` to the best run and its `error`, cells taken as independent, `influential` cells whose importance sampling is not to be trusted,
        and `told_apart`. `backtest`: a row for each quantity that all were scored on from the same dates, and run: `cells`, `wis`, and `ratio` to the best.

    Raises:
        RunError: if there are fewer than two runs, or no stream is observed alike by all.
    """
    if len(runs) < 2:
        raise RunError(
            [Fault(str(runs[0].folder) if runs else "compare", "there is nothing to compare it with", expected="two runs or more")]
        )
    names = [str(run.folder) for run in runs]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise RunError([Fault(twice, "is named twice", expected="runs that differ")])
    streams = _alike(runs)
    cells = {name: {stream: _cells(run, stream) for stream in streams} for name, run in zip(names, runs, strict=True)}
    rows = [row for stream in streams for row in _rows(stream, {name: found[stream] for name, found in cells.items()})]
    if len(streams) > 1:
        rows = [*_rows(ALL, {name: _joined(found.values()) for name, found in cells.items()}), *rows]
    return {"runs": names, "streams": rows, "backtest": list(_of_backtests(names, runs))}


def _alike(runs: Sequence[Run]) -> list[str]:
    """Streams of which every run was told the same, in the same cells."""
    every, each = ([run.group(group) for run in runs] for group in ("observed_data", "log_likelihood"))
    common = [str(name) for name in every[0].data_vars if all(name in other for other in every)]
    alike = [name for name in common if all(one[name].equals(other[name]) for one, other in pairwise(every))]
    same = [name for name in alike if len({values[name].isel(chain=0, draw=0).shape for values in each}) == 1]
    if not same:
        problem = "no stream is observed alike by all of them" if common else "they have no stream in common"
        raise RunError([Fault(", ".join(str(run.folder) for run in runs), problem, expected="runs of the same published data and date")])
    return same


def _cells(run: Run, stream: str) -> Cells:
    """A stream's cells, those that a validation has left out by refits as these found them."""
    rows = (run.validation or {}).get("loo", [])
    return refitted(cells_left_out(run.group("log_likelihood")[stream]), [row for row in rows if row["stream"] == stream])


def _joined(parts: Any) -> Cells:
    return Cells(*(np.concatenate([np.ravel(part[i]) for part in parts]) for i in range(2)))


def _rows(stream: str, cells: Mapping[str, Cells]) -> list[dict[str, Any]]:
    """One stream under every run, the best first."""
    totals = {name: float(found.elpd.sum()) for name, found in cells.items()}
    order = sorted(totals, key=lambda name: -totals[name])
    best = cells[order[0]].elpd
    rows = []
    for name in order:
        apart = (cells[name].elpd - best).ravel()
        error = float(np.sqrt(apart.size) * apart.std(ddof=1)) if apart.size > 1 else None
        trusted = apart.size >= FEW and -apart.sum() > ALIKE
        rows.append(
            {
                "stream": stream,
                "run": name,
                "cells": apart.size,
                "elpd": totals[name],
                "difference": float(apart.sum()),
                "error": error,
                "influential": int(cells[name].influential.sum()),
                "told_apart": bool(trusted and error is not None and -apart.sum() > 2.0 * error),
            }
        )
    return rows


def _of_backtests(names: Sequence[str], runs: Sequence[Run]) -> Iterator[dict[str, Any]]:
    """Quantities that all runs were scored on, from the same dates."""
    scored = [
        {
            (row["quantity"], row["origin"], row["cells"]): row
            for row in (run.validation or {}).get("backtest", [])
            if row["week_ahead"] == 0
        }
        for run in runs
    ]
    common = [key for key in scored[0] if key[2] and all(key in other for other in scored)]
    for quantity in dict.fromkeys(key[0] for key in common):
        keys = [key for key in common if key[0] == quantity]
        cells = sum(key[2] for key in keys)
        wis = {name: sum(found[key]["wis"] * key[2] for key in keys) / cells for name, found in zip(names, scored, strict=True)}
        least = min(wis.values())
        for name in sorted(wis, key=lambda name: wis[name]):
            ratio = wis[name] / least if least > 0 else None
            yield {"quantity": quantity, "run": name, "dates": len(keys), "cells": cells, "wis": wis[name], "ratio": ratio}


def comparison_text(answer: Mapping[str, Any]) -> str:
    """The comparison as text for a terminal."""
    lines = ["log density of each cell given the others (leave-one-out), difference to the best:"]
    for row in answer["streams"]:
        influential = f", {row['influential']} influential cells (bayestwin validate --loo)" if row["influential"] else ""
        if row["difference"] == 0.0:
            lines.append(f"  {row['stream']} ({row['cells']:,} cells)")
            lines.append(f"    {row['run']}: {row['elpd']:,.1f}{influential}")
        else:
            said = "" if row["told_apart"] else ", not told apart"
            error = "" if row["error"] is None else f" ± {row['error']:.1f}"
            lines.append(f"    {row['run']}: {row['difference']:+.1f}{error}{said}{influential}")
    if answer["backtest"]:
        lines.append("forecasts from the same past dates, weighted interval score:")
    for row in answer["backtest"]:
        ratio = "" if row["ratio"] is None else f", {row['ratio']:.2f} times the best"
        lines.append(f"  {row['quantity']}, {row['run']}: {number(row['wis'])} over {row['cells']:,} cells{ratio}")
    return "\n".join(lines)
