"""What vendors show of minutes: the model's laws, given the counts and one another, against clinics drawn event by event."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from model_parts import model_part
from numpyro.handlers import seed, substitute, trace
from scipy import stats

from bayestwin.barriers import Access, Grid
from bayestwin.infer.predictive import prior_draws, sites
from bayestwin.twin.twin import Design, load_twin

TWIN = load_twin("provider_workload")
REPLICATES = 25
DESIGN = Design(units=8, groups=4, weeks=8)


part = partial(model_part, "provider_workload")


workload, publish = part("workload"), part("publish")
SHOWN = (*workload.METRICS, workload.TURNAROUND)


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
    habits = {"usable": np.full(providers, np.log(0.95)), "cleared": np.full(providers, 1.0), "speed": np.zeros(providers)}
    waits = {"turnaround_prompt": np.array(0.3), "turnaround_noise": np.array(0.1)}  # so that what is carried over shows
    return draw | centres | habits | waits


@pytest.fixture(scope="module")
def scores() -> dict[str, np.ndarray]:
    """How many sds each drawn metric lies from its mean given the counts and the metrics before it; NaN in weeks without work."""
    data = publish.invent(DESIGN, 2)
    assert len(set(data.shoulder)) == 2  # both vendors' definitions of after-hours time
    draw, rng = typical_draw(data), np.random.default_rng(5)
    providers, span = data.roster.provider, data.span
    priors = {name: row.build() for name, row in TWIN.definition.priors.items()}
    found: dict[str, list[np.ndarray]] = {name: [] for name in SHOWN}
    for _ in range(REPLICATES):
        numbers = publish._happen(data, draw, rng).numbers
        counts = {name: stream(name, numbers[name], "day", span.starts, providers) for name in (*workload.MESSAGES, *workload.MODES)}
        metrics = {name: stream(name, numbers[name], "week", span.weeks, providers) for name in SHOWN}
        known = replace(data, streams=counts | metrics)
        conditioned = partial(TWIN.definition.model, known, priors)
        latent = {name: draw[name] for name in sites(conditioned).latent}
        laws = trace(seed(substitute(conditioned, latent), 0)).get_trace()
        for name in SHOWN:
            law, value = laws[name]["fn"].law, numbers[name]
            log = name in workload.POSITIVE
            z = ((np.log(np.maximum(value, 1e-9)) if log else value) - np.asarray(law.loc)) / np.asarray(law.scale)
            busy = span.of_step @ data.schedule.minutes > 0
            found[name].append(np.where(busy & (value > 0), z, np.nan))
    return {name: np.concatenate(values) for name, values in found.items()}


@pytest.mark.parametrize("name", workload.METRICS[:3])
def test_minutes_of_known_counts_have_the_law_that_they_are_drawn_from(scores: dict[str, np.ndarray], name: str) -> None:
    z = scores[name][np.isfinite(scores[name])]
    assert stats.kstest(z, "norm").statistic < 0.05, len(z)


@pytest.mark.parametrize("vendor", [0, 1])
def test_after_hours_minutes_are_close_to_theirs(scores: dict[str, np.ndarray], vendor: int) -> None:
    of_vendor = publish.invent(DESIGN, 2).roster.vendor_of == vendor
    z = scores["after_hours_minutes"][:, of_vendor]
    z = z[np.isfinite(z)]
    assert abs(z.mean()) < 0.1, z.mean()
    assert 0.85 < z.std() < 1.15, z.std()
    assert 0.87 < np.mean(np.abs(z) < 1.645) < 0.93


@pytest.mark.parametrize("later", ["ehr_minutes", "after_hours_minutes"])
@pytest.mark.parametrize("before", ["inbox_minutes", "documentation_minutes"])
def test_metrics_that_share_minutes_are_not_counted_twice(scores: dict[str, np.ndarray], before: str, later: str) -> None:
    both = np.isfinite(scores[before]) & np.isfinite(scores[later])
    correlation = np.corrcoef(scores[before][both], scores[later][both])[0, 1]
    assert abs(correlation) < 0.1, correlation


def test_turnaround_is_close_to_its_law(scores: dict[str, np.ndarray]) -> None:
    z = scores[workload.TURNAROUND]
    z = z[np.isfinite(z)]
    assert abs(z.mean()) < 0.1, z.mean()
    assert 0.85 < z.std() < 1.15, z.std()


def test_turnaround_and_after_hours_minutes_of_one_spill_are_not_counted_twice(scores: dict[str, np.ndarray]) -> None:
    both = [scores[name] for name in ("after_hours_minutes", workload.TURNAROUND)]
    known = np.isfinite(both).all(0)
    correlation = np.corrcoef(both[0][known], both[1][known])[0, 1]
    assert abs(correlation) < 0.15, correlation
