"""Which family fits the durations better: generalised gamma or log-normal, by PSIS-LOO over area-weeks.

Run `uv run python benchmarks/duration_family.py [--study FOLDER] [--json]`; the bundled study if no folder is given.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path

import xarray as xr

import bayestwin as bt
from bayestwin.infer.device import prepare_device
from bayestwin.library import library_folder
from bayestwin.prepared import prepare

FAMILIES = ("generalised_gamma", "lognormal")


def fitted(prepared: object, family: str) -> dict[str, float]:
    """LOO, misfit of the bands and mean minutes' spread under one family."""
    import sys

    from arviz_stats import loo

    from bayestwin.infer.mcmc import sample
    from bayestwin.infer.posterior import dataset
    from bayestwin.infer.predictive import log_densities

    durations = sys.modules[f"{type(prepared.data).__module__.rpartition('.')[0]}.model"].durations
    model = partial(durations, prepared.data, {name: row.build() for name, row in prepared.priors.items()}, family)
    draws = sample(model, prepared.twin.definition.pilot(prepared.data), bt.Sampling(draws=400))
    flat = {name: value.reshape(-1, *value.shape[2:]) for name, value in draws.sites.items()}
    cells, _ = log_densities(model, flat)()
    shape = draws.stats["lp"].shape
    likelihood = dataset(
        {"durations": cells["durations"].reshape(*shape, *cells["durations"].shape[1:])},
        {"durations": ("week", "area")},
        prepared.data.coords,
    )
    tree = xr.DataTree.from_dict({"log_likelihood": likelihood, "posterior": dataset({"band_sd": draws.sites["band_sd"]}, {}, {})})
    found = loo(tree, pointwise=True)
    return {
        "elpd": float(found.elpd),
        "se": float(found.se),
        "k_above_0.7": int((found.pareto_k > 0.7).sum()),
        "band_sd": float(draws.sites["band_sd"].mean()),
    }


def main() -> None:
    """Fit both and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", type=Path, default=library_folder("data") / "virtual_practices")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    prepare_device()
    prepared = prepare(bt.read_study(arguments.study))
    answer = {family: fitted(prepared, family) for family in FAMILIES}
    print(json.dumps(answer, indent=2) if arguments.json else "\n".join(f"{name}: {row}" for name, row in answer.items()))


if __name__ == "__main__":
    main()
