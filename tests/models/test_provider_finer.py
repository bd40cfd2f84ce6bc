"""The model for an analysis of access: where things are shown it is the model; where they are not, later laws are given earlier ones."""

from pathlib import Path

import jax
import numpy as np
import pytest
from numpyro.handlers import seed, substitute, trace

import bayestwin as bt
from bayestwin.infer.predictive import prior_draws
from bayestwin.infer.predictive import sites as latent_sites
from bayestwin.prepared import Prepared, prepare
from bayestwin.twin.twin import Design


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder: Path = tmp_path_factory.mktemp("finer") / "clinic"
    return prepare(bt.simulate_study(folder, model="provider_workload", design=Design(units=4, groups=2, weeks=8), seed=5))


@pytest.fixture(scope="module")
def laws(prepared: Prepared) -> tuple[dict, dict]:
    values = {name: part[0] for name, part in prior_draws(prepared.model, np.random.default_rng(2), 1).items()}

    def found(model) -> dict:
        sites = trace(seed(substitute(model, values), jax.random.key(0))).get_trace()
        return {name: site["fn"].source.counts for name, site in sites.items() if hasattr(site.get("fn"), "source")}

    return found(prepared.model), found(prepared.finer)


def test_it_has_the_same_sites(laws: tuple[dict, dict]) -> None:
    plain, finer = laws
    assert set(plain) == set(finer)


def test_absent_visits_are_given_the_bookings_that_would_come_with_them(prepared: Prepared, laws: tuple[dict, dict]) -> None:
    plain, finer = (law["visits"] for law in laws)
    stream = prepared.data.streams["booked"]
    absent = ~stream.access.present(stream.grid)
    assert absent.any()
    slots = np.round(prepared.data.schedule.slots[0])
    np.testing.assert_array_equal(np.asarray(finer.number)[absent], np.round(0.85 * slots)[absent])
    np.testing.assert_array_equal(np.asarray(finer.number)[~absent], np.asarray(plain.number)[~absent])
    np.testing.assert_allclose(np.asarray(finer.probability)[~absent], np.asarray(plain.probability)[~absent])


def test_a_withheld_total_is_given_its_withheld_parts(prepared: Prepared, laws: tuple[dict, dict]) -> None:
    """Minutes in the record hold inbox and documentation; with these shown what is left of them is surer, cell by cell as their size allows."""
    plain, finer = (np.asarray(law["ehr_minutes"].scale) for law in laws)
    stream = prepared.data.streams["ehr_minutes"]
    absent = ~stream.access.present(stream.grid) & (np.asarray(prepared.data.span.by_week(prepared.data.schedule.minutes)) > 0)
    assert absent.any()
    assert np.median(finer[absent] / plain[absent]) < 0.95
    shown = stream.exact & np.all([prepared.data.streams[name].exact for name in ("inbox_minutes", "documentation_minutes")], axis=0)
    np.testing.assert_allclose(finer[shown], plain[shown], rtol=0.05)


def test_absent_minutes_are_given_the_counts_that_would_come_with_them(prepared: Prepared) -> None:
    """Shown together with its counts, a provider's inbox tells how long messages take, and no more of how many come than the counts do."""
    drawn = prior_draws(prepared.model, np.random.default_rng(2), 1)
    values = {name: jax.numpy.array(drawn[name][0]) for name in latent_sites(prepared.model).latent}
    streams = prepared.data.streams
    by_week, counts, stream = prepared.data.span.by_week, streams["advice"], streams["inbox_minutes"]
    open_ = np.asarray(by_week(prepared.data.schedule.minutes)) > 0
    late = np.asarray(by_week(counts.access.present(counts.grid).astype(float))) == 0
    together = open_ & late & ~stream.access.present(stream.grid)
    assert together.any()

    def follows(model, name: str) -> float:
        def told(site: jax.Array) -> jax.Array:
            laws = trace(seed(substitute(model, values | {name: site}), jax.random.key(0))).get_trace()
            return jax.numpy.where(together, laws["inbox_minutes"]["fn"].source.counts.loc, 0.0).sum()

        return float(abs(jax.grad(told)(values[name])).sum())

    assert follows(prepared.finer, "speed") == pytest.approx(follows(prepared.model, "speed"), rel=0.2)
    assert follows(prepared.finer, "speed") > 1.0
    assert follows(prepared.model, "provider_messages") > 1.0
    assert follows(prepared.finer, "provider_messages") == pytest.approx(0.0, abs=1e-9)


def test_absent_metrics_are_taken_for_what_is_expected_of_them(laws: tuple[dict, dict], prepared: Prepared) -> None:
    """So that the total in the record has the mean that it has without its parts, wherever these are not shown."""
    plain, finer = (np.asarray(law["ehr_minutes"].loc + 0.5 * np.square(law["ehr_minutes"].scale)) for law in laws)
    parts = [prepared.data.streams[name] for name in ("inbox_minutes", "documentation_minutes")]
    absent = np.all([~part.access.present(part.grid) for part in parts], axis=0) & ~parts[1].idle
    counts = prepared.data.streams["advice"]
    known = np.asarray(prepared.data.span.by_week(counts.access.present(counts.grid).astype(float))) == 7
    assert (absent & known).any()
    np.testing.assert_allclose(finer[absent & known], plain[absent & known], rtol=1e-9)
