"""Which barriers may follow one another: what no cells could mend is refused when an access is built."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from bayestwin.barriers.aggregate import Aggregate
from bayestwin.barriers.band import Band
from bayestwin.barriers.barrier import AbstractBarrier, AbstractChannel, AbstractRelease, Coarsening, Randomised, need
from bayestwin.barriers.date_shift import DateShift
from bayestwin.barriers.delay import Delay
from bayestwin.barriers.margin import Margin
from bayestwin.barriers.suppress import Suppress
from bayestwin.barriers.unknown import Unknown
from bayestwin.periods import RESOLUTIONS


def check_names(barriers: tuple[AbstractBarrier, ...]) -> None:
    """Refuse two barriers of one name: neither could be lifted by it."""
    titles = [barrier.title for barrier in barriers]
    twice = sorted({title for title in titles if titles.count(title) > 1})
    need(not twice, f"barriers of one name: {twice}; give each a `name`")


def check_order(barriers: Iterable[AbstractBarrier]) -> None:
    """Refuse channels that would act on numbers which are released already.

    Bands are bands of single records, and the category that hides some of them acts on the records too.
    """
    released: AbstractBarrier | None = None
    for barrier in barriers:
        if isinstance(barrier, AbstractChannel) and not isinstance(barrier, Unknown) and released is not None:
            need(
                False,
                f"{released.title} → {barrier.title}: {barrier.title} acts on counts, and {released.title} has released them as numbers; "
                "state first what acts on counts, or hand the released numbers over as an extract of their own",
            )
        if isinstance(barrier, AbstractRelease) and not isinstance(barrier, Band):
            released = barrier


def check_channels(channels: tuple[AbstractChannel, ...]) -> None:
    """Refuse channels whose dims cannot meet, whatever cells they are laid over."""
    time = "day"
    for i, channel in enumerate(channels):
        flow = " → ".join(before.title for before in channels[: i + 1])
        if isinstance(channel, DateShift):
            need(time == "day", f"{flow}: {channel.title} acts on dims with 'day', what comes to it has {time!r}")
        if isinstance(channel, Aggregate) and channel.period:
            coarser = RESOLUTIONS.index(time) < RESOLUTIONS.index(channel.period)
            need(coarser, f"{flow}: {channel.title} makes {channel.period!r} of a finer dim, what comes to it has {time!r}")
            time = channel.period
        if isinstance(channel, Delay):
            earlier = [before.title for before in channels[:i] if isinstance(before, Delay)]
            need(not earlier, f"{flow}: {channel.title} adds the dim 'delay', what comes to it has one from {earlier}")
        if isinstance(channel, Margin):
            after = [later.title for later in channels[i + 1 :]]
            need(not after, f"{flow} → {after}: parts and total go through {after} each by itself; state the margin as the last channel")
        if isinstance(channel, Aggregate | Margin):
            late = [before.title for before in channels[:i] if isinstance(before, Delay) and before.as_of and before.released == "triangle"]
            remedy = "state the sums first, or a delay whose `released` is so_far"
            need(not late, f"{flow}: {channel.title} adds up cells, what comes to it lacks those that {late} has not reported; {remedy}")


def check_releases(releases: tuple[AbstractRelease, ...], channels: tuple[AbstractChannel, ...]) -> None:
    """Refuse releases in an order that cannot be, or cannot be conditioned on."""
    rules = [release for release in releases if isinstance(release, Suppress)]
    need(len(rules) < 2, "two rules hide small counts; state the larger threshold once")
    bound = bool(channels) and isinstance(channels[-1], Margin)
    for rule in rules:
        later = releases[releases.index(rule) + 1 :]
        noisy = next((release.title for release in later if isinstance(release, Randomised)), None)
        need(noisy is None, f"{rule.title} → {noisy}: a symbol cannot be noised; state the noise first")
        _check_zero(rule, later)
        if rule.complementary:
            alone = releases == (rule,) and bound
            remedy = "state a margin as the last channel, and no other release"
            need(alone, f"{rule.title}: complementary suppression protects parts beside their total; {remedy}")
    noised = [release.title for release in releases if bound and isinstance(release, Randomised)]
    need(
        not noised,
        f"margin → {noised}: noised parts and their noised total would count twice what they share; leave the margin and the totals out",
    )
    open_ended = [release.title for release in releases if isinstance(release, Coarsening) and release.widths.wide]
    need(not (bound and open_ended), f"margin → {open_ended}: parts without an upper end cannot be bound by their total")


def _check_zero(rule: Suppress, later: tuple[AbstractRelease, ...]) -> None:
    """A zero that is shown must not be published like the smallest count that is."""
    if rule.zero == "hidden" or rule.hidden is None:
        return
    zero, smallest = np.zeros(1), np.array([float(rule.below)])
    for release in later:
        if isinstance(release, Coarsening):
            zero, smallest = release.publish(zero), release.publish(smallest)
    flow = " → ".join([rule.title, *(release.title for release in later)])
    both = f"{flow}: 0 and {rule.below} would both be published as {zero[0]:g}, so that a shown zero could be either"
    need(bool(zero[0] < smallest[0]), both)
