"""Bread sold by shops: a model that shares no name with those of the library, with hidden cells and a stream that may be absent."""

from dataclasses import dataclass
from math import log
from typing import ClassVar, Literal

import jax.numpy as jnp
import numpy as np
import numpyro
from numpyro import distributions as dist

from bayestwin.barriers import Access, Grid
from bayestwin.cells import cells_of
from bayestwin.components.chance import gamma_poisson
from bayestwin.components.informed import Pilot
from bayestwin.laws.expected import Counts
from bayestwin.twin.priors import Prior, PriorTable
from bayestwin.twin.scenario import Change
from bayestwin.twin.twin import Definition, Equation, Quantity, Ridge

PRIORS = PriorTable(
    [
        Prior("customers", "LogNormal", (log(10.0), 1.0), "persons a week", "[E]", "customers of a shop"),
        Prior("appetite", "LogNormal", (0.0, 1.0), "loaves", "[E]", "loaves that a customer takes"),
        Prior("sd_shop", "HalfNormal", (0.3,), "log", "[E]", "spread of shops"),
    ]
)
CONCENTRATION, WEEK = 30.0, np.timedelta64(7, "D")


class Fair(Change):
    """A fair that brings customers to some shops."""

    labels: ClassVar[dict[str, str]] = {"shops": "shop"}
    kind: Literal["fair"]
    factor: float
    shops: tuple[str, ...] = ()


class Opening(Change):
    """A new shop like one that is there."""

    labels: ClassVar[dict[str, str]] = {"like": "shop"}
    kind: Literal["opening"]
    code: str
    like: str


@dataclass(frozen=True)
class Data:
    shop: np.ndarray
    name: np.ndarray
    street: np.ndarray
    street_of: np.ndarray
    weeks: np.ndarray
    access: Access
    ends: np.ndarray

    @property
    def grid(self) -> Grid:
        return Grid({"week": self.weeks, "shop": self.shop})

    @property
    def coords(self) -> dict[str, np.ndarray]:
        return {"week": self.weeks.astype("datetime64[ns]"), "shop": self.shop, "street": self.street}


@dataclass(frozen=True)
class Span:
    weeks: np.ndarray
    units: np.ndarray
    people: np.ndarray
    like: np.ndarray
    factor: np.ndarray


def prepare(study, hierarchy, observations):
    bread = observations["bread"]
    access = study.extracts[0].access(study.as_of)
    assert "cakes" not in observations
    codes = hierarchy.codes
    return Data(codes["shop"], hierarchy.names, codes["street"], hierarchy.parents["shop", "street"],
                bread.coords["week"].astype("datetime64[D]"), access, cells_of(bread, access))  # fmt: skip


def model(data, priors):
    customers, appetite, sd = (numpyro.sample(name, priors[name]) for name in PRIORS)
    level = numpyro.sample("shop_level", dist.Normal(jnp.zeros(len(data.shop)), sd))
    mean = jnp.broadcast_to(customers * appetite * jnp.exp(level), (len(data.weeks), len(data.shop)))
    numpyro.sample("bread", data.access.likelihood(Counts(mean, jnp.asarray(CONCENTRATION)), data.grid), obs=data.ends)


def groups(data, span):
    everywhere = np.zeros(len(span.units), int)
    return {"street": (data.street, data.street_of[span.like]), "town": (np.array(["all"]), everywhere)}


def future(data, weeks, scenario, place):
    new = [change for change in scenario.change if isinstance(change, Opening)]
    units = np.array([*data.shop, *(change.code for change in new)])
    like = np.array([*range(len(data.shop)), *(int(np.flatnonzero(data.shop == change.like)[0]) for change in new)])
    factor = np.ones(len(units))
    for change in scenario.change:
        if isinstance(change, Fair):
            factor[np.isin(units, change.shops) if change.shops else slice(None)] *= change.factor
    return Span(data.weeks[-1] + WEEK * np.arange(1, weeks + 1), units, np.full((weeks, len(units)), 500.0), like, factor)


def fitted(data, place):
    count = len(data.shop)
    return Span(data.weeks, data.shop, np.full((len(data.weeks), count), 500.0), np.arange(count), np.ones(count))


def per_draw(data, draws, span):
    return {"mean": (draws["customers"] * draws["appetite"])[:, None] * np.exp(draws["shop_level"])}


def draw(data, span, draw, rng, inner):
    mean = np.broadcast_to(draw["mean"][span.like] * span.factor, (len(span.weeks), len(span.units)))
    sold = gamma_poisson(rng, mean, np.full(mean.shape, CONCENTRATION), inner)
    return {"loaves": sold, "queue": 100.0 * sold / (50.0 + sold)}


def counted(data):
    low, high = np.moveaxis(data.ends, -1, 0)
    return {"loaves": (low, low == high)}


MODEL = Definition(
    priors=PRIORS,
    streams=("bread", "cakes"),
    optional=frozenset({"cakes"}),
    equations=(Equation("sales", "N ~ NB2(customers × appetite)", "loaves sold"),),
    limits=("Not for use.",),
    unit="shop",
    whole="town",
    names="shop_name",
    shown=("street",),
    quantities=(
        Quantity("queue", "points of 100", "queueing", headline=True, better="lower", mean=True),
        Quantity("loaves", "loaves a week", "loaves sold", headline=True, rated=True, better="higher"),
    ),
    dims={"shop_level": ("shop",)},
    observed={"bread": ("week", "shop", "end"), "cakes": ("week", "shop", "kind")},
    measured=("loaves",),
    categorical=("cakes",),
    prepare=prepare,
    model=model,
    pilot=lambda data: Pilot(),
    arrays=lambda data: {"bread": data.ends},
    constants=lambda data: {"shop_name": (("shop",), data.name)},
    groups=groups,
    future=future,
    fitted=fitted,
    per_draw=per_draw,
    draw=draw,
    counted=counted,
    changes=(Fair, Opening),
    ridges=(
        Ridge(
            "customers or appetite",
            {"customers": 1.0, "appetite": 1.0},
            {"customers": 1.0, "appetite": -1.0},
            "sales alone identify only customers × appetite",
        ),
        Ridge("cakes", {"sweet_tooth": 1.0}, {"customers": 1.0}, "needs a site that a withheld stream does not bring"),
    ),
)
