"""How long one posterior takes: bayestwin beside plain NumPyro, PyMC with nutpie, and PyMC's own sampler.

Run `uv run python benchmarks/speed.py [--size reference] [--engines bayestwin nutpie ...] [--json]`. Every engine is a process of its own on
the same data; PyMC and nutpie are installed on first use (dependency group `peers`). Efficiency is the smallest effective sample size, bulk or
tail, over every element of every named parameter, per second of the whole process, imports and compilation included. bayestwin draws as
many as `bayestwin calibrate` does by default; peers draw fewer, or they would take an hour, and so spend a larger share on warm-up: with as
many draws they could have up to 1.23 times the draws a second (1,300 iterations for 1,000 draws instead of 800 for 500).
`bayestwin` compiles everything; `bayestwin-warm` finds the programs that it left.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import arviz as az
import numpy as np
import xarray as xr
from rich.console import Console
from rich.table import Table
from speed_problem import SIZES, STUDIES

HERE = Path(__file__).parent
ENGINES = {
    "bayestwin": ("speed_bayestwin.py", {}),
    "bayestwin-warm": ("speed_bayestwin.py", {}),
    "numpyro": ("speed_numpyro.py", {}),
    "nutpie": ("speed_pymc.py", {"SPEED_SAMPLER": "nutpie"}),
    "nutpie-low-rank": ("speed_pymc.py", {"SPEED_SAMPLER": "nutpie-low-rank"}),
    "pymc": ("speed_pymc.py", {"SPEED_SAMPLER": "pymc"}),
}
FAILED = "failed"
PYMC = ("nutpie", "nutpie-low-rank", "pymc")
COLUMNS = (
    "engine",
    "chains",
    "draws",
    "seconds",
    "compiling",
    "gradients",
    "r_hat",
    "ess_bulk",
    "ess_tail",
    "ess_per_second",
    "ess_per_second_sampling",
    "peak_mb",
)


def measure(engine: str, size: str, given: argparse.Namespace, cache: Path) -> tuple[dict[str, Any], xr.Dataset | None]:
    """Run one engine; its cost and what its draws are worth, and the draws; no draws where it failed or ran out of time."""
    script, environment = ENGINES[engine] if size in SIZES else ("speed_study.py", {"SPEED_SAMPLER": engine.removesuffix("-warm")})
    with tempfile.TemporaryDirectory() as scratch:
        ours = engine.startswith("bayestwin")
        chains, draws = (given.chains, given.draws) if ours else (given.peer_chains, given.peer_draws)
        arguments = {"size": size, "problem": given.problem, "chains": chains, "warmup": given.warmup, "draws": draws}
        flags = [part for name, value in {**arguments, "seed": given.seed, "out": scratch}.items() for part in (f"--{name}", str(value))]
        peers = engine in PYMC and importlib.util.find_spec("nutpie") is None
        python = ["uv", "run", "--group", "peers", "python"] if peers else [sys.executable]
        try:
            if peers:  # installed before the clock starts
                subprocess.run([*python, "-c", "import pymc, nutpie"], check=True, capture_output=True, text=True)
            start = time.perf_counter()
            subprocess.run(
                [*python, str(HERE / script), *flags],
                check=True,
                capture_output=True,
                text=True,
                timeout=given.limit,
                env={**os.environ, **environment, "BAYESTWIN_CACHE": str(cache)},
            )
        except subprocess.TimeoutExpired:
            return {"engine": engine, "size": size, "seconds": f"> {given.limit:g}"}, None
        except subprocess.CalledProcessError as error:  # the other engines' rows are not lost with it
            print(f"{engine} failed:\n{error.stderr[-3000:]}", file=sys.stderr)
            return {"engine": engine, "size": size, "seconds": FAILED}, None
        seconds = time.perf_counter() - start
        cost = json.loads((Path(scratch) / "cost.json").read_text(encoding="utf-8"))
        with np.load(Path(scratch) / "draws.npz") as kept:
            draws = xr.Dataset(
                {name: (("chain", "draw", *(f"{name}_{i}" for i in range(kept[name].ndim - 2))), kept[name]) for name in kept.files}
            )
    worth = {"ess_bulk": _least(az.ess(draws, method="bulk")), "ess_tail": _least(az.ess(draws, method="tail"))}
    least = min(worth.values())
    return {
        "engine": engine,
        "size": size,
        "seconds": round(seconds, 2),
        **cost,
        **{name: round(value, 1) for name, value in worth.items()},
        "r_hat": round(-_least(-az.rhat(draws)), 4),
        "ess_per_second": least / seconds,
        "ess_per_second_sampling": least / max(seconds - cost["compiling"], 1e-9),
    }, draws


def _least(values: xr.Dataset) -> float:
    return float(_flat(values).min())


def agreement(ours: xr.Dataset, theirs: xr.Dataset) -> dict[str, float]:
    """How far two engines' means lie apart in Monte Carlo errors, and their sds in shares and Monte Carlo errors, at most and in 99 % of elements."""
    both = (ours, theirs)
    mean = [_flat(draws.mean(("chain", "draw"))) for draws in both]
    sd = [_flat(draws.std(("chain", "draw"))) for draws in both]
    error, error_of_sd = (np.hypot(*(_flat(az.mcse(draws, method=method)) for draws in both)) for method in ("mean", "sd"))
    found = {
        "mean_in_mcse": np.abs(mean[0] - mean[1]) / error,
        "sd_share": np.abs(sd[0] / sd[1] - 1.0),
        "sd_in_mcse": np.abs(sd[0] - sd[1]) / error_of_sd,
    }
    ends = {"most": 1.0, "99": 0.99}
    return {f"{name}_{end}": round(float(np.quantile(values, q)), 3) for name, values in found.items() for end, q in ends.items()}


def _flat(values: xr.Dataset) -> np.ndarray:
    return np.concatenate([values[name].to_numpy().ravel() for name in sorted(map(str, values.data_vars))])


def compare(size: str, given: argparse.Namespace, cache: Path, console: Console) -> dict[str, Any]:
    """All engines on one size."""
    rows, draws = [], {}
    for engine in given.engines:
        with console.status(f"{size}: {engine}"):
            row, found = measure(engine, size, given, cache)
        rows.append(row)
        if found is not None:
            draws[engine] = found
    result: dict[str, Any] = {"size": size, "rows": rows}
    efficiency = {row["engine"]: row.get("ess_per_second") for row in rows}
    for peer in ("nutpie", "numpyro"):
        both = efficiency.get("bayestwin"), efficiency.get(peer)
        result[f"ratio_{peer}"] = round(both[0] / both[1], 1) if all(both) else None
    if "bayestwin" in draws:
        result["agreement"] = {
            peer: agreement(draws["bayestwin"], found) for peer, found in draws.items() if not peer.startswith("bayestwin")
        }
    return result


def described(size: str) -> str:
    """A size in words."""
    if size in STUDIES:
        return STUDIES[size]
    of = SIZES[size]
    return f"{of.providers} providers in {of.clinics} clinics, {of.weeks} weeks, 4 streams"


def show(result: dict[str, Any], console: Console) -> None:
    """Print one size as a table."""
    table = Table(title=f"{result['size']}: {described(result['size'])}")
    for name in COLUMNS:
        table.add_column(name.replace("_", " "), justify="left" if name == "engine" else "right")
    for row in result["rows"]:
        table.add_row(
            *(
                f"{v:,.3g}" if isinstance(v, float) and name.startswith("ess_per") else str(v)
                for name in COLUMNS
                for v in [row.get(name, "")]
            )
        )
    console.print(table)
    console.print(
        f"bayestwin over nutpie: {result['ratio_nutpie']}, over plain NumPyro: {result['ratio_numpyro']} (effective draws a second of the whole run)"
    )
    for peer, found in result.get("agreement", {}).items():
        console.print(f"against {peer}: " + ", ".join(f"{name} {value}" for name, value in found.items()))


def main() -> None:
    """Ask, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", nargs="+", choices=[*SIZES, *STUDIES], default=["reference"])
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--peer-chains", type=int, default=2)
    parser.add_argument("--peer-draws", type=int, default=500)
    parser.add_argument("--warmup", type=int, default=300, help="of every engine")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--problem", type=int, default=1, help="seed of the data")
    parser.add_argument("--limit", type=float, default=3600.0, help="seconds after which an engine is stopped")
    parser.add_argument("--json", action="store_true", help="print the machine form")
    given = parser.parse_args()
    console = Console(stderr=given.json, width=170)
    with tempfile.TemporaryDirectory() as empty:
        results = [compare(size, given, Path(empty) / size, console) for size in given.size]
    for result in results:
        show(result, console)
    if given.json:
        print(json.dumps(results, indent=2))
    if any(row["seconds"] == FAILED for result in results for row in result["rows"]):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
