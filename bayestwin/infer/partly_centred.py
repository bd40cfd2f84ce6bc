"""Normal effects of a PyMC model, sampled between centred and non-centred, by what a first look said of each.

A change of variables of the value that is sampled: model, unknowns and density stay as they are written, and a poor look only costs speed. It is that of
`components.informed`, but for looks that tie effects together, of which the diagonal is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.logprob.transforms import Transform
from pymc.model.transform.conditioning import change_value_transforms
from pytensor.tensor.random.basic import NormalRV

from bayestwin.components.informed import Evidence


class PartlyCentred(Transform):
    """Coordinates of a normal effect x ~ N(mean, sd²) of which data say that it lies at `value` with `information`.

    Attributes:
        value: where the effect lies, shaped like it.
        information: how precisely (1 / variance), ≥ 0; zero is non-centred.
    """

    name = "partly_centred"
    ndim_supp = 0

    def __init__(self, value: np.ndarray, information: np.ndarray) -> None:
        self.value, self.information = value, information

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Where an effect lies in these coordinates."""
        mean, sd, root, pull = self._law(inputs)
        return root * (value - mean) / sd - pull

    def backward(self, value: Any, *inputs: Any) -> Any:
        """The effect there."""
        mean, sd, root, pull = self._law(inputs)
        return mean + sd * (value + pull) / root

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Log of what the effect moves by for each unit of the coordinate."""
        _, sd, root, _ = self._law(inputs)
        return pt.broadcast_to(pt.log(sd / root), value.shape)

    def _law(self, inputs: Any) -> tuple[Any, Any, Any, Any]:
        """Mean and sd of the prior, root of the posterior's precision in prior units, and how far the look pulls."""
        mean, sd = inputs[-2:]
        root = pt.sqrt(1.0 + sd**2 * self.information)
        return mean, sd, root, sd * self.information * (self.value - mean) / root


def partly_centred(model: pm.Model, looks: Mapping[str, Evidence]) -> pm.Model:
    """The same model with its normal effects in coordinates that their looks suggest.

    Args:
        model: PyMC model.
        looks: what is known of effects, by name; those without one, and unknowns that are not normal, are sampled as they are written.
    """
    effects = [variable for variable in model.free_RVs if isinstance(variable.owner.op, NormalRV) and variable.name in looks]
    return change_value_transforms(model, {effect: PartlyCentred(*_each(looks[effect.name])) for effect in effects})


def _each(look: Evidence) -> tuple[np.ndarray, np.ndarray]:
    """Value and information of each effect by itself."""
    value, information = np.asarray(look.value), np.asarray(look.information)
    if look.basis is None:
        return value, information
    return value, np.einsum("...ij,...j->...i", np.square(look.basis), information)
