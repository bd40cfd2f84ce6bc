"""Checks of one run, in the order in which a reviewer looks: computation, fit, influence, priors, truth."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr

from bayestwin.analyse.scaling import PRIOR, SENSITIVE, moved_by
from bayestwin.analyse.verdict import diagnostics
from bayestwin.credibility.campaign import Rows
from bayestwin.credibility.check import Check, graded, worst_of
from bayestwin.credibility.fit_by import checks_of_fit
from bayestwin.credibility.influence import checks_of_influence
from bayestwin.report.checks import category_coverage, pit_of_site
from bayestwin.runs import Run

CENTRAL = {"50": 0.25, "95": 0.475}  # half the probability of a central interval
OFF, FAR_OFF = 0.05, 0.15  # how far a coverage of published cells may lie from its level
TRUE_OFF = 0.03, 0.10  # how far the coverage of true values may lie from 95 %


def checks_of_run(run: Run, left_out: Rows, scaled: Rows, fitted: Rows) -> Iterator[Check]:
    """Every check of a run.

    Args:
        run: a loaded run.
        left_out: of `refit_without`.
        scaled: of `power_scaling`.
        fitted: of `fit_by_group`.
    """
    yield computation(run)
    yield from fit(run)
    yield from checks_of_fit(fitted)
    yield from checks_of_influence(run.tree, left_out)
    yield from priors(scaled)
    if run.truth is not None:
        yield from truth(run, run.truth)


def computation(run: Run) -> Check:
    """The sampler's own gate."""
    verdict = run.verdict
    metrics = verdict["metrics"]
    return Check(
        "computation",
        "PASS" if verdict["status"] == "PASS" else "FAIL",
        metrics["rhat_max"],
        "R-hat < 1.01, bulk and tail ESS > 400, no divergence, E-BFMI > 0.3",
        diagnostics(metrics),
        "; ".join(verdict["remedies"]),
        "Vehtari et al. (2021), Bayesian Analysis 16; Betancourt (2016), arXiv:1604.00695",
    )


def fit(run: Run) -> Iterator[Check]:
    """Whether central predictive intervals hold as many published cells as they say, stream by stream."""
    from bayestwin.twin.answered import answered_by_run

    known, tree = answered_by_run(run.manifest), run.tree
    for site in map(str, tree["observed_data"].data_vars):
        if site in known.categorical:
            found = category_coverage(tree, site)
            held, cells = {"95": float(np.mean(found["inside"]))}, found["cells"]
        else:
            pit = pit_of_site(tree, site)
            held, cells = {level: float((np.abs(pit - 0.5) <= half).mean()) for level, half in CENTRAL.items()}, pit.size
        if not cells:
            continue
        off = {level: abs(share - float(level) / 100.0) for level, share in held.items()}
        chance = {level: 3.0 * np.sqrt(p * (1.0 - p) / cells) for level in held for p in [float(level) / 100.0]}
        status = worst_of(graded(off[level], OFF, FAR_OFF, chance[level]) for level in held)
        said = ", ".join(f"{level} % intervals hold {share:.1%}" for level, share in held.items())
        yield Check(
            f"fit of {known.words(site)}",
            status,
            max(off.values()),
            f"within {OFF:.0%} of the nominal share, or three errors where cells are few; beyond {FAR_OFF:.0%} it fails",
            f"{said} of {cells:,} published cells",
            "" if status == "PASS" else "look at the stream's PIT in the report: a hump says too wide, a cup too narrow, a slope biased",
            "bayestwin's own bounds",
        )


def priors(rows: Rows) -> Iterator[Check]:
    """Whether a parameter moves when its own prior is made a little stronger, and what else speaks of it.

    Args:
        rows: of `power_scaling`.
    """
    if not rows:
        return
    moved = moved_by(rows)
    strong = sorted((name for name, by in moved.items() if PRIOR in by), key=lambda name: -moved[name][PRIOR])
    said = ", ".join(f"{name} ({_others(moved[name])})" for name in strong)
    yield Check(
        "sensitivity to priors",
        "REVIEW" if strong else "PASS",
        max(row["value"] for row in rows if row["source"] == PRIOR),
        f"power-scaling sensitivity of every scalar parameter to its own prior at most {SENSITIVE}",
        f"the prior moves {said}" if strong else f"no scalar parameter moves beyond {SENSITIVE}",
        "argue these priors to those who know the place, or get data on what they stand for (`bayestwin access`); where a stream speaks, too, see "
        "whether it disagrees with the prior"
        if strong
        else "",
        "Kallioinen, Paananen, Bürkner & Vehtari (2024), Statistics and Computing 34",
    )


def _others(by: dict[str, float]) -> str:
    streams = [source.replace("_", " ") for source in by if source != PRIOR]
    return f"as do {', '.join(streams[:3])}" if streams else "no stream does"


def truth(run: Run, true: xr.Dataset) -> Iterator[Check]:
    """Whether 95 % intervals hold the true values of a simulated study, parameters and weeks ahead."""
    from bayestwin.report.tables import against_truth, forecast_against_truth

    table = against_truth(run.posterior, true)
    yield _of_truth("true parameters", float(table["inside"].mean()), len(table))
    ahead = forecast_against_truth(run.forecast, true)
    if len(ahead):
        cells = ahead["cells"]
        yield _of_truth("true weeks ahead", float((ahead["inside_95"] * cells).sum() / cells.sum()), int(cells.sum()))


def _of_truth(name: str, share: float, count: int) -> Check:
    status = graded(abs(share - 0.95), *TRUE_OFF)
    return Check(
        name,
        status,
        share,
        f"within {TRUE_OFF[0]:.0%} of 95 %; beyond {TRUE_OFF[1]:.0%} it fails",
        f"{share:.1%} of {count:,} true values lie inside their 95 % interval; they are not independent of one another",
        "" if status == "PASS" else "calibrate more simulated studies (`bayestwin simulate`) before trusting this one",
        "bayestwin's own bounds",
    )
