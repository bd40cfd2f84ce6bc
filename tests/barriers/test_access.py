"""Composition: what fits, what is refused, and the same object at work in a model."""

from datetime import date
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import pytest
from numpyro import distributions as dist
from numpyro.infer import Predictive
from pydantic import ValidationError
from registry import grid
from scipy import stats

from bayestwin.barriers import (
    Access,
    AccessError,
    Aggregate,
    ChartSample,
    Clamp,
    Consent,
    Coverage,
    DateShift,
    Delay,
    DPNoise,
    Embargo,
    Grid,
    Margin,
    NonResponse,
    RandomRound,
    Round,
    SiteAbsence,
    SiteSelection,
    Suppress,
    TopCode,
)
from bayestwin.infer.predictive import predict
from bayestwin.laws.expected import Counts, Measure

NOISE = DPNoise(mechanism="discrete_laplace", epsilon=1.0)


@pytest.mark.parametrize(
    ("barriers", "message"),
    [
        ((Aggregate(period="week"), DateShift(days=3)), r"aggregate → date_shift.*'day'.*'week'"),
        ((Aggregate(period="month"), Aggregate(period="week", name="again")), r"aggregate → again.*'week'.*'month'"),
        ((Delay(maximum=3), Delay(maximum=2, name="second")), r"adds the dim 'delay'.*has one from \['delay'\]"),
        ((Delay(maximum=3, as_of=date(2024, 1, 5)), Aggregate(period="week")), r"lacks those that \['delay'\] has not reported"),
        ((Suppress(below=5), NOISE), r"suppress → dp_noise: a symbol cannot be noised"),
        ((Suppress(below=5), Suppress(below=8, name="more")), r"two rules hide small counts"),
        ((Suppress(below=3), Round(base=10)), r"suppress → round: 0 and 3 would both be published as 0"),
        ((Suppress(below=5, complementary=True),), r"state a margin as the last channel"),
        ((Margin(dim="unit"), TopCode(limit=9)), r"margin → \['topcode'\]"),
        ((Margin(dim="unit"), NOISE), r"margin → \['dp_noise'\]: noised parts"),
        ((Margin(dim="unit"), Coverage(fraction=0.5)), r"margin → \['coverage'\]: parts and total go through"),
        ((Round(base=5), Aggregate(period="week")), r"round → aggregate.*has released them as numbers"),
        ((Round(base=5), Round(base=3)), r"barriers of one name: \['round'\]; give each a `name`"),
    ],
)
def test_what_cannot_be_is_refused_when_built(barriers: tuple, message: str) -> None:
    with pytest.raises(AccessError, match=message):
        Access.through(barriers)


@pytest.mark.parametrize(
    ("access", "message"),
    [
        (Access(channels=(Aggregate(period="week", level="region"),)), r"which region; the levels here are \['group'\]"),
        (Access(channels=(Aggregate(period="week"), Coverage(fraction={"x": 0.5}, by="unit"))), r"stated for \['x'\]; 'unit' has \['u0', 'u1', 'u2'\].*\['day', 'unit'\] → \['week', 'unit'\]"),
        (Access(channels=(Margin(dim="day"),)), r"'day' must be the last dim; the dims here are \['day', 'unit'\]"),
        (Access(channels=(Delay(maximum=2, by="clinic"),)), r"there is no dim 'clinic' here"),
        (Access(absences=(SiteAbsence(dim="unit", absent=("u9",)),)), r"\['u9'\] are not among the units"),
        (Access(absences=(SiteAbsence(dim="clinic", absent=()),)), r"there is no dim 'clinic' here: \['day', 'unit'\]"),
        (Access(channels=(Aggregate(categories={"band": {}}),)), r"there is no dim 'band' here: \['day', 'unit'\]"),
        (Access(channels=(Aggregate(categories={"unit": {"all": ("u0", "u1")}}),)), r"add up \['u0', 'u1'\]; there are \['u0', 'u1', 'u2'\]"),
    ],
)  # fmt: skip
def test_both_sides_of_a_mismatch_are_shown(access: Access, message: str) -> None:
    with pytest.raises(AccessError, match=message):
        access.degrade(0, np.ones(grid().shape, int), grid())


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: DPNoise(epsilon=1.0), "a privacy claim without its mechanism"),
        (lambda: DPNoise(mechanism="gaussian", epsilon=1e-320, delta=1e-6), "epsilon"),
        (lambda: DPNoise(mechanism="gaussian", epsilon=1.0, delta=1e-320), "delta"),
        (lambda: DPNoise(mechanism="discrete_laplace", epsilon=1e-6), r"noise of spread 1e\+06 cannot be summed out"),
        (lambda: DPNoise(mechanism="gaussian", scale=float("inf")), "finite number"),
        (
            lambda: Aggregate(categories={"band": {"a": ("x",), "b": ("x", "y")}}),
            r"categories of 'band' add up \['x', 'x', 'y'\]: each belongs to one",
        ),
        (lambda: DPNoise(mechanism="gaussian", epsilon=1.0), "needs delta"),
        (lambda: DPNoise(mechanism="discrete_laplace", rho=0.1), "stated by epsilon"),
        (lambda: DPNoise(mechanism="gaussian"), "found none"),
        (lambda: Delay(maximum=2, pmf=(0.5, 0.5)), "delays 0 to 2 need 3"),
        (lambda: Delay(maximum=1, pmf=(0.5, 0.6)), "sums to 1.1"),
        (lambda: ChartSample(charts=5, sampled=6), "6 charts cannot be sampled of 5"),
        (lambda: Embargo(start=date(2024, 2, 1), end=date(2024, 1, 1)), "give the earlier day first"),
        (lambda: Aggregate(), "nothing is added up"),
        (lambda: Coverage(covered="a"), "streams covered and population"),
        (lambda: DateShift(days=3, direction="onwards", keeps_weekday=True), "no shift is left"),
        (lambda: Consent(fraction=0.5, slope_range=(1.0, -1.0)), "give the lower end first"),
    ],
)
def test_barriers_that_contradict_themselves(build: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        build()


@pytest.mark.parametrize(
    ("releases", "values", "wrong", "barrier"),
    [
        ((Suppress(below=8),), [0, 3, 8], [False, True, False], "suppress"),
        ((Suppress(below=8), Round(base=5)), [0, 5, 10, 11], [False, True, False, False], "suppress"),
        ((Round(base=5),), [10, 11], [False, True], "round"),
        ((RandomRound(base=3),), [9, 10], [False, True], "random_round"),
        ((TopCode(limit=90),), [90, 91], [False, True], "topcode"),
        ((NOISE, Clamp()), [0, -1], [False, True], "clamp"),
        ((NOISE,), [-4, 2.5], [False, True], "dp_noise"),
        ((ChartSample(charts=50, sampled=10),), [10, 11], [False, True], "chart_sample"),
    ],
)
def test_numbers_that_contradict_a_barrier(releases: tuple, values: list, wrong: list, barrier: str) -> None:
    found = Access(releases=releases).objections(np.array(values, float), np.zeros(len(values), bool))
    mine = next(objection for objection in found if objection.barrier.title == barrier)
    assert mine.wrong.tolist() == wrong


def test_lifting_what_is_not_there() -> None:
    with pytest.raises(AccessError, match=r"no barrier 'delay' to lift; there are \['round'\]"):
        Access(releases=(Round(base=5),)).lift("delay")


def test_a_model_conditions_and_predicts_through_one_object() -> None:
    """Posterior mean against a grid; draws from the same law have the published form."""
    access, cells = Access(channels=(Coverage(fraction=0.5),), releases=(Suppress(below=5), Round(base=5))), grid(5, 2)
    seen = access.degrade(0, np.random.default_rng(1).poisson(14.0, cells.shape), cells)

    def model(observed: np.ndarray | None) -> None:
        level = numpyro.sample("level", dist.Normal(2.0, 1.0))
        numpyro.sample("counts", access.likelihood(Counts(jnp.exp(level)), cells, access.unknowns(cells)), obs=observed)

    mcmc = numpyro.infer.MCMC(numpyro.infer.NUTS(model), num_warmup=300, num_samples=1500, progress_bar=False)
    mcmc.run(jax.random.key(0), seen.cells)
    level = np.linspace(0.0, 4.0, 801)
    mean = 0.5 * np.exp(level)[:, None]
    low, high = seen.cells.reshape(-1, 2).T
    log_p = stats.norm(2.0, 1.0).logpdf(level) + np.log(stats.poisson(mean).cdf(high) - stats.poisson(mean).cdf(low - 1)).sum(-1)
    weight = np.exp(log_p - log_p.max())
    exact = (level * weight).sum() / weight.sum()
    sd = np.sqrt((level**2 * weight).sum() / weight.sum() - exact**2)
    drawn = np.asarray(mcmc.get_samples()["level"])
    assert drawn.mean() == pytest.approx(exact, abs=5 * sd / np.sqrt(300))
    assert drawn.std() == pytest.approx(sd, rel=0.15)
    replicated = predict(partial(model, seen.cells), {"level": drawn[:50]}, np.random.default_rng(0))["counts"]
    assert replicated.shape == (50, *seen.cells.shape)
    assert replicated.mean() == pytest.approx(seen.cells.mean(), rel=0.5)
    predicted = Predictive(model, mcmc.get_samples(), parallel=False)(jax.random.key(1), None)["counts"]
    shown = np.asarray(predicted[..., 1] - predicted[..., 0])
    assert set(np.unique(shown)) <= {0.0, 2.0, 3.0, 4.0}  # zeros, 5 for 5..7, hidden 1..4, other multiples


def test_scores_of_those_who_answer() -> None:
    """Non-respondents five points above: respondents lie (1 - φ) 5 below the mean of all."""
    access, cells = Access(channels=(NonResponse(response=0.4),)), Grid({"survey": np.arange(3)})
    given = {"non_response": {"slope": 5.0}}
    law = access.likelihood(Measure(jnp.full(3, 65.0), jnp.asarray(9.0)), cells, given)
    seen = np.array([60.0, 62.0, 70.0])
    np.testing.assert_allclose(law.log_prob(np.stack([seen, seen], -1)), stats.norm(62.0, 9.0).logpdf(seen))
    degraded = access.degrade(0, np.full(3, 65.0), cells, given)
    np.testing.assert_allclose(degraded.values, 62.0)
    everyone = Access(channels=(NonResponse(response=1.0),)).degrade(0, np.full(3, 65.0), cells)
    np.testing.assert_allclose(everyone.values, 65.0)


def test_who_took_part_says_how_sites_differ() -> None:
    barrier, cells = SiteSelection(dim="unit", absent=("u2",)), grid()
    law = barrier.takes_part(cells, {"intercept": 0.5, "covariate": 0.0, "slope": 2.0}, jnp.array([0.0, 1.0, -1.0]))
    assert barrier.took_part(cells).tolist() == [1, 1, 0]
    np.testing.assert_allclose(law.log_prob(barrier.took_part(cells)), np.log(1.0 / (1.0 + np.exp([-0.5, -2.5, -1.5]))))
    assert not barrier.present(cells)[:, 2].any()


def test_nothing_is_known_of_an_absent_cell() -> None:
    access, cells = Access(absences=(Embargo(start=date(2024, 1, 2), end=date(2024, 1, 3)),)), grid(4, 1)
    seen = access.degrade(0, np.arange(4)[:, None], cells)
    assert seen.present[:, 0].tolist() == [True, False, False, True]
    log_p = access.likelihood(Counts(jnp.asarray(2.0)), cells).log_prob(seen.cells)
    assert log_p[1:3, 0].tolist() == [0.0, 0.0]


def test_a_coarser_extract_of_one_latent_adds_up_what_is_worked_out_finely() -> None:
    """A quantity that is not linear in the counts is summed after it is worked out, on the fine grid."""
    cells = grid(14, 3)
    load = np.random.default_rng(0).gamma(3.0, 2.0, cells.shape)
    overflow = np.maximum(load - 6.0, 0.0)
    week = Aggregate(period="week", level="group")
    np.testing.assert_allclose(week.total(overflow, cells)[0, 1], overflow[:7, 1:].sum())
    assert week.total(overflow, cells)[0, 1] > max(week.total(load, cells)[0, 1] - 6.0 * 14, 0.0)
    assert week.out(cells).dims == ("week", "group")
