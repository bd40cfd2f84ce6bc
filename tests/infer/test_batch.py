"""Many fits by one program: each is the fit that it would be alone, and its posterior is the closed form."""

from collections.abc import Callable

import jax
import numpy as np
import numpyro
import pytest
from numpyro import distributions as dist
from scipy.special import gamma
from threadpoolctl import threadpool_info

from bayestwin.components.informed import Pilot, seen
from bayestwin.infer.batch import sample_many
from bayestwin.infer.mcmc import Draws
from bayestwin.infer.settings import Sampling

SAMPLING = Sampling(chains=2, draws=400, warmup=60, seed=3)
VALUES = np.array([[1.0, 3.0, 0.0], [0.0, -2.0, 4.0], [5.0, 5.0, 5.0]])
SEEN = np.array([[True, True, False], [True, True, True], [False, False, False]])


def model(data: tuple) -> None:
    """A normal mean and observations of variance one, some of which are padding."""
    values, seen = data
    mean = numpyro.sample("mean", dist.Normal(0.0, 2.0))
    with numpyro.plate("item", 3):
        numpyro.sample("values", dist.Normal(mean, 1.0).mask(seen), obs=values)


def means(draws: Draws) -> np.ndarray:
    return draws.sites["mean"]


def test_each_posterior_is_the_closed_form_and_padding_counts_for_nothing() -> None:
    for draws, values, there in zip(sample_many(model, (VALUES, SEEN), SAMPLING, of=means), VALUES, SEEN, strict=True):
        precision = 0.25 + there.sum()
        error = 1.0 / np.sqrt(precision) / np.sqrt(400)  # draws of quarter turns are nearly independent: 800, taken for half as many
        assert abs(draws.mean() - values[there].sum() / precision) < 4.0 * error
        assert draws.std() == pytest.approx(precision**-0.5, rel=0.12)


def test_a_fit_does_not_depend_on_what_runs_beside_it() -> None:
    together = list(sample_many(model, (VALUES, SEEN), SAMPLING, of=means))
    alone = next(sample_many(model, (VALUES[:1], SEEN[:1]), SAMPLING, of=means))
    np.testing.assert_array_equal(together[0], alone)


def test_a_gpu_takes_data_sets_together_and_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    one_by_one = list(sample_many(model, (VALUES, SEEN), SAMPLING))
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    together = list(sample_many(model, (VALUES, SEEN), SAMPLING))
    assert len(together) == 3
    for one, other in zip(one_by_one, together, strict=True):
        assert set(one.stats) == set(other.stats)
        np.testing.assert_allclose(one.sites["mean"], other.sites["mean"], rtol=1e-6)


def test_a_gpu_takes_a_single_data_set_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert next(sample_many(model, (VALUES[:1], SEEN[:1]), SAMPLING)).sites["mean"].shape == (2, 400)


def test_blas_has_one_thread_while_fits_run() -> None:
    def threads(draws: Draws | None = None) -> list[int]:
        return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]

    before = threads()
    assert before
    for found in sample_many(model, (VALUES, SEEN), SAMPLING, of=threads):
        assert found == [1] * len(found)
    assert threads() == before


@pytest.mark.parametrize("pilot", [lambda data: Pilot(), lambda data: Pilot({"mean": seen(np.zeros(()), 2.0)})])
def test_a_pilot_reads_the_traced_data_and_changes_no_posterior(pilot: Callable) -> None:
    draws = next(sample_many(model, (VALUES[1:2], SEEN[1:2]), SAMPLING, pilot))
    assert set(draws.sites) == {"mean"}
    assert draws.sites["mean"].shape == (2, 400)
    assert draws.sites["mean"].mean() == pytest.approx(2.0 / 3.25, abs=4.0 / np.sqrt(3.25 * 400))


def test_a_scale_near_zero_and_a_skewed_law_are_sampled() -> None:
    def skewed(y: jax.Array) -> None:
        sd = numpyro.sample("sd", dist.HalfNormal(1.0))
        numpyro.sample("y", dist.Normal(0.0, sd).expand([4]).to_event(1), obs=y)

    y = np.array([[0.3, -0.2, 0.5, 0.1]])
    grid = np.linspace(1e-3, 5.0, 20_000)
    weight = np.exp(-0.5 * grid**2 - 4 * np.log(grid) - 0.5 * (y[0] ** 2).sum() / grid**2)
    mean = (grid * weight).sum() / weight.sum()
    draws = next(sample_many(skewed, y, Sampling(chains=4, draws=1000, warmup=150)))
    sd = draws.sites["sd"]
    assert sd.mean() == pytest.approx(mean, abs=4.0 * sd.std() / np.sqrt(1000))
    assert not draws.stats["diverging"].any()


def test_warm_up_learns_units_that_the_curvature_at_the_mode_does_not_tell() -> None:
    def steep(data: np.ndarray) -> None:
        x = numpyro.sample("x", dist.Normal(np.zeros(5), 100.0))
        numpyro.factor("fourth_power", -data * (x**4).sum())  # flat at its mode: the curvature says eight times the spread

    draws = next(sample_many(steep, np.ones(1), Sampling(chains=2, draws=400, warmup=90, seed=1)))
    assert draws.stats["n_steps"].mean() < 20.0  # 8 to 11 in their own units, 38 to 43 without
    assert draws.sites["x"].std() == pytest.approx(np.sqrt(gamma(0.75) / gamma(0.25)), rel=0.1)
