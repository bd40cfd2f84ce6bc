"""Coverage: only a known part of the population is in the extract."""

from typing import Literal

from bayestwin.barriers.barrier import AbstractBarrier, Ignorability


class Coverage(AbstractBarrier):
    """Counts come from the covered part of a population whose two sizes are published.

    Attributes:
        covered: stream that holds the size of the covered part.
        population: stream that holds the size of the whole.
    """

    kind: Literal["coverage"] = "coverage"
    covered: str
    population: str

    @property
    def label(self) -> Ignorability:
        return Ignorability.KNOWN_RULE

    @property
    def sentence(self) -> str:
        return (
            f"Counts cover the {self.covered} among the {self.population}; rates are per covered person, "
            "and quantities are those that the publication will count."
        )
