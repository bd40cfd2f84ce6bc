"""Ridges: combinations of parameters that the data see, beside combinations of the same that they do not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xarray as xr

from bayestwin.twin.twin import Ridge

SEEN, UNSEEN = 0.5, 0.3  # contraction above and below which a combination counts as seen and as not seen


@dataclass(frozen=True)
class Held:
    """How far the data hold the two combinations of a ridge.

    Attributes:
        name: the ridge.
        words: what it means that it is found.
        seen: contraction of the combination that the data should see.
        unseen: contraction of the one that they should not.
        found: whether the data see the one and not the other.
    """

    name: str
    words: str
    seen: float
    unseen: float
    found: bool

    def as_row(self) -> dict[str, Any]:
        """Plain values, for a manifest."""
        return asdict(self)


def ridges_of(posterior: xr.Dataset, prior: xr.Dataset, ridges: Iterable[Ridge]) -> tuple[Held, ...]:
    """How far the data hold each ridge whose sites the posterior has.

    Args:
        posterior: posterior draws, dims chain and draw first.
        prior: prior draws of the same sites.
        ridges: the model's; those with a site that is not there (of a stream that is withheld) are left out.

    Example:
        >>> one, two = np.random.default_rng(0).standard_normal((2, 1, 1000))
        >>> made = lambda a, b: xr.Dataset({"a": (("chain", "draw"), a), "b": (("chain", "draw"), b)})
        >>> ridge = Ridge("a or b", {"a": 1, "b": 1}, {"a": 1, "b": -1}, "only the sum of a and b is seen", logs=False)
        >>> ridges_of(made(one, 0.1 * two - one), made(one, two), [ridge])[0].found
        True
    """
    return tuple(
        _held(ridge, posterior, prior) for ridge in ridges if (ridge.seen.keys() | ridge.unseen.keys()) <= set(posterior) & set(prior)
    )


def _held(ridge: Ridge, posterior: xr.Dataset, prior: xr.Dataset) -> Held:
    seen, unseen = (_contraction(weights, ridge.logs, posterior, prior) for weights in (ridge.seen, ridge.unseen))
    return Held(ridge.name, ridge.words, seen, unseen, seen > SEEN and unseen < UNSEEN)


def _contraction(weights: Mapping[str, float], logs: bool, posterior: xr.Dataset, prior: xr.Dataset) -> float:
    after, before = (sum(weight * _scalar(draws[name], logs) for name, weight in weights.items()) for draws in (posterior, prior))
    return float(1.0 - np.var(after) / np.var(before))


def _scalar(site: xr.DataArray, logs: bool) -> np.ndarray:
    """One value a draw, flattened: the site or its logarithm, a vector's mean."""
    values = site.to_numpy().reshape(site.sizes["chain"] * site.sizes["draw"], -1)
    return (np.log(values) if logs else values).mean(1)
