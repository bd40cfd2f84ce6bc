"""The value of information against the closed form for two options, and what must hold for any."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from bayestwin.errors import RequestError, ScenarioError
from bayestwin.preposterior.decision import covariances, pairs, read_decision, weeks_left, without_chance, worth
from bayestwin.preposterior.requests import Request

NORMAL = np.random.default_rng(7).standard_normal((200_000, 1))


def closed_form(mean: float, sd: float) -> float:
    """E max(0, X) - max(0, E X) of a normal X."""
    return sd * norm.pdf(mean / sd) + mean * norm.cdf(mean / sd) - max(mean, 0.0)


@pytest.mark.parametrize("mean", [-1.0, 0.0, 0.4])
@pytest.mark.parametrize("left", [0.0, 0.3, 0.9])
def test_two_options_with_a_normal_difference(mean: float, left: float) -> None:
    found, error = worth(mean + 2.0 * NORMAL, 4.0 * np.eye(1), 4.0 * left * np.eye(1))
    assert found == pytest.approx(closed_form(mean, 2.0 * np.sqrt(1.0 - left)), abs=5.0 * error + 1e-9)


def test_data_that_say_nothing_are_worth_nothing() -> None:
    assert worth(0.1 + NORMAL[:1000], np.eye(1), np.eye(1))[0] == pytest.approx(0.0, abs=1e-12)


@given(st.integers(0, 50), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_more_information_is_never_worth_less(seed: int, one: float, other: float) -> None:
    rng = np.random.default_rng(seed)
    change = rng.normal(size=(400, 3)) @ rng.normal(size=(3, 2)) + rng.normal(size=2)
    now = np.cov(change.T)
    (more, _), (less, _) = (worth(change, now, share * now) for share in (min(one, other), max(one, other)))
    assert 0.0 - 1e-9 <= less <= more + 1e-9 <= worth(change)[0] + 2e-9


@pytest.mark.parametrize("first", [0, 1, 2])
def test_three_options_whichever_is_named_first(first: int) -> None:
    """Benefits 0, x and x + y; the data tell x and nothing of y: the best of 0 and x is taken, and E max(0, x) is 1 / sqrt(2 pi)."""
    x, y = np.random.default_rng(8).standard_normal((2, 200_000))
    order = np.roll([0, 1, 2], -first)
    benefit = np.stack([np.zeros_like(x), x, x + y], axis=1)[:, order]
    slopes = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])[order]
    moved = slopes[1:] - slopes[0]
    now, then = moved @ moved.T, moved @ np.diag([0.0, 1.0]) @ moved.T
    found, error = worth(benefit[:, 1:] - benefit[:, :1], now, then)
    assert found == pytest.approx(1.0 / np.sqrt(2.0 * np.pi), abs=5.0 * error)


def test_covariances_from_variances_of_sums() -> None:
    root = np.random.default_rng(9).normal(size=(3, 3))
    whole = root @ root.T
    each = [whole[i, i] for i in range(3)] + [whole[i, i] + whole[j, j] + 2.0 * whole[i, j] for i, j in pairs(3)]
    np.testing.assert_allclose(covariances(np.array(each), 3), whole)


def test_chance_is_worth_nothing() -> None:
    """Nothing is unknown and chance is large: draws of twenty means must not look like knowledge to be had."""
    drawn = np.random.default_rng(10).normal(0.0, 10.0, size=(400, 20, 1))
    plain, clean = (worth(part - part.mean(0))[0] for part in (drawn.mean(1), without_chance(drawn)))
    assert clean < 0.5 * plain
    known = np.random.default_rng(11).normal(0.0, 5.0, size=(400, 1, 1)) + drawn
    assert without_chance(known).std() == pytest.approx(5.0, rel=0.12)


def test_value_starts_when_the_data_are_there() -> None:
    lift = [{"barrier": "suppress"}]
    at_once = Request.model_validate({"name": "a", "lift": lift})
    late = Request.model_validate({"name": "b", "lift": lift, "arrives": {"median_days": 70, "p90_days": 71}})
    assert weeks_left(at_once, 26.0) == pytest.approx(26.0)
    assert weeks_left(late, 26.0) == pytest.approx(16.0, abs=0.1)


def test_faults_of_a_decision_are_told(tmp_path: Path) -> None:
    path = tmp_path / "decision.toml"
    path.write_text(
        'unit = "hours"\nweeks = -3\noption = [{ name = "one" }]\n[[loss]]\nquantity = "bread"\nper = "much"\n', encoding="utf-8"
    )
    with pytest.raises(RequestError) as caught:
        read_decision(path, ["loaves"], (), {})
    assert {fault.column for fault in caught.value.faults} >= {"weeks", "option", "loss.0.per"}
    path.write_text(
        'unit = "hours"\nweeks = 3\noption = [{ name = "one" }, { name = "two" }]\nloss = [{ quantity = "bread", per = 1.0 }]\n',
        encoding="utf-8",
    )
    with pytest.raises(RequestError, match=r"unknown quantity.*'bread'.*loaves"):
        read_decision(path, ["loaves"], (), {})
    path.write_text(
        path.read_text(encoding="utf-8").replace("bread", "loaves").replace('"two" }', '"two", scenario = "away.toml" }'), encoding="utf-8"
    )
    with pytest.raises(ScenarioError, match="cannot be read"):
        read_decision(path, ["loaves"], (), {})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("weeks = 3", "weeks = inf", r"'weeks'.*finite number"),
        ("weeks = 3", 'weeks = "3"', r"'weeks'.*valid number"),
        ("per = 1.0", "per = nan", r"'loss\.0\.per'.*finite number"),
        ('"two"', '"one"', r"two options have one name: found 'one'"),
    ],
)
def test_a_decision_that_cannot_be_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = 'unit = "hours"\nweeks = 3\noption = [{ name = "one" }, { name = "two" }]\nloss = [{ quantity = "loaves", per = 1.0 }]\n'
    path = tmp_path / "decision.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(RequestError, match=message):
        read_decision(path, ["loaves"], (), {})


def test_faults_of_all_scenarios_of_a_decision_come_at_once(tmp_path: Path) -> None:
    options = '{ name = "one", scenario = "a.toml" }, { name = "two", scenario = "b.toml" }'
    path = tmp_path / "decision.toml"
    path.write_text(f'unit = "hours"\nweeks = 3\noption = [{options}]\nloss = [{{ quantity = "loaves", per = 1.0 }}]\n', encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        read_decision(path, ["loaves"], (), {})
    assert [Path(fault.file).name for fault in caught.value.faults] == ["a.toml", "b.toml"]
