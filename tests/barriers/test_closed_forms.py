"""Barriers against closed forms and against sums written out by hand."""

import itertools
from datetime import date

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from registry import MONDAY, grid
from scipy import stats

from bayestwin.barriers import (
    Access,
    Aggregate,
    Clamp,
    Coverage,
    DateShift,
    Delay,
    DPNoise,
    Grid,
    Linkage,
    Margin,
    RandomRound,
    Round,
    Suppress,
    TopCode,
    Unknown,
)
from bayestwin.laws.expected import Counts

N = np.arange(600)


def nb(mean: float, k: float, n: np.ndarray = N) -> np.ndarray:
    return stats.nbinom(k, k / (k + mean)).pmf(n)


def exactly(values: list[float] | np.ndarray) -> np.ndarray:
    return np.stack([np.asarray(values, float)] * 2, axis=-1)


def line(days: int) -> Grid:
    return Grid({"day": MONDAY + np.arange(days)})


def test_thinned_poisson_and_thinned_nb2() -> None:
    access, cells = Access(channels=(Coverage(fraction=0.3),)), Grid({"n": N})
    poisson = access.likelihood(Counts(jnp.asarray(9.0)), cells).log_prob(exactly(N))
    np.testing.assert_allclose(np.exp(poisson), stats.poisson(2.7).pmf(N), atol=1e-12)
    thinned = sum(p * stats.binom(n, 0.3).pmf(N) for n, p in enumerate(nb(9.0, 2.0)))
    law = access.likelihood(Counts(jnp.asarray(9.0), jnp.asarray(2.0)), cells)
    np.testing.assert_allclose(np.exp(law.log_prob(exactly(N)))[:100], thinned[:100], atol=1e-10)


def test_summed_poisson() -> None:
    access, cells = Access(channels=(Aggregate(period="week"),)), line(10)
    mean = jnp.arange(1.0, 11.0)
    law = access.likelihood(Counts(mean), cells)
    np.testing.assert_allclose(law.log_prob(exactly([30, 25])), stats.poisson([28.0, 27.0]).logpmf([30, 25]))


def test_linked_poisson() -> None:
    law = Access(channels=(Linkage(missed=0.25, false=2.0),)).likelihood(Counts(jnp.asarray(8.0)), Grid({"n": N}))
    np.testing.assert_allclose(np.exp(law.log_prob(exactly(N))), stats.poisson(8.0).pmf(N), atol=1e-12)  # 6 true, 2 false


@pytest.mark.parametrize("mechanism", ["discrete_laplace", "discrete_gaussian"])
def test_noised_counts_are_a_convolution(mechanism: str) -> None:
    noise = DPNoise(mechanism=mechanism, scale=2.5)
    y = np.arange(-30.0, 60.0)
    law = Access(releases=(noise,)).likelihood(Counts(jnp.asarray(6.0), jnp.asarray(3.0)), Grid({"y": y}))
    k = np.arange(-400, 401)
    weight = np.exp(-np.abs(k) / 2.5) if mechanism == "discrete_laplace" else np.exp(-0.5 * (k / 2.5) ** 2)
    by_hand = [(nb(6.0, 3.0)[:300] * np.interp(v - N[:300], k, weight / weight.sum())).sum() for v in y]
    np.testing.assert_allclose(np.exp(law.log_prob(exactly(y))), by_hand, rtol=1e-8, atol=1e-13)


def test_noise_by_epsilon_delta_and_rho() -> None:
    """ε = ρ + 2 √(ρ log 1/δ) (Bun & Steinke 2016, Proposition 1.3), and ρ = Δ² / 2σ²."""
    assert DPNoise(mechanism="discrete_laplace", epsilon=0.5, sensitivity=3).spread == pytest.approx(6.0)
    rho = DPNoise(mechanism="gaussian", epsilon=2.45, delta=1e-6).zcdp
    assert rho + 2.0 * np.sqrt(rho * np.log(1e6)) == pytest.approx(2.45)
    assert DPNoise(mechanism="gaussian", rho=0.1).spread == pytest.approx(2.236, abs=1e-3)


def test_noise_is_drawn_by_the_stated_law_and_not_by_the_generator() -> None:
    noise = DPNoise(mechanism="discrete_laplace", scale=2.0)
    first, second = (noise.draw(np.random.default_rng(0), np.zeros(5000, int)) for _ in range(2))
    assert not np.array_equal(first, second)
    k = np.arange(-12, 13)
    expected = np.tanh(0.25) * np.exp(-np.abs(k) / 2.0)
    found = np.array([(first == v).sum() for v in k])
    assert stats.chisquare(np.append(found, 5000 - found.sum()), 5000 * np.append(expected, 1.0 - expected.sum())).pvalue > 1e-5


def test_clamped_noise_is_censored_at_zero() -> None:
    law = Access(releases=(DPNoise(mechanism="discrete_laplace", scale=2.0), Clamp())).likelihood(
        Counts(jnp.asarray(3.0)), Grid({"n": N[:1]})
    )
    plain = Access(releases=(DPNoise(mechanism="discrete_laplace", scale=2.0),)).likelihood(Counts(jnp.asarray(3.0)), Grid({"n": N[:200]}))
    below = np.exp(plain.log_prob(exactly(-np.arange(200.0)))).sum()
    assert float(jnp.exp(law.log_prob(np.array([[-np.inf, 0.0]])))[0]) == pytest.approx(below, rel=1e-9)


def test_hidden_rounded_and_topped_counts_are_sums() -> None:
    pmf = nb(6.0, 4.0)
    counts, one = Counts(jnp.asarray(6.0), jnp.asarray(4.0)), Grid({"n": N[:1]})
    hidden = Access(releases=(Suppress(below=11),)).likelihood(counts, one).log_prob(np.array([[1.0, 10.0]]))
    assert float(jnp.exp(hidden)[0]) == pytest.approx(pmf[1:11].sum())
    rounded = Access(releases=(Suppress(below=8), Round(base=5)))
    ends = rounded.read(np.array([10.0]), np.array([False]), np.array([True]))
    assert ends.tolist() == [[8.0, 12.0]]
    assert float(jnp.exp(rounded.likelihood(counts, one).log_prob(ends))[0]) == pytest.approx(pmf[8:13].sum())
    topped = Access(releases=(TopCode(limit=12),)).likelihood(counts, one).log_prob(np.array([[12.0, np.inf]]))
    assert float(jnp.exp(topped)[0]) == pytest.approx(pmf[12:].sum(), rel=1e-9)


def test_random_rounding_is_unbiased() -> None:
    drawn = RandomRound(base=3).draw(np.random.default_rng(0), np.tile(np.arange(7), (20_000, 1)))
    assert set(np.unique(drawn)) <= {0.0, 3.0, 6.0, 9.0}
    assert np.abs(drawn.mean(0) - np.arange(7)).max() < 5 * 1.5 / np.sqrt(20_000)


def test_parts_and_total_by_enumeration() -> None:
    access = Access(channels=(Margin(dim="part"),), releases=(Suppress(below=4, zero="hidden"), Round(base=5)))
    cells = Grid({"part": np.array(["a", "b", "c"])})
    mean, k = np.array([2.0, 3.0, 9.0]), 2.0
    law = access.likelihood(Counts(jnp.asarray(mean), jnp.asarray(k)), cells)
    ends = access.read(np.array([0.0, 5.0, 10.0, 15.0]), np.array([True, False, False, False]), np.ones(4, bool))
    by_hand = sum(
        np.prod([nb(m, k, np.array(n)) for m, n in zip(mean, parts, strict=True)])
        for parts in itertools.product(range(4), range(4, 8), range(8, 13))
        if 13 <= sum(parts) <= 17
    )
    assert float(jnp.exp(law.log_prob(ends))) == pytest.approx(by_hand, rel=1e-10)


def test_protected_parts_by_enumeration() -> None:
    """The law of every table that can be published equals the chance of all counts that are published like it."""
    access = Access(channels=(Margin(dim="part"),), releases=(Suppress(below=3, complementary=True),))
    cells, mean = Grid({"part": np.array(["a", "b", "c"])}), np.array([1.0, 2.0, 4.0])
    law = access.likelihood(Counts(jnp.asarray(mean)), cells)
    found: dict[tuple, float] = {}
    for parts in itertools.product(range(9), repeat=3):
        ends = access.publish(0, np.array([*parts, sum(parts)]), cells).cells
        key = tuple(ends.ravel())
        found[key] = found.get(key, 0.0) + float(np.prod(stats.poisson(mean).pmf(parts)))
    small = {key: p for key, p in found.items() if key[-1] <= 8}  # tables that no larger parts could make
    ends = np.array(list(small)).reshape(-1, 4, 2)
    np.testing.assert_allclose(np.exp(law.log_prob(ends)), list(small.values()), rtol=1e-9)
    assert len(small) > 60


def test_a_unit_shifted_as_one_is_a_mixture() -> None:
    access, cells = Access(channels=(DateShift(days=1, each="unit"),)), Grid({"day": MONDAY + np.arange(2), "unit": np.array(["a"])})
    law = access.likelihood(Counts(jnp.array([[2.0], [5.0]])), cells)
    seen = np.array([0, 3, 4, 0])[:, None]
    p = stats.poisson
    by_hand = np.log(p(2.0).pmf(3) * p(5.0).pmf(4) / 3)  # only a shift by nothing leaves both outer days empty for sure
    assert float(law.log_prob(exactly(seen))) == pytest.approx(by_hand)
    both = np.log((p(2.0).pmf(3) * p(5.0).pmf(0) + p(2.0).pmf(0) * p(5.0).pmf(3)) / 3)
    assert float(law.log_prob(exactly(np.array([0, 3, 0, 0])[:, None]))) == pytest.approx(both)


@pytest.mark.parametrize(("days", "share"), [(1, 0.75), (2, 0.36), (3, 0.0), (5, 0.20), (7, 0.07)])
def test_date_shift_blurs_the_week_as_it_should(days: int, share: float) -> None:
    """The weekly harmonic keeps |sin((2K+1)π/7) / ((2K+1) sin(π/7))| of its size."""
    cells = line(70)
    wave = 10.0 + 5.0 * np.cos(2 * np.pi * np.arange(70) / 7)
    blurred = np.asarray(DateShift(days=days).expect(Counts(jnp.asarray(wave)), cells, {}).mean)[2 * days : -2 * days]
    assert (blurred.max() - blurred.min()) / (wave.max() - wave.min()) == pytest.approx(share, abs=0.01)


def test_poisson_triangle_is_a_product_and_nb_triangle_a_total_and_its_split() -> None:
    delay, cells = Delay(maximum=2, pmf=(0.5, 0.3, 0.2), as_of=date(2024, 1, 2)), line(2)
    access = Access(channels=(delay,))
    seen = np.array([[4.0, 2.0, 0.0], [3.0, 0.0, 0.0]])
    ends = access.read(seen, np.zeros((2, 3), bool), access.present(cells))
    poisson = access.likelihood(Counts(jnp.array([8.0, 9.0])), cells).log_prob(ends).sum()
    assert float(poisson) == pytest.approx(stats.poisson([4.0, 2.4, 4.5]).logpmf([4, 2, 3]).sum())
    joint = access.likelihood(Counts(jnp.array([8.0, 9.0]), jnp.asarray(2.0)), cells).log_prob(ends)
    by_hand = np.log(nb(8.0 * 0.8, 2.0, np.array(6))) + stats.multinomial(6, [0.625, 0.375]).logpmf([4, 2])
    np.testing.assert_allclose(joint, [by_hand, np.log(nb(4.5, 2.0, np.array(3)))])


@settings(max_examples=25, deadline=None)
@given(shift=st.integers(-2000, 2000), days=st.integers(1, 12), maximum=st.integers(0, 5), ahead=st.integers(-2, 15))
def test_delay_zero_is_the_event_day_wherever_the_calendar_begins(shift: int, days: int, maximum: int, ahead: int) -> None:
    start = np.datetime64("2024-03-01") + np.timedelta64(shift, "D")
    as_of = (start + np.timedelta64(ahead, "D")).astype(date)
    delay = Delay(maximum=maximum, as_of=as_of)
    cells = Grid({"day": start + np.arange(days)})
    present = delay.present(delay.out(cells))
    assert present.tolist() == [[i + d <= ahead for d in range(maximum + 1)] for i in range(days)]


def test_report_day_effects_move_reports_and_no_totals() -> None:
    delay, cells = Delay(maximum=6, weekday=True, holidays=(date(2024, 1, 3),), walk_sd=0.5, by="unit"), grid(14, 3)
    own = {"baseline": jnp.linspace(-1, 1, 6), "weekday": jnp.array([0.0, 0, 0, 0, -3.0, -5.0]), "holiday": -4.0}
    own |= {"walk_scale": 0.5, "walk_z": jnp.array([2.0]), "spread": 0.7, "unit_z": jnp.array([-1.0, 0.0, 1.0])}
    p = np.asarray(delay.probabilities(cells, own))
    np.testing.assert_allclose(p.sum(-1), 1.0, atol=1e-12)
    assert p[0, 1, 2] < 0.1 * p[1, 1, 2]  # two days after Monday is the holiday, after Tuesday it is not


def test_batches_release_nothing_and_then_everything() -> None:
    delay = Delay(maximum=9, pmf=(0.4, 0.3, 0.2, 0.1, 0, 0, 0, 0, 0, 0), release_days=("Thursday",))
    p = np.asarray(delay.probabilities(line(7), {}))
    np.testing.assert_allclose(p.sum(-1), 1.0)
    assert p[0].nonzero()[0].tolist() == [3]  # Monday's reports all wait for Thursday
    assert p[3].nonzero()[0].tolist() == [0, 7]  # Thursday's own at once, the rest a week later
    assert p[3, 7] == pytest.approx(0.6)


def test_dated_and_undated_events_are_all_there_are() -> None:
    delay, cells = Delay(maximum=2, pmf=(0.5, 0.3, 0.2), undated=0.25), line(5)
    counts = Counts(jnp.arange(1.0, 6.0), jnp.asarray(3.0))
    dated, undated = delay.expect(counts, cells, {}), delay.without_date(counts, cells, {})
    assert float(dated.mean.sum() + undated.mean.sum()) == pytest.approx(15.0)
    assert undated.mean.shape == (7,)
    assert float(undated.mean[0]) == pytest.approx(0.25 * 0.5)


def test_what_is_reported_so_far_is_the_sum_of_the_triangle() -> None:
    cells, counts = line(6), Counts(jnp.full(6, 8.0))
    triangle = Delay(maximum=2, pmf=(0.5, 0.3, 0.2), as_of=date(2024, 1, 6))
    so_far = triangle.model_copy(update={"released": "so_far"})
    cellwise = np.where(triangle.present(triangle.out(cells)), triangle.expect(counts, cells, {}).mean, 0.0)
    np.testing.assert_allclose(so_far.expect(counts, cells, {}).mean, cellwise.sum(-1))


@pytest.mark.parametrize("released", ["so_far", "triangle"])
@pytest.mark.parametrize("concentration", [None, 5.0])
def test_delays_that_cannot_be_say_nothing_and_have_slopes(released: str, concentration: float | None) -> None:
    """With a report after a day at the soonest, the density is that of the cells that can be reported at all."""
    delay, cells = Delay(maximum=2, pmf=(0.0, 0.75, 0.25), as_of=date(2024, 1, 5), released=released), line(5)
    access = Access(channels=(delay,))
    published = access.degrade(np.random.default_rng(1), np.full(5, 10), cells)

    def density(log_mean: jax.Array) -> jax.Array:
        k = None if concentration is None else jnp.asarray(concentration)
        law = access.likelihood(Counts(jnp.exp(log_mean) * jnp.ones(5), k), cells)
        return law.log_prob(jnp.asarray(published.cells)).sum()

    found, slope = jax.value_and_grad(density)(jnp.asarray(2.0))
    assert np.isfinite(slope)
    if concentration is None:
        share = np.array([[0.75, 0.25]] * 3 + [[0.75, 0.0]]) * np.exp(2.0)
        if released == "so_far":
            by_hand = stats.poisson(share.sum(1)).logpmf(published.cells[:4, 0]).sum()
        else:
            by_hand = stats.poisson(share).logpmf(published.cells[:4, 1:, 0])[[0, 0, 1, 1, 2, 2, 3], [0, 1, 0, 1, 0, 1, 0]].sum()
        assert float(found) == pytest.approx(by_hand)


def test_what_cannot_be_reported_yet_is_known() -> None:
    delay = Delay(maximum=2, pmf=(0.0, 0.75, 0.25), as_of=date(2024, 1, 5), released="so_far")
    assert delay.nothing_yet(line(5)).tolist() == [False] * 4 + [True]
    assert not delay.model_copy(update={"pmf": (0.5, 0.3, 0.2)}).nothing_yet(line(5)).any()


def test_uncertain_coverage_of_two_streams_is_correlated_as_stated() -> None:
    cells = grid(1, 1)
    first = Access(channels=(Coverage(fraction=0.5, logit_sd=1.0, shared="ehr", correlation=0.6, name="a"),))
    second = Access(channels=(Coverage(fraction=0.8, logit_sd=1.0, shared="ehr", correlation=0.6, name="b"),))

    def logits(key: jax.Array) -> jax.Array:
        import numpyro

        with numpyro.handlers.seed(rng_seed=key):
            common: dict = {}
            drawn = [access.unknowns(cells, shared=common) for access in (first, second)]
        shares = [
            access.channels[0].share(cells, own[access.channels[0].title]) for access, own in zip((first, second), drawn, strict=True)
        ]
        return jnp.stack([jnp.log(s / (1 - s)) for s in shares])

    drawn = jax.vmap(logits)(jax.random.split(jax.random.key(0), 20_000))
    assert np.corrcoef(np.asarray(drawn).T)[0, 1] == pytest.approx(0.6, abs=0.03)
    assert np.asarray(drawn).std(0) == pytest.approx(1.0, abs=0.03)


def test_the_unknown_category_takes_what_the_others_lose() -> None:
    unknown = Unknown(category="?", structural=True, null=0.2)
    cells = Grid({"week": MONDAY + 7 * np.arange(2), "band": np.array(["under", "a", "b", "over"])})
    counts = Counts(jnp.tile(jnp.array([1.0, 10.0, 20.0, 2.0]), (2, 1)))
    released = unknown.expect(counts, cells, {"slope": 0.0})
    np.testing.assert_allclose(released.mean[0], [8.0, 16.0, 9.0])
    assert unknown.out(cells).coords["band"].tolist() == ["a", "b", "?"]
    tilted = unknown.expect(counts, cells, {"slope": 1.0})
    assert tilted.mean[0, 0] / tilted.mean[0, 1] > 0.5  # long ones are hidden more often
