"""Weeks that are over at the as-of date and not published: they are unknown to the model, forecasts begin after them, and they can be asked for."""

import re
import shutil
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest
import xarray as xr
from model_parts import model_part
from numpyro.handlers import seed, substitute, trace
from numpyro.infer.util import log_density

import bayestwin as bt
from bayestwin.credibility.backtest import backtest
from bayestwin.credibility.sites import against_others
from bayestwin.infer.predictive import prior_draws
from bayestwin.prepared import Prepared, prepare
from bayestwin.twin.scenario import Scenario

part = partial(model_part, "gp_appointments")
LATE = 3  # weeks
STUDY = Path(__file__).parents[2] / "data" / "virtual_practices"


@pytest.fixture(scope="module")
def in_time() -> Prepared:
    return prepare(bt.read_study(STUDY))


@pytest.fixture(scope="module")
def late(in_time: Prepared) -> Prepared:
    study = in_time.study
    return prepare(study.at(study.as_of + timedelta(days=7 * LATE + 2)))


def test_weeks_that_are_over_come_after_what_is_published(in_time: Prepared, late: Prepared) -> None:
    before, after = in_time.data, late.data
    weeks = len(before.calendar.weeks)
    assert (before.late, after.late) == (0, LATE)
    for name in ("appointments", "appointments_seen", "patients", "days", "days_open", "durations", "durations_seen"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name), err_msg=name)
    np.testing.assert_array_equal(after.until.weeks[:weeks], after.calendar.weeks)
    assert set(np.diff(after.until.weeks)) == {np.timedelta64(7, "D")}
    np.testing.assert_array_equal(after.listed[weeks:], np.broadcast_to(before.patients[-1], (LATE, len(before.area))))
    values, seen = late.twin.definition.counted(after)["appointments"]
    assert seen[:weeks].any()
    assert not seen[weeks:].any()
    assert not values[weeks:].any()


def test_a_part_of_a_week_is_no_week_that_is_over(in_time: Prepared) -> None:
    study = in_time.study
    assert prepare(study.at(study.as_of + timedelta(days=6))).data.late == 0


def test_forecasts_begin_after_them(in_time: Prepared, late: Prepared) -> None:
    spans = [one.twin.definition.future(one.data, 8, Scenario(), one.study.calendar) for one in (in_time, late)]
    assert spans[1].weeks[0] - spans[0].weeks[0] == np.timedelta64(7 * LATE, "D")
    fitted = late.twin.definition.fitted(late.data, late.study.calendar)
    assert fitted.weeks[-1] + np.timedelta64(7, "D") == spans[1].weeks[0]
    assert late.study.as_of - fitted.weeks[-1].item() < timedelta(days=14)


def test_their_draws_are_those_of_a_forecast_that_begins_with_them(in_time: Prepared, late: Prepared) -> None:
    """Weeks that nothing is told of have the law that a forecast from the published weeks gives them."""
    drawn = {name: np.repeat(values[:1], 4000, axis=0) for name, values in prior_draws(late.model, np.random.default_rng(5), 1).items()}
    rng = np.random.default_rng(6)
    drawn |= {name: rng.standard_normal(drawn[name].shape) for name in ("late_national", "late_board", "late_minutes")}
    definition, horizon = late.twin.definition, 4
    known = definition.per_draw(late.data, drawn, definition.fitted(late.data, late.study.calendar))
    ahead = definition.future(late.data, horizon, Scenario(), late.study.calendar)
    further = definition.per_draw(late.data, drawn, ahead)
    told = {name: values for name, values in drawn.items() if not name.startswith("late_")}
    span = definition.future(in_time.data, LATE + horizon, Scenario(), in_time.study.calendar)
    at_once = definition.per_draw(in_time.data, told, span)
    for name, place in (("nation", "national"), ("boards", "board"), ("tilt", "minutes")):
        value, walk, shock = known[f"{name}_late"], drawn[f"walk_{place}"][0], drawn[f"shock_{place}"][0]
        mean, variance = at_once[f"{name}_mean"][0], at_once[f"{name}_variance"][0]
        weeks = np.arange(1, LATE + 1).reshape(-1, *[1] * mean.ndim)
        np.testing.assert_allclose((value.mean(0) - mean) / value.std(0), 0.0, atol=0.08)
        np.testing.assert_allclose(
            value.std(0), np.broadcast_to(np.sqrt(variance + weeks * walk**2 + shock**2), value.shape[1:]), rtol=0.06
        )
        left, of_mean = further[f"{name}_variance"], further[f"{name}_mean"].var(0)
        np.testing.assert_allclose(of_mean + left[0], variance + LATE * walk**2, rtol=0.12)
    np.testing.assert_allclose(further["exposure"][0], at_once["exposure"][0][LATE:], rtol=1e-10)
    np.testing.assert_allclose(known["exposure"][0][-LATE:], at_once["exposure"][0][:LATE], rtol=1e-10)


def test_the_model_and_its_fitted_weeks_expect_the_same(late: Prepared) -> None:
    drawn = prior_draws(late.model, np.random.default_rng(7), 1)
    definition, weeks = late.twin.definition, len(late.data.calendar.weeks)
    sites = trace(seed(substitute(late.finer, {name: part[0] for name, part in drawn.items()}), jax.random.key(0))).get_trace()
    span = definition.fitted(late.data, late.study.calendar)
    one = {name: part[0] for name, part in definition.per_draw(late.data, drawn, span).items()}
    one["log_concentration"] = np.full_like(one["log_concentration"], 30.0)  # no chance but Poisson's
    found = definition.draw(late.data, span, one, np.random.default_rng(8), 400)["appointments"]
    assert found.shape[1:] == (weeks + LATE, len(late.data.area))
    expected = np.asarray(sites["late_appointments"]["fn"].source.counts.mean)
    np.testing.assert_allclose(found[:, weeks:].mean(0), expected, atol=0.3 * np.sqrt(expected).max(), rtol=1e-3)


def test_late_weeks_are_offered_as_tables_like_the_others(late: Prepared) -> None:
    values = {name: part[0] for name, part in prior_draws(late.model, np.random.default_rng(2), 1).items()}
    plain, finer = (float(log_density(model, (), {}, values)[0]) for model in (late.model, late.finer))
    assert np.isfinite(plain)
    assert finer == pytest.approx(plain, rel=1e-12)
    sites = trace(seed(substitute(late.finer, values), jax.random.key(0))).get_trace()
    appointments, durations = (sites[f"late_{name}"]["fn"].source for name in ("appointments", "durations"))
    np.testing.assert_array_equal(appointments.grid.coords["period"], late.data.until.weeks[-LATE:])
    published = np.asarray(sites["appointments"]["fn"].base_dist.mean)
    assert appointments.counts.mean.shape == (LATE, published.shape[1])
    np.testing.assert_allclose(np.asarray(durations.counts.mean).sum(-1), appointments.counts.mean, rtol=1e-10)
    assert {barrier.name for source in (appointments, durations) for barrier in source.access.absences} == {"publication lag"}


def test_late_weeks_are_asked_for_of_areas_that_are_granted_and_the_others_for_published_weeks(late: Prepared) -> None:
    data = late.data
    granted = np.arange(len(data.area)) != 2
    less = replace(
        late, data=replace(data, appointments_seen=data.appointments_seen & granted, durations_seen=data.durations_seen & granted)
    )
    values = {name: part[0] for name, part in prior_draws(less.model, np.random.default_rng(2), 1).items()}
    sites = trace(seed(substitute(less.finer, values), jax.random.key(0))).get_trace()
    grids = {name: sites[f"{name}_durations"]["fn"].source.grid.coords for name in ("late", "areas")}
    np.testing.assert_array_equal(grids["late"]["area"], data.area[granted])
    np.testing.assert_array_equal(grids["late"]["week"], data.until.weeks[-LATE:])
    np.testing.assert_array_equal(grids["areas"]["area"], data.area[~granted])
    np.testing.assert_array_equal(grids["areas"]["week"], data.calendar.weeks)


def test_a_study_that_is_simulated_from_a_late_one_is_late_as_well(late: Prepared, tmp_path: Path) -> None:
    folder = tmp_path / "late"
    shutil.copytree(STUDY, folder)
    text = (folder / "study.toml").read_text(encoding="utf-8")
    moved = re.sub(r"^as_of = \S+", f"as_of = {late.study.as_of}", text, count=1, flags=re.M)
    (folder / "study.toml").write_text(moved, encoding="utf-8")
    drawn = prepare(bt.simulate_study(tmp_path / "drawn", study=folder, seed=3))
    np.testing.assert_array_equal(drawn.data.until.weeks, late.data.until.weeks)
    truth = xr.load_dataset(drawn.study.folder / "truth.nc", engine="h5netcdf")
    ahead = drawn.twin.definition.future(drawn.data, 8, Scenario(), drawn.study.calendar)
    np.testing.assert_array_equal(truth["future_week"].to_numpy().astype("datetime64[D]"), ahead.weeks)


def test_past_dates_of_a_backtest_leave_a_horizon_of_weeks_that_are_published(in_time: Prepared, late: Prepared) -> None:
    study = late.study
    (piece,) = backtest(study, 1, bt.Sampling())
    dates = [study.as_of - timedelta(weeks=LATE + study.horizon_weeks)]
    assert [piece.name] == [f"refitting as of {date}" for date in dates]
    last_published = in_time.data.calendar.weeks[-1]
    span = late.twin.definition.future(prepare(study.at(dates[0])).data, study.horizon_weeks, Scenario(), study.calendar)
    assert abs(span.weeks[-1] - last_published) <= np.timedelta64(7, "D")


def test_places_that_stayed_are_told_by_the_weeks_that_are_published(late: Prepared) -> None:
    data = late.data
    stayed = np.arange(len(data.area)) != 2
    less = replace(late, data=replace(data, appointments_seen=data.appointments_seen & stayed, durations_seen=data.durations_seen & stayed))
    drawn = {name: values[None] for name, values in prior_draws(late.model, np.random.default_rng(3), 20).items()}
    (row,) = against_others(late, less, drawn, 1)
    assert row["cells"] == data.appointments_seen[:, 2].sum() > 0
    assert row["naive_wis"] > 0.0


def test_the_second_model_has_the_same_density(late: Prepared) -> None:
    pytest.importorskip("pymc")
    from bayestwin.infer.predictive import sites
    from bayestwin.infer.second import log_density as second_density
    from bayestwin.sampled import second_model

    drawn = prior_draws(late.model, np.random.default_rng(1), 3)
    points = [{name: drawn[name][i] for name in sites(late.model).latent} for i in range(3)]
    theirs = np.array([second_density(second_model(late))(point) for point in points])
    ours = np.array([float(log_density(late.model, (), {}, point)[0]) for point in points])
    np.testing.assert_allclose(theirs - theirs[0], ours - ours[0], rtol=1e-9, atol=1e-6)
