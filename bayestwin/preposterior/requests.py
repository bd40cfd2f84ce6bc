"""Data requests: barriers lifted in whole or in part, at a cost, after a time. Read from a TOML file of `[[request]]` tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from math import log
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from scipy.stats import lognorm, norm

from bayestwin.barriers import Access
from bayestwin.barriers.barrier import AbstractBarrier
from bayestwin.barriers.grid import AccessError
from bayestwin.errors import Fault, RequestError
from bayestwin.preposterior.current import Site
from bayestwin.preposterior.lifting import barrier_names, fitting
from bayestwin.toml import parsed, read_toml


class Arrival(BaseModel):
    """When what is asked for is there: log-normal days from now.

    Attributes:
        median_days: as likely earlier as later.
        p90_days: nine in ten are there by then.

    Example:
        >>> round(Arrival(median_days=60, p90_days=150).by(60.0), 2)
        0.5
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    median_days: float = Field(gt=0)
    p90_days: float

    @model_validator(mode="after")
    def _in_order(self) -> Arrival:
        if self.p90_days <= self.median_days:
            raise ValueError(f"p90_days is {self.p90_days:g}; it must be above median_days, {self.median_days:g}")
        return self

    def by(self, days: float) -> float:
        """Probability that it is there after some days."""
        sigma = log(self.p90_days / self.median_days) / norm.ppf(0.9)
        return float(lognorm(sigma, scale=self.median_days).cdf(days))


class Lift(BaseModel):
    """One barrier lifted, or made weaker.

    Attributes:
        barrier: its name, or its kind where it has none.
        streams: on which streams; all that have it if absent.
        set: fields of the barrier that get other values; lifted in whole if absent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    barrier: str
    streams: tuple[str, ...] = ()
    set: dict[str, Any] = Field(default_factory=dict)

    def applies(self, site: str, barrier: AbstractBarrier) -> bool:
        """Whether it acts on a barrier of a stream."""
        return barrier.title == self.barrier and (not self.streams or site in self.streams)

    def of(self, barrier: AbstractBarrier) -> list[AbstractBarrier]:
        """What is left of the barrier."""
        return [parsed(type(barrier), barrier.model_dump() | self.set)] if self.set else []


class Request(BaseModel):
    """Something that can be asked for.

    Attributes:
        name: what to call it.
        lift: barriers, lifted together.
        cost: of any unit, or None.
        arrives: when it is there; at once if absent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    lift: tuple[Lift, ...] = Field(min_length=1)
    cost: float | None = Field(default=None, gt=0)
    arrives: Arrival | None = None

    def acts_on(self, sites: Mapping[str, Site]) -> set[tuple[str, str]]:
        """Stream and barrier of everything that it makes weaker without lifting it in whole."""
        return {
            (name, barrier.title)
            for name, site in sites.items()
            for barrier in site.access.barriers
            for lift in self.lift
            if lift.set and lift.applies(name, barrier)
        }

    def there_by(self, days: float) -> float:
        """Probability that it is there after some days."""
        return 1.0 if self.arrives is None else self.arrives.by(days)


def granted(sites: Mapping[str, Site], requests: Sequence[Request]) -> dict[str, Access]:
    """What sites come through once some requests are granted; sites that none acts on are left out.

    Args:
        sites: as they are.
        requests: granted together.
    """
    lifts = [lift for request in requests for lift in request.lift]
    found = {}
    for name, site in sites.items():
        left: list[AbstractBarrier] = list(site.access.barriers)
        for lift in lifts:
            left = [part for barrier in left for part in (lift.of(barrier) if lift.applies(name, barrier) else [barrier])]
        if tuple(left) != site.access.barriers:
            found[name] = Access.through(left)
    return found


def apart(sites: Mapping[str, Site], requests: Sequence[Request]) -> bool:
    """Whether requests can be granted together: no two make the same barrier of a stream weaker, each in its own way."""
    each = [request.acts_on(sites) for request in requests]
    return len(set().union(*each)) == sum(map(len, each))


def every_access(sites: Mapping[str, Site], requests: Sequence[Request]) -> list[dict[str, Access]]:
    """Every access that a site can be given by requests that are granted together, site by site.

    A site has far fewer of them than there are sets of requests.

    Args:
        sites: as they are.
        requests: granted in any number.
    """
    found = []
    for name, site in sites.items():
        alone = {name: site}
        acting = [request for request in requests if granted(alone, [request])]
        ways: list[list[Request]] = [[]]
        known: list[tuple[Access, set]] = []
        for request in acting:
            for way in list(ways):
                if not apart(alone, longer := [*way, request]):
                    continue
                access = granted(alone, longer)[name]
                weaker = set().union(*(one.acts_on(alone) for one in longer))
                if (access, weaker) not in known:
                    known.append((access, weaker))
                    ways.append(longer)
        found += [{name: access} for access, _ in known]
    return found


def one_each(sites: Mapping[str, Site]) -> list[Request]:
    """The requests of a study without a file of its own: each barrier lifted in whole."""
    return [Request(name=f"lift {name.replace('_', ' ')}", lift=(Lift(barrier=name),)) for name in barrier_names(sites)]


def read_requests(path: str | Path, sites: Mapping[str, Site]) -> list[Request]:
    """Read a file of requests.

    Args:
        path: TOML file.
        sites: the study's streams as they are.

    Raises:
        RequestError: with every fault: the file is missing or is not TOML, a key or value is not of the schema, a barrier or stream is not the
            study's, a barrier cannot have the value that is asked for.
    """
    path = Path(path)
    content = read_toml(path, RequestError)
    tables = content.get("request", [])
    faults = [Fault(str(path), "unknown key", key, expected="[[request]] tables") for key in content.keys() - {"request"}]
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        faults.append(
            Fault(str(path), "asks for nothing", "request", expected="[[request]] tables", remedy="add one, or leave the file out")
        )
        raise RequestError(faults)
    requests = []
    for i, table in enumerate(tables):
        try:
            requests.append(parsed(Request, table))
            faults += _misfits(str(path), f"request.{i}", requests[-1], sites)
        except ValidationError as error:
            faults += [_fault(str(path), f"request.{i}", dict(detail)) for detail in error.errors()]
    names = [request.name for request in requests]
    faults += [
        Fault(str(path), "two requests have one name", "request", value=name) for name in dict.fromkeys(names) if names.count(name) > 1
    ]
    if faults:
        raise RequestError(faults)
    return requests


def _misfits(file: str, where: str, request: Request, sites: Mapping[str, Site]) -> Iterable[Fault]:
    """What the study does not have, or its barriers cannot be."""
    known = barrier_names(sites)
    bad = False
    for i, lift in enumerate(request.lift):
        place = f"{where}.lift.{i}"
        if lift.barrier not in known:
            bad = True
            yield _unknown(file, "unknown barrier", f"{place}.barrier", lift.barrier, known)
            continue
        of_barrier = [name for name, site in sites.items() if any(barrier.title == lift.barrier for barrier in site.access.barriers)]
        for stream in lift.streams:
            if stream not in of_barrier:
                bad = True
                yield _unknown(file, f"no stream that comes through {lift.barrier!r}", f"{place}.streams", stream, of_barrier)
    if bad:
        return
    try:
        fitting(sites, granted(sites, [request]))
    except ValidationError as error:
        yield from (_fault(file, f"{where}.lift.set", dict(detail)) for detail in error.errors())
    except AccessError as error:
        yield Fault(file, f"what would be left cannot be: {error}", where)


def _fault(file: str, where: str, detail: Mapping[str, Any]) -> Fault:
    value = None if detail["type"] == "missing" else str(detail.get("input"))[:80]
    return Fault(file, str(detail["msg"]), ".".join([where, *map(str, detail["loc"])]), value=value, remedy="see docs/argue-for-access.md")


def _unknown(file: str, problem: str, column: str, value: str, known: Sequence[str]) -> Fault:
    near = get_close_matches(value, known, n=1)
    remedy = f"did you mean {near[0]!r}?" if near else None
    return Fault(file, problem, column, value=value, expected=f"one of {list(known)}", remedy=remedy)
