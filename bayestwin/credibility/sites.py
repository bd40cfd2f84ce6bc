"""Places that gave no data: put aside those that did, fold by fold, and see whether the others and the hierarchy foretell them.

The claim that partial pooling covers a silo is tested place by place. What a place's cells add up to has one value among those that were
foretold; turned into normal scores these values have mean square one where widths are honest, more where they are too small.

Source: Gelman et al. (2013), Bayesian Data Analysis, ch. 6 and 7, for checks on held-out groups; Czado, Gneiting & Held (2009), Biometrics 65, for PIT
values of counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from bayestwin.cells import known_cells
from bayestwin.credibility.backtest import published
from bayestwin.credibility.campaign import Piece, Rows
from bayestwin.credibility.check import Check, Status
from bayestwin.credibility.rivals import Came
from bayestwin.credibility.scores import LEVELS, scores, skill_of
from bayestwin.extracts.held_out import HeldOut
from bayestwin.infer.settings import Sampling
from bayestwin.prepared import Prepared, prepare
from bayestwin.report.checks import pit_of_pairs, randomised_pit
from bayestwin.sampled import sampled
from bayestwin.study import Study, read_hierarchy

REPLICATES = 400
UNUSUAL, IMPOSSIBLE = 0.05, 0.001  # p of the normal scores' mean square, times the number of streams
FEWEST = 3  # places
NAIVE = "other places' rates"


def left_out(study: Study, folds: int, sampling: Sampling) -> list[Piece]:
    """The places of a study, dealt to folds, each fold put aside once.

    Places are the units of the level above the leaves, such as clinics; the leaves themselves where that level has one unit.

    Args:
        study: the study.
        folds: number of refits; no more than there are places.
        sampling: of each refit.
    """
    hierarchy = read_hierarchy(study)
    level = next((level for level in hierarchy.levels[1:2] if len(hierarchy.codes[level]) > 1), hierarchy.levels[0])
    codes = hierarchy.codes[level]
    count = min(folds, len(codes))
    dealt = [tuple(map(str, codes[fold::count])) for fold in range(count)]
    return [
        Piece(f"refitting without {level} {_few(part)}, fold {fold} of {count}", partial(foretell, study, HeldOut(level, part), sampling))
        for fold, part in enumerate(dealt, 1)
    ]


def _few(codes: tuple[str, ...]) -> str:
    return ", ".join(codes) if len(codes) <= 4 else f"{codes[0]} and {len(codes) - 1} more"


def foretell(study: Study, held: HeldOut, sampling: Sampling, watch: Callable[[Any], None] = lambda progress: None) -> Rows:
    """Refit without some places and compare what was foretold of them with what they gave.

    Args:
        study: the study.
        held: the places.
        sampling: of the refit.
        watch: told the sampler's progress.

    Returns:
        A row for each stream that the places gave something of: cells, coverage of central intervals, and `places`: where the sum over each
        place's cells lies among those foretold, 0 to 1. Of quantities whose published numbers are the quantity itself, scores against other places' rates.
    """
    from bayestwin.analyse.verdict import judge_fit

    full, less = prepare(study), prepare(study, held)
    definition = full.twin.definition
    draws, hierarchy = sampled(less, sampling, watch), read_hierarchy(study)
    verdict = judge_fit(less.model, draws)
    head = {"level": held.level, "held_out": list(held.codes), "r_hat": verdict.metrics["rhat_max"]}
    values, replicated = definition.arrays(full.data), _replicated(full, less, draws.sites, sampling.seed)
    before, after = told(full), told(less)
    rows = []
    for site, observed in values.items():
        new = before[site] & ~after[site]
        dims = definition.observed[site]
        at = next((dim for dim in dims if dim in hierarchy.levels[: hierarchy.levels.index(held.level) + 1]), None)
        if at is None or not new.any():
            continue
        place = hierarchy.codes[held.level][hierarchy.ancestors(at, held.level)]
        rows.append(head | {"stream": site} | _compared(observed, replicated[site], new, place, dims.index(at)))
    return rows + [head | row for row in against_others(full, less, draws.sites, sampling.seed)]


def _replicated(full: Prepared, less: Prepared, drawn: Mapping[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
    """Replicates of every stream, each foretold without what the places gave of the others; of categories given their published totals."""
    from bayestwin.infer.predictive import predict, thinned

    thin, rng = thinned(less.model, drawn, REPLICATES), np.random.default_rng(seed)
    given = full.twin.definition.categorical
    replicated = predict(less.model, thin, rng)
    return replicated | ({site: v for site, v in predict(full.model, thin, rng).items() if site in given} if given else {})


def told(prepared: Prepared) -> dict[str, np.ndarray]:
    """Of which cells anything was told, by observed site; cells of categories without their last axis."""
    definition, data = prepared.twin.definition, prepared.data
    constants, found = definition.constants(data), {}
    for site, values in definition.arrays(data).items():
        dims = definition.observed[site]
        shape = values.shape[:-1] if dims[-1] == "end" or site in definition.categorical else values.shape
        seen = np.broadcast_to(constants[f"{site}_seen"][1], shape) if f"{site}_seen" in constants else np.ones(shape, bool)
        if dims[-1] == "end":
            seen = seen & known_cells(values)
        found[site] = seen.astype(bool)
    return found


def _compared(observed: np.ndarray, replicated: np.ndarray, new: np.ndarray, place: np.ndarray, axis: int) -> dict[str, Any]:
    """Coverage of the new cells, and the PIT of each place's sum.

    Args:
        observed: (cells..., ends or categories or nothing).
        replicated: the same, leading axis draw.
        new: which cells are compared, (cells...).
        place: of each unit along an axis of the cells.
        axis: that axis.
    """
    pairs = observed.ndim > new.ndim and observed.shape[-1] == 2 and np.issubdtype(observed.dtype, np.floating)
    if pairs:
        pit = pit_of_pairs(observed, replicated, new)
        observed, replicated = _middle(observed), _middle(replicated)
    else:
        wide = np.broadcast_to(new.reshape(*new.shape, *[1] * (observed.ndim - new.ndim)), observed.shape)
        pit = randomised_pit(observed, replicated, wide)
        if observed.ndim > new.ndim:  # categories: their mean position
            weight = np.arange(observed.shape[-1]) / observed.shape[-1]
            observed, replicated = observed @ weight, replicated @ weight
    place = np.broadcast_to(place.reshape(-1, *[1] * (new.ndim - 1 - axis)), new.shape)
    held = {f"coverage_{100 * level:.0f}": float((np.abs(pit - 0.5) <= level / 2).mean()) for level in LEVELS}
    sums = {}
    for code in np.unique(place[new]):
        here = new & (place == code)
        one = np.ones(1, bool)
        sums[str(code)] = float(randomised_pit(observed[here].sum()[None], replicated[:, here].sum(1)[:, None], one)[0])
    return {"cells": int(new.sum()), **held, "places": sums}


def _middle(ends: np.ndarray) -> np.ndarray:
    """One number for what is told of a cell: the middle of its ends, the finite one where the other is open, zero where nothing is told."""
    finite = np.isfinite(ends)
    return np.where(finite, ends, 0.0).sum(-1) / np.maximum(finite.sum(-1), 1)


def against_others(full: Prepared, less: Prepared, drawn: Mapping[str, np.ndarray], seed: int) -> Iterator[dict[str, Any]]:
    """Scores of the places' published quantities, against the rates of the places that were not put aside.

    Args:
        full: the study.
        less: the same without the places.
        drawn: draws given `less` by site, dims chain and draw first.
        seed: of the chance in the quantities.
    """
    from bayestwin.analyse.forecast import answer
    from bayestwin.infer.posterior import dataset

    definition, came, known = full.twin.definition, published(full), published(less)
    if not came:
        return
    span = definition.fitted(less.data, less.study.calendar)
    behind = answer(definition, less.data, dataset(drawn, definition.dims, less.data.coords), span, seed, inner=2).draws
    people = np.asarray(span.people, float)
    for name, values in came.items():
        new = values.seen & ~known[name].seen
        others = known[name].seen[values.seen.any(1)].all(0)
        if not new.any() or not others.any():
            continue
        rate = known[name].values[:, others] / people[:, others]
        naive = rate.T[:, :, None] * people
        ours = behind[name].to_numpy().reshape(-1, *new.shape)
        yield {"quantity": name} | scores(ours, Came(values.values, new), naive) | {"naive": NAIVE}


def checks_of_sites(rows: Rows) -> Iterator[Check]:
    """Whether places that were put aside lie where they were foretold, by stream, and whether they are foretold better than by other places' rates."""
    pits: dict[str, dict[str, float]] = defaultdict(dict)
    for row in rows:
        if "stream" in row:
            pits[row["stream"]] |= row["places"]
    tested = {stream: list(places.values()) for stream, places in pits.items() if len(places) >= FEWEST}
    for stream, values in tested.items():
        yield _of_scores(stream, rows[0]["level"], np.array(values), len(tested))
    for name in dict.fromkeys(row["quantity"] for row in rows if row.get("cells") and "quantity" in row):
        mine = pd.DataFrame([row for row in rows if row.get("quantity") == name and row["cells"]])
        skill = skill_of(mine)
        if skill is None:
            continue
        yield Check(
            f"places put aside, {name}: skill",
            "PASS" if skill >= 0 else "REVIEW",
            skill,
            "weighted interval score no worse than the rates of the places that stayed",
            f"{skill:+.0%} over {mine['cells'].sum():,} cells",
            "" if skill >= 0 else "the covariates of places mislead: look at the slopes on them",
            "bayestwin's own bound",
        )


def _of_scores(stream: str, level: str, pit: np.ndarray, streams: int) -> Check:
    edge = 0.5 / REPLICATES
    score = stats.norm.ppf(np.clip(pit, edge, 1.0 - edge))
    square, law = float(np.square(score).sum()), stats.chi2(len(score))
    too_small = law.sf(square) < law.cdf(square)
    p = min(1.0, 2.0 * streams * min(law.sf(square), law.cdf(square)))
    status: Status = "PASS" if p >= UNUSUAL else "FAIL" if too_small and p < IMPOSSIBLE else "REVIEW"
    remedy = (
        "widths of places that gave nothing are too small: widen the prior of the spread between them"
        if too_small
        else ("places are foretold with more width than they need: the spread between them may be held up by its prior")
    )
    return Check(
        f"places put aside, {stream.replace('_', ' ')}",
        status,
        float(np.sqrt(square / len(score))),
        f"root mean square of normal scores of {level}s near 1: p × {streams} streams at least {UNUSUAL}; below {IMPOSSIBLE} and too small it fails",
        f"{np.sqrt(square / len(score)):.2f} over {len(score)} {level}s (p × {streams} = {p:.2g}); 95 % intervals hold {np.mean(np.abs(pit - 0.5) <= 0.475):.0%} of their sums",
        "" if status == "PASS" else remedy,
        "bayestwin's own bounds",
    )
