"""The latent structure of a nowcast: two linear maps of independent normal coefficients.

Counts of event time t reported with delay d have mean λ_t p_{t,d} and variance dispersion · mean:

    log λ_t     = level + slope + smooth trend + day of the week of t + noise of t
    logit h_t,d = offset + baseline(d) + day of the week of the report (by class of delay)
                  + drift(band of delay, time of the report) + noise of the report day

with p the delay distribution of hazards h. What happens on a report day acts in the hazard: it moves reports, never
totals. Trend and drift are written through their independent innovations, so that all is one generalised linear mixed
model: coefficients are N(0, sd²) with one sd a block. A series can lean on another: the other's fitted logit hazards
are then its offset, and its own coefficients say how it departs from them.

Source: Günther et al. (2021), "Nowcasting the COVID-19 pandemic in Bavaria", Biometrical Journal 63(3), for hazards by
report day; Höhle & an der Heiden (2014), "Bayesian nowcasting during the STEC O104:H4 outbreak in Germany", Biometrics
70(4). The drift of late delays and the leaning are ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

KINDS = 7
CLASSES = 3
"""Classes of delay that have report-weekday effects of their own: 0, 1, longer."""
AHEAD = ("drift_early", "drift_late", "report")
"""Blocks that go on over the report periods to come."""


@dataclass(frozen=True)
class Block:
    """A block of coefficients with a common prior sd.

    Attributes:
        size: number of coefficients.
        sd: prior sd, or where its estimate starts and what it is drawn to.
        weight: how many coefficients the prior value of sd² is worth; None keeps sd as it is.
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
        early, late: delays at which the drift's bands peak, evenly spaced in log(1 + delay); drifts of early and of
            late bands have a spread each.
        pace: periods between knots of the drift.
        memory: what is left of the drift from one knot to the next, in (0, 1]; 1 makes it a random walk.
        weekdays: whether periods are days with weekly patterns.
    """

    times: int = 91
    delays: int = 47
    knots: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 17, 21, 25, 30, 35, 40, 46)
    early: tuple[int, ...] = (0, 2)
    late: tuple[int, ...] = (7, 21)
    pace: int = 7
    memory: float = 0.8
    weekdays: bool = True

    @property
    def periods(self) -> int:
        """Report periods: as many as the event periods, then those to come."""
        return self.times + self.delays - 1

    @property
    def knots_past(self) -> int:
        """Drift knots up to the last event period."""
        return -(-self.times // self.pace)

    @property
    def knots_ahead(self) -> int:
        """Drift knots after it."""
        return -(-self.delays // self.pace)


@dataclass(frozen=True)
class Model:
    """A shape and its blocks, as a value that compiled programs are remembered by.

    Attributes:
        shape: of the nowcast.
        trend: blocks of the log expected counts, by name.
        hazards: blocks of the logit hazards, by name.
    """

    shape: Shape
    trend: tuple[tuple[str, Block], ...]
    hazards: tuple[tuple[str, Block], ...]

    @property
    def blocks(self) -> tuple[tuple[str, Block], ...]:
        """All blocks in the order of the coefficients."""
        return self.trend + self.hazards


def own_model(shape: Shape) -> Model:
    """The model of a series that stands by itself.

    The drift's spreads are of the size by which the shares reported at once and reported late moved from month to month in
    Germany in 2021; they were chosen on nowcasts of July to October 2021 (decision 8), and the data move them.
    """
    hazards = {
        "baseline_level": Block(1, 2.0),
        "baseline": Block(len(shape.knots) - 1, 0.7),
        "drift_early": Block(len(shape.early) * shape.knots_past, 0.25, 40.0),
        "drift_late": Block(len(shape.late) * shape.knots_past, 0.35, 20.0),
        "report": Block(shape.times, 0.1, 4.0),
    }
    return _model(shape, hazards | ({"weekday": Block(KINDS * CLASSES, 0.5)} if shape.weekdays else {}))


def leaning_model(shape: Shape) -> Model:
    """The model of a series that leans on another: it departs from the other's hazards as far as its data say."""
    hazards = {
        "baseline_level": Block(1, 0.3, 2.0),
        "baseline": Block(len(shape.knots) - 1, 0.1, 4.0),
        "drift_early": Block(len(shape.early) * shape.knots_past, 0.1, 10.0),
        "drift_late": Block(len(shape.late) * shape.knots_past, 0.2, 10.0),
        "report": Block(shape.times, 0.15, 4.0),
    }
    return _model(shape, hazards | ({"weekday": Block(KINDS * CLASSES, 0.15, 4.0)} if shape.weekdays else {}))


def _model(shape: Shape, hazards: dict[str, Block]) -> Model:
    trend = {
        "level": Block(1, 3.0),
        "slope": Block(1, 3.0),
        "bend": Block(shape.times - 2, 0.01, 4.0),
        "noise": Block(shape.times, 0.1, 4.0),
    }
    trend |= {"event_weekday": Block(KINDS, 0.5)} if shape.weekdays else {}
    return Model(shape, tuple(trend.items()), tuple(hazards.items()))


def split(blocks: tuple[tuple[str, Block], ...], x: Float[Array, "... coefficient"]) -> dict[str, Float[Array, "..."]]:
    """Coefficients by block."""
    ends = np.cumsum([block.size for _, block in blocks])
    return dict(zip((name for name, _ in blocks), jnp.split(x, ends[:-1], axis=-1), strict=True))


def log_rate(shape: Shape, parts: Mapping[str, Array], kinds: Array) -> Float[Array, " time"]:
    """Log expected counts relative to the first guess of their level.

    Args:
        shape: of the nowcast.
        parts: coefficients by block.
        kinds: (periods,) kinds of the event periods and those after them.
    """
    smooth = jnp.concatenate([jnp.zeros(2), jnp.cumsum(jnp.cumsum(parts["bend"]))])
    trend = parts["level"] + parts["slope"] * jnp.linspace(-1.0, 0.0, shape.times) + smooth + parts["noise"]
    return trend + parts["event_weekday"][kinds[: shape.times]] if shape.weekdays else trend


def ahead_sizes(shape: Shape) -> dict[str, int]:
    """Coefficients of the blocks in `AHEAD` beyond those of the observed report periods."""
    return dict(zip(AHEAD, (len(shape.early) * shape.knots_ahead, len(shape.late) * shape.knots_ahead, shape.delays - 1), strict=True))


def extended(parts: Mapping[str, Array], ahead: Mapping[str, Array]) -> dict[str, Float[Array, "..."]]:
    """Hazard coefficients carried on over the report periods to come."""
    return {**parts, **{name: jnp.concatenate([parts[name], ahead[name]]) for name in AHEAD}}


def known_only(shape: Shape, parts: Mapping[str, Array]) -> dict[str, Float[Array, "..."]]:
    """Hazard coefficients with nothing new over the report periods to come."""
    return extended(parts, {name: jnp.zeros(size) for name, size in ahead_sizes(shape).items()})


def hats(points: np.ndarray, centres: tuple[int, ...]) -> np.ndarray:
    """(point, centre) weights of linear interpolation, constant beyond the ends."""
    return np.stack([np.interp(points, centres, row) for row in np.eye(len(centres))], axis=-1)


def drift(shape: Shape, parts: Mapping[str, Array]) -> Float[Array, "period delay"]:
    """Drift of the logit hazards by report period and delay."""
    knots = np.arange(shape.knots_past + shape.knots_ahead)
    lag = np.subtract.outer(knots, knots)
    decay = np.where(lag >= 0, shape.memory ** np.maximum(lag, 0), 0.0)
    path = jnp.concatenate(
        [decay @ parts[name].reshape(-1, len(at)) for name, at in zip(AHEAD, (shape.early, shape.late), strict=False)], 1
    )
    when = shape.times - 1 + shape.pace * (knots - shape.knots_past + 1)
    bands = hats(np.log1p(np.arange(shape.delays)), tuple(np.log1p(shape.early + shape.late)))
    return hats(np.arange(shape.periods), tuple(when)) @ path @ bands.T


def logits(shape: Shape, parts: Mapping[str, Array], kinds: Array, first: int = 0) -> Float[Array, "time delay"]:
    """Logit hazards, apart from the offset, of event periods from the `first` on.

    Args:
        shape: of the nowcast.
        parts: coefficients by block, `extended`.
        kinds: (periods,) kinds of the report periods.
        first: first event period wanted.
    """
    delay = np.arange(shape.delays)
    baseline = hats(delay, shape.knots) @ jnp.cumsum(jnp.concatenate([parts["baseline_level"], parts["baseline"]]))
    table = baseline + drift(shape, parts) + parts["report"][:, None]
    if shape.weekdays:
        table = table + parts["weekday"].reshape(KINDS, CLASSES)[kinds][:, np.minimum(delay, CLASSES - 1)]
    return table[np.arange(first, shape.times)[:, None] + delay, delay]


def plain_offset(shape: Shape) -> np.ndarray:
    """(time, delay) logit hazards of a delay that is uniform over the delays: what a series by itself leans on."""
    left = np.maximum(shape.delays - np.arange(shape.delays), 1.5)
    return np.broadcast_to(-np.log(left - 1.0), (shape.times, shape.delays))
