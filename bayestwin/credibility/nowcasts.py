"""Nowcasts of a calibration: how many events of the last periods there will turn out to be, of which reports are still to come.

Held against the chain ladder on the same reports. Of streams that are reporting triangles whose cells are published as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from bayestwin.cells import known_cells
from bayestwin.credibility.rivals import Came
from bayestwin.credibility.scores import scores, stretches
from bayestwin.infer.predictive import read_laws, thinned
from bayestwin.laws.expected import Counts
from bayestwin.laws.triangle import Triangle, to_come
from bayestwin.nowcast.chain_ladder import ladder
from bayestwin.prepared import Prepared

DRAWS = 400
NAIVE = "the chain ladder"


class Reported(NamedTuple):
    """A reporting triangle as it was known on a date.

    Attributes:
        periods: start of each event period, datetime64[D].
        units: labels of what is counted, further dims among them.
        counts: (period, unit, delay); zero where nothing is known.
        there: cells that are known.
    """

    periods: np.ndarray
    units: pd.Index
    counts: Float[np.ndarray, "period unit delay"]
    there: Bool[np.ndarray, "period unit delay"]


def triangles(prepared: Prepared) -> dict[str, Reported]:
    """The streams that are reporting triangles, their further dims taken for units."""
    definition, data, found = prepared.twin.definition, prepared.data, {}
    for site, ends in definition.arrays(data).items():
        if (dims := definition.observed[site])[-2:] == ("delay", "end"):
            there = known_cells(ends) & (ends[..., 0] == ends[..., 1])
            shape = (ends.shape[0], -1, ends.shape[-2])
            counts = np.where(there, ends[..., 0], 0.0).reshape(shape)
            units = pd.MultiIndex.from_product([pd.Index(data.coords[dim]) for dim in dims[1:-2]])
            found[site] = Reported(data.coords[dims[0]].astype("datetime64[D]"), units, counts, there.reshape(shape))
    return found


def nowcasts(now: Prepared, then: Prepared, drawn: Mapping[str, np.ndarray], seed: int) -> Iterator[dict[str, Any]]:
    """Scores of what was still to be reported on a date.

    Args:
        now: the study.
        then: the same as of the date.
        drawn: draws given `then` by site, dims chain and draw first.
        seed: of the chance in the nowcasts.

    Returns:
        A row for each stream and how many periods back (0 for all together, 1 for the last one begun), as `scores` gives it, skill being against the chain ladder. Event
        periods count of which something, but not all, had been reported, the first reports among it, and all is now.
    """
    came, rng = triangles(now), np.random.default_rng(seed)
    known = {site: reported for site, reported in triangles(then).items() if site in came}
    if not known:
        return
    laws = _laws(then, drawn)
    for site, (periods, units, counts, there) in known.items():
        if site not in laws:
            continue
        unit = came[site].units.get_indexer(units)
        at = np.ix_(np.searchsorted(came[site].periods, periods), unit)
        begun = there.any(-1) & ~there.all(-1) & (unit >= 0)  # -1: a category that a revision has taken away
        later = Came(came[site].counts[at].sum(-1), came[site].there[at].all(-1) & begun)
        so_far = counts.sum(-1)
        cells, concentration = laws[site]
        cells = cells.reshape(len(cells), *counts.shape)
        concentration = None if concentration is None else concentration.reshape(len(cells), *so_far.shape)
        ours, theirs = so_far + to_come(rng, cells, concentration, so_far, there), so_far + _ladder(rng, known[site])
        ours, later, theirs = ours[:, ::-1], later.at(slice(None, None, -1)), theirs[:, ::-1]
        for back, chosen in stretches(min(counts.shape[-1], len(periods))):
            row = scores(ours[:, chosen], later.at(chosen), theirs[:, chosen])
            yield {"stream": site, "periods_back": back} | row | {"naive": NAIVE}


def _laws(prepared: Prepared, drawn: Mapping[str, np.ndarray]) -> dict[str, tuple[np.ndarray, np.ndarray | None]]:
    """Means of a triangle's cells at each draw, and the concentration of the counts by event period; of Poisson counts none."""

    def read(laws: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
        found: dict[str, tuple[Any, Any]] = {}
        for site, law in ((site, getattr(law, "law", None)) for site, law in laws.items()):
            if isinstance(law, Triangle):
                found[site] = law.mean[..., None] * law.probability, law.concentration
            elif isinstance(law, Counts) and law.concentration is None:
                found[site] = law.mean, None
        return found

    return read_laws(prepared.model, thinned(prepared.model, drawn, DRAWS), read)


def _ladder(rng: np.random.Generator, reported: Reported) -> Float[np.ndarray, "draw period unit"]:
    """Draws of what is to come by the chain ladder, counts over-dispersed about it; NaN where the first reports, which it multiplies, are not known."""
    mean, dispersion = ladder(reported.counts.swapaxes(1, 2), reported.there.swapaxes(1, 2))
    excess = np.maximum(dispersion - 1.0, 1e-9)
    drawn = rng.poisson(rng.gamma(mean / excess, excess, (DRAWS, *mean.shape)))
    return np.where(reported.there[..., 0], drawn, np.nan)
