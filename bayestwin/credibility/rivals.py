"""Simple forecasts that ours are held against, as draws: the recent weeks, the same weeks a year before, AutoETS.

Source: Hyndman, Koehler, Snyder & Grose (2002), International Journal of Forecasting 18, for the choice among exponential smoothing models (AutoETS); statsmodels fits and
simulates each of them.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

if TYPE_CHECKING:
    from statsmodels.tsa.exponential_smoothing.ets import ETSResults

RECENT = 8  # weeks that the forecast of the recent weeks takes its spread from
YEAR, AROUND = 52, 2  # weeks before, and to either side of it
WEEK = np.timedelta64(7, "D")
TRENDS = ((None, False), ("add", False), ("add", True))  # and whether damped
LEAST = 5  # weeks: the criterion of the smallest model, of three parameters, needs as many
DRAWS = 400  # of AutoETS


class Came(NamedTuple):
    """What was published of a quantity.

    Attributes:
        values: (week, unit).
        seen: where it was.
    """

    values: Float[np.ndarray, "week unit"]
    seen: Bool[np.ndarray, "week unit"]

    @property
    def known(self) -> Float[np.ndarray, "week unit"]:
        """The values, NaN where none was published."""
        return np.where(self.seen, self.values, np.nan)

    def at(self, where: Any) -> Came:
        """The cells of an index."""
        return Came(self.values[where], self.seen[where])


def recent(past: Came) -> Float[np.ndarray, "draw unit"]:
    """The last published weeks of each unit, as if they were draws; NaN where none were.

    What the mean of the same weekdays is to days; weeks have no weekdays.
    """
    return np.stack([_last(series) for series in past.known.T], axis=1)


def _last(series: Float[np.ndarray, " week"]) -> Float[np.ndarray, " draw"]:
    known = series[~np.isnan(series)][-RECENT:]
    return np.resize(known, RECENT) if known.size else np.full(RECENT, np.nan)


def a_year_before(past: Came, weeks: np.ndarray, asked: np.ndarray) -> Float[np.ndarray, "draw week unit"]:
    """The seasonal naive forecast: what was published a year before each week and up to two weeks to either side, as if these were draws; NaN where nothing was.

    Args:
        past: what was published by then.
        weeks: Monday of each of its weeks.
        asked: Monday of each week that is forecast.
    """
    wanted = asked - WEEK * (YEAR + np.arange(-AROUND, AROUND + 1))[:, None]
    at = np.minimum(np.searchsorted(weeks, wanted), len(weeks) - 1)
    return np.where((weeks[at] == wanted)[..., None], past.known[at], np.nan)


def autoets(past: Came, weeks: np.ndarray, asked: np.ndarray, seed: int) -> Float[np.ndarray, "draw week unit"]:
    """Exponential smoothing of each unit's last unbroken run of published weeks, without a season; NaN where the run is too short for any model.

    The first week of all, of which the data may hold some days only, is left out.
    Errors additive or multiplicative, trend none, additive or damped: the model with the least corrected Akaike criterion. Draws below zero are zero.

    Args:
        past: what was published by then.
        weeks: Monday of each of its weeks.
        asked: Monday of each week that is forecast, none of them before the past's end.
        seed: of its draws.

    Example:
        >>> weeks = np.datetime64("2024-01-01") + WEEK * np.arange(30)
        >>> past = Came(np.full((30, 1), 50.0) + np.arange(30)[:, None] % 2, np.ones((30, 1), bool))
        >>> found = autoets(past, weeks, weeks[-1] + WEEK * np.arange(1, 3), seed=0)
        >>> found.shape, bool(abs(found.mean() - 50.5) < 0.5)
        ((400, 2, 1), True)
    """
    found = np.full((DRAWS, len(asked), past.values.shape[1]), np.nan)
    for unit, series in enumerate(past.known.T):
        known = 1 + np.flatnonzero(~np.isnan(series[1:]))
        if not known.size:
            continue
        run = series[known[np.flatnonzero(np.diff(known, prepend=-2) > 1)[-1]] : known[-1] + 1]
        ahead = ((asked - weeks[known[-1]]) / WEEK).astype(int)
        if len(run) >= LEAST:
            found[..., unit] = _ahead(run, int(ahead.max()), np.random.default_rng([seed, unit]))[:, ahead - 1]
    return found


def _ahead(run: Float[np.ndarray, " week"], weeks: int, rng: np.random.Generator) -> Float[np.ndarray, "draw week"]:
    """Draws of the weeks after an unbroken run."""
    if np.ptp(run) == 0.0:
        return np.full((DRAWS, weeks), run[0])  # without errors there is no likelihood to compare
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a model that fits badly is not chosen
        model = min(_fits(run), key=lambda fitted: fitted.aicc)
    drawn = model.simulate(weeks, anchor="end", repetitions=DRAWS, rng=rng)
    return np.maximum(np.reshape(drawn, (weeks, DRAWS)).T, 0.0)


def _fits(run: Float[np.ndarray, " week"]) -> Iterator[ETSResults]:
    """The models, each fitted; those that the run is too short for have an infinite criterion."""
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    for error, (trend, damped) in product(("add", "mul") if run.min() > 0.0 else ("add",), TRENDS):
        fitted = ETSModel(run, error=error, trend=trend, damped_trend=damped).fit(disp=False)
        if not np.isnan(fitted.aicc):
            yield fitted
