"""The provider twin as a whole: an invented clinic, what is read of it, what may be withheld, what a change does."""

import re
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest
from model_parts import model_part
from numpyro.infer.util import potential_energy

import bayestwin as bt
from bayestwin.components.informed import informed
from bayestwin.errors import ScenarioError, StudyError
from bayestwin.infer.mcmc import first_values
from bayestwin.infer.predictive import prior_draws
from bayestwin.prepared import Prepared, prepare
from bayestwin.study import read_study
from bayestwin.twin.scenario import Scenario
from bayestwin.twin.twin import Design, load_twin

TWIN = load_twin("provider_workload")


part = partial(model_part, "provider_workload")


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("virtual") / "clinic"
    bt.simulate_study(folder, model="provider_workload", design=Design(units=6, groups=2, weeks=8), seed=3)
    return folder


@pytest.fixture(scope="module")
def prepared(clinic: Path) -> Prepared:
    return prepare(read_study(clinic))


@pytest.fixture(scope="module")
def drawn(prepared: Prepared) -> dict[str, np.ndarray]:
    return prior_draws(prepared.model, np.random.default_rng(0), 3)


def test_the_same_seed_draws_the_same_clinic(clinic: Path, tmp_path: Path) -> None:
    bt.simulate_study(tmp_path / "again", model="provider_workload", design=Design(units=6, groups=2, weeks=8), seed=3)
    for file in sorted(path.relative_to(clinic) for path in clinic.rglob("*") if path.suffix in {".csv", ".gz", ".toml"}):
        assert (tmp_path / "again" / file).read_bytes() == (clinic / file).read_bytes(), file


def test_what_is_hidden_holds_what_is_clean(clinic: Path, prepared: Prepared) -> None:
    clean = prepare(read_study(clinic / "clean")).data
    for name, stream in prepared.data.streams.items():
        true = clean.streams[name].ends
        if name in part("workload").MESSAGES:
            old = stream.ends[:-7], true[:-7]  # the last days are reported in part
            assert ((old[0][..., 0] <= old[1][..., 0]) & (old[1][..., 1] <= old[0][..., 1])).all(), name
        assert clean.streams[name].exact.all() or name not in part("workload").MESSAGES
    hidden = prepared.data.streams["advice"].ends
    assert (hidden[..., 0] < hidden[..., 1]).any()


def assert_finite(prepared: Prepared) -> None:
    """Density and gradient are finite where the pilot begins."""
    fast = informed(prepared.model, prepared.twin.definition.pilot(prepared.data))
    start = first_values(fast)
    value, slope = jax.jit(jax.value_and_grad(lambda z: potential_energy(fast, (), {}, z)))(start)
    assert np.isfinite(value)
    assert all(np.isfinite(part).all() for part in jax.tree.leaves(slope))


def test_density_and_gradient_are_finite_at_the_pilot(prepared: Prepared) -> None:
    assert_finite(prepared)


def test_a_delay_may_be_estimated(clinic: Path, tmp_path: Path) -> None:
    for name in ("extracts", "truth.nc"):
        (tmp_path / name).symlink_to(clinic / name)
    text = re.sub(r"^pmf = .*\n", "", (clinic / "study.toml").read_text(), flags=re.M)
    (tmp_path / "study.toml").write_text(text)
    estimated = prepare(read_study(tmp_path))
    assert "advice_delay_baseline" in prior_draws(estimated.model, np.random.default_rng(0), 1)
    assert_finite(estimated)


def test_withheld_streams_leave_the_quantities_in_the_model(clinic: Path, tmp_path: Path) -> None:
    text = (clinic / "study.toml").read_text()
    head, *extracts = re.split(r"(?=\n\[\[extract\]\]\n)", text)
    required = [e for e in extracts if re.search(r'stream = "(hours|slots|remote_slots|panel|inbox_minutes)"', e)]
    (tmp_path / "extracts").symlink_to(clinic / "extracts")
    (tmp_path / "study.toml").write_text((head + "".join(required)).replace('truth = "truth.nc"\n', ""))
    few = prepare(read_study(tmp_path))
    assert set(few.data.streams) == {"inbox_minutes"}
    draws = prior_draws(few.model, np.random.default_rng(0), 2)
    assert draws["provider_messages"].shape == (2, 6, 4)
    assert np.isfinite(draws["week_after_hours"]).all()


def test_a_wrong_resolution_is_named(clinic: Path, tmp_path: Path) -> None:
    (tmp_path / "extracts").symlink_to(clinic / "extracts")
    (tmp_path / "truth.nc").symlink_to(clinic / "truth.nc")
    text = (clinic / "study.toml").read_text()
    (tmp_path / "study.toml").write_text(text.replace('grid = "day"', 'grid = "week"'))
    with pytest.raises(StudyError, match="resolution does not fit the stream 'advice'"):
        prepare(read_study(tmp_path))


def answer(prepared: Prepared, drawn: dict, change: list[dict], weeks: int = 4) -> dict[str, np.ndarray]:
    """Quantities of the first draw under changes, (inner, week, unit)."""
    definition, data = prepared.twin.definition, prepared.data
    kinds = {kind.model_fields["kind"].default: kind for kind in definition.changes}
    scenario = Scenario(change=tuple(kinds[c["kind"]](**c) for c in change))
    span = definition.future(data, weeks, scenario, prepared.study.calendar)
    arrays = definition.per_draw(data, drawn, span)
    return definition.draw(data, span, {name: value[0] for name, value in arrays.items()}, np.random.default_rng(5), 200)


CHANGES = {
    "add_time": ({"kind": "add_time", "fte": 0.2}, "after_hours_minutes", -1),
    "protect_inbox": ({"kind": "protect_inbox", "hours": 4.0}, "visits", -1),
    "panel": ({"kind": "panel", "factor": 0.9}, "messages", -1),
    "team_inbox": ({"kind": "team_inbox", "share": 0.5}, "inbox_minutes", -1),
    "message_growth": ({"kind": "message_growth", "per_year": 1.0}, "messages", 1),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_moves_what_it_should(prepared: Prepared, drawn: dict, name: str) -> None:
    change, quantity, sign = CHANGES[name]
    moved = answer(prepared, drawn, [change])[quantity].mean() - answer(prepared, drawn, [])[quantity].mean()
    assert np.sign(moved) == sign


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "team_inbox", "share": 0.5, "clinics": ["C01"]},
        {"kind": "protect_inbox", "hours": 4.0, "clinics": ["C01"]},
        {"kind": "leave", "providers": ["P001"]},
        {"kind": "new_provider", "code": "N1", "clinic": "C01", "panel": 900.0},
    ],
)
def test_who_is_not_touched_by_a_change_changes_by_exactly_zero(prepared: Prepared, drawn: dict, change: dict) -> None:
    elsewhere = np.flatnonzero(prepared.data.roster.clinic_of != 0)
    with_it, without = answer(prepared, drawn, [change]), answer(prepared, drawn, [])
    for quantity, value in without.items():
        np.testing.assert_array_equal(with_it[quantity][..., elsewhere], value[..., elsewhere], quantity)


def test_fewer_messages_never_make_more_work_under_the_same_chance(prepared: Prepared, drawn: dict) -> None:
    with_it, without = answer(prepared, drawn, [{"kind": "team_inbox", "share": 0.3}]), answer(prepared, drawn, [])
    assert (with_it["messages"] <= without["messages"]).all()
    assert (with_it["after_hours_minutes"] <= without["after_hours_minutes"] + 1e-9).mean() > 0.999


def test_messages_of_who_is_away_are_answered_by_the_clinic(prepared: Prepared, drawn: dict) -> None:
    away = answer(prepared, drawn, [{"kind": "leave", "providers": ["P001"]}])
    usual = answer(prepared, drawn, [])
    assert away["messages"][..., 0].max() == 0
    assert away["visits"][..., 0].max() == 0
    colleagues = prepared.data.roster.clinic_of == prepared.data.roster.clinic_of[0]
    assert away["messages"][..., colleagues].sum(-1).mean() == pytest.approx(usual["messages"][..., colleagues].sum(-1).mean(), rel=0.03)


def test_people_and_clinics_nobody_has_seen_are_drawn_from_the_hierarchy(prepared: Prepared, drawn: dict) -> None:
    new = [
        {"kind": "new_provider", "code": "N1", "clinic": "C01", "panel": 900.0},
        {"kind": "new_clinic", "code": "C99", "organisation": "O1", "providers": 2, "panel": 1500.0},
    ]
    found = answer(prepared, drawn, new)
    assert found["after_hours_minutes"].shape[-1] == 9
    assert all(np.isfinite(value).all() for value in found.values())
    assert (found["messages"][..., 6:].mean((0, 1)) > 0).all()


def test_who_is_new_may_be_changed_too(prepared: Prepared, drawn: dict) -> None:
    new = [
        {"kind": "new_clinic", "code": "C99", "organisation": "O1", "providers": 2, "panel": 1500.0},
        {"kind": "new_provider", "code": "N1", "clinic": "C99", "panel": 900.0},
    ]
    changed = [*new, {"kind": "leave", "providers": ["C99-1"]}, {"kind": "team_inbox", "share": 0.5, "providers": ["N1"]}]
    with_it, without = answer(prepared, drawn, changed), answer(prepared, drawn, new)
    units = len(prepared.data.roster.provider)
    assert with_it["visits"][..., units].max() == 0
    assert with_it["messages"][..., units + 2].mean() < with_it["messages"][..., units + 1].mean() < np.inf
    np.testing.assert_array_equal(with_it["messages"][..., :units], without["messages"][..., :units])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"kind": "new_provider", "code": "P001", "clinic": "C01", "panel": 900.0}, "is taken"),
        ({"kind": "new_clinic", "code": "C01", "organisation": "O1", "providers": 1, "panel": 900.0}, "is taken"),
        ({"kind": "new_provider", "code": "N1", "clinic": "C01", "panel": 1e6}, "more patients than the clinic has"),
    ],
)
def test_new_people_who_cannot_be_are_refused(prepared: Prepared, drawn: dict, change: dict, problem: str) -> None:
    with pytest.raises(ScenarioError, match=problem):
        answer(prepared, drawn, [change])


def test_messages_stay_where_nobody_is_left_to_answer_them(prepared: Prepared, drawn: dict) -> None:
    everyone = prepared.data.roster.provider[prepared.data.roster.clinic_of == 0]
    gone = answer(prepared, drawn, [{"kind": "leave", "providers": list(everyone)}])["messages"]
    usual = answer(prepared, drawn, [])["messages"]
    assert gone[..., prepared.data.roster.clinic_of == 0].mean() == pytest.approx(
        usual[..., prepared.data.roster.clinic_of == 0].mean(), rel=0.03
    )


def test_conservation_in_the_clinic_that_happens(prepared: Prepared, drawn: dict) -> None:
    future, definition = part("future"), prepared.twin.definition
    span = definition.future(prepared.data, 3, Scenario(), prepared.study.calendar)
    arrays = {name: value[0] for name, value in definition.per_draw(prepared.data, drawn, span).items()}
    happened = future.events(prepared.data, span, arrays, np.random.default_rng(1), 4)
    begun = happened.after_hours[:, 0] + happened.in_hours[:, 0] + happened.backlog[:, 0] - happened.load[:, 0]
    done = (happened.after_hours + happened.in_hours).sum(1) + happened.backlog[:, -1]
    np.testing.assert_allclose(begun + happened.load.sum(1), done, rtol=0, atol=1e-8)


def test_the_kind_of_clinic_that_the_prior_expects_is_the_published_one() -> None:
    """Levels that the literature reports, with hyperpriors drawn: provider means per eight scheduled hours."""
    publish, demand, future = part("publish"), part("demand"), part("future")
    data = publish.invent(Design(units=60, groups=6, weeks=8), 1)
    model = lambda: TWIN.definition.model(data, {name: row.build() for name, row in TWIN.definition.priors.items()})  # noqa: E731
    draws = prior_draws(model, np.random.default_rng(2), 40)
    found: dict[str, list[np.ndarray]] = {}
    clinic, rng = part("clinic"), np.random.default_rng(3)
    days = data.schedule.minutes.sum(0) / 480.0
    for i in range(40):
        draw = {name: value[i] for name, value in draws.items()}
        expected = demand.expected_demand(data, draw)
        start = clinic.Start(np.zeros((1, 60)), np.ones(60), np.zeros((2, 60)))
        happened = clinic.happen(
            future.people(draw), np.asarray(expected.messages)[:, None], draw["concentration"], np.asarray(expected.requests), data.schedule,
            data.span.length, start, rng,
        )  # fmt: skip
        ehr = (happened.inbox + happened.documentation + happened.admin)[0].sum(0) / days
        for name, value in (
            ("visits", happened.visits.sum((0, 1, 2)) / days),
            ("inbox", happened.inbox[0].sum(0) / days),
            ("ehr", ehr),
            ("wow", happened.after_hours[0].sum(0) / days),
        ):
            found.setdefault(name, []).append(value)
    typical = {name: float(np.median(np.concatenate(values))) for name, values in found.items()}
    # Published: 16 visits (10-23), inbox 71 (52-85), EHR 392 (median 353 at fixed hyperparameters), after hours 166 (median 129).
    assert 12 < typical["visits"] < 20, typical
    assert 50 < typical["inbox"] < 110, typical
    assert 280 < typical["ehr"] < 450, typical
    assert 60 < typical["wow"] < 260, typical
