"""The device that the draws are made on, set up once before JAX starts."""

import os
from pathlib import Path


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
