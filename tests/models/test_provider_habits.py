"""The first look at habits: usable time and what is cleared after hours, from weekly metrics of known habits."""

from dataclasses import replace
from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest
from model_parts import model_part

from bayestwin.barriers import Access, Grid
from bayestwin.twin.twin import Design

part = partial(model_part, "provider_workload")
habits, workload = part("habits"), part("workload")
PROVIDERS = 6
TRUE = np.stack([np.linspace(-0.35, -0.15, PROVIDERS), np.linspace(0.5, 2.0, PROVIDERS)])  # log usable share, log-odds of what is cleared
ITEMS = {"inbox_minutes": 60.0, "documentation_minutes": 200.0}  # of a working day
PROMPT = 0.3


def weekly(data: object, name: str, values: np.ndarray) -> object:
    return workload.Stream(np.stack([values, values], -1), Access(), Grid({"week": data.span.weeks, "provider": data.roster.provider}))


@pytest.fixture(scope="module")
def study() -> tuple[object, np.ndarray, np.ndarray]:
    """A clinic whose weekly metrics are what its habits make of busy and slack weeks, without noise; its messages and visits."""
    data = part("publish").invent(Design(units=PROVIDERS, groups=2, weeks=26), 3)
    open_days, steps = data.schedule.open_days, len(data.span.starts)
    busy = 1.0 + 0.5 * np.sin(np.arange(steps) / 4.0)[:, None] + 0.3 * np.sin(np.arange(steps) / 29.0)[:, None]
    messages = 10.0 * busy * open_days * np.ones((4, 1, 1))
    visits = np.stack([12.0 * busy * open_days, 2.0 * busy * open_days])
    days = data.span.of_step @ open_days
    streams = {name: weekly(data, name, minutes * days) for name, minutes in ITEMS.items()}
    data = replace(data, streams=streams | {"after_hours_minutes": weekly(data, "after_hours_minutes", np.ones_like(days))})
    day = [habits._by_day(data, name) for name in ITEMS]
    expected, _, _ = habits._look(data, habits._load(data, *day, messages, visits), np.zeros((2, 1, 1)), jnp.asarray(TRUE), PROMPT)
    names = ("after_hours_minutes", "turnaround_days")
    shown = {name: weekly(data, name, np.asarray(values)) for name, values in zip(names, expected, strict=True)}
    return replace(data, streams=streams | shown), messages, visits


def without(data: object, name: str) -> object:
    return replace(data, streams={kept: stream for kept, stream in data.streams.items() if kept != name})


def test_habits_are_found_from_what_they_make_of_work(study: tuple) -> None:
    found = habits.habits(*study)
    np.testing.assert_allclose(found.value[0], TRUE[0], atol=2e-3)
    np.testing.assert_allclose(found.value[1], TRUE[1], atol=0.05)


def test_without_turnaround_less_is_known_of_what_is_cleared(study: tuple) -> None:
    data, messages, visits = study
    whole, less = (habits.habits(seen, messages, visits).information for seen in (data, without(data, "turnaround_days")))
    assert (less[1, 1] < 0.5 * whole[1, 1]).all()
    assert (less[0, 0] > 0.1 * whole[0, 0]).all()


def test_information_is_what_more_weeks_add_up_to(study: tuple) -> None:
    data, messages, visits = study
    hours = data.streams["after_hours_minutes"].ends.copy()
    hours[::2] = [0.0, np.inf]
    half = replace(data, streams=data.streams | {"after_hours_minutes": replace(data.streams["after_hours_minutes"], ends=hours)})
    half = without(half, "turnaround_days")
    whole = habits.habits(without(data, "turnaround_days"), messages, visits).information[0, 0]
    np.testing.assert_allclose(habits.habits(half, messages, visits).information[0, 0] / whole, 0.5, atol=0.15)


@pytest.mark.parametrize("name", ["after_hours_minutes", "inbox_minutes", "documentation_minutes"])
def test_of_a_provider_without_minutes_nothing_is_said(study: tuple, name: str) -> None:
    data, messages, visits = study
    found = habits.habits(without(data, name), messages, visits)
    assert (found.information == 0.0).all()
    assert np.isfinite(found.value).all()


@pytest.fixture(scope="module")
def usable(study: tuple) -> tuple:
    """The look at usable time, and sites at which things take what is usual."""
    data, messages, visits = study
    guessed = [
        part("guess").Guess(np.zeros((len(count), PROVIDERS)), count, 0 * count, 0 * count, 0 * count) for count in (messages, visits)
    ]
    usual = {name: jnp.asarray(part("priors").first_parameter(name)) for name in ("message_minutes", "visit_minutes", "admin_minutes")}
    items = messages.sum(1).T @ np.exp(np.asarray(usual["message_minutes"]))
    inbox, documentation = (data.streams[name].ends[..., 0].sum(0) for name in ITEMS)
    usual |= {"overlap": jnp.asarray(habits.USUAL_OVERLAP), "vendor_factor": jnp.zeros(2), "cleared": jnp.asarray(TRUE[1])}
    usual |= {"speed": jnp.log(inbox / items), "documentation": jnp.log(documentation / visits.sum((0, 1)))}
    return habits.looks_at_habits(data, *guessed)["usable"], usual


def test_usable_time_follows_what_is_cleared(study: tuple, usable: tuple) -> None:
    """Along the line on which the metrics stay as they are."""
    look, usual = usable
    found = habits.habits(*study)
    at, moved = (look(usual | {"cleared": jnp.asarray(found.value[1] + shift)}).value for shift in (0.0, 0.1))
    np.testing.assert_allclose(np.asarray(at), found.value[0], atol=1e-6)
    np.testing.assert_allclose(np.asarray(moved - at), -0.1 * found.information[0, 1] / found.information[0, 0], rtol=1e-4)


def test_where_the_clock_shows_less_than_all_minutes_usable_time_is_as_much_more(usable: tuple) -> None:
    """The ridge of a clock and all minutes: metrics stay as they are, and so must what is sampled of usable time."""
    look, usual = usable
    longer = {name: usual[name] + 0.1 for name in ("message_minutes", "visit_minutes", "admin_minutes", "documentation")}
    moved = look(usual | longer | {"vendor_factor": usual["vendor_factor"] - 0.1}).value - look(usual).value
    np.testing.assert_allclose(np.asarray(moved), 0.1, rtol=1e-6)
