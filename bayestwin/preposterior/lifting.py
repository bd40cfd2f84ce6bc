"""Which barriers a study's extracts come through, and the same extracts with some of them lifted."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from bayestwin.barriers import Access
from bayestwin.barriers.grid import AccessError
from bayestwin.preposterior.current import Site


def barrier_names(sites: Mapping[str, Site]) -> list[str]:
    """Titles of all barriers, in the order in which they are met; one title is one barrier, whichever extracts it acts on."""
    return list(dict.fromkeys(barrier.title for site in sites.values() for barrier in site.access.barriers))


def lifted(sites: Mapping[str, Site], names: Collection[str]) -> dict[str, Access]:
    """The accesses of all sites without some barriers; sites that have none of them are left out.

    Args:
        sites: as they are.
        names: titles of the barriers to be lifted.
    """
    return {
        name: Access.through(barrier for barrier in site.access.barriers if barrier.title not in names)
        for name, site in sites.items()
        if any(barrier.title in names for barrier in site.access.barriers)
    }


def fitting(sites: Mapping[str, Site], accesses: Mapping[str, Access]) -> None:
    """Refuse accesses that cannot be, or whose worth cannot be told yet.

    Args:
        sites: as they are.
        accesses: what some of them would come through.

    Raises:
        AccessError: with the stream and what does not fit.
    """
    for name, access in accesses.items():
        site = sites[name]
        try:
            access.present(site.grid)
            Access(releases=access.releases)
        except AccessError as error:
            raise AccessError(f"{name}: {error}") from error
        if site.joint and access.channels != site.access.channels:
            raise AccessError(
                f"{name}: its published numbers depend on one another, and what they would tell without {site.access.channels[-1].title!r} is not known"
            )
        known = set(site.access.unknown(site.grid))
        more = set(access.unknown(site.grid)) - known
        if more:
            raise AccessError(f"{name}: {sorted(more)} would have to be estimated, which the model does not do")


def every_subset(names: list[str]) -> list[list[str]]:
    """All subsets; barrier i is in subset s where bit i of s is set."""
    return [[name for i, name in enumerate(names) if subset >> i & 1] for subset in range(2 ** len(names))]
