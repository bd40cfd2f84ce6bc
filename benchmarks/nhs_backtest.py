"""Backtest on the real NHS study: forecast eight weeks from 6 March 2022 or another Sunday, score against what came.

Run `uv run python benchmarks/nhs_backtest.py [--as-of DATE] [--json]`. The published files are found through
BAYESTWIN_SHARED_DATA (default ../shared/data). Weekly appointments of every area are scored by the mean weighted
interval score (Bracher et al. 2021) over seven quantiles, beside AutoETS (statsforecast) fitted to the same weeks.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

import bayestwin as bt
from bayestwin.analyse.forecast import LEVELS
from bayestwin.progress import shown

AS_OF, WEEKS = date(2022, 3, 6), 8
SHARED = Path(os.environ.get("BAYESTWIN_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))


def weekly(study: bt.Study) -> pd.DataFrame:
    """Published appointments by unit and week; a part-observed last week counts for its observed days."""
    hierarchy = bt.read_hierarchy(study)
    seen = bt.read_observations(study, hierarchy, bt.load_twin(study.model).definition.streams)["durations"]
    table = pd.DataFrame(seen.values.sum(-1), index=pd.DatetimeIndex(seen.coords["day"]), columns=seen.coords["area"])
    table.index = table.index - pd.to_timedelta(table.index.day_of_week, unit="D")
    return table.groupby(level=0).sum().rename_axis("period_start").melt(ignore_index=False, var_name="unit", value_name="y").reset_index()


def autoets(past: pd.DataFrame, scratch: Path) -> pd.DataFrame:
    """AutoETS quantiles from the whole weeks seen; the first, part-observed week is left out.

    statsforecast needs an older pandas than bayestwin, so it runs as a script with an environment of its own.
    """
    whole = past[past["period_start"] > past["period_start"].min()]
    whole.to_csv(scratch / "past.csv", index=False)
    script = Path(__file__).with_name("autoets.py")
    command = ["uv", "run", "--script", str(script), str(scratch / "past.csv"), str(scratch / "autoets.csv"), str(WEEKS)]
    subprocess.run(command, check=True, stdout=sys.stderr)
    return pd.read_csv(scratch / "autoets.csv", parse_dates=["period_start"], dtype={"unit": str})


def scored(forecast: pd.DataFrame, truth: pd.DataFrame) -> dict[str, float]:
    """Mean WIS and interval coverage over all areas and weeks."""
    both = forecast.merge(truth, on=["unit", "period_start"])
    y = both["y"].to_numpy(float)
    losses = [2 * (np.less(y, both[f"q{a:g}"]) - a) * (both[f"q{a:g}"] - y) for a in LEVELS]
    return {
        "wis": float(np.mean(losses)),
        "coverage_50": float(both["y"].between(both["q0.25"], both["q0.75"]).mean()),
        "coverage_95": float(both["y"].between(both["q0.025"], both["q0.975"]).mean()),
        "cells": len(both),
    }


def main() -> None:
    """Run the backtest and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the machine form")
    parser.add_argument("--as-of", type=date.fromisoformat, default=AS_OF, help="the last day known, a Sunday (default %(default)s)")
    parser.add_argument("--run", type=Path, help="score a run that was calibrated before, instead of calibrating")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        study = bt.init_study(Path(scratch) / "study", "nhs_gp", SHARED / "nhs_gp")
        start = time.perf_counter()
        if arguments.run:
            run = bt.load_run(arguments.run)
        else:
            with shown() as (say, watch):
                run = bt.calibrate(study.at(arguments.as_of), out=Path(scratch) / "run", say=say, watch=watch)
        seconds = time.perf_counter() - start
        known, as_of = weekly(study), pd.Timestamp(run.manifest["as_of"])
        past, truth = known[known["period_start"] < as_of], known[known["period_start"] > as_of]
        forecast = run.forecast[run.forecast["quantity"] == "appointments"]
        answer = {
            "as_of": run.manifest["as_of"],
            "weeks": WEEKS,
            "verdict": run.verdict["status"],
            "seconds": None if arguments.run else round(seconds, 1),
            "peak_memory_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
            "bayestwin": scored(forecast, truth),
            "autoets": scored(autoets(past, Path(scratch)), truth),
        }
    answer["wis_ratio"] = answer["bayestwin"]["wis"] / answer["autoets"]["wis"]
    print(json.dumps(answer, indent=2) if arguments.json else "\n".join(f"{name}: {value}" for name, value in answer.items()))


if __name__ == "__main__":
    main()
