"""The small hierarchical count model that the calibration of barriers is checked on.

Log rates are unit + trend + weekend, units are normal about a level; counts are Poisson or NB2 (scores of a survey: normal).
What is released of them, and how likely that is, comes from an `Access` alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
import numpyro
from numpyro import distributions as dist

from bayestwin.barriers import Access, Grid, SiteSelection
from bayestwin.laws.expected import Counts, Measure

MONDAY = np.datetime64("2024-01-01")
LEVEL_SD, TREND_SD, WEEKEND = 0.4, 0.3, (-0.3, 0.3)
SCORE, SCORE_STEP, SCORE_SD = 60.0, 10.0, 8.0


@dataclass(frozen=True)
class Design:
    """Size and law of the clean data.

    Attributes:
        days, units: shape of the cells, from a Monday on.
        typical: prior median of the expected count of a cell.
        spread: prior scale of the units' sd about their level.
        law: of the counts; `normal` for scores.
        dim: name of the units' dim.
        nulls: whether the model has a level of null fields (for the category that hides some).
    """

    days: int = 14
    units: int = 6
    typical: float = 6.0
    spread: float = 0.4
    law: Literal["poisson", "nb2", "normal"] = "poisson"
    dim: str = "unit"
    nulls: bool = False

    @property
    def grid(self) -> Grid:
        """Cells of the clean data, day by unit."""
        days = MONDAY + np.arange(self.days).astype("timedelta64[D]")
        return Grid({"day": days, self.dim: np.array([f"{self.dim}{i}" for i in range(self.units)])})

    def counts(self, mean: Any, concentration: Any = None) -> Counts | Measure:
        """The law of the clean data by their means."""
        return Measure(mean, jnp.asarray(SCORE_SD)) if self.law == "normal" else Counts(mean, concentration)


class Latent(NamedTuple):
    """What the model draws before it observes anything.

    Attributes:
        mean: of the clean cells.
        concentration: of NB2 counts, else None.
        given: the barriers' parameters.
        effect: standardised effects of the units.
        named: scalars whose ranks are looked at, by name.
    """

    mean: Any
    concentration: Any
    given: Mapping[str, Mapping[str, Any]]
    effect: Any
    named: dict[str, Any]


def latent(design: Design, access: Access) -> Latent:
    """Draw the model's unknowns from their priors, inside NumPyro."""
    day = np.arange(design.days)
    weekend = (day % 7 >= 5) - np.mean(day % 7 >= 5)
    level = numpyro.sample("level", dist.Normal(np.log(design.typical), LEVEL_SD))
    spread = numpyro.sample("spread", dist.HalfNormal(design.spread))
    trend = numpyro.sample("trend", dist.Normal(0.0, TREND_SD))
    week = numpyro.sample("weekend", dist.Normal(*WEEKEND))
    named = {"level": level, "spread": spread, "trend": trend, "weekend": week}
    concentration = None
    if design.law == "nb2":
        concentration = named["concentration"] = numpyro.sample("concentration", dist.LogNormal(np.log(6.0), 0.5))
    given = access.unknowns(design.grid)
    if design.nulls and "unknown" in given:
        given["unknown"]["null_logit"] = numpyro.sample("null_logit", dist.Normal(-1.0, 0.3))
    unit = numpyro.sample("unit", dist.Normal(level, spread).expand([design.units]))
    log_rate = unit + (trend * np.linspace(-1.0, 1.0, design.days) + week * weekend)[:, None]
    scored = design.law == "normal"
    mean = SCORE + SCORE_STEP * (log_rate - np.log(design.typical)) if scored else jnp.exp(log_rate)
    named |= {"first_unit": unit[0], "last_unit": unit[-1], "total": mean.sum()}
    named |= {f"{barrier}_{name}": jnp.ravel(value)[0] for barrier, own in given.items() for name, value in own.items()}
    return Latent(mean, concentration, given, (unit - level) / spread, named)


def selection(access: Access) -> SiteSelection | None:
    """The barrier that says who took part, if there is one."""
    return next((absence for absence in access.absences if isinstance(absence, SiteSelection)), None)


def model(design: Design, access: Access, seen: Mapping[str, Any]) -> dict[str, Any]:
    """Observe what an access releases.

    Args:
        design: of the clean data.
        access: what the analyst takes to stand between them and the system.
        seen: `cells`, and `took_part` where sites were selected.

    Returns:
        Scalars whose ranks are looked at, the log likelihood last.
    """
    drawn = latent(design, access)
    law = access.likelihood(design.counts(drawn.mean, drawn.concentration), design.grid, drawn.given)
    numpyro.sample("cells", law, obs=seen["cells"])
    log_likelihood = law.log_prob(seen["cells"]).sum()
    chosen = selection(access)
    if chosen is not None:
        taking = chosen.takes_part(design.grid, drawn.given["site_selection"], drawn.effect)
        numpyro.sample("took_part", taking, obs=seen["took_part"])
        log_likelihood += taking.log_prob(seen["took_part"]).sum()
    return drawn.named | {"log_likelihood": log_likelihood}
