"""The reporting triangle: counts by event day, delay of the report, and series, and what of it was known on a day.

Delay 0 is the event day itself. A cell (t, d) is known from the day t + d on; everything is answered as of a date,
so `at` is the only way from a triangle to what a nowcast may see. Cells can be negative: they are corrections.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class Triangle:
    """Counts by event time, delay and series.

    Attributes:
        counts: (time, delay, series) events of that time reported with that delay; 0 where not seen.
        seen: (time, delay, series) whether the cell is known.
        dates: (time,) first day of each event period, datetime64[D], equally spaced by `step`.
        series: (series,) names.
        step: days from one period to the next: 1 for days, 7 for weeks. Delays are counted in periods.
        places: (series,) whose public holidays count, such as "DE" or "DE-BY"; None for no holidays.
    """

    counts: np.ndarray
    seen: np.ndarray
    dates: np.ndarray
    series: tuple[str, ...]
    step: int = 1
    places: tuple[str | None, ...] | None = None

    def __post_init__(self) -> None:
        times, _, series = self.counts.shape
        if self.seen.shape != self.counts.shape:
            raise ValueError(f"counts have shape {self.counts.shape}, seen {self.seen.shape}: they must be the same")
        if len(self.dates) != times or len(self.series) != series:
            raise ValueError(f"{times} times and {series} series in counts, but {len(self.dates)} dates and {len(self.series)} names")
        if times > 1 and (np.diff(self.dates) != self.step * DAY).any():
            raise ValueError(
                f"dates must be {self.step} days apart, found steps of {sorted(set(np.diff(self.dates).astype(int).tolist()))} days"
            )

    def at(self, as_of: date | np.datetime64) -> "Triangle":
        """The triangle as it was known on a day: cells reported later are unseen, event times after it are dropped."""
        last = np.datetime64(as_of, "D")
        keep = self.dates <= last
        reported = self.dates[keep, None] + self.step * DAY * np.arange(self.counts.shape[1])
        seen = self.seen[keep] & (reported <= last)[..., None]
        return replace(self, counts=np.where(seen, self.counts[keep], 0.0), seen=seen, dates=self.dates[keep])

    def select(self, series: Iterable[str]) -> "Triangle":
        """The named series, in the order asked for."""
        names = tuple(series)
        index = [self.series.index(name) for name in names]
        places = None if self.places is None else tuple(self.places[i] for i in index)
        return replace(self, counts=self.counts[..., index], seen=self.seen[..., index], series=names, places=places)

    def reported(self, delays: int) -> np.ndarray:
        """(time, series) events known so far with delays below `delays`."""
        return np.where(self.seen[:, :delays], self.counts[:, :delays], 0.0).sum(1)


def recent(triangle: Triangle, as_of: date | np.datetime64, times: int, delays: int) -> Triangle:
    """What was known on a day, in a fixed shape: the last `times` periods, the first `delays` delays.

    Periods before the triangle's first and delays beyond its last are there, unseen, so that every as-of date gives
    arrays of one shape.

    Args:
        triangle: all that is known, possibly later than `as_of`.
        as_of: last day whose reports count.
        times: periods, the last one being the latest that began on or before `as_of`.
        delays: delays 0, …, delays - 1.

    Raises:
        ValueError: if no period of the triangle began by `as_of`, or its last one ended before `as_of`.
    """
    known = triangle.at(as_of)
    if not len(known.dates):
        raise ValueError(f"nothing is known as of {as_of}: the first event date is {triangle.dates[0]}")
    last = known.dates[-1]
    if np.datetime64(as_of, "D") >= last + triangle.step * DAY:
        raise ValueError(f"as-of date {as_of} lies after the triangle's last event date {last}: give a later extract")
    dates = last - triangle.step * DAY * np.arange(times)[::-1]
    shape = (times, delays, len(triangle.series))
    counts, seen = np.zeros(shape), np.zeros(shape, bool)
    rows, columns = min(times, len(known.dates)), min(delays, known.counts.shape[1])
    counts[times - rows :, :columns] = known.counts[-rows:, :columns]
    seen[times - rows :, :columns] = known.seen[-rows:, :columns]
    return replace(known, counts=counts, seen=seen, dates=dates)
