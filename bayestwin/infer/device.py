"""The device that the draws are made on, set up once before JAX starts, and programs that go over draws."""

import os
import platform
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

CACHE_BYTES = 2**29  # a study's programs take some 4 MB; what was used longest ago goes first


def prepare_device() -> None:
    """Double precision, compiled code kept on disk.

    Compiled programs are cached in `BAYESTWIN_CACHE` (default: the user's cache folder), half a gigabyte at most; it is safe to delete.
    """
    import jax

    jax.config.update("jax_enable_x64", True)
    cache = Path(os.environ.get("BAYESTWIN_CACHE") or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "bayestwin")
    jax.config.update("jax_compilation_cache_dir", str(cache.expanduser()))
    jax.config.update("jax_compilation_cache_max_size", CACHE_BYTES)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 1.0)


def described() -> str:
    """The device that draws are made on, in words. Code is compiled for its processor: on another one the last digits differ."""
    import jax

    device = jax.devices()[0]
    words = (line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name"))
    return (
        f"{device.platform}, {os.cpu_count()} cores, {device.device_kind if device.platform != 'cpu' else next(words, platform.machine())}"
    )


def _cpuinfo() -> list[str]:
    file = Path("/proc/cpuinfo")
    return file.read_text(encoding="utf-8").splitlines() if file.is_file() else []


def over_draws(one: Callable, draws: Any, common: Any) -> Callable[[], Callable]:
    """Does one thing to every draw, a thread for each core.

    Args:
        one: of a draw and of what all draws have in common.
        draws: arrays, or their shapes; leading axis draw.
        common: likewise, of what all draws have in common.

    Returns:
        A function that compiles the program, which is traced by now, in a thread of its own if need be. It returns the function of draws and
        of what they have in common that gives NumPy arrays, leading axis draw.
    """
    import jax

    size = len(jax.tree.leaves(draws)[0])
    shares = next(n for n in range(os.cpu_count() or 1, 0, -1) if size % n == 0)
    each = size // shares

    def share(draws: Any, common: Any) -> Any:
        return jax.lax.map(lambda draw: one(draw, common), draws)

    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((each, *leaf.shape[1:]), leaf.dtype), draws)
    traced = jax.jit(share).lower(shapes, common)

    def compiled() -> Callable:
        program = traced.compile()

        def run(draws: Any, common: Any) -> Any:
            def part(first: int) -> Any:
                return jax.device_get(program(jax.tree.map(lambda leaf: leaf[first : first + each], draws), common))

            with ThreadPoolExecutor(shares) as pool:
                parts = list(pool.map(part, range(0, size, each)))
            return jax.tree.map(lambda *leaf: np.concatenate(leaf), *parts)

        return run

    return compiled
