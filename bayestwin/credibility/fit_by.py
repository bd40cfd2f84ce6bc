"""Where a stream fits less well: by weekday, by place, in the tails, and in how many cells its barriers hide.

The place of each published cell among what would have been drawn instead (randomised PIT) is turned into a normal score: its mean is zero
wherever the model is right, more where the published values are higher than the model has them. Which cells a barrier hides depends on their
values, so that they cannot be looked at apart; how many are hidden is foretold like anything else.

Source: Czado, Gneiting & Held (2009), Biometrics 65, for PIT values of counts; Gelman, Meng & Stern (1996), Statistica Sinica 6, for checks by group.
"""

from __future__ import annotations

from calendar import day_name
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import norm

from bayestwin.cells import known_cells
from bayestwin.credibility.campaign import Rows
from bayestwin.credibility.check import Check, graded, worst_of
from bayestwin.report.checks import pit_of_cells
from bayestwin.runs import Run
from bayestwin.twin.answered import answered_by_run

WHOLE, WEEKDAY, PLACE, TOLD = "whole", "weekday", "place", "told"
TAIL, TAIL_OFF = 0.05, (0.03, 0.10)  # probability of each tail, and how far the share in it may lie from that
OFF, FAR_OFF = 0.25, 0.75  # mean normal score of a group of cells
SHARE_OFF = 0.03, 0.10  # how far the share of cells that are told as a number may lie from what is expected
FEWEST = 5  # cells of a group


def fit_by_group(run: Run) -> Rows:
    """How the cells of each group lie among what the posterior would have drawn in their place.

    Args:
        run: a loaded run.

    Returns:
        A row for each stream of numbers, `by` (whole, weekday of daily streams, place) and `group`: `cells`, `score` (mean normal score, in sds of the prediction: positive where
        more was published than the model has), `below` and `above`: shares in the lower and upper 5 % of the prediction. A row `by` told for each stream that is published
        through barriers: `share` of its cells that are told as a number, that `expected` and its `sd`.
    """
    categorical = answered_by_run(run.manifest).categorical
    streams = [str(name) for name in run.tree["observed_data"].data_vars if name not in categorical]
    return [row for stream in streams for row in _of_stream(run.tree, stream)]


def _of_stream(tree: xr.DataTree, stream: str) -> Rows:
    pit = pit_of_cells(tree, stream)
    predictive = tree["posterior_predictive"]
    least = 0.5 / (predictive.sizes["chain"] * predictive.sizes["draw"])
    told = pit.notnull().to_numpy().ravel()
    cells = pd.DataFrame({"pit": pit.to_numpy().ravel()[told]})
    cells["score"] = norm.ppf(cells["pit"].clip(least, 1.0 - least))
    whole = {WHOLE: xr.full_like(pit, stream, dtype=object)}
    rows: Rows = []
    for by, groups in (whole | _groupings(tree, pit)).items():
        for group, some in cells.groupby(groups.to_numpy().ravel()[told], sort=False):
            if len(some) >= FEWEST:
                tails = {"below": float((some["pit"] < TAIL).mean()), "above": float((some["pit"] > 1.0 - TAIL).mean())}
                head = {"stream": stream, "by": by, "group": str(group), "cells": len(some)}
                rows.append(head | {"score": float(some["score"].mean())} | tails)
    return [*rows, *_told(tree, stream)]


def _told(tree: xr.DataTree, stream: str) -> Rows:
    """How many cells are told as a number, where some could be told within limits only."""
    observed, predictive = tree["observed_data"].to_dataset()[stream], tree["posterior_predictive"].to_dataset()[stream]
    if "end" not in observed.dims:
        return []
    known = known_cells(observed.transpose(..., "end").to_numpy())
    low, high = (observed.isel(end=i, drop=True) for i in range(2))
    drawn_low, drawn_high = (predictive.isel(end=i, drop=True) for i in range(2))
    cells = int(known.sum())
    if not cells:
        return []
    share = float(((low == high).to_numpy() & known).sum() / cells)
    drawn = (drawn_low == drawn_high).transpose("chain", "draw", *low.dims).to_numpy() & known
    shares = drawn.sum(tuple(range(2, drawn.ndim))).ravel() / cells
    if share in (0.0, 1.0) and (shares == share).all():
        return []
    head = {"stream": stream, "by": TOLD, "group": "as a number", "cells": cells}
    return [head | {"share": share, "expected": float(shares.mean()), "sd": float(shares.std(ddof=1))}]


def _groupings(tree: xr.DataTree, pit: xr.DataArray) -> dict[str, xr.DataArray]:
    """The group of each cell, by what groups are made by."""
    found = {}
    for coord in pit.coords.values():
        if coord.dtype.kind == "M" and _daily(coord):
            found[WEEKDAY] = _at_cells(coord.dt.strftime("%A"), pit)
        elif coord.dtype.kind in "UO" and not set(day_name).isdisjoint(map(str, coord.to_numpy())):
            found[WEEKDAY] = _at_cells(coord, pit)
        elif coord.dtype.kind in "UO":
            found[PLACE] = _at_cells(_above(tree, coord), pit)
    return found


def _daily(time: xr.DataArray) -> bool:
    return time.size > 1 and bool((time.diff(time.dims[0]) == np.timedelta64(1, "D")).any())


def _above(tree: xr.DataTree, units: xr.DataArray) -> xr.DataArray:
    """What each unit belongs to, where the run says so; itself otherwise."""
    dim = units.dims[0]
    constants = tree["constant_data"].to_dataset().data_vars.items()
    belongs = (v for name, v in constants if v.dims == (dim,) and v.dtype.kind in "UO" and str(name) != f"{dim}_name")
    return next(belongs, units)


def _at_cells(labels: xr.DataArray, pit: xr.DataArray) -> xr.DataArray:
    return labels.broadcast_like(pit).transpose(*pit.dims)


def checks_of_fit(rows: Rows) -> Iterator[Check]:
    """Whether any group of cells lies apart from its predictions, and whether the tails of each stream hold what they say.

    Args:
        rows: of `fit_by_group`.
    """
    parts = {by: [row for row in rows if row["by"] == by] for by in (WEEKDAY, PLACE, WHOLE, TOLD)}
    yield from (_of_groups(parts[by], by) for by in (WEEKDAY, PLACE) if parts[by])
    yield from (made(parts[by]) for by, made in ((WHOLE, _of_tails), (TOLD, _of_told)) if parts[by])


def _of_groups(rows: Rows, by: str) -> Check:
    """Mean normal scores of groups, each allowed what chance does to the farthest of so many."""
    sure = float(norm.ppf(1.0 - 0.025 / len(rows)))

    def beyond(row: dict[str, Any]) -> float:
        return abs(row["score"]) / max(OFF, sure / np.sqrt(row["cells"]))

    worst = max(rows, key=beyond)
    status = worst_of(graded(abs(row["score"]), OFF, FAR_OFF, sure / np.sqrt(row["cells"])) for row in rows)
    far = sum(beyond(row) > 1.0 for row in rows)
    return Check(
        f"fit by {by}",
        status,
        abs(worst["score"]),
        f"mean normal score of every group within {OFF}, or what chance does to the farthest of {len(rows)} groups; beyond {FAR_OFF} it fails",
        f"{far} of {len(rows)} groups lie apart; farthest {_of(worst)}: published values lie {worst['score']:+.2f} sd of the prediction from what is expected, "
        f"in {worst['cells']:,} cells",
        "" if status == "PASS" else f"see what the model lacks there (`fit` in the answer lists every group): {_of(worst)} first",
        "Gelman, Meng & Stern (1996), Statistica Sinica 6; the bounds are bayestwin's own",
    )


def _of_tails(rows: Rows) -> Check:
    tails = [(abs(row[side] - TAIL), row, side) for row in rows for side in ("below", "above")]
    sure = float(norm.ppf(1.0 - 0.025 / len(tails)))

    def chance(row: dict[str, Any]) -> float:
        return sure * float(np.sqrt(TAIL * (1.0 - TAIL) / row["cells"]))

    status = worst_of(graded(off, *TAIL_OFF, chance(row)) for off, row, _ in tails)
    off, worst, side = max(tails, key=lambda tail: tail[0] / max(TAIL_OFF[0], chance(tail[1])))
    return Check(
        "fit of tails",
        status,
        off,
        f"share of each stream's cells beyond either {TAIL:.0%} tail within {TAIL_OFF[0]:.0%}, or what chance does; beyond {TAIL_OFF[1]:.0%} it fails",
        f"farthest {_of(worst)}: {worst[side]:.1%} of {worst['cells']:,} cells lie {side} the {'lowest' if side == 'below' else 'highest'} {TAIL:.0%}",
        ""
        if status == "PASS"
        else "too many: the law's tail is too light, or units differ more than the model lets them; too few: intervals are too wide",
        "bayestwin's own bounds",
    )


def _of_told(rows: Rows) -> Check:
    """Whether barriers hide as many cells as the model foretells."""
    sure = float(norm.ppf(1.0 - 0.025 / len(rows)))

    def off(row: dict[str, Any]) -> float:
        return abs(row["share"] - row["expected"])

    worst = max(rows, key=lambda row: off(row) / max(SHARE_OFF[0], sure * row["sd"]))
    status = worst_of(graded(off(row), *SHARE_OFF, sure * row["sd"]) for row in rows)
    return Check(
        "fit of what barriers hide",
        status,
        off(worst),
        f"share of each stream's cells that are told as a number within {SHARE_OFF[0]:.0%} of what is expected, or what chance does; beyond {SHARE_OFF[1]:.0%} it fails",
        f"farthest {_of(worst | {'by': WHOLE})}: {worst['share']:.1%} of {worst['cells']:,} cells are told as a number, {worst['expected']:.1%} are expected",
        ""
        if status == "PASS"
        else "the barrier is not what the study says (a threshold, a unit), or small values are rarer or more frequent than the model has them",
        "bayestwin's own bounds",
    )


def _of(row: dict[str, Any]) -> str:
    stream = row["stream"].replace("_", " ")
    return stream if row["by"] == WHOLE else f"{stream} {row['group']}"
