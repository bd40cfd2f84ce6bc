"""Many small posteriors by one compiled program: how long each takes, whether it passes its gate, and whether all are calibrated.

    uv run python benchmarks/batched.py [--fits 500] [--chains 4] [--warmup 150] [--draws 700] [--json]

Parameters of the speed benchmark's small problem (12 providers, 26 weeks, 4 streams) are drawn from its prior and data from them; each
data set is fitted and judged. Among the draws of calibrated fits the true values have uniform ranks (simulation-based calibration); the log
likelihood is one of the quantities, for it depends on the data.
"""

from __future__ import annotations

import argparse
import json
import time
from functools import partial
from typing import Any

import jax
import numpy as np
from numpyro.handlers import seed, trace, uncondition
from rich.console import Console
from rich.progress import track
from scipy import stats
from speed_bayestwin import model
from speed_engine import PARAMETERS
from speed_problem import SIZES, Counts
from speed_problem import draw as draw_problem

from bayestwin.analyse.ranks import p_uniform, rank
from bayestwin.analyse.verdict import judge_draws
from bayestwin.infer.batch import sample_many
from bayestwin.infer.device import prepare_device
from bayestwin.infer.mcmc import Draws
from bayestwin.infer.settings import Sampling

SIZE = SIZES["small"]


def problems(count: int, start: int) -> tuple[Counts, dict[str, np.ndarray]]:
    """Data sets drawn from the prior, and their true parameters; both with a leading axis of data sets."""
    masks = [draw_problem(SIZE, start + i) for i in range(count)]
    seen, clinic_of = np.stack([problem.seen for problem in masks]), masks[0].clinic_of

    def draw(key: jax.Array) -> dict[str, jax.Array]:
        found = trace(seed(uncondition(partial(model, masks[0]._replace(seen=np.ones_like(masks[0].seen)))), key)).get_trace()
        return {name: site["value"] for name, site in found.items()}

    drawn = jax.tree.map(np.asarray, jax.jit(jax.vmap(draw))(jax.random.split(jax.random.key(start), count)))
    return Counts(np.where(seen, drawn.pop("counts"), 0), seen, clinic_of), drawn


def log_likelihood(data: Counts, sites: dict[str, np.ndarray]) -> np.ndarray:
    """Of each draw, (...,); sites (..., shape of the site)."""
    level = sites["level"][..., None, None, :] + sites["trend"][..., :, None, :]
    mean = np.exp(level + (sites["clinic_effect"][..., data.clinic_of, :] + sites["provider_effect"])[..., None, :, :])
    concentration = sites["concentration"][..., None, None, :]
    cells = stats.nbinom.logpmf(data.counts, concentration, concentration / (concentration + mean))
    return np.where(data.seen, cells, 0.0).sum((-3, -2, -1))


def judged(draws: Draws) -> tuple[Any, dict[str, np.ndarray]]:
    """Verdict of a fit, and a hundred of its draws."""
    sites = {name: draws.sites[name] for name in PARAMETERS}
    thinned = {name: values.reshape(-1, *values.shape[2:]) for name, values in sites.items()}
    return judge_draws(sites, draws.stats), {
        name: values[:: len(values) // 100][:100].astype(np.float32) for name, values in thinned.items()
    }


def ranks(data: Counts, truth: dict[str, np.ndarray], kept: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Ranks of the truth by element, each (replicate,)."""
    rng = np.random.default_rng(1)
    found: dict[str, np.ndarray] = {}
    for name in PARAMETERS:
        draws = np.moveaxis(np.stack([one[name] for one in kept]), 1, -1)
        u = rank(draws, truth[name].astype(np.float32), rng)
        found |= {f"{name}{list(map(int, index))}": u[(slice(None), *index)] for index in np.ndindex(u.shape[1:])}
    each = [Counts(data.counts[i], data.seen[i], data.clinic_of) for i in range(len(kept))]
    of_draws = np.stack([log_likelihood(one, sites) for one, sites in zip(each, kept, strict=True)])
    of_truth = np.array([log_likelihood(one, {name: truth[name][i] for name in PARAMETERS}) for i, one in enumerate(each)])
    return found | {"log_likelihood": rank(of_draws, of_truth, rng)}


def run(fits: int, sampling: Sampling) -> dict[str, Any]:
    """Draw, fit, judge, rank.

    Returns:
        `seconds` of the whole after the data are drawn, compilation included; `seconds_a_fit` after the first; `pass`, the share with that
        verdict; quantiles of the diagnostics; `p`, of uniform ranks by quantity; `p_least`, the smallest times their number.
    """
    data, truth = problems(fits, sampling.seed)
    start = time.perf_counter()
    clinic_of = data.clinic_of
    done = sample_many(lambda arrays: model(Counts(*arrays, clinic_of)), (data.counts.astype(float), data.seen), sampling, of=judged)
    results, first = [], 0.0
    for result in track(done, "fitting", fits, console=Console(stderr=True)):
        results.append(result)
        first = first or time.perf_counter() - start
    seconds = time.perf_counter() - start
    verdicts, kept = zip(*results, strict=True)
    p = {name: p_uniform(u) for name, u in ranks(data, truth, list(kept)).items()}
    metrics = {
        name: np.quantile([verdict.metrics[name] for verdict in verdicts], (0.0, 0.05, 0.5, 0.95, 1.0)).round(4).tolist()
        for name in ("rhat_max", "ess_bulk_min", "ess_tail_min", "divergences")
    }
    return {
        "fits": fits,
        "seconds": round(seconds, 1),
        "seconds_a_fit": round((seconds - first) / max(fits - 1, 1), 4),
        "pass": float(np.mean([verdict.status == "PASS" for verdict in verdicts])),
        "quantiles_0_5_50_95_100": metrics,
        "p_least": min(1.0, min(p.values()) * len(p)),
        "p": p,
    }


def main() -> None:
    """Ask, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fits", type=int, default=500)
    for name, value in (("chains", 4), ("warmup", 150), ("draws", 700), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--json", action="store_true", help="print everything, p-values by quantity included")
    given = parser.parse_args()
    prepare_device()
    found = run(given.fits, Sampling(chains=given.chains, draws=given.draws, warmup=given.warmup, seed=given.seed))
    print(json.dumps(found if given.json else {name: value for name, value in found.items() if name != "p"}, indent=2))


if __name__ == "__main__":
    main()
