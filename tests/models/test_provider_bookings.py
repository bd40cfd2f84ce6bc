"""Bookings: slots taken, known or not, and the visits that come of them."""

import re
from functools import partial
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from model_parts import model_part
from numpyro.handlers import seed, trace

import bayestwin as bt
from bayestwin.barriers import Access, Grid
from bayestwin.errors import StudyError
from bayestwin.infer.predictive import prior_draws
from bayestwin.laws.trials import Trials
from bayestwin.prepared import prepare
from bayestwin.study import read_study
from bayestwin.twin.twin import Design, load_twin

TWIN = load_twin("provider_workload")
SLOTS, FILL, COMES = 12.0, 0.85, 0.8


part = partial(model_part, "provider_workload")


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bookings") / "clinic"
    bt.simulate_study(folder, model="provider_workload", design=Design(units=4, groups=2, weeks=6), seed=5)
    return folder


def bookings(ends: list[list[float]]) -> object:
    days = np.datetime64("2024-01-01") + np.arange(len(ends))
    return part("workload").Stream(np.array(ends)[:, None], Access(), Grid({"day": days, "provider": np.array(["P1"])}))


def test_visits_of_known_bookings_average_to_visits_of_slots() -> None:
    """P(V) = Σ_k P(K = k) P(V | K = k): what is conditioned on bookings adds up to what is not."""
    taken = np.arange(SLOTS + 1)
    known = bookings([[k, k] for k in taken])
    offered, fill, comes = np.full((len(taken), 1), SLOTS), jnp.full((len(taken), 1), FILL), jnp.full((len(taken), 1), COMES)
    given = part("model").attended(offered, fill, comes, known)
    plain = part("model").attended(offered, fill, comes, None)
    chance = np.exp(Trials(np.full(len(taken), SLOTS), jnp.full(len(taken), FILL)).log_pmf(taken))
    for visits in taken:
        each = np.exp(np.asarray(given.log_pmf(np.full((len(taken), 1), visits)))[:, 0])
        whole = np.exp(float(plain.log_pmf(np.full((len(taken), 1), visits))[0, 0]))
        assert chance @ np.where(visits <= taken, each, 0.0) == pytest.approx(whole, rel=1e-10)


def test_unknown_bookings_leave_visits_to_the_slots() -> None:
    law = part("model").attended(
        np.full((2, 1), SLOTS), jnp.full((2, 1), FILL), jnp.full((2, 1), COMES), bookings([[-np.inf, np.inf], [9.0, 9.0]])
    )
    assert law.number.ravel().tolist() == [SLOTS, 9.0]
    np.testing.assert_allclose(law.probability.ravel(), [FILL * COMES, COMES])


def test_a_drawn_clinic_has_no_more_bookings_than_slots_and_no_more_visits_than_bookings(clinic: Path) -> None:
    data = prepare(read_study(clinic / "clean")).data
    for mode, booked, slots in zip(part("workload").MODES, part("workload").BOOKINGS, data.schedule.slots, strict=True):
        taken, came = (data.streams[name].ends[..., 0] for name in (booked, mode))
        open_days = slots > 0
        assert (came <= taken)[open_days].all()
        assert (taken <= slots)[open_days].all()
        assert came[open_days].sum() < taken[open_days].sum() < slots[open_days].sum()


def test_the_model_conditions_on_bookings_and_on_visits_given_them(clinic: Path) -> None:
    prepared = prepare(read_study(clinic / "clean"))
    laws = trace(seed(prepared.model, 0)).get_trace()
    for mode, booked, slots in zip(part("workload").MODES, part("workload").BOOKINGS, np.round(prepared.data.schedule.slots), strict=True):
        np.testing.assert_array_equal(laws[booked]["fn"].law.number, slots)
        np.testing.assert_array_equal(laws[mode]["fn"].law.number, prepared.data.streams[booked].ends[..., 0])
        assert laws[booked]["is_observed"]


def test_drawn_bookings_are_as_many_as_the_queue_expects() -> None:
    publish = part("publish")
    data = publish.invent(Design(units=4, groups=2, weeks=8), 3)
    priors = {name: row.build() for name, row in TWIN.definition.priors.items()}
    draw = {n: v[0] for n, v in prior_draws(lambda: TWIN.definition.model(data, priors), np.random.default_rng(1), 1).items()}
    _, requests = map(np.asarray, part("demand").expected_demand(data, draw))
    rng, replicates = np.random.default_rng(2), 60
    happened = [publish._happen(data, draw, rng).numbers for _ in range(replicates)]
    for name, asked, slots in zip(part("workload").BOOKINGS, requests, np.round(data.schedule.slots), strict=True):
        chance = part("clinic").attendance(part("future").people(draw), asked, slots, data.span.length, np.zeros(4)).booked
        total = sum(numbers[name] for numbers in happened).sum(0)
        expected, sd = replicates * (slots * chance).sum(0), np.sqrt(replicates * (slots * chance * (1.0 - chance)).sum(0))
        assert (np.abs(total - expected) < 4.5 * sd + 1e-9).all(), name


def copy_of(clinic: Path, folder: Path) -> Path:
    """A copy whose tables can be changed, without truth."""
    (folder / "extracts").mkdir(parents=True)
    for file in (clinic / "extracts").iterdir():
        (folder / "extracts" / file.name).write_bytes(file.read_bytes())
    (folder / "study.toml").write_text((clinic / "study.toml").read_text().replace('truth = "../truth.nc"\n', ""))
    return folder


def test_more_bookings_than_slots_are_named(clinic: Path, tmp_path: Path) -> None:
    study = copy_of(clinic / "clean", tmp_path / "study")
    table = pd.read_csv(study / "extracts" / "booked.csv.gz")
    row = table.index[table["value"] > 0][0]
    table.loc[row, "value"] = 99
    table.to_csv(study / "extracts" / "booked.csv.gz", index=False)
    with pytest.raises(StudyError, match=r"booked.csv.gz: more bookings than slots: found '.*P00\d: 99 or more'; expected at most \d+"):
        prepare(read_study(study))


def test_more_visits_than_bookings_are_named(clinic: Path, tmp_path: Path) -> None:
    study = copy_of(clinic / "clean", tmp_path / "study")
    table = pd.read_csv(study / "extracts" / "remote_booked.csv.gz")
    table["value"] = 0
    table.to_csv(study / "extracts" / "remote_booked.csv.gz", index=False)
    with pytest.raises(StudyError, match=r"remote_visits.csv.gz: more visits than bookings or slots: .*expected at most 0"):
        prepare(read_study(study))


def without(text: str, stream: str) -> str:
    """A study.toml without one extract."""
    head, *extracts = re.split(r"(?=\n\[\[extract\]\]\n)", text)
    return head + "".join(extract for extract in extracts if f'stream = "{stream}"\n' not in extract)


def test_more_visits_than_slots_are_named_where_no_bookings_are_seen(clinic: Path, tmp_path: Path) -> None:
    study = copy_of(clinic / "clean", tmp_path / "study")
    (study / "study.toml").write_text(without((study / "study.toml").read_text(), "booked"))
    table = pd.read_csv(study / "extracts" / "visits.csv.gz")
    table["value"] = table["value"].where(table["value"] == 0, 99)
    table.to_csv(study / "extracts" / "visits.csv.gz", index=False)
    with pytest.raises(StudyError, match=r"visits.csv.gz: more visits than bookings or slots: .*99 or more"):
        prepare(read_study(study))


def test_a_hidden_number_of_visits_contradicts_bookings_of_none(clinic: Path, tmp_path: Path) -> None:
    study = copy_of(clinic, tmp_path / "study")
    (study / "study.toml").write_text((study / "study.toml").read_text().replace('truth = "truth.nc"\n', ""))
    table = pd.read_csv(study / "extracts" / "booked.csv.gz")
    table["value"] = 0
    table.to_csv(study / "extracts" / "booked.csv.gz", index=False)
    with pytest.raises(StudyError, match=r"visits.csv.gz: more visits than bookings or slots: .* 1 or more'; expected at most 0"):
        prepare(read_study(study))


def test_rounded_visits_may_be_shown_above_their_bookings(clinic: Path, tmp_path: Path) -> None:
    study = copy_of(clinic / "clean", tmp_path / "study")
    text = (study / "study.toml").read_text()
    head, tail = text.split('stream = "visits"\n')
    tail = tail.replace("\n[[extract]]", '\n[[extract.barriers]]\nkind = "round"\nbase = 5\n\n[[extract]]', 1)
    (study / "study.toml").write_text(head + 'stream = "visits"\n' + tail)
    table = pd.read_csv(study / "extracts" / "visits.csv.gz")
    table.assign(value=((table["value"] + 2) // 5) * 5).to_csv(study / "extracts" / "visits.csv.gz", index=False)
    streams = prepare(read_study(study)).data.streams
    shown, taken = (streams[name].ends for name in ("visits", "booked"))
    assert (shown.mean(-1) > taken[..., 0]).any()  # as published some lie above
    assert (shown[..., 0] <= taken[..., 0]).all()


def test_visits_without_bookings_tell_the_pilot_of_requests(clinic: Path, tmp_path: Path) -> None:
    study = copy_of(clinic / "clean", tmp_path / "study")
    text = (study / "study.toml").read_text()
    (study / "study.toml").write_text(without(without(text, "booked"), "remote_booked"))
    prepared = prepare(read_study(study))
    assert "booked" not in prepared.data.streams
    found = TWIN.definition.pilot(prepared.data).looks["provider_visits"]({"giving_up": 0.05})
    seen = np.isfinite(prepared.data.streams["visits"].ends).all((0, 2))
    assert (np.asarray(found.information)[seen, 0] > 0).all()
    assert np.isfinite(np.asarray(found.value)).all()


def test_bookings_through_another_barrier_are_refused(clinic: Path, tmp_path: Path) -> None:
    study = copy_of(clinic / "clean", tmp_path / "study")
    text = (study / "study.toml").read_text()
    head, tail = text.split('stream = "booked"\n')
    tail = tail.replace("\n[[extract]]", '\n[[extract.barriers]]\nkind = "suppress"\nbelow = 5\n\n[[extract]]', 1)
    (study / "study.toml").write_text(head + 'stream = "booked"\n' + tail)
    table = pd.read_csv(study / "extracts" / "booked.csv.gz", dtype={"value": str})
    table.assign(value=table["value"].where(~table["value"].isin(list("1234")), "*")).to_csv(
        study / "extracts" / "booked.csv.gz", index=False
    )
    with pytest.raises(StudyError, match="the stream 'booked' is used as it is shown"):
        prepare(read_study(study))
