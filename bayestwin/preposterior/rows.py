"""The answers of an analysis of access, as plain rows: decomposition, requests by rank, pairs, a decision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from bayestwin.analyse.tipping import Band
from bayestwin.prepared import Selection
from bayestwin.preposterior import regression
from bayestwin.preposterior.bent import bent
from bayestwin.preposterior.current import Site
from bayestwin.preposterior.decision import Decision, covariances, weeks_left, worth
from bayestwin.preposterior.quantities import Asked
from bayestwin.preposterior.regression import explained
from bayestwin.preposterior.requests import Request
from bayestwin.preposterior.shapley import order_range, shapley

if TYPE_CHECKING:
    from bayestwin.preposterior.value import Answers

METHOD = "normal approximation"
DATES = (30, 90, 180, 365)  # days from now
AGREEING, NEGLIGIBLE = 3.0, 0.02  # two ways agree within so many errors, or if they are apart by so little of the whole
Left = Float[np.ndarray, "point access quantity"]


def barrier(sites: Mapping[str, Site], name: str) -> dict[str, Any]:
    """A barrier in words, and the streams that come through it."""
    through = {stream: one for stream, site in sites.items() for one in site.access.barriers if one.title == name}
    first = next(iter(through.values()))
    sentences = dict.fromkeys(one.sentence for one in through.values())
    return {"barrier": name, "label": first.label.value, "sentence": " ".join(sentences), "streams": list(through)}


def decomposed(found: Answers, names: Sequence[str], left: Left) -> list[dict[str, Any]]:
    """A row for each quantity.

    Args:
        found: the quantities.
        names: of the barriers.
        left: share of the variance that each subset of barriers, lifted, would leave.
    """
    share, share_error = with_error(np.stack([shapley(one[0] - one) for one in left]))
    full, full_error = with_error(left[:, -1])
    least, most = order_range(left.mean(0)[0] - left.mean(0))
    rows = []
    for i, asked in enumerate(found.asked):
        now = found.epistemic[i]
        parts = [
            {"barrier": name, "value": now * share[b, i], "error": now * share_error[b, i], "share": share[b, i]}
            | {"least": now * least[b, i], "most": now * most[b, i]}
            for b, name in enumerate(names)
        ]
        variances = {"aleatoric": found.aleatoric[i], "epistemic": now, "epistemic_full": now * full[i]}
        induced = {"access_induced": now * (1.0 - full[i]), "error": now * full_error[i]}
        ratio = float(np.sqrt(found.normal[i] / now)) if now > 0 else None
        rows.append({**_of(asked), "mean": found.mean[i], **variances, **induced, "normal_over_draws": ratio, "by_barrier": parts})
    return rows


def selected(found: Iterable[Band], selections: Mapping[str, Selection], level: str) -> list[dict[str, Any]]:
    """A row for each unknown selection and quantity of the whole: the band that it could make of the forecast's total, and where that tips.

    Args:
        found: the bands.
        selections: by the parameter that stands for each; others are left out.
        level: of the whole.
    """
    return [
        {"parameter": band.parameter, "stream": selections[band.parameter].stream, "sentence": selections[band.parameter].barrier.sentence}
        | {"quantity": band.quantity, "level": level, "mean": band.mean, "range": list(band.ends), "changes": list(band.changes)}
        | {"error": band.error, "interval": list(band.interval), "tips_at": band.tips_at, "tips_within": band.tips_within}
        for band in found
        if band.parameter in selections
    ]


def ranked(found: Answers, requests: Sequence[Request], left: Left) -> list[dict[str, Any]]:
    """Requests by what they take from the primary quantity.

    Args:
        found: the quantities.
        requests: what is asked for.
        left: share of the variance that each request, granted, would leave.
    """
    share, error = with_error(1.0 - left)
    level, i = found.asked[found.primary].level, found.primary
    of_whole = [j for j, asked in enumerate(found.asked) if asked.level == level]
    rows = []
    for r, request in enumerate(requests):
        value = found.epistemic[i] * share[r, i]
        by_date = [{"days": d, "there": request.there_by(d), "value": value * request.there_by(d)} for d in DATES]
        by_quantity = [
            {
                **_of(found.asked[j]),
                "value": found.epistemic[j] * share[r, j],
                "error": found.epistemic[j] * error[r, j],
                "share": share[r, j],
            }
            for j in of_whole
        ]
        worth = {"value": value, "error": found.epistemic[i] * error[r, i], "share": share[r, i], "share_error": error[r, i]}
        cost = {"cost": request.cost, "value_per_cost": None if request.cost is None else value / request.cost}
        more = {"method": METHOD, "by_date": by_date, "by_quantity": by_quantity}
        rows.append({"request": request.name, **_of(found.asked[i]), **worth, **_narrowed(found, share[r, i]), **cost, **more})
    rows.sort(key=lambda row: -row["value"])
    return [{"rank": rank, **row} for rank, row in enumerate(rows, 1)]


def together(
    found: Answers, requests: Sequence[Request], pairs: Sequence[tuple[int, int]], singles: Left, doubles: Left
) -> list[dict[str, Any]]:
    """Pairs of requests by how much more they take from the primary quantity together than each by itself."""
    now, alone, both = found.epistemic[found.primary], 1.0 - singles[..., found.primary], 1.0 - doubles[..., found.primary]
    rows = []
    for p, (a, b) in enumerate(pairs):
        beyond, error = with_error(both[:, p] - alone[:, a] - alone[:, b])
        names = [requests[a].name, requests[b].name]
        rows.append({"requests": names, "value": now * both[:, p].mean(), "beyond_each": now * float(beyond), "error": now * float(error)})
    return sorted(rows, key=lambda row: -row["beyond_each"])


def learned(found: Answers) -> list[dict[str, Any]]:
    """What knowing one parameter exactly would take from each quantity of the whole (EVPPI in its variance form), largest first.

    Found twice: by the normal approximation, and by regression on draws, which takes nothing for normal.
    """
    level = found.asked[found.primary].level
    parameters = [j for j, asked in enumerate(found.asked) if asked.level == "parameter"]
    draws, rows = found.knowledge, []
    regressed = [explained(draws.parameters[..., n], draws.answers, draws.chance) for n in range(len(parameters))]
    for place, i in enumerate(i for i, asked in enumerate(found.asked) if asked.level == level):
        both = found.slopes[:, parameters].T @ found.slopes[:, i]
        straight = np.square(both) / np.maximum(found.normal[parameters] * found.normal[i], np.finfo(float).tiny)
        share = 1.0 - bent(1.0 - straight[None, :, None], found.orders[[i]])[0, :, 0]
        rows += [
            {"quantity": found.asked[i].name, "parameter": found.asked[j].name, "element": found.asked[j].unit}
            | {"value": found.epistemic[i] * part, "share": part, "method": METHOD}
            | _regressed(found.epistemic[i], part, shares[place], errors[place])
            for j, part, (shares, errors) in zip(parameters, share, regressed, strict=True)
        ]
    return sorted(rows, key=lambda row: (row["quantity"], -row["share"]))


def _regressed(now: float, normal: float, share: float, error: float) -> dict[str, Any]:
    """The second way to a share, and whether the two agree."""
    return {
        "regression": {"value": now * share, "error": now * error, "share": share, "share_error": error, "method": regression.METHOD},
        "apart": share - normal,
        "agree": bool(abs(share - normal) <= max(AGREEING * error, NEGLIGIBLE)),
    }


def decided(found: Answers, decision: Decision, requests: Sequence[Request], subsets: Left, singles: Left) -> dict[str, Any]:
    """What information is worth to a decision.

    Args:
        found: the quantities, and the options' net benefits.
        decision: its options.
        requests: what is asked for.
        subsets: share of the variance that each subset of barriers, lifted, would leave.
        singles: share that each request, granted, would leave.
    """
    benefit, options = found.benefit, found.benefit.shape[1] - 1
    change = benefit[:, 1:] - benefit[:, :1]
    best = benefit.argmax(1)
    of_changes = found.normal[len(found.asked) :]
    now = covariances(of_changes, options)

    def after(left: Float[np.ndarray, "point quantity"]) -> tuple[float, float]:
        return worth(change, now, covariances(left[:, len(found.asked) :].mean(0) * of_changes, options))

    perfect, perfect_error = worth(change)
    full, full_error = after(subsets[:, -1])
    rows = []
    for r, request in enumerate(requests):
        value, error = after(singles[:, r])
        weeks = weeks_left(request, decision.weeks)
        over = {"evsi_over_decision": value * weeks, "weeks_there": weeks, "cost": request.cost}
        rows.append({"request": request.name, "evsi": value, "error": error, **over, "method": METHOD + ", moments matched"})
    return {
        "unit": decision.unit,
        "weeks": decision.weeks,
        "options": [
            {
                "option": option.name,
                "net_benefit": benefit[:, d].mean(),
                "sd": benefit[:, d].std(ddof=1),
                "probability_best": float((best == d).mean()),
            }
            for d, option in enumerate(decision.option)
        ],
        "evpi": perfect,
        "evpi_error": perfect_error,
        "full_access": full,
        "full_access_error": full_error,
        "requests": sorted(rows, key=lambda row: -row["evsi_over_decision"]),
        "parameters": _worth_knowing(found, change),
    }


def _worth_knowing(found: Answers, change: Float[np.ndarray, "draw option"]) -> list[dict[str, Any]]:
    """What knowing one parameter exactly is worth to the decision (EVPPI), most first."""
    draws, rows = found.knowledge, []
    by_chain = change.reshape(*draws.parameters.shape[:2], -1)
    for n, asked in enumerate(asked for asked in found.asked if asked.level == "parameter"):
        value, left_out, error = regression.worth_of(draws.parameters[..., n], by_chain)
        agree = bool(value - left_out <= AGREEING * error + NEGLIGIBLE * abs(value))
        row = {"parameter": asked.name, "element": asked.unit, "evppi": value, "evppi_left_out": left_out, "error": error}
        rows.append(row | {"agree": agree, "method": regression.METHOD})
    return sorted(rows, key=lambda row: -row["evppi"])


def _narrowed(found: Answers, share: float) -> dict[str, float]:
    """Standard deviation of the primary quantity now and with a share of its variance taken away."""
    now = found.epistemic[found.primary]
    return {"sd_now": float(np.sqrt(now)), "sd_after": float(np.sqrt(now * max(1.0 - share, 0.0)))}


def with_error(each: Float[np.ndarray, "point ..."]) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the points, and its standard error."""
    return each.mean(0), each.std(0, ddof=1) / np.sqrt(len(each))


def _of(asked: Asked) -> dict[str, str]:
    period = "" if asked.level == "parameter" else "weekly average"
    return {"quantity": asked.name, "level": asked.level, "unit": asked.unit, "period": period}
