"""The bundled studies as problems of the speed benchmark: each model as the library has it, through bayestwin, plain NumPyro and PyMC.

Plain NumPyro samples the same model as it is written, without looks and whitening; PyMC has the library's second version of it, by nutpie (through JAX, as
`bayestwin calibrate --engine pymc` does) or by its own NUTS.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from speed_engine import Asked, Sampled, compile_clock, run
from speed_numpyro import nuts
from speed_problem import CLINIC

import bayestwin as bt
from bayestwin.infer.device import prepare_device
from bayestwin.infer.mcmc import sample
from bayestwin.infer.predictive import sites
from bayestwin.infer.settings import Sampling
from bayestwin.prepared import Prepared, prepare

ROOT = Path(__file__).parents[1]
NHS = Path(os.environ.get("BAYESTWIN_SHARED_DATA", ROOT.parent / "shared" / "data")) / "nhs_gp"


def studied(size: str, _: int) -> Prepared:
    """The virtual clinic, or the NHS study as `bayestwin init` makes it of the published files (found through BAYESTWIN_SHARED_DATA)."""
    prepare_device()
    if size == CLINIC:
        return prepare(bt.read_study(ROOT / "data" / "virtual_clinic"))
    with tempfile.TemporaryDirectory() as scratch:
        return prepare(bt.init_study(Path(scratch) / "nhs", "nhs_gp", NHS))


def by_bayestwin(prepared: Prepared, asked: Asked) -> Sampled:
    """As `bayestwin calibrate` does."""
    compiled = compile_clock()
    sampling = Sampling(chains=asked.chains, warmup=asked.warmup, draws=asked.draws, seed=asked.seed)
    draws = sample(prepared.model, prepared.twin.definition.pilot(prepared.data), sampling, nesting=prepared.nesting)
    return Sampled({name: draws.sites[name] for name in sites(prepared.model).latent}, int(draws.stats["n_steps"].sum()), compiled())


def by_numpyro(prepared: Prepared, asked: Asked) -> Sampled:
    """The model as it is written."""
    return nuts(prepared.model, sites(prepared.model).latent, asked)


def by_pymc(prepared: Prepared, asked: Asked, sampler: str) -> Sampled:
    """The library's PyMC version."""
    from speed_pymc import sampled

    made = prepared.twin.definition.second(prepared.data, prepared.priors)
    return sampled(made, sites(prepared.model).latent, asked, sampler, backend="jax", gradient_backend="jax")


ENGINES: dict[str, Callable[[Prepared, Asked], Sampled]] = {
    "bayestwin": by_bayestwin,
    "numpyro": by_numpyro,
    **{sampler: partial(by_pymc, sampler=sampler) for sampler in ("nutpie", "nutpie-low-rank", "pymc")},
}

if __name__ == "__main__":
    run(ENGINES[os.environ["SPEED_SAMPLER"]], studied)
