"""What vendors and a survey show of the work, in PyMC.

Minutes that two metrics share are told once: the law of each is that given those before it, by the regression of the one on the other.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayestwin.infer.second import prior
from bayestwin.twin.priors import PriorTable

from .priors import NEAR_ZERO
from .second_flow import Path, Work, above_zero
from .second_release import TOP, Moments, measured, released
from .workload import METRICS, SURVEY, TURNAROUND, Workload, slow_terms

INBOX, DOCUMENTATION, EHR, AFTER_HOURS = METRICS
LEAST = 1e-3  # minutes, or days' worth of them


class Shown(NamedTuple):
    """A metric in true minutes, (week, provider): its variance, and what it showed beyond its mean, zero where unseen."""

    variance: Any
    surplus: Any
    seen: np.ndarray


def metrics(data: Workload, priors: PriorTable, clock: Any, outside: Any, work: Work, path: Path) -> None:
    """Condition on the weekly metrics and the turnaround of messages.

    Args:
        data: as for the first engine.
        priors: the study's.
        clock: log of what a provider's vendor shows of a minute, (provider,).
        outside: share of documentation that is done without the patient.
        work: minutes of work.
        path: what was spilled.
    """
    log_clock = clock[None, :] + _drift(data, priors)[:, data.roster.clinic_of]
    noise = prior(priors, "metric_noise") ** 2
    weekly = data.span.of_step
    inbox, documentation = (Moments(pt.dot(weekly, part.mean), pt.dot(weekly, part.variance)) for part in (work.inbox, work.documentation))
    of_inbox = _positive(data, INBOX, inbox, log_clock, noise[0])
    of_documentation = _positive(data, DOCUMENTATION, documentation, log_clock, noise[1])
    ehr = Moments(inbox.mean + documentation.mean + pt.dot(weekly, work.admin), inbox.variance + documentation.variance)
    ehr = _after(ehr, (of_inbox, inbox.variance), (of_documentation, documentation.variance))
    _positive(data, EHR, ehr, log_clock, noise[2])
    evenings = None
    if AFTER_HOURS in data.streams:
        mean, variance, reach = _evenings(data, path)
        shares = (pt.dot(weekly, reach * work.inbox.variance), pt.dot(weekly, reach * outside * work.documentation.variance))
        law = _after(Moments(mean, variance), (of_inbox, shares[0]), (of_documentation, shares[1]))
        evenings = _censored(data, law, mean, pt.exp(log_clock), noise[3])
    _turnaround(data, priors, path, evenings)


def _drift(data: Workload, priors: PriorTable) -> Any:
    """Slow departure of clinics' clocks, (week, clinic)."""
    weeks, terms = len(data.span.weeks), slow_terms(len(data.span.weeks))
    spread = prior(priors, "sd_drift")
    coefficient = pm.Normal("drift_coefficient", 0.0, spread, shape=(terms, len(data.roster.clinic)))
    waves = np.cos(np.outer(np.arange(weeks) + 0.5, np.arange(1, terms + 1)) * np.pi / weeks) * np.sqrt(2.0 / terms)
    return pt.dot(waves, coefficient)


def _after(quantity: Moments, *others: tuple[Shown, Any]) -> Moments:
    """A quantity given metrics that are independent of one another, with their covariances with it."""
    mean, variance = quantity
    for other, covariance in others:
        slope = other.seen * covariance / other.variance
        mean = mean + slope * other.surplus
        variance = variance - slope * covariance
    return Moments(mean, pt.maximum(variance, 0.0))


def _shown(data: Workload, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Which numbers of a metric are known, and these, zero elsewhere."""
    low, high = np.moveaxis(data.streams[name].ends, -1, 0)
    return low == high, np.where(low == high, low, 0.0)


def _positive(data: Workload, name: str, minutes: Moments, log_clock: Any, noise: Any) -> Shown:
    """Condition on a log-normal metric of some minutes."""
    mean = minutes.mean + LEAST
    on_log = pt.log(1.0 + minutes.variance / mean**2) + noise
    variance = mean**2 * (pt.exp(on_log) - 1.0)
    if name not in data.streams:
        return Shown(variance, 0.0, np.zeros((1, 1)))
    _, ends = released(name, data.streams[name])
    measured(name, pt.log(mean) + log_clock - 0.5 * on_log, pt.sqrt(on_log), _logs(ends))
    seen, number = _shown(data, name)
    return Shown(variance, pt.switch(seen, number / pt.exp(log_clock) - mean, 0.0), seen)


def _logs(ends: np.ndarray) -> np.ndarray:
    """Logarithms of ends; what reaches down to zero is open."""
    return np.where(ends > 0.0, np.log(np.where(ends > 0.0, ends, 1.0)), -np.inf)


def _evenings(data: Workload, path: Path) -> tuple[Any, Any, Any]:
    """Mean and variance of a week's after-hours minutes beyond the shoulder, and how a step's follow its load, (step, provider)."""
    shoulder = np.where(data.schedule.open_days > 0, data.shoulder[data.roster.vendor_of], 0.0)
    cleared = path.cleared
    beyond, chance = above_zero(Moments(path.over.mean - shoulder / cleared, path.over.variance))
    own = cleared**2 * path.days * beyond.variance
    # What one step carries on is met by the next, which clears its share of it.
    onward = own[:-1] * (1.0 - cleared[:-1]) / cleared[:-1] * chance[1:] * cleared[1:]
    both = pt.concatenate([own[:-1] + 2.0 * onward, own[-1:]], axis=0)
    weekly = data.span.of_step
    return pt.dot(weekly, cleared * path.days * beyond.mean), pt.dot(weekly, both), cleared * chance


def _censored(data: Workload, minutes: Moments, expected: Any, scale: Any, noise: Any) -> Shown:
    """Condition on a normal metric of after-hours minutes, of which a zero says no more than that none were shown."""
    sd = pt.sqrt(scale**2 * (minutes.variance + noise * expected**2) + NEAR_ZERO**2)
    _, ends = released(AFTER_HOURS, data.streams[AFTER_HOURS])
    measured(AFTER_HOURS, scale * minutes.mean, sd, ends)
    seen, number = _shown(data, AFTER_HOURS)
    return Shown((sd / scale) ** 2, pt.switch(seen, number / scale - minutes.mean, 0.0), seen)


def _turnaround(data: Workload, priors: PriorTable, path: Path, evenings: Shown | None) -> None:
    """Condition on days until a message is done: a prompt part, and what is carried over against what is done in a day."""
    prompt, noise = prior(priors, "turnaround_prompt", "turnaround_noise")
    if TURNAROUND not in data.streams:
        return
    weekly, length = data.span.of_step, data.span.length[:, None]
    left = 1.0 - path.cleared
    own = left**2 * path.spill.variance
    onward = own[:-1] * left[1:] * path.chance[1:] * length[1:] * length[:-1]
    both = pt.concatenate([length[:1] ** 2 * own[:1], length[1:] ** 2 * own[1:] + 2.0 * onward], axis=0)
    carried = Moments(pt.dot(weekly, length * left * path.spill.mean), pt.dot(weekly, both))
    if evenings is not None:
        carried = _after(carried, (evenings, pt.dot(weekly, length * left * path.cleared * path.spill.variance)))
    done = pt.dot(weekly, path.capacity) + LEAST
    mean = prompt + pt.maximum(carried.mean, 0.0) / done
    on_log = pt.log(1.0 + carried.variance / (done * mean) ** 2) + noise**2
    _, ends = released(TURNAROUND, data.streams[TURNAROUND])
    measured(TURNAROUND, pt.log(mean) - 0.5 * on_log, pt.sqrt(on_log), _logs(ends))


def survey(data: Workload, priors: PriorTable, path: Path) -> None:
    """Condition on perceived load, on the log-odds of its scale, and on who answers."""
    level, slope, spread, noise = prior(priors, "tlx_level", "tlx_slope", "sd_tlx", "tlx_noise")
    trait = pm.Normal("tlx_trait", 0.0, spread, shape=len(data.roster.provider))
    if SURVEY not in data.streams:
        return
    through, ends = released(SURVEY, data.streams[SURVEY])
    week = data.span.of_step.argmax(axis=0)
    last = np.flatnonzero(np.append(np.diff(week), 1))
    loc = level + slope * (path.fatigue[last] - 1.0) + trait[None, :]
    measured(SURVEY, loc, pt.broadcast_to(noise, ends.shape[:2]), _log_odds(ends / TOP))
    for answered, unknown in through.selected:
        logit = unknown["intercept"] + unknown["slope"] * trait / spread
        pm.Bernoulli("response", logit_p=logit, observed=answered.astype(int))


def _log_odds(share: np.ndarray) -> np.ndarray:
    """Log-odds of ends; what reaches to an end of the scale is open there."""
    inside = (share > 0.0) & (share < 1.0)
    odds = np.log(np.where(inside, share, 0.5)) - np.log1p(-np.where(inside, share, 0.5))
    return np.where(inside, odds, np.where(share <= 0.0, -np.inf, np.inf))
