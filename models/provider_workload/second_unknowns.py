"""Unknowns of the prior table, in PyMC."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm

from bayestwin.twin.priors import PriorTable

PARAMETERS = {
    "Normal": ("mu", "sigma"),
    "LogNormal": ("mu", "sigma"),
    "HalfNormal": ("sigma",),
    "Beta": ("alpha", "beta"),
    "Gamma": ("alpha", "beta"),
}


def prior(priors: PriorTable, *names: str) -> Any:
    """One unknown, or several, with the prior of the table."""
    made = [_one(priors, name) for name in names]
    return made[0] if len(names) == 1 else made


def _one(priors: PriorTable, name: str) -> Any:
    row = priors[name]
    values = [np.asarray(value, float) for value in row.parameters]
    return getattr(pm, row.distribution)(name, **dict(zip(PARAMETERS[row.distribution], values, strict=True)))


def pooled(priors: PriorTable, name: str, level: str, spread: str, size: int) -> Any:
    """An unknown of each unit about a common level."""
    centre, sd = prior(priors, level, spread)
    return pm.Normal(name, centre, sd, shape=size)
