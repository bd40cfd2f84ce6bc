import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpyro import distributions as dist
from numpyro.infer import MCMC, NUTS

from bayestwin.laws.hazard import log_probability
from bayestwin.nowcast import Shape, Triangle
from bayestwin.nowcast.fit import Data, Fit, Spreads, designs, fit
from bayestwin.nowcast.model import Model, leaning_model, own_model, plain_offset
from bayestwin.nowcast.nowcasting import series_data
from bayestwin.nowcast.predict import remaining
from bayestwin.nowcast.triangle import recent
from tests.nowcast.conftest import SMALL, START, simulated

AS_OF = START + np.timedelta64(55, "D")
TINY = Shape(times=14, delays=4, knots=(0, 1, 3), early=(0,), late=(3,), pace=7, weekdays=False)


def fitted(triangle: Triangle, offset: np.ndarray | None = None) -> Fit:
    known = recent(triangle, AS_OF, SMALL.times, SMALL.delays)
    model = own_model(SMALL) if offset is None else leaning_model(SMALL)
    return fit(model, series_data(known, 0, SMALL, plain_offset(SMALL) if offset is None else offset))


def mean_delay(found: Fit) -> float:
    return float((jnp.exp(log_probability(found.logits)) @ jnp.arange(SMALL.delays)).mean())


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 3))
def test_a_constant_added_to_all_delays_moves_the_mass(more: int) -> None:
    triangle = simulated(1, rate=200.0)
    moved = np.concatenate([np.zeros_like(triangle.counts[:, :more]), triangle.counts[:, : SMALL.delays - more]], axis=1)
    empirical = (moved.sum(0)[:, 0] @ np.arange(SMALL.delays)) / moved.sum()
    assert mean_delay(fitted(Triangle(moved, triangle.seen, triangle.dates, triangle.series))) == pytest.approx(empirical, abs=0.15)


def test_a_small_series_leans_on_a_lead() -> None:
    lead, small = fitted(simulated(4, rate=300.0)), simulated(5, rate=1.0)
    truth = np.exp(log_probability(lead.logits))
    apart = [
        np.abs(np.exp(log_probability(found.logits)) - truth).mean() for found in (fitted(small, np.asarray(lead.logits)), fitted(small))
    ]
    assert apart[0] < 0.5 * apart[1]


def test_overdispersed_counts_are_seen_to_be() -> None:
    triangle = simulated(7, rate=200.0)
    rng = np.random.default_rng(7)
    noisy = rng.poisson(triangle.counts * rng.gamma(2.0, 0.5, triangle.counts.shape))
    plain, spread = (fitted(Triangle(counts, triangle.seen, triangle.dates, triangle.series)) for counts in (triangle.counts, noisy))
    assert float(plain.dispersion[0]) < 1.5
    assert float(spread.dispersion[0]) > 3.0


def test_runs_of_delays_have_the_moments_of_their_cells() -> None:
    means = np.broadcast_to([8.0, 4.0, 2.0, 1.0], (40_000, 1, 4))
    drawn = remaining(np.random.default_rng(0), means, np.array([[True, False, False, False]]), np.array([2.5, 1.0]), np.array([0, 2]))
    np.testing.assert_allclose(drawn.mean(0)[0], [4.0, 3.0], rtol=0.03)
    np.testing.assert_allclose(drawn.var(0)[0], [10.0, 7.5], rtol=0.05)


def plain_model(model: Model, data: Data, spreads: Spreads) -> None:
    """The same model as a modeller would write it for NUTS, with Poisson cells."""
    rates, hazards = designs(model, data.kinds)
    sd = np.repeat(np.sqrt(spreads.variance), [block.size for _, block in model.blocks])
    with numpyro.plate("coefficient", len(sd)):
        z = numpyro.sample("z", dist.Normal(0.0, 1.0))
    x = sd * z
    logit = data.offset + (hazards @ x[rates.shape[1] :]).T
    log_mean = data.level + (rates @ x[: rates.shape[1]])[:, None] + log_probability(logit)
    numpyro.deterministic("log_total", data.level + (rates @ x[: rates.shape[1]])[-3:])
    numpyro.sample("counts", dist.Poisson(jnp.exp(log_mean)).mask(data.seen).to_event(2), obs=data.counts)


def test_the_fast_fit_agrees_with_nuts_on_the_same_model() -> None:
    """Means within a tenth of a posterior sd and four Monte Carlo standard errors, sds within 12 %."""
    rng = np.random.default_rng(2)
    counts = rng.poisson(np.outer(np.full(14, 150.0), [0.4, 0.3, 0.2, 0.1]))
    seen = np.add.outer(np.arange(14), np.arange(4)) < 14
    model = own_model(TINY)
    data = Data(*map(jnp.asarray, (np.where(seen, counts, 0.0), seen, np.zeros(TINY.periods, int), plain_offset(TINY), np.log(150.0))))
    spreads = Spreads(jnp.array([block.sd**2 for _, block in model.blocks]), jnp.ones(2))
    fast = fit(model, data, spreads)
    rates, _ = designs(model, data.kinds)
    columns = jnp.pad(rates[-3:], ((0, 0), (0, fast.mean.size - rates.shape[1])))
    half = jax.scipy.linalg.solve_triangular(fast.root, columns.T, lower=True)
    mean, sd = data.level + columns @ fast.mean, jnp.sqrt((half**2).sum(0))
    sampler = MCMC(NUTS(plain_model), num_warmup=300, num_samples=1000, progress_bar=False)
    sampler.run(jax.random.key(0), model, data, spreads)
    drawn = np.asarray(sampler.get_samples()["log_total"])
    effective = numpyro.diagnostics.effective_sample_size(drawn[None])
    np.testing.assert_array_less(np.abs(drawn.mean(0) - mean), 0.1 * sd + 4 * drawn.std(0) / np.sqrt(effective))
    np.testing.assert_allclose(sd, drawn.std(0), rtol=0.12)
