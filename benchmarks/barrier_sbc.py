"""Simulation-based calibration of every barrier, with the naive treatment beside it.

    uv run python benchmarks/barrier_sbc.py [--case NAME ...] [--replicates N] [--json] [--figure FILE.svg]

Parameters are drawn from the prior, data from them, the barrier degrades the data, and the posterior is sampled. Over many
replicates the rank of the true value among posterior draws is uniform if, and only if it is for every quantity, the
likelihood is that of what the barrier released. The log likelihood is one of the quantities, for it depends on the data.

Source: Talts et al. (2018), arXiv:1804.06788; Modrák et al. (2023), Bayesian Analysis, for test quantities that depend on
the data; Säilynoja, Bürkner & Vehtari (2022), Statistics and Computing 32, for bands of the ECDF.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import jax
import numpy as np
from arviz_stats.base import array_stats
from barrier_cases import CASES, Case, exactly
from barrier_fit import Fits, Program, compiled
from barrier_model import Design, Latent, latent, model, selection
from numpyro.handlers import seed, trace

from bayestwin.analyse.ranks import p_uniform, rank
from bayestwin.barriers import Access, Degraded
from bayestwin.infer.device import prepare_device

LEVEL = 0.001  # of the whole campaign: divided by the number of cases and quantities
NAIVE_FAILS = 1e-6
MOST_RHAT, LEAST_ESS = 1.05, 100.0

_programs: dict[tuple[str, str], Program] = {}


@dataclass(frozen=True)
class Ranks:
    """What the replicates of one treatment say.

    Attributes:
        uniform: (replicate,) randomised ranks in 0..1 by quantity.
        diverging: replicates with a divergent transition.
        unsettled: replicates with an R-hat above 1.05 in some quantity.
        short: replicates with fewer than 100 effective draws of some quantity.
        seconds: for the fits, without compilation.
    """

    uniform: dict[str, np.ndarray]
    diverging: int
    unsettled: int
    short: int
    seconds: float

    @property
    def p_values(self) -> dict[str, float]:
        """Of uniformity, by quantity."""
        return {name: p_uniform(u) for name, u in self.uniform.items()}

    @property
    def worst(self) -> tuple[str, float]:
        """The quantity that is least uniform, and its p-value."""
        return min(self.p_values.items(), key=lambda item: item[1])

    @property
    def p_adjusted(self) -> float:
        """The smallest p-value, Bonferroni over quantities."""
        return min(1.0, self.worst[1] * len(self.uniform))

    def coverage(self, share: float) -> float:
        """How often central intervals hold the true value, over all quantities but the log likelihood."""
        inside = [np.abs(u - 0.5) <= share / 2 for name, u in self.uniform.items() if name != "log_likelihood"]
        return float(np.mean(inside))


@dataclass(frozen=True)
class Outcome:
    """A case: the barrier's likelihood, and the naive treatment of the same data."""

    name: str
    replicates: int
    ours: Ranks
    naive: Ranks


def run(name: str, replicates: int, seed_: int = 0) -> Outcome:
    """Calibrate one case.

    Args:
        name: of the case.
        replicates: data sets.
        seed_: of everything but privacy noise, which no seed may reproduce.
    """
    case = CASES[name]
    entropy = [seed_, *name.encode()]
    truth, seen, naive = simulate(case, replicates, np.random.default_rng(entropy))
    treat = partial(_ranks, case.design, truth, case.batch, entropy)
    return Outcome(name, replicates, treat(case.access, seen), treat(case.naive, {"cells": naive}))


def simulate(case: Case, replicates: int, rng: np.random.Generator) -> tuple[dict, dict[str, np.ndarray], np.ndarray]:
    """Parameters from the prior, the data that the barrier releases of them, and what the naive analyst reads."""

    def draw(key: jax.Array) -> tuple[dict, tuple]:
        with trace() as found, seed(rng_seed=key):
            drawn = latent(case.design, case.access)
        return {name: site["value"] for name, site in found.items()}, tuple(drawn)

    keys = jax.random.split(jax.random.key(int(rng.integers(2**31))), replicates)
    truth, drawn = jax.tree.map(np.asarray, jax.jit(jax.vmap(draw))(keys))
    seen, naive = [], []
    for i in range(replicates):
        one = Latent(*jax.tree.map(lambda leaf, i=i: leaf[i], drawn))
        released, observed = _released(case, one, rng)
        naive.append(case.read(released))
        seen.append(observed)
    return truth, {name: np.stack([part[name] for part in seen]) for name in seen[0]}, np.stack(naive)


def _released(case: Case, drawn: Latent, rng: np.random.Generator) -> tuple[Degraded, dict[str, np.ndarray]]:
    """One data set: as released, and as the likelihood takes it."""
    design, grid = case.design, case.design.grid
    clean = design.counts(drawn.mean, drawn.concentration).draw(rng)
    chosen = selection(case.access)
    if chosen is None:
        released = case.access.degrade(rng, clean, grid, drawn.given)
        return released, {"cells": released.cells}
    chance = np.asarray(chosen.takes_part(grid, drawn.given["site_selection"], drawn.effect).probs)
    took = rng.random(chance.shape) < chance  # who is absent differs by replicate, so the mask is laid on here
    present = np.broadcast_to(took, clean.shape)
    cells = np.where(present[..., None], exactly(clean.astype(float)), [-np.inf, np.inf])
    return Degraded(cells, np.where(present, clean, 0.0), ~present & False, present, grid), {"cells": cells, "took_part": took.astype(int)}


def _ranks(design: Design, truth: Mapping[str, Any], batch: int, entropy: list[int], access: Access, seen: dict[str, np.ndarray]) -> Ranks:
    """Fit all replicates and rank the truth in each."""
    key = (repr(design), repr(access))  # cases whose analysts believe the same share a program
    if key not in _programs:
        _programs[key] = compiled(partial(model, design, access), seen, truth, batch)
    started = time.perf_counter()
    fits = _programs[key].fit(1 + sum(entropy), seen, truth)
    return _ranked(fits, np.random.default_rng([1, *entropy]), time.perf_counter() - started)


def _ranked(fits: Fits, rng: np.random.Generator, seconds: float) -> Ranks:
    uniform = {name: rank(draws, fits.truth[name], rng) for name, draws in fits.draws.items()}
    draws = np.stack(list(fits.draws.values()), axis=1)
    moving = np.ptp(draws, axis=-1) > 0  # where nobody took part, the log likelihood is the same whatever the parameters
    halves = draws[moving].reshape(moving.sum(), 2, -1)
    rhat, ess = np.ones(moving.shape), np.full(moving.shape, np.inf)
    rhat[moving] = array_stats.rhat(halves, chain_axis=-2, draw_axis=-1)
    ess[moving] = array_stats.ess(halves, chain_axis=-2, draw_axis=-1)
    unsettled, short = ~(rhat <= MOST_RHAT), ~(ess >= LEAST_ESS)
    return Ranks(uniform, int((fits.divergences > 0).sum()), int(unsettled.any(-1).sum()), int(short.any(-1).sum()), seconds)


def table(outcomes: list[Outcome]) -> str:
    """Figures by case, in Markdown."""
    lines = [
        "| case | n | flagged (div, R-hat, ESS) | min p | of | 50 % | 90 % | naive: flagged | min p | of | 50 % | 90 % | ms a fit |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for outcome in outcomes:
        cells = [outcome.name, str(outcome.replicates)]
        for ranks in (outcome.ours, outcome.naive):
            quantity, p = ranks.worst
            cells += [f"{ranks.diverging}, {ranks.unsettled}, {ranks.short}", f"{p:.2g}", quantity]
            cells += [f"{100 * ranks.coverage(share):.0f}" for share in (0.5, 0.9)]
        cells.append(f"{1000 * outcome.ours.seconds / outcome.replicates:.0f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def figures(outcome: Outcome) -> dict[str, Any]:
    """Everything about a case, ranks included, for JSON."""
    both = {"ours": outcome.ours, "naive": outcome.naive}
    return {"name": outcome.name, "replicates": outcome.replicates} | {
        label: asdict(ranks)
        | {
            "uniform": {name: np.round(u, 4).tolist() for name, u in ranks.uniform.items()},
            "p": ranks.p_values,
            "coverage": {"50": ranks.coverage(0.5), "90": ranks.coverage(0.9)},
        }
        for label, ranks in both.items()
    }


def main() -> None:
    """Read the command line, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", nargs="*", choices=sorted(CASES), help="cases to run; all if absent")
    parser.add_argument("--replicates", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="a line of JSON a case, ranks included")
    options = parser.parse_args()
    prepare_device()
    outcomes = []
    for name in options.case or CASES:
        started = time.perf_counter()
        outcomes.append(run(name, options.replicates, options.seed))
        if options.json:
            print(json.dumps(figures(outcomes[-1])), flush=True)
        print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    if not options.json:
        print(table(outcomes))


if __name__ == "__main__":
    main()
