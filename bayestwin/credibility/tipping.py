"""Whether an unknown selection could change the answer within its stated range."""

from __future__ import annotations

from collections.abc import Iterator

from bayestwin.analyse.tipping import Band, bands
from bayestwin.credibility.check import Check
from bayestwin.numbers import number
from bayestwin.runs import Run
from bayestwin.twin.answered import Answered, answered_by_run


def tipping_points(run: Run) -> Iterator[Check]:
    """For every unknown selection, whether a value in its stated range moves a headline total of the forecast out of its own 95 % interval.

    Changes are known at the ends of the range; between them and the posterior's mean they are taken to be linear.

    Args:
        run: a loaded run.
    """
    known = answered_by_run(run.manifest)
    found = bands(run.sensitivity, run.posterior, run.group("predictions"), known.headline)
    furthest: dict[str, Band] = {}
    for band in found:
        furthest[band.parameter] = max(furthest.get(band.parameter, band), band, key=lambda one: (one.tips_within, max(one.shares)))
    for band in furthest.values():
        yield _of_selection(band, known)


def _of_selection(band: Band, known: Answered) -> Check:
    """The check of one selection, from the total and the end of its range that it moves furthest."""
    words, share = known.words(band.quantity), max(band.shares)
    value, change = band.ends[band.furthest], band.changes[band.furthest]
    moved = f"at {number(value, sign=True)}, an end of its range, {words} change by {change:+.1%}, {share:.0%} of what would take them out of their 95 % interval"
    tips = f"at {number(band.tips_at, sign=True)} {words} leave their 95 % interval; the stated range goes to {number(value, sign=True)}"
    return Check(
        f"tipping point of {band.parameter}",
        "REVIEW" if band.tips_within else "PASS",
        share,
        "no value in the stated range moves a headline total out of its 95 % interval",
        tips if band.tips_within else moved,
        "argue the range, show both answers, or ask for the data that would settle it (`bayestwin access`)" if band.tips_within else "",
        "Rosenbaum (2002), Observational Studies, ch. 4; the bound is bayestwin's own",
    )
