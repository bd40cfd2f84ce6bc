"""What is asked for: weekly averages of a forecast and parameters, and how they follow the posterior's coordinates."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from bayestwin.analyse.forecast import by_level, codes_by_level
from bayestwin.preposterior.current import Current
from bayestwin.twin.twin import Definition

INNER = 8  # draws of chance at each point; the same ones at all points, so that few are enough


class Asked(NamedTuple):
    """A quantity of interest.

    Attributes:
        name: of the quantity, or of the parameter's site.
        level: of the unit or group; "parameter" for one.
        unit: code of the unit or group; the element's index for a parameter.
    """

    name: str
    level: str
    unit: str


class Slopes(NamedTuple):
    """How quantities follow the coordinates: half the change over one standard deviation to either side.

    Attributes:
        asked: the quantities.
        values: (coordinate, quantity).
    """

    asked: tuple[Asked, ...]
    values: Float[np.ndarray, "coordinate quantity"]


def around(at: Current) -> dict[str, np.ndarray]:
    """Every site one standard deviation to either side along each coordinate, leading axis (side, coordinate)."""
    return at.sites(np.concatenate([at.centre + at.root.T, at.centre - at.root.T]))


def slopes(
    points: Mapping[str, np.ndarray], definition: Definition, data: Any, span: Any, seed: int, parameters: tuple[str, ...] = ()
) -> Slopes:
    """Follow every quantity of a forecast, averaged over its weeks, and some parameters.

    Args:
        points: of `around`.
        definition: the model.
        data: its data.
        span: weeks ahead.
        seed: of the draws of chance; the same one meets the same chance, whatever the span.
        parameters: sites of parameters.
    """
    codes = codes_by_level(definition, data, span)
    asked = [Asked(quantity.name, level, str(code)) for quantity in definition.quantities for level in codes for code in codes[level]]
    values = [_averages(definition, data, span, points, seed)]
    for name in parameters:
        shape = np.shape(points[name])
        labels = [""] if len(shape) == 1 else [", ".join(map(str, i)) for i in np.ndindex(shape[1:])]
        asked += [Asked(name, "parameter", label) for label in labels]
        values.append(np.asarray(points[name], float).reshape(shape[0], -1))
    above, below = np.split(np.concatenate(values, axis=1), 2)
    return Slopes(tuple(asked), 0.5 * (above - below))


def _averages(definition: Definition, data: Any, span: Any, sites: Mapping[str, np.ndarray], seed: int) -> np.ndarray:
    """Expected weekly averages at each point, (point, quantity · level · code); all points meet the same chance."""
    arrays = definition.per_draw(data, dict(sites), span)

    def at_point(i: int) -> np.ndarray:
        drawn = definition.draw(data, span, {name: values[i] for name, values in arrays.items()}, np.random.default_rng(seed), INNER)
        parts = [
            values.mean((0, 1))
            for quantity in definition.quantities
            for values in by_level(definition, data, span, drawn[quantity.name], quantity.over).values()
        ]
        return np.concatenate(parts)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return np.stack(list(pool.map(at_point, range(len(next(iter(sites.values())))))))
