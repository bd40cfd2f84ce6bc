"""Parts and their total: what is absent says nothing, whether the ends are known while a program is compiled or not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import nbinom

from bayestwin.laws.expected import Counts
from bayestwin.laws.widths import Widths
from bayestwin.laws.with_total import WithTotal

MEAN, K = np.array([3.0, 20.0]), 2.0
ANYTHING = (-np.inf, np.inf)


def chance(low: float, high: float, part: int) -> float:
    values = np.arange(low, high + 1)
    return float(nbinom.pmf(values, K, K / (K + MEAN[part])).sum())


def both(low: tuple[float, float], high: tuple[float, float], total: tuple[float, float]) -> float:
    """By enumeration."""
    pairs = [(a, b) for a in range(int(low[0]), int(high[0]) + 1) for b in range(int(low[1]), int(high[1]) + 1)]
    return sum(chance(a, a, 0) * chance(b, b, 1) for a, b in pairs if total[0] <= a + b <= total[1])


CASES = {
    "bound": (((0, 4), (18, 22), (18, 22)), both((0, 18), (4, 22), (18, 22))),
    "total absent": (((0, 4), (18, 22), ANYTHING), chance(0, 4, 0) * chance(18, 22, 1)),
    "part absent": (((0, 4), ANYTHING, (18, 22)), chance(0, 4, 0)),
    "part and total absent": (((0, 4), ANYTHING, ANYTHING), chance(0, 4, 0)),
    "all absent": ((ANYTHING, ANYTHING, ANYTHING), 1.0),
}


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_absent_cells_say_nothing(case: str, known: bool):
    cells, expected = CASES[case]
    law = WithTotal(Counts(jnp.array(MEAN), jnp.full(2, K)))
    low, high = np.array(cells, float).T
    answer = law.log_mass(low, high, Widths(9)) if known else jax.jit(lambda a, b: law.log_mass(a, b, Widths(9)))(low, high)
    assert float(answer) == pytest.approx(np.log(expected), abs=1e-10)
