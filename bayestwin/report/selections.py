"""What selections of unknown strength could make of the forecast, as the report and the page on access show it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory

from bayestwin.analyse.tipping import Band
from bayestwin.numbers import number
from bayestwin.report.figures import GREY, INK, ORANGE, Picture, capital, picture
from bayestwin.twin.answered import Answered

MOST, ROOM = 12, 1.15  # bands in the figure, and room beside them


@dataclass(frozen=True)
class SelectionsShown:
    """Bands and their figure.

    Attributes:
        bands: of totals that move by more than chance, those that come nearest to tipping first.
        figure: of the first of them.
    """

    bands: list[Band]
    figure: Picture


def selections_shown(found: Iterable[Band], known: Answered) -> SelectionsShown | None:
    """Prepare what is shown; None if no selection moves a total by more than chance.

    Args:
        found: every band.
        known: what the run answers for.
    """
    moved = sorted((band for band in found if band.moves), key=lambda band: -max(band.shares))
    return SelectionsShown(moved, _figure(moved[:MOST], known)) if moved else None


def _figure(shown: list[Band], known: Answered) -> Picture:
    """Each total's own 95 % interval, and the band that its selection could make of it."""
    figure = Figure(figsize=(9.2, 0.5 * len(shown) + 1.3), layout="constrained")
    ax = figure.subplots()
    aside = blended_transform_factory(ax.transAxes, ax.transData)
    for place, band in zip(range(len(shown))[::-1], shown, strict=True):
        (low, high), changes = ([100.0 * one for one in pair] for pair in (band.interval, band.changes))
        ax.barh(place, high - low, left=low, height=0.5, color=GREY, alpha=0.35, linewidth=0)
        ax.plot(changes, [place, place], color=ORANGE, linewidth=3.0, marker="|", markersize=11, markeredgewidth=2.0)
        for end, change in zip(band.ends, changes, strict=True):
            right = change == max(changes)
            shift = (5 if right else -5, 0)
            ax.annotate(
                f"{end:+g}",
                (change, place),
                shift,
                textcoords="offset points",
                va="center",
                ha="left" if right else "right",
                fontsize=8,
                color=INK,
            )
        ax.text(1.01, place, _tips(band), transform=aside, va="center", fontsize=8, color=INK)
    ax.axvline(0.0, color=INK, linewidth=0.6)
    ax.set_yticks(range(len(shown))[::-1], [f"{capital(known.words(band.quantity))}\nby {band.parameter}" for band in shown], fontsize=8)
    reach = ROOM * 100.0 * max(abs(one) for band in shown for one in (*band.interval, *band.changes))
    ax.set(xlim=(-reach, reach), ylim=(-0.8, len(shown) - 0.2))
    ax.set_xlabel("% of the total's mean")
    spoken = "; ".join(
        f"{known.words(band.quantity)} by {band.parameter}: {100 * min(band.changes):+.1f} to {100 * max(band.changes):+.1f} %, {_tips(band)}"
        for band in shown
    )
    return picture(
        figure,
        f"What selections could make of forecast totals. {spoken}.",
        "Grey: the 95 % interval of the forecast's total. Orange: what the total's mean would be with the selection at either end of the range that the study states (numbers at the ends). "
        "Where orange leaves grey, the selection would change the answer.",
    )


def _tips(band: Band) -> str:
    return f"tips at {number(band.tips_at, sign=True)}" if band.tips_within else "does not tip within its range"
