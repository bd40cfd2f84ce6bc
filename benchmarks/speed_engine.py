"""What every engine of the speed benchmark has in common: its command line, and what it leaves behind."""

from __future__ import annotations

import argparse
import json
import resource
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from speed_problem import SIZES, Counts, draw

PARAMETERS = ("level", "sd_clinic", "sd_provider", "sd_trend", "clinic_effect", "provider_effect", "trend", "concentration")


@dataclass(frozen=True)
class Sampled:
    """What an engine drew.

    Attributes:
        draws: every named parameter, (chain, draw, ...).
        gradients: evaluations of the density's gradient in all kept draws.
        compiling: seconds spent compiling, as far as they were waited for.
    """

    draws: Mapping[str, np.ndarray]
    gradients: int
    compiling: float


@dataclass(frozen=True)
class Asked:
    """Chains, warm-up and kept draws of each, and the seed."""

    chains: int
    warmup: int
    draws: int
    seed: int


def drawn(size: str, seed: int) -> Counts:
    """The reference problem in one of its sizes."""
    return draw(SIZES[size], seed)


def run[Problem](engine: Callable[[Problem, Asked], Sampled], problem: Callable[[str, int], Problem] = drawn) -> None:
    """Read the command line, make the problem, let the engine sample it, keep draws and cost.

    Args:
        engine: samples a problem.
        problem: makes it of its size and the seed of its data.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", required=True)
    parser.add_argument("--out", type=Path, required=True)
    for name in ("problem", "chains", "warmup", "draws", "seed"):
        parser.add_argument(f"--{name}", type=int, required=True)
    given = parser.parse_args()
    found = engine(problem(given.size, given.problem), Asked(given.chains, given.warmup, given.draws, given.seed))
    np.savez(given.out / "draws.npz", **{name: np.asarray(values, np.float32) for name, values in found.draws.items()})
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    cost = {"gradients": found.gradients, "compiling": round(found.compiling, 2), "peak_mb": round(peak)}
    (given.out / "cost.json").write_text(json.dumps({**cost, **asdict(Asked(given.chains, given.warmup, given.draws, given.seed))}))


def compile_clock() -> Callable[[], float]:
    """Starts to add up what JAX compiles; returns what reads the seconds."""
    import jax

    seconds: list[float] = []

    def listen(event: str, duration: float, **_: object) -> None:
        if event.endswith("backend_compile_duration"):
            seconds.append(duration)

    jax.monitoring.register_event_duration_secs_listener(listen)
    return lambda: sum(seconds)
