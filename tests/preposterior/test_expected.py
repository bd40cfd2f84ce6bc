"""Expected variances against closed forms, and what must hold whatever the barriers."""

from dataclasses import dataclass
from datetime import date
from functools import partial

import jax.numpy as jnp
import numpy as np
import numpyro
import pytest
from numpyro import distributions as dist
from scipy import stats

from bayestwin.barriers import Access, Coverage, Delay, Grid, Round, SiteAbsence, Suppress, Withheld
from bayestwin.components.hierarchy import Level, hierarchy
from bayestwin.components.informed import STANDS_FOR, Pilot, seen
from bayestwin.infer.mcmc import sample
from bayestwin.infer.settings import Sampling
from bayestwin.laws.expected import Counts, Measure
from bayestwin.preposterior.current import Current, current, released_sites, white
from bayestwin.preposterior.expected import _laid, gains
from bayestwin.preposterior.information import Law, information
from bayestwin.preposterior.lifting import barrier_names, every_subset, lifted
from bayestwin.preposterior.quantities import around

UNITS = np.array(["a", "b", "c", "d"])
DAYS = np.arange("2024-01-01", "2024-01-11", dtype="datetime64[D]")
GRID = Grid({"day": DAYS, "unit": UNITS})
SD_UNIT, SD_DAY, SD_OTHER = 0.8, 1.5, 0.7
ABSENT = SiteAbsence(dim="unit", absent=("c", "d"), name="late")
SILENT = Withheld(field="minutes", dim="unit", labels=("a", "d"), name="silent")
SAMPLING = Sampling(chains=2, draws=1500, warmup=300)
LONG = Sampling(chains=2, draws=25_000, warmup=300)  # variances of draws that go to and fro have an error of 1 to 2 %


@dataclass(frozen=True)
class Stream:
    access: Access
    ends: np.ndarray


def through(access: Access, clean: np.ndarray) -> Stream:
    return Stream(access, access.degrade(0, clean, GRID).cells)


def normal_model(first: Stream, second: Stream) -> None:
    """Units about a common level, measured twice."""
    level = numpyro.sample("level", dist.Normal(0.0, 2.0))
    unit = numpyro.sample("unit", dist.Normal(jnp.repeat(level, 4), SD_UNIT))
    for name, stream, sd in (("first", first, SD_DAY), ("second", second, SD_OTHER)):
        law = Measure(jnp.broadcast_to(unit, GRID.shape), jnp.full(GRID.shape, sd))
        numpyro.sample(name, stream.access.likelihood(law, GRID), obs=stream.ends)


def closed_form(lifted_names: list[str]) -> np.ndarray:
    """Posterior covariance of (level, units) under the barriers that are left."""
    prior = np.zeros((5, 5))
    prior[0, 0] = 1.0 / 2.0**2
    for unit in range(1, 5):
        tie = np.zeros(5)
        tie[[0, unit]] = 1.0, -1.0
        prior += np.outer(tie, tie) / SD_UNIT**2
    for barriers, sd in (((ABSENT,), SD_DAY), ((ABSENT, SILENT), SD_OTHER)):
        left = Access(absences=tuple(b for b in barriers if b.title not in lifted_names))
        prior[np.arange(1, 5), np.arange(1, 5)] += left.present(GRID).sum(0) / sd**2
    return np.linalg.inv(prior)


def now(model, sampling: Sampling = SAMPLING) -> Current:
    drawn = sample(model, Pilot(), sampling)
    return current(model, Pilot(), None, sampling, {name: values.reshape(-1, *values.shape[2:]) for name, values in drawn.sites.items()})


def variances(model, names_of_sites: int, points: int = 2, sampling: Sampling = SAMPLING) -> tuple[list[str], np.ndarray]:
    """Barriers, and expected covariances of the model's unknowns in its own coordinates, (subset, point, unknown)."""
    at = now(model, sampling)
    sites = released_sites(at)
    assert len(sites) == names_of_sites
    names = barrier_names(sites)
    wanted = [lifted(sites, subset) for subset in every_subset(names)]
    return names, gains(at, sites, wanted, points, 1).variances(wanted, at.root.T).swapaxes(0, 1)


def test_expected_variances_of_a_normal_hierarchy_are_the_closed_form() -> None:
    clean = np.random.default_rng(3).normal(size=(2, *GRID.shape))
    first, second = through(Access(absences=(ABSENT,)), clean[0]), through(Access(absences=(ABSENT, SILENT)), clean[1])
    names, found = variances(partial(normal_model, first, second), 2, sampling=LONG)
    assert names == ["late", "silent"]
    now = np.diag(closed_form([]))
    np.testing.assert_allclose(found[0].mean(0), now, rtol=0.05)
    for subset, value in zip(every_subset(names), found.mean(1), strict=True):
        np.testing.assert_allclose(value / found[0].mean(0), np.diag(closed_form(subset)) / now, rtol=0.04, err_msg=str(subset))


def poisson_model(stream: Stream, exposure: float) -> None:
    """One rate, gamma a priori."""
    rate = numpyro.sample("rate", dist.Gamma(30.0, 6.0))
    law = Counts(jnp.broadcast_to(rate * exposure, GRID.shape))
    numpyro.sample("counts", stream.access.likelihood(law, GRID), obs=stream.ends)


def test_expected_variance_of_a_poisson_rate_is_that_of_gamma_and_poisson() -> None:
    """A log rate with more exposure: E[Var] falls by the share of the exposure that was there."""
    clean = np.random.default_rng(4).poisson(5.0 * 0.3, GRID.shape)
    access = Access(absences=(ABSENT,))
    names, found = variances(partial(poisson_model, through(access, clean), 0.3), 1, points=20)
    now, whole = 6.0 + 0.3 * 20, 6.0 + 0.3 * 40
    assert names == ["late"]
    # The unknown is the rate's logarithm, whose posterior is normal but for terms of the order 1 / shape = 1 / 60.
    assert found[1].mean() / found[0].mean() == pytest.approx(now / whole, rel=0.04)


@pytest.mark.parametrize("release", [Suppress(below=3), Round(base=3), Round(base=1)])
def test_lifting_never_adds_variance_and_a_barrier_of_no_strength_is_worth_nothing(release) -> None:
    clean = np.random.default_rng(5).poisson(1.5, GRID.shape)
    names, found = variances(partial(poisson_model, through(Access(releases=(release,)), clean), 0.3), 1)
    assert len(names) == 1
    gained = 1.0 - found[1] / found[0]
    if release == Round(base=1):
        np.testing.assert_allclose(gained, 0.0, atol=1e-6)
    else:
        assert (gained > 0.0).all()


@pytest.mark.parametrize("channel", [Coverage(fraction=1.0), Delay(maximum=1, pmf=(1.0, 0.0), released="so_far", as_of=date(2024, 1, 10))])
def test_a_channel_of_no_strength_is_worth_nothing(channel) -> None:
    clean = np.random.default_rng(5).poisson(1.5, GRID.shape)
    names, found = variances(partial(poisson_model, through(Access(channels=(channel,)), clean), 0.3), 1)
    assert len(names) == 1
    np.testing.assert_allclose(found[1], found[0], rtol=1e-4)


def test_half_of_the_exposure_given_back_is_worth_its_half() -> None:
    clean = np.random.default_rng(5).poisson(15.0, GRID.shape)
    access = Access(channels=(Coverage(fraction=0.5),))
    _, found = variances(partial(poisson_model, through(access, clean), 3.0), 1, points=20)
    now, whole = 6.0 + 0.5 * 3.0 * 40, 6.0 + 3.0 * 40
    assert found[1].mean() / found[0].mean() == pytest.approx(now / whole, rel=0.04)


def test_cells_that_say_nothing_are_not_told_by_lifting_another_barrier() -> None:
    """Every second day was not reported for a reason of its own: hidden small numbers of these days stay away when the rule is lifted."""
    clean = np.random.default_rng(5).poisson(1.5, GRID.shape)
    stream = through(Access(releases=(Suppress(below=3),)), clean)
    gaps = stream.ends.copy()
    gaps[::2] = -np.inf, np.inf
    half = Grid({"day": DAYS[1::2], "unit": UNITS})

    def model(ends: np.ndarray, grid: Grid) -> None:
        rate = numpyro.sample("rate", dist.Gamma(30.0, 6.0))
        law = Counts(jnp.broadcast_to(rate * 0.3, grid.shape))
        numpyro.sample("counts", stream.access.likelihood(law, grid), obs=ends)

    (_, with_gaps), (_, without) = (variances(partial(model, ends, grid), 1, points=8) for ends, grid in ((gaps, GRID), (gaps[1::2], half)))
    shares = [found[1].mean() / found[0].mean() for found in (with_gaps, without)]
    assert shares[0] == pytest.approx(shares[1], abs=0.01)


def test_lifting_nothing_changes_nothing() -> None:
    clean = np.random.default_rng(6).poisson(1.5, GRID.shape)
    _, found = variances(partial(poisson_model, through(Access(absences=(ABSENT,)), clean), 0.3), 1)
    at = now(partial(poisson_model, through(Access(absences=(ABSENT,)), clean), 0.3))
    np.testing.assert_allclose(found[0], np.tile(np.square(at.root).sum(1), (2, 1)), rtol=1e-9)


def test_information_is_that_of_what_the_model_reads() -> None:
    """A zero that says only "none or less" tells as much of a normal mean as a censored value does."""
    mean, clamp = 0.3, lambda ends: np.where(ends[..., 1:] <= 0.0, [-np.inf, 0.0], ends)
    law = Law(Measure, {"loc": np.full(GRID.shape, mean)}, {"scale": np.ones(GRID.shape)}, ())
    plain, read = (np.mean([information(law, Access(), GRID, seed, *how).mean() for seed in range(40)]) for how in ((), (clamp,)))
    beyond = stats.norm.cdf(-mean)
    density = stats.norm.pdf(mean)
    censored = (1.0 - beyond) + mean * -density + density**2 / beyond  # E[z²; z > -mean] + score of the censored part
    assert plain == pytest.approx(1.0, abs=0.01)
    assert read == pytest.approx(censored, abs=0.01)


def test_correlations_that_chance_could_make_are_left_out_and_others_kept() -> None:
    rng = np.random.default_rng(12)
    drawn = rng.standard_normal((4000, 40)) * np.linspace(0.5, 2.0, 40)
    drawn[:, 1] = 0.8 * drawn[:, 0] / drawn[:, 0].std() + 0.6 * rng.standard_normal(4000)
    covariance = white(drawn) @ white(drawn).T
    spread = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(spread, drawn.std(0), rtol=1e-6)
    correlation = covariance / np.outer(spread, spread)
    assert correlation[0, 1] == pytest.approx(0.8, abs=0.03)
    rest = correlation[2:, 2:] - np.eye(38)
    np.testing.assert_allclose(rest, 0.0, atol=1e-9)


def test_a_silent_unit_is_left_what_its_own_data_leave_however_wide_units_may_be() -> None:
    """A unit of which nothing is known lies as far out as units spread, which differs from draw to draw: shown, it is known to its noise."""
    noise = 0.1
    far = SiteAbsence(dim="unit", absent=("d",), name="late")
    stream = through(Access(absences=(far,)), np.random.default_rng(6).normal([0.5, -0.4, 0.3, 0.0], noise, GRID.shape))

    def model() -> None:
        look = seen(np.array([0.5, -0.4, 0.3, 0.0]), np.array([1.0, 1.0, 1.0, 0.0]) * len(DAYS) / noise**2)
        _, unit = hierarchy("level", dist.Normal(0.0, 0.5), [Level("unit", dist.HalfNormal(1.0), np.zeros(4, int))], look)
        law = Measure(jnp.broadcast_to(unit, GRID.shape), jnp.full(GRID.shape, noise))
        numpyro.sample("first", stream.access.likelihood(law, GRID), obs=stream.ends)

    at = now(model)
    sites = released_sites(at)
    above, below = np.split(around(at)["unit"], 2)
    slopes = 0.5 * (above - below)
    found = gains(at, sites, [{}, lifted(sites, ["late"])], 20, 1).variances([{}, lifted(sites, ["late"])], slopes)
    whole, left = found[:, 0], found.mean(0)[1]
    np.testing.assert_allclose(whole, np.broadcast_to(np.square(slopes).sum(0), whole.shape), rtol=1e-9)  # nothing lifted, nothing taken
    known = noise**2 / len(DAYS)
    np.testing.assert_allclose(left[:3] / known, 1.0, rtol=0.1)
    # By slopes at the centre alone a tenth of the variance would seem to be left.
    assert left[3] / np.square(slopes).sum(0)[3] < 0.01


@pytest.mark.parametrize("stands_for", [True, False])
def test_noise_that_is_made_into_a_trend_is_followed_by_the_trend(stands_for: bool) -> None:
    """A step of unknown size that nobody was told of: shown, it is known to its noise, whatever the spread that steps have."""
    noise, hidden = 0.01, SiteAbsence(dim="unit", absent=tuple(UNITS), name="late")
    stream = through(Access(absences=(hidden,)), np.zeros(GRID.shape))

    def model() -> None:
        spread = numpyro.sample("spread", dist.LogNormal(0.0, 0.7))
        step = numpyro.sample("step", dist.Normal(0.0, 1.0), infer={STANDS_FOR: "trend"} if stands_for else {})
        trend = numpyro.deterministic("trend", spread * step)
        law = Measure(jnp.broadcast_to(trend, GRID.shape), jnp.full(GRID.shape, noise))
        numpyro.sample("first", stream.access.likelihood(law, GRID), obs=stream.ends)

    at = now(model)
    sites = released_sites(at)
    above, below = np.split(around(at)["trend"], 2)
    slopes = 0.5 * (above - below)[:, None]
    wanted = [lifted(sites, ["late"])]
    left = gains(at, sites, wanted, 40, 1).variances(wanted, slopes).mean() / np.square(slopes).sum()
    assert left < 0.001 if stands_for else left > 0.1


def test_a_curved_posterior_is_left_what_it_is_told_already() -> None:
    """Data that tell a sum of two unknowns of which one counts by its square: at a draw they tell of the first, too, but not of the curve as a whole, and more of them do so no more."""
    bend, noise = 0.5, 0.5
    late = SiteAbsence(dim="unit", absent=("c", "d"), name="late")
    stream = through(Access(absences=(late,)), np.random.default_rng(7).normal(0.3, noise, GRID.shape))

    def model() -> None:
        straight, bent = (numpyro.sample(name, dist.Normal(0.0, 1.0)) for name in ("straight", "bent"))
        law = Measure(jnp.broadcast_to(straight + bend * bent**2, GRID.shape), jnp.full(GRID.shape, noise))
        numpyro.sample("first", stream.access.likelihood(law, GRID), obs=stream.ends)

    grid = np.linspace(-4.0, 4.0, 401)
    straight, bent = np.meshgrid(grid, grid, indexing="ij")
    middle, prior = straight + bend * bent**2, -0.5 * (straight**2 + bent**2)

    def weights(mean: float, cells: int) -> np.ndarray:
        log_density = prior - 0.5 * cells * (middle - mean) ** 2 / noise**2
        density = np.exp(log_density - log_density.max())
        return density / density.sum()

    def variance(density: np.ndarray) -> float:
        return float((density * straight**2).sum() - (density * straight).sum() ** 2)

    rng, half = np.random.default_rng(8), GRID.shape[0] * 2
    seen_mean = float(np.mean([end for end in stream.ends[..., 0].ravel() if np.isfinite(end)]))
    present = weights(seen_mean, half)
    truths = middle.ravel()[rng.choice(middle.size, 200, p=present.ravel())]
    both = 0.5 * (seen_mean + rng.normal(truths, noise / np.sqrt(half)))
    brute = np.mean([variance(weights(mean, 2 * half)) for mean in both]) / variance(present)
    assert brute > 0.9

    at = now(model)
    slopes = at.root.T[:, [list(at.posterior.by_name(at.centre)).index("straight")]]
    found = gains(at, released_sites(at), [lifted(released_sites(at), ["late"])], 20, 1).variances(
        [lifted(released_sites(at), ["late"])], slopes
    )
    # With the precision of the whole posterior at each draw far more would seem to be taken.
    assert found.mean() / np.square(slopes).sum() == pytest.approx(brute, abs=0.06)


def test_the_error_of_a_share_is_that_of_a_ratio_of_means() -> None:
    """Points where everything is wider by the same factor say nothing of a share's error; what is nowhere unknown leaves nothing."""
    now = np.square([[5.0, 1.0, 0.0]]) * np.square([[0.5], [1.0], [2.0]])
    slopes = np.array([[2.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    whole = np.square(slopes).sum(0)
    np.testing.assert_allclose(_laid(now, now, slopes)[:, :2], np.broadcast_to(whole[:2], (3, 2)))  # nothing lifted
    alike = _laid(np.stack([now, 0.3 * now], axis=1), now, slopes)
    np.testing.assert_allclose(alike[:, 1, :2], np.broadcast_to(0.3 * whole[:2], (3, 2)))
    assert (alike[..., 2] == 0.0).all()
    share = np.array([0.2, 0.4, 0.6])[:, None]
    found = _laid(share * now, now, slopes)[:, 0] / whole[0]
    assert found.mean() == pytest.approx((share[:, 0] * now[:, 0]).sum() / now[:, 0].sum())
    assert found.std() > 0.0
