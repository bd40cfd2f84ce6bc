"""The latent structure of a nowcast: two linear maps of independent normal coefficients.

Counts of event time t reported with delay d are negative binomial with mean λ_t p_{t,d}:

    log λ_t     = level + slope + smooth trend + day of the week of t + noise of t
    logit h_t,d = offset + baseline(d) + day of the week of the report (by class of delay)
                  + drift(band of delay, report week) + noise of the report day

with p the delay distribution of hazards h. What happens on a report day acts in the hazard: it moves reports, never
totals. Trend and drift are random walks, written through their independent innovations, so that the whole model is
a generalised linear mixed model: coefficients are N(0, sd²) with one sd a block, and the blocks are told by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bayestwin.components.calendar import public_holidays

KINDS = 7
SATURDAY, SUNDAY = 5, 6


@dataclass(frozen=True)
class Block:
    """A block of coefficients with a common prior sd.

    Attributes:
        size: number of coefficients.
        sd: prior sd, or where an estimate of it starts and is drawn to.
        weight: how many observations the prior value of sd² is worth; None keeps sd as it is.
    """

    size: int
    sd: float
    weight: float | None = None


@dataclass(frozen=True)
class Shape:
    """The fixed shape of a nowcast.

    Attributes:
        times: event periods in use, the last one containing the as-of date.
        delays: delays 0, …, delays - 1; reports with longer ones are not part of the total.
        knots: delays between which the baseline is linear, from 0 to delays - 1.
        centres: delays at which the drift's bands peak, from 0 to delays - 1.
        pace: periods between knots of the drift.
        weekdays: whether event and report periods are days with weekly patterns.
    """

    times: int = 91
    delays: int = 47
    knots: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 17, 21, 25, 30, 35, 40, 46)
    centres: tuple[int, ...] = (0, 1, 3, 7, 14, 28)
    pace: int = 7
    weekdays: bool = True

    @property
    def weeks(self) -> int:
        """Drift innovations over the observed report periods."""
        return -(-self.times // self.pace)

    @property
    def future(self) -> int:
        """Drift innovations over the report periods to come."""
        return -(-self.delays // self.pace)


def hats(points: np.ndarray, centres: tuple[int, ...]) -> np.ndarray:
    """(point, centre) weights of linear interpolation in log(1 + delay); constant beyond the ends."""
    return np.stack([np.interp(np.log1p(points), np.log1p(centres), row) for row in np.eye(len(centres))], axis=-1)


def hazard_blocks(shape: Shape) -> dict[str, Block]:
    """Blocks of the hazards' coefficients for a series with no other to lean on."""
    blocks = {
        "baseline_level": Block(1, 2.0),
        "baseline": Block(len(shape.knots) - 1, 0.7),
        "drift": Block(len(shape.centres) * shape.weeks, 0.1, 4.0),
        "report": Block(shape.times, 0.1, 4.0),
    }
    return blocks | ({"weekday": Block(KINDS * 3, 0.5)} if shape.weekdays else {})


def trend_blocks(shape: Shape) -> dict[str, Block]:
    """Blocks of the expected counts' coefficients; the level is relative to a first guess."""
    blocks = {
        "level": Block(1, 3.0),
        "slope": Block(1, 3.0),
        "bend": Block(shape.times - 2, 0.01, 4.0),
        "noise": Block(shape.times, 0.1, 4.0),
    }
    return blocks | ({"event_weekday": Block(KINDS, 0.5)} if shape.weekdays else {})


def split(blocks: Mapping[str, Block], x: Float[Array, "... coefficient"]) -> dict[str, Float[Array, "..."]]:
    """Coefficients by block."""
    ends = np.cumsum([block.size for block in blocks.values()])
    return dict(zip(blocks, jnp.split(x, ends[:-1], axis=-1), strict=True))


def log_rate(shape: Shape, parts: Mapping[str, Array], kinds: Array) -> Float[Array, " time"]:
    """Log expected counts relative to the first guess."""
    steps = jnp.cumsum(parts["bend"])
    smooth = jnp.concatenate([jnp.zeros(2), jnp.cumsum(steps)])
    time = jnp.linspace(-1.0, 0.0, shape.times)
    trend = parts["level"] + parts["slope"] * time + smooth + parts["noise"]
    return trend + parts["event_weekday"][kinds[: shape.times]] if shape.weekdays else trend


def extended(
    shape: Shape, parts: Mapping[str, Array], drift: Float[Array, " innovation"], report: Float[Array, " period"]
) -> dict[str, Float[Array, "..."]]:
    """Hazard coefficients carried on over the report periods to come."""
    ahead = {"drift": jnp.concatenate([parts["drift"], drift]), "report": jnp.concatenate([parts["report"], report])}
    return {**parts, **ahead}


def known_only(shape: Shape, parts: Mapping[str, Array]) -> dict[str, Float[Array, "..."]]:
    """Hazard coefficients with nothing new over the report periods to come, of which no cell is known."""
    return extended(shape, parts, jnp.zeros(shape.future * len(shape.centres)), jnp.zeros(shape.delays - 1))


def logits(shape: Shape, parts: Mapping[str, Array], kinds: Array, first: int = 0) -> Float[Array, "time delay"]:
    """Logit hazards, apart from the offset, of event periods from the `first` on.

    Args:
        shape: of the nowcast.
        parts: coefficients by block, `extended`.
        kinds: (times + delays - 1,) kinds of the report periods.
        first: first event period wanted.
    """
    delay, report = np.arange(shape.delays), np.arange(shape.times + shape.delays - 1)
    baseline = hats(delay, shape.knots) @ jnp.cumsum(jnp.concatenate([parts["baseline_level"], parts["baseline"]]))
    path = jnp.cumsum(parts["drift"].reshape(-1, len(shape.centres)), axis=0)
    knots = shape.times - 1 + shape.pace * np.arange(1 - shape.weeks, shape.future + 1)
    between = np.stack([np.interp(report, knots, row) for row in np.eye(len(knots))], axis=-1)
    table = baseline + (between @ path) @ hats(delay, shape.centres).T + parts["report"][:, None]
    if shape.weekdays:
        table = table + parts["weekday"].reshape(KINDS, 3)[kinds][:, np.minimum(delay, 2)]
    return table[np.arange(first, shape.times)[:, None] + delay, delay]


def plain_offset(shape: Shape) -> np.ndarray:
    """(time, delay) logit hazards of a delay that is uniform over the delays: what a first series leans on."""
    left = np.maximum(shape.delays - np.arange(shape.delays), 1.5)
    return np.broadcast_to(-np.log(left - 1.0), (shape.times, shape.delays))


def day_kinds(dates: np.ndarray, subdivision: str | None) -> np.ndarray:
    """Kinds of days, 0 Monday to 6 Sunday: a public holiday counts as a Sunday, the working day after it as a Monday.

    Args:
        dates: datetime64[D].
        subdivision: German state whose holidays count, or None for the national ones.
    """
    days = np.concatenate([dates[:1] - np.timedelta64(1, "D"), dates])
    closed = public_holidays(days, "DE", subdivision)
    kinds = (days.astype(int) + 3) % KINDS
    kinds = np.where(closed, SUNDAY, np.where(np.roll(closed, 1) & (kinds < SATURDAY), 0, kinds))
    return kinds[1:]
