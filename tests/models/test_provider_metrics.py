"""What vendors show of minutes: the model's laws, given the counts and one another, against clinics drawn event by event."""

import sys
from dataclasses import replace
from functools import partial
from types import ModuleType

import numpy as np
import pytest
from numpyro.handlers import seed, substitute, trace
from scipy import stats

from bayestwin.barriers import Access, Grid
from bayestwin.infer.predictive import prior_draws, sites
from bayestwin.twin.twin import Design, load_twin

TWIN = load_twin("provider_workload")
REPLICATES = 25


def part(name: str) -> ModuleType:
    """A file of the model, as the loaded twin has it."""
    return sys.modules[f"{TWIN.definition.model.__module__.rpartition('.')[0]}.{name}"]


workload, publish = part("workload"), part("publish")


def stream(name: str, numbers: np.ndarray, dim: str, starts: np.ndarray, providers: np.ndarray) -> object:
    ends = workload.zeros_read(name, np.stack([numbers, numbers], -1).astype(float))
    return workload.Stream(ends, Access(), Grid({dim: starts, "provider": providers}))


def typical_draw(data: object) -> dict[str, np.ndarray]:
    """A prior draw whose minutes and habits are the prior's centres, so that days are neither all full nor all slack."""
    priors = {name: row.build() for name, row in TWIN.definition.priors.items()}
    draw = {
        name: value[0] for name, value in prior_draws(partial(TWIN.definition.model, data, priors), np.random.default_rng(4), 1).items()
    }
    centres = {
        name: np.asarray(priors[name].mean)
        for name in ("message_minutes", "visit_minutes", "overlap", "admin_minutes", "cleared_off", "metric_noise")
    }
    providers = len(data.roster.provider)
    return draw | centres | {"usable": np.full(providers, np.log(0.95)), "cleared": np.full(providers, 1.0), "speed": np.zeros(providers)}


@pytest.fixture(scope="module")
def scores() -> dict[str, np.ndarray]:
    """Where each drawn metric lies in its law given the counts and the metrics before it, as a probability."""
    data = publish.invent(Design(units=8, groups=2, weeks=8), 2)
    draw, rng = typical_draw(data), np.random.default_rng(5)
    providers, span = data.roster.provider, data.span
    priors = {name: row.build() for name, row in TWIN.definition.priors.items()}
    found: dict[str, list[np.ndarray]] = {name: [] for name in workload.METRICS}
    for _ in range(REPLICATES):
        numbers = publish._happen(data, draw, rng).numbers
        counts = {name: stream(name, numbers[name], "day", span.starts, providers) for name in (*workload.MESSAGES, *workload.MODES)}
        metrics = {name: stream(name, numbers[name], "week", span.weeks, providers) for name in workload.METRICS}
        known = replace(data, streams=counts | metrics)
        conditioned = partial(TWIN.definition.model, known, priors)
        latent = {name: draw[name] for name in sites(conditioned).latent}
        laws = trace(seed(substitute(conditioned, latent), 0)).get_trace()
        for name in workload.METRICS:
            law, value = laws[name]["fn"].law, numbers[name]
            log = name in workload.POSITIVE
            z = ((np.log(np.maximum(value, 1e-9)) if log else value) - np.asarray(law.loc)) / np.asarray(law.scale)
            busy = span.of_step @ data.schedule.minutes > 0
            found[name].append(stats.norm.cdf(z[busy & (value > 0)]))
    return {name: np.concatenate(values) for name, values in found.items()}


@pytest.mark.parametrize("name", workload.METRICS[:3])
def test_minutes_of_known_counts_have_the_law_that_they_are_drawn_from(scores: dict[str, np.ndarray], name: str) -> None:
    assert stats.kstest(scores[name], "uniform").statistic < 0.05, len(scores[name])


def test_after_hours_minutes_are_close_to_theirs(scores: dict[str, np.ndarray]) -> None:
    z = stats.norm.ppf(np.clip(scores["after_hours_minutes"], 1e-6, 1.0 - 1e-6))
    assert abs(z.mean()) < 0.1, z.mean()
    assert 0.85 < z.std() < 1.15, z.std()
    assert 0.87 < np.mean(np.abs(z) < 1.645) < 0.93


def test_metrics_that_share_minutes_are_not_counted_twice(scores: dict[str, np.ndarray]) -> None:
    sizes = {name: len(value) for name, value in scores.items()}
    assert sizes["inbox_minutes"] == sizes["ehr_minutes"]
    correlation = np.corrcoef(stats.norm.ppf(scores["inbox_minutes"]), stats.norm.ppf(scores["ehr_minutes"]))[0, 1]
    assert abs(correlation) < 0.1  # about 0.4 where EHR minutes are not given what inbox minutes said
