"""The model in words, and the names of what it returns."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayestwin.twin.twin import Equation, Quantity

from .workload import Workload

QUANTITIES = (
    Quantity("clinician_hours", "hours a week", "clinician hours", headline=True, rated=True, better="lower"),
    Quantity("appointments", "appointments a week", "appointments", headline=True, rated=True),
    Quantity("gp_hours", "hours a week", "GP hours", headline=True, rated=True, better="lower"),
    Quantity("other_hours", "hours a week", "other staff's hours", rated=True, better="lower"),
)

DIMS: dict[str, tuple[str, ...]] = {
    "weekday_effect": ("weekday",),
    "region_level": ("region",),
    "board_level": ("board",),
    "area_level": ("area",),
    "national_coefficient": ("frequency",),
    "board_coefficient": ("frequency", "board"),
    "national_trend": ("week",),
    "week_exposure": ("week",),
    "part_week": ("week_in_part",),
    "log_concentration": ("area",),
    "area_minutes": ("area",),
    "area_spread": ("area",),
    "area_null": ("area",),
    "minutes_sd": ("area",),
    "band_logit": ("area", "shown_band"),
    "tilt_coefficient": ("frequency",),
    "minutes_tilt": ("week",),
    "late_national": ("late_week",),
    "late_board": ("late_week", "board"),
    "late_minutes": ("late_week",),
    "late_national_trend": ("late_week",),
    "late_board_trend": ("late_week", "board"),
    "late_minutes_trend": ("late_week",),
    "cell_level": ("other_cell",),
    "cell_sd": ("other_cell",),
    "cell_logit": ("board", "other_cell"),
}

OBSERVED: dict[str, tuple[str, ...]] = {
    "appointments": ("period", "area"),
    "closed_days": ("week", "closed_day"),
    "working_days": ("week", "day_of_week"),
    "durations": ("week", "area", "band"),
    "staff_mix": ("month", "board", "cell"),
}

EQUATIONS = (
    Equation("counts", "N[p,a] ~ NB2(mean μ[p,a], concentration φ[a] exp(−η h[p]))", "attended appointments of an area in a period; h says how far holidays set places apart in it"),
    Equation("rate", "log μ[p,a] = log patients[p,a] + level[a] + trend[w(p),b(a)] + log x[p] − log x[w(p)]", "list size, place, week and calendar; b(a) is the board of an area, w(p) the week of a period"),
    Equation("places", "level[a] ~ N(level[b] + γ z[a], σ_area²),  level[b] ~ N(level[r], σ_board²),  level[r] ~ N(level, σ_region²)", "areas in boards in regions; z is network staff per patient, standardised"),
    Equation("calendar", "x[p] = Σ_days exp(kind of day + after closure + Christmas + eve + school holidays)", "working-day equivalents of a period; public holidays are known for the forecast too"),
    Equation("closed days", "(n[w,j] for closed days j, rest) ~ DirichletMultinomial(κ_c x[day] / x[w])", "the nation's closed days given its week (weekly grid); services of a Saturday come and go"),
    Equation("working days", "n[w,j] for working days j ~ DirichletMultinomial(κ[w] x[day] / Σ x),  κ[w] = κ_d exp(−η_d h[w])", "working days given their total: what tells the calendar's effects apart; weeks around holidays (h) divide less alike"),
    Equation("part weeks", "log x[w] + σ[w] ε[w],  σ² = ψ′(κ_c s_c) − ψ′(κ_c) + ψ′(κ[w] s[w]) − ψ′(κ[w])", "a week seen in part stands for the whole with the noise of how weeks divide: s_c the share of working days, s of those seen among them (weekly grid)"),
    Equation("trend", "trend[t] = Σ_k c[k] cos(π k (t + ½) / T);  c_board[k] ~ N(c[k], τ_b²/λ[k] + s_b²);  c[k] ~ N(calendar[k], τ²/λ[k] + s²)", "random walks with weekly shocks: boards around the nation, the nation around the calendar; λ[k] = 2 − 2 cos(π k / T)"),
    Equation("late weeks", "trend[t] = m[t] + √(v[t] + τ² + s²) z[t],  (m, v)[t+1] given trend[t] by Kalman's filter", "weeks that are over and not published: each walk carried on from where it stands, by standard normal noise z of which nothing is told"),
    Equation("minutes", "log minutes = m[a] + s[a] (log G − ψ(k)) / √ψ′(k),  G ~ Gamma(k)", "generalised gamma durations by mean and sd of the logarithm"),
    Equation("bands", "share[a,j] = (1 − π[a]) P(band j);  Unknown = the rest: tails beyond the bands, and nulls with probability π[a]", "durations are seen in bands; under one and over sixty minutes are always Unknown"),
    Equation("misfit", "logit[a,j] ~ N(log share[a,j] / share[a,Unknown], ω²);  tilted each week by λ[t] log minutes[j]", "lasting departures of an area's bands from the family; a national weekly tilt that is a walk with shocks"),
    Equation("duration counts", "C[w,a,·] ~ DirichletMultinomial(κ share[w,a,·])", "overdispersed band counts of a week"),
    Equation("missing durations", "log-odds(null | minutes) = ν[a] + δ log minutes", "selection: δ is not in the data; it moves only the mean of what is hidden"),
    Equation("staff", "K[m,b,·] ~ DirichletMultinomial(κ_s softmax(η[b])),  η[b] ~ N(η, σ_η²)", "staff and mode by board and month, given its attended total"),
    Equation("hours", "hours = N · mean minutes / 60;  GP share = minutes-weighted share of GP contacts", "remote contacts last r_remote as long, other staff's contacts r_other as long"),
)  # fmt: skip

LIMITS = (
    "Counts are appointments recorded as attended at the practices included in the publication; work outside appointments is not in them.",
    "Minutes are those that the practice system recorded between opening and closing an appointment; the two suppliers define them differently.",
    "Whether longer or shorter appointments go unrecorded is not in the data: a prior stands in for it, and hours inherit its width.",
    "No minutes by staff group are published: GP hours rest on a prior for the ratio of minutes between staff and modes.",
    "One winter and spring are seen: there is no annual season in the model, so it should not be used more than about a quarter ahead.",
    "An area's forecast is for planning staff, not for judging practices or persons.",
)  # fmt: skip


def arrays(data: Workload) -> dict[str, np.ndarray]:
    """Observed arrays by observed site."""
    daily = {"closed_days": data.closed_days, "working_days": data.working_days} if data.grid == "week" else {}
    return {"appointments": data.appointments, **daily, "durations": data.durations, "staff_mix": data.staff}


def constants(data: Workload) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Known quantities worth keeping beside the posterior."""
    return {
        "patients": (("period", "area"), data.patients),
        "appointments_seen": (("period", "area"), data.appointments_seen),
        "closed_days_seen": (("week", "closed_day"), _closed_seen(data)),
        "working_days_seen": (("week", "day_of_week"), data.days_open & data.worked & (data.days.sum(-1, keepdims=True) > 0)),
        "durations_seen": (("week", "area"), data.durations_seen),
        "staff_mix_seen": (("month", "board"), data.staff_seen),
        "workforce": (("area",), data.workforce),
        "area_name": (("area",), data.area_name),
        "area_board": (("area",), data.board[data.area_board]),
        "area_region": (("area",), data.region[data.area_region]),
        "band_edges": (("edge",), data.band.edges),
    }


def _closed_seen(data: Workload) -> np.ndarray:
    """Closed days of the span, and the working days of weeks that have some."""
    closed = data.days_open & ~data.worked & (data.days.sum(-1, keepdims=True) > 0)
    return np.concatenate([closed, closed.any(1, keepdims=True)], axis=1)


def groups(data: Workload, span: Any) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Levels for which totals are given: codes, and the group of each area of a span."""
    everywhere = np.zeros(len(span.units), int)
    return {"region": (data.region, data.area_region), "national": (np.array(["all"]), everywhere)}


def counted(data: Workload) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Published appointments by week that is over and area, and whether the whole week was seen."""
    counts, unseen = (np.zeros((len(data.until.weeks), len(data.area))) for _ in range(2))
    np.add.at(counts, data.calendar.period_week, np.where(data.appointments_seen, data.appointments, 0))
    np.add.at(unseen, data.calendar.period_week, ~data.appointments_seen)
    unseen[len(data.calendar.weeks) :] = 1
    return {"appointments": (counts, unseen == 0)}
