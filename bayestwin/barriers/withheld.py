"""Withheld: a field that exists and is not released."""

from typing import Literal

from bayestwin.barriers.barrier import AbstractBarrier, Ignorability


class Withheld(AbstractBarrier):
    """A field is not released; its latent quantity stays in the model and is informed by its prior."""

    kind: Literal["withheld"] = "withheld"
    field: str

    @property
    def label(self) -> Ignorability:
        return Ignorability.CALENDAR

    @property
    def sentence(self) -> str:
        return f"Not released: {self.field}. What depends on it alone keeps its prior width."
