import numpy as np

from bayestwin.analyse.forecast import summarise


def test_total_variance_splits_as_in_the_closed_form() -> None:
    rng = np.random.default_rng(0)
    outer = 3.0 * rng.standard_normal((4000, 1, 2))
    nested = 10.0 + outer + np.array([1.0, 6.0]) * rng.standard_normal((4000, 20, 2))
    found = summarise(nested)
    np.testing.assert_allclose(found["var_epistemic"], 9.0, rtol=0.08)
    np.testing.assert_allclose(found["var_aleatoric"], [1.0, 36.0], rtol=0.03)
    np.testing.assert_allclose(found["sd"], np.sqrt([10.0, 45.0]), rtol=0.03)
    np.testing.assert_allclose(found["q0.975"] - found["q0.025"], 2 * 1.96 * np.sqrt([10.0, 45.0]), rtol=0.03)


def test_no_epistemic_variance_is_invented_by_few_inner_draws() -> None:
    nested = np.random.default_rng(1).standard_normal((5000, 2, 1))
    assert summarise(nested)["var_epistemic"][0] < 0.05
