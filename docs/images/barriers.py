"""Draw the pictures of docs/barriers.md: `uv run python docs/images/barriers.py [PICTURE ...]`.

A picture has a row for each barrier: on the left clean data and what is released of them, on the right posteriors of one
quantity with perfect access, through the barrier, and by the naive treatment. Barriers, naive treatments and the model are
those of benchmarks/barrier_cases.py and barrier_model.py; here the truth is fixed and there is one data set for each design.
Every random number comes from SEED, but for the noise that protects privacy, which no seed can reproduce.
"""

import io
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpyro.handlers import seed, substitute, trace
from scipy.stats import gaussian_kde

from bayestwin.barriers import Access, Degraded
from bayestwin.components.informed import Pilot
from bayestwin.components.informed import seen as known
from bayestwin.infer.device import prepare_device
from bayestwin.infer.mcmc import sample
from bayestwin.infer.settings import Sampling
from bayestwin.report.figures import BLUE, GREY, INK

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from barrier_cases import CASES, Case, exactly
from barrier_model import SCORE, SCORE_SD, SCORE_STEP, Design, latent, model, selection

FOLDER = Path(__file__).with_suffix("")
SEED = 20240101
SAMPLING = Sampling(chains=4, draws=250, warmup=200, seed=SEED)
TRUTH = {"spread": 0.4, "trend": 0.2, "weekend": -0.6}
MONTH, FORTNIGHT, SPARSE = Design(28, 6), Design(14, 6), Design(28, 6, typical=1.5)
SCORES, BANDS = Design(28, 6, law="normal"), Design(28, 6, dim="band", nulls=True)
ORANGE = "#d55e00"
WIDTH, ROW = 8.0, 2.1  # inches


@dataclass(frozen=True)
class Row:
    """A barrier in a picture.

    Attributes:
        name: its name in CASES.
        title: what it does, over the data.
        data: draws clean and released data: (axes, clean, degraded).
        quantity: what the posteriors are of.
        design: size of the clean data; the case's own if absent.
    """

    name: str
    title: str
    data: Callable[[Axes, np.ndarray, Degraded], None]
    quantity: str = "rate"
    design: Design | None = None

    @property
    def case(self) -> Case:
        """The barrier and its naive treatment."""
        case = CASES[self.name]
        return replace(case, design=self.design or case.design)


@dataclass(frozen=True)
class Quantity:
    """What posteriors are shown of.

    Attributes:
        label: its name on the axis.
        of: its values from the sites, the design known.
    """

    label: str
    of: Callable[[Mapping[str, Any], Design], Any]


def _rate(sites: Mapping[str, Any], design: Design) -> Any:
    return np.exp(np.asarray(sites["unit"]).mean(-1))


def _score(sites: Mapping[str, Any], design: Design) -> Any:
    return SCORE + SCORE_STEP * (np.asarray(sites["unit"]).mean(-1) - np.log(design.typical))


QUANTITIES = {
    "rate": Quantity("exp(mean log rate of the units), events a day", _rate),
    "weekend": Quantity("weekend effect on the log rate", lambda sites, design: np.asarray(sites["weekend"])),
    "trend": Quantity("change of the log rate, first to last day", lambda sites, design: 2.0 * np.asarray(sites["trend"])),
    "score": Quantity("mean score of the units, points", _score),
}


@cache
def truth(design: Design) -> dict[str, np.ndarray]:
    """The clean data's unknowns: TRUTH, the level at its prior median, units by SEED."""
    fixed = {name: jnp.asarray(value) for name, value in (TRUTH | {"level": np.log(design.typical)}).items()}
    found = trace(seed(substitute(partial(latent, design, Access()), fixed), SEED)).get_trace()
    return {name: np.asarray(site["value"]) for name, site in found.items() if site["type"] == "sample"}


@cache
def clean_data(design: Design) -> np.ndarray:
    """Counts, or scores, of the truth."""
    drawn = seed(substitute(partial(latent, design, Access()), truth(design)), SEED)()
    rng, law = np.random.default_rng(SEED), design.counts(drawn.mean, drawn.concentration)
    return rng.normal(law.loc, law.scale) if design.law == "normal" else law.draw(rng)


def release(case: Case) -> Degraded:
    """What is released of the clean data; the barrier's unknowns are drawn from their priors by SEED."""
    drawn = seed(substitute(partial(latent, case.design, case.access), truth(case.design)), SEED)()
    given = jax.tree.map(np.asarray, dict(drawn.given))
    return case.access.degrade(SEED, clean_data(case.design), case.design.grid, given)


def look(design: Design) -> Pilot:
    """Where the units lie and how much their data say: a choice of coordinates for the sampler, nothing that it learns from."""
    clean = clean_data(design)
    if design.law == "normal":
        return Pilot(
            {"unit": known(np.log(design.typical) + (clean.mean(0) - SCORE) / SCORE_STEP, len(clean) * (SCORE_STEP / SCORE_SD) ** 2)}
        )
    total = np.maximum(clean.sum(0), 1)
    return Pilot({"unit": known(np.log(total / len(clean)), total)})


def fit(design: Design, access: Access, seen: Mapping[str, np.ndarray], what: str) -> dict[str, np.ndarray]:
    """Draws of all sites."""
    draws = sample(lambda: model(design, access, seen), look(design), SAMPLING)
    print(f"{what}: {int(draws.stats['diverging'].sum())} divergences", file=sys.stderr, flush=True)
    return draws.sites


@cache
def fit_perfect(design: Design) -> dict[str, np.ndarray]:
    """The fit to the clean data."""
    return fit(design, Access(), {"cells": exactly(clean_data(design).astype(float))}, f"perfect access, {design}")


def fit_barrier(row: Row, released: Degraded) -> dict[str, np.ndarray]:
    """The fit through the barrier."""
    chosen, grid = selection(row.case.access), row.case.design.grid
    took_part = {"took_part": chosen.took_part(grid)} if chosen else {}
    return fit(row.case.design, row.case.access, {"cells": released.cells} | took_part, row.name)


def fit_naive(row: Row, released: Degraded) -> dict[str, np.ndarray]:
    """The fit of those who leave the barrier out."""
    return fit(row.case.design, row.case.naive, {"cells": row.case.read(released)}, f"{row.name}, naive")


def _clean(ax: Axes, x: np.ndarray, clean: np.ndarray) -> None:
    ax.plot(x, clean, "o", color=GREY, markersize=4, markeredgewidth=0, zorder=2)


def _segments(ax: Axes, x: np.ndarray, low: np.ndarray, high: np.ndarray, **style: float) -> None:
    """Upright lines, as one path."""
    gaps = np.full(len(x), np.nan)
    ax.plot(np.repeat(x, 3), np.column_stack([low, high, gaps]).ravel(), color=BLUE, solid_capstyle="butt", zorder=1, **style)


def _ends(ax: Axes, x: np.ndarray, low: np.ndarray, high: np.ndarray, top: float) -> None:
    """A tick for what is known, a bar between two ends (of counts, from zero on), an arrow where one is open."""
    known = low == high
    ax.plot(x[known], low[known], "_", color=BLUE, markersize=7, markeredgewidth=1.6, zorder=3)
    shut = ~known & np.isfinite(low) & np.isfinite(high)
    _segments(ax, x[shut], np.maximum(low[shut], 0.0) - 0.25, high[shut] + 0.25, linewidth=4, alpha=0.45)
    for open_end, start, up in ((np.isinf(high) & np.isfinite(low), low, 1), (np.isinf(low) & np.isfinite(high), high, -1)):
        ax.plot(x[open_end], start[open_end], "_", color=BLUE, markersize=7, markeredgewidth=1.6, zorder=3)
        tip = start[open_end] + up * 0.25 * top
        _segments(ax, x[open_end], start[open_end], tip, linewidth=1.2)
        ax.plot(x[open_end], tip, "^" if up > 0 else "v", color=BLUE, markersize=4, markeredgewidth=0)


def _nothing(ax: Axes, x: np.ndarray) -> None:
    """Marks on the floor for cells that are not released."""
    ax.plot(x, np.zeros(len(x)), "x", color=BLUE, markersize=5, markeredgewidth=1.4)


def days(ax: Axes, clean: np.ndarray, released: Degraded, unit: int = 1, first: int = 0) -> None:
    """One unit's days: clean counts as dots, what is released as ticks, bars and arrows.

    Args:
        ax: where to draw.
        clean: clean data.
        released: what is released of them.
        unit: which unit.
        first: how many days the released data begin before the clean ones.
    """
    low, high = released.cells[:, unit, 0], released.cells[:, unit, 1]
    x, top = np.arange(len(low)) - first, float(clean[:, unit].max())
    _clean(ax, np.arange(len(clean)), clean[:, unit])
    there = released.present[:, unit]
    _ends(ax, x[there], low[there], high[there], top)
    _nothing(ax, x[~there])
    ax.set(xlabel="day", ylabel="score" if clean.dtype.kind == "f" else "events, one unit")


def weeks(ax: Axes, clean: np.ndarray, released: Degraded, unit: int = 1) -> None:
    """Days of one unit, and the mean day that each week's sum says."""
    _clean(ax, np.arange(len(clean)), clean[:, unit])
    for week, total in enumerate(released.values[:, unit]):
        ax.hlines(total / 7, 7 * week - 0.4, 7 * week + 6.4, color=BLUE, linewidth=2)
        ax.text(7 * week + 3, 1.02 * clean[:, unit].max(), f"sum {total:g}", color=BLUE, ha="center", va="bottom", fontsize=8)
    ax.set(xlabel="day", ylabel="events, one unit", ylim=(0, 1.2 * clean[:, unit].max()))


def reports(ax: Axes, clean: np.ndarray, released: Degraded) -> None:
    """All units' days: clean counts, what is reported of them so far, and whether more may come."""
    so_far, complete = released.values.sum((1, 2)), released.present.all((1, 2))
    x, total = np.arange(len(clean)), clean.sum(1)
    _clean(ax, x, total)
    _ends(ax, x, so_far, np.where(complete, so_far, np.inf), float(total.max()))
    ax.set(xlabel="day", ylabel="events, all units")


def units(ax: Axes, clean: np.ndarray, released: Degraded) -> None:
    """Means of the units over all days; a cross for a unit that is not released."""
    x, there = np.arange(clean.shape[1]), released.present.any(0)
    _clean(ax, x, clean.mean(0))
    mean = np.where(there, released.values.mean(0), 0.0)
    _ends(ax, x[there], mean[there], mean[there], float(clean.mean(0).max()))
    _nothing(ax, x[~there])
    ax.set(xlabel="unit", ylabel="events a day", xticks=x)


def parts(ax: Axes, clean: np.ndarray, released: Degraded, day: int = 3) -> None:
    """One day's parts and their total."""
    cells = released.cells[day]
    x, whole = np.arange(len(cells)), np.append(clean[day], clean[day].sum())
    _clean(ax, x, whole)
    _ends(ax, x, cells[:, 0], cells[:, 1], float(whole.max()))
    ax.set(xlabel=f"unit (day {day})", ylabel="events", xticks=x, xticklabels=[*map(str, x[:-1]), "Total"])


def categories(ax: Axes, clean: np.ndarray, released: Degraded) -> None:
    """Sums over days by category, the hiding one last."""
    shown = released.values.sum(0)
    x = np.arange(len(shown))
    _clean(ax, x[:-1], clean.sum(0))
    _ends(ax, x, shown, shown, float(shown.max()))
    ax.set(xlabel="category", ylabel="events, all days", xticks=x, xticklabels=[*map(str, x[:-1]), "Unknown"])


PICTURES = {
    "small": (
        Row("suppress", "suppress: 1 to 5 are hidden", days, design=MONTH),
        Row("margin", "margin: hidden parts beside their total", parts),
    ),
    "coarse": (
        Row("round", "round: to the nearest 5", days, design=MONTH),
        Row("random_round", "random_round: up or down to a multiple of 5", days, design=FORTNIGHT),
        Row("band", "band: 0–1, 2–3, 4–6, 7–11, 12 and more", days, design=FORTNIGHT),
    ),
    "limits": (
        Row("topcode", "topcode: from 6 on published as 6", days, design=FORTNIGHT),
        Row("dp_laplace", "dp_noise: discrete Laplace, ε = 1", days, design=SPARSE),
        Row("clamp", "clamp: the same noise, then 0 for all below", days, design=SPARSE),
    ),
    "recent": (
        Row("delay_known", "delay: late days are reported in part", reports, "trend", design=FORTNIGHT),
        Row("revision", "revision: not the final version", days, design=MONTH),
        Row("embargo", "embargo: three days are not released", days, design=MONTH),
    ),
    "time": (
        Row("aggregate", "aggregate: only sums by week", weeks, "weekend", design=MONTH),
        Row("date_shift_record", "date_shift: each record by −3 to 3 days", partial(days, first=3), "weekend", design=MONTH),
    ),
    "share": (
        Row("coverage_uncertain", "coverage: about half is captured", days, design=MONTH),
        Row("chart_sample", "chart_sample: 15 of 40 charts are read", days, design=FORTNIGHT),
        Row("linkage", "linkage: some missed, false matches added", days, design=MONTH),
    ),
    "absent": (
        Row("site_absence", "site_absence: one site was not granted", units, design=MONTH),
        Row("withheld", "withheld: one unit's counts", units, design=MONTH),
        Row("site_selection", "site_selection: one site gave no access", units, design=MONTH),
    ),
    "selection": (
        Row("consent", "consent: 60 % consent", days, design=MONTH),
        Row("non_response", "non_response: 60 % answer", days, "score", design=SCORES),
        Row("unknown", "unknown: a category hides some", categories, design=BANDS),
    ),
}


def densities(ax: Axes, row: Row, released: Degraded) -> None:
    """Posteriors by treatment, and the truth as a line."""
    quantity, design = QUANTITIES[row.quantity], row.case.design
    fits = {GREY: fit_perfect(design), BLUE: fit_barrier(row, released), ORANGE: fit_naive(row, released)}
    draws = {colour: np.ravel(quantity.of(sites, design)) for colour, sites in fits.items()}
    for colour, values in draws.items():
        x = np.linspace(*np.quantile(values, [0.001, 0.999]), 50)
        density = gaussian_kde(values)(x)
        ax.fill(np.concatenate([x[:1], x, x[-1:]]), np.concatenate([[0.0], density, [0.0]]), color=colour, alpha=0.15, linewidth=0)
        ax.plot(x, density, color=colour, linewidth=1.5)
    ax.axvline(float(quantity.of(truth(design), design)), color=INK, linewidth=1, linestyle=(0, (4, 2)))
    ax.set(xlabel=quantity.label, yticks=[])
    ax.xaxis.set_major_locator(MaxNLocator(6))
    ax.set_ylim(bottom=0)
    ax.spines["left"].set_visible(False)
    ax.set_title(f"naive: {row.case.treatment}", color=ORANGE, fontweight="normal", fontsize=8.5)


def draw(name: str) -> Figure:
    """A picture."""
    rows = PICTURES[name]
    figure = Figure(figsize=(WIDTH, ROW * len(rows) + 0.35), layout="constrained")
    axes = figure.subplots(len(rows), 2, squeeze=False, width_ratios=(1.15, 1))
    for (left, right), row in zip(axes, rows, strict=True):
        released = release(row.case)
        row.data(left, clean_data(row.case.design), released)
        left.set_title(row.title)
        left.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        densities(right, row, released)
    marks = [
        Line2D([], [], color=GREY, marker="o", markersize=4, markeredgewidth=0, linewidth=1.6, label="clean data, perfect access"),
        Line2D([], [], color=BLUE, marker="_", markersize=7, linewidth=1.6, label="released data, through the barrier"),
        Line2D([], [], color=ORANGE, linewidth=1.6, label="naive treatment"),
        Line2D([], [], color=INK, linewidth=1, linestyle=(0, (4, 2)), label="truth"),
    ]
    figure.legend(handles=marks, loc="outside upper center", ncols=4, frameon=False, fontsize=8.5)
    return figure


def write(figure: Figure, file: Path) -> None:
    """An SVG without indentation, its coordinates to a tenth of a point."""
    buffer = io.StringIO()
    with rc_context({"font.sans-serif": ["DejaVu Sans", "Arial"]}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, facecolor="white")
    numbers = re.compile(r' (d|x|y|transform)="[^"]*"')
    short = numbers.sub(lambda found: re.sub(r"(\d\.\d)\d+", r"\1", found[0]), buffer.getvalue())
    file.write_text(re.sub(r"\n +", "\n", short), encoding="utf-8")


def main(names: list[str]) -> None:
    """Write the pictures named, or all."""
    prepare_device()
    FOLDER.mkdir(exist_ok=True)
    for name in names or PICTURES:
        write(draw(name), FOLDER / f"{name}.svg")


if __name__ == "__main__":
    main(sys.argv[1:])
