"""What information is worth to a decision: between options whose net benefit is not known for sure.

The net benefit of an option is minus its cost and minus the losses that the forecast puts on it. With perfect information the best option would be
taken whatever is true (EVPI); with the data of a request, the option that is best by what they then say (EVSI). What data would say is not known
before; the variance of what they would make one expect is, and the draws of the benefit's change are shrunk towards their mean to have it.

Source: Raiffa & Schlaifer (1961), Applied Statistical Decision Theory; Heath, Manolopoulou & Baio (2018), Medical Decision Making 38, for matching
the moments of the preposterior mean; Jalal & Alarid-Escudero (2018), Medical Decision Making 38, for the normal case.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bayestwin.errors import Fault, RequestError, ScenarioError
from bayestwin.preposterior.requests import Request
from bayestwin.toml import parsed, read_toml
from bayestwin.twin.scenario import Change, Scenario, read_scenario


class Option(BaseModel):
    """Something that can be done.

    Attributes:
        name: what to call it.
        scenario: file of changes, from where the decision's file lies; things as they stand if absent.
        cost: a week, in the decision's unit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    scenario: str | None = None
    cost: float = 0.0


class Loss(BaseModel):
    """What one unit of a quantity, averaged over the weeks ahead and of all units together, costs a week in the decision's unit."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    quantity: str
    per: float


class Decision(BaseModel):
    """Options, of which one is taken.

    Attributes:
        unit: of net benefit: hours, money.
        weeks: how long the decision holds.
        option: at least two, the first the one that the others are compared with.
        loss: what the forecast puts on every option.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    unit: str
    weeks: float = Field(gt=0)
    option: tuple[Option, ...] = Field(min_length=2)
    loss: tuple[Loss, ...] = Field(min_length=1)

    def weights(self, quantities: Sequence[str]) -> Float[np.ndarray, " quantity"]:
        """What a unit of each quantity costs."""
        per = {loss.quantity: loss.per for loss in self.loss}
        return np.array([per.get(name, 0.0) for name in quantities])


def read_decision(
    path: str | Path, quantities: Sequence[str], kinds: tuple[type[Change], ...], labels: Mapping[str, Sequence[str]]
) -> tuple[Decision, list[Scenario]]:
    """Read a decision and the scenarios of its options.

    Args:
        path: TOML file.
        quantities: that the model answers for.
        kinds: of changes that the model knows.
        labels: labels by level, which changes may name.

    Raises:
        RequestError: if the file is missing, is not TOML, has a key or value that is not of the schema, two options of one name, or a quantity
            that is not the model's.
        ScenarioError: if scenarios are at fault, with the faults of all.
    """
    path = Path(path)
    content = read_toml(path, RequestError)
    try:
        decision = parsed(Decision, content)
    except ValidationError as error:
        raise RequestError([_fault(str(path), dict(detail)) for detail in error.errors()]) from error
    if faults := list(_unknown(str(path), decision, quantities)):
        raise RequestError(faults)
    return decision, _scenarios(path.parent, decision, kinds, labels)


def _scenarios(folder: Path, decision: Decision, kinds: tuple[type[Change], ...], labels: Mapping[str, Sequence[str]]) -> list[Scenario]:
    scenarios: list[Scenario] = []
    faults: list[Fault] = []
    for option in decision.option:
        try:
            scenarios.append(Scenario() if option.scenario is None else read_scenario(folder / option.scenario, kinds, labels))
        except ScenarioError as error:
            faults += error.faults
    if faults:
        raise ScenarioError(faults)
    return scenarios


def _fault(file: str, detail: Mapping[str, Any]) -> Fault:
    value = None if detail["type"] == "missing" else str(detail.get("input"))[:80]
    return Fault(file, str(detail["msg"]), ".".join(map(str, detail["loc"])), value=value, remedy="see docs/argue-for-access.md")


def _unknown(file: str, decision: Decision, quantities: Sequence[str]) -> Iterable[Fault]:
    options = [option.name for option in decision.option]
    for name in dict.fromkeys(name for name in options if options.count(name) > 1):
        yield Fault(file, "two options have one name", "option", value=name, expected="a name of its own for each option")
    names = [loss.quantity for loss in decision.loss]
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        yield Fault(file, "two losses on one quantity", "loss", value=name, remedy="add them up")
    for i, loss in enumerate(decision.loss):
        if loss.quantity not in quantities:
            yield Fault(file, "unknown quantity", f"loss.{i}.quantity", value=loss.quantity, expected=f"one of {list(quantities)}")


def worth(
    change: Float[np.ndarray, "draw option"],
    now: Float[np.ndarray, "option option"] | None = None,
    then: Float[np.ndarray, "option option"] | None = None,
) -> tuple[float, float]:
    """Expected gain from deciding after data instead of now, and its standard error.

    Args:
        change: net benefit of each further option less that of the first, by posterior draw.
        now: covariance of these changes now, in the approximation that data are judged by; perfect information if absent.
        then: that which the data would leave.

    Returns:
        Expected value of information a week, ≥ 0, and its Monte Carlo error.

    Example:
        >>> change = np.random.default_rng(1).normal(0.0, 1.0, size=(100_000, 1))
        >>> [round(worth(change, np.eye(1), np.eye(1) * left)[0], 2) for left in (0.0, 0.75, 1.0)]
        [0.4, 0.2, 0.0]
    """
    expected = change.mean(0)
    after = change
    if now is not None and then is not None:
        # What the data would make one expect has the covariance now - then; draws are turned and shrunk to have it.
        after = expected + (change - expected) @ (np.linalg.pinv(_root(now)) @ _root(now - then))
    best = int(np.argmax(np.append(0.0, expected)))
    gain = np.maximum(after.max(1), 0.0) - (after[:, best - 1] if best else 0.0)
    return float(gain.mean()), float(gain.std(ddof=1) / np.sqrt(len(gain)))


def _root(covariance: Float[np.ndarray, "option option"]) -> Float[np.ndarray, "option option"]:
    """Symmetric square root, nothing below zero."""
    value, vector = np.linalg.eigh(covariance)
    return (vector * np.sqrt(np.maximum(value, 0.0))) @ vector.T


def without_chance(drawn: Float[np.ndarray, "draw inner ..."]) -> Float[np.ndarray, "draw ..."]:
    """Means over draws of chance, drawn in to their own mean by what chance has left in their variance."""
    means = drawn.mean(1)
    chance = drawn.var(1, ddof=1).mean(0) / drawn.shape[1]
    variance = means.var(0, ddof=1)
    kept = np.sqrt(np.clip(1.0 - chance / np.where(variance > 0, variance, 1.0), 0.0, 1.0))
    return means.mean(0) + kept * (means - means.mean(0))


def covariances(variances: Float[np.ndarray, " pair"], options: int) -> Float[np.ndarray, "option option"]:
    """Covariance of changes from the variances of each and of the sums of two, in the order of `pairs`."""
    found = np.diag(variances[:options])
    for (i, j), both in zip(pairs(options), variances[options:], strict=True):
        found[i, j] = found[j, i] = 0.5 * (both - variances[i] - variances[j])
    return found


def pairs(options: int) -> list[tuple[int, int]]:
    """Pairs of different options."""
    return list(combinations(range(options), 2))


def weeks_left(request: Request, weeks: float, steps: int = 1000) -> float:
    """Expected weeks of a decision for which data are there.

    Args:
        request: says when they arrive.
        weeks: that the decision holds.
        steps: of the sum over arrival days.
    """
    days = (np.arange(steps) + 0.5) * 7.0 * weeks / steps
    return float(np.mean([request.there_by(day) for day in days]) * weeks)
