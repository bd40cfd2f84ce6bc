"""Every barrier's likelihood is calibrated, and the naive treatment of the same data is found out: `nox -s slow`."""

import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from bayestwin.barriers import Barrier

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import barrier_sbc  # noqa: E402 (lies in a folder of scripts)
from barrier_cases import CASES  # noqa: E402

pytestmark = pytest.mark.slow
REPLICATES = 500


def test_every_kind_of_barrier_has_a_case() -> None:
    kinds = {kind.model_fields["kind"].default for kind in get_args(get_args(Barrier)[0])}
    tried = {barrier["kind"] for case in CASES.values() for barrier in case.access.describe()}
    assert tried == kinds


@pytest.mark.parametrize("name", CASES)
def test_ranks_are_uniform_and_naive_ones_are_not(name: str) -> None:
    case, outcome = CASES[name], barrier_sbc.run(name, REPLICATES)
    p = outcome.ours.p_values
    if case.exact:
        bound = barrier_sbc.LEVEL / len(p) / len(CASES)
        assert min(p.values()) > bound, p
    assert outcome.ours.diverging + outcome.ours.unsettled + outcome.ours.short < 0.1 * REPLICATES, outcome.ours
    if case.matters:
        assert outcome.naive.p_adjusted < barrier_sbc.NAIVE_FAILS, outcome.naive.p_values


def test_uniform_ranks_pass_and_others_are_found_out() -> None:
    u = np.random.default_rng(0).random(REPLICATES)
    assert barrier_sbc.p_uniform(u) > 1e-4
    assert barrier_sbc.p_uniform(u**1.5) < 1e-6
    assert barrier_sbc.p_uniform(0.5 + 0.8 * (u - 0.5)) < 1e-6


def test_ranks_spread_ties_evenly() -> None:
    rng = np.random.default_rng(1)
    u = barrier_sbc.rank(np.zeros((4000, barrier_sbc.KEPT)), np.zeros(4000), rng)
    assert barrier_sbc.p_uniform(u) > 1e-4
