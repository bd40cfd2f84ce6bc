"""The provider model in PyMC has the log density of the model in NumPyro, up to a constant, and refuses what it does not know."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from model_parts import model_part
from numpyro.infer.util import log_density

import bayestwin as bt
from bayestwin.barriers import Access, Coverage, Delay, Embargo, NonResponse, Round, SiteSelection, Suppress, TopCode
from bayestwin.errors import ModelError
from bayestwin.infer.predictive import prior_draws, sites
from bayestwin.infer.second import log_density as second_density
from bayestwin.prepared import Prepared, prepare
from bayestwin.twin.twin import Design

pytest.importorskip("pymc")

POINTS = 4
part = partial(model_part, "provider_workload")


@pytest.fixture(scope="module")
def clinics(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A clinic by day and one by week; each has a folder `clean` of the same without barriers."""
    made = {grid: tmp_path_factory.mktemp(grid) / "clinic" for grid in ("day", "week")}
    for grid, folder in made.items():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(part("publish"), "DAILY_CELLS", 2000 if grid == "day" else 0)
            bt.simulate_study(folder, model="provider_workload", design=Design(units=4, groups=2, weeks=5), seed=3)
    return made


@pytest.mark.parametrize(("grid", "access"), [("day", "."), ("week", "clean")])
def test_both_engines_have_the_same_log_density(clinics: dict[str, Path], grid: str, access: str) -> None:
    prepared = prepare(bt.read_study(clinics[grid] / access))
    assert len(prepared.data.streams) == 14
    held_alike(prepared, prepared.data)


def test_so_they_have_under_other_rules_and_with_streams_withheld(clinics: dict[str, Path]) -> None:
    prepared = prepare(bt.read_study(clinics["day"] / "clean"))
    days, people = prepared.data.span.days, prepared.data.roster.provider
    late = Delay(maximum=2, pmf=(0.5, 0.3, 0.2), released="so_far", as_of=days[-1].item())
    away = Embargo(start=days[7].item(), end=days[13].item())
    rules = {
        "advice": Access((late,), (Round(base=5),)),
        "results": Access((), (Suppress(below=5, zero="hidden"),), (SiteSelection(dim="provider", absent=(str(people[0]),)),)),
        "visits": Access((), (Round(base=2),), (away,)),
        "booked": Access((), (), (away,)),
        "inbox_minutes": Access((), (Round(base=10),)),
        "documentation_minutes": Access((), (TopCode(limit=300),)),
        "after_hours_minutes": Access((), (Round(base=25),)),
        "turnaround_days": Access(),
        "tlx": Access((), (Round(base=5),)),
    }
    streams = {name: ruled(name, prepared.data.streams[name], access) for name, access in rules.items()}
    assert all((~streams[name].exact).any() for name in rules if name != "turnaround_days")
    held_alike(prepared, replace(prepared.data, streams=streams))


def ruled(name: str, stream: Any, access: Access) -> Any:
    """A clean stream through another access."""
    numbers = np.where(stream.exact, stream.ends[..., 0], 0.0)
    whole = bool((numbers == numbers.round()).all())
    seen = access.degrade(1, numbers.astype(int) if whole else numbers, stream.grid)
    ends = part("workload").zeros_read(name, access.read(seen.values, seen.hidden, seen.present, whole))
    return replace(stream, access=access, ends=ends)


def held_alike(prepared: Prepared, data: Any) -> None:
    """Log densities at points of the prior differ by a constant."""
    model = partial(prepared.twin.definition.model, data, {name: row.build() for name, row in prepared.priors.items()})
    made = prepared.twin.definition.second(data, prepared.priors)
    names = sites(model).latent
    assert {variable.name for variable in made.free_RVs} == set(names)
    drawn = prior_draws(model, np.random.default_rng(1), POINTS)
    points = {name: drawn[name] for name in names}
    ours = np.asarray(first(model)(points))
    density = second_density(lambda: made)
    theirs = np.array([density({name: values[i] for name, values in points.items()}) for i in range(POINTS)])
    assert np.isfinite(ours).all()
    assert np.ptp(ours) > 100.0
    np.testing.assert_allclose(theirs - theirs[0], ours - ours[0], rtol=1e-9, atol=1e-7)


def first(model: Callable[[], None]) -> Any:
    """Log density of a NumPyro model at many points, by a program that is made fast rather than fast."""
    quick = {"xla_backend_optimization_level": 0}
    return jax.jit(partial(jax.lax.map, lambda point: log_density(model, (), {}, point)[0]), compiler_options=quick)


def test_a_day_of_which_nothing_can_be_reported_yet_says_nothing(clinics: dict[str, Path]) -> None:
    prepared = prepare(bt.read_study(clinics["day"] / "clean"))
    data = prepared.data
    later = Delay(maximum=2, pmf=(0.0, 0.75, 0.25), released="so_far", as_of=data.span.days[-1].item())
    stream = ruled("advice", data.streams["advice"], Access((later,)))
    through, ends = import_module(".second_release", prepared.twin.definition.second.__module__).released("advice", stream)
    np.testing.assert_array_equal(through.share_reported[-3:, 0], [1.0, 0.75, 0.0])
    np.testing.assert_array_equal(ends[:-1], stream.ends[:-1])
    assert np.isinf(ends[-1]).all()
    assert (stream.ends[-1] == 0.0).all()


@pytest.mark.parametrize(
    ("stream", "access", "problem"),
    [
        ("advice", Access((Coverage(fraction=0.5),)), "'coverage'"),
        ("advice", Access((Delay(maximum=1, released="so_far", as_of=date(2024, 2, 1)),)), "this delay"),
        ("advice", Access((), (TopCode(limit=5),)), "above a number"),
        ("tlx", Access(), "an end of their scale"),
        ("tlx", Access((NonResponse(response=0.5),)), "'non_response'"),
    ],
)
def test_what_is_not_written_is_refused_by_name(clinics: dict[str, Path], stream: str, access: Access, problem: str) -> None:
    prepared = prepare(bt.read_study(clinics["week"] / "clean"))
    clean = prepared.data.streams[stream]
    ends = np.stack([clean.ends[..., 0], np.full(clean.grid.shape, np.inf)], -1) if access.releases else np.full_like(clean.ends, 100.0)
    hidden = replace(clean, access=access, ends=ends)
    with pytest.raises(ModelError, match=f"stream '{stream}'.*{problem}"):
        prepared.twin.definition.second(replace(prepared.data, streams={stream: hidden}), prepared.priors)
