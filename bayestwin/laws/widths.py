"""How far apart the ends of an observation can be."""

from typing import NamedTuple


class Widths(NamedTuple):
    """How far apart the ends of an observation can be.

    Attributes:
        few: the most whole numbers, ≥ 1, that a narrow observation holds.
        wide: whether there are observations with more, or with an open end.
    """

    few: int = 1
    wide: bool = False
