"""One case for every kind of barrier: what stands between, and what a team does that leaves it out of the likelihood."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise

import numpy as np
from barrier_model import Design

from bayestwin.barriers import (
    Access,
    Aggregate,
    Band,
    ChartSample,
    Clamp,
    Consent,
    Coverage,
    DateShift,
    Degraded,
    Delay,
    DPNoise,
    Embargo,
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

PMF = (0.35, 0.25, 0.18, 0.12, 0.1)
EDGES = (0.0, 2.0, 4.0, 7.0, 12.0)
BANDS = [{"label": f"{low:g}", "low": low, "high": high} for low, high in pairwise(EDGES)]


@dataclass(frozen=True)
class Case:
    """A barrier, the data it is tried on, and the naive treatment beside it.

    Attributes:
        access: what degrades the data, and what the likelihood is of.
        naive: what the naive analyst takes for their likelihood.
        read: what the naive analyst takes the data to be, (cells..., 2), from what is released.
        treatment: the naive treatment in words.
        design: size and law of the clean data.
        matters: whether the naive treatment must be found out; False where docs/calibration-of-barriers.md says why it need not.
        exact: whether the likelihood is exact; where it matches moments, the ranks say how near it comes.
        batch: replicates that are fitted at once.
    """

    access: Access
    read: Callable[[Degraded], np.ndarray]
    treatment: str
    naive: Access = field(default_factory=Access)
    design: Design = field(default_factory=Design)
    matters: bool = True
    exact: bool = True
    batch: int = 20


def exactly(values: np.ndarray) -> np.ndarray:
    """Observations of numbers that are taken as they stand."""
    return np.stack([values, values], axis=-1)


def as_counts(released: Degraded) -> np.ndarray:
    """Published numbers taken for counts, zero where nothing is published."""
    return exactly(np.maximum(np.rint(released.values), 0.0))


def as_scores(released: Degraded) -> np.ndarray:
    """Published numbers taken for measurements."""
    return exactly(released.values)


def without_hidden(released: Degraded) -> np.ndarray:
    """Published numbers taken for counts, cells without one left out."""
    known = released.present & ~released.hidden
    return np.where(known[..., None], as_counts(released), [-np.inf, np.inf])


def scaled_up(factor: float) -> Callable[[Degraded], np.ndarray]:
    """Numbers multiplied up to what all would be."""
    return lambda released: exactly(np.rint(released.values * factor))


def mid_points(released: Degraded) -> np.ndarray:
    """Middle of each band; the last band is taken to be as wide as the one before it."""
    middle = {low: 0.5 * (low + high - 1.0) for low, high in zip(EDGES, [*EDGES[1:], 17.0], strict=True)}
    return exactly(np.floor(np.vectorize(middle.__getitem__)(released.values) + 0.5))


def evenly(released: Degraded) -> np.ndarray:
    """Sums of a week spread over its days, as evenly as whole numbers allow."""
    share, left = np.divmod(released.values.astype(int), 7)
    days = [share + (day * left // 7 < (day + 1) * left // 7) for day in range(7)]
    return exactly(np.stack(days, axis=1).reshape(-1, *released.values.shape[1:]).astype(float))


def own_days(shift: int) -> Callable[[Degraded], np.ndarray]:
    """Shifted dates taken for the true ones; what falls outside the study is cut off."""
    return lambda released: exactly(released.values[shift:-shift])


def reported_so_far(released: Degraded) -> np.ndarray:
    """Reports that are there, added up over delays as if none were to come."""
    return exactly(released.values.sum(-1))


def divided_by_completeness(released: Degraded) -> np.ndarray:
    """Reports that are there over the share that was there as early, as estimated from days that are complete."""
    whole = released.present.all(axis=(1, 2))
    share = 0.5 + released.values[whole].sum(axis=(0, 1))  # half a report more, lest none came as early
    seen = (released.present * share).sum(-1) / share.sum()
    return exactly(np.rint(released.values.sum(-1) / seen))


def without_total(released: Degraded) -> np.ndarray:
    """The parts that are shown; neither hidden ones nor totals are used."""
    return without_hidden(released)[..., :-1, :]


def without_last(released: Degraded) -> np.ndarray:
    """The categories that say something; the one that hides is left out."""
    return as_counts(released)[..., :-1, :]


def _channel(barrier: object) -> Access:
    return Access.through([barrier])


FIVE = Design(units=5)
FEW = Design(days=7, units=4)
SPARSE = Design(days=7, units=4, typical=3.0)
NB2 = Design(law="nb2")
LAST = date(2024, 1, 14)

CASES: dict[str, Case] = {
    "aggregate": Case(_channel(Aggregate(period="week")), evenly, "weekly sums spread evenly over days"),
    "aggregate_nb2": Case(_channel(Aggregate(period="week")), evenly, "weekly sums spread evenly over days", design=NB2, exact=False),
    "band": Case(_channel(Band(unit="events", bands=BANDS)), mid_points, "mid-points of bands", design=FEW, batch=1),
    "chart_sample": Case(
        _channel(ChartSample(charts=60, sampled=20)),
        scaled_up(60 / 20),
        "sampled charts scaled up",
        design=Design(7, 4, typical=3.0, spread=0.15),
        batch=1,
    ),
    "clamp": Case(
        Access.through([DPNoise(mechanism="discrete_laplace", epsilon=1.0), Clamp()]),
        as_counts,
        "noised and clamped numbers taken for counts",
        design=SPARSE,
        batch=1,
    ),
    "consent": Case(_channel(Consent(fraction=0.6, slope_sd=0.5)), scaled_up(1 / 0.6), "consenters scaled up, taken for typical"),
    "coverage_known": Case(_channel(Coverage(fraction=0.4)), scaled_up(1 / 0.4), "captured events scaled up", design=NB2),
    "coverage_uncertain": Case(
        _channel(Coverage(fraction=0.5, logit_sd=0.3)), as_counts, "stated share taken for exact", naive=_channel(Coverage(fraction=0.5))
    ),
    "date_shift_record": Case(_channel(DateShift(days=3)), own_days(3), "shifted dates taken for true ones"),
    "date_shift_record_nb2": Case(_channel(DateShift(days=3)), own_days(3), "shifted dates taken for true ones", design=NB2, exact=False),
    "date_shift_unit": Case(_channel(DateShift(days=3, each="unit")), own_days(3), "shifted dates taken for true ones"),
    "delay_known": Case(_channel(Delay(maximum=4, pmf=PMF, as_of=LAST)), reported_so_far, "late reports forgotten"),
    "delay_nb2": Case(_channel(Delay(maximum=4, pmf=PMF, as_of=LAST)), reported_so_far, "late reports forgotten", design=NB2),
    "delay_so_far": Case(_channel(Delay(maximum=4, pmf=PMF, as_of=LAST, released="so_far")), as_counts, "late reports forgotten"),
    "delay_estimated": Case(_channel(Delay(maximum=4, as_of=LAST)), divided_by_completeness, "divided by the plug-in share reported"),
    "dp_laplace": Case(
        _channel(DPNoise(mechanism="discrete_laplace", epsilon=1.0)),
        as_counts,
        "noise ignored, negatives set to zero",
        design=SPARSE,
        batch=1,
    ),
    "dp_discrete_gaussian": Case(
        _channel(DPNoise(mechanism="discrete_gaussian", rho=0.125)),
        as_counts,
        "noise ignored, negatives set to zero",
        design=SPARSE,
        batch=1,
    ),
    "dp_gaussian": Case(
        _channel(DPNoise(mechanism="gaussian", rho=0.125)),
        as_counts,
        "noise ignored, rounded, negatives set to zero",
        design=SPARSE,
        batch=1,
    ),
    "embargo": Case(_channel(Embargo(start=date(2024, 1, 8), end=date(2024, 1, 10))), as_counts, "embargoed days read as zeros"),
    "linkage": Case(_channel(Linkage(missed=0.2, false=1.0, missed_sd=0.4, false_sd=0.4)), as_counts, "linked counts taken for all events"),
    "margin": Case(Access.through([Margin(dim="unit"), Suppress(below=5)]), without_total, "hidden parts and totals dropped", design=FIVE),
    "margin_complementary": Case(
        Access.through([Margin(dim="unit"), Suppress(below=5, complementary=True)]),
        without_total,
        "hidden parts and totals dropped",
        design=FIVE,
    ),
    "non_response": Case(_channel(NonResponse(response=0.6)), as_scores, "those who answer taken for all", design=Design(law="normal")),
    "random_round": Case(_channel(RandomRound(base=5)), as_counts, "rounded numbers taken for counts"),
    "revision": Case(_channel(Revision(log_sd=0.1, by="unit")), as_counts, "last version taken for the final one"),
    "round": Case(_channel(Round(base=5)), as_counts, "rounded numbers taken for counts"),
    "site_absence": Case(_channel(SiteAbsence(dim="unit", absent=("unit0",))), as_counts, "the absent site read as zeros"),
    "site_selection": Case(
        _channel(SiteSelection(dim="unit", absent=("unit0",), slope_sd=1.0)),
        without_hidden,
        "absent sites taken to be like the others",
        matters=False,
    ),
    "suppress": Case(_channel(Suppress(below=6)), without_hidden, "hidden cells dropped", design=NB2),
    "suppress_zero": Case(_channel(Suppress(below=6)), as_counts, "hidden cells set to zero"),
    "topcode": Case(_channel(TopCode(limit=6)), as_counts, "the limit taken for the count", design=FEW, batch=1),
    "unknown": Case(
        _channel(Unknown(category="Unknown", slope_sd=0.15)),
        without_last,
        "the category that hides is dropped",
        design=Design(dim="band", nulls=True),
    ),
    "withheld": Case(
        _channel(Withheld(field="counts of one unit", dim="unit", labels=("unit5",))), as_counts, "what is withheld read as zeros"
    ),
}
