"""What the published tables do not show: the posterior is the model's, and the laws are those of what is hidden."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest
from model_parts import model_part
from numpyro.handlers import seed, substitute, trace
from numpyro.infer.util import log_density

import bayestwin as bt
from bayestwin.infer.predictive import prior_draws
from bayestwin.prepared import Prepared, prepare
from bayestwin.preposterior.current import Current
from bayestwin.preposterior.lifting import barrier_names

part = partial(model_part, "gp_appointments")


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return prepare(bt.read_study(Path(__file__).parents[2] / "data" / "virtual_practices"))


@pytest.fixture(scope="module")
def values(prepared: Prepared) -> dict:
    return {name: part[0] for name, part in prior_draws(prepared.model, np.random.default_rng(2), 1).items()}


def sites_of(prepared: Prepared, values: dict) -> dict:
    return trace(seed(substitute(prepared.finer, values), jax.random.key(0))).get_trace()


def test_the_posterior_is_that_of_the_model(prepared: Prepared, values: dict) -> None:
    plain, finer = (float(log_density(model, (), {}, values)[0]) for model in (prepared.model, prepared.finer))
    assert np.isfinite(plain)
    assert finer == pytest.approx(plain, rel=1e-12)


def test_four_barriers_can_be_lifted(prepared: Prepared) -> None:
    from bayestwin.preposterior.current import released_sites

    nothing = np.empty(0)
    at = Current(prepared.finer, None, nothing, nothing, nothing)
    assert barrier_names(released_sites(at)) == ["unknown durations", "bands", "unknown staff", "clinician hours"]


def test_unknown_durations_are_those_of_a_simulated_selection(prepared: Prepared, values: dict) -> None:
    """Durations drawn and hidden one by one: outside the bands always, inside with a chance that rises with the band and has the stated mean."""
    law = sites_of(prepared, values)["unknown_durations"]["fn"].source.counts
    found = np.asarray(law.mean)[0] / np.asarray(law.mean)[0].sum()
    band, rng = prepared.data.band, np.random.default_rng(0)
    shape, mean, sd = float(values["duration_shape"]), float(values["area_minutes"][0]), float(np.exp(values["area_spread"][0]))
    drawn = np.log(rng.gamma(shape, size=2_000_000))
    minutes = np.exp(mean + sd * (drawn - float(jax.scipy.special.digamma(shape))) / np.sqrt(float(jax.scipy.special.polygamma(1, shape))))
    index = np.digitize(minutes, band.edges)
    inside = (index > 0) & (index < len(band.edges))
    rising = np.exp(float(values["null_slope"]) * np.asarray(part("model").log_minutes_of_bands(band)))[
        np.clip(index - 1, 0, len(band.edges) - 2)
    ]
    stated = 1.0 / (1.0 + np.exp(-float(values["area_null"][0])))
    chance = np.where(inside, stated * rising / rising[inside].mean(), 1.0)
    hidden = index[rng.random(len(minutes)) < chance]
    expected = np.bincount(hidden, minlength=len(band.edges) + 1) / len(hidden)
    np.testing.assert_allclose(found, expected, atol=3e-3)


def test_minutes_within_a_band_add_up_to_what_is_published_of_it(prepared: Prepared, values: dict) -> None:
    """So that they tell nothing of the bands anew."""
    law = sites_of(prepared, values)["minute_by_minute"]["fn"].source.counts
    data = prepared.data
    starts = np.searchsorted(np.arange(data.band.edges[0], data.band.edges[-1]), data.band.edges[:-1])
    of_bands = np.add.reduceat(np.asarray(law.mean)[3], starts)
    published = np.where(data.durations_seen[:, 3, None], data.durations[:, 3, :-1], 0).sum(0)
    np.testing.assert_allclose(of_bands, published, atol=0.1)


def without(prepared: Prepared, areas: list[int]) -> Prepared:
    """The study as it would be if some areas had not been granted."""
    data = prepared.data
    granted = ~np.isin(np.arange(len(data.area)), areas)
    return replace(
        prepared, data=replace(data, appointments_seen=data.appointments_seen & granted, durations_seen=data.durations_seen & granted)
    )


def test_areas_that_were_not_granted_can_be_asked_for(prepared: Prepared, values: dict) -> None:
    part = without(prepared, [2, 5])
    plain, finer = (float(log_density(model, (), {}, values)[0]) for model in (part.model, part.finer))
    assert finer == pytest.approx(plain, rel=1e-12)
    sites = sites_of(part, values)
    appointments, durations = (sites[name]["fn"].source for name in ("areas_appointments", "areas_durations"))
    assert appointments.grid.coords["area"].tolist() == durations.grid.coords["area"].tolist() == part.data.area[[2, 5]].tolist()
    whole = sites_of(prepared, values)["appointments"]["fn"].base_dist
    np.testing.assert_allclose(appointments.counts.mean, np.asarray(whole.mean)[:, [2, 5]], rtol=1e-10)
    np.testing.assert_allclose(np.asarray(durations.counts.mean).sum((1, 2)), np.asarray(appointments.counts.mean).sum(1), rtol=1e-10)
    assert "areas_appointments" not in sites_of(prepared, values)


def test_bands_of_an_area_tell_what_they_tell_given_their_total(prepared: Prepared, values: dict) -> None:
    """Independent counts of the bands are the Dirichlet-multinomial of the model, given a total whose own law does not depend on the shares."""
    from bayestwin.laws.counts import DirichletMultinomial
    from bayestwin.laws.expected import Counts

    law = sites_of(without(prepared, [2]), values)["areas_durations"]["fn"].source.counts
    mean, concentration = (np.asarray(part, float)[1, 0] for part in (law.mean, law.concentration))
    shares = np.asarray(sites_of(prepared, values)["durations"]["fn"].base_dist.concentration)[1, 2]
    np.testing.assert_allclose(concentration, shares, rtol=1e-6)
    for n in (np.random.default_rng(3).poisson(mean), np.random.default_rng(4).poisson(0.1 * mean)):
        given = DirichletMultinomial(concentration, total_count=n.sum()).log_prob(n)
        total = Counts(jax.numpy.array(mean.sum()), jax.numpy.array(concentration.sum())).log_pmf(n.sum())
        assert float(Counts(mean, concentration).log_pmf(n).sum()) == pytest.approx(float(given + total), abs=1e-6)
