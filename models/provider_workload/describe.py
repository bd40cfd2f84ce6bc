"""The model in words, and the names of what it returns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayestwin.twin.twin import Equation, Quantity, Ridge

from .workload import BOOKINGS, MESSAGES, METRICS, MODES, SURVEY, WEEKLY, Workload

if TYPE_CHECKING:
    from .span import Span

DIMS: dict[str, tuple[str, ...]] = {
    "message_level": ("message",),
    "visit_level": ("mode",),
    "sd_messages": ("message",),
    "sd_visits": ("mode",),
    "weekday_effect": ("day_of_week",),
    "season": ("harmonic",),
    "age_effect": ("age",),
    "organisation_effect": ("organisation",),
    "provider_common": ("provider",),
    "message_own_sd": ("message",),
    "visit_own_sd": ("mode",),
    "message_shift": ("provider", "message"),
    "visit_shift": ("provider", "mode"),
    "clinic_messages": ("clinic", "message"),
    "clinic_visits": ("clinic", "mode"),
    "provider_messages": ("provider", "message"),
    "provider_visits": ("provider", "mode"),
    "message_base": ("provider", "message"),
    "visit_base": ("provider", "mode"),
    "walk_coefficient": ("frequency",),
    "week_coefficient": ("frequency", "provider"),
    "last_week_effect": ("provider",),
    "concentration": ("message",),
    "message_minutes": ("message",),
    "visit_minutes": ("mode",),
    "vendor_factor": ("organisation",),
    "speed": ("provider",),
    "clinic_documentation": ("clinic",),
    "documentation": ("provider",),
    "usable": ("provider",),
    "cleared": ("provider",),
    "metric_noise": ("metric",),
    "drift_coefficient": ("slow", "clinic"),
    "drift": ("week", "clinic"),
    "tlx_trait": ("provider",),
    "backlog_end": ("provider",),
    "backlog_end_sd": ("provider",),
    "fatigue_end": ("provider",),
    "waiting_end": ("mode", "provider"),
} | {
    f"week_{name}": ("week", "provider")
    for name in ("after_hours", "after_hours_sd", "backlog", "messages", "visits", "inbox", "utilisation", "tlx")
}

EXPECTATIONS = frozenset(name for name in DIMS if name.startswith("week_") and name != "week_coefficient") | {
    "backlog_end",
    "backlog_end_sd",
    "fatigue_end",
    "waiting_end",
}

OBSERVED: dict[str, tuple[str, ...]] = (
    dict.fromkeys((*MESSAGES, *MODES, *BOOKINGS), ("step", "provider", "end"))
    | dict.fromkeys(WEEKLY, ("week", "provider", "end"))
    | {"response": ("provider", "end")}
)

QUANTITIES = (
    Quantity("after_hours_minutes", "minutes a week", "after-hours minutes", headline=True, better="lower"),
    Quantity("inbox_minutes", "minutes a week", "inbox minutes", headline=True, better="lower"),
    Quantity("tlx", "points of 100", "perceived task load", headline=True, better="lower", mean=True),
    Quantity("backlog_minutes", "minutes at the week's end", "backlog minutes", better="lower"),
    Quantity("messages", "messages a week", "messages"),
    Quantity("visits", "visits a week", "attended visits", better="higher"),
)

RIDGES = (
    Ridge(
        "rate and minutes",
        {"message_level": 1.0, "message_minutes": 1.0},
        {"message_level": 1.0, "message_minutes": -1.0},
        "Minutes alone identify only rate × minutes of messages: their counts are withheld or hardly seen.",
        logs=False,
    ),
    Ridge(
        "usable time and clearing",
        {"usable_level": -1.0, "cleared_level": 1.0},
        {"usable_level": 1.0, "cleared_level": 1.0},
        "After-hours minutes alone identify usable time and the share of the spill that is cleared only together: light and heavy days, or open charts at the day's end, would tell them apart.",
        logs=False,
    ),
    Ridge(
        "vendor clock and speed",
        {"vendor_factor": 1.0, "speed": 1.0},
        {"vendor_factor": 1.0, "speed": -1.0},
        "The vendor's clock and the providers' speed are seen only as a product: shadowing data would tell them apart.",
        logs=False,
    ),
    Ridge(
        "panel demand and mix",
        {"message_level": 1.0, "multimorbid_effect": 0.3},
        {"message_level": 0.3, "multimorbid_effect": -1.0},
        "What patients with several conditions ask for is hardly told apart from what their providers' panels ask for anyway.",
        logs=False,
    ),
)

EQUATIONS = (
    Equation("messages", "N[s,i,t] ~ NB2(λ[s,i,t], k[s])", "messages of stream s to provider i on day t: advice requests, prescriptions, results, calls"),
    Equation("rates", "log λ = level[s] + log(panel[i] / 1800) + mix[s,i] + place + person + day + season + growth + walk[w] + week[i,w]", "panel and patients, organisation and clinic, provider, calendar, common and own weeks"),
    Equation("virtual patients", "mix = log Σ_a share[i,a] e^β[a] + log(1 + share[i,m] (e^β[m] − 1)) + log(1 + share[i,p] (e^β[p] − 1))", "demand from the margins of the panel: age, several conditions, portal use (advice only)"),
    Equation("persons", "person[s,i] = σ[s] (√ρ z[i] + √(1 − ρ) e[s,i])", "a provider's streams go together"),
    Equation("weeks", "week[i,·] = Σ_k c[i,k] cos(·),  c[i,k] ~ N(0, σ_w² (1 − φ²) / ((1 − φ)² + φ λ[k]))", "a week resembles the one before, by the spectrum of an AR(1); zero mean over the span"),
    Equation("queue", "Q' = (Q + requests − offered)(1 − γ);  offered = E[min(Q + requests, slots)]", "requests for visits wait for slots; some give up"),
    Equation("bookings", "K ~ Binomial(slots, offered / slots)", "slots taken; seen where the scheduling system shows them"),
    Equation("visits", "V ~ Binomial(K, 1 − no-show(wait))", "no-shows grow with the wait (Green & Savin 2008); of slots where bookings are not seen"),
    Equation("work", "W = e[i] Σ_s N[s] τ[s] + Σ_m V[m] (visit[m] + (1 − overlap) doc[i]) + admin × hours / 8", "minutes of work of a day, given the counts; items vary"),
    Equation("spill", "X = B + W − C,  C = usable[i] × scheduled;  O = max(X, 0)", "what does not fit; the fit uses E[O] = m Φ(m/s) + s φ(m/s) for a load known with sd s"),
    Equation("valve", "after hours = κ[i] O;  B' = (1 − κ[i]) O;  κ_off on days off", "overflow is cleared after hours or carried over"),
    Equation("fatigue", "F' = a F + (1 − a) (W + B) / C on working days", "how full recent days were"),
    Equation("perceived load", "logit(TLX / 100) ~ N(t₀ + t₁ (F − 1) + trait[i], σ)", "a survey on a bounded scale; who answers may depend on the trait"),
    Equation("metrics", "log y ~ N(log minutes + m[vendor] + δ[c,w], ·)", "weekly inbox, documentation and EHR minutes as the vendor's clock shows them"),
    Equation("after-hours metric", "y ~ N(m (Σ_t max(κ O − shoulder, 0) + days off), ·), none shown as zero", "each vendor's definition leaves out a shoulder of scheduled time"),
    Equation("turnaround", "log y ~ N(log(p + Σ_t B / Σ_t C), ·), given the after-hours metric", "mean days until a message is done: a prompt part, and the wait for what was carried over"),
    Equation("discrepancy", "δ[c,·] = Σ_k z[k] cos(·),  z ~ N(0, σ_δ²), zero mean over the span, half waves ≥ 4 weeks", "slow departure of a clinic's metrics; never extrapolated"),
)  # fmt: skip

LIMITS = (
    "Not for judging persons: a provider's figures rest on a measurement factor that a vendor's clock shares with their speed.",
    "After-hours minutes are work that does not fit into usable time; work by choice and work outside the EHR that no visit or message causes are not in the model.",
    "The perceived-load slope has no published value: it carries its prior unless surveys are there, and what-if answers on task load inherit it.",
    "A what-if changes schedules, panels or messages and leaves habits as they are: providers who answer a change by working otherwise are not in it.",
    "The booking queue is an expectation: days on which chance alone leaves slots empty are in the visits' spread, not in the queue.",
    "On the weekly grid a week's work is spread evenly over its working days, so after-hours work of uneven weeks is understated.",
)


def arrays(data: Workload) -> dict[str, np.ndarray]:
    """Observed ends by observed site."""
    found = {name: stream.ends for name, stream in data.streams.items()}
    answered = responses(data)
    return found if answered is None else found | {"response": np.stack([answered, answered], axis=-1)}


def responses(data: Workload) -> np.ndarray | None:
    """1 for each provider who answered the survey, where its selection is modelled."""
    from bayestwin.barriers.selection import SiteSelection

    stream = data.streams.get(SURVEY)
    barrier = next((b for b in stream.access.absences if isinstance(b, SiteSelection)), None) if stream else None
    return None if stream is None or barrier is None else barrier.took_part(stream.grid).astype(float)


def constants(data: Workload) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Known quantities worth keeping beside the posterior."""
    return {
        "panel": (("provider",), data.panel),
        "mix": (("provider", "group"), data.mix),
        "scheduled_minutes": (("step", "provider"), data.schedule.minutes),
        "provider_name": (("provider",), data.roster.names),
        "provider_clinic": (("provider",), data.roster.clinic[data.roster.clinic_of]),
        "shoulder": (("organisation",), data.shoulder),
    }


def groups(data: Workload, span: Span) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Levels for which totals are given: codes, and the group of each unit."""
    roster = span.roster
    return {"clinic": (roster.clinic, roster.clinic_of), "all": (np.array(["all"]), np.zeros(len(roster.provider), int))}


def counted(data: Workload) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Published numbers by week and provider, and whether the whole week was seen."""
    found = {}
    for quantity, name in (("after_hours_minutes", METRICS[3]), ("inbox_minutes", METRICS[0]), ("tlx", SURVEY)):
        if name in data.streams:
            stream = data.streams[name]
            found[quantity] = (np.where(stream.exact, stream.ends[..., 0], 0.0), stream.exact)
    for quantity, names in (("messages", MESSAGES), ("visits", MODES)):
        if all(name in data.streams for name in names):
            known = np.all([data.streams[name].exact for name in names], axis=0)
            total = sum(np.where(data.streams[name].exact, data.streams[name].ends[..., 0], 0.0) for name in names)
            found[quantity] = (data.span.of_step @ total, data.span.of_step @ ~known == 0)
    return found
