"""Campaigns: pieces are kept as they are done, whoever does them, and a dead worker loses nothing."""

import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bayestwin.credibility.campaign import Piece, campaign
from bayestwin.errors import RunError


def square(log: Path, i: int, watch: Any) -> list[dict[str, int]]:
    """A piece that says in a file that it was done."""
    (log / f"{i}-{os.getpid()}-{len(list(log.iterdir()))}").touch()
    return [{"i": i, "square": i * i}]


def dies_once(log: Path, i: int, watch: Any) -> list[dict[str, int]]:
    """The third piece kills its worker the first time."""
    if i == 2 and not (log / "died").exists():
        (log / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return square(log, i, watch)


def pieces(work: Any, log: Path, count: int = 6) -> list[Piece]:
    log.mkdir(exist_ok=True)
    return [Piece(f"piece {i}", partial(work, log, i)) for i in range(count)]


EXPECTED = [[{"i": i, "square": i * i}] for i in range(6)]


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    log, kept = tmp_path / "log", tmp_path / "kept"

    def stops(i: int, watch: Any) -> list[dict[str, int]]:
        if i == 3:
            raise KeyboardInterrupt
        return square(log, i, watch)

    log.mkdir()
    with pytest.raises(KeyboardInterrupt):
        campaign([Piece(f"piece {i}", partial(stops, i)) for i in range(6)], kept, "key")
    assert len(list(log.iterdir())) == 3
    said: list[str] = []
    assert campaign(pieces(square, log), kept, "key", say=said.append) == EXPECTED
    assert len(list(log.iterdir())) == 6
    assert said == ["piece 3 (1 of 3)", "piece 4 (2 of 3)", "piece 5 (3 of 3)"]
    assert campaign(pieces(square, log), kept, "key") == EXPECTED
    assert len(list(log.iterdir())) == 6


def test_another_key_is_another_campaign(tmp_path: Path) -> None:
    log, kept = tmp_path / "log", tmp_path / "kept"
    campaign(pieces(square, log, 2), kept, "one")
    campaign(pieces(square, log, 2), kept, "two")
    assert len(list(log.iterdir())) == 4


def test_two_workers_one_of_them_killed_do_every_piece(tmp_path: Path) -> None:
    from distributed import LocalCluster

    log = tmp_path / "log"
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        assert campaign(pieces(dies_once, log), tmp_path / "kept", "key", address) == EXPECTED
    assert (log / "died").exists()
    workers = {path.name.split("-")[1] for path in log.iterdir() if path.name != "died"}
    assert str(os.getpid()) not in workers
    assert campaign(pieces(square, tmp_path / "alone"), tmp_path / "other", "key") == EXPECTED  # the same without workers


def test_a_scheduler_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"--scheduler.*cannot be reached"):
        campaign(pieces(square, tmp_path / "log"), tmp_path / "kept", "key", "tcp://127.0.0.1:9")
