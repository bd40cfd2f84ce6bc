"""What the published tables do not show: the posterior is the model's, and the laws are those of what is hidden."""

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
