"""Two posteriors of the same study: means and sds in Monte Carlo errors of both together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from bayestwin.credibility.campaign import Piece, Rows
from bayestwin.credibility.check import Check, graded, worst_of
from bayestwin.infer.settings import Sampling
from bayestwin.runs import Run
from bayestwin.study import Study

BOUND, FAR = 4.0, 6.0  # Monte Carlo errors
MIXED = 1.05  # R-hat of a second engine that can be compared with
Moments = dict[str, float]


def moments(draws: xr.DataArray) -> Moments:
    """Mean, sd, and their Monte Carlo errors (ArviZ), of draws averaged over all dims but chain and draw.

    Example:
        >>> draws = xr.DataArray(np.random.default_rng(1).normal(size=(4, 1000)), dims=("chain", "draw"))
        >>> found = moments(draws)
        >>> round(found["sd"], 1), bool(0.01 < found["mean_error"] < 0.025)
        (1.0, True)
    """
    import arviz_stats

    values = draws.astype(float).mean([dim for dim in draws.dims if dim not in ("chain", "draw")])
    errors = {f"{part}_error": float(arviz_stats.mcse(values.to_dataset(name="x"), method=part)["x"]) for part in ("mean", "sd")}
    return {"mean": float(values.mean()), "sd": float(values.std(ddof=1)), **errors}


def moments_of(posterior: xr.Dataset) -> dict[str, Moments]:
    """Moments of every scalar, and of the mean of every vector, deterministic ones left out."""
    derived = set(np.atleast_1d(posterior.attrs.get("deterministic", [])).tolist())
    return {str(name): moments(values) for name, values in posterior.data_vars.items() if name not in derived and values.size}


def apart(one: Moments, other: Moments, part: str) -> float:
    """Distance of two means or sds in errors of both together.

    Example:
        >>> apart({"mean": 1.0, "mean_error": 0.3}, {"mean": 2.0, "mean_error": 0.4}, "mean")
        2.0
    """
    return float(abs(one[part] - other[part]) / np.hypot(one[f"{part}_error"], other[f"{part}_error"]))


def second_engine(study: Study, sampling: Sampling) -> Piece:
    """The study's posterior by another engine.

    Args:
        study: the study.
        sampling: how, and by which engine.
    """
    return Piece(f"sampling with {sampling.engine}", partial(sample_again, study, sampling))


def sample_again(study: Study, sampling: Sampling, watch: Callable[[Any], None] = lambda progress: None) -> Rows:
    """Sample a study's posterior, and keep its moments.

    Args:
        study: the study.
        sampling: how, and by which engine.
        watch: told the sampler's progress.

    Returns:
        A row for each quantity: `quantity`, `engine`, its worst `r_hat`, `mean`, `sd`, and their Monte Carlo errors.
    """
    from bayestwin.analyse.verdict import judge_fit
    from bayestwin.infer.posterior import dataset
    from bayestwin.infer.predictive import sites
    from bayestwin.prepared import prepare
    from bayestwin.sampled import sampled

    prepared = prepare(study)
    draws = sampled(prepared, sampling, watch)
    latent = {name: draws.sites[name] for name in sites(prepared.model).latent}
    r_hat = judge_fit(prepared.model, draws).metrics["rhat_max"]
    found = moments_of(dataset(latent, prepared.twin.definition.dims, prepared.data.coords))
    return [{"quantity": name, "engine": sampling.engine, "r_hat": r_hat} | row for name, row in found.items()]


def checks_of_agreement(run: Run, rows: Rows) -> Iterator[Check]:
    """Whether another engine finds the same posterior.

    Args:
        run: a loaded run.
        rows: of `sample_again`.
    """
    if not rows:
        return
    own = moments_of(run.posterior)
    errors = {(row["quantity"], part): apart(own[row["quantity"]], row, part) for row in rows for part in ("mean", "sd")}
    (name, part), largest = max(errors.items(), key=lambda found: found[1])
    mixed = rows[0]["r_hat"] < MIXED
    status = worst_of([graded(largest, BOUND, FAR) if mixed else "PASS", "PASS" if mixed else "REVIEW"])
    said = f"means and sds of {len(rows)} quantities differ by at most {largest:.1f} Monte Carlo errors ({part} of {name})"
    yield Check(
        f"agreement with {rows[0]['engine']}",
        status,
        largest,
        f"at most {BOUND:.0f} Monte Carlo errors; beyond {FAR:.0f} it fails",
        said if mixed else f"the other engine has not mixed (R-hat {rows[0]['r_hat']:.2f}), so that it says nothing; {said}",
        ""
        if status == "PASS"
        else "sample both for longer; if they still differ, one of the two models is wrong"
        if mixed
        else "sample it for longer",
        "bayestwin's own bounds",
    )
