"""Simulation-based calibration of a study: ranks of what made the data, every fit counted."""

from pathlib import Path

import numpy as np
import pytest
from bakery_study import write_bakery
from numpyro.handlers import condition
from numpyro.infer.util import log_density

import bayestwin as bt
from bayestwin.credibility.sbc import (
    BLOCK,
    LOG_LIKELIHOOD,
    Beside,
    as_told,
    checks_of_replicates,
    fit_block,
    posterior_replicates,
    replicates,
)
from bayestwin.errors import RunError
from bayestwin.infer.predictive import prior_draws, sites
from bayestwin.prepared import prepare

SHORT = bt.Sampling(chains=2, draws=100, warmup=100, seed=1)


def rows(u: np.ndarray, r_hat: float = 1.0) -> list[dict]:
    return [{"replicate": i, "status": "PASS", "r_hat": r_hat, "ess": 500.0, "ranks": {"sd": float(one)}} for i, one in enumerate(u)]


def test_uniform_ranks_pass_and_a_cup_fails() -> None:
    u = (np.arange(200) + 0.5) / 200
    cup = 0.5 + 0.5 * np.sign(u - 0.5) * np.abs(2 * u - 1) ** 0.25
    (right, mixed), (wrong, _) = (list(checks_of_replicates(rows(each))) for each in (u, cup))
    assert (right.status, mixed.status, wrong.status) == ("PASS", "PASS", "FAIL")
    assert "sd" in wrong.reason


def test_fits_that_did_not_mix_are_counted() -> None:
    u = (np.arange(100) + 0.5) / 100
    mixed = list(checks_of_replicates(rows(u[:70]) + rows(u[70:], r_hat=1.4)))[1]
    assert mixed.status == "FAIL"
    assert mixed.value == 0.7
    assert list(checks_of_replicates([])) == []


def test_a_cell_of_which_nothing_is_told_says_nothing_in_simulated_data(tmp_path: Path) -> None:
    prepared = prepare(bt.read_study(write_bakery(tmp_path / "study")))
    ends = prepared.data.ends
    drawn = np.zeros((3, *ends.shape))
    told = as_told(prepared, {"bread": drawn})["bread"]
    silent = np.isneginf(ends[..., 0])
    assert silent.sum() == 6
    assert np.isneginf(told[:, silent, 0]).all()
    assert np.isposinf(told[:, silent, 1]).all()
    assert (told[:, ~silent] == 0.0).all()


def test_blocks_hold_every_replicate_once(tmp_path: Path) -> None:
    study = bt.read_study(write_bakery(tmp_path / "study"))
    blocks = [piece.work.args[1] for piece in replicates(study, 2 * BLOCK + 3, SHORT)]
    assert [i for block in blocks for i in block] == list(range(2 * BLOCK + 3))


def test_simulated_data_are_fitted_and_the_truth_is_ranked(tmp_path: Path) -> None:
    study = bt.read_study(write_bakery(tmp_path / "study"))
    done: list[str] = []
    found = fit_block(study, range(2), SHORT, watch=lambda progress: done.append(progress.words))
    assert done == ["1 of 2 fits", "2 of 2 fits"]
    assert [one["replicate"] for one in found] == [0, 1]
    for one in found:
        assert set(one["ranks"]) == {"customers", "appetite", "sd_shop", "shop_level", LOG_LIKELIHOOD}
        assert all(0.0 <= u <= 1.0 for u in one["ranks"].values())
    assert found[0]["ranks"] != found[1]["ranks"]
    assert fit_block(study, range(2), SHORT) == found


def test_two_fits_of_the_same_data_have_randomness_of_their_own(tmp_path: Path) -> None:
    from bayestwin.credibility.sbc import _fits

    prepared = prepare(bt.read_study(write_bakery(tmp_path / "study")))
    one, other = _fits(prepared, {"bread": np.stack([prepared.data.ends] * 2)}, SHORT, condition)
    assert not np.array_equal(one.sites["sd_shop"], other.sites["sd_shop"])


def test_data_that_are_told_beside_a_models_own_count_as_often(tmp_path: Path) -> None:
    prepared = prepare(bt.read_study(write_bakery(tmp_path / "study")))
    drawn = prior_draws(prepared.model, np.random.default_rng(1), 1)
    latent = {name: drawn[name][0] for name in sites(prepared.model).latent}
    other = np.where(np.isfinite(prepared.data.ends), 3.0, prepared.data.ends)

    def density(model) -> float:
        return float(log_density(model, (), {}, latent)[0])

    own, replaced = density(prepared.model), density(condition(prepared.model, {"bread": other}))
    nothing = density(condition(prepared.model, {"bread": np.broadcast_to([-np.inf, np.inf], other.shape)}))
    assert own != replaced
    assert density(Beside(prepared.model, {"bread": other})) == pytest.approx(own + replaced - nothing, rel=1e-9)


@pytest.fixture(scope="module")
def baked(tmp_path_factory: pytest.TempPathFactory) -> bt.Run:
    folder = tmp_path_factory.mktemp("baked")
    return bt.calibrate(write_bakery(folder / "study"), bt.Sampling(chains=4, draws=250, warmup=250, seed=4), folder / "run")


def test_draws_of_the_posterior_make_data_and_each_serves_once(baked: bt.Run) -> None:
    study = bt.read_study(baked.folder.parent / "study")
    pieces = posterior_replicates(study, BLOCK + 2, SHORT, baked.posterior)
    drawn = [piece.work.args[3]["customers"] for piece in pieces]
    assert [len(values) for values in drawn] == [BLOCK, 2]
    flat = baked.posterior["customers"].to_numpy().reshape(-1)
    assert np.isin(np.concatenate(drawn), flat).all()
    assert len(set(np.concatenate(drawn).ravel().tolist())) == BLOCK + 2
    with pytest.raises(RunError, match="too many"):
        posterior_replicates(study, flat.size + 1, SHORT, baked.posterior)


def test_ranks_of_both_kinds_have_a_figure_of_their_own_in_the_report() -> None:
    from bayestwin.report.render import _validation

    u = (np.arange(40) + 0.5) / 40
    answer = {"checks": [], "replicates": rows(u), "posterior_replicates": rows(u[:20])}
    assert list(_validation(answer)["uniform"]) == ["40 simulated studies", "20 simulated studies about the posterior"]
    assert list(_validation({**answer, "replicates": []})["uniform"]) == ["20 simulated studies about the posterior"]


def test_fits_about_the_posterior_know_more_than_the_studys_own(baked: bt.Run) -> None:
    from bayestwin.credibility.sbc import _fits

    prepared = prepare(bt.read_study(baked.folder.parent / "study"))
    (twice,) = _fits(prepared, {"bread": prepared.data.ends[None]}, bt.Sampling(chains=2, draws=500, warmup=200, seed=3), Beside)
    of_own, of_both = (float(np.std(values)) for values in (baked.posterior["appetite"], twice.sites["appetite"]))
    assert of_both < 0.85 * of_own
    found = posterior_replicates(bt.read_study(baked.folder.parent / "study"), 1, SHORT, baked.posterior)[0].work(
        watch=lambda progress: None
    )
    assert set(found[0]["ranks"]) == {"customers", "appetite", "sd_shop", "shop_level", LOG_LIKELIHOOD}


@pytest.mark.slow
def test_the_bakery_is_calibrated_about_its_posterior(baked: bt.Run) -> None:
    study = bt.read_study(baked.folder.parent / "study")
    pieces = posterior_replicates(study, 120, bt.Sampling(chains=4, draws=400, warmup=300, seed=2), baked.posterior)
    checks = list(checks_of_replicates([row for piece in pieces for row in piece.work(watch=lambda progress: None)], "posterior"))
    assert checks[0].name == "simulation-based calibration about the posterior"
    assert [check.status for check in checks] == ["PASS", "PASS"]


@pytest.mark.slow
def test_the_bakery_is_calibrated_and_with_a_wrong_prior_it_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from bayestwin.credibility import sbc

    study = bt.read_study(write_bakery(tmp_path / "study"))
    sampling = bt.Sampling(chains=4, draws=400, warmup=300, seed=2)
    right = [one for block in replicates(study, 120, sampling) for one in block.work(watch=lambda progress: None)]
    assert next(iter(checks_of_replicates(right))).status != "FAIL"
    fits = sbc._fits

    def narrow(prepared, *rest):  # the fits believe that shops differ a fifth as much
        prior = replace(prepared.priors["sd_shop"], parameters=(0.06,))
        return fits(replace(prepared, priors=prepared.priors.override([prior], "test")), *rest)

    monkeypatch.setattr(sbc, "_fits", narrow)
    wrong = [one for block in replicates(study, 120, sampling) for one in block.work(watch=lambda progress: None)]
    check = next(iter(checks_of_replicates(wrong)))
    assert check.status == "FAIL"
    assert "sd_shop" in check.reason or "shop_level" in check.reason
