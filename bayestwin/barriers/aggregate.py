"""Aggregation: only sums over a period or a group of units are released."""

from typing import Literal

from bayestwin.barriers.barrier import AbstractBarrier, Ignorability


class Aggregate(AbstractBarrier):
    """Sums over a period and, where stated, over the units of a higher level of the hierarchy."""

    kind: Literal["aggregate"] = "aggregate"
    period: Literal["week", "month", "year"]
    level: str | None = None

    @property
    def label(self) -> Ignorability:
        return Ignorability.KNOWN_RULE

    @property
    def sentence(self) -> str:
        over = f" and {self.level}" if self.level else ""
        return f"Released as sums by {self.period}{over}; the likelihood is that of the sum."
