"""The first look: what counts are guessed to be through what hides them, and what it says of rates."""

from dataclasses import replace
from functools import partial

import jax
import numpy as np
import pytest
from model_parts import model_part

from bayestwin.barriers import Access, Grid
from bayestwin.twin.twin import Design

part = partial(model_part, "provider_workload")
DESIGN = Design(units=6, groups=2, weeks=20)
BELOW = 11


@pytest.fixture(scope="module")
def data() -> object:
    return part("publish").invent(DESIGN, 3)


def seen_as(data: object, name: str, counts: np.ndarray, hidden: np.ndarray) -> object:
    """A study in which a stream of counts is suppressed: what is hidden is 1 to 10."""
    ends = np.stack([np.where(hidden, 1.0, counts), np.where(hidden, BELOW - 1.0, counts)], -1)
    grid = Grid({"day": data.span.starts, "provider": data.roster.provider})
    return replace(data, streams={name: part("workload").Stream(ends, Access(), grid)})


def drawn(data: object, rate: float) -> np.ndarray:
    """NB2 counts of the first message stream at one rate in the usual rhythm."""
    exposure = np.exp(part("guess").usual_rhythm(data))[0][:, None] * np.ones(len(data.panel))
    rng, k = np.random.default_rng(1), part("guess").USUAL_CONCENTRATION
    return rng.poisson(rng.gamma(k, rate * exposure / k)).astype(float)


@pytest.mark.parametrize("rate", [2.0, 6.0, 25.0])
def test_rates_are_found_through_suppression(data: object, rate: float) -> None:
    counts = drawn(data, rate)
    guess = part("guess").messages(seen_as(data, "advice", counts, (counts > 0) & (counts < BELOW)))
    sd = 1.0 / np.sqrt(guess.information[0])
    assert (np.abs(guess.log_rate[0] - np.log(rate)) < 4.0 * sd).all()
    assert (sd < 0.3).all()


def test_hidden_counts_lie_where_they_can_and_tell_less(data: object) -> None:
    counts = drawn(data, 6.0)
    hidden = (counts > 0) & (counts < BELOW)
    guess, whole = (part("guess").messages(seen_as(data, "advice", counts, h)) for h in (hidden, np.zeros_like(hidden)))
    assert ((guess.mean[0][hidden] > 1.0) & (guess.mean[0][hidden] < BELOW - 1.0)).all()
    np.testing.assert_array_equal(guess.mean[0][~hidden], counts[~hidden])
    assert (guess.variance[0][~hidden] == 0.0).all()
    assert (guess.information[0] < whole.information[0]).all()
    assert (guess.information[0] > 0.0).all()


def test_the_score_is_even_at_the_rate_found(data: object) -> None:
    guess = part("guess").messages(seen_as(data, "advice", drawn(data, 25.0), np.zeros((len(data.span.starts), 6), bool)))
    np.testing.assert_allclose(guess.score[0].sum(0) / guess.information[0], 0.0, atol=0.02)


def test_a_withheld_stream_says_nothing(data: object) -> None:
    guess = part("guess").messages(replace(data, streams={}))
    assert (guess.information == 0.0).all()
    assert np.isfinite(guess.mean).all()
    assert (guess.mean > 0).all()


def test_requests_follow_how_many_give_up(data: object) -> None:
    """Where most slots are taken more must ask if more give up; the look goes through both guesses, and from one's information to the other's."""
    slots = np.round(data.schedule.slots[0])
    asked = 0.97 * slots.sum(0) / data.span.open_days.sum() * data.span.open_days[:, None]
    chance = part("clinic").attendance(part("guess")._queue(0.05), asked, slots, data.span.length, np.zeros(slots.shape[1])).booked
    taken = np.random.default_rng(2).binomial(slots.astype(int), chance).astype(float)
    full = seen_as(data, "booked", taken, np.zeros(slots.shape, bool))
    few, many = (part("guess").visits(full, share) for share in part("pilot").GIVING_UP)
    assert (many.log_rate[0] > few.log_rate[0]).all()
    look = part("pilot").pilot(full).looks["provider_visits"]
    for guess, share in zip((few, many), part("pilot").GIVING_UP, strict=True):
        np.testing.assert_allclose(look({"giving_up": share}).value, guess.log_rate.T, atol=1e-9)
    middle = look({"giving_up": sum(part("pilot").GIVING_UP) / 2.0}).information
    np.testing.assert_allclose(middle, 0.5 * (few.information + many.information).T, rtol=1e-9)
    np.testing.assert_allclose(look({"giving_up": 0.5}).information, many.information.T, rtol=1e-9, atol=1e-9)


def test_the_season_is_seen_in_requests(data: object) -> None:
    """Bookings of slots that stay half empty follow the season of the requests."""
    waves = part("demand").yearly_by_day(data.span, data.span.days[0])[0]
    season = np.array([0.2, -0.1, 0.0, 0.0])
    slots = np.full_like(data.schedule.slots[0], 400.0)
    asked = 200.0 * np.exp(waves @ season)[:, None] * (data.span.open_days[:, None] > 0) * np.ones(slots.shape[1])
    wide = replace(data, schedule=replace(data.schedule, slots=np.stack([slots, slots])))
    looked = part("pilot").pilot(seen_as(wide, "booked", np.round(asked), np.zeros(slots.shape, bool))).looks["season"]({})
    found = np.asarray(looked.value)
    drift = waves @ (found - season)
    assert np.std(drift) < 0.2 * np.std(waves @ season)


def test_what_metrics_leave_of_a_sum_is_that_of_the_joint_normal() -> None:
    """Minutes A + B given metrics of both: mean and variance by matrix algebra, and never below zero."""
    model, within = part("model"), part("model").Moments
    variance, noise = np.array([30.0, 50.0]), np.array([1e-12, 20.0])
    surplus = np.array([4.0, -7.0])
    metrics = [model.Metric(np.array(v + n), np.array(s), np.array(True)) for v, n, s in zip(variance, noise, surplus, strict=True)]
    found = model.given(within(np.array(200.0), np.array(variance.sum())), list(zip(metrics, variance, strict=True)))
    gain = np.linalg.solve(np.diag(variance + noise), variance)
    assert float(found.mean) == pytest.approx(200.0 + gain @ surplus)
    assert float(found.variance) == pytest.approx(variance.sum() - gain @ variance)
    alone = model.given(within(np.array(9.0), np.array(30.0)), [(metrics[0], np.array(30.0))])
    assert 0.0 <= float(alone.variance) < 1e-6


def test_the_look_at_requests_bends_nowhere() -> None:
    """A corner in a look is a corner in the sampler's coordinates: slopes left and right of where it was found must agree."""
    guess, pilot = part("guess").Guess, part("pilot")
    one = np.ones((2, 3))
    patient, leaving = (guess(share * one, one, one, one, told * np.ones((2, 5, 3))) for share, told in ((1.0, 2.0), (2.0, 30.0)))
    look = pilot._requests(patient, leaving)

    def told(giving_up: float) -> jax.Array:
        value, information, _ = look({"giving_up": giving_up})
        return value.sum() + information.sum()

    slope = jax.jit(jax.grad(told))
    for at in (*pilot.GIVING_UP, *np.linspace(0.001, 0.5, 40)):
        assert abs(float(slope(at - 1e-9)) - float(slope(at + 1e-9))) < 1e-4 * abs(float(slope(at)))


def test_looks_at_weeks_are_beyond_what_the_calendar_makes_of_them(data: object) -> None:
    """Where closed days are busier, weeks with holidays are explained by as much: what is left to the provider's weeks goes down."""
    counts = drawn(data, 25.0)
    seen = seen_as(data, "advice", counts, np.zeros(counts.shape, bool))
    guess, demand = part("guess"), part("demand")
    look = part("pilot")._weeks(seen, guess.messages(seen))["week_coefficient"]
    first = part("priors").first_parameter
    usual = {name: np.asarray(first(name)) for name in ("weekday_effect", "calls_monday", "closed_effect", "after_closure", "growth")}
    usual |= {"season": np.zeros(4)}
    busier = usual | {"closed_effect": usual["closed_effect"] + 0.5}
    steps = [demand.rhythm(demand.Calendar(**sites), data.span, data.span.days[0]).messages[0] for sites in (usual, busier)]
    more = data.span.by_week(np.asarray(steps[1] - steps[0])) / 7.0  # alike on average over a week's days, which tell nearly as much each
    basis, _ = demand.cosine_basis(len(data.span.weeks))
    moved = np.asarray(look(busier).value - look(usual).value)
    assert np.ptp(more) > 0.05
    np.testing.assert_allclose(moved[:, 0], -basis @ more, atol=0.35 * np.abs(basis @ more).max())
    alike = usual | {name: usual[name] + 0.5 for name in ("weekday_effect", "closed_effect")}
    np.testing.assert_allclose(np.asarray(look(alike).value), np.asarray(look(usual).value), atol=1e-9)
