"""Predicted against realised value of access: barriers are lifted in simulated clinics, and the clinics calibrated again.

    uv run python benchmarks/access_truth.py --clinics 30 --out FILE [--at-once 2] [--json]

Each clinic is drawn from the prior and calibrated through the barriers of the virtual clinic. What lifting each barrier, and all of them, would leave of
the variance of every forecast is predicted from that calibration alone. Then the barrier is lifted in the simulator, the clinic calibrated again, and the
variance that is really left compared. Finished clinics are kept in FILE, a line each, and not repeated; without new ones the command
prints the table of what is there.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import track

import bayestwin as bt
from bayestwin.analyse.forecast import averages, summarise
from bayestwin.infer.device import prepare_device
from bayestwin.infer.mcmc import sample
from bayestwin.infer.posterior import dataset
from bayestwin.prepared import Prepared, prepare
from bayestwin.preposterior.current import current, released_sites
from bayestwin.preposterior.expected import gains
from bayestwin.preposterior.lifting import barrier_names, lifted
from bayestwin.preposterior.quantities import around, slopes
from bayestwin.twin.scenario import Scenario

DESIGN = bt.Design(units=8, groups=2, weeks=12)
SAMPLING = bt.Sampling(chains=2, draws=400, warmup=100)
POINTS = 4
LEAST = 1e-9  # variance of what is certain


def clinic_rows(clinic: int) -> list[dict[str, Any]]:
    """One clinic: what lifting would leave of each variance, predicted and realised.

    Args:
        clinic: its seed.
    """
    prepare_device()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "clinic"
        bt.simulate_study(folder, model="provider_workload", design=DESIGN, seed=clinic)
        degraded, clean = (prepare(bt.read_study(path)) for path in (folder, folder / "clean"))
    definition, data = degraded.twin.definition, degraded.data
    span = definition.future(data, degraded.study.horizon_weeks, Scenario(), degraded.study.calendar)
    draws, now, r_hat = _fitted(degraded, span, clinic)
    at = current(degraded.model, definition.pilot(data), degraded.nesting, SAMPLING, draws, degraded.finer)
    sites = released_sites(at, definition.reads)
    names = barrier_names(sites)
    wanted = [lifted(sites, [name]) for name in names] + [lifted(sites, names)]
    followed = slopes(around(at), definition, data, span, clinic)
    predicted = gains(at, sites, wanted, POINTS, clinic).variances(wanted, followed.values)
    shares = predicted.mean(0) / np.square(followed.values).sum(0)
    rows = []
    for lifted_name, accesses, share in zip([*names, "all"], wanted, shares, strict=True):
        other = replace(degraded, data=_lifted(data, clean.data, accesses, np.random.default_rng([clinic, len(rows)])))
        _, then, worst = _fitted(other, span, clinic)
        for i, asked in enumerate(followed.asked):
            if now[i] <= LEAST:
                continue  # nothing is unknown but what the estimate of a variance has clipped at zero
            rows.append(
                {
                    "clinic": clinic,
                    "lifted": lifted_name,
                    **asked._asdict(),
                    "predicted": float(share[i]),
                    "realised": float(then[i] / now[i]),
                    "r_hat": max(r_hat, worst),
                }
            )
    return rows


def _lifted(data: Any, clean: Any, accesses: dict, rng: np.random.Generator) -> Any:
    """The clinic's data with some streams drawn again, through other accesses, from what happened."""
    streams = dict(data.streams)
    for name, access in accesses.items():
        known, grid = clean.streams[name], data.streams[name].grid
        happened = np.where(known.exact, known.ends[..., 0], 0.0)
        whole = happened.astype(int) if (happened == np.round(happened)).all() else happened
        seen = access.degrade(rng, whole, grid)
        as_read = np.where(
            seen.present[..., None], known.ends, [-np.inf, np.inf]
        )  # of what is no number, such as minutes of a week of leave
        streams[name] = replace(data.streams[name], access=access, ends=np.where(known.exact[..., None], seen.cells, as_read))
    return replace(data, streams=streams)


def _fitted(prepared: Prepared, span: Any, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray, float]:
    """Draws by site, epistemic variance of every weekly average, and the worst R-hat of a spread."""
    import arviz as az

    definition, data = prepared.twin.definition, prepared.data
    draws = sample(prepared.model, definition.pilot(data), SAMPLING, nesting=prepared.nesting)
    posterior = dataset(draws.sites, definition.dims, data.coords)
    ahead = averages(definition, data, posterior, span, seed).values
    variances = [
        summarise(values)["var_epistemic"]
        for quantity in definition.quantities
        for (_, name), values in ahead.items()
        if name == quantity.name
    ]
    spreads = az.rhat(posterior[[name for name in posterior.data_vars if str(name).startswith("sd_")]])
    flat = {name: values.reshape(-1, *values.shape[2:]) for name, values in draws.sites.items()}
    return flat, np.concatenate(variances), max(float(spreads[name].max()) for name in spreads.data_vars)


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Predicted and realised share of variance that is left, by barrier, over quantities and units of a level; errors are between clinics.

    Fits that did not converge are told (`r_hat`) and not left out.
    """
    table = pd.DataFrame(rows)
    found = []
    for (name, level), own in table.groupby(["lifted", "level"], sort=False):
        each = own.groupby("clinic")[["predicted", "realised"]].mean()
        apart = each["realised"] - each["predicted"]
        found.append(
            {
                "lifted": name,
                "level": level,
                "clinics": len(each),
                "predicted": float(each["predicted"].mean()),
                "realised": float(each["realised"].mean()),
                "apart": float(apart.mean()),
                "error": float(apart.std() / np.sqrt(len(each))) if len(each) > 1 else None,
                "correlation": float(own["predicted"].corr(own["realised"])),
                "r_hat": float(own["r_hat"].max()),
            }
        )
    return found


def main() -> None:
    """Run what is not there yet and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clinics", type=int, default=30)
    parser.add_argument("--at-once", type=int, default=1, help="clinics side by side, a process each")
    parser.add_argument("--out", type=Path, required=True, help="JSON lines of finished clinics")
    parser.add_argument("--json", action="store_true", help="print the machine form")
    given = parser.parse_args()
    kept = [json.loads(line) for line in given.out.read_text(encoding="utf-8").splitlines()] if given.out.is_file() else []
    done = {rows[0]["clinic"] for rows in kept}
    wanted = [clinic for clinic in range(1, given.clinics + 1) if clinic not in done]
    # A process a clinic: programs compiled for one are of no use to the next.
    with ProcessPoolExecutor(given.at_once, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        for rows in track(pool.map(clinic_rows, wanted), "lifting barriers", len(wanted), console=Console(stderr=True)):
            with given.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(rows) + "\n")
            kept.append(rows)
    table = summary([row for rows in kept for row in rows])
    if given.json:
        print(json.dumps(table, indent=2))
        return
    for row in table:
        error = "" if row["error"] is None else f" ± {row['error']:.3f}"
        print(
            f"{row['lifted']:16s} {row['level']:10s} {row['clinics']:3d} clinics: predicted {row['predicted']:.2f}, realised {row['realised']:.2f} left; "
            f"apart {row['apart']:+.3f}{error}, correlation {row['correlation']:.2f}, R-hat {row['r_hat']:.3f}"
        )


if __name__ == "__main__":
    main()
