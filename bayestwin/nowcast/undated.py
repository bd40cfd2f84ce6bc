"""Reports without an event date: shared among the event dates that they may belong to.

Some reports never say when the event happened. Given the expected counts λ_t p_{t,d} of dated reports, an undated one
of report period r belongs to event period t with probability in proportion to λ_t p_{t,r-t}: the posterior of a model
in which the share of undated reports is free to differ from one report period to the next and does not depend on the
event date. The undated reports of event periods still to be reported come at the recent share.

Source: epinowcast's treatment of missing reference dates (Abbott et al. 2021, 10.5281/zenodo.5637165), whose expected
undated count of a report day is Σ_d α λ_{r-d} p_{r-d,d}; here the share is integrated out by conditioning on the count.
"""

import numpy as np


def allocated(rng: np.random.Generator, means: np.ndarray, undated: np.ndarray) -> np.ndarray:
    """Draws of the undated reports by event period.

    Args:
        rng: random generator.
        means: (draw, time, delay) expected counts of dated reports.
        undated: (time,) undated reports of each report period, the last being the as-of period.

    Returns:
        (draw, time) counts. Events before the first period are not considered, so that the first periods, as many as
        there are delays, get too many.

    Example:
        >>> means = np.array([[[4.0, 0.0], [4.0, 0.0]]])
        >>> allocated(np.random.default_rng(0), means, np.array([3, 5])).tolist()
        [[3, 5]]
    """
    draws, times, delays = means.shape
    shared = np.zeros((draws, times), int)
    for report in np.flatnonzero(undated):
        first = max(0, report - delays + 1)
        events = np.arange(first, report + 1)
        weight = means[:, events, report - events]
        total = weight.sum(1, keepdims=True)
        possible = np.where(total > 0, weight / np.where(total > 0, total, 1.0), 1.0 / len(events))
        shared[:, events] += rng.multinomial(int(undated[report]), possible)
    return shared


def undated_odds(rng: np.random.Generator, undated: np.ndarray, dated: np.ndarray, draws: int) -> np.ndarray:
    """Draws of the odds that a report is undated, from the counts of recent report periods.

    Args:
        rng: random generator.
        undated: (period,) undated reports.
        dated: (period,) dated reports.
        draws: number of draws.

    Returns:
        (draw,) odds, from the beta posterior of the share under a uniform prior.
    """
    share = rng.beta(1.0 + undated.sum(), 1.0 + dated.sum(), draws)
    return share / (1.0 - share)
