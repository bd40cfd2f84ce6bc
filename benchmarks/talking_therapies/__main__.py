"""Provider counts of NHS Talking Therapies through '*' and rounding to 5: does the posterior of their sums hold England's?

Run `uv run python benchmarks/talking_therapies [--source FOLDER] [--draws N] [--json] [--figure FILE.svg]`. The folder holds
nhs_talking_therapies/ (default: BAYESTWIN_SHARED_DATA, or ../shared/data beside the repository). England's counts are not
rounded and nothing of them is hidden; they are looked at when all is drawn.
"""

from __future__ import annotations

import argparse
import json
import resource
from pathlib import Path

import numpy as np
from arviz_stats import rhat
from published import RULES, SHARED, read_published
from rates import fit
from sums import listing, posterior_sums, score

from bayestwin.barriers import Access
from bayestwin.infer.device import prepare_device
from bayestwin.infer.settings import Sampling
from bayestwin.progress import shown

CHAINS, WARMUP = 2, 150


def main() -> None:
    """Fit, draw all cells, compare with England."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, default=SHARED, help="folder above nhs_talking_therapies")
    parser.add_argument("--draws", type=int, default=800, help="posterior draws, over all chains")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--figure", type=Path, help="where to write the figure")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    prepare_device()
    data = read_published(arguments.source)
    wrong = sum(int(objection.wrong.sum()) for objection in Access(releases=RULES).objections(data.values, data.hidden))
    with shown() as (say, watch):
        say("sampling rates and concentrations")
        draws = fit(data, Sampling(chains=CHAINS, draws=arguments.draws // CHAINS, warmup=WARMUP, seed=arguments.seed), watch)
        say("drawing every cell")
        sums = posterior_sums(data, draws, arguments.seed, arguments.draws)
    table = score(data, sums)
    worst = max(float(np.max(rhat(np.asarray(draws.sites[name])))) for name in ("log_rate", "log_concentration", "concentration_level"))
    state = {
        "rows": len(data.values),
        "hidden": int(data.hidden.sum()),
        "objections": wrong,
        "divergences": int(draws.stats["diverging"].sum()),
        "rhat_rates": worst,
        "rhat_sums": float(np.max(rhat(sums.reshape(CHAINS, -1, *sums.shape[1:])))),
        "cpu_seconds": resource.getrusage(resource.RUSAGE_SELF).ru_utime,
    }
    if arguments.figure:
        from figure import write_figure

        write_figure(data, sums, arguments.figure)
    if arguments.json:
        print(json.dumps({**state, "table": table.to_dict("records"), "sums": listing(data, sums).to_dict("records")}, indent=2))
    else:
        print(state, table.round(3).to_string(index=False), sep="\n")


if __name__ == "__main__":
    main()
