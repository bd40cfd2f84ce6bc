"""A second engine: a model written in PyMC, sampled by nutpie.

What it shares with the first is data and priors; equations, barriers' likelihoods, gradients' tape and sampler are others'. The first one's
pilot says in which coordinates effects are sampled, which changes no density.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from numpyro.handlers import seed, substitute, trace
from numpyro.infer.util import constrain_fn

from bayestwin.components.informed import Evidence, Pilot, informed
from bayestwin.errors import EngineError, Fault
from bayestwin.infer.device import over_draws
from bayestwin.infer.mcmc import Draws, Progress, first_values
from bayestwin.infer.predictive import sites
from bayestwin.infer.settings import Sampling
from bayestwin.twin.priors import PriorTable

STATS = {
    "diverging": "diverging",
    "energy": "energy",
    "n_steps": "n_steps",
    "mean_tree_accept": "acceptance_rate",
    "step_size": "step_size",
    "logp": "lp",
}


def sample_second(
    made: Callable[[], Any],
    model: Callable[[], None],
    pilot: Pilot,
    sampling: Sampling,
    watch: Callable[[Progress], None] = lambda progress: None,
) -> Draws:
    """Sample a PyMC model that stands for a NumPyro model.

    Args:
        made: () -> `pymc.Model`, its unknowns those of the NumPyro model, by name and scale.
        model: the NumPyro model without arguments, for its deterministic sites.
        pilot: what a first look said about the model's effects.
        sampling: chains, draws, warm-up, seed.
        watch: told now and then how far the chains are.

    Returns:
        Draws of every latent site, and in single precision of every deterministic one.

    Raises:
        EngineError: if PyMC and nutpie are not installed.
    """
    nutpie = _installed("nutpie")
    from bayestwin.infer.partly_centred import partly_centred

    compiled = nutpie.compile_pymc_model(partly_centred(made(), first_look(model, pilot)), backend="jax", gradient_backend="jax")
    found = nutpie.sample(
        compiled,
        tune=sampling.warmup,
        draws=sampling.draws,
        chains=sampling.chains,
        seed=sampling.seed,
        target_accept=sampling.target_accept,
        progress_bar=False,
        progress_callback=lambda chains: watch(_progress(chains)),
    )
    names = sites(model).latent
    latent = {name: found["posterior"][name].transpose("chain", "draw", ...).to_numpy() for name in names}
    stats = {ours: found["sample_stats"][theirs].transpose("chain", "draw").to_numpy() for theirs, ours in STATS.items()}
    return Draws(latent | _deterministic(model, latent), stats)


def _progress(chains: Sequence[Any]) -> Progress:
    """How far nutpie's chains are, on average: some may wait for others."""
    done, leapfrogs = (float(np.mean([getattr(chain, name) for chain in chains])) for name in ("finished_draws", "latest_num_steps"))
    return Progress(int(done), chains[0].total_draws, sum(chain.divergences for chain in chains), leapfrogs)


def first_look(model: Callable[[], None], pilot: Pilot) -> dict[str, Evidence]:
    """What a pilot's looks say of each effect where chains begin.

    Args:
        model: NumPyro model without arguments.
        pilot: what a first look said about it.
    """
    fast = informed(model, pilot)
    start = first_values(fast)

    def looks() -> dict[str, Evidence]:
        constrain_fn(fast, (), {}, start, return_deterministic=True)
        return fast.told

    return jax.tree.map(np.asarray, jax.jit(looks)())


def log_density(made: Callable[[], Any]) -> Callable[[Mapping[str, np.ndarray]], float]:
    """Log density of a PyMC model at a point of its unknowns on their own scales, by a program that is quickly made rather than quick.

    Args:
        made: () -> `pymc.Model`.

    Returns:
        A function of unknowns by name.

    Raises:
        EngineError: if PyMC is not installed.
    """
    _installed("pymc")
    from pytensor.graph.replace import graph_replace

    model = made()
    own = {variable: variable.type(name=variable.name) for variable in model.free_RVs}
    moved = {}
    for variable, given in own.items():
        transform = model.rvs_to_transforms[variable]
        moved[model.rvs_to_values[variable]] = given if transform is None else transform.forward(given, *variable.owner.inputs)
    parts = graph_replace(model.logp(jacobian=False, sum=False), moved)
    found = model.compile_fn(parts, inputs=list(own.values()), mode="FAST_COMPILE", on_unused_input="ignore")
    return lambda point: sum(float(np.sum(part)) for part in found({name: np.asarray(value, float) for name, value in point.items()}))


PARAMETERS = {"HalfNormal": ("sigma",), "Gamma": ("alpha", "beta"), "Beta": ("alpha", "beta")}


def prior(priors: PriorTable, *names: str) -> Any:
    """One unknown of a PyMC model, or several, with the prior of the table.

    Args:
        priors: the study's.
        names: of unknowns; called while the model is made.
    """
    made = [_unknown(priors, name) for name in names]
    return made[0] if len(names) == 1 else made


def _unknown(priors: PriorTable, name: str) -> Any:
    import pymc as pm

    row = priors[name]
    values = [np.asarray(value, float) for value in row.parameters]
    keywords = PARAMETERS.get(row.distribution, ("mu", "sigma"))
    return getattr(pm, row.distribution)(name, **dict(zip(keywords, values, strict=True)))


def _installed(library: str) -> Any:
    from importlib import import_module

    try:
        return import_module(library)
    except ImportError as error:
        remedy = "install them (`pip install 'bayestwin[pymc]'`), or do without the second engine"
        raise EngineError([Fault("--engine", "PyMC and nutpie are not installed", value="pymc", remedy=remedy)]) from error


def _deterministic(model: Callable[[], None], latent: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Deterministic sites of draws (chain, draw, ...), in single precision."""
    names = sites(model).deterministic
    chains, draws = next(iter(latent.values())).shape[:2]
    flat = {name: values.reshape(-1, *values.shape[2:]) for name, values in latent.items()}

    def one(values: dict[str, jax.Array], _: None) -> dict[str, jax.Array]:
        run = trace(seed(substitute(model, values), jax.random.key(0))).get_trace()
        return {name: run[name]["value"].astype(np.float32) for name in names}

    return {
        name: np.asarray(values).reshape(chains, draws, *values.shape[1:])
        for name, values in over_draws(one, flat, None)()(flat, None).items()
    }
