"""Two posteriors of the same study: means and sds in Monte Carlo errors of both together, or one's draws weighed by the other's density.

Weighing costs no sampling: where two densities differ by a constant, the draws of one are draws of the other. It judges what is written
twice, the model and its barriers, and leaves the sampler to other checks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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
WEIGHED = 100  # draws that the second engine's density is found at
ALIKE = 1e-6  # log densities that differ by less are the same
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


def second_density(study: Study, posterior: xr.Dataset, seed: int) -> Piece:
    """The density of the study's second model at draws of its posterior.

    Args:
        study: the study.
        posterior: of the study, dims chain and draw first.
        seed: of which draws.
    """
    from bayestwin.infer.posterior import some_draws

    return Piece("weighing draws by the second engine's density", partial(weigh, study, some_draws(posterior, WEIGHED, seed)))


def weigh(study: Study, drawn: Mapping[str, np.ndarray], watch: Callable[[Any], None] = lambda progress: None) -> Rows:
    """Log densities of draws by both models.

    Args:
        study: the study.
        drawn: draws by site, leading axis draw.
        watch: told nothing.

    Returns:
        A row for each quantity: `quantity`, `engine`, how far its `mean` and `sd` move if the draws are weighed by the other's density over the first's, in
        sds of the draws; `draws`, their number; `difference`, the range of the difference of log densities; `share`, of the draws that the weights leave.
    """
    from bayestwin.infer.predictive import sites
    from bayestwin.infer.second import log_density
    from bayestwin.prepared import prepare
    from bayestwin.sampled import second_model

    prepared = prepare(study)
    latent = {name: np.asarray(drawn[name], float) for name in sites(prepared.model).latent}
    theirs = log_density(second_model(prepared))
    points = [{name: values[i] for name, values in latent.items()} for i in range(len(next(iter(latent.values()))))]
    difference = np.array([theirs(point) for point in points]) - _log_densities(prepared.model, latent)
    weights = np.exp(difference - difference.max())
    weights /= weights.sum()
    share = float(1.0 / np.square(weights).sum() / len(weights))
    common = {"engine": "pymc", "draws": len(points), "difference": float(np.ptp(difference)), "share": share}
    return [
        {"quantity": name, **common, **_moved(values.reshape(len(values), -1).mean(1), weights)}
        for name, values in latent.items()
        if values.size
    ]


def _log_densities(model: Callable[[], None], latent: Mapping[str, np.ndarray]) -> np.ndarray:
    """Log density of a NumPyro model at many points, up to a constant."""
    import jax
    from numpyro.infer.util import log_density

    return np.asarray(jax.jit(partial(jax.lax.map, lambda point: log_density(model, (), {}, point)[0]))(dict(latent)))


def _moved(values: np.ndarray, weights: np.ndarray) -> Moments:
    """How far weights move mean and sd, in sds of the values."""
    spread = max(values.std(), np.finfo(float).tiny)
    mean = weights @ values
    sd = np.sqrt(weights @ np.square(values - mean))
    return {"mean": float((mean - values.mean()) / spread), "sd": float((sd - values.std()) / spread)}


def checks_of_density(rows: Rows) -> Iterator[Check]:
    """Whether the model that is written for another engine has the same density.

    Args:
        rows: of `weigh`.
    """
    if not rows:
        return
    first, worst = rows[0], max(rows, key=lambda row: max(abs(row["mean"]), abs(row["sd"])))
    moved = max(abs(worst["mean"]), abs(worst["sd"]))
    alike = first["difference"] <= ALIKE
    yield Check(
        f"density of the model in {first['engine']}",
        "PASS" if alike else "FAIL",
        first["difference"],
        f"log densities at draws of the posterior differ by a constant, within {ALIKE:g}",
        f"the difference of log densities varies by {first['difference']:.1g} over {first['draws']} draws; weighed by the other density these count as "
        f"{first['share']:.0%} of as many, and no mean or sd of {len(rows)} quantities moves by more than {moved:.1g} sds",
        "" if alike else f"one of the two models is wrong: {worst['quantity']} moves most",
        "bayestwin's own bound",
    )


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
