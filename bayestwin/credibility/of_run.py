"""Checks of one run, in the order in which a reviewer looks: computation, fit, influence, priors, truth."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import xarray as xr

from bayestwin.analyse.verdict import diagnostics
from bayestwin.credibility.check import Check, Status, graded, worst_of
from bayestwin.report.checks import category_coverage, pit_of_site
from bayestwin.runs import Run

CENTRAL = {"50": 0.25, "95": 0.475}  # half the probability of a central interval
OFF, FAR_OFF = 0.05, 0.15  # how far a coverage of published cells may lie from its level
LOO_DRAWS = 2000  # no fewer are enough for Pareto k up to 0.7
INFLUENTIAL, MANY = 0.7, 0.01  # Pareto k of a cell, and the share of such cells
STILL = 1e-4  # spread of the tail of a cell that says nothing: nothing is known of it, or it could hardly be another
SENSITIVE = 0.05  # of power-scaling
TRUE_OFF = 0.03, 0.10  # how far the coverage of true values may lie from 95 %


def checks_of_run(run: Run) -> Iterator[Check]:
    """Every check of a run.

    Args:
        run: a loaded run.
    """
    yield computation(run)
    yield from fit(run)
    yield from influence(run.tree)
    yield from priors(run)
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
        status = worst_of(graded(off[level], max(OFF, chance[level]), max(FAR_OFF, chance[level])) for level in held)
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


def influence(tree: xr.DataTree) -> Iterator[Check]:
    """Cells that the posterior leans on: Pareto k of leave-one-out by importance sampling (ArviZ)."""
    import arviz_stats

    for site, values in tree["log_likelihood"].data_vars.items():
        step = max(1, values.sizes["chain"] * values.sizes["draw"] // LOO_DRAWS)
        thinned = values.isel(draw=slice(None, None, step)).transpose("chain", "draw", ...).to_numpy()
        flat = thinned.reshape(*thinned.shape[:2], -1)
        moving = flat[..., _moves(flat)]
        if moving.shape[-1] < 2:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of large Pareto k, which are what is asked for
            found = arviz_stats.loo(_only(moving), pointwise=True, reff=1.0)
        k = np.asarray(found.pareto_k).ravel()
        share = float((k > INFLUENTIAL).mean())
        status: Status = "PASS" if share <= MANY else "REVIEW"
        yield Check(
            f"influence of cells of {str(site).replace('_', ' ')}",
            status,
            share,
            f"at most {MANY:.0%} of cells with Pareto k above {INFLUENTIAL}",
            f"{(k > INFLUENTIAL).sum()} of {k.size:,} cells have a Pareto k above {INFLUENTIAL}; elpd {float(found.elpd):,.0f}",
            "" if status == "PASS" else "compare models by held-out weeks and not by leave-one-out, and look at these cells",
            "Vehtari, Simpson, Gelman, Yao & Gabry (2024), JMLR 25",
        )


def _moves(log_likelihood: np.ndarray) -> np.ndarray:
    """Which cells have a tail that a Pareto law could be fitted to."""
    draws = log_likelihood.reshape(-1, log_likelihood.shape[-1])
    tail = int(min(0.2 * len(draws), 3.0 * np.sqrt(len(draws))))
    lowest = np.partition(draws, (0, tail), axis=0)
    return lowest[tail] - lowest[0] > STILL


def _only(log_likelihood: np.ndarray) -> xr.DataTree:
    cells = xr.Dataset({"cell": (("chain", "draw", "place"), log_likelihood.astype(float))})
    return xr.DataTree.from_dict({"log_likelihood": cells, "posterior": xr.Dataset({"none": cells["cell"][..., 0]})})


def priors(run: Run) -> Iterator[Check]:
    """Parameters that move when their own prior is made a little stronger (ArviZ power-scaling)."""
    import arviz_stats

    posterior, stated = run.posterior, {row["name"] for row in run.manifest["priors"]}
    names = [str(name) for name, values in posterior.data_vars.items() if values.ndim == 2 and name in stated]
    if not names:
        return
    found = {}
    for name in names:  # all priors at once would move so much that importance weights are mostly noise
        tree = xr.DataTree.from_dict({"posterior": posterior[[name]], "log_prior": run.tree["log_prior"].to_dataset()[[name]]})
        found[name] = float(arviz_stats.psense(tree, group="prior")[name])
    strong = sorted((name for name, value in found.items() if value > SENSITIVE), key=lambda name: -found[name])
    yield Check(
        "sensitivity to priors",
        "REVIEW" if strong else "PASS",
        max(found.values()),
        f"power-scaling sensitivity of every scalar parameter to its own prior at most {SENSITIVE}",
        f"the prior moves {', '.join(strong)}" if strong else f"no scalar parameter moves beyond {SENSITIVE}",
        "argue these priors to those who know the place, or get data on what they stand for (`bayestwin access`)" if strong else "",
        "Kallioinen, Paananen, Bürkner & Vehtari (2024), Statistics and Computing 34",
    )


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
