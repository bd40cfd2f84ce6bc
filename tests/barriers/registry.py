"""One line a barrier: how it is built, with full strength and with none, and what it is laid over.

The laws of test_laws.py hold for every line; a barrier without a line fails there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np

from bayestwin.barriers import (
    AbstractBarrier,
    Access,
    Aggregate,
    Band,
    ChartSample,
    Clamp,
    Consent,
    Coverage,
    DateShift,
    Delay,
    DPNoise,
    Embargo,
    Grid,
    Linkage,
    Margin,
    NonResponse,
    RandomRound,
    Revision,
    Round,
    SiteAbsence,
    SiteSelection,
    Suppress,
    TopCode,
    Unknown,
    Withheld,
)

MONDAY = np.datetime64("2024-01-01")


def grid(days: int = 14, units: int = 3) -> Grid:
    """Days from a Monday, units in two groups."""
    labels = np.array([f"u{i}" for i in range(units)])
    return Grid({"day": MONDAY + np.arange(days), "unit": labels}, {("unit", "group"): np.where(np.arange(units) < 1, "g0", "g1")})


BANDS = [{"label": "few", "low": 0, "high": 4}, {"label": "some", "low": 4, "high": 60}, {"label": "many", "low": 60, "high": 1e9}]
WIDE_OPEN = [{"label": f"{i}", "low": i, "high": i + 1} for i in range(200)]


@dataclass(frozen=True)
class Case:
    """A barrier and its strengths.

    Attributes:
        barriers: with the strength that is tested.
        none: of no strength, if there is such a thing.
        exact_nb: whether NB2 counts stay in closed form through it (else the law is that of matched moments).
        joint: whether cells depend on one another, so that the density is of several at once.
    """

    barriers: Callable[[], tuple[AbstractBarrier, ...]]
    none: Callable[[], tuple[AbstractBarrier, ...]] | None = None
    exact_nb: bool = True
    joint: bool = False

    @property
    def access(self) -> Access:
        """The barriers as an access."""
        return Access.through(self.barriers())


CASES = {
    "aggregate": Case(lambda: (Aggregate(period="week", level="group"),), None, exact_nb=False),
    "band": Case(lambda: (Band(unit="events", bands=BANDS),), lambda: (Band(unit="events", bands=WIDE_OPEN),)),
    "chart_sample": Case(lambda: (ChartSample(charts=150, sampled=30),), lambda: (ChartSample(charts=150, sampled=150),)),
    "clamp": Case(lambda: (DPNoise(mechanism="discrete_laplace", epsilon=0.7), Clamp()), lambda: (Clamp(),)),
    "consent": Case(lambda: (Consent(fraction=0.67, spread=0.53),), lambda: (Consent(fraction=1.0),)),
    "coverage": Case(lambda: (Coverage(fraction=0.6),), lambda: (Coverage(fraction=1.0),)),
    "coverage of doubt": Case(lambda: (Coverage(fraction={"u0": 0.5, "u1": 0.7, "u2": 0.9}, by="unit", logit_sd=0.4, shared="all", correlation=0.5),)),
    "date_shift": Case(lambda: (DateShift(days=3),), lambda: (DateShift(days=0),), exact_nb=False),
    "date_shift as one": Case(lambda: (DateShift(days=7, keeps_weekday=True, each="unit"),), None, joint=True),
    "delay": Case(lambda: (Delay(maximum=2, pmf=(0.5, 0.3, 0.2), as_of=date(2024, 1, 14)),), None, joint=True),
    "delay estimated": Case(
        lambda: (Delay(maximum=2, weekday=True, walk_sd=0.3, by="unit", holidays=(date(2024, 1, 6),), as_of=date(2024, 1, 14)),), None, joint=True
    ),
    "delay so far": Case(
        lambda: (Delay(maximum=2, pmf=(0.5, 0.3, 0.2), as_of=date(2024, 1, 14), released="so_far"),), lambda: (Delay(maximum=0, released="so_far"),)
    ),
    "dp_noise": Case(lambda: (DPNoise(mechanism="discrete_laplace", epsilon=0.5),), lambda: (DPNoise(mechanism="discrete_laplace", scale=0.01),)),
    "dp_noise gaussian": Case(lambda: (DPNoise(mechanism="discrete_gaussian", rho=0.1),), lambda: (DPNoise(mechanism="discrete_gaussian", scale=0.05),)),
    "dp_noise real": Case(lambda: (DPNoise(mechanism="gaussian", epsilon=2.0, delta=1e-5),), None),
    "dp_noise, clamped and rounded": Case(lambda: (DPNoise(mechanism="gaussian", rho=0.2), Clamp(), Round(base=5)), None),
    "clipped, then noised": Case(lambda: (TopCode(limit=12), DPNoise(mechanism="discrete_laplace", epsilon=1.0)), None),
    "embargo": Case(lambda: (Embargo(start=date(2024, 1, 3), end=date(2024, 1, 5)),), lambda: (Embargo(start=date(2020, 1, 1), end=date(2020, 1, 1)),)),
    "linkage": Case(lambda: (Linkage(missed=0.2, false=1.5),), lambda: (Linkage(),), exact_nb=False),
    "linkage of doubt": Case(lambda: (Linkage(missed=0.2, false=1.5, missed_sd=0.3, false_sd=0.3, by="unit"),), None, exact_nb=False),
    "margin": Case(lambda: (Margin(dim="unit"), Suppress(below=5), Round(base=5)), None, joint=True),
    "margin protected": Case(lambda: (Margin(dim="unit"), Suppress(below=5, complementary=True)), None, joint=True),
    "random_round": Case(lambda: (RandomRound(base=3),), lambda: (RandomRound(base=1),)),
    "revision": Case(lambda: (Revision(log_sd=0.2, by="unit"),), lambda: (Revision(log_sd=0.0),), exact_nb=False),
    "round": Case(lambda: (Round(base=5),), lambda: (Round(base=1),)),
    "round up": Case(lambda: (Round(base=4, direction="up"),), lambda: (Round(base=1, direction="up"),)),
    "round down": Case(lambda: (Round(base=10, direction="down"),), lambda: (Round(base=1, direction="down"),)),
    "site_absence": Case(lambda: (SiteAbsence(dim="unit", absent=("u1",), until=date(2024, 1, 8)),), lambda: (SiteAbsence(dim="unit", absent=()),)),
    "site_selection": Case(lambda: (SiteSelection(dim="unit", absent=("u2",)),), None),
    "suppress": Case(lambda: (Suppress(below=8),), lambda: (Suppress(below=1),)),
    "suppress zero too": Case(lambda: (Suppress(below=11, zero="hidden"),), None),
    "suppress, then round": Case(lambda: (Suppress(below=8), Round(base=5)), None),
    "topcode": Case(lambda: (TopCode(limit=12),), lambda: (TopCode(limit=1e300),)),
    "unknown": Case(lambda: (Unknown(category="?", null=0.3),), lambda: (Unknown(category="?", null=0.0),), exact_nb=False),
    "withheld": Case(lambda: (Withheld(field="counts of u0", dim="unit", labels=("u0",)),), lambda: (Withheld(field="minutes", here=False),)),
    "whole chain": Case(
        lambda: (Coverage(fraction=0.8), Delay(maximum=2, pmf=(0.5, 0.3, 0.2), as_of=date(2024, 1, 14), released="so_far"), Aggregate(period="week"), Suppress(below=8), Round(base=5)),
        None,
        exact_nb=False,
    ),
}  # fmt: skip
"""Every barrier that acts on counts; `non_response`, which acts on scores, has its own test."""

ELSEWHERE = {NonResponse}
