"""The parts of the general-practice model against closed forms and plain simulation."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
from model_parts import model_part

import bayestwin as bt
from bayestwin.prepared import prepare

part = partial(model_part, "gp_appointments")


def test_working_days_average_one() -> None:
    effects = part("model").day_kind_effects(jnp.array([-0.1, -0.2, 0.3, 0.0]), *(jnp.array(x) for x in (-3.0, -5.0, -5.0)))
    assert float(jnp.exp(effects[:5]).mean()) == pytest.approx(1.0)
    assert float(effects[2] - effects[0]) == pytest.approx(-0.2)
    np.testing.assert_allclose(effects[5:], [-3.0, -5.0, -5.0])


def test_school_holidays_unsettle_places_most_when_half_are_closed() -> None:
    kind, none = np.zeros(5, int), np.zeros(5)
    found = [float(part("workload")._unsettled(kind, none, np.full(5, share), np.zeros(5, int), 1)[0]) for share in (0.0, 0.5, 1.0)]
    np.testing.assert_allclose(found, [0.0, 1.0, 0.0])


def test_gp_share_of_minutes_in_a_case_worked_by_hand() -> None:
    # GP: 4 face-to-face and 2 remote at half the minutes are 5; others: 2 and 1 at twice a GP's minutes are 5.
    share = part("future").gp_minutes_share(np.array([0.4, 0.2, 0.2, 0.1, 0.0]), 0.5, 2.0, 0.0)
    assert share == pytest.approx(0.5)
    # Unknown staff split as the known ones do change nothing; tilted towards GPs they add to their minutes.
    with_unknown = np.array([0.32, 0.16, 0.16, 0.08, 0.28])
    assert part("future").gp_minutes_share(with_unknown, 0.5, 2.0, 0.0) == pytest.approx(0.5)
    assert part("future").gp_minutes_share(with_unknown, 0.5, 2.0, 1.0) > 0.5


@pytest.mark.parametrize("slope", [-0.5, 0.0, 0.5])
def test_minutes_hidden_by_unknown_match_a_simulated_selection(slope: float) -> None:
    bands = bt.read_study(Path(__file__).parents[2] / "data" / "virtual_practices").extracts[0].barriers
    band = next(barrier for barrier in bands if barrier.kind == "band")
    rng = np.random.default_rng(0)
    log_gamma = np.log(rng.gamma(4.0, size=2_000_000))
    minutes = np.exp(2.2 + 0.7 * (log_gamma - 1.2561176684318) / np.sqrt(0.2838229557371))  # digamma(4), trigamma(4)
    data = SimpleNamespace(band=band)
    middle = np.asarray(part("model").log_minutes_of_bands(data.band))
    index = np.digitize(minutes, band.edges) - 1
    inside = (index >= 0) & (index < len(middle))
    # Three in ten of the releasable durations are nulls, in the end; a band's chance to be one rises with exp(slope × log minutes).
    rising = np.exp(slope * middle)
    masses = np.bincount(index[inside], minlength=len(middle)) / inside.sum()
    weight = (0.3 * rising / (masses @ rising))[index[inside]]
    hidden = (minutes[~inside].sum() + (weight * minutes[inside]).sum()) / ((~inside).sum() + weight.sum())
    draws = {
        "area_minutes": np.array([[2.2]]),
        "area_spread": np.log([[0.7]]),
        "duration_shape": np.array([4.0]),
        "area_null": np.log([[0.3 / 0.7]]),
        "null_slope": np.array([slope]),
    }
    found, _ = part("future")._categories(data.band, *draws.values())
    assert found[0, 0, -1] == pytest.approx(hidden, rel=0.01)


def test_withheld_areas_contribute_nothing_and_keep_their_latents(tiny_study: Path) -> None:
    from numpyro.infer.util import log_density

    prepared = prepare(bt.read_study(tiny_study))
    pilot = prepared.twin.definition.pilot
    masked = {name: getattr(prepared.data, name).copy() for name in ("appointments_seen", "durations_seen")}
    for mask in masked.values():
        mask[:, 1] = False
    withheld = replace(prepared.data, **masked)
    spoilt = replace(withheld, appointments=withheld.appointments.copy(), durations=withheld.durations.copy())
    spoilt.appointments[:, 1] = 123456
    spoilt.durations[:, 1] = 999
    priors = {name: row.build() for name, row in prepared.priors.items()}
    model = part("model").model
    from bayestwin.infer.predictive import prior_draws

    drawn = {name: value[0] for name, value in prior_draws(partial(model, withheld, priors), np.random.default_rng(0), 1).items()}
    assert drawn["area_level"].shape == (3,)
    densities = [float(log_density(model, (data, priors), {}, drawn)[0]) for data in (withheld, spoilt, prepared.data)]
    assert densities[0] == pytest.approx(densities[1], rel=1e-12)
    assert densities[0] != pytest.approx(densities[2], rel=1e-3)
    # A silent area's effects carry no information, so that the sampler takes them from their prior.
    looks = pilot(withheld).looks
    assert float(looks["area_level"]({}).information[1]) == 0.0
    assert float(looks["band_logit"]({}).information[1].max()) == 0.0


def test_looks_at_an_area_multiply_to_the_joint_estimate() -> None:
    """Each of an area's three parameters given those before it: drawn in turn they have the fit's own covariance."""
    minutes = part("pilot_minutes")
    root = np.array([[0.3, 0.0, 0.0], [0.2, 0.1, 0.0], [-0.1, 0.05, 0.2]])
    fit = minutes.FamilyFit(4.0, np.array([[-1.0, 2.2, -0.3]]), np.array([[0.0, 0.1, -0.2]]), (root @ root.T)[None])
    rng = np.random.default_rng(0)
    sites = {"duration_shape": np.array(4.0 * np.e)}
    drawn = []
    for j, name in enumerate(minutes.AREA_LAW):
        value, information, _ = fit.given_the_others(j, np.array([True]))(sites)
        drawn.append(np.asarray(value) + rng.standard_normal(100_000) / np.sqrt(information))
        sites[name] = drawn[-1]
    np.testing.assert_allclose(np.mean(drawn, axis=1), [-1.0, 2.3, -0.5], atol=0.005)
    np.testing.assert_allclose(np.cov(drawn), root @ root.T, atol=0.002)
    alone = fit.alone(2, np.array([True]))(sites).information
    assert float(alone[0]) == pytest.approx(1.0 / (root @ root.T)[2, 2])


def test_pilot_finds_the_family_that_bands_came_from() -> None:
    minutes = part("pilot_minutes")
    edges = np.array([0.5, 5.5, 10.5, 15.5, 20.5, 30.5, 60.5])
    true = np.array([[-1.0, 2.2, -0.3], [-0.2, 2.0, -0.2], [-2.0, 2.5, -0.5], [-1.2, 2.1, -0.25]])
    logit = minutes._band_logits(np.column_stack([true, np.full(4, np.log(6.0))]), edges)
    misfit, fit = minutes._family(logit, np.tile(1e-8 * np.eye(6), (4, 1, 1)), edges, np.array([-1.0, 2.1, -0.3]))
    assert fit.shape == pytest.approx(6.0, rel=0.3)
    # To first order in the shape, the areas' values at the true shape are the true ones.
    found = fit.value + fit.by_shape * np.log(6.0 / fit.shape)
    np.testing.assert_allclose(found, true, atol=0.02)
    assert misfit < 0.02


def test_part_weeks_vary_as_shares_of_a_divided_week() -> None:
    """Closed days against the rest, then working days among themselves; a week of which only the weekend was seen."""
    from numpyro.handlers import seed, substitute

    model, workload = part("model"), part("workload")
    place = SimpleNamespace(country="GB", subdivision="ENG", school_holidays=())
    seen = workload.calendar(np.arange(np.datetime64("2022-02-12"), np.datetime64("2022-02-25")), "week", place)  # Saturday to Thursday
    data = SimpleNamespace(calendar=seen, whole_weeks=workload.whole_weeks(seen, place))
    usual = np.array([0.22, 0.2, 0.2, 0.18, 0.17, 0.02, 0.01])
    concentration = model.DayConcentration(jnp.array([2000.0, 2000.0, 300.0]), jnp.array(500.0))
    run = partial(model.part_weeks, data, jnp.array([usual] * 3), concentration)
    found = np.asarray(substitute(seed(run, 0), {"part_week": jnp.array([1.0, 1.0])})())
    rng = np.random.default_rng(0)
    rest = rng.dirichlet(500.0 * np.append(usual[5:], usual[:5].sum()), 400_000)
    four = rest[:, 2] * rng.dirichlet(300.0 * usual[:5] / usual[:5].sum(), 400_000)[:, :4].sum(1)
    np.testing.assert_allclose(found, [np.log(rest[:, :2].sum(1)).std(), 0.0, np.log(four).std()], rtol=0.01)


def test_weeks_around_holidays_divide_less_alike() -> None:
    found = part("model").day_concentration(1000.0, 2.0, 300.0, SimpleNamespace(unsettled=np.array([0.0, 0.5, 1.0])))
    np.testing.assert_allclose(found.working, 1000.0 * np.exp([0.0, -1.0, -2.0]))
    assert found.closed == 300.0
