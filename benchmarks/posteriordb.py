"""Posteriors of posteriordb: do the engine's draws have the means and sds of the reference draws?

    uv run python benchmarks/posteriordb.py --dir ../shared/data/posteriordb [--only NAME ...] [--json]

The folder has `data/<data>.json` as posteriordb publishes it and `reference/<data>-<model>.summary.json`, {element: [mean, sd]} of its
10,000 reference draws. Every posterior there whose model is in `posteriordb_models.py` is fitted by `bayestwin.infer.mcmc.sample` and
judged; one whose model is not there, or lacks an element of the reference, is listed as not expressed. Means and sds of all elements are
compared in Monte Carlo errors of both sides together. A posterior agrees if no element's mean or sd is more than 4 of them off and the
fit's own verdict is PASS. Exit code 1 if one that was fitted does not agree, 2 if the folder cannot be used.

Errors of the fit are ArviZ's: of a mean from its effective sample size, of an sd from that of the squared deviations and their fourth
moment. Reference draws are thinned until they are independent, so that a reference mean has error sd / √10,000 and a reference sd has
error sd √((κ - 1) / 40,000), κ being the kurtosis; the summary does not tell it, the fit does.

Source: Magnusson et al. (2024), posteriordb, arXiv:2407.04967.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import arviz_stats
import jax
import numpy as np
import xarray as xr
from numpyro.handlers import seed, trace
from posteriordb_models import MODELS, Model
from rich.console import Console
from rich.table import Table
from scipy.stats import kurtosis

from bayestwin.analyse.verdict import judge_draws
from bayestwin.components.informed import Pilot
from bayestwin.errors import BayestwinError, Fault
from bayestwin.infer.device import prepare_device
from bayestwin.infer.mcmc import Progress, sample
from bayestwin.infer.settings import Sampling

BOUND = 4.0  # Monte Carlo errors
REFERENCE_DRAWS = 10_000
SAMPLING = Sampling(chains=4, draws=1000, warmup=500, target_accept=0.9)
COLUMNS = ("name", "status", "verdict", "elements", "mean_error", "sd_error", "worst", "r_hat", "ess_min", "divergences", "seconds")
LAYOUT = "a folder with data/<data>.json and reference/<data>-<model>.summary.json"


class Data(dict[str, np.ndarray]):
    """Data of a posterior, which say where they come from when something is missing.

    Args:
        file: where they lie.
        values: by name.
    """

    def __init__(self, file: Path, values: Mapping[str, Any]) -> None:
        self.file = file
        super().__init__({name: _numbers(file, name, value) for name, value in values.items()})

    def __missing__(self, name: str) -> np.ndarray:
        raise BayestwinError(
            [
                Fault(
                    str(self.file),
                    f"{name!r} is missing",
                    expected="the data that posteriordb has",
                    remedy="copy the file from there again",
                )
            ]
        )


def _numbers(file: Path, name: str, value: Any) -> np.ndarray:
    """Of a value of a JSON file."""
    try:
        found = np.asarray(value)
    except ValueError:  # rows of unequal length
        found = np.asarray(None)
    if found.dtype.kind not in "biuf":
        remedy = "copy the file from posteriordb again"
        raise BayestwinError([Fault(str(file), "not numbers", column=name, expected="a number or an array of numbers", remedy=remedy)])
    return found


class Posterior(NamedTuple):
    """What is fitted and what it is held against.

    Attributes:
        name: <data>-<model>.
        model: NumPyro model of the data; why there is none where it is not expressed.
        data: by name.
        reference: mean and sd by element, such as `beta[1]`.
    """

    name: str
    model: Model | str
    data: Data
    reference: dict[str, tuple[float, float]]


def read_folder(folder: Path, only: Iterable[str] = ()) -> list[Posterior]:
    """Every posterior of a folder, or those that are named.

    Raises:
        BayestwinError: with all faults of the folder and its files.
    """
    files = {file.name.removesuffix(".summary.json"): file for file in sorted((folder / "reference").glob("*.summary.json"))}
    if not files:
        raise BayestwinError([Fault(str(folder), "no reference posterior", expected=LAYOUT, remedy="give such a folder with --dir")])
    faults = [
        Fault(str(folder / "reference"), "no such posterior", value=name, expected=f"one of {', '.join(files)}", remedy="change --only")
        for name in only
        if name not in files
    ]
    found = []
    for name in list(only) or files:
        try:
            found += [_posterior(folder, name, files[name])] if name in files else []
        except BayestwinError as error:
            faults += error.faults
    if faults:
        raise BayestwinError(faults)
    return found


def _posterior(folder: Path, name: str, file: Path) -> Posterior:
    source, _, model = name.partition("-")
    where, reference = folder / "data" / f"{source}.json", _reference(file)
    if model not in MODELS:
        return Posterior(name, f"no model {model!r} in benchmarks/posteriordb_models.py", Data(where, {}), reference)
    data = Data(where, _read(where))
    return Posterior(name, _fitting(model, data, reference), data, reference)


def _fitting(name: str, data: Data, reference: Mapping[str, tuple[float, float]]) -> Model | str:
    """The model, once it is sure to fit the data; or what the reference has and the model has not."""
    try:
        known = elements(site_shapes(partial(MODELS[name], data)))
    except (IndexError, TypeError, ValueError) as error:  # JAX and NumPy raise any of them where shapes do not fit
        remedy = "copy the file from posteriordb again"
        raise BayestwinError([Fault(str(data.file), f"not data of {name} ({error})", remedy=remedy)]) from error
    unknown = [element for element in reference if element not in known]
    return f"the model has no {', '.join(unknown)}" if unknown else MODELS[name]


def _reference(file: Path) -> dict[str, tuple[float, float]]:
    """Mean and sd by element."""
    table = _read(file)
    wrong = {name: value for name, value in table.items() if not _is_pair(value)}
    if wrong or not table:
        name, value = next(iter(wrong.items()), (None, None))
        raise BayestwinError(
            [
                Fault(
                    str(file),
                    "no element has a mean and an sd" if name is None else "not a mean and an sd",
                    column=name,
                    value=None if name is None else json.dumps(value),
                    expected="[mean, sd] of each element, sd above zero",
                    remedy="summarise the reference draws again",
                )
            ]
        )
    return {name: (float(mean), float(sd)) for name, (mean, sd) in table.items()}


def _is_pair(value: Any) -> bool:
    numbers = isinstance(value, list) and len(value) == 2 and all(isinstance(part, int | float) for part in value)
    return numbers and bool(np.isfinite(value).all()) and value[1] > 0.0


def _read(file: Path) -> dict[str, Any]:
    """A JSON object."""
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BayestwinError([Fault(str(file), "no such file", expected=LAYOUT, remedy="copy it from posteriordb")]) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BayestwinError([Fault(str(file), f"not JSON ({error})", remedy="copy it from posteriordb again, unpacked")]) from None
    if not isinstance(value, dict):
        raise BayestwinError([Fault(str(file), "not an object", value=type(value).__name__, expected="values by name")])
    return value


def elements(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Site and index of each element by the name that Stan gives it, which counts from one."""
    return {
        name + (f"[{','.join(str(i + 1) for i in index)}]" if index else ""): (name, index)
        for name, shape in shapes.items()
        for index in np.ndindex(shape)
    }


def site_shapes(model: Callable[[], None]) -> dict[str, tuple[int, ...]]:
    """Shape of every unknown and every named function of unknowns.

    Raises:
        ValueError: if what was observed has not the shape of its law.
    """
    shapes = {}
    for name, site in trace(seed(model, jax.random.key(0))).get_trace().items():
        if site["type"] == "sample" and site["is_observed"]:
            np.broadcast_shapes(site["fn"].shape(), np.shape(site["value"]))
        elif site["type"] in ("sample", "deterministic"):
            shapes[name] = np.shape(site["value"])
    return shapes


class Distances(NamedTuple):
    """How far a fit is from its reference, by element, in Monte Carlo errors."""

    mean: np.ndarray
    sd: np.ndarray


def distances(sites: Mapping[str, np.ndarray], reference: Mapping[str, tuple[float, float]]) -> Distances:
    """Absolute differences of means and sds in Monte Carlo errors of both sides.

    Args:
        sites: draws, each (chain, draw, ...).
        reference: mean and sd by element.
    """
    places = elements({name: values.shape[2:] for name, values in sites.items()})
    chosen = [places[name] for name in reference]
    draws = np.stack([sites[site][(slice(None), slice(None), *index)].astype(float) for site, index in chosen], axis=-1)
    table = xr.Dataset({"x": (("chain", "draw", "element"), draws)})
    mean, sd = np.array(list(reference.values())).T
    shape = kurtosis(draws.reshape(-1, draws.shape[-1]), fisher=False)
    of_fit = [arviz_stats.mcse(table, method=method)["x"].to_numpy() for method in ("mean", "sd")]
    of_reference = sd / np.sqrt(REFERENCE_DRAWS), sd * np.sqrt((shape - 1.0) / (4.0 * REFERENCE_DRAWS))
    return Distances(
        np.abs(draws.mean((0, 1)) - mean) / np.hypot(of_fit[0], of_reference[0]),
        np.abs(draws.std((0, 1), ddof=1) - sd) / np.hypot(of_fit[1], of_reference[1]),
    )


def status(verdict: str, found: Distances) -> str:
    """In words."""
    if not max(found.mean.max(), found.sd.max()) <= BOUND:
        return "differs"
    return "agrees" if verdict == "PASS" else "fit failed"


def fitted(posterior: Posterior, sampling: Sampling, watch: Callable[[Progress], None] = lambda progress: None) -> dict[str, Any]:
    """One row of the answer: fit, judge, compare."""
    if isinstance(posterior.model, str):
        return {"name": posterior.name, "status": "not expressed", "reasons": [posterior.model]}
    start = time.perf_counter()
    draws = sample(partial(posterior.model, posterior.data), Pilot(), sampling, watch)
    verdict = judge_draws(draws.sites, draws.stats)
    seconds = time.perf_counter() - start
    found = distances(draws.sites, posterior.reference)
    both = np.maximum(found.mean, found.sd)
    return {
        "name": posterior.name,
        "status": status(verdict.status, found),
        "verdict": verdict.status,
        "reasons": list(verdict.reasons),
        "elements": len(both),
        "mean_error": round(float(found.mean.max()), 2),
        "sd_error": round(float(found.sd.max()), 2),
        "worst": list(posterior.reference)[int(both.argmax())],
        "seconds": round(seconds, 1),
        "r_hat": round(verdict.metrics["rhat_max"], 4),
        "ess_min": round(min(verdict.metrics["ess_bulk_min"], verdict.metrics["ess_tail_min"])),
        "divergences": verdict.metrics["divergences"],
        "steps": round(float(draws.stats["n_steps"].mean()), 1),
    }


def run(posteriors: list[Posterior], sampling: Sampling, console: Console) -> dict[str, Any]:
    """Fit one after another.

    Returns:
        `posteriors`, a row each; how many `agree`, `of` how many were asked for, and how many are `not_expressed`.
    """
    rows = []
    for i, posterior in enumerate(posteriors, 1):
        label = f"{i} of {len(posteriors)}: {posterior.name}"
        with console.status(label) as shown:
            rows.append(fitted(posterior, sampling, lambda progress, label=label: shown.update(f"{label}, {progress.words}")))
        console.print(f"{label}: {rows[-1]['status']}")
    count = [row["status"] for row in rows].count
    return {"posteriors": rows, "agree": count("agrees"), "of": len(rows), "not_expressed": count("not expressed")}


def show(answer: Mapping[str, Any], console: Console) -> None:
    """Print the answer as a table, with the reasons of what is not as it should be."""
    table = Table(title=f"Means and sds against reference draws, in Monte Carlo errors; {answer['agree']} of {answer['of']} agree")
    for name in COLUMNS:
        table.add_column(name.replace("_", " "), justify="left" if name in ("name", "status", "verdict", "worst") else "right")
    for row in answer["posteriors"]:
        table.add_row(*(str(row.get(name, "")) for name in COLUMNS))
    console.print(table)
    for row in answer["posteriors"]:
        for reason in row["reasons"]:
            console.print(f"{row['name']}: {reason}", markup=False)


def main() -> None:
    """Ask, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=Path, required=True, help=LAYOUT)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="of the posteriors, such as arK-arK")
    parser.add_argument("--json", action="store_true", help="print the machine form")
    given = parser.parse_args()
    prepare_device()
    try:
        answer = run(read_folder(given.dir, given.only), SAMPLING, Console(stderr=True))
    except BayestwinError as error:
        parser.exit(2, f"{error}\n")
    print(json.dumps(answer, indent=2)) if given.json else show(answer, Console(width=170))
    sys.exit(0 if answer["agree"] + answer["not_expressed"] == answer["of"] else 1)


if __name__ == "__main__":
    main()
