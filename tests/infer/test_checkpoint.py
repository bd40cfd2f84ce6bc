"""Chains that were interrupted, wherever, and went on give the draws of chains that never were."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpyro
import pytest
from numpyro import distributions as dist

from bayestwin.components.informed import Pilot
from bayestwin.errors import RunError
from bayestwin.infer import checkpoint as module
from bayestwin.infer.checkpoint import STATE, Checkpoint
from bayestwin.infer.mcmc import CHUNK, Draws, Progress, sample
from bayestwin.infer.nesting import Nesting
from bayestwin.infer.settings import Sampling

SAMPLING = Sampling(chains=2, draws=3 * CHUNK + 7, warmup=9 * CHUNK)
SAMPLERS = {"NUTS": None, "quarter turns": Nesting({"effect": 0}, {}, np.zeros(5, int))}


def model() -> None:
    level = numpyro.sample("level", dist.Normal(0.0, 2.0))
    effect = numpyro.sample("effect", dist.Normal(0.0, 1.0).expand([5]))
    numpyro.sample("y", dist.StudentT(4.0, level + effect, 0.5), obs=np.linspace(-1.0, 2.0, 5))


class Ended(BaseException):
    """As an interrupt is."""


def ended_after(chunks: int) -> Callable[[Progress], None]:
    def watch(progress: Progress) -> None:
        if progress.done >= min(chunks * CHUNK, progress.total):
            raise Ended

    return watch


@pytest.fixture(scope="module", params=SAMPLERS)
def nesting(request: pytest.FixtureRequest) -> Nesting | None:
    return SAMPLERS[request.param]


@pytest.fixture(scope="module")
def whole(nesting: Nesting | None) -> Draws:
    return sample(model, Pilot(), SAMPLING, nesting=nesting)


def assert_same(found: Draws, expected: Draws) -> None:
    for ours, theirs in ((found.sites, expected.sites), (found.stats, expected.stats)):
        assert ours.keys() == theirs.keys()
        for name, values in ours.items():
            np.testing.assert_array_equal(values, theirs[name], err_msg=name, strict=True)


def test_the_same_seed_gives_the_same_draws_to_the_last_bit(nesting: Nesting | None, whole: Draws) -> None:
    assert_same(sample(model, Pilot(), SAMPLING, nesting=nesting), whole)


# After the first chunk, with a window half filled, before and after the step size is shared, among the draws, when all are there.
def test_draws_do_not_depend_on_where_chains_were_interrupted(nesting: Nesting | None, whole: Draws, tmp_path: Path) -> None:
    for chunks in (1, 3, 8, 9, 11, 13):
        with pytest.raises(Ended):
            sample(model, Pilot(), SAMPLING, ended_after(chunks), nesting, Checkpoint(tmp_path))
        found = Checkpoint(tmp_path)
    assert_same(sample(model, Pilot(), SAMPLING, nesting=nesting, checkpoint=found), whole)
    assert found.resumed == 13 * CHUNK


def test_a_kill_loses_what_came_after_the_last_save_and_no_more(
    nesting: Nesting | None, whole: Draws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is on disk after each save, as a kill would leave it: later chunks written, too, of which the state does not know."""
    monkeypatch.setattr(module, "EVERY", 0.0)
    monkeypatch.setattr(module, "SHARE", np.inf)
    held: dict[int, bytes] = {}

    def watch(progress: Progress) -> None:
        if (tmp_path / STATE).is_file():
            held[progress.done] = (tmp_path / STATE).read_bytes()

    sample(model, Pilot(), SAMPLING, watch, nesting, Checkpoint(tmp_path))
    assert len(held) == 12
    for done in (3, 6, 11):
        (tmp_path / STATE).write_bytes(held[done * CHUNK])
        found = Checkpoint(tmp_path)
        assert_same(sample(model, Pilot(), SAMPLING, nesting=nesting, checkpoint=found), whole)
        assert found.resumed == (done - 1) * CHUNK


def test_saves_are_seldom_and_their_cost_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    saved: list[float] = []

    def save(self: Checkpoint, reached: object) -> None:
        saved.append(clock[0])
        clock[0] += 0.5  # a slow disk

    monkeypatch.setattr(Checkpoint, "save", save)
    place = Checkpoint(tmp_path)
    while clock[0] < 200.0:
        place.now_and_then(None)  # type: ignore[arg-type]
        clock[0] += 1.0
    assert saved[0] == 0.0
    assert min(np.diff(saved)) >= 0.5 / module.SHARE
    assert len(saved) == 4


@pytest.mark.parametrize("file", [STATE, "draws-0000.npz"])
def test_a_damaged_file_is_named(tmp_path: Path, file: str) -> None:
    sampling = Sampling(chains=2, draws=CHUNK, warmup=CHUNK)
    sample(model, Pilot(), sampling, checkpoint=Checkpoint(tmp_path))
    whole = (tmp_path / file).read_bytes()
    for damaged in (whole[: len(whole) // 2], b""):
        (tmp_path / file).write_bytes(damaged)
        with pytest.raises(RunError, match=rf"{file}: is damaged.*calibrate from the start"):
            sample(model, Pilot(), sampling, checkpoint=Checkpoint(tmp_path))


def test_a_state_of_another_posterior_is_refused(tmp_path: Path) -> None:
    sampling = Sampling(chains=2, draws=CHUNK, warmup=CHUNK)
    sample(model, Pilot(), sampling, checkpoint=Checkpoint(tmp_path))
    with pytest.raises(RunError, match=r"state\.npz: is damaged.*float64\(6,\) in place of float64\(1,\)"):
        sample(lambda: numpyro.sample("x", dist.Normal()), Pilot(), sampling, checkpoint=Checkpoint(tmp_path))  # type: ignore[arg-type, return-value]
