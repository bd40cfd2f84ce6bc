"""The reference problem of the speed benchmark: providers in clinics, weekly counts of several streams, some of them missing.

log rate = stream level + clinic + provider + trend; counts are NB2; the trend is a random walk that starts near zero, so that level and
trend lean on one another as they do when a modeller writes the model down. A quarter of the clinics is silent and 40 % of the other
cells are missing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

STREAMS = 4
MISSING = 0.4
LEVEL, SD_LEVEL = float(np.log(20.0)), 1.0  # prior of a stream's level
SD_CLINIC, SD_PROVIDER, SD_WALK = 0.3, 0.5, 0.05  # half-normal priors of spreads, (stream,) each
CONCENTRATION = (float(np.log(10.0)), 0.7)  # log-normal prior


class Size(NamedTuple):
    """Providers, clinics and weeks of a problem."""

    providers: int
    clinics: int
    weeks: int


SIZES = {
    "small": Size(12, 3, 26),
    "reference": Size(96, 12, 52),
    "times-3": Size(288, 36, 52),
    "times-10": Size(960, 120, 52),
}
CLINIC, NHS = "clinic", "nhs"
STUDIES = {CLINIC: "the virtual clinic", NHS: "the NHS study of the published files"}


class Counts(NamedTuple):
    """Counts of a problem.

    Attributes:
        counts: (week, provider, stream), zero where not seen.
        seen: the same shape.
        clinic_of: clinic of each provider, (provider,).
    """

    counts: np.ndarray
    seen: np.ndarray
    clinic_of: np.ndarray


def draw(size: Size, seed: int) -> Counts:
    """Draw a problem from its prior, with spreads at typical values.

    Args:
        size: of the problem.
        seed: of its random numbers.
    """
    rng = np.random.default_rng(seed)
    clinic_of = np.arange(size.providers) * size.clinics // size.providers
    level = rng.normal(LEVEL, 0.5, STREAMS)
    clinic = rng.normal(0.0, 0.2, (size.clinics, STREAMS))
    provider = rng.normal(0.0, 0.4, (size.providers, STREAMS))
    trend = rng.normal(0.0, 0.03, (size.weeks, STREAMS)).cumsum(0)
    mean = np.exp(level + clinic[clinic_of] + provider + trend[:, None])
    concentration = np.exp(rng.normal(CONCENTRATION[0], 0.4, STREAMS))
    counts = rng.poisson(rng.gamma(concentration, mean / concentration))
    silent = clinic_of < size.clinics // 4
    seen = (rng.random(mean.shape) > MISSING) & ~silent[:, None]
    return Counts(np.where(seen, counts, 0), seen, clinic_of)
