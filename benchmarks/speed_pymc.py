"""The reference problem in PyMC: the standard non-centred model, sampled by nutpie or by PyMC's own NUTS."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import numpy as np
import pymc as pm
from speed_engine import PARAMETERS, Asked, Sampled, run
from speed_problem import CONCENTRATION, LEVEL, SD_CLINIC, SD_LEVEL, SD_PROVIDER, SD_WALK, STREAMS, Counts


def model(data: Counts) -> pm.Model:
    """Deviations from standard normals, cells that were seen."""
    week, provider_of, stream = np.nonzero(data.seen)
    weeks, providers, _ = data.counts.shape
    clinics = int(data.clinic_of.max()) + 1
    with pm.Model() as made:
        level = pm.Normal("level", LEVEL, SD_LEVEL, shape=STREAMS)
        sd_clinic, sd_provider, sd_trend = (
            pm.HalfNormal(f"sd_{name}", sd, shape=STREAMS)
            for name, sd in (("clinic", SD_CLINIC), ("provider", SD_PROVIDER), ("trend", SD_WALK))
        )
        concentration = pm.LogNormal("concentration", *CONCENTRATION, shape=STREAMS)
        z = {
            name: pm.Normal(f"{name}_z", shape=(count, STREAMS))
            for name, count in (("clinic", clinics), ("provider", providers), ("trend", weeks))
        }
        clinic = pm.Deterministic("clinic_effect", sd_clinic * z["clinic"])
        provider = pm.Deterministic("provider_effect", sd_provider * z["provider"])
        trend = pm.Deterministic("trend", (sd_trend * z["trend"]).cumsum(axis=0))
        log_rate = level[stream] + trend[week, stream] + (clinic[data.clinic_of] + provider)[provider_of, stream]
        pm.NegativeBinomial(
            "counts", mu=pm.math.exp(log_rate), alpha=concentration[stream], observed=data.counts[week, provider_of, stream]
        )
    return made


def sampled(made: pm.Model, names: Sequence[str], asked: Asked, sampler: str, **backend: str) -> Sampled:
    """Sample a model, a chain a core.

    Args:
        made: the model.
        names: of what is kept.
        asked: how much.
        sampler: nutpie, nutpie-low-rank or pymc.
        backend: of nutpie's compilation.
    """
    start = time.perf_counter()
    settings = {"tune": asked.warmup, "draws": asked.draws, "chains": asked.chains, "cores": asked.chains}
    if sampler == "pymc":
        with made:
            found = pm.sample(**settings, nuts_sampler="pymc", random_seed=asked.seed, progressbar=False, compute_convergence_checks=False)
        compiling = time.perf_counter() - start - float(found["sample_stats"].attrs["sampling_time"])
    else:
        import nutpie

        compiled = nutpie.compile_pymc_model(made, **backend)
        compiling = time.perf_counter() - start
        low_rank = {"low_rank_modified_mass_matrix": True} if sampler == "nutpie-low-rank" else {}
        found = nutpie.sample(compiled, **settings, seed=asked.seed, progress_bar=False, **low_rank)
    drawn = {name: found["posterior"][name].transpose("chain", "draw", ...).to_numpy() for name in names}
    return Sampled(drawn, int(found["sample_stats"]["n_steps"].sum()), compiling)


def engine(data: Counts, asked: Asked) -> Sampled:
    """Make it and sample it."""
    return sampled(model(data), PARAMETERS, asked, os.environ["SPEED_SAMPLER"])


if __name__ == "__main__":
    run(engine)
