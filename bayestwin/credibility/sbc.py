"""Simulation-based calibration of a study's own model and access: parameters from the prior or the posterior, data through every barrier, fits, ranks.

Among the draws of calibrated fits the parameters that made the data have uniform ranks, and so has the log likelihood, which depends on the data.
What a study knows stays as it is: calendar, lists, schedules, which cells are released. Every fit counts, those that failed their gate too.

From the prior come studies of every kind that it allows, most of them unlike the one at hand. From the posterior come studies like it; their fits are given the study's own data as well,
for it is of both together that a draw of the posterior is the truth.

Source: Talts et al. (2018), arXiv:1804.06788; Modrák et al. (2023), Bayesian Analysis 20, for test quantities that depend on the data; Säilynoja, Schmitt, Bürkner & Vehtari
(2025), arXiv:2502.03279, for calibration about a posterior.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpyro
from numpyro.primitives import Messenger

from bayestwin.analyse.ranks import KEPT, p_uniform, rank
from bayestwin.cells import known_cells
from bayestwin.credibility.campaign import Piece, Rows
from bayestwin.credibility.check import Check, Status
from bayestwin.errors import Fault, RunError
from bayestwin.infer.settings import Sampling
from bayestwin.prepared import Prepared, prepare
from bayestwin.study import Study

if TYPE_CHECKING:
    import jax
    import xarray as xr

    from bayestwin.analyse.verdict import Verdict
    from bayestwin.infer.mcmc import Draws

BLOCK = 5  # replicates that are kept together
UNUSUAL, IMPOSSIBLE = 0.05, 0.001  # least p of uniform ranks, times the number of quantities
MIXED = 1.05  # R-hat of a fit whose ranks can be trusted
LOG_LIKELIHOOD = "log likelihood"
SOURCES = {
    "prior": "Talts et al. (2018), arXiv:1804.06788; Modrák et al. (2023), Bayesian Analysis 20",
    "posterior": "Säilynoja et al. (2025), arXiv:2502.03279; Modrák et al. (2023), Bayesian Analysis 20",
}


def replicates(study: Study, count: int, sampling: Sampling) -> list[Piece]:
    """Fits of data drawn from the prior.

    Args:
        study: the study.
        count: number of fits.
        sampling: of each fit; its seed is that of the data, too.
    """
    return [
        Piece(f"fitting {_numbers(block)} from the prior", partial(fit_block, study, block, sampling, None)) for block in _blocks(count)
    ]


def posterior_replicates(study: Study, count: int, sampling: Sampling, posterior: xr.Dataset) -> list[Piece]:
    """Fits of data drawn from the posterior, together with the study's own.

    Args:
        study: the study.
        count: number of fits.
        sampling: of each fit; its seed is that of the data, too.
        posterior: of the study, dims chain and draw first.

    Raises:
        RunError: if it has fewer draws than fits are asked for.
    """
    from bayestwin.infer.posterior import some_draws

    total = posterior.sizes["chain"] * posterior.sizes["draw"]
    if count > total:
        remedy = "calibrate with more draws, or ask for fewer replicates"
        raise RunError(
            [Fault("--posterior-replicates", "too many", value=str(count), expected=f"at most {total}, the draws", remedy=remedy)]
        )
    drawn = some_draws(posterior, count, sampling.seed)
    return [
        Piece(
            f"fitting {_numbers(block)} from the posterior",
            partial(fit_block, study, block, sampling, {name: values[block.start : block.stop] for name, values in drawn.items()}),
        )
        for block in _blocks(count)
    ]


def _blocks(count: int) -> list[range]:
    return [range(first, min(first + BLOCK, count)) for first in range(0, count, BLOCK)]


def _numbers(block: range) -> str:
    return f"simulated data {block.start + 1} to {block.stop}"


class Fitted(NamedTuple):
    """What is known after a fit.

    Attributes:
        done: fits that are done.
        total: fits of the piece.
    """

    done: int
    total: int

    @property
    def words(self) -> str:
        """For people who wait."""
        return f"{self.done} of {self.total} fits"


def fit_block(
    study: Study,
    block: range,
    sampling: Sampling,
    drawn: Mapping[str, np.ndarray] | None = None,
    watch: Callable[[Any], None] = lambda progress: None,
) -> Rows:
    """Draw some replicates, fit them, rank the truth.

    Args:
        study: the study.
        block: numbers of the replicates.
        sampling: of each fit.
        drawn: draws of the posterior that make the data, by site; of the prior if None.
        watch: told how many fits are done.

    Returns:
        A row for each replicate: `status`, `r_hat` and least `ess` of its verdict, and `ranks` of the truth by quantity, 0 to 1: every scalar parameter,
        the mean of every vector, and the log likelihood.
    """
    from numpyro.handlers import condition

    from bayestwin.infer.predictive import predict, prior_draws, sites

    prepared = prepare(study)
    model, names = prepared.model, sites(prepared.model)
    rng = np.random.default_rng((sampling.seed, block.start))
    known = prior_draws(model, rng, len(block)) if drawn is None else drawn
    truth = {name: known[name] for name in names.latent}
    data = as_told(prepared, predict(model, truth, rng))
    likelihood, rows = _log_likelihood(model, names.observed), []
    fits = _fits(prepared, data, replace(sampling, seed=int(rng.integers(2**31))), Beside if drawn else condition)
    for i, (verdict, draws) in enumerate(map(partial(_judged, names.latent), fits)):
        true, seen = ({name: value[i : i + 1] for name, value in part.items()} for part in (truth, data))
        ours, theirs = (_quantities(values) | likelihood(values, seen) for values in (draws, true))
        ranks = {name: float(rank(ours[name], theirs[name][0], rng)) for name in ours}
        metrics = verdict.metrics
        rows.append(
            {
                "replicate": block[i],
                "status": verdict.status,
                "r_hat": metrics["rhat_max"],
                "ess": min(metrics["ess_bulk_min"], metrics["ess_tail_min"]),
                "ranks": ranks,
            }
        )
        watch(Fitted(i + 1, len(block)))
    return rows


class Beside(Messenger):
    """A model that is told another data set beside its own, of the same unknowns.

    Args:
        model: NumPyro model without arguments.
        seen: the other data, by observed site.
    """

    def __init__(self, model: Callable[[], None], seen: Mapping[str, Any]) -> None:
        self.seen = seen
        super().__init__(model)

    def process_message(self, msg: dict[str, Any]) -> None:
        """Let an observed site count a second time."""
        if msg["type"] == "sample" and msg["is_observed"] and msg["name"] in self.seen:
            numpyro.factor(f"{msg['name']}_beside", msg["fn"].log_prob(self.seen[msg["name"]]).sum())


def _fits(prepared: Prepared, data: Mapping[str, np.ndarray], sampling: Sampling, told: Callable) -> Iterator[Draws]:
    """The fit of each data set, sampled as a calibration is, in the parameterisation that the study's own data suggest.

    Args:
        prepared: the study.
        data: by observed site, leading axis data set.
        sampling: of each fit.
        told: (model, data) -> the model that is told them: in the place of the study's own, or beside them.
    """
    from bayestwin.infer.mcmc import sample_each

    def model(seen: Mapping[str, np.ndarray]) -> None:
        told(prepared.model, seen)()

    each = [{name: value[i] for name, value in data.items()} for i in range(len(next(iter(data.values()))))]
    return sample_each(model, each, prepared.twin.definition.pilot(prepared.data), sampling, prepared.nesting)


def as_told(prepared: Prepared, replicated: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Replicates as the study would be told them: nothing where nothing is told, and numbers that say something of their own read as the model does.

    Args:
        prepared: the study.
        replicated: by observed site, leading axis replicate.
    """
    definition = prepared.twin.definition
    told = {}
    for site, values in definition.arrays(prepared.data).items():
        drawn = replicated[site]
        if definition.observed[site][-1] == "end":
            drawn = np.where(known_cells(values)[..., None], definition.reads(site, drawn), values)
        told[site] = drawn
    return told


def _judged(latent: tuple[str, ...], draws: Draws) -> tuple[Verdict, dict[str, np.ndarray]]:
    """Verdict of a fit, and some of its draws."""
    from bayestwin.analyse.verdict import judge_draws

    sites = {name: draws.sites[name] for name in latent}
    flat = {name: values.reshape(-1, *values.shape[2:]) for name, values in sites.items()}
    return judge_draws(sites, draws.stats), {name: values[:: len(values) // KEPT][:KEPT] for name, values in flat.items()}


def _quantities(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every scalar, and the mean of every vector, by draw."""
    return {name: value.reshape(len(value), -1).mean(1) for name, value in values.items() if value.size}


def _log_likelihood(model: Callable[[], None], observed: tuple[str, ...]) -> Callable[[Any, Any], dict[str, np.ndarray]]:
    """Log likelihood of some draws given one data set, (draw,)."""
    import jax
    from numpyro.handlers import condition, seed, substitute, trace

    @jax.jit
    def of_draws(draws: Any, seen: Any) -> jax.Array:
        def one(values: Any) -> jax.Array:
            given = condition(model, {name: value[0] for name, value in seen.items()})
            found = trace(seed(substitute(given, values), jax.random.key(0))).get_trace()
            return sum(found[name]["fn"].log_prob(found[name]["value"]).sum() for name in observed)

        return jax.lax.map(one, draws)

    return lambda draws, seen: {LOG_LIKELIHOOD: np.asarray(of_draws(dict(draws), dict(seen)))}


def checks_of_replicates(rows: Rows, of: str = "prior") -> Iterator[Check]:
    """Whether ranks are uniform, and how many fits passed their gate.

    Args:
        rows: of `fit_block`.
        of: where the data came from, prior or posterior.
    """
    if not rows:
        return
    about = "" if of == "prior" else f" about the {of}"
    ranks = {name: np.array([row["ranks"][name] for row in rows]) for name in rows[0]["ranks"]}
    p = {name: p_uniform(u) for name, u in ranks.items()}
    worst = min(p, key=lambda name: p[name])
    least = min(1.0, p[worst] * len(p))
    status: Status = "PASS" if least >= UNUSUAL else "REVIEW" if least >= IMPOSSIBLE else "FAIL"
    yield Check(
        f"simulation-based calibration{about}",
        status,
        least,
        f"least p of uniform ranks, times {len(p)} quantities, at least {UNUSUAL}; below {IMPOSSIBLE} it fails",
        f"{len(rows)} simulated studies, {len(p)} quantities; least for {worst}: p × {len(p)} = {least:.2g}",
        ""
        if status == "PASS"
        else f"look at the ranks of {worst}: a cup says that intervals are too narrow, a hump too wide, a slope biased",
        f"{SOURCES[of]}; the bounds are bayestwin's own",
    )
    mixed = float(np.mean([row["r_hat"] < MIXED for row in rows]))
    yield Check(
        f"simulated studies{about} that mixed",
        "PASS" if mixed >= 0.95 else "REVIEW" if mixed >= 0.8 else "FAIL",
        mixed,
        f"R-hat below {MIXED} in at least 95 %; below 80 % it fails. All are ranked",
        f"{mixed:.0%} of {len(rows)} fits; {np.mean([row['status'] == 'PASS' for row in rows]):.0%} pass the whole gate of a calibration",
        "" if mixed >= 0.95 else "ranks of fits that did not mix say more of the sampler than of the model: use more warm-up",
        "bayestwin's own bounds",
    )
