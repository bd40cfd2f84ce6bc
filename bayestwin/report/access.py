"""What access costs, as the report and the page for a review board show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from bayestwin.analyse.tipping import Band
from bayestwin.numbers import number
from bayestwin.report.figures import BLUE, GREY, INK, ORANGE, Picture, capital, picture
from bayestwin.report.plan import PlanShown, plan_shown
from bayestwin.report.selections import SelectionsShown, selections_shown
from bayestwin.twin.answered import Answered

# Okabe-Ito without black; hatches tell them apart in print.
COLOURS = (ORANGE, "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442", BLUE, "#999999")
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "|||", "---", "+++")
CHANCE, REMAINS = "#e4e2dc", "#bcd7ea"
HALF, MOST = 0.674, 1.96  # standard deviations to either side that hold 50 and 95 %
TELLING = 6  # parameters that are shown
TRIFLE = 0.01  # share of the variance that is not worth a sentence
SPREAD = (0.8, 1.25)  # a normal approximation whose sd is within it may stand without a warning


@dataclass(frozen=True)
class AccessShown:
    """What the report says about access.

    Attributes:
        sentence: the answer in one sentence.
        rows: one for each quantity of the whole, shares of the variance of what is not known.
        barriers: as the analysis found them.
        requests: by rank.
        pairs: requests that are worth more together, by more than two errors and a hundredth of the variance.
        parameters: those whose knowledge would take most from the first quantity.
        doubted: parameters of any quantity of the whole on which the two ways to find it do not agree, and of how many.
        checks: predicted and realised shares of the answers that were checked by refits.
        plan: which requests to file together; None where there were too many sets.
        decision: what information is worth to a decision, where one was given.
        selections: bands that selections of unknown strength could make of the forecast; None where none moves it.
        approximation: least and largest ratio of the normal approximation's sd to that of the draws, over quantities of the whole.
        doubtful: whether it is too far from one.
        first: the quantity that requests are ranked by.
        horizon: weeks ahead that the quantities are averaged over.
        figures: bars, waterfall, intervals.
    """

    sentence: str
    rows: list[dict[str, Any]]
    barriers: list[dict[str, Any]]
    requests: list[dict[str, Any]]
    pairs: list[dict[str, Any]]
    parameters: list[dict[str, Any]]
    doubted: tuple[int, int]
    checks: list[dict[str, Any]]
    plan: PlanShown | None
    decision: dict[str, Any] | None
    selections: SelectionsShown | None
    approximation: tuple[float, float]
    doubtful: bool
    first: str
    horizon: int
    figures: list[Picture]

    @property
    def costs(self) -> bool:
        """Whether any request says what it costs."""
        return any(request["cost"] is not None for request in self.requests)

    @property
    def waits(self) -> bool:
        """Whether any request takes time."""
        return any(request["by_date"][0]["there"] < 1.0 for request in self.requests)


def access_shown(answer: Mapping[str, Any], known: Answered) -> AccessShown:
    """Prepare what is shown.

    Args:
        answer: of `preposterior.value.access_value`.
        known: what the run answers for.
    """
    whole = [row for row in answer["quantities"] if row["level"] == known.whole]
    names = [barrier["barrier"] for barrier in answer["barriers"]]
    first = next(row for row in whole if row["quantity"] == answer["requests"][0]["quantity"])
    ratios = [row["normal_over_draws"] for row in whole if row["normal_over_draws"] is not None] or [1.0]
    requests = answer["requests"]
    return AccessShown(
        sentence=_sentence(first, requests, known),
        rows=[_row(row) for row in whole],
        barriers=[barrier | {"words": _words(barrier["barrier"])} for barrier in answer["barriers"]],
        requests=requests,
        pairs=[pair for pair in answer["pairs"] if pair["beyond_each"] > max(2.0 * pair["error"], TRIFLE * first["epistemic"])],
        parameters=_telling(answer["parameters"], first["quantity"]),
        doubted=(sum(not row["agree"] for row in answer["parameters"]), len(answer["parameters"])),
        checks=answer["checks"],
        plan=None if answer["plan"] is None else plan_shown(answer, first, known),
        decision=answer["decision"],
        selections=selections_shown(map(_band, answer["selections"]), known),
        approximation=(min(ratios), max(ratios)),
        doubtful=not (SPREAD[0] <= min(ratios) and max(ratios) <= SPREAD[1]),
        first=first["quantity"],
        horizon=answer["horizon_weeks"],
        figures=[
            _bars(whole, names, known),
            *([_waterfall(first, known)] if first["epistemic"] > 0 else []),
            _intervals(whole, requests, known),
        ],
    )


def _band(row: Mapping[str, Any]) -> Band:
    ends, changes, interval = (tuple(row[name]) for name in ("range", "changes", "interval"))
    return Band(row["parameter"], row["quantity"], row["mean"], ends, changes, row["error"], interval)


def _telling(rows: list[dict[str, Any]], quantity: str) -> list[dict[str, Any]]:
    """Parameters by what knowing one would take, the larger of what the two ways say."""
    own = [row for row in rows if row["quantity"] == quantity]
    return sorted(own, key=lambda row: -max(row["share"], row["regression"]["share"]))[:TELLING]


def _words(name: str) -> str:
    return name.replace("_", " ")


def _sentence(first: Mapping[str, Any], requests: list[dict[str, Any]], known: Answered) -> str:
    if not first["epistemic"] > 0:
        return f"All of {known.words(first['quantity'])} is known but for chance: there is nothing that access could cost."
    share = first["access_induced"] / first["epistemic"]
    worst = max(first["by_barrier"], key=lambda part: part["value"])
    best = requests[0]
    return (
        f"Of what is not known about {known.words(first['quantity'])}, {share:.0%} of the variance is there because of how the data came, the largest part because of "
        f"“{_words(worst['barrier'])}”. To ask for first: {best['request']}, which would narrow the standard deviation from {number(best['sd_now'])} to {number(best['sd_after'])}."
    )


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    now = row["epistemic"] or 1.0
    return {
        "quantity": row["quantity"],
        "mean": row["mean"],
        "sd_now": np.sqrt(row["epistemic"]),
        "sd_full": np.sqrt(max(row["epistemic_full"], 0.0)),
        "sd_chance": np.sqrt(row["aleatoric"]),
        "by_barrier": [{"share": part["value"] / now, "error": part["error"] / now} for part in row["by_barrier"]],
        "full": row["epistemic_full"] / now,
        "error": row["error"] / now,
    }


def _bars(rows: list[dict[str, Any]], names: list[str], known: Answered) -> Picture:
    """Stacked bars of the whole variance of each quantity."""
    figure = Figure(figsize=(9.2, 0.42 * len(rows) + 1.3), layout="constrained")
    ax = figure.subplots()
    place = np.arange(len(rows))[::-1]
    total = np.array([(row["aleatoric"] + row["epistemic"]) or 1.0 for row in rows])
    parts = [("chance, which no data would remove", CHANCE, "", [row["aleatoric"] for row in rows])]
    parts.append(("not known even with full access", REMAINS, "", [max(row["epistemic_full"], 0.0) for row in rows]))
    for i, name in enumerate(names):
        parts.append((_words(name), COLOURS[i], HATCHES[i], [max(row["by_barrier"][i]["value"], 0.0) for row in rows]))
    left = np.zeros(len(rows))
    for label, colour, hatch, values in parts:
        width = 100.0 * np.array(values) / total
        ax.barh(place, width, left=left, color=colour, hatch=hatch, edgecolor="white", linewidth=0.4, label=label, height=0.66)
        for at, (start, size) in enumerate(zip(left, width, strict=True)):
            if size >= 6.0:
                ax.text(
                    start + size / 2,
                    place[at],
                    f"{size:.0f}",
                    ha="center",
                    va="center",
                    fontsize=8,
                    color=INK,
                    bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1},
                )
        left += width
    ax.set_yticks(place, [capital(known.words(row["quantity"])) for row in rows])
    ax.set_xlim(0, 100.0)
    ax.set_xlabel("% of the variance of an average week ahead")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    spoken = "; ".join(
        f"{known.words(row['quantity'])}: access {100 * row['access_induced'] / all_of_it:.0f} %"
        for row, all_of_it in zip(rows, total, strict=True)
    )
    return picture(
        figure,
        f"Stacked bars of forecast variance by cause. {spoken}.",
        "Where the variance of an average week ahead comes from: grey is chance, pale blue what is not known even with full access, and each colour what one barrier adds.",
    )


def _waterfall(row: Mapping[str, Any], known: Answered) -> Picture:
    """From the variance that is there to that under full access, a step for each barrier."""
    parts = sorted(row["by_barrier"], key=lambda part: -part["value"])
    labels = ["now", *(_words(part["barrier"]) for part in parts), "full access"]
    share = 100.0 / row["epistemic"]
    values = np.array([part["value"] for part in parts]) * share
    errors = np.array([part["error"] for part in parts]) * share
    after = 100.0 - np.cumsum(values)
    figure = Figure(figsize=(9.2, 3.1), layout="constrained")
    ax = figure.subplots()
    ax.bar([0, len(labels) - 1], [100.0, after[-1]], color=[GREY, REMAINS], width=0.6)
    ax.bar(np.arange(1, len(labels) - 1), values, bottom=after, color=ORANGE, width=0.6, yerr=errors, ecolor=INK, capsize=3)
    levels = np.concatenate([[100.0], after])
    ax.hlines(levels, np.arange(len(levels)) - 0.3, np.arange(len(levels)) + 1.3, color=INK, linewidth=0.6)
    for i, value in enumerate(values):
        ax.text(i + 1, after[i] + value + max(errors[i], 0.0) + 1.5, f"{value:z.0f}", ha="center", fontsize=8)
    for i, value in ((0, 100.0), (len(labels) - 1, after[-1])):
        ax.text(i, value + 1.5, f"{value:z.0f}", ha="center", fontsize=8)
    ax.set_xticks(np.arange(len(labels)), labels, fontsize=8)
    ax.set_ylim(0, 112)
    ax.set_ylabel("% of the variance now")
    ax.set_title(f"{capital(known.words(row['quantity']))}: what is not known")
    spoken = ", ".join(f"{_words(part['barrier'])} {value:.0f} %" for part, value in zip(parts, values, strict=True))
    return picture(
        figure,
        f"Waterfall from the variance now to that under full access: {spoken}; {after[-1]:.0f} % is left.",
        "What each barrier adds to the variance of what is not known (Shapley values: the order in which barriers are lifted does not matter), with Monte Carlo errors.",
    )


def _intervals(rows: list[dict[str, Any]], requests: list[dict[str, Any]], known: Answered) -> Picture:
    """An average week ahead as it is known now, after the best request, and with full access."""
    best = requests[0]
    share = {(row["quantity"]): row["share"] for row in best["by_quantity"]}
    figure = Figure(figsize=(9.2, 0.95 * len(rows) + 0.9), layout="constrained")
    axes = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    for ax, row in zip(axes, rows, strict=True):
        left = [row["epistemic"], row["epistemic"] * (1.0 - share[row["quantity"]]), max(row["epistemic_full"], 0.0)]
        for place, (variance, colour) in enumerate(zip(left, (GREY, ORANGE, BLUE), strict=True)):
            sd = np.sqrt(row["aleatoric"] + max(variance, 0.0))
            for width, line in ((MOST, 1.4), (HALF, 4.0)):
                ax.hlines(2 - place, row["mean"] - width * sd, row["mean"] + width * sd, color=colour, linewidth=line)
            ax.plot(row["mean"], 2 - place, "o", color=colour, markersize=4)
        ax.set_yticks([2, 1, 0], ["now", "best request", "full access"], fontsize=7.5)
        ax.set_ylim(-0.6, 2.6)
        ax.xaxis.set_major_formatter(lambda value, _: number(value))
        ax.set_title(capital(known.words(row["quantity"])))
    axes[-1].set_xlabel("an average week ahead")
    return picture(
        figure,
        f"Intervals of an average week ahead now, after {best['request']}, and with full access.",
        f"An average week ahead: as it is known now, as it would be known after the best request ({best['request']}), and with full access; 50 % (thick) and 95 % intervals, chance included. "
        "The middle would move, too; where to, nobody knows before.",
    )
