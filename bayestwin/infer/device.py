"""The device that the draws are made on, set up once before JAX starts."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def prepare_device(chains: int) -> None:
    """Double precision, one host device a chain so that chains run side by side, compiled code kept on disk.

    Compiled programs are cached in `BAYESTWIN_CACHE` (default: the user's cache folder); it is safe to delete.
    Where JAX is already running with fewer devices, chains run in lockstep on the ones there are.

    Args:
        chains: chains to run at once.
    """
    import jax

    jax.config.update("jax_enable_x64", True)
    try:
        jax.config.update("jax_num_cpu_devices", chains)
    except RuntimeError:
        pass  # JAX has started already: its devices are what there is.
    cache = Path(os.environ.get("BAYESTWIN_CACHE") or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "bayestwin")
    jax.config.update("jax_compilation_cache_dir", str(cache.expanduser()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 1.0)


def over_draws(one: Callable, size: int) -> Any:
    """A program that does one thing to every draw, a share of the draws on each device.

    Args:
        one: of a draw and of what all draws have in common.
        size: number of draws.

    Returns:
        A jitted function of the draws, leading axis draw, and of what they have in common.
    """
    import jax
    from jax.sharding import Mesh, PartitionSpec

    devices = jax.local_devices()
    used = next(n for n in range(len(devices), 0, -1) if size % n == 0)

    def share(draws: Any, common: Any) -> Any:
        return jax.lax.map(lambda draw: one(draw, common), draws)

    mesh = Mesh(np.array(devices[:used]), ("draw",))
    return jax.jit(
        jax.shard_map(share, mesh=mesh, in_specs=(PartitionSpec("draw"), PartitionSpec()), out_specs=PartitionSpec("draw"), check_vma=False)
    )
