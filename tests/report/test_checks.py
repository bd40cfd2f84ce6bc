import numpy as np
import pytest
import xarray as xr

from bayestwin.barriers import Access, Grid, Round, Suppress
from bayestwin.report import checks

DIMS = ("chain", "draw")


def uniform(values: np.ndarray) -> bool:
    """Whether ten bins are as even as those of a uniform sample, by chi-squared with 9 degrees of freedom at p = 0.001."""
    counts, expected = np.histogram(values, bins=10, range=(0, 1))[0], len(values) / 10
    return bool(((counts - expected) ** 2 / expected).sum() < 27.9)


def published(mean: float, size: tuple[int, ...], seed: int) -> np.ndarray:
    """Pairs of ends of Poisson counts, small ones hidden, the others rounded."""
    access, counts = Access(releases=(Suppress(below=5), Round(base=5))), np.random.default_rng(seed).poisson(mean, size)
    return access.degrade(0, counts.ravel(), Grid({"unit": np.arange(counts.size)})).cells.reshape(*size, 2)


@pytest.mark.parametrize("mean", [2.0, 7.0, 40.0])
def test_pit_of_pairs_is_uniform_where_the_model_is_true_however_coarse_they_are(mean: float) -> None:
    observed, replicated = published(mean, (4000,), 1), published(mean, (300, 4000), 2)
    assert uniform(checks.pit_of_pairs(observed, replicated, np.ones(4000, bool)))


def test_pit_of_pairs_shows_a_model_that_expects_too_little() -> None:
    found = checks.pit_of_pairs(published(12.0, (4000,), 1), published(8.0, (300, 4000), 2), np.ones(4000, bool))
    assert found.mean() > 0.6
    assert not uniform(found)


def test_pit_of_pairs_leaves_out_cells_of_which_nothing_is_known() -> None:
    observed = np.array([[3.0, 3.0], [-np.inf, np.inf], [-np.inf, 4.0], [5.0, 5.0]])
    seen = np.array([True, True, True, False])
    found = checks.pit_of_pairs(observed, np.broadcast_to([1.0, 1.0], (20, 4, 2)), seen)
    np.testing.assert_array_equal(found, [1.0, 0.0])


def test_known_counts_as_pairs_have_the_pit_of_counts() -> None:
    rng = np.random.default_rng(1)
    observed, replicated, seen = rng.poisson(3.0, 50), rng.poisson(3.0, (100, 50)), np.ones(50, bool)
    as_pairs = [np.stack([values, values], axis=-1).astype(float) for values in (observed, replicated)]
    np.testing.assert_allclose(checks.pit_of_pairs(*as_pairs, seen), checks.randomised_pit(observed, replicated, seen))


def test_randomised_pit_is_uniform_where_the_model_is_true() -> None:
    rng = np.random.default_rng(1)
    observed, replicated = rng.poisson(3.0, 4000), rng.poisson(3.0, (500, 4000))
    values = checks.randomised_pit(observed, replicated, np.ones(4000, bool))
    counts = np.histogram(values, bins=10, range=(0, 1))[0]
    assert ((counts - 400) ** 2 / 400).sum() < 27.9  # chi-squared with 9 degrees of freedom, p = 0.001


def test_coverage_by_category_counts_seen_cells_only() -> None:
    observed = np.zeros((2, 1, 3), int)
    observed[1] = 99
    tree = xr.DataTree.from_dict(
        {
            "observed_data": xr.Dataset({"s": (("week", "area", "band"), observed)}, coords={"band": ["a", "b", "c"]}),
            "posterior_predictive": xr.Dataset({"s": ((*DIMS, "week", "area", "band"), np.zeros((2, 5, 2, 1, 3), int))}),
            "constant_data": xr.Dataset({"s_seen": (("week", "area"), np.array([[True], [False]]))}),
        }
    )
    found = checks.category_coverage(tree, "s")
    assert found["cells"] == 1
    np.testing.assert_array_equal(found["inside"], 1.0)
