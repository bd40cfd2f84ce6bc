"""What lifting a barrier leaves of a variance, by the fast answer and by brute force: two hundred refits of a small clinic for each barrier.

    uv run python benchmarks/access_brute_force.py [--draws 200] [--seed 1] [--json]

A clinic of nine providers in three sites is drawn, published through five barriers, and calibrated. What lifting each barrier, and all of them, would leave of the
variance of every parameter is foretold from that calibration alone, as `bayestwin access` does. Then the clinic is drawn anew at draws of its posterior,
published as it is now and with the barrier lifted, and fitted by MCMC both times. The mean variances' ratio is what is really left. Every fit counts.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro
from numpyro import distributions as dist
from numpyro.handlers import seed, trace, uncondition
from rich.console import Console
from rich.progress import track

from bayestwin.analyse.verdict import judge_draws
from bayestwin.barriers import Access, Coverage, Grid, Round, SiteAbsence, Suppress, Withheld
from bayestwin.components.counted import count_looks
from bayestwin.components.hierarchy import Level, hierarchy
from bayestwin.components.informed import Pilot, site
from bayestwin.infer.batch import sample_many
from bayestwin.infer.device import prepare_device
from bayestwin.infer.mcmc import Draws, sample
from bayestwin.infer.predictive import sites as names_of
from bayestwin.infer.settings import Sampling
from bayestwin.laws.expected import Counts
from bayestwin.preposterior.bent import bent, by_order
from bayestwin.preposterior.current import Current, current, released_sites
from bayestwin.preposterior.expected import Accesses, gains
from bayestwin.preposterior.lifting import barrier_names, lifted
from bayestwin.preposterior.quantities import around
from bayestwin.preposterior.resimulated import Observed, resimulated

PROVIDERS = np.array([f"P{i}" for i in range(9)])
SITE_OF = np.repeat(np.arange(3), 3)
GRID = Grid({"week": np.datetime64("2024-01-01") + 7 * np.arange(10), "provider": PROVIDERS})
ACCESSES: dict[str, Access] = {
    "messages": Access(channels=(Coverage(fraction=0.6),), releases=(Suppress(below=8),)),
    "visits": Access(
        releases=(Round(base=10),),
        absences=(
            SiteAbsence(dim="provider", absent=tuple(PROVIDERS[SITE_OF == 2])),
            Withheld(field="visits", dim="provider", labels=(PROVIDERS[0],), name="withheld"),
        ),
    ),
}
TYPICAL = {"messages": 12.0, "visits": 25.0}  # a week
AT_ONCE = Sampling(chains=2, warmup=150, draws=400)
FIRST = Sampling(chains=4, warmup=300, draws=1000)
POINTS = 20
NOW, ALL = "as it is now", "all"
Shares = dict[str, np.ndarray]
"""What is left of each parameter's variance, by what is lifted."""


def clinic(accesses: Accesses, observed: Mapping[str, Any]) -> None:
    """Providers in sites, weekly counts of two streams, each through its access."""
    for name, access in accesses.items():
        ends = observed[name]
        known = jnp.isfinite(ends).all(-1)
        concentration = numpyro.sample(f"{name}_concentration", dist.LogNormal(np.log(10.0), 0.5))
        looks = count_looks(jnp.where(known[..., None], ends, 0.0).mean(-1), known, site(f"{name}_concentration"))
        levels = [
            Level(f"{name}_site", dist.HalfNormal(0.3), np.zeros(3, int)),
            Level(f"{name}_provider", dist.HalfNormal(0.4), SITE_OF),
        ]
        *_, provider = hierarchy(f"{name}_level", dist.Normal(np.log(TYPICAL[name]), 0.5), levels, looks.units)
        law = Counts(jnp.broadcast_to(jnp.exp(provider), GRID.shape), jnp.broadcast_to(concentration, GRID.shape))
        numpyro.sample(name, access.likelihood(law, GRID), obs=ends)


def drawn(number: int) -> Observed:
    """A clinic from the prior, published."""
    nothing = {name: np.full((*GRID.shape, 2), [-np.inf, np.inf]) for name in ACCESSES}
    clean = {name: Access() for name in ACCESSES}
    found = trace(seed(uncondition(partial(clinic, clean, nothing)), number)).get_trace()
    unknowns = {name: np.asarray(row["value"]) for name, row in found.items() if row["type"] == "sample" and name not in ACCESSES}
    rng = np.random.default_rng(number)
    happened = {}
    for name in ACCESSES:
        mean, k = np.exp(unknowns[f"{name}_provider"]), unknowns[f"{name}_concentration"]
        happened[name] = rng.poisson(rng.gamma(k, mean / k, GRID.shape))
    return {name: access.degrade(rng, happened[name], GRID).cells for name, access in ACCESSES.items()}


def foretold(at: Current, arms: Mapping[str, Accesses], names: tuple[str, ...]) -> tuple[Shares, Shares]:
    """Shares that are left by the fast answer, and their errors over the points."""
    above, below = np.split(np.concatenate([_flat(around(at)[name]) for name in names], axis=1), 2)
    slopes, wanted = 0.5 * (above - below), list(arms.values())
    normal = gains(at, released_sites(at), wanted, POINTS, 1).variances(wanted, slopes) / np.square(slopes).sum(0)
    drawn = at.sites(at.draws)
    left = bent(normal, by_order(np.concatenate([_flat(drawn[name]) for name in names], axis=1)))
    error = left.std(0, ddof=1) / np.sqrt(POINTS)
    return dict(zip(arms, left.mean(0), strict=True)), dict(zip(arms, error, strict=True))


def refitted(accesses: Accesses, data: list[Observed], names: tuple[str, ...]) -> Iterator[tuple[np.ndarray, float]]:
    """Variance of every parameter and the worst R-hat, given each data set."""

    def of(draws: Draws) -> tuple[np.ndarray, float]:
        found = {name: draws.sites[name] for name in names}
        flat = np.concatenate([_flat(values.reshape(-1, *values.shape[2:])) for values in found.values()], axis=1)
        return flat.var(0, ddof=1), judge_draws(found, draws.stats).metrics["rhat_max"]

    together = {name: np.stack([one[name] for one in data]) for name in ACCESSES}
    return sample_many(partial(clinic, {**ACCESSES, **accesses}), together, AT_ONCE, of=of)


def _flat(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, float).reshape(len(values), -1)


def run(draws: int, number: int) -> dict[str, Any]:
    """Draw, calibrate, foretell, refit.

    Returns:
        `rows`, for each barrier and parameter the share `foretold` and `refitted` to be left with their errors; `failed`, the share of refits whose R-hat is not
        below 1.05; `without_variance`, how many of them have draws that are no numbers: these alone are not in the means.
    """
    observed = drawn(number)
    model = partial(clinic, ACCESSES, observed)
    found = sample(model, Pilot(), FIRST)
    names = names_of(model).latent
    flat = {name: found.sites[name].reshape(-1, *found.sites[name].shape[2:]) for name in names}
    at = current(model, Pilot(), None, FIRST, flat)
    places = released_sites(at)
    arms = {name: lifted(places, [name]) for name in barrier_names(places)} | {ALL: lifted(places, barrier_names(places))}
    share, error = foretold(at, arms, names)
    rng = np.random.default_rng([number, 1])
    chosen = rng.choice(len(flat[names[0]]), draws, replace=False)
    told = [resimulated(model, places, {name: flat[name][i] for name in names}, {NOW: {}, **arms}, rng) for i in chosen]
    variance: dict[str, np.ndarray] = {}
    worst: list[np.ndarray] = []
    for arm, accesses in {NOW: {}, **arms}.items():
        fits = refitted(accesses, [one[arm] for one in told], names)
        variance[arm], r_hat = map(np.array, zip(*track(fits, arm, draws, console=Console(stderr=True)), strict=True))
        worst.append(r_hat)
    labels = [f"{name}{list(index) if index else ''}" for name in names for index in np.ndindex(np.shape(flat[name])[1:])]
    rows = [
        {"lifted": arm, "parameter": label, "foretold": float(share[arm][i]), "foretold_error": float(error[arm][i])}
        | dict(zip(("refitted", "refitted_error"), ratio(variance[arm][:, i], variance[NOW][:, i]), strict=True))
        for arm in arms
        for i, label in enumerate(labels)
    ]
    broken = sum(int((~np.isfinite(each).all(1)).sum()) for each in variance.values())
    return {"draws": draws, "rows": rows, "failed": float(np.mean(~(np.array(worst) < 1.05))), "without_variance": broken}


def ratio(then: np.ndarray, now: np.ndarray) -> tuple[float, float]:
    """Ratio of two means of pairs, and its error (delta method); pairs of which one is no number are left out.

    Example:
        >>> ratio(np.array([1.0, 2.0]), np.array([2.0, 4.0]))
        (0.5, 0.0)
    """
    whole = np.isfinite(then) & np.isfinite(now)
    then, now = then[whole], now[whole]
    found = then.mean() / now.mean()
    return float(found), float((then - found * now).std(ddof=1) / np.sqrt(len(then)) / now.mean())


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By barrier: mean shares, how far they lie apart, and in how many parameters by more than three errors of both and 0.05."""
    found = []
    for arm in dict.fromkeys(row["lifted"] for row in rows):
        own = [row for row in rows if row["lifted"] == arm]
        apart = np.array([row["foretold"] - row["refitted"] for row in own])
        error = np.hypot([row["foretold_error"] for row in own], [row["refitted_error"] for row in own])
        beyond = (np.abs(apart) > 3.0 * error) & (np.abs(apart) > 0.05)
        found.append(
            {
                "lifted": arm,
                "parameters": len(own),
                "foretold": float(np.mean([row["foretold"] for row in own])),
                "refitted": float(np.mean([row["refitted"] for row in own])),
                "most_apart": float(np.abs(apart).max()),
                "apart": [
                    f"{row['parameter']}: {row['foretold']:.2f}, {row['refitted']:.2f}" for row, far in zip(own, beyond, strict=True) if far
                ],
            }
        )
    return found


def main() -> None:
    """Ask, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=200, help="refits for each barrier")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print every parameter")
    given = parser.parse_args()
    prepare_device()
    found = run(given.draws, given.seed)
    if given.json:
        print(json.dumps(found | {"summary": summary(found["rows"])}, indent=2))
        return
    print(f"{given.draws} refits for each; R-hat not below 1.05 in {found['failed']:.1%}; {found['without_variance']} without a variance")
    for row in summary(found["rows"]):
        print(
            f"{row['lifted']:16s} foretold {row['foretold']:.3f}, refitted {row['refitted']:.3f} left, mean of {row['parameters']} parameters; most apart {row['most_apart']:.3f}"
        )
        for one in row["apart"]:
            print(f"    {one}")


if __name__ == "__main__":
    main()
