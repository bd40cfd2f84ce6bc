"""The reference problem in plain NumPyro: the standard non-centred model, NUTS with its defaults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
from numpyro import distributions as dist
from numpyro.infer import MCMC, NUTS
from speed_engine import PARAMETERS, Asked, Sampled, compile_clock, run
from speed_problem import CONCENTRATION, LEVEL, SD_CLINIC, SD_LEVEL, SD_PROVIDER, SD_WALK, STREAMS, Counts


def model(data: Counts) -> None:
    """Deviations from standard normals, cells that were seen."""
    week, provider_of, stream = np.nonzero(data.seen)
    weeks, providers, _ = data.counts.shape
    clinics = data.clinic_of.max() + 1
    level = numpyro.sample("level", dist.Normal(LEVEL, SD_LEVEL).expand([STREAMS]))
    sd_clinic, sd_provider, sd_trend = (
        numpyro.sample(f"sd_{name}", dist.HalfNormal(sd).expand([STREAMS]))
        for name, sd in (("clinic", SD_CLINIC), ("provider", SD_PROVIDER), ("trend", SD_WALK))
    )
    concentration = numpyro.sample("concentration", dist.LogNormal(*CONCENTRATION).expand([STREAMS]))
    z = {
        name: numpyro.sample(f"{name}_z", dist.Normal().expand([count, STREAMS]))
        for name, count in (("clinic", clinics), ("provider", providers), ("trend", weeks))
    }
    clinic = numpyro.deterministic("clinic_effect", sd_clinic * z["clinic"])
    provider = numpyro.deterministic("provider_effect", sd_provider * z["provider"])
    trend = numpyro.deterministic("trend", jnp.cumsum(sd_trend * z["trend"], axis=0))
    log_rate = level + trend[:, None] + (clinic[data.clinic_of] + provider)
    law = dist.NegativeBinomial2(jnp.exp(log_rate[week, provider_of, stream]), concentration[stream])
    numpyro.sample("counts", law, obs=data.counts[week, provider_of, stream])


def nuts(model: Callable[..., None], names: Sequence[str], asked: Asked, *data: Any) -> Sampled:
    """Sample a model by NUTS with its defaults, a chain a core.

    Args:
        model: in NumPyro.
        names: of what is kept.
        asked: how much.
        data: the model's arguments.
    """
    compiled = compile_clock()
    jax.config.update("jax_enable_x64", True)
    numpyro.set_host_device_count(asked.chains)
    mcmc = MCMC(NUTS(model), num_warmup=asked.warmup, num_samples=asked.draws, num_chains=asked.chains, progress_bar=False)
    mcmc.run(jax.random.key(asked.seed), *data, extra_fields=("num_steps",))
    drawn, steps = mcmc.get_samples(group_by_chain=True), mcmc.get_extra_fields()["num_steps"]
    return Sampled({name: np.asarray(drawn[name]) for name in names}, int(np.asarray(steps).sum()), compiled())


def engine(data: Counts, asked: Asked) -> Sampled:
    """Sample it."""
    return nuts(model, PARAMETERS, asked, data)


if __name__ == "__main__":
    run(engine)
