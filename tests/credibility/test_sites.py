"""Places that are put aside: what is hidden of them, how they are compared with what was foretold, and what is said of it."""

from pathlib import Path

import numpy as np
import pytest
from bakery_study import write_bakery

import bayestwin as bt
from bayestwin.credibility.sites import REPLICATES, _compared, checks_of_sites, foretell, left_out, told
from bayestwin.extracts.held_out import HeldOut
from bayestwin.prepared import prepare
from bayestwin.study import Study, read_hierarchy

MILL_LANE = HeldOut("street", ("Mill Lane",))


@pytest.fixture
def bakery(tmp_path: Path) -> Study:
    return bt.read_study(write_bakery(tmp_path / "study"))


def test_nothing_is_left_of_what_is_put_aside_and_all_of_the_rest(bakery: Study) -> None:
    full, less = prepare(bakery).data.ends, prepare(bakery, MILL_LANE).data.ends
    mill_lane = [2, 3]
    assert np.isneginf(less[:, mill_lane, 0]).all()
    assert np.isposinf(less[:, mill_lane, 1]).all()
    np.testing.assert_array_equal(less[:, :2], full[:, :2])


def test_nothing_is_left_of_any_part_of_what_is_put_aside(bakery: Study) -> None:
    from bayestwin.extracts.held_out import without
    from bayestwin.study import read_observations

    hierarchy = read_hierarchy(bakery)
    whole = read_observations(bakery, hierarchy, ["bread"])["bread"]
    left = without(whole, hierarchy, HeldOut("street", ("High Street",)))
    assert whole.hidden[:, :2].any()  # small numbers of the first shop
    for part in (left.values, left.mask, left.hidden):
        assert not part[:, :2].any()
    np.testing.assert_array_equal(left.values[:, 2:], whole.values[:, 2:])


def test_every_place_is_put_aside_once(bakery: Study) -> None:
    hierarchy = read_hierarchy(bakery)
    names: list[str] = []
    for folds in (1, 2, 3):
        pieces = left_out(bakery, folds, bt.Sampling())
        names += [piece.name for piece in pieces if folds < 3]  # with two streets three folds are two
        parts = [piece.work.args[1] for piece in pieces]
        assert {part.level for part in parts} == {"street"}
        assert sorted(code for part in parts for code in part.codes) == sorted(hierarchy.codes["street"])
    assert len(set(names)) == len(names)


def test_folds_that_begin_alike_are_not_taken_for_one_another(bakery: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are kept by the pieces' names: of 42 streets, every ninth and every tenth are five that begin with the same."""
    from dataclasses import replace

    from bayestwin.credibility import sites

    streets = np.array([f"S{i:02}" for i in range(42)])
    hierarchy = replace(read_hierarchy(bakery), codes={"shop": streets, "street": streets, "town": np.array(["all"])})
    monkeypatch.setattr(sites, "read_hierarchy", lambda study: hierarchy)
    one, other = (left_out(bakery, folds, bt.Sampling())[-1] for folds in (9, 10))
    first, second = (left_out(bakery, folds, bt.Sampling())[0] for folds in (9, 10))
    assert len(first.work.args[1].codes) == len(second.work.args[1].codes) == 5
    assert len({piece.name for piece in (one, other, first, second)}) == 4


def test_exposures_of_a_place_that_gives_nothing_stay_known(tiny_study: Path) -> None:
    study = bt.read_study(tiny_study)
    held = HeldOut("board", ("B1",))
    full, less = prepare(study), prepare(study, held)
    np.testing.assert_array_equal(less.data.patients, full.data.patients)
    np.testing.assert_array_equal(less.data.workforce, full.data.workforce)
    before, after = told(full), told(less)
    gone = {site: before[site] & ~after[site] for site in before}
    assert gone["appointments"].any(0).tolist() == [True, True, False]
    assert gone["staff_mix"].any(0).tolist() == [True, False]
    assert np.isfinite(list(less.twin.definition.pilot(less.data).start["shock_board"].ravel())).all()


def test_the_rest_foretells_a_place_that_is_put_aside(bakery: Study) -> None:
    rows = foretell(bakery, MILL_LANE, bt.Sampling(chains=2, draws=200, warmup=200))
    assert [row.get("stream", row.get("quantity")) for row in rows] == ["bread", "loaves"]
    assert all(row["held_out"] == ["Mill Lane"] for row in rows)
    bread, loaves = rows
    assert bread["cells"] == 12 + 6  # a shop opened half-way
    assert set(bread["places"]) == {"Mill Lane"}
    assert 0.0 < bread["coverage_95"] <= 1.0
    assert 0 < loaves["cells"] <= bread["cells"]  # hidden cells have no number to score
    assert loaves["naive_wis"] > 0


CELLS, PLACE = (9, 30), np.repeat(["a", "b", "c"], 10)


def drawn(rng: np.random.Generator, sd: float, count: int) -> np.ndarray:
    """Counts of places that share an effect."""
    effect = sd * rng.standard_normal((count, 3))[:, [0] * 10 + [1] * 10 + [2] * 10]
    return rng.poisson(50.0 * np.exp(effect)[:, None, :] * np.ones((count, *CELLS)))


def test_sums_of_places_lie_anywhere_where_widths_are_right_and_outside_where_they_are_too_small() -> None:
    rng = np.random.default_rng(1)
    new = np.ones(CELLS, bool)
    right, narrow = ([], [])
    for _ in range(60):
        observed = drawn(rng, 0.3, 1)[0]
        right += _compared(observed, drawn(rng, 0.3, REPLICATES), new, PLACE, 1)["places"].values()
        narrow += _compared(observed, drawn(rng, 0.1, REPLICATES), new, PLACE, 1)["places"].values()
    assert np.mean(np.abs(np.array(right) - 0.5) <= 0.4) == pytest.approx(0.8, abs=4 * np.sqrt(0.16 / 180))
    assert np.mean(np.abs(np.array(narrow) - 0.5) <= 0.4) < 0.5


def test_each_place_has_a_sum_of_its_own_cells() -> None:
    rng = np.random.default_rng(3)
    observed, many = drawn(rng, 0.05, 1)[0], drawn(rng, 0.05, REPLICATES)
    found = _compared(observed + 40 * (PLACE == "a") - 40 * (PLACE == "c"), many, np.ones(CELLS, bool), PLACE, 1)["places"]
    assert found["a"] > 0.99
    assert 0.01 < found["b"] < 0.99
    assert found["c"] < 0.01


def test_pairs_and_categories_are_compared_as_numbers_are() -> None:
    rng = np.random.default_rng(2)
    new = rng.random(CELLS) < 0.7
    counts, many = drawn(rng, 0.3, 1)[0], drawn(rng, 0.3, REPLICATES)
    plain = _compared(counts, many, new, PLACE, 1)
    pairs = _compared(np.stack([counts, counts], -1).astype(float), np.stack([many, many], -1).astype(float), new, PLACE, 1)
    for name in ("cells", "places"):
        assert pairs[name] == plain[name]
    assert pairs["coverage_80"] == pytest.approx(plain["coverage_80"], abs=0.05)  # ties are broken by other random numbers
    shares = rng.multinomial(100, [0.2, 0.3, 0.5], size=(REPLICATES, *CELLS))
    found = _compared(shares[0], shares[1:], new, PLACE, 1)
    assert found["coverage_80"] == pytest.approx(0.8, abs=0.06)
    assert set(found["places"]) == {"a", "b", "c"}


def row(pits: np.ndarray) -> dict:
    return {
        "level": "clinic",
        "stream": "visits",
        "held_out": ["x"],
        "cells": 100,
        "places": {str(i): float(p) for i, p in enumerate(pits)},
    }


@pytest.mark.parametrize(
    ("pits", "status"),
    [
        ((np.arange(20) + 0.5) / 20, "PASS"),
        (np.tile([0.001, 0.999], 4), "FAIL"),
        (np.full(12, 0.5), "REVIEW"),
        (np.array([0.05, 0.02, 0.97, 0.99, 0.1, 0.92]), "REVIEW"),
    ],
)
def test_places_outside_what_was_foretold_fail_and_needless_width_is_reviewed(pits: np.ndarray, status: str) -> None:
    (check,) = checks_of_sites([row(pits)])
    assert check.status == status
    assert bool(check.recommendation) == (status != "PASS")


def test_two_places_say_too_little() -> None:
    assert list(checks_of_sites([row(np.array([0.001, 0.999]))])) == []
