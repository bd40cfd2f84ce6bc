"""One clinic: draw it, calibrate it under each access, say which intervals hold the truth."""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from naive import taken_at_face_value

import bayestwin as bt
from bayestwin.analyse.forecast import answer
from bayestwin.infer.mcmc import sample
from bayestwin.infer.posterior import dataset
from bayestwin.infer.predictive import sites
from bayestwin.prepared import prepare
from bayestwin.twin.scenario import Scenario

ARMS = ("full", "degraded", "naive")
DESIGN = bt.Design(units=8, groups=2, weeks=12)
SAMPLING = bt.Sampling(chains=2, draws=300, warmup=100)
LEAST = 1e-3  # width of what is certain, such as visits of a week of leave
CENTRAL = {"50": (0.25, 0.75), "90": (0.05, 0.95)}


@dataclass(frozen=True)
class Held:
    """Elements of one quantity of one clinic under one access.

    Attributes:
        clinic: seed of the clinic.
        arm: the access, one of `ARMS`.
        kind: "parameter" or "forecast".
        name: site or quantity.
        elements: how many there are.
        inside_50, inside_90: how many truths lie in the central intervals.
        below: number of truths below the median of their draws, half a truth where they are equal.
        error: sum of (posterior mean - truth) / posterior sd.
        log_width: sum of log widths of the 90 % intervals.
        r_hat: largest R-hat of the fit.
        seconds: that the fit took.
    """

    clinic: int
    arm: str
    kind: str
    name: str
    elements: int
    inside_50: int
    inside_90: int
    below: float
    error: float
    log_width: float
    r_hat: float
    seconds: float


def clinic_rows(clinic: int, arm: str) -> list[dict[str, Any]]:
    """Draw a clinic by its seed, calibrate it and compare with the truth.

    Args:
        clinic: the seed.
        arm: the access, one of `ARMS`.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "clinic"
        bt.simulate_study(folder, model="provider_workload", design=DESIGN, seed=clinic)
        if arm == "full":
            folder = folder / "clean"
        elif arm == "naive":
            folder = taken_at_face_value(folder, Path(scratch) / "naive")
        study = bt.read_study(folder)
        with xr.open_dataset(folder / str(study.truth), engine="h5netcdf") as opened:
            truth = opened.load()
        return [asdict(row) for row in _compared(study, truth, clinic, arm)]


def _compared(study: bt.Study, truth: xr.Dataset, clinic: int, arm: str) -> list[Held]:
    start = time.perf_counter()
    prepared = prepare(study)
    definition, data = prepared.twin.definition, prepared.data
    draws = sample(prepared.model, definition.pilot(data), SAMPLING, nesting=prepared.nesting)
    posterior = dataset(draws.sites, definition.dims, data.coords)
    span = definition.future(data, study.horizon_weeks, Scenario(), study.calendar)
    ahead = answer(definition, data, posterior, span, seed=clinic)
    seconds, r_hat = time.perf_counter() - start, _largest_r_hat(posterior, truth)
    rows = []
    for name in sites(prepared.model).latent:  # what is computed from others would count them twice
        if name in truth:
            values = draws.sites[name]
            rows.append(_held("parameter", name, values.reshape(-1, *values.shape[2:]), truth[name].to_numpy()))
    for quantity in definition.quantities:
        drawn = ahead.draws[quantity.name].to_numpy()
        true = truth[f"future_{quantity.name}"].to_numpy()
        rows.append(_held("forecast", quantity.name, drawn.reshape(-1, *drawn.shape[2:]), true))
    return [Held(clinic, arm, **row, r_hat=r_hat, seconds=round(seconds, 1)) for row in rows]


def _held(kind: str, name: str, draws: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """How a truth lies in its draws, leading axis draw."""
    inside, width = {}, np.ones(truth.shape)
    for level, ends in CENTRAL.items():
        low, high = np.quantile(draws, ends, axis=0)
        inside[f"inside_{level}"] = int(((low <= truth) & (truth <= high)).sum())
        width = high - low
    spread, median = np.maximum(draws.std(0), LEAST), np.median(draws, axis=0)
    return {
        "kind": kind,
        "name": name,
        "elements": int(truth.size),
        **inside,
        "below": float((truth < median).sum() + 0.5 * (truth == median).sum()),
        "error": float(((draws.mean(0) - truth) / spread).sum()),
        "log_width": float(np.log(np.maximum(width, LEAST)).sum()),
    }


def _largest_r_hat(posterior: xr.Dataset, truth: xr.Dataset) -> float:
    import arviz as az

    names = [name for name in posterior.data_vars if name in truth]
    found = az.rhat(posterior[names])
    return round(max(float(np.nanmax(found[name].to_numpy())) for name in names), 3)
