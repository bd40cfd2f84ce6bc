"""Predicted against realised value of access: barriers are lifted in simulated clinics, and the clinics calibrated again.

    uv run python benchmarks/access_truth.py --clinics 30 [--out FILE] [--at-once 2] [--predict-again] [--figure FILE] [--json]

Each clinic is drawn from the prior and calibrated through the barriers of the virtual clinic. What lifting each barrier, and all of them, would leave of
the variance of every forecast is predicted from that calibration alone. Then the barrier is lifted in the simulator, the clinic calibrated again, and the
variance that is really left compared. Finished clinics are kept in a table, access_truth.csv.gz beside this file if no other is named, and not repeated; without new ones
the command prints what is there. What was left stays true when the way of predicting it changes: `--predict-again` predicts anew for all finished clinics, which takes one calibration each instead of seven.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
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
from bayestwin.preposterior.bent import bent, by_order
from bayestwin.preposterior.current import Site, current, released_sites
from bayestwin.preposterior.expected import Accesses, gains
from bayestwin.preposterior.lifting import barrier_names, lifted
from bayestwin.preposterior.quantities import around, slopes
from bayestwin.twin.scenario import Scenario

DESIGN = bt.Design(units=8, groups=2, weeks=12)
SAMPLING = bt.Sampling(chains=2, draws=400, warmup=100)
POINTS = 4
LEAST = 1e-9  # variance of what is certain
THIN, INNER = 4, 8  # every fourth draw is followed into the weeks ahead, with so many draws of chance: averages over weeks need few
NOTHING = 0.99  # a barrier that is predicted to leave more takes nothing
BINS, FEW, MOST = 5, 3, 1.6  # of the figure: bins of predicted shares, least clinics in one, highest share shown
TEXT = {"unit": str}
KEPT = Path(__file__).with_suffix(".csv.gz")


def clinic_rows(clinic: int, lift: bool = True) -> list[dict[str, Any]]:
    """One clinic: what lifting would leave of each variance, predicted and realised.

    Args:
        clinic: its seed.
        lift: whether barriers are lifted; only predicted otherwise.
    """
    prepare_device()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "clinic"
        bt.simulate_study(folder, model="provider_workload", design=DESIGN, seed=clinic)
        degraded, clean = (prepare(bt.read_study(path)) for path in (folder, folder / "clean"))
    definition, data = degraded.twin.definition, degraded.data
    span = definition.future(data, degraded.study.horizon_weeks, Scenario(), degraded.study.calendar)
    draws, now, orders, r_hat = _fitted(degraded, span, clinic)
    at = current(degraded.model, definition.pilot(data), degraded.nesting, SAMPLING, draws, degraded.finer)
    sites = released_sites(at, definition.reads)
    names = barrier_names(sites)
    wanted = [lifted(sites, [name]) for name in names] + [lifted(sites, names)]
    followed = slopes(around(at), definition, data, span, clinic)
    predicted = gains(at, sites, wanted, POINTS, clinic).variances(wanted, followed.values)
    shares = bent(predicted / np.maximum(np.square(followed.values).sum(0), LEAST), orders).mean(0)
    rows: list[dict[str, Any]] = []
    for lifted_name, accesses, share in zip([*names, "all"], wanted, shares, strict=True):
        found = {"predicted": share.round(4)}
        if lift:
            other = replace(degraded, data=_lifted(data, clean.data, sites, accesses, np.random.default_rng([clinic, len(rows)])))
            _, then, _, worst = _fitted(other, span, clinic)
            found |= {"realised": (then / np.maximum(now, LEAST)).round(4), "r_hat": np.full(len(now), round(max(r_hat, worst), 3))}
        rows += [
            {"clinic": clinic, "lifted": lifted_name, **asked._asdict()} | {name: float(values[i]) for name, values in found.items()}
            for i, asked in enumerate(followed.asked)
            if now[i] > LEAST  # elsewhere nothing is unknown but what the estimate of a variance has clipped at zero
        ]
    return rows


def renewed(table: pd.DataFrame, predicted: pd.DataFrame) -> pd.DataFrame:
    """A table with other predictions of some of its clinics.

    Args:
        table: of finished clinics.
        predicted: rows of `clinic_rows` of which nothing was lifted.
    """
    keys = ["clinic", "lifted", "name", "level", "unit"]
    new = table[keys].merge(predicted[[*keys, "predicted"]], on=keys, how="left")["predicted"]
    return table.assign(predicted=new.fillna(table["predicted"].reset_index(drop=True)).to_numpy())


def steadied(table: pd.DataFrame) -> pd.DataFrame:
    """The table with what was left laid over a variance now that is known better.

    One calibration's variance is an estimate, and a mean of ratios by it is too large. Calibrations with a barrier lifted that is predicted to take nothing from a quantity estimate the same
    variance: now is the mean over all of these, but for the row's own.

    Args:
        table: of finished clinics.
    """
    keys = ["clinic", "name", "level", "unit"]
    same = table["predicted"] > NOTHING
    again = table["realised"].where(same)
    others = again.groupby([table[key] for key in keys]).transform("sum") - again.fillna(0.0)
    count = same.groupby([table[key] for key in keys]).transform("sum") - same
    return table.assign(realised=table["realised"] * (1 + count) / (1.0 + others))


def _lifted(data: Any, clean: Any, sites: Mapping[str, Site], accesses: Accesses, rng: np.random.Generator) -> Any:
    """The clinic's data with some streams drawn again, through other accesses, from what happened.

    Cells that say nothing now though they are released, such as a week without an answer, say nothing then, and as many of the others.
    """
    streams = dict(data.streams)
    for name, access in accesses.items():
        known, grid = clean.streams[name], data.streams[name].grid
        happened = np.where(known.exact, known.ends[..., 0], 0.0)
        whole = happened.astype(int) if (happened == np.round(happened)).all() else happened
        seen = access.degrade(rng, whole, grid)
        ends = np.where(
            known.exact[..., None], seen.cells, known.ends
        )  # of what is no number: after-hours minutes of which none were shown
        speaks = seen.present & (rng.random(grid.shape) < sites[name].told(access))
        streams[name] = replace(data.streams[name], access=access, ends=np.where(speaks[..., None], ends, [-np.inf, np.inf]))
    return replace(data, streams=streams)


def _fitted(prepared: Prepared, span: Any, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, float]:
    """Draws by site, of every weekly average the epistemic variance and how it is bent, and the worst R-hat of a spread."""
    import arviz as az

    definition, data = prepared.twin.definition, prepared.data
    draws = sample(prepared.model, definition.pilot(data), SAMPLING, nesting=prepared.nesting)
    posterior = dataset(draws.sites, definition.dims, data.coords)
    ahead = averages(definition, data, posterior.isel(draw=slice(None, None, THIN)), span, seed, INNER).values
    each = [values for quantity in definition.quantities for (_, name), values in ahead.items() if name == quantity.name]
    variances, orders = ([found(values) for values in each] for found in (_epistemic, lambda values: by_order(values.mean(1))))
    spreads = az.rhat(posterior[[name for name in posterior.data_vars if str(name).startswith("sd_")]])
    flat = {name: values.reshape(-1, *values.shape[2:]) for name, values in draws.sites.items()}
    return flat, np.concatenate(variances), np.concatenate(orders), max(float(spreads[name].max()) for name in spreads.data_vars)


def _epistemic(values: np.ndarray) -> np.ndarray:
    return summarise(values)["var_epistemic"]


def summary(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Predicted and realised share of variance that is left, by barrier, over quantities and units of a level; errors are between clinics.

    Fits that did not converge are told (`r_hat`) and not left out.
    """
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


def draw(table: pd.DataFrame, target: Path) -> None:
    """A panel a barrier: predicted against realised share of each clinic's quantities, and means of what was predicted alike."""
    from matplotlib.figure import Figure

    from bayestwin.report.figures import BLUE, GREY, INK

    lifted = list(table["lifted"].unique())
    figure = Figure(figsize=(9.2, 6.2), layout="constrained")
    for ax, name in zip(figure.subplots(2, -(-len(lifted) // 2), sharex=True, sharey=True).flat, lifted, strict=False):
        own = table[table["lifted"] == name].groupby(["clinic", "level", "name"], as_index=False)[["predicted", "realised"]].mean()
        ax.plot([0, 1], [0, 1], color=INK, linewidth=0.8)
        ax.plot(own["predicted"], own["realised"].clip(upper=MOST), ".", color=GREY, markersize=3, zorder=1)
        for _, part in own.groupby(np.floor(own["predicted"] * BINS)):
            each = part.groupby("clinic")[["predicted", "realised"]].mean()
            if len(each) >= FEW:
                error = 1.96 * each["realised"].std() / np.sqrt(len(each))
                ax.errorbar(each["predicted"].mean(), each["realised"].mean(), error, fmt="o", color=BLUE, markersize=4)
        ax.set(title=f"{name.replace('_', ' ')} lifted", xlim=(0, 1.05), ylim=(0, MOST))
    figure.supxlabel("share of a forecast's variance that is predicted to be left")
    figure.supylabel("share that was left")
    figure.savefig(target, metadata={"Date": None, "Creator": None}, facecolor="white")


def main() -> None:
    """Run what is not there yet and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clinics", type=int, default=30)
    parser.add_argument("--at-once", type=int, default=1, help="clinics side by side, a process each")
    parser.add_argument("--out", type=Path, default=KEPT, help="table of finished clinics, CSV")
    parser.add_argument("--predict-again", action="store_true", help="predict anew for finished clinics")
    parser.add_argument("--figure", type=Path, help="draw predicted against realised shares")
    parser.add_argument("--json", action="store_true", help="print the machine form")
    given = parser.parse_args()
    done = set(pd.read_csv(given.out)["clinic"]) if given.out.is_file() else set()
    wanted = [clinic for clinic in range(1, given.clinics + 1) if clinic not in done]
    # A process a clinic: programs compiled for one are of no use to the next.
    with ProcessPoolExecutor(given.at_once, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        for rows in track(pool.map(clinic_rows, wanted), "lifting barriers", len(wanted), console=Console(stderr=True)):
            pd.DataFrame(rows).to_csv(given.out, mode="a", header=not given.out.is_file(), index=False)
        again = sorted(done) if given.predict_again else []
        for rows in track(pool.map(partial(clinic_rows, lift=False), again), "predicting again", len(again), console=Console(stderr=True)):
            written = given.out.with_name(f"new-{given.out.name}")  # refits took hours: the table is there whole, whenever this is killed
            renewed(pd.read_csv(given.out, dtype=TEXT), pd.DataFrame(rows)).to_csv(written, index=False)
            written.replace(given.out)
    table = steadied(pd.read_csv(given.out, dtype=TEXT))
    found = summary(table)
    if given.figure:
        draw(table, given.figure)
    if given.json:
        print(json.dumps(found, indent=2))
        return
    for row in found:
        error = "" if row["error"] is None else f" ± {row['error']:.3f}"
        print(
            f"{row['lifted']:16s} {row['level']:10s} {row['clinics']:3d} clinics: predicted {row['predicted']:.2f}, realised {row['realised']:.2f} left; "
            f"apart {row['apart']:+.3f}{error}, correlation {row['correlation']:.2f}, R-hat {row['r_hat']:.3f}"
        )


if __name__ == "__main__":
    main()
