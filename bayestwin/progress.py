"""Signs of life on stderr: the stage, draws, divergences, time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def shown() -> Iterator[tuple[Callable[[str], None], Callable[[Any], None]]]:
    """A progress display.

    Yields:
        say: to be told each stage; watch: to be told how much is `done` of which `total`, and more in `words`.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[detail]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("starting", total=None, detail="")

        def say(stage: str) -> None:
            progress.reset(task, description=stage, total=None, detail="")
            if not console.is_terminal:
                console.print(stage)

        def watch(state: Any) -> None:
            progress.update(task, completed=state.done, total=state.total, detail=state.words)

        yield say, watch
