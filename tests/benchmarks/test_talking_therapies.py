"""Suppression and rounding: sums of hidden counts are covered at the stated rate, and the published file keeps to its rule."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom, nbinom

from bayestwin.barriers import Access, Grid

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "benchmarks" / "talking_therapies"))  # a script's folder, as it is when the script runs

from cells import Ends, draw_cells  # noqa: E402
from published import FILE, RULES, Family, Published, read_published, read_table  # noqa: E402
from sums import LEVELS, naive_sums  # noqa: E402

FAMILIES = (Family("all", ("a", "group")), Family("all", ("x", "y")), Family("group", ("b", "c")))
COLUMNS = ["all", "a", "group", "b", "c", "x", "y"]
LAWS = {"a": (4.0, 0.8), "b": (2.0, 3.0), "c": (9.0, 1.5), "x": (3.0, 0.5), "y": (12.0, 2.0)}
SETS, PROVIDERS, DRAWS, AT_ONCE = 200, 40, 100, 20
ONE_IN = 1e-5  # chance of a false alarm in each of 21 comparisons


def law(leaf: str) -> tuple[float, float]:
    mean, k = LAWS[leaf]
    return k, k / (k + mean)


def true_counts(rng: np.random.Generator) -> np.ndarray:
    """(row, column) counts: leaves by their laws, of which those whose two breakdowns have the same total are kept."""
    rows: list[np.ndarray] = []
    while sum(map(len, rows)) < SETS * PROVIDERS:
        leaf = {name: nbinom.rvs(*law(name), size=200_000, random_state=rng) for name in LAWS}
        total, group = leaf["a"] + leaf["b"] + leaf["c"], leaf["b"] + leaf["c"]
        same = total == leaf["x"] + leaf["y"]
        rows.append(np.stack([total, leaf["a"], group, leaf["b"], leaf["c"], leaf["x"], leaf["y"]], axis=-1)[same])
    return np.concatenate(rows)[: SETS * PROVIDERS]


@pytest.fixture(scope="module")
def synthetic() -> Published:
    rng = np.random.default_rng(20)
    counts = true_counts(rng)
    which = np.repeat(np.arange(SETS), PROVIDERS)
    grid = Grid({"row": np.arange(len(counts)), "column": np.array(COLUMNS)})
    seen = Access(releases=RULES).degrade(rng, counts, grid)
    truth = counts.reshape(SETS, PROVIDERS, -1).sum(1)
    return Published([(str(i), "") for i in range(SETS)], which, COLUMNS, seen.values, seen.hidden, truth, FAMILIES)


@pytest.fixture(scope="module")
def places(synthetic: Published) -> np.ndarray:
    """(set, column) place of the true sum among its posterior draws: uniform on 0..1 if the draws are right."""
    rng = np.random.default_rng(21)
    cells = synthetic.cells(tuple(COLUMNS))
    ends = Ends(*({column: cells[:, i, side] for i, column in enumerate(COLUMNS)} for side in (0, 1)))
    leaves = {leaf: nbinom.pmf(ends.low[leaf][:, None] + np.arange(ends.values), *law(leaf)) for leaf in LAWS}
    leaves = {leaf: np.broadcast_to(mass, (AT_ONCE, *mass.shape)) for leaf, mass in leaves.items()}
    parts = []
    for _ in range(DRAWS // AT_ONCE):
        drawn = draw_cells(rng, leaves, ends, FAMILIES, "all")
        for family in FAMILIES:
            np.testing.assert_array_equal(drawn[family.total], sum(drawn[part] for part in family.parts))
        assert all(((drawn[c] >= ends.low[c]) & (drawn[c] <= ends.high[c])).all() for c in COLUMNS)
        parts.append(synthetic.sums(np.stack([drawn[column] for column in COLUMNS], axis=-1)))
    sums = np.concatenate(parts)
    below, ties = (sums < synthetic.truth).sum(0), (sums == synthetic.truth).sum(0)
    return (below + rng.random(below.shape) * (ties + 1)) / (DRAWS + 1)


@pytest.mark.parametrize("level", LEVELS)
def test_sums_are_covered_at_the_stated_rate(places: np.ndarray, level: float):
    held = (np.abs(places - 0.5) <= level / 2).sum(0)
    low, high = binom.ppf([ONE_IN / 2, 1 - ONE_IN / 2], SETS, level)
    assert ((low <= held) & (held <= high)).all(), dict(zip(COLUMNS, held, strict=True))


@pytest.mark.parametrize("method", ["dropped", "midpoint", "flat"])
def test_naive_sums_are_not(synthetic: Published, method: str):
    held = naive_sums(synthetic)[method].holds(synthetic.truth)[LEVELS.index(0.95)].sum(0)
    assert held.min() < binom.ppf(ONE_IN, SETS, 0.95)


def test_contradicting_numbers_are_refused():
    low, high = {"all": [18.0], "a": [0.0], "b": [8.0]}, {"all": [22.0], "a": [4.0], "b": [12.0]}
    ends = Ends(*({name: np.array(end) for name, end in side.items()} for side in (low, high)))
    leaves = {"a": np.ones((1, 1, 5)), "b": np.ones((1, 1, 5))}
    with pytest.raises(ValueError, match="cannot have been published like that"):
        draw_cells(np.random.default_rng(0), leaves, ends, (Family("all", ("a", "b")),), "all")


@pytest.fixture(scope="module")
def source() -> Path:
    folder = Path(os.environ.get("BAYESTWIN_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / FILE).is_file():
        pytest.skip(f"the published counts are not at {folder / FILE}; set BAYESTWIN_SHARED_DATA to the folder above them")
    return folder


def test_the_published_file_keeps_to_the_rule(source: Path):
    table = read_table(source)
    below = table[table["org_type"] != "England"]
    objections = Access(releases=RULES).objections(below["count"].to_numpy(), below["hidden"].to_numpy())
    assert not any(objection.wrong.any() for objection in objections)


def test_hidden_cells_are_all_read(source: Path):
    assert int(read_table(source)["hidden"].sum()) == 4867
    data = read_published(source)
    assert data.values.shape == (924, 33)
    for family in data.families:  # England's parts add up: its counts are neither rounded nor hidden
        np.testing.assert_array_equal(data.truth[:, data.at(family.parts)].sum(-1), data.truth[:, data.columns.index(family.total)])
