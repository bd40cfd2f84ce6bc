"""Figures of the report: each takes tables or datasets and returns an inline SVG. Nothing is computed but layout."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib import dates, pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayestwin.numbers import number
from bayestwin.twin.twin import Quantity

matplotlib.rcParams.update(
    {
        "svg.fonttype": "none",
        "svg.hashsalt": "bayestwin",
        "font.family": "sans-serif",
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": "#777777",
        "axes.titlesize": 9,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "xtick.color": "#444444",
        "ytick.color": "#444444",
    }
)
BLUE, ORANGE, GREY, INK = "#0072b2", "#d55e00", "#9a9a9a", "#1c1c1c"  # Okabe-Ito: told apart by colour-blind readers
BANDS = (("q0.025", "q0.975", 0.15), ("q0.1", "q0.9", 0.25), ("q0.25", "q0.75", 0.40))


@dataclass(frozen=True)
class Picture:
    """A figure as it stands in the report.

    Attributes:
        svg: inline SVG element.
        alt: what it shows, for those who cannot see it.
        caption: what a reader should take from it.
    """

    svg: str
    alt: str
    caption: str


def capital(text: str) -> str:
    """The text with a capital letter first, the others as they are."""
    return text[:1].upper() + text[1:]


def picture(figure: Figure, alt: str, caption: str) -> Picture:
    """An inline SVG without the prologue, with ids of its own."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    tag = f"f{zlib.crc32(caption.encode())}"
    svg = re.sub(r'id="([^"]+)"', rf'id="{tag}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{tag}-\1)", svg)
    svg = re.sub(r'xlink:href="#([^"]+)"', rf'xlink:href="#{tag}-\1"', svg)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    return Picture(re.sub(r'(<svg[^>]*?) width="[^"]+" height="[^"]+"', r"\1", svg, count=1), alt, caption)


def fans(tables: dict[str, tuple[pd.DataFrame, pd.DataFrame]], unit: str, scale: float, alt: str, caption: str) -> Picture:
    """Small multiples of fitted weeks, forecast bands and published counts.

    Args:
        tables: (fitted, forecast) rows of one quantity by panel title.
        unit: label of the vertical axis.
        scale: divisor of the values.
        alt: what the figure shows, for those who cannot see it.
        caption: what a reader should take from it.
    """
    columns = min(len(tables), 2)
    rows = -(-len(tables) // columns)
    figure = Figure(figsize=(9.2, 2.5 * rows + 0.2), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
    for ax, (title, (fitted, ahead)) in zip(axes, tables.items(), strict=False):
        fan(ax, fitted, GREY, scale)
        fan(ax, ahead, BLUE, scale)
        if "observed" in fitted and fitted["observed"].notna().any():
            ax.plot(fitted["period_start"], fitted["observed"] / scale, ".", color=INK, markersize=4)
        ax.set_title(title)
        ax.set_ylabel(unit)
        ax.xaxis.set_major_formatter(dates.ConciseDateFormatter(ax.xaxis.get_major_locator()))
        ax.set_ylim(bottom=0)
    for ax in axes[len(tables) :]:
        ax.set_visible(False)
    return picture(figure, alt, caption)


def fan(ax: Axes, table: pd.DataFrame, colour: str, scale: float) -> None:
    """Median line and bands of 50, 80 and 95 %.

    Args:
        ax: where to draw.
        table: period_start and quantile columns.
        colour: colour of line and bands.
        scale: what a unit of the axis stands for.
    """
    table = table.sort_values("period_start")
    for low, high, alpha in BANDS:
        ax.fill_between(table["period_start"], table[low] / scale, table[high] / scale, color=colour, alpha=alpha, linewidth=0)
    ax.plot(table["period_start"], table["q0.5"] / scale, color=colour, linewidth=1.4)


def variance_shares(shares: pd.DataFrame, words: Callable[[str], str], unit: str) -> Picture:
    """Stacked bars of the epistemic and aleatoric share of variance by quantity and week.

    Args:
        shares: columns quantity, week (number ahead), epistemic (share in 0 to 1).
        words: a quantity's name as a reader would say it.
        unit: what the shares are averaged over.
    """
    quantities = list(dict.fromkeys(shares["quantity"]))
    figure = Figure(figsize=(9.2, 2.9), layout="constrained")
    axes = figure.subplots(1, len(quantities), sharey=True, squeeze=False)[0]
    for ax, quantity in zip(axes, quantities, strict=True):
        rows = shares[shares["quantity"] == quantity]
        ax.bar(rows["week"], 100 * rows["epistemic"], color=ORANGE, label="epistemic: what is not known")
        ax.bar(
            rows["week"],
            100 * (1 - rows["epistemic"]),
            bottom=100 * rows["epistemic"],
            color="#bcd7ea",
            hatch="///",
            edgecolor="white",
            label="aleatoric: chance",
        )
        ax.set_title(words(quantity))
        ax.set_xlabel("week ahead")
    axes[0].set_ylabel("% of variance")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    spoken = "; ".join(
        f"{words(q)}: {100 * shares.query('quantity == @q')['epistemic'].mean():.0f} % epistemic on average" for q in quantities
    )
    caption = f"Share of one {unit}'s forecast variance, averaged over every {unit}. Epistemic width could be narrowed by more or better data; aleatoric width could not."
    return picture(figure, f"Stacked bars of variance shares by week ahead. {spoken}.", caption)


def changes(table: pd.DataFrame, quantity: Quantity) -> Picture:
    """Dots and intervals of the change that a scenario makes, a row a group, about a line at zero.

    Args:
        table: label, mean and quantile columns, the first row on top.
        quantity: what changes.
    """
    figure = Figure(figsize=(9.2, 0.26 * len(table) + 0.9), layout="constrained")
    ax = figure.subplots()
    place = np.arange(len(table))[::-1]
    for low, high, width in (("q0.025", "q0.975", 1.2), ("q0.25", "q0.75", 3.5)):
        ax.hlines(place, table[low], table[high], color=BLUE, linewidth=width)
    ax.plot(table["mean"], place, "o", color=BLUE, markersize=4.5)
    ax.axvline(0.0, color=INK, linewidth=0.8)
    ax.set_yticks(place, table["label"], fontsize=7.5)
    ax.set_ylim(-0.6, len(table) - 0.4)
    ax.set_title(f"Change of {quantity.words}")
    ax.set_xlabel(f"{quantity.unit}, average over the weeks ahead")
    first = table.iloc[0]
    alt = (
        f"Change of {quantity.words} by group. {capital(str(first['label']))}: {number(first['mean'], sign=True)} "
        f"(95 % {number(first['q0.025'], sign=True)} to {number(first['q0.975'], sign=True)}) {quantity.unit}."
    )
    caption = f"Change of {quantity.words} under the scenario: mean, 50 % (thick) and 95 % interval. At the line nothing changes."
    return picture(figure, alt, caption)


def contraction(table: pd.DataFrame) -> Picture:
    """Horizontal bars of prior-to-posterior contraction by parameter.

    Args:
        table: columns parameter, contraction (1 - posterior variance / prior variance).
    """
    table = table.sort_values("contraction")
    figure = Figure(figsize=(9.2, 0.15 * len(table) + 0.7), layout="constrained")
    ax = figure.subplots()
    colours = [ORANGE if c < 0.2 else BLUE for c in table["contraction"]]
    ax.barh(table["parameter"], table["contraction"].clip(lower=0), color=colours)
    ax.margins(y=0.01)
    ax.tick_params(axis="y", labelsize=7)
    ax.set_xlim(0, 1)
    ax.set_xlabel("contraction: 0 = the data say nothing, 1 = the prior is forgotten")
    few = ", ".join(table.loc[table["contraction"] < 0.2, "parameter"])
    return picture(
        figure,
        f"Bars of contraction by parameter. Below 0.2: {few or 'none'}.",
        "How much narrower the posterior is than the prior. Orange bars keep most of their prior width.",
    )


def _by_arviz(plots: Any, alt: str, caption: str) -> Picture:
    figure = plots.viz["figure"].item()
    figure.set_layout_engine("constrained")
    pyplot.close(figure)  # it would be kept for a window that never opens
    return picture(figure, alt, caption)


def ranks(posterior: xr.Dataset, names: list[str]) -> Picture:
    """Rank plots by chain (ArviZ) of chosen scalar parameters."""
    import arviz_plots

    plots = arviz_plots.plot_rank(
        xr.DataTree.from_dict({"posterior": posterior[names]}),
        backend="matplotlib",
        figure_kwargs={"figsize": (9.2, 1.7 * -(-len(names) // 4) + 0.4)},
    )
    return _by_arviz(
        plots,
        f"Rank plots of {', '.join(names)} by chain.",
        "Ranks of each chain's draws among all draws. Chains that agree stay inside the envelope, which takes draws as independent: where they are not, "
        "chains leave it though R-hat finds them alike.",
    )


def uniform(ranks: dict[str, np.ndarray], shown: list[str]) -> Picture:
    """How far the distribution of ranks is from uniform (ArviZ), by quantity.

    Args:
        ranks: 0 to 1 by quantity, one a replicate.
        shown: the quantities to show.
    """
    import arviz_plots

    plots = arviz_plots.plot_ecdf_pit(
        xr.DataTree.from_dict({"prior_sbc": xr.Dataset({name: ("sample", ranks[name]) for name in shown})}),
        sample_dims=["sample"],
        backend="matplotlib",
        figure_kwargs={"figsize": (9.2, 1.9 * -(-len(shown) // 4) + 0.4)},
    )
    return _by_arviz(
        plots,
        f"Differences between the distribution of ranks and a uniform one, for {', '.join(shown)}.",
        "Ranks of what made the simulated data among the draws of its fits, less what uniform ranks would show; the quantities that are furthest off, with the "
        "p-value of each by itself. A hill says that draws lie too high, a valley too low, a wave that intervals are too narrow or too wide.",
    )


def pit(values: np.ndarray, name: str) -> Picture:
    """Randomised PIT of the observed cells against a uniform distribution (ArviZ).

    Args:
        values: PIT values in 0 to 1, one a cell.
        name: the stream.
    """
    figure = Figure(figsize=(4.4, 2.5), layout="constrained")
    ax = figure.subplots()
    counts, edges = np.histogram(values, bins=20, range=(0, 1))
    expected = len(values) / 20
    ax.bar(edges[:-1], counts, width=0.05, align="edge", color=BLUE, alpha=0.7)
    ax.axhspan(expected - 2 * np.sqrt(expected), expected + 2 * np.sqrt(expected), color=GREY, alpha=0.35)
    ax.set_xlabel(f"PIT of {name}")
    ax.set_ylim(bottom=0)
    ax.set_ylabel("cells")
    ends = (counts[0] + counts[-1]) / len(values)
    return picture(
        figure,
        f"Histogram of {len(values)} PIT values of {name}; {100 * ends:.0f} % lie in the two outer bins of twenty.",
        "Where each published value lies in its predictive distribution. Flat inside the grey band is what a calibrated fit looks like; a hump means wide, a cup means narrow intervals.",
    )


def coverage_check(inside: np.ndarray, labels: list[str], what: str, cells: int) -> Picture:
    """Share of cells inside their 95 % predictive interval, by category.

    Args:
        inside: share in 0 to 1 by category.
        labels: category names.
        what: the stream in words.
        cells: cells behind each share.
    """
    figure = Figure(figsize=(4.4, 2.5), layout="constrained")
    ax = figure.subplots()
    place = np.arange(len(labels))
    ax.bar(place, 100 * inside, color=BLUE, alpha=0.7)
    ax.axhline(95, color=INK, linewidth=1, linestyle="--")
    ax.set_xticks(place, [label.replace(" / ", " /\n") for label in labels], rotation=35, ha="right", fontsize=7.5)
    ax.set_ylabel("% of cells inside")
    ax.set_ylim(0, 100)
    least = labels[int(np.argmin(inside))]
    alt = f"Share of cells of {what} inside their 95 % predictive interval: from {100 * inside.min():.0f} % ({least}) to {100 * inside.max():.0f} %."
    return picture(
        figure,
        alt,
        f"{capital(what)}: share of {cells:,} published values inside their 95 % predictive intervals, by category; the dashed line is 95 %.",
    )
