"""Access: an ordered composition of barriers that degrades clean data, gives the likelihood of degraded ones, and can be lifted.

Channels act first, in their order, on the expected counts; then releases, in theirs, on each number; absences mask what is
left. `Access()` is perfect access. An observation is a pair of ends on a last axis: n..n is a known count, 1..7 a hidden
small one, -∞..∞ a cell of which nothing is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bayestwin.barriers.barrier import AbstractAbsence, AbstractBarrier, AbstractChannel, AbstractRelease, Coarsening, Randomised, need
from bayestwin.barriers.date_shift import DateShift
from bayestwin.barriers.delay import Delay
from bayestwin.barriers.grid import AccessError, Grid
from bayestwin.barriers.margin import Margin
from bayestwin.barriers.order import check_channels, check_names, check_order, check_releases
from bayestwin.barriers.publication import Objection, objections, publish, read, split
from bayestwin.barriers.suppress import Suppress
from bayestwin.laws.widths import Widths

if TYPE_CHECKING:
    from bayestwin.barriers.released import Released
    from bayestwin.laws.expected import Counts, Measure

Given = Mapping[str, Mapping[str, Any]]


class Degraded(NamedTuple):
    """Data as they come through an access.

    Attributes:
        cells: observations, (cells..., 2): lower and upper end of what is known.
        values: published numbers, zero where hidden or absent.
        hidden: cells published as a symbol.
        present: cells that are released at all.
        grid: their labels.
    """

    cells: np.ndarray
    values: np.ndarray
    hidden: np.ndarray
    present: np.ndarray
    grid: Grid


@dataclass(frozen=True)
class Access:
    """What stands between the system and the analyst, in the order in which it acts.

    Attributes:
        channels: act on expected counts.
        releases: act on each published number.
        absences: cells that are not released.

    Raises:
        AccessError: when built from barriers that do not fit one another.

    Example:
        >>> from bayestwin.barriers import Aggregate, Round, Suppress
        >>> access = Access(channels=(Aggregate(period="week"),), releases=(Suppress(below=8), Round(base=5)))
        >>> days = Grid({"day": np.arange("2024-01-01", "2024-01-15", dtype="datetime64[D]")})
        >>> access.degrade(0, np.array([0, 1, 0, 2, 0, 0, 0] + [3] * 7), days).cells.tolist()
        [[1.0, 7.0], [18.0, 22.0]]
    """

    channels: tuple[AbstractChannel, ...] = ()
    releases: tuple[AbstractRelease, ...] = ()
    absences: tuple[AbstractAbsence, ...] = ()

    def __post_init__(self) -> None:
        check_names(self.barriers)
        check_channels(self.channels)
        check_releases(self.releases, self.channels)

    @classmethod
    def through(cls, barriers: Iterable[AbstractBarrier]) -> Access:
        """The access that a list of barriers makes, in the order in which they acted.

        Raises:
            AccessError: if they do not fit, or numbers are released before a channel acts on them.
        """
        barriers = tuple(barriers)
        check_order(barriers)
        return cls(
            tuple(barrier for barrier in barriers if isinstance(barrier, AbstractChannel)),
            tuple(barrier for barrier in barriers if isinstance(barrier, AbstractRelease)),
            tuple(barrier for barrier in barriers if isinstance(barrier, AbstractAbsence)),
        )

    @property
    def barriers(self) -> tuple[AbstractBarrier, ...]:
        """All barriers, in the order in which they act."""
        return (*self.channels, *self.releases, *self.absences)

    def lift(self, name: str) -> Access:
        """The same access without one barrier.

        Raises:
            AccessError: if there is no barrier of that name.
        """
        titles = [barrier.title for barrier in self.barriers]
        need(name in titles, f"there is no barrier {name!r} to lift; there are {titles}")
        return Access(
            tuple(channel for channel in self.channels if channel.title != name),
            tuple(release for release in self.releases if release.title != name),
            tuple(absence for absence in self.absences if absence.title != name),
        )

    def describe(self) -> list[dict[str, str]]:
        """Name, kind, ignorability label and sentence of each barrier."""
        return [
            {"name": b.title, "kind": type(b).model_fields["kind"].default, "label": b.label.value, "sentence": b.sentence}
            for b in self.barriers
        ]

    def out(self, grid: Grid) -> Grid:
        """The cells that these come out as.

        Raises:
            AccessError: if a barrier cannot act on what it gets, with the dims on both sides.
        """
        return self._grids(grid)[-1]

    def _grids(self, grid: Grid) -> list[Grid]:
        grids = [grid]
        for channel in self.channels:
            try:
                grids.append(channel.out(grids[-1]))
            except AccessError as error:
                before = (
                    f"what comes to {channel.title!r} has the dims {list(grids[-1].dims)} ({' → '.join(str(list(g.dims)) for g in grids)})"
                )
                raise AccessError(f"{error}; {before}") from error
        return grids

    def present(self, grid: Grid) -> np.ndarray:
        """Which of the cells that come out are released, from the cells that come in."""
        out = self.out(grid)
        masks = [absence.present(out) for absence in self.absences]
        masks += [channel.present(out) for channel in self.channels if isinstance(channel, Delay)]
        return np.logical_and.reduce([np.ones(out.shape, bool), *masks])

    def unknown(self, grid: Grid) -> list[tuple[str, str]]:
        """Barrier and name of every parameter that is not known."""
        cells = [*self._grids(grid)[:-1], *[self.out(grid)] * (len(self.releases) + len(self.absences))]
        return [(barrier.title, name) for barrier, labels in zip(self.barriers, cells, strict=True) for name in barrier.priors(labels)]

    def unknowns(self, grid: Grid, prefix: str = "", shared: dict[str, Any] | None = None) -> dict[str, dict[str, Any]]:
        """Sample the barriers' unknown parameters, inside a NumPyro model.

        Args:
            grid: the cells that come in.
            prefix: put before the names of the sites, such as the stream.
            shared: factors that several streams have in common, by name; new ones are added.

        Returns:
            Parameters by name, by barrier, for `expect`, `likelihood` and `degrade`.
        """
        import numpyro

        drawn: dict[str, dict[str, Any]] = {}
        common = {} if shared is None else shared
        cells = [*self._grids(grid)[:-1], *[self.out(grid)] * (len(self.releases) + len(self.absences))]
        for barrier, labels in zip(self.barriers, cells, strict=True):
            own = drawn[barrier.title] = {}
            for name, law in barrier.priors(labels).items():
                if not name.startswith("~"):
                    own[name] = numpyro.sample(f"{prefix}{barrier.title}_{name}", law)
                    continue
                if name[1:] not in common:
                    common[name[1:]] = numpyro.sample(name[1:], law)
                own[name] = common[name[1:]]
        return drawn

    def expect(self, counts: Any, grid: Grid, given: Given | None = None) -> Any:
        """The law of the cells that come out of the channels, each by itself.

        Args:
            counts: law of the cells that come in: `Counts`, or `Measure` where no channel counts.
            grid: those cells.
            given: the barriers' parameters by name, by barrier.
        """
        for channel, cells in zip(self.channels, self._grids(grid), strict=False):
            counts = channel.expect(counts, cells, _own(channel, given))
        return counts

    def likelihood(self, counts: Counts | Measure, grid: Grid, given: Given | None = None) -> Released:
        """The law of observations, for `numpyro.sample(name, access.likelihood(...), obs=cells)`.

        Args:
            counts: law of the cells that come in.
            grid: those cells.
            given: the barriers' parameters by name, by barrier.

        Returns:
            A NumPyro distribution over (cells..., 2); cells of which nothing is known have log probability zero.
        """
        from bayestwin.barriers.released import Coarsened, Noised, Released, Source, add_widths

        inner, outer = split(self.releases)
        joint = None if inner else self._joint(counts, grid, given, outer)
        shape = self.out(grid).shape
        law: Any = self.expect(counts, grid, given) if joint is None else joint[0]
        for release in inner:
            if isinstance(release, Coarsening):
                law = Coarsened(law, release)
            elif isinstance(release, Randomised):
                law = Noised(law, release)
        source = Source(self, counts, grid, given or {})
        draw = partial(self._draw, grid=grid, law=type(counts))
        widths = add_widths([release.widths for release in outer])
        return Released(law, shape, widths, source, draw, 0 if joint is None else joint[1])

    def _joint(self, counts: Any, grid: Grid, given: Given | None, outer: tuple[Coarsening, ...]) -> tuple[Any, int] | None:
        """The law of cells that depend on one another, and over how many of the last axes; None where each stands for itself."""
        from bayestwin.laws.expected import Counts

        if not self.channels or not isinstance(counts, Counts):
            return None
        last, cells = self.channels[-1], self._grids(grid)[-2]
        before = Access(channels=self.channels[:-1])
        exact = all(release.widths == Widths() for release in outer)
        if isinstance(last, Delay) and not exact:
            return None
        law = last.joint(before.expect(counts, grid, given), cells, _own(last, given))
        protects = next((r for r in outer if isinstance(r, Suppress) and r.complementary), None)
        if isinstance(last, Margin) and protects is not None:
            law = last.protected(before.expect(counts, grid, given), cells, 1 if protects.zero == "shown" else 0, protects.below)
        if law is None:
            return None
        return law, len(cells.dims) if isinstance(last, DateShift) else 1

    def _draw(self, rng: np.random.Generator, *, grid: Grid, law: Any, given: Given, **chance: np.ndarray) -> np.ndarray:
        """Observations of counts drawn from their law."""
        given = {} if given is None else given
        if any(barrier.title not in given for barrier in self.barriers):
            given = self._drawn(rng, grid) | dict(given)
        return self.publish(rng, self._through(rng, law(**chance).draw(rng, grid.shape), grid, given), grid).cells

    def degrade(self, key: Any, clean: np.ndarray, grid: Grid, given: Given | None = None) -> Degraded:
        """Clean data as they come through this access.

        Args:
            key: JAX key, seed or NumPy generator; noise that protects privacy is drawn from a cryptographic source all the same.
            clean: counts (whole numbers) or measurements on the grid.
            grid: their cells.
            given: the barriers' parameters; drawn from their priors where absent.

        Raises:
            AccessError: if the barriers do not fit the cells.
        """
        from bayestwin.barriers.released import generator

        rng = generator(key)
        clean = np.asarray(clean)
        need(clean.shape == grid.shape, f"the data have the shape {clean.shape}, their cells {grid.shape}")
        return self.publish(rng, self._through(rng, clean, grid, self._drawn(rng, grid) | dict(given or {})), grid)

    def _through(self, rng: np.random.Generator, clean: np.ndarray, grid: Grid, given: Given) -> np.ndarray:
        """What comes out of the channels."""
        for channel, cells in zip(self.channels, self._grids(grid), strict=False):
            clean = channel.draw(rng, clean, cells, _own(channel, given))
        return clean

    def _drawn(self, rng: np.random.Generator, grid: Grid) -> dict[str, Any]:
        """The barriers' unknown parameters, from their priors."""
        import jax
        from numpyro.handlers import seed

        with seed(rng_seed=jax.random.key(int(rng.integers(2**31)))):
            return jax.tree.map(np.asarray, self.unknowns(grid))

    def publish(self, key: Any, counts: np.ndarray, grid: Grid) -> Degraded:
        """Counts that came out of the channels, as numbers that are released.

        Args:
            key: as for `degrade`.
            counts: on the cells that come out.
            grid: the cells that came in.
        """
        from bayestwin.barriers.released import generator

        values, hidden = publish(self.releases, generator(key), counts)
        present = self.present(grid)
        values, hidden = np.where(hidden | ~present, 0.0, values), hidden & present
        whole = np.issubdtype(np.asarray(counts).dtype, np.integer)
        return Degraded(self.read(values, hidden, present, whole), values, hidden, present, self.out(grid))

    def read(self, values: np.ndarray, hidden: np.ndarray, present: np.ndarray, whole: bool = True) -> np.ndarray:
        """What published numbers say: the ends of all that would have been published as they are.

        Args:
            values: published numbers; any where hidden or absent.
            hidden: cells published as a symbol.
            present: cells that are released.
            whole: whether what was released are whole numbers.

        Returns:
            (cells..., 2) lower and upper ends; the lower one above the upper where no value is published like that.
        """
        low, high = read(self.releases, values, hidden, whole)
        return np.stack([np.where(present, low, -np.inf), np.where(present, high, np.inf)], axis=-1)

    def objections(self, values: np.ndarray, hidden: np.ndarray, whole: bool = True) -> list[Objection]:
        """Published values that contradict a barrier, the last barrier to object first.

        Args:
            values: published numbers.
            hidden: cells published as a symbol.
            whole: whether what was released are whole numbers.
        """
        return objections(self.releases, values, hidden, whole)


def _own(barrier: AbstractBarrier, given: Given | None) -> Mapping[str, Any]:
    """A barrier's parameters by their own names."""
    return (given or {}).get(barrier.title, {})
