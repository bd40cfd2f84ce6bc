"""The fast diagnostics are ArviZ's, to some per cent."""

import arviz_stats.base
import numpy as np
import pytest
from numpyro import diagnostics

from bayestwin.analyse.convergence import convergence, effective_sizes
from bayestwin.analyse.verdict import judge_draws


def correlated(rng: np.random.Generator, chains: int, draws: int, elements: int, memory: float) -> np.ndarray:
    noise = rng.standard_normal((chains, draws, elements))
    for i in range(1, draws):
        noise[:, i] = memory * noise[:, i - 1] + np.sqrt(1.0 - memory**2) * noise[:, i]
    return noise


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("bend", [lambda x: x, np.exp, lambda x: x**3, lambda x: np.maximum(x, 0.0), lambda x: np.round(2.0 * x)])
def test_diagnostics_agree_with_arviz(memory: float, bend) -> None:
    draws = bend(correlated(np.random.default_rng(1), 4, 800, 6, memory))
    axes = {"chain_axis": 0, "draw_axis": 1}
    found = convergence(draws)
    stats = arviz_stats.base.array_stats
    np.testing.assert_allclose(found["rhat"], stats.rhat(draws, **axes), atol=1e-6)
    np.testing.assert_allclose(found["ess_bulk"], stats.ess(draws, method="bulk", **axes), rtol=0.1)
    np.testing.assert_allclose(found["ess_tail"], stats.ess(draws, method="tail", prob=(0.05, 0.95), **axes), rtol=0.1)


@pytest.mark.parametrize("draws", [10, 11, 800])
def test_effective_sizes_are_numpyros(draws: int) -> None:
    values = correlated(np.random.default_rng(5), 4, draws, 40, 0.6)
    by_element = np.moveaxis(values, -1, 0)
    np.testing.assert_allclose(effective_sizes(by_element.astype(np.float32)), diagnostics.effective_sample_size(values), rtol=1e-4)


def test_a_chain_apart_fails_and_is_named() -> None:
    draws = np.random.default_rng(2).standard_normal((4, 1000, 2, 3))
    draws[0, :, 1, 2] += 1.0
    stats = {"energy": np.random.default_rng(3).standard_normal((4, 1000)), "diverging": np.zeros((4, 1000), bool)}
    verdict = judge_draws({"effect": draws, "level": draws[..., 0, 0]}, stats)
    assert verdict.status == "FAIL"
    assert verdict.worst[0]["name"] == "effect[1, 2]"
    assert judge_draws({"level": draws[..., 0, 0]}, stats).status == "PASS"


def test_what_is_not_a_number_is_never_converged() -> None:
    draws = np.random.default_rng(4).standard_normal((4, 100, 3))
    draws[2, 50, 1] = np.nan
    found = convergence(draws)
    for name in ("rhat", "ess_bulk"):
        assert np.isnan(found[name]).tolist() == [False, True, False]
    stats = {"energy": draws[..., 0], "diverging": np.zeros((4, 100), bool)}
    assert judge_draws({"effect": draws}, stats).status == "FAIL"
