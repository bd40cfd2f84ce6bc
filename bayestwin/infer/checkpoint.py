"""Chains on disk while they are sampled, so that what was interrupted goes on where it was.

A folder holds `draws-0000.npz` and so on, a chunk of kept draws each, written once, and `state.npz`, replaced in one step after them: all
else that the sampler needs to go on. Arrays only; nothing is pickled.
"""

from __future__ import annotations

import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import keystr, tree_leaves_with_path, tree_map_with_path

from bayestwin.errors import Fault, RunError
from bayestwin.infer.whiten import Whitening
from bayestwin.scratch import replaced

STATE = "state.npz"
EVERY = 5.0  # seconds from one to the next at least
SHARE = 0.01  # of the time that may be spent on them


class Reached(NamedTuple):
    """How far chains are.

    Attributes:
        done: iterations of each, warm-up included.
        states: of the sampler, one a chain.
        found: whitening, or None.
        window: draws and gradients of all chains, a pair a chunk, since the whitening was last looked after.
        kept: draws and statistics of all chains, a pair a chunk.
    """

    done: int
    states: list[Any]
    found: Whitening | None
    window: tuple[tuple[np.ndarray, np.ndarray], ...] = ()
    kept: tuple[tuple[np.ndarray, dict[str, np.ndarray]], ...] = ()


@dataclass
class Checkpoint:
    """Where chains are saved.

    Attributes:
        folder: is there.
        chunks: of kept draws that are saved.
        due: when to save again, by the clock of `time.monotonic`.
        resumed: iterations that were done when the chains were loaded; None if they began here.
    """

    folder: Path
    chunks: int = 0
    due: float = 0.0
    resumed: int | None = None

    def now_and_then(self, reached: Reached) -> None:
        """Save if it is time to: seldom enough to cost nothing."""
        began = time.monotonic()
        if began >= self.due:
            self.save(reached)
            ended = time.monotonic()
            self.due = ended + max(EVERY, (ended - began) / SHARE)

    def save(self, reached: Reached) -> None:
        """Save what is new, then the state that counts on it.

        Raises:
            WriteError: if the disk is full; what was saved before holds.
        """
        for number in range(self.chunks, len(reached.kept)):
            z, stats = reached.kept[number]
            _write(self._draws(number), {"z": z} | {f"stats.{name}": value for name, value in stats.items()})
        self.chunks = len(reached.kept)
        window = {"window.z": [z for z, _ in reached.window], "window.gradient": [gradient for _, gradient in reached.window]}
        _write(self.folder / STATE, _named(_to_go_on(reached)) | window | {"done": reached.done, "chunks": self.chunks})

    def load(self, first: Reached) -> Reached | None:
        """What was saved; None if nothing was.

        Args:
            first: of the same sampler on the same posterior; its values do not matter.

        Raises:
            RunError: if it is damaged.
        """
        if not (self.folder / STATE).is_file():
            return None
        saved = _read(self.folder / STATE)
        try:
            states, found = tree_map_with_path(lambda path, leaf: _like(leaf, saved[_name(path)]), _to_go_on(first))
            self.resumed, self.chunks = int(saved["done"]), int(saved["chunks"])
            window = tuple(zip(saved["window.z"], saved["window.gradient"], strict=True))
        except (KeyError, ValueError) as error:
            raise _damaged(self.folder / STATE, error) from error
        return Reached(self.resumed, states, found, window, tuple(map(self._kept, range(self.chunks))))

    def _kept(self, number: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        saved = _read(self._draws(number))
        return saved.pop("z"), {name.removeprefix("stats."): value for name, value in saved.items()}

    def _draws(self, number: int) -> Path:
        return self.folder / f"draws-{number:04}.npz"


def _to_go_on(reached: Reached) -> tuple:
    return reached.states, reached.found


def _name(path: tuple) -> str:
    return keystr(path, simple=True, separator=".")


def _named(tree: Any) -> dict[str, Any]:
    return {_name(path): np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf) for path, leaf in tree_leaves_with_path(tree)}


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)  # an array of a type that NumPy does not know


def _like(leaf: Any, saved: np.ndarray) -> Any:
    value = jnp.asarray(saved)
    value = jax.random.wrap_key_data(value, impl=jax.random.key_impl(leaf)) if _is_key(leaf) else value
    if (value.shape, value.dtype) != (leaf.shape, leaf.dtype):
        raise ValueError(f"{value.dtype}{value.shape} in place of {leaf.dtype}{leaf.shape}")
    return value


def _write(file: Path, arrays: Mapping[str, Any]) -> None:
    with replaced(file) as scratch:
        np.savez(scratch, **arrays)


def _read(file: Path) -> dict[str, np.ndarray]:
    try:
        with open(file, "rb") as stream, np.load(stream, allow_pickle=False) as saved:
            return dict(saved)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise _damaged(file, error) from error


def _damaged(file: Path, error: Exception) -> RunError:
    return RunError([Fault(str(file), f"is damaged ({error})", expected="a file that bayestwin wrote", remedy="calibrate from the start")])
