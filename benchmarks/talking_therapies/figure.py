"""The benchmark's figure: errors of England's sums by how much is hidden, and coverage against the stated rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from published import Published
from scipy.stats import norm
from sums import from_draws, naive_sums

from bayestwin.report.figures import BLUE, GREY, INK, ORANGE

COLOURS = {"posterior": BLUE, "dropped": ORANGE, "midpoint": "#009e73", "flat": GREY}
TITLES = {
    "posterior": "posterior",
    "dropped": "'*' dropped",
    "midpoint": "'*' filled with 2.5",
    "flat": "all published alike equally likely",
}
RATES = np.linspace(0.05, 0.95, 19)


def write_figure(data: Published, draws: np.ndarray, path: Path) -> None:
    """Write it as SVG."""
    figure = Figure(figsize=(9.2, 3.4), layout="constrained")
    errors, coverage = figure.subplots(1, 2, width_ratios=(1.5, 1.0))
    _errors(errors, data, draws)
    _coverage(coverage, data, draws)
    figure.savefig(path, metadata={"Date": None, "Creator": None}, facecolor="white")


def _errors(ax: Axes, data: Published, draws: np.ndarray) -> None:
    sums = {"posterior": from_draws(draws), **naive_sums(data)}
    hidden = data.sums(data.hidden.astype(float)).ravel()
    order = np.argsort(hidden, kind="stable")
    for name in ("flat", "midpoint", "dropped"):
        ax.plot(hidden, (sums[name].mean - data.truth).ravel(), ".", color=COLOURS[name], markersize=4, label=TITLES[name])
    posterior = sums["posterior"]
    error = (posterior.mean - data.truth).ravel()
    reach = np.stack([posterior.mean - posterior.low[-1], posterior.high[-1] - posterior.mean]).reshape(2, -1)
    ax.errorbar(
        hidden[order], error[order], reach[:, order], fmt=".", color=BLUE, markersize=4, elinewidth=0.6, alpha=0.8, label="posterior, 95 %"
    )
    ax.axhline(0, color=INK, linewidth=0.8)
    ax.set(title="Sum over providers minus England's count", xlabel="providers whose count is hidden", ylabel="people")
    ax.legend(frameon=False, fontsize=7)


def _coverage(ax: Axes, data: Published, draws: np.ndarray) -> None:
    """By the place of England's number in each law, so that whole numbers do not blur it."""
    truth = data.truth
    place = {"posterior": (draws < truth).mean(0) + 0.5 * (draws == truth).mean(0)}
    for name, sums in naive_sums(data).items():
        spread = (sums.high[-1] - sums.low[-1]) / (2 * norm.ppf(0.975))
        place[name] = norm.cdf((truth - sums.mean) / spread)
    due = 2 * np.abs((draws.argsort(0).argsort(0) + 0.5) / len(draws) - 0.5)  # each draw in England's place
    rates = np.stack([(due <= rate).mean((1, 2)) for rate in RATES])
    ax.fill_between(RATES, *np.quantile(rates, [0.025, 0.975], axis=1), color=BLUE, alpha=0.15, linewidth=0)
    ax.plot([0, 1], [0, 1], color=INK, linewidth=0.8)
    for name, u in place.items():
        ax.plot(RATES, [(2 * np.abs(u - 0.5) <= rate).mean() for rate in RATES], color=COLOURS[name], label=TITLES[name])
    ax.set(title="England's counts inside the interval", xlabel="stated rate", ylabel="share of 198 sums", xlim=(0, 1), ylim=(0, 1))
    ax.set_aspect("equal")
