"""Answers about access checked by refits: the same counts behind every arm, the right law for each, and no fit left out of the count."""

import pickle
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import pytest
from bakery_study import write_bakery
from numpyro.infer.util import log_density
from typer.testing import CliRunner

import bayestwin as bt
from bayestwin.barriers import Access, Coverage, Grid
from bayestwin.cli import app
from bayestwin.credibility.campaign import Piece
from bayestwin.credibility.spot_checks import FIRST, FULL, NOW, checked, refit, spot_check
from bayestwin.errors import RequestError, RunError
from bayestwin.infer.predictive import prior_draws, sites
from bayestwin.laws.expected import Counts
from bayestwin.prepared import Prepared, prepare
from bayestwin.preposterior.current import Site, sites_of_model
from bayestwin.preposterior.lifting import barrier_names, lifted
from bayestwin.preposterior.resimulated import Seen, resimulated

SHORT = bt.Sampling(chains=2, draws=100, warmup=100, seed=3)


def with_absent_shop(folder: Path) -> Path:
    study = write_bakery(folder)
    bread = (study / "bread.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (study / "bread.csv").write_text("".join(line for line in bread if not line.startswith("S4")), encoding="utf-8")
    with (study / "study.toml").open("a", encoding="utf-8") as file:
        file.write('\n[[extract.barriers]]\nkind = "site_absence"\ndim = "shop"\nabsent = ["S4"]\n')
    return study


@pytest.fixture(scope="module")
def bakery(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(bt.read_study(with_absent_shop(tmp_path_factory.mktemp("bakery") / "study")))


def arms_of(found: dict[str, Site]) -> dict[str, Any]:
    return {NOW: {}, FIRST: lifted(found, ["suppress"]), FULL: lifted(found, barrier_names(found))}


def test_the_same_counts_are_behind_every_arm(bakery: Prepared) -> None:
    model, found = bakery.finer, sites_of_model(bakery.finer)
    rng = np.random.default_rng(1)
    drawn = {name: value[0] for name, value in prior_draws(model, rng, 1).items()} | {
        "customers": np.array(10.0),
        "appetite": np.array(1.0),
    }
    told = {arm: values["bread"] for arm, values in resimulated(model, found, drawn, arms_of(found), rng).items()}
    absent = bakery.data.shop == "S4"
    low, high = np.moveaxis(told[FULL], -1, 0)
    assert (low == high).all()
    for arm in (NOW, FIRST):
        assert np.isneginf(told[arm][:, absent, 0]).all()
        assert ((told[arm][..., 0] <= low) & (high <= told[arm][..., 1])).all()
    np.testing.assert_array_equal(told[FIRST][:, ~absent], told[FULL][:, ~absent])
    hidden = (told[NOW][..., 0] < told[NOW][..., 1])[:, ~absent]
    np.testing.assert_array_equal(hidden, ((low > 0) & (low < 8))[:, ~absent])
    assert hidden.any()


def test_cells_of_which_nothing_is_told_stay_silent_in_every_arm(tmp_path: Path) -> None:
    """The fourth shop told nothing of its last six weeks, for no reason that a request lifts."""
    plain = prepare(bt.read_study(write_bakery(tmp_path / "study")))
    found, rng = sites_of_model(plain.finer), np.random.default_rng(2)
    drawn = {name: value[0] for name, value in prior_draws(plain.finer, rng, 1).items()}
    silent = np.isneginf(plain.data.ends[..., 0])
    assert silent.sum() == 6
    for values in resimulated(plain.finer, found, drawn, arms_of(found), rng).values():
        np.testing.assert_array_equal(np.isneginf(values["bread"][..., 0]), silent)


def test_a_study_seen_as_it_is_has_the_density_of_its_model(bakery: Prepared) -> None:
    values = {name: value[0] for name, value in prior_draws(bakery.model, np.random.default_rng(3), 1).items()}
    latent = {name: values[name] for name in sites(bakery.model).latent}
    own, _ = log_density(bakery.model, (), {}, latent)
    again, _ = log_density(Seen(bakery.finer, {}, {"bread": bakery.data.ends}), (), {}, latent)
    assert float(again) == pytest.approx(float(own), rel=1e-10)


def test_what_is_lifted_has_the_law_of_what_is_shown(bakery: Prepared) -> None:
    """With everything lifted each count has its negative binomial mass, and nothing else."""
    from scipy.stats import nbinom

    found, clean = sites_of_model(bakery.finer), np.full(bakery.data.grid.shape, 3.0)
    values = {"customers": 5.0, "appetite": 1.2, "sd_shop": 0.3, "shop_level": np.linspace(-0.2, 0.2, 4)}
    seen = Seen(bakery.finer, lifted(found, barrier_names(found)), {"bread": np.stack([clean, clean], -1)})
    full, trace = log_density(seen, (), {}, values)
    mean = np.broadcast_to(6.0 * np.exp(values["shop_level"]), clean.shape)
    expected = nbinom(30.0, 30.0 / (30.0 + mean)).logpmf(3).sum()
    assert float(trace["bread"]["fn"].log_prob(trace["bread"]["value"]).sum()) == pytest.approx(expected, rel=1e-6)
    assert np.isfinite(float(full))


def test_counts_that_a_channel_thinned_are_seen_whole_once_it_is_lifted() -> None:
    from scipy.stats import poisson

    thinned, cells = Access(channels=(Coverage(fraction=0.5),)), Grid({"week": np.arange(3)})

    def model() -> None:
        numpyro.sample("calls", thinned.likelihood(Counts(jnp.full(3, 8.0)), cells), obs=np.full((3, 2), 4.0))

    shown = {"calls": np.full((3, 2), 7.0)}
    for accesses, mean in (({}, 4.0), ({"calls": Access()}, 8.0)):
        density, _ = log_density(Seen(model, accesses, shown), (), {}, {})
        assert float(density) == pytest.approx(3.0 * poisson(mean).logpmf(7))


def test_a_piece_can_be_sent_to_a_worker(bakery: Prepared) -> None:
    found = sites_of_model(bakery.finer)
    piece = Piece("one", partial(refit, bakery.study, 3, arms_of(found), {"customers": np.array(10.0)}, 0, SHORT))
    again = pickle.loads(pickle.dumps(piece))
    assert again.work.args[2] == arms_of(found)
    assert again.work.args[5] == SHORT


def rows(shares: list[float], r_hat: float = 1.0) -> list[dict[str, Any]]:
    """Each draw has another variance now; what is left of it by the first request, and half of that with full access."""
    return [
        {"draw": n, "arm": arm, "status": "PASS", "r_hat": r_hat, "variance": (n + 1.0) * part}
        for n, share in enumerate(shares)
        for arm, part in ((NOW, 1.0), (FIRST, share), (FULL, 0.5 * share))
    ]


ANSWER = {
    "requests": [{"request": "one", "quantity": "q", "level": "all", "unit": "all", "share": 0.4, "share_error": 0.01}],
    "quantities": [{"quantity": "q", "level": "all", "unit": "all", "epistemic": 4.0, "epistemic_full": 1.2, "error": 0.04}],
}


def test_what_was_foretold_agrees_within_error_and_what_was_not_is_told() -> None:
    first, full = checked(ANSWER, rows([0.55, 0.65, 0.6, 0.62, 0.58]))
    assert (first["what"], full["what"]) == ("one", "full access")
    assert (first["predicted"], full["predicted"]) == (pytest.approx(0.6), pytest.approx(0.3))
    assert (first["realised"], full["realised"]) == (pytest.approx(0.6), pytest.approx(0.3))
    assert (first["agree"], full["agree"]) == (True, True)
    assert first["realised_error"] == pytest.approx(np.std([0.55, 0.65, 0.6, 0.62, 0.58], ddof=1) / np.sqrt(5))
    first, full = checked(ANSWER, rows([0.85, 0.95, 0.9, 0.92, 0.88]))
    assert (first["agree"], full["agree"]) == (False, False)
    assert first["apart"] == pytest.approx(0.3)


def test_fits_that_failed_are_counted_and_kept() -> None:
    good, bad = rows([0.5, 0.6]), [row | {"draw": row["draw"] + 2} for row in rows([0.7, 0.8], r_hat=1.4)]
    first, _ = checked(ANSWER, good + bad)
    assert (first["draws"], first["refits"], first["failed"]) == (4, 8, 4)
    assert first["realised"] == pytest.approx(0.65)


def test_draws_without_a_variance_are_counted() -> None:
    found = rows([0.5, 0.6, 0.7])
    found[0]["variance"] = 0.0
    first, _ = checked(ANSWER, found)
    assert (first["draws"], first["without_variance"]) == (3, 1)
    assert first["realised"] == pytest.approx(0.65)
    found[3]["variance"] = 0.0
    first, _ = checked(ANSWER, found)
    assert (first["realised"], first["agree"], first["without_variance"]) == (None, None, 2)


def test_agreement_is_told_wrongly_as_often_as_it_says() -> None:
    """Realised shares about the foretold one: one check in twenty says no, however few the draws."""
    rng, sure = np.random.default_rng(4), {**ANSWER, "requests": [ANSWER["requests"][0] | {"share_error": 0.0}]}
    no = [not checked(sure, rows(list(rng.normal(0.6, 0.05, 4))))[0]["agree"] for _ in range(1000)]
    assert np.mean(no) == pytest.approx(0.05, abs=0.025)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> bt.Run:
    folder = tmp_path_factory.mktemp("run")
    return bt.calibrate(bt.read_study(with_absent_shop(folder / "study")), bt.Sampling(chains=2, draws=200, warmup=200), folder / "run")


def test_a_run_is_checked_and_what_is_done_is_not_done_again(run: bt.Run) -> None:
    with pytest.raises(RunError, match="was not analysed"):
        spot_check(run, 2)
    bt.access_value(run)
    said: list[str] = []
    first, full = spot_check(run, 2, say=said.append, sampling=SHORT)["checks"]
    assert said == ["spot check at draw 1 (1 of 2)", "spot check at draw 2 (2 of 2)"]
    assert (first["what"], full["what"]) == ("lift site absence", "full access")
    assert (first["draws"], first["refits"], first["without_variance"]) == (2, 4, 0)
    # The fourth shop is most of what is not known: seen, it leaves little, whatever the two draws are.
    assert 0.0 < full["realised"] < 0.5
    assert bt.load_run(run.folder).access["checks"] == [first, full]
    said.clear()
    spot_check(run, 2, say=said.append, sampling=SHORT)
    assert said == []
    from bayestwin.report.render import write_report

    write_report(bt.load_run(run.folder))
    assert "Checked by refits" in (run.folder / "access.html").read_text(encoding="utf-8")


def test_one_draw_has_no_error(run: bt.Run) -> None:
    with pytest.raises(RequestError, match="at least 2"):
        spot_check(run, 1)
    done = CliRunner().invoke(app, ["access", str(run.folder), "--spot-checks", "1"])
    assert done.exit_code == 2
    assert "--spot-checks" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("model", ["provider_workload", "gp_appointments"])
def test_the_models_of_the_library_can_be_seen_through_any_arm(model: str, tmp_path: Path) -> None:
    """Data drawn at a draw of the prior have a density there, whatever is lifted; more is told the more is lifted."""
    bt.simulate_study(tmp_path / "study", model=model, design=bt.Design(units=4, groups=2, weeks=8), seed=1)
    prepared = prepare(bt.read_study(tmp_path / "study"))
    rng, found = np.random.default_rng(1), sites_of_model(prepared.finer, prepared.twin.definition.reads)
    names = barrier_names(found)
    arms = {NOW: {}, FIRST: lifted(found, names[:1]), FULL: lifted(found, names)}
    drawn = {name: value[0] for name, value in prior_draws(prepared.finer, rng, 1).items()}
    unknowns = {name: drawn[name] for name in sites(prepared.finer).latent}
    told = resimulated(prepared.finer, found, unknowns, arms, rng)
    assert set(told[NOW]) == set(sites(prepared.finer).observed)
    silent = []
    for arm, accesses in arms.items():
        seen = Seen(prepared.finer, accesses, told[arm])
        density = jax.jit(lambda values, seen=seen: log_density(seen, (), {}, values)[0])(unknowns)
        assert np.isfinite(float(density)), arm
        silent.append(sum(np.isneginf(told[arm][name][..., 0]).sum() for name in found))
    assert silent[0] >= silent[1] >= silent[2]
    assert silent[0] > silent[2]
