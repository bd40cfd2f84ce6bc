"""Campaigns: pieces of work that do not wait for one another, each kept on disk as soon as it is done.

Without a scheduler they run here, one after the other, since each uses every core already. With one they run on its workers (Dask), which
must see the study's folder under the same path and have the same packages. A piece that a dead worker was at is done by another.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bayestwin.errors import Fault, RunError
from bayestwin.runs import write_json

Rows = list[dict[str, Any]]
LOCAL = "local"


@dataclass(frozen=True)
class Piece:
    """One piece of a campaign.

    Attributes:
        name: what is done, for people; no two pieces share it.
        work: told the sampler's progress, gives rows of plain values. It carries its own seed, so that it gives the same rows wherever it runs.
    """

    name: str
    work: Callable[[Callable[[Any], None]], Rows]


def campaign(
    pieces: Sequence[Piece],
    kept: Path,
    key: str,
    scheduler: str | None = None,
    say: Callable[[str], None] = lambda stage: None,
    watch: Callable[[Any], None] = lambda progress: None,
) -> list[Rows]:
    """Do every piece that is not done yet.

    Args:
        pieces: what to do.
        kept: folder of what is done; a later campaign with the same key finds it there.
        key: of all that the rows depend on beside the pieces' names.
        scheduler: address of a Dask scheduler, or "local" for worker processes of this machine; here, one by one, if None.
        say: told what is being done.
        watch: told the sampler's progress, where pieces run here.

    Returns:
        The rows of each piece, in their order.

    Raises:
        RunError: if the scheduler cannot be reached, or Dask is not installed.
    """
    files = [kept / f"{hashlib.sha256(f'{key} {piece.name}'.encode()).hexdigest()[:16]}.json" for piece in pieces]
    left = [i for i, file in enumerate(files) if not file.is_file()]
    kept.mkdir(exist_ok=True)
    done = _here(pieces, left, say, watch) if scheduler is None else _on_workers(pieces, left, scheduler, say)
    for i, rows in done:
        write_json(files[i], {"piece": pieces[i].name, "rows": rows})
    return [json.loads(file.read_text(encoding="utf-8"))["rows"] for file in files]


def _here(pieces: Sequence[Piece], left: list[int], say: Callable[[str], None], watch: Callable[[Any], None]) -> Iterator[tuple[int, Rows]]:
    for count, i in enumerate(left, 1):
        say(f"{pieces[i].name} ({count} of {len(left)})")
        yield i, pieces[i].work(watch)


def _on_workers(pieces: Sequence[Piece], left: list[int], scheduler: str, say: Callable[[str], None]) -> Iterator[tuple[int, Rows]]:
    with _client(scheduler) as client:
        from distributed import as_completed

        say(f"{len(left)} pieces on {len(client.scheduler_info()['workers'])} workers")
        futures = {client.submit(_alone, pieces[i], key=f"{pieces[i].name}-{i}", pure=False): i for i in left}
        for count, future in enumerate(as_completed(futures), 1):
            say(f"{pieces[futures[future]].name} is done ({count} of {len(left)})")
            yield futures[future], future.result()


def _alone(piece: Piece) -> Rows:
    """A piece on a worker."""
    from bayestwin.infer.device import prepare_device

    prepare_device()
    return piece.work(lambda progress: None)


@contextmanager
def _client(scheduler: str) -> Iterator[Any]:
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        remedy = "install it (`pip install 'bayestwin[cluster]'`), or leave --scheduler out"
        raise RunError([Fault("--scheduler", "Dask is not installed", value=scheduler, remedy=remedy)]) from error
    if scheduler == LOCAL:
        with LocalCluster(threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
            yield client
        return
    try:
        client = Client(scheduler, timeout="10s")
    except (OSError, ValueError) as error:
        remedy = "start one (`dask scheduler`) and its workers, and give its address"
        expected = "an address such as tcp://host:8786, or local"
        raise RunError([Fault("--scheduler", f"cannot be reached ({error})", value=scheduler, expected=expected, remedy=remedy)]) from error
    with client:
        yield client
