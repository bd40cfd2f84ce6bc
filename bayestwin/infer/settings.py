"""Settings of a calibration."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Sampling:
    """How the posterior is sampled.

    Attributes:
        chains: independent chains, ≥ 2 for a verdict.
        draws: draws kept a chain.
        warmup: draws a chain spent on adaptation and thrown away.
        seed: seed of every random number of the run.
        target_accept: acceptance that the step size is adapted to, in (0, 1); of a whitened posterior no less than 0.9.
        engine: "numpyro", or "pymc" for models that are written in PyMC too.
    """

    chains: int = 4
    draws: int = 1000
    warmup: int = 300
    seed: int = 0
    target_accept: float = 0.8
    engine: Literal["numpyro", "pymc"] = "numpyro"
