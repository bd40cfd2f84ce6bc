"""Laws that every barrier obeys, over the registry."""

import itertools
from collections.abc import Callable
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from registry import CASES, ELSEWHERE, Case, grid
from scipy import stats

from bayestwin.barriers import AbstractChannel, Access, Barrier, Delay, Grid, Ignorability, Margin
from bayestwin.barriers.publication import publish, read, split
from bayestwin.laws.expected import Counts

LEVEL = 1e-5  # of each goodness-of-fit test: with some 80 of them, one false alarm in a thousand changes of the draws
DRAWS = 20_000
PART = 128  # events whose density is asked for at once
EVERY = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
POISSON_OR_NB = pytest.mark.parametrize("concentration", [None, 3.0], ids=["poisson", "nb"])


def cells_of(case: Case) -> Grid:
    """A week of three units where barriers act on labels, a few cells where they act on numbers alone."""
    access = case.access
    return grid(7, 3) if access.channels or access.absences else grid(2, 2)


def law_of(mean: float, concentration: float | None) -> Counts:
    return Counts(jnp.asarray(mean), None if concentration is None else jnp.asarray(concentration))


def given_of(access: Access, cells: Grid, seed: int = 0) -> dict:
    return access._drawn(np.random.default_rng(seed), cells)


def test_every_barrier_has_a_line() -> None:
    kinds = set(get_args(get_args(Barrier)[0]))
    there = {type(barrier) for case in CASES.values() for barrier in case.barriers()}
    assert kinds - there == ELSEWHERE


@EVERY
def test_mass_is_one(case: Case) -> None:
    """Over all that can be published of one cell (of one joint event, where cells depend on one another)."""
    access, concentration = case.access, 3.0 if case.exact_nb else None
    if case.joint:
        observed, law = joint_outcomes(access, concentration)
        log_p = law.log_prob(observed)
        assert float(jnp.exp(log_p.reshape(len(observed), -1).sum(-1)).sum()) == pytest.approx(1.0, abs=1e-5)
        return
    cells = grid(7 if access.channels else 1, 3)
    law = access.likelihood(law_of(4.0, concentration), cells, given_of(access, cells))
    outcomes = outcomes_of_a_cell(access, 400)
    density = jnp.exp(law.log_prob(outcomes.reshape(-1, *[1] * len(law.batch_shape), 2)))
    step = 1.0 if np.allclose(outcomes, np.round(outcomes)) or not np.isfinite(outcomes).all() else np.diff(outcomes[:, 0]).max()
    np.testing.assert_allclose(np.asarray(density.sum(0) * step), 1.0, atol=1e-8)


def outcomes_of_a_cell(access: Access, largest: int) -> np.ndarray:
    """All observations that a cell can give, (outcome, 2)."""
    inner, outer = split(access.releases)
    numbers = np.arange(-largest if inner else 0, largest + 1, dtype=float)
    whole = all(getattr(release, "whole", True) for release in inner)
    if not whole and not any(release.widths.few > 1 for release in outer):
        fine = np.linspace(-100.0, 300.0, 20_001)
        return np.stack([fine, fine], axis=-1)
    if not inner:
        return np.unique(published(access, numbers.astype(int)), axis=0)
    for release in outer:
        numbers = release.publish(numbers)
    numbers = np.unique(numbers)
    return np.stack(read(access.releases, numbers, np.zeros(numbers.shape, bool), whole=True), axis=-1)


def joint_outcomes(access: Access, concentration: float | None) -> tuple[np.ndarray, object]:
    """All that can be observed of a few small counts, and their law."""
    channel, days = access.channels[0], grid().coords["day"]
    if isinstance(channel, Margin):
        cells = Grid({"day": days[:1], "unit": np.array(["u0", "u1", "u2"])})
        parts = np.array(list(itertools.product(range(45), repeat=3)))[:, None]
        outcomes = published(access, np.concatenate([parts, parts.sum(-1, keepdims=True)], axis=-1))
    elif isinstance(channel, Delay):
        cells = Grid({"day": days[-2:-1], "unit": np.array(["u0"])})
        outcomes = published(access, np.array(list(itertools.product(range(40), repeat=3))).reshape(-1, 1, 1, 3))
        outcomes = np.where(access.present(cells)[..., None], outcomes, np.array([-np.inf, np.inf]))
    else:
        cells = Grid({"day": days[:1], "unit": np.array(["u0"])})
        length = access.out(cells).shape[0]
        outcomes = published(access, np.stack([n * (np.arange(length) == s) for n in range(60) for s in range(length)])[..., None])
    law = access.likelihood(law_of(1.5, concentration), cells, given_of(access, cells))
    return np.unique(outcomes, axis=0), law


def published(access: Access, counts: np.ndarray) -> np.ndarray:
    """Observations of many tables at once, without their absences."""
    values, hidden = publish(access.releases, np.random.default_rng(0), counts)
    return np.stack(read(access.releases, np.where(hidden, 0.0, values), hidden, whole=True), axis=-1)


@EVERY
def test_samples_match_density(case: Case) -> None:
    """χ² of degraded draws against the density, cell by cell (event by event where cells depend on one another).

    NB2 counts where they stay in closed form, Poisson ones elsewhere; test_moments.py holds the rest against exact sums.
    """
    access, cells = case.access, cells_of(case)
    concentration = 3.0 if case.exact_nb else None
    given = given_of(access, cells)
    law = access.likelihood(law_of(4.0, concentration), cells, given)
    drawn = degraded_many(access, law_of(4.0, concentration), cells, given)
    density = jax.jit(jax.vmap(law.log_prob))
    for where in probed(law.batch_shape):
        events = drawn[(slice(None), *where)]
        if not np.isfinite(events).any():
            continue  # an absence
        real = events.ndim == 2 and (events[:, 0] == events[:, 1]).all() and not np.array_equal(events, np.round(events))
        fit = fit_of_real if real else fit_of_whole
        p = fit(density, where, events, drawn.shape[1:])
        assert p > LEVEL, (where, p)


def degraded_many(access: Access, counts: Counts, cells: Grid, given: dict) -> np.ndarray:
    """Degraded replicates, (draw, cells..., 2): a dim that no barrier knows tells them apart."""
    rng, size = np.random.default_rng(0), dict(cells.coords)
    wide = Grid({"day": size["day"], "draw": np.arange(DRAWS), "unit": size["unit"]}, cells.above)
    drawn = counts.over(wide.shape).draw(rng)
    for channel in access.channels:
        drawn = channel.draw(rng, drawn, wide, given[channel.title])
        wide = channel.out(wide)
    alike = np.moveaxis(published(access, drawn), wide.axis("draw"), 0)
    return np.where(access.present(cells)[..., None], alike, np.array([-np.inf, np.inf]))


def probed(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Some cells: the first, the last, and one in the middle."""
    return sorted({tuple(0 for _ in shape), tuple(n // 2 for n in shape), tuple(n - 1 for n in shape)})


def density_at(density: Callable, where: tuple[int, ...], found: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Probability of each found event at a place; evaluated in parts of one shape, so that one program serves."""
    answer = []
    for start in range(0, len(found), PART):
        part = found[start : start + PART]
        filled = np.concatenate([part, np.repeat(part[:1], PART - len(part), axis=0)])
        template = np.zeros((PART, *shape))
        template[(slice(None), *where)] = filled
        answer.append(np.asarray(density(jnp.asarray(template)))[(slice(None), *where)][: len(part)])
    return np.exp(np.concatenate(answer))


def fit_of_whole(density: Callable, where: tuple[int, ...], events: np.ndarray, shape: tuple[int, ...]) -> float:
    """χ² over the commonest events, all others together."""
    found, counts = np.unique(events, axis=0, return_counts=True)
    kept = np.argsort(-counts)[: 2 * PART]
    expected = len(events) * density_at(density, where, found[kept], shape)
    common = expected >= 5
    observed = np.append(counts[kept][common], len(events) - counts[kept][common].sum())
    wanted = np.append(expected[common], len(events) - expected[common].sum())
    if wanted[-1] < 5:
        assert observed[-1] < 40, "events that the density hardly knows"
        observed, wanted = observed[:-1], wanted[:-1]
    if len(observed) < 2:
        return float(abs(wanted[0] / len(events) - 1.0) < 1e-6)
    return float(stats.chisquare(observed, wanted * observed.sum() / wanted.sum()).pvalue)


def fit_of_real(density: Callable, where: tuple[int, ...], events: np.ndarray, shape: tuple[int, ...]) -> float:
    """Kolmogorov–Smirnov, through the distribution function summed on a fine grid."""
    x = np.linspace(-40.0, 80.0, 10 * PART)
    height = density_at(density, where, np.stack([x, x], -1), shape)
    cdf = (np.cumsum(height) - 0.5 * height) * (x[1] - x[0])  # half a step further would be seen with so many draws
    return float(stats.kstest(events[:, 0], lambda q: np.interp(q, x, cdf)).pvalue)


@pytest.mark.parametrize("case", [c for c in CASES.values() if c.none], ids=[k for k, c in CASES.items() if c.none])
@POISSON_OR_NB
def test_no_strength_is_the_identity(case: Case, concentration: float | None) -> None:
    """Nothing is changed, and the likelihood is that of perfect access, to the last bits."""
    access, cells = Access.through(case.none()), grid(4, 3)
    clean = law_of(5.0, concentration).over(cells.shape).draw(np.random.default_rng(3))
    degraded = access.degrade(1, clean, cells, given_of(access, cells))
    perfect = Access().degrade(1, clean, cells)
    mine = access.likelihood(law_of(5.0, concentration), cells, given_of(access, cells)).log_prob(degraded.cells)
    plain = Access().likelihood(law_of(5.0, concentration), cells).log_prob(perfect.cells)
    if "unknown" in [barrier.title for barrier in access.barriers]:  # one category more, always empty
        assert (degraded.cells[..., -1, :] == 0).all()
        np.testing.assert_allclose(degraded.cells[..., :-1, :], perfect.cells)
        return
    np.testing.assert_allclose(degraded.cells, perfect.cells, atol=1e-9)
    np.testing.assert_allclose(mine, plain, rtol=1e-9, atol=1e-9)


@EVERY
def test_density_and_gradient_are_finite_everywhere(case: Case) -> None:
    """Also where data and expectation are worlds apart; alike under jit and vmap, and as constants of a program."""
    access, cells = case.access, cells_of(case)
    given = given_of(access, cells)
    means = jnp.log(jnp.array([1e-2, 3.0, 400.0, 1e5]))
    drawn = [access.degrade(seed, np.full(cells.shape, n), cells, given).cells for seed, n in enumerate((0, 3, 40, 140))]

    def total(log_mean: jax.Array, log_k: jax.Array, observed: jax.Array) -> jax.Array:
        return access.likelihood(Counts(jnp.exp(log_mean), jnp.exp(log_k)), cells, given).log_prob(observed).sum()

    each = jax.vmap(jax.vmap(jax.value_and_grad(total, (0, 1)), (0, None, None)), (None, None, 0))
    values, slopes = jax.jit(each)(means, jnp.log(2.0), jnp.stack(drawn))
    assert np.isfinite(values).all()
    assert np.isfinite(slopes).all()
    constant = [total(means[1], jnp.log(2.0), observed) for observed in drawn[1:3]]
    np.testing.assert_allclose(values[1:3, 1], constant, rtol=1e-7, atol=1e-7)


@EVERY
def test_labels_fit_the_data(case: Case) -> None:
    access, cells = case.access, grid()
    degraded = access.degrade(0, np.full(cells.shape, 6), cells)
    assert degraded.grid.shape == degraded.values.shape == degraded.cells.shape[:-1] == access.present(cells).shape
    law = access.likelihood(law_of(6.0, 2.0), cells, given_of(access, cells))
    assert (*law.batch_shape, *law.event_shape) == degraded.cells.shape
    assert law.sample(jax.random.key(0), (2,)).shape == (2, *degraded.cells.shape)


@EVERY
def test_lifting(case: Case) -> None:
    """A lifted barrier leaves an access that does what one built without it does; lifting all leaves perfect access."""
    access, cells = case.access, grid()
    clean = np.random.default_rng(0).poisson(6.0, cells.shape)
    left = access
    for barrier in access.barriers[::-1]:
        left = left.lift(barrier.title)
        others = [b for b in access.barriers if b.title in [x.title for x in left.barriers]]
        assert left == Access.through(others)
    assert left == Access()
    np.testing.assert_array_equal(left.degrade(1, clean, cells).values, clean)


@EVERY
def test_the_same_key_degrades_alike(case: Case) -> None:
    access, cells = case.access, grid()
    if any(barrier.title == "dp_noise" for barrier in access.barriers):
        pytest.skip("noise that protects privacy cannot be reproduced")
    clean = np.random.default_rng(0).poisson(6.0, cells.shape)
    once, again, other = (access.degrade(jax.random.key(key), clean, cells) for key in (5, 5, 6))
    np.testing.assert_array_equal(once.cells, again.cells)
    assert once.cells.shape == other.cells.shape


@EVERY
def test_it_says_what_it_is(case: Case) -> None:
    for row in case.access.describe():
        assert row["label"] in {label.value for label in Ignorability}
        assert row["sentence"].endswith(".")
        assert len(row["sentence"]) > 30


def test_perfect_access_is_the_law_itself() -> None:
    cells = grid(3, 2)
    clean = np.arange(6).reshape(3, 2)
    law = Access().likelihood(law_of(2.5, None), cells)
    np.testing.assert_allclose(law.log_prob(Access().degrade(0, clean, cells).cells), stats.poisson(2.5).logpmf(clean))


def test_channels_declare_what_they_give() -> None:
    for case in CASES.values():
        grids = case.access._grids(grid())
        assert all(isinstance(channel, AbstractChannel) for channel in case.access.channels)
        assert len(grids) == len(case.access.channels) + 1
