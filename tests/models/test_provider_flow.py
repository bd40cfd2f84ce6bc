"""The provider twin's flow: against a plain loop, against draws, and what must not change it."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from model_parts import model_part

part = partial(model_part, "provider_workload")


flow, clinic, workload = part("flow"), part("clinic"), part("workload")
STEPS, PROVIDERS = 42, 5


@pytest.fixture
def loads() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    scheduled = 480.0 * ((np.arange(STEPS) % 7 < 5)[:, None] * (rng.uniform(size=(STEPS, PROVIDERS)) < 0.85))
    return rng.uniform(200.0, 650.0, (STEPS, PROVIDERS)) * (scheduled > 0) + 30.0, scheduled


def habits(providers: int = PROVIDERS) -> object:
    return flow.Habits(jnp.linspace(0.8, 0.95, providers), jnp.linspace(0.5, 0.9, providers), jnp.array(0.5), jnp.array(0.8))


def of(work: np.ndarray, variance: np.ndarray | float, scheduled: np.ndarray) -> object:
    return flow.Load(
        jnp.asarray(work),
        jnp.broadcast_to(jnp.asarray(variance, float), work.shape),
        jnp.asarray(scheduled),
        jnp.asarray(scheduled > 0, float),
    )


def people(one: object) -> object:
    nothing = np.zeros(1)
    return clinic.People(nothing, nothing, nothing, 0.0, 0.0, np.asarray(one.usable), np.asarray(one.cleared), 0.5, 0.8, 0.1, 0.03)


def looped(one: object, work: np.ndarray, scheduled: np.ndarray) -> tuple[np.ndarray, ...]:
    plan = workload.Schedule(scheduled, (scheduled > 0).astype(float), np.zeros((2, *scheduled.shape)))
    start = clinic.Start(np.zeros((len(work), work.shape[2])), np.ones(work.shape[2]), np.zeros((2, work.shape[2])))
    return clinic.work(people(one), work, plan, start)


def test_a_known_load_flows_as_in_a_plain_loop(loads: tuple[np.ndarray, np.ndarray]) -> None:
    work, scheduled = loads
    after, _, backlog, fatigue = looped(habits(), work[None], scheduled)
    _, path = flow.flow(habits(), of(work, 0.0, scheduled), flow.rested(PROVIDERS))
    # The kink is blunt by the least sd of a minute, nothing else differs.
    np.testing.assert_allclose(path.after_hours, after[0], atol=2.0 * flow.LEAST_SD)
    np.testing.assert_allclose(path.backlog, backlog[0], atol=2.0 * flow.LEAST_SD)
    np.testing.assert_allclose(path.fatigue, fatigue[0], atol=0.01)


def test_a_spill_has_the_moments_and_slopes_of_what_lies_above_zero() -> None:
    nodes, weights = np.polynomial.legendre.leggauss(200)

    def plain(mean: jax.Array, sd: jax.Array) -> object:
        top = jnp.maximum(mean + 9.0 * sd, 0.0)  # the integral of a density of which nothing is left beyond
        x = 0.5 * top * (nodes + 1.0)
        mass = 0.5 * top * weights * jnp.exp(-0.5 * jnp.square((x - mean) / sd)) / (sd * np.sqrt(2.0 * np.pi))
        first = (mass * x).sum()
        return flow.Spill(first, (mass * jnp.square(x)).sum() - jnp.square(first), mass.sum())

    for mean, sd in ((-3.0, 1.5), (0.2, 1.0), (4.0, 2.0), (30.0, 1.0)):
        at = jnp.array(mean), jnp.array(sd)
        for ours, theirs in (
            (flow.spill(*at), plain(*at)),
            *(tuple(jax.jacfwd(f, a)(*at) for f in (flow.spill, plain)) for a in (0, 1)),
            *(tuple(jax.jacfwd(jax.jacfwd(f, a), b)(*at) for f in (flow.spill, plain)) for a, b in ((0, 0), (0, 1), (1, 0), (1, 1))),
        ):
            np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("days", [1.0, 5.0])
def test_slopes_of_the_path_are_those_of_a_plain_loop(loads: tuple[np.ndarray, np.ndarray], days: float) -> None:
    work, scheduled = (days * part for part in loads)

    def stepwise(one: object, load: object) -> jax.Array:
        """Backlog and fatigue, step by step; a step of several days meets its backlog on each of them."""
        backlog, variance, fatigue = flow.rested(PROVIDERS)
        total = 0.0
        for t in range(STEPS):
            worked = load.open_days[t] > 0
            share = jnp.where(worked, one.cleared, one.cleared_off)
            capacity = load.scheduled[t] * one.usable
            offered = backlog + load.work[t]
            of = jnp.maximum(load.open_days[t], 1.0)
            over = flow.spill((offered - capacity) / of, jnp.sqrt(load.variance[t] / of + variance / of**2 + flow.LEAST_SD**2))
            kept = one.memory ** load.open_days[t]
            fatigue = kept * fatigue + (1.0 - kept) * jnp.where(worked, offered / jnp.where(worked, capacity, 1.0), 0.0)
            backlog, variance = (1.0 - share) * of * over.mean, jnp.square(1.0 - share) * of * over.variance
            total += (jnp.sin(backlog / 100.0) + jnp.sqrt(variance + 1.0) + jnp.square(fatigue) + share * of * over.mean).sum()
        return total

    def at_once(one: object, load: object) -> jax.Array:
        _, path = flow.flow(one, load, flow.rested(PROVIDERS))
        variance = jnp.square(1.0 - path.share) * path.spilled_variance
        return (jnp.sin(path.backlog / 100.0) + jnp.sqrt(variance + 1.0) + jnp.square(path.fatigue) + path.after_hours).sum()

    load = of(work, 400.0, scheduled)
    given = habits(), load._replace(open_days=days * load.open_days)
    assert float(at_once(*given)) == pytest.approx(float(stepwise(*given)), rel=1e-12)
    ours, theirs = ((lambda one, work, f=f: f(one, given[1]._replace(work=work))) for f in (at_once, stepwise))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10),
        *(jax.grad(f, (0, 1))(given[0], given[1].work) for f in (ours, theirs)),
    )


def test_what_arrives_is_done_or_carried(loads: tuple[np.ndarray, np.ndarray]) -> None:
    work, scheduled = loads
    after, in_hours, backlog, _ = looped(habits(), work[None], scheduled)
    np.testing.assert_allclose(work.sum(0), (after + in_hours)[0].sum(0) + backlog[0, -1], rtol=0, atol=1e-9)
    last, path = flow.flow(habits(), of(work, 50.0**2, scheduled), flow.rested(PROVIDERS))
    before = jnp.concatenate([jnp.zeros((1, PROVIDERS)), path.backlog[:-1]])
    done_in_hours = before + work - path.spilled
    np.testing.assert_allclose(work.sum(0), (done_in_hours + path.after_hours).sum(0) + last.backlog, rtol=0, atol=1e-9)


def test_an_uncertain_load_flows_as_draws_of_it_do(loads: tuple[np.ndarray, np.ndarray]) -> None:
    work, scheduled = loads
    draws, sd = 20_000, 60.0
    noisy = work + sd * np.random.default_rng(1).standard_normal((draws, *work.shape))
    after, _, backlog, fatigue = looped(habits(), noisy, scheduled)
    _, path = flow.flow(habits(), of(work, sd**2, scheduled), flow.rested(PROVIDERS))
    np.testing.assert_allclose(path.after_hours, after.mean(0), atol=2.5)
    np.testing.assert_allclose(path.backlog, backlog.mean(0), atol=2.5)
    np.testing.assert_allclose(path.share * jnp.sqrt(path.spilled_variance), after.std(0), atol=3.0)
    np.testing.assert_allclose(path.fatigue, fatigue.mean(0), atol=0.01)


def test_providers_in_another_order_flow_the_same(loads: tuple[np.ndarray, np.ndarray]) -> None:
    work, scheduled = loads
    order = np.random.default_rng(2).permutation(PROVIDERS)
    one = habits()
    _, path = flow.flow(one, of(work, 900.0, scheduled), flow.rested(PROVIDERS))
    moved = one._replace(usable=one.usable[order], cleared=one.cleared[order])
    _, other = flow.flow(moved, of(work[:, order], 900.0, scheduled[:, order]), flow.rested(PROVIDERS))
    np.testing.assert_allclose(other.after_hours, path.after_hours[:, order], atol=1e-10)


def test_a_split_horizon_flows_the_same(loads: tuple[np.ndarray, np.ndarray]) -> None:
    work, scheduled = loads
    whole = of(work, 900.0, scheduled)
    last, path = flow.flow(habits(), whole, flow.rested(PROVIDERS))
    first, second = (jax.tree.map(lambda x, part=part: x[part], whole) for part in (slice(0, 17), slice(17, None)))
    middle, early = flow.flow(habits(), first, flow.rested(PROVIDERS))
    end, late = flow.flow(habits(), second, middle)
    np.testing.assert_allclose(jnp.concatenate([early.after_hours, late.after_hours]), path.after_hours, atol=1e-10)
    np.testing.assert_allclose(end.backlog, last.backlog, atol=1e-10)


def test_gradients_are_finite_with_nothing_scheduled_and_with_no_load() -> None:
    def total(usable: jax.Array) -> jax.Array:
        one = flow.Habits(usable, jnp.array([0.8]), jnp.array(0.5), jnp.array(0.8))
        zeros = jnp.zeros((3, 1))
        load = flow.Load(zeros, zeros, jnp.array([[0.0], [480.0], [0.0]]), jnp.array([[0.0], [1.0], [0.0]]))
        _, path = flow.flow(one, load, flow.rested(1))
        return path.after_hours.sum() + path.fatigue.sum()

    assert jnp.isfinite(jax.grad(total)(jnp.array([0.9]))).all()


def test_spill_has_the_moments_of_a_cut_normal() -> None:
    drawn = np.maximum(np.random.default_rng(3).normal(-20.0, 45.0, 2_000_000), 0.0)
    found = flow.spill(jnp.array(-20.0), jnp.array(45.0))
    assert float(found.mean) == pytest.approx(drawn.mean(), rel=0.01)
    assert float(found.variance) == pytest.approx(drawn.var(), rel=0.01)
    assert float(found.chance) == pytest.approx((drawn > 0).mean(), abs=0.002)


def test_the_booking_queue_is_that_of_the_plain_loop() -> None:
    rng = np.random.default_rng(4)
    slots = np.round(rng.uniform(8, 20, (STEPS, PROVIDERS))) * (np.arange(STEPS) % 7 < 5)[:, None]
    requests = 12.0 * (np.arange(STEPS) % 7 < 5)[:, None] * rng.uniform(0.8, 1.3, (STEPS, PROVIDERS))
    one = people(habits())
    _, seen = flow.booking(
        jnp.asarray(requests), jnp.asarray(slots), jnp.ones(STEPS), jnp.array(0.1), jnp.array(0.03), jnp.zeros(PROVIDERS)
    )
    plain = clinic.attendance(one, requests, slots, np.ones(STEPS), np.zeros(PROVIDERS))
    np.testing.assert_allclose(seen.fill, plain.booked, atol=1e-9)
    np.testing.assert_allclose(1.0 - seen.no_show, plain.comes, atol=1e-9)


def test_the_chance_of_an_empty_slot_bends_nowhere_as_a_queue_builds_up() -> None:
    """Where all slots are full the chance is never quite one, and its slope changes no faster than the step between two points allows."""
    slots = jnp.full((40, 1), 12.0)

    def log_empty(asked: jax.Array) -> jax.Array:
        _, seen = flow.booking(jnp.full((40, 1), asked), slots, jnp.ones(40), jnp.array(0.1), jnp.array(0.05), jnp.zeros(1))
        return jnp.log1p(-seen.fill[-1, 0])

    points = jnp.linspace(6.0, 20.0, 14_001)
    slope = np.asarray(jax.jit(jax.vmap(jax.grad(log_empty)))(points))
    assert np.isfinite(slope).all()
    assert float(log_empty(jnp.array(20.0))) == pytest.approx(np.log(flow.LEAST_CHANCE), abs=1e-6)
    assert np.abs(np.diff(slope)).max() < 0.05 * np.abs(slope).max()
