import numpy as np
import pandas as pd
import pytest

from bayestwin.analyse.changes import COLUMNS, changes
from bayestwin.analyse.forecast import Averages
from bayestwin.twin.twin import Quantity

QUANTITIES = [
    Quantity("hours", "hours a week", "hours", better="lower"),
    Quantity("visits", "visits a week", "visits", better="higher"),
    Quantity("score", "points", "score"),
]


def averages(value: np.ndarray, codes: list[str]) -> Averages:
    return Averages({"site": np.array(codes)}, {("site", quantity.name): value for quantity in QUANTITIES})


def test_summaries_are_of_paired_differences() -> None:
    rng = np.random.default_rng(0)
    shared, own = 100.0 + 50.0 * rng.standard_normal((300, 20, 1)), 3.0 + rng.standard_normal((300, 20, 1))
    found = changes(averages(shared + own, ["a"]), averages(shared, ["a"]), QUANTITIES).set_index("quantity")
    assert found.loc["hours", "mean"] == pytest.approx(3.0, abs=0.05)
    assert found.loc["hours", "sd"] == pytest.approx(1.0, abs=0.03)
    assert found.loc["hours", "q0.975"] == pytest.approx(4.96, abs=0.1)
    assert found.loc["hours", "probability_helps"] == pytest.approx(0.0013, abs=0.002)
    assert found.loc["visits", "probability_helps"] == pytest.approx(0.9987, abs=0.002)
    assert np.isnan(found.loc["score", "probability_helps"])
    assert found.loc["hours", "baseline"] == pytest.approx(shared.mean())


def test_units_of_one_answer_only_are_left_out_and_order_does_not_matter() -> None:
    changed = averages(np.array([7.0, 5.0, 2.0]) * np.ones((4, 2, 3)), ["c", "a", "b"])
    found = changes(changed, averages(np.ones((4, 2, 2)), ["b", "a"]), QUANTITIES[:1])
    assert list(found.columns) == list(COLUMNS)
    pd.testing.assert_series_equal(found.set_index("unit")["mean"], pd.Series({"a": 4.0, "b": 1.0}, name="mean"), check_names=False)
