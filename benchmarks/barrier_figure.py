"""Draw the ranks of a campaign: `uv run python benchmarks/barrier_figure.py RANKS.jsonl docs/images/barrier-calibration.svg`.

RANKS.jsonl is what `barrier_sbc.py --json` printed.
"""

import json
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from bayestwin.report.figures import BLUE, GREY, INK, ORANGE

SHOWN = (
    "suppress",
    "round",
    "random_round",
    "aggregate",
    "topcode",
    "margin",
    "date_shift_unit",
    "dp_laplace",
    "delay_known",
    "band",
    "coverage_uncertain",
    "linkage",
)
POINTS = np.linspace(0.0, 1.0, 41)


def band(replicates: int, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Ends between which the whole ECDF of uniform values lies with a given probability, less its expectation.

    Args:
        replicates: values.
        level: the probability.

    Source: Säilynoja, Bürkner & Vehtari (2022), Statistics and Computing 32, section 2.2, with the adjustment by simulation.
    """
    inner = POINTS[1:-1]
    values = np.sort(np.random.default_rng(0).random((4000, replicates)), axis=1)
    counts = np.stack([np.searchsorted(row, inner, side="right") for row in values])
    law = stats.binom(replicates, inner)
    tail = 2.0 * np.minimum(law.cdf(counts), law.sf(counts - 1)).min(axis=1)
    gamma = np.quantile(tail, 1.0 - level)
    ends = (law.ppf(0.5 * gamma) / replicates - inner, law.ppf(1.0 - 0.5 * gamma) / replicates - inner)
    return tuple(np.concatenate([[0.0], end, [0.0]]) for end in ends)


def ecdf_less_uniform(u: list[float]) -> np.ndarray:
    """ECDF at the points of the figure, less that of uniform values."""
    return np.searchsorted(np.sort(u), POINTS, side="right") / len(u) - POINTS


def main(source: str, target: str) -> None:
    """One panel a case: a line for every quantity, ours and naive."""
    outcomes = {one["name"]: one for one in map(json.loads, Path(source).read_text(encoding="utf-8").splitlines())}
    figure = Figure(figsize=(9.2, 6.4), layout="constrained")
    for ax, name in zip(figure.subplots(3, 4, sharex=True, sharey=True).flat, SHOWN, strict=True):
        outcome = outcomes[name]
        low, high = band(outcome["replicates"], 1.0 - 0.05 / len(outcome["ours"]["uniform"]))
        for label, colour in (("naive", ORANGE), ("ours", BLUE)):
            for u in outcome[label]["uniform"].values():
                ax.plot(POINTS, ecdf_less_uniform(u), color=colour, linewidth=0.8, alpha=0.8)
        ax.fill_between(POINTS, low, high, color=GREY, alpha=0.35, linewidth=0)
        ax.axhline(0.0, color=INK, linewidth=0.5)
        ax.set(title=name.replace("_", " "), ylim=(-0.5, 0.5))
    figure.supxlabel("rank of the true value among posterior draws")
    figure.supylabel("ECDF of the ranks, less that of uniform ones")
    figure.savefig(target, metadata={"Date": None, "Creator": None}, facecolor="white")


if __name__ == "__main__":
    main(*sys.argv[1:])
