"""Going over draws: in shares, whatever their number, in order."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bayestwin.infer import device
from bayestwin.infer.device import CACHE_BYTES, over_draws


@pytest.mark.parametrize("cores", [1, 2, 3, 8])
def test_every_draw_is_gone_over_once_and_in_order(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device.os, "cpu_count", lambda: cores)
    draws = {"a": np.arange(12.0), "b": np.arange(24.0).reshape(12, 2)}
    run = over_draws(lambda draw, common: {"sum": draw["a"] + draw["b"].sum() + common}, draws, jnp.array(100.0))()
    found = run(draws, 100.0)
    np.testing.assert_array_equal(found["sum"], 100.0 + draws["a"] + draws["b"].sum(1))


def test_the_cache_of_programs_is_bounded() -> None:
    assert jax.config.jax_compilation_cache_max_size == CACHE_BYTES > 0
