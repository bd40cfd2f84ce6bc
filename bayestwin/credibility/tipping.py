"""Tipping points: how strong an unknown selection would have to be to change the answer.

Source: Rosenbaum (2002), Observational Studies, ch. 4.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from bayestwin.credibility.check import Check
from bayestwin.numbers import number
from bayestwin.runs import Run
from bayestwin.twin.answered import Answered, answered_by_run


def tipping_points(run: Run) -> Iterator[Check]:
    """For every unknown selection, whether a value in its stated range moves a headline total of the forecast out of its own 95 % interval.

    Changes are known at the ends of the range; between them and the posterior's own total they are taken to be linear.

    Args:
        run: a loaded run.
    """
    known = answered_by_run(run.manifest)
    widths = {quantity.name: _half_width(run, quantity.name, quantity.over) for quantity in known.headline}
    table = run.sensitivity[run.sensitivity["quantity"].isin(list(widths))]
    for name, rows in table.groupby("parameter", sort=False):
        share = rows["change"].abs() / rows["quantity"].map(widths)
        yield _of_selection(str(name), rows.iloc[int(share.argmax())], float(share.max()), known)


def _half_width(run: Run, quantity: str, over: str) -> float:
    """Half the 95 % interval of a quantity's total, of its mean."""
    drawn = run.tree["predictions"][quantity].stack(sample=("chain", "draw"))
    rest = [dim for dim in drawn.dims if dim != "sample"]
    total = (drawn.mean(rest) if over == "mean" else drawn.sum(rest)).to_numpy()
    low, high = np.quantile(total, (0.025, 0.975))
    return float(0.5 * (high - low) / abs(total.mean()))


def _of_selection(name: str, end: pd.Series, share: float, known: Answered) -> Check:
    """The check of one selection, from the end of its range that moves an answer furthest."""
    words, value = known.words(end["quantity"]), float(end["value"])
    within = share < 1.0
    moved = f"at {number(value, sign=True)}, an end of its range, {words} change by {end['change']:+.1%}, {share:.0%} of what would take them out of their 95 % interval"
    tips = f"at {number(value / share, sign=True)} {words} leave their 95 % interval; the stated range goes to {number(value, sign=True)}"
    return Check(
        f"tipping point of {name}",
        "PASS" if within else "REVIEW",
        share,
        "no value in the stated range moves a headline total out of its 95 % interval",
        moved if within else tips,
        "" if within else "argue the range, show both answers, or ask for the data that would settle it (`bayestwin access`)",
        "Rosenbaum (2002), Observational Studies, ch. 4; the bound is bayestwin's own",
    )
