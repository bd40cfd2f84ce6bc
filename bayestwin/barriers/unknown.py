"""Unknown: a category that hides a value for reasons that depend on the value.

Part of it is structural (values outside the released range are always hidden), part is a null field, whose
chance may depend on the value in a way that the data cannot show. That slope has a prior, and a range over
which results must be shown.
"""

from typing import Annotated, Literal

from jaxtyping import Array, Float
from pydantic import Field, field_validator

from bayestwin.barriers.barrier import AbstractBarrier, Ignorability


class Unknown(AbstractBarrier):
    """Values released as a category that says nothing, by a partly unknown selection.

    Attributes:
        category: the released label that hides the value.
        structural: True when values outside the released bands are always hidden.
        slope_sd: prior sd of the log-odds of a null per unit of log value (close to zero: nulls are at random).
        slope_range: values of that slope for which results are to be shown.

    Example:
        >>> Unknown(category="Unknown").label.value
        'unknown-selection'
    """

    kind: Literal["unknown"] = "unknown"
    category: str
    structural: bool = False
    slope_sd: Annotated[float, Field(gt=0)] = 0.25
    slope_range: tuple[float, float] = (-0.5, 0.5)

    @field_validator("slope_range")
    @classmethod
    def _runs_upwards(cls, ends: tuple[float, float]) -> tuple[float, float]:
        if not ends[0] <= ends[1]:
            raise ValueError(f"slope_range runs from {ends[0]} to {ends[1]}: give the lower end first")
        return ends

    @property
    def label(self) -> Ignorability:
        return Ignorability.UNKNOWN_SELECTION

    @property
    def sentence(self) -> str:
        hidden = "values outside the bands and null fields" if self.structural else "null fields"
        return (
            f"{self.category!r} hides {hidden}; how far a null depends on the value is not in the data: a prior "
            f"(sd {self.slope_sd:g} on the log-odds) and a sensitivity range "
            f"{self.slope_range[0]:g} to {self.slope_range[1]:g} stand in for it."
        )

    def observed(
        self,
        masses: Float[Array, "... mass"],
        null_logit: Float[Array, "... #mass"],
    ) -> Float[Array, "... category"]:
        """Probabilities of the released categories, the hiding one last.

        Args:
            masses: true probabilities; with `structural`, the first and last are the always hidden tails.
            null_logit: log-odds of a null, broadcast against `masses`.
        """
        import jax
        import jax.numpy as jnp

        shown = masses * jax.nn.sigmoid(-null_logit)
        if self.structural:
            shown = shown[..., 1:-1]
        return jnp.concatenate([shown, 1.0 - shown.sum(-1, keepdims=True)], axis=-1)
