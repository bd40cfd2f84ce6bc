"""What getting back the banded durations of some sub-ICBs, or of the last weeks, was predicted to tell, against what they told.

    uv run python benchmarks/give_back.py --data ../shared/data/nhs_gp [--hide 12] [--times 3] [--seed 1] [--late DAYS] [--draws 400] [--keep FOLDER] [--json]

The study of what NHS England publishes is calibrated whole. Then the table of appointments by day and banded duration is withheld for some sub-ICBs drawn at random (`site_absence`), the
study calibrated without it, and what lifting that would leave of every variance predicted from this calibration alone. The whole study is what comes of it. With `--late` the table is instead
known so many days after each day only, as of the Sunday with which the whole study's weeks end. What is calibrated stays in FOLDER and is not done again. Quantities are weekly averages over the eight
weeks ahead.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

import bayestwin as bt
from bayestwin.analyse.forecast import averages, summarise
from bayestwin.analyse.verdict import judge_fit
from bayestwin.infer.device import prepare_device
from bayestwin.infer.posterior import dataset
from bayestwin.prepared import Prepared, prepare
from bayestwin.preposterior.bent import bent, by_order
from bayestwin.preposterior.current import current, released_sites
from bayestwin.preposterior.expected import gains
from bayestwin.preposterior.lifting import lifted
from bayestwin.preposterior.quantities import around, slopes
from bayestwin.sampled import sampled
from bayestwin.twin.scenario import Scenario

TABLE, STAFF = "actual_duration.csv.gz", "# Who saw the patient and how"
ABSENT, LATE = "areas not granted", "publication lag"  # as the model offers them
POINTS = 4
WIDE = 2.0 * 1.96


class Fitted(NamedTuple):
    """A calibrated study.

    Attributes:
        prepared: what was calibrated.
        posterior: its draws; `verdict` is among the attributes.
        drawn: draws of weekly averages by level and quantity, (draw, chance, code).
    """

    prepared: Prepared
    posterior: xr.Dataset
    drawn: dict[tuple[str, str], np.ndarray]


def withhold(folder: Path, areas: list[str]) -> None:
    """Take the durations of some areas out of a study and say so in its study.toml."""
    path = folder / "extracts" / TABLE
    table = pd.read_csv(path, dtype=str)
    table[~table["sub_icb_location_code"].isin(areas)].to_csv(path, index=False)
    study = (folder / "study.toml").read_text(encoding="utf-8")
    barrier = f'[[extract.barriers]]\nkind = "site_absence"\ndim = "area"\nabsent = {json.dumps(areas)}\n\n'
    (folder / "study.toml").write_text(study.replace(STAFF, barrier + STAFF, 1), encoding="utf-8")


def delay(folder: Path, days: int) -> None:
    """Let the durations of a study be known with a delay, as of the end of the week of its as-of date: its forecast begins with the same week as before."""
    study, as_of = (folder / "study.toml").read_text(encoding="utf-8"), bt.read_study(folder).as_of
    sunday = as_of + timedelta(days=6 - as_of.weekday())
    head, rest = study.replace(f"as_of = {as_of}", f"as_of = {sunday}", 1).split(TABLE, 1)
    resolution = 'resolution = "day"\n'
    (folder / "study.toml").write_text(
        head + TABLE + rest.replace(resolution, f"{resolution}report_lag_days = {days}\n", 1), encoding="utf-8"
    )


def fitted(data: Path, folder: Path, change: Callable[[Path], None] | None, sampling: bt.Sampling) -> Fitted:
    """Calibrate the study, unless that was done before, and forecast.

    Args:
        data: published files.
        folder: where study and posterior are kept.
        change: what is done to the study.
        sampling: how.
    """
    if not (folder / "study").is_dir():
        study = bt.init_study(folder / "study", "nhs_gp", data).folder
        if change:
            change(study)
    prepared, path = prepare(bt.read_study(folder / "study")), folder / "posterior.nc"
    definition = prepared.twin.definition
    if not path.is_file():
        draws = sampled(prepared, sampling)
        posterior = dataset(draws.sites, definition.dims, prepared.data.coords)
        posterior.assign_attrs(verdict=judge_fit(prepared.model, draws).status).to_netcdf(path, engine="h5netcdf")
    posterior = xr.load_dataset(path, engine="h5netcdf")
    return Fitted(prepared, posterior, averages(definition, prepared.data, posterior, _ahead(prepared), sampling.seed).values)


def _ahead(prepared: Prepared) -> Any:
    return prepared.twin.definition.future(prepared.data, prepared.study.horizon_weeks, Scenario(), prepared.study.calendar)


def predicted(now: Fitted, barrier: str, sampling: bt.Sampling) -> pd.DataFrame:
    """Share of each variance that lifting a barrier would leave, with its Monte Carlo error, and the normal approximation's variance."""
    prepared = now.prepared
    definition, data = prepared.twin.definition, prepared.data
    draws = {str(name): values.to_numpy().reshape(-1, *values.shape[2:]) for name, values in now.posterior.items()}
    at = current(prepared.model, definition.pilot(data), prepared.nesting, sampling, draws, prepared.finer)
    sites = released_sites(at, definition.reads)
    wanted = [lifted(sites, [barrier])]
    followed = slopes(around(at), definition, data, _ahead(prepared), 0)
    normal = np.square(followed.values).sum(0)
    each = [values.mean(1) for quantity in definition.quantities for (_, name), values in now.drawn.items() if name == quantity.name]
    orders = np.concatenate([by_order(values) for values in each])
    left = bent(gains(at, sites, wanted, POINTS, 0).variances(wanted, followed.values)[:, 0] / normal, orders)
    table = pd.DataFrame([asked._asdict() for asked in followed.asked])
    return table.assign(predicted=left.mean(0), predicted_error=left.std(0, ddof=1) / np.sqrt(POINTS), normal=normal)


def compared(now: Fitted, then: Fitted, barrier: str, areas: list[str], sampling: bt.Sampling) -> pd.DataFrame:
    """Each quantity that the request bears on, as it was, as it was predicted to be, and as it came to be.

    Args:
        now: calibrated with the barrier.
        then: calibrated without it.
        barrier: that is lifted.
        areas: that it hides something of.
        sampling: of the first.
    """
    found = []
    for n, row in predicted(now, barrier, sampling).groupby(["name", "level"], sort=False):
        before, after = (summarise(one.drawn[n[1], n[0]]) for one in (now, then))
        spread = _relative_error(now.drawn[n[1], n[0]]), _relative_error(then.drawn[n[1], n[0]])
        share = after["var_epistemic"] / before["var_epistemic"]
        sd_after = np.sqrt(before["var_aleatoric"] + before["var_epistemic"] * row["predicted"].to_numpy())
        found.append(
            row.assign(
                normal_over_draws=np.sqrt(row["normal"].to_numpy() / before["var_epistemic"]),
                realised=share,
                realised_error=share * np.hypot(*spread),
                width_now=WIDE * before["sd"],
                width_predicted=WIDE * sd_after,
                width_realised=WIDE * after["sd"],
                # What was learned moves the mean by as much as it takes from the variance.
                moved=(after["mean"] - before["mean"]) / np.sqrt(before["var_epistemic"] * (1.0 - row["predicted"].to_numpy())),
            )
        )
    table = pd.concat(found)
    regions = dict(zip(then.prepared.data.area, then.prepared.data.region[then.prepared.data.area_region], strict=True))
    borne = {"area": set(areas), "region": {regions[area] for area in areas}, "national": {"all"}}
    return table[[unit in borne[level] for level, unit in zip(table["level"], table["unit"], strict=True)]]


def _relative_error(drawn: np.ndarray) -> np.ndarray:
    """Relative Monte Carlo error of each epistemic variance, from quarters of the draws; the chains, as they are kept in order."""
    parts = np.stack([summarise(part)["var_epistemic"] for part in np.array_split(drawn, 4)])
    return parts.std(0, ddof=1) / 2.0 / parts.mean(0)


def summary(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Means over quantities' units and sets of areas; errors are those between them, or of the one that there is."""
    rows = []
    for (level, name), own in table.groupby(["level", "name"], sort=False):
        apart = own["realised"] - own["predicted"]
        each = np.hypot(own["predicted_error"], own["realised_error"])
        rows.append(
            {
                "level": level,
                "quantity": name,
                "answers": len(own),
                "predicted": own["predicted"].mean(),
                "realised": own["realised"].mean(),
                "apart": apart.mean(),
                "error": apart.std(ddof=1) / np.sqrt(len(own)) if len(own) > 2 else float(np.sqrt(np.square(each).sum()) / len(own)),
                "width_now": own["width_now"].mean(),
                "width_predicted": own["width_predicted"].mean(),
                "width_realised": own["width_realised"].mean(),
                "moved_square": float(np.square(own["moved"]).mean()),
                "moved_within_95": float((own["moved"].abs() <= 1.96).mean()),
                "normal_over_draws": own["normal_over_draws"].mean(),
            }
        )
    return rows


def main() -> None:
    """Hide, predict, give back, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the published files")
    parser.add_argument("--hide", type=int, default=12, help="sub-ICBs whose durations are withheld (default %(default)s)")
    parser.add_argument("--times", type=int, default=3, help="sets of them (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the first set; the next ones follow (default %(default)s)")
    parser.add_argument("--late", type=int, metavar="DAYS", help="of all sub-ICBs the last days are withheld instead")
    parser.add_argument("--draws", type=int, default=400, help="kept of each of four chains (default %(default)s)")
    parser.add_argument("--keep", type=Path, help="folder where studies and posteriors stay; a passing one if absent")
    parser.add_argument("--json", action="store_true", help="print the machine form")
    given = parser.parse_args()
    prepare_device()
    every = pd.read_csv(given.data / "geography.csv", dtype=str)["sub_icb_location_code"].to_numpy()
    with tempfile.TemporaryDirectory() as scratch:
        keep, sampling = given.keep or Path(scratch), bt.Sampling(draws=given.draws)
        then = fitted(given.data, keep / "whole", None, sampling)
        verdicts, tables = [then.posterior.attrs["verdict"]], []
        for seed in range(given.seed, given.seed + (1 if given.late else given.times)):
            chosen = sorted(np.random.default_rng(seed).choice(every, given.hide, replace=False).tolist())
            areas, barrier = (every.tolist(), LATE) if given.late else (chosen, ABSENT)
            change = partial(delay, days=given.late) if given.late else partial(withhold, areas=areas)
            now = fitted(given.data, keep / (f"late-{given.late}" if given.late else f"without-{given.hide}-{seed}"), change, sampling)
            verdicts.append(now.posterior.attrs["verdict"])
            tables.append(compared(now, then, barrier, areas, sampling).assign(seed=seed))
            print(f"set {seed}: {', '.join(areas)}", file=sys.stderr)
    table = pd.concat(tables)
    answer = {"hidden": len(areas), "sets": len(tables), "verdicts": verdicts, "summary": summary(table)}
    if given.json:
        print(json.dumps(answer | {"answers": table.to_dict("records")}, indent=2))
        return
    print(f"verdicts: {', '.join(verdicts)}")
    for row in answer["summary"]:
        print(
            f"{row['level']:8s} {row['quantity']:15s} {row['answers']:3d}: predicted {row['predicted']:.3f} left, realised {row['realised']:.3f}, apart {row['apart']:+.3f} ± {row['error']:.3f}; "
            f"width {row['width_now']:.0f}, predicted {row['width_predicted']:.0f}, realised {row['width_realised']:.0f}; "
            f"moved² {row['moved_square']:.2f}, within 95 % {row['moved_within_95']:.0%}; normal over draws {row['normal_over_draws']:.2f}"
        )


if __name__ == "__main__":
    main()
