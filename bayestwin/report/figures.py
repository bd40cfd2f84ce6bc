"""Figures of the report: each takes tables or datasets and returns an inline SVG. Nothing is computed but layout."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps

import matplotlib
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib import dates
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayestwin.report.tables import KEEPS_PRIOR

# Okabe-Ito: told apart by colour-blind readers
BLUE, ORANGE, GREY, INK, PALE = "#0072b2", "#d55e00", "#8f8f8f", "#1c1c1c", "#bcd7ea"
CHAINS = (BLUE, ORANGE, "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
BANDS = (("q0.025", "q0.975", 0.15), ("q0.1", "q0.9", 0.25), ("q0.25", "q0.75", 0.40))
WIDTH = 9.2
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "bayestwin",
    "text.parse_math": False,  # names come from extracts: a dollar sign in one is a dollar sign
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#777777",
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.prop_cycle": matplotlib.cycler(color=CHAINS),
    "xtick.color": "#444444",
    "ytick.color": "#444444",
}


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


def words(name: str) -> str:
    """A quantity's name as words."""
    return name.replace("_", " ").replace("gp ", "GP ")


def _styled[**P](draw: Callable[P, Picture]) -> Callable[P, Picture]:
    """Draw in the report's style and leave the caller's as it was."""

    @wraps(draw)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> Picture:
        with matplotlib.rc_context(STYLE):
            return draw(*args, **kwargs)

    return wrapper


def picture(figure: Figure, alt: str, caption: str) -> Picture:
    """An inline SVG without prologue and namespaces (HTML knows them), with ids of its own."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    tag = f"f{zlib.crc32((alt + caption).encode())}"
    svg = re.sub(r'id="([^"]+)"', rf'id="{tag}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{tag}-\1)", svg)
    svg = re.sub(r'xlink:href="#([^"]+)"', rf'href="#{tag}-\1"', svg)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r' xmlns(?::xlink)?="[^"]*"', "", svg, count=2)
    return Picture(re.sub(r'(<svg[^>]*?) width="[^"]+" height="[^"]+"', r"\1", svg, count=1), alt, caption)


def _grid(count: int, columns: int, height: float) -> tuple[Figure, np.ndarray]:
    """A figure of `count` panels over one horizontal axis; each column keeps its labels at its lowest panel."""
    columns = min(count, columns)
    rows = -(-count // columns)
    figure = Figure(figsize=(WIDTH, height * rows + 0.2), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
    for i, ax in enumerate(axes):
        ax.set_visible(i < count)
        ax.tick_params(labelbottom=i + columns >= count)
    return figure, axes[:count]


def _by_month(ax: Axes, most: int = 6) -> None:
    locator = dates.AutoDateLocator(minticks=2, maxticks=most)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, show_offset=False))


@_styled
def fans(tables: dict[str, tuple[pd.DataFrame, pd.DataFrame]], unit: str, scale: float, alt: str, caption: str) -> Picture:
    """Small multiples of fitted weeks, forecast bands and published counts.

    Args:
        tables: (fitted, forecast) rows of one quantity by panel title.
        unit: label of the vertical axis.
        scale: divisor of the values.
        alt: what the figure shows, for those who cannot see it.
        caption: what a reader should take from it.
    """
    figure, axes = _grid(len(tables), 2, 2.1)
    figure.supylabel(unit, fontsize=9)
    for ax, (title, (fitted, ahead)) in zip(axes, tables.items(), strict=True):
        _fan(ax, fitted, GREY, scale)
        _fan(ax, ahead, BLUE, scale)
        if "observed" in fitted and fitted["observed"].notna().any():
            ax.plot(fitted["period_start"], fitted["observed"] / scale, ".", color=INK, markersize=4)
        ax.set_title(title)
        _by_month(ax, 9)
        ax.set_ylim(bottom=0)
    return picture(figure, alt, caption)


def _fan(ax: Axes, table: pd.DataFrame, colour: str, scale: float) -> None:
    table = table.sort_values("period_start")
    for low, high, alpha in BANDS:
        ax.fill_between(table["period_start"], table[low] / scale, table[high] / scale, color=colour, alpha=alpha, linewidth=0)
    ax.plot(table["period_start"], table["q0.5"] / scale, color=colour, linewidth=1.4)


@_styled
def variance_shares(shares: dict[str, pd.DataFrame], alt: str, caption: str) -> Picture:
    """Stacked bars of the epistemic and aleatoric share of variance by quantity and week.

    Args:
        shares: a row of panels by title; columns quantity, week (number ahead), epistemic (share in 0 to 1).
        alt: what the figure shows, for those who cannot see it.
        caption: what a reader should take from it.
    """
    quantities = list(dict.fromkeys(q for table in shares.values() for q in table["quantity"]))
    figure = Figure(figsize=(WIDTH, 2.1 * len(shares) + 0.4), layout="constrained")
    axes = figure.subplots(len(shares), len(quantities), sharex=True, sharey=True, squeeze=False)
    for row, (title, table) in zip(axes, shares.items(), strict=True):
        row[0].set_ylabel(f"{title}\n% of variance")
        for ax, quantity in zip(row, quantities, strict=True):
            _stack(ax, table[table["quantity"] == quantity])
    for ax, quantity in zip(axes[0], quantities, strict=True):
        ax.set_title(words(quantity).capitalize() if quantity[:3] != "gp_" else words(quantity))
    for ax in axes[-1]:
        ax.set_xlabel("week ahead")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return picture(figure, alt, caption)


def _stack(ax: Axes, table: pd.DataFrame) -> None:
    known = 100 * table["epistemic"]
    ax.bar(table["week"], known, color=ORANGE, label="epistemic: what is not known")
    ax.bar(table["week"], 100 - known, bottom=known, color=PALE, hatch="///", edgecolor="white", label="aleatoric: chance")
    ax.set_ylim(0, 100)


@_styled
def contraction(table: pd.DataFrame) -> Picture:
    """Horizontal bars of prior-to-posterior contraction by parameter.

    Args:
        table: columns parameter, contraction (1 - posterior variance / prior variance).
    """
    table = table.sort_values("contraction")
    few = table["contraction"] < KEEPS_PRIOR
    figure = Figure(figsize=(WIDTH, 0.15 * len(table) + 0.7), layout="constrained")
    ax = figure.subplots()
    ax.barh(table["parameter"], table["contraction"].clip(lower=0), color=np.where(few, ORANGE, BLUE))
    ax.axvline(KEEPS_PRIOR, color=INK, linewidth=0.8, linestyle=":")
    ax.margins(y=0.01)
    ax.tick_params(axis="y", labelsize=7)
    ax.set_xlim(0, 1)
    ax.set_xlabel("contraction: 0 = the data say nothing, 1 = the prior is forgotten")
    named = ", ".join(table.loc[few, "parameter"]) or "none"
    caption = (
        "Contraction, 1 − posterior variance / prior variance, from draws of both. Orange bars, left of the dotted line, keep most of "
        "their prior variance; a value below zero (a posterior no narrower than its prior, up to the noise of the draws) shows as no bar."
    )
    return picture(figure, f"Bars of contraction for {len(table)} parameters. Below {KEEPS_PRIOR}: {named}.", caption)


@_styled
def ranks(posterior: xr.Dataset, names: list[str]) -> Picture:
    """Rank plots by chain (ArviZ, difference to a uniform distribution function) of chosen scalar parameters."""
    import arviz_plots

    plots = arviz_plots.plot_rank(
        xr.DataTree.from_dict({"posterior": posterior[names]}),
        backend="matplotlib",
        figure_kwargs={"figsize": (WIDTH, 1.7 * -(-len(names) // 4) + 0.4)},
    )
    figure = plots.viz["figure"].item()
    figure.set_layout_engine("constrained")
    alt = f"Rank plots of {', '.join(names)}: a line a chain, the difference of its ranks' distribution to an even one."
    caption = (
        "Ranks of each chain's draws among all draws, as the difference of their distribution function to an even one (ArviZ). Chains "
        "that agree wander about the middle; p is the test that they do, and where it falls below 0.01 the points that depart are marked."
    )
    return picture(figure, alt, caption)


@_styled
def traces(posterior: xr.Dataset, names: list[str]) -> Picture:
    """Running draws by chain of chosen scalar parameters, thinned to about 200 a chain."""
    figure, axes = _grid(len(names), 4, 1.25)
    draws = posterior.sizes["draw"]
    step = max(1, draws // 200)
    for ax, name in zip(axes, names, strict=True):
        ax.plot(np.arange(0, draws, step), posterior[name].transpose("draw", "chain").to_numpy()[::step], linewidth=0.6, alpha=0.8)
        ax.set_title(name, fontsize=8)
        ax.tick_params(labelsize=7)
    every = f"every {step}th draw of" if step > 1 else "all draws of"
    return picture(
        figure,
        f"Traces of {', '.join(names)}, a line a chain.",
        f"Draws in order, {every} each chain, a colour a chain. Chains that have converged cover the same ground without drifting.",
    )


@_styled
def pit(values: np.ndarray, name: str) -> Picture:
    """Histogram of randomised PIT values against a uniform distribution.

    Args:
        values: PIT values in 0 to 1, one a cell.
        name: the stream.
    """
    figure = Figure(figsize=(4.4, 2.5), layout="constrained")
    ax = figure.subplots()
    counts, edges = np.histogram(values, bins=20, range=(0, 1))
    expected = len(values) / 20
    spread = 2 * np.sqrt(expected * 0.95)
    ax.bar(edges[:-1], counts, width=0.05, align="edge", color=BLUE, alpha=0.7, edgecolor="white", linewidth=0.5)
    ax.axhspan(max(expected - spread, 0), expected + spread, color=GREY, alpha=0.35)
    ax.set_xlabel(f"PIT of {name}")
    ax.set_ylabel("cells")
    ends = (counts[0] + counts[-1]) / len(values)
    return picture(
        figure,
        f"Histogram of {len(values):,} PIT values of {name}; {100 * ends:.0f} % lie in the two outer bins of twenty.",
        f"{name.capitalize()}: where each of {len(values):,} published counts lies in its predictive distribution. Bars about the grey band "
        "(two standard errors, were cells independent) mean a calibrated fit; a hump means intervals too wide, a cup too narrow.",
    )


@_styled
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
    ax.barh(place, 100 * inside, color=BLUE, alpha=0.7)
    ax.axvline(95, color=INK, linewidth=1, linestyle="--")
    ax.set_yticks(place, labels, fontsize=7.5)
    ax.invert_yaxis()
    ax.set_xlabel("% of cells inside")
    ax.set_xlim(0, 100)
    least = labels[int(np.argmin(inside))]
    return picture(
        figure,
        f"Share of cells of {what} inside their 95 % predictive interval: "
        f"from {100 * inside.min():.0f} % ({least}) to {100 * inside.max():.0f} %.",
        f"{what.capitalize()}: share of published counts inside their 95 % predictive intervals, {cells:,} in each category. "
        "The dashed line is at 95 %.",
    )


@_styled
def totals_check(panels: list[tuple[str, pd.DataFrame]], what: str) -> Picture:
    """Published and replicated share of each category in the total over all units, by time.

    Args:
        panels: (category, table); columns period_start, observed and quantiles, shares in 0 to 1.
        what: the stream in words.
    """
    figure, axes = _grid(len(panels), 4, 1.5)
    figure.supylabel("% of the total", fontsize=9)
    inside = 0
    for ax, (label, table) in zip(axes, panels, strict=True):
        _fan(ax, table, GREY, 0.01)
        ax.plot(table["period_start"], 100 * table["observed"], ".", color=INK, markersize=4)
        ax.set_title(label, fontsize=8)
        ax.tick_params(labelsize=7)
        _by_month(ax, 4)
        inside += int(table["observed"].between(table["q0.025"], table["q0.975"]).sum())
    cells = sum(int(table["observed"].notna().sum()) for _, table in panels)
    return picture(
        figure,
        f"Shares of {what} by time in {len(panels)} panels; {inside} of {cells} published shares lie in their 95 % predictive interval.",
        f"{what.capitalize()}: share of each category over all places. Dots: published; grey: replicated, with 50, 80 and 95 % intervals. "
        f"{inside} of {cells} dots lie inside 95 %.",
    )
