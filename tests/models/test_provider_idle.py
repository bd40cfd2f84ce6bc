"""Weeks without work say nothing: neither what is shown of them, nor what would be."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from model_parts import model_part

import bayestwin as bt
from bayestwin.barriers import Access, Delay, DPNoise
from bayestwin.prepared import Prepared, prepare
from bayestwin.preposterior.current import sites_of_model
from bayestwin.twin.twin import Design

part = partial(model_part, "provider_workload")
idle_weeks, workload = part("idle").idle_weeks, part("workload")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("idle") / "clinic"
    bt.simulate_study(folder, model="provider_workload", design=Design(units=4, groups=2, weeks=8), seed=5)
    return folder


@pytest.fixture(scope="module")
def prepared(study: Path) -> Prepared:
    return prepare(bt.read_study(study))


def on_leave(prepared: Prepared) -> np.ndarray:
    return np.asarray(prepared.data.span.by_week(prepared.data.schedule.minutes)) == 0


def test_what_is_shown_of_a_week_of_leave_is_left_out(study: Path, prepared: Prepared) -> None:
    """Notes of the week before that were finished on leave, such as an extract shows them."""
    stream = prepared.data.streams["documentation_minutes"]
    week, provider = np.argwhere(on_leave(prepared) & stream.access.present(stream.grid))[0]
    file = study / "extracts" / "documentation_minutes.csv.gz"
    whole = file.read_bytes()
    table = pd.read_csv(file)
    cell = (table["provider"] == prepared.data.roster.provider[provider]) & (table["week"] == str(prepared.data.span.weeks[week]))
    assert cell.sum() == 1
    table.loc[cell, "value"] = 31.0
    table.to_csv(file, index=False)
    found = prepare(bt.read_study(study)).data.streams["documentation_minutes"]
    file.write_bytes(whole)
    np.testing.assert_array_equal(found.ends[week, provider], [-np.inf, np.inf])
    np.testing.assert_array_equal(found.ends, stream.ends)


def test_hidden_weeks_of_leave_would_say_nothing_and_others_all_that_shown_ones_do(prepared: Prepared) -> None:
    sites, leave = sites_of_model(prepared.finer, prepared.twin.definition.reads), on_leave(prepared)
    assert leave.any()
    for name in ("documentation_minutes", "turnaround_days"):
        place = sites[name]
        hidden = ~place.access.present(place.grid)
        assert (hidden & leave).any(), name
        np.testing.assert_array_equal(place.told(Access()), ~leave)
    inbox = sites["inbox_minutes"]  # messages come on leave as well
    assert inbox.told(Access()).all()


def test_a_count_is_known_to_be_none_only_where_it_is_shown_as_it_is(prepared: Prepared) -> None:
    data = prepared.data
    assert not idle_weeks(data)["inbox_minutes"].any()
    ends = np.zeros((*data.schedule.minutes.shape, 2))
    plain = {name: replace(data.streams[name], access=Access(), ends=ends) for name in workload.MESSAGES}
    assert idle_weeks(replace(data, streams=plain))["inbox_minutes"].all()
    late = Access(channels=(Delay(maximum=1, pmf=(0.5, 0.5), released="so_far"),))
    noised = Access(releases=(DPNoise(mechanism="discrete_laplace", epsilon=1.0),))
    for access in (late, noised):
        one = plain | {"calls": replace(plain["calls"], access=access)}
        assert not idle_weeks(replace(data, streams=one))["inbox_minutes"].any()
    assert not idle_weeks(replace(data, streams={}))["inbox_minutes"].any()


def test_a_working_week_without_visits_has_nothing_to_write_up(prepared: Prepared) -> None:
    data = prepared.data
    none = {name: replace(data.streams[name], access=Access(), ends=np.zeros_like(data.streams[name].ends)) for name in workload.MODES}
    found = idle_weeks(replace(data, streams={**data.streams, **none}))
    assert found["documentation_minutes"].all()
    np.testing.assert_array_equal(found["turnaround_days"], on_leave(prepared))
    np.testing.assert_array_equal(found["ehr_minutes"], np.zeros_like(found["ehr_minutes"]))
