"""Discrete-time reporting hazards and the delay distribution that they make.

The hazard h_d is the chance that an event not reported with a shorter delay is reported with delay d. The last delay
takes what is left (h = 1), so a delay distribution always sums to one over the delays in use.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def log_probability(logit: Float[Array, "... delay"]) -> Float[Array, "... delay"]:
    """Log probability of each delay; the last delay's logit is ignored, for it takes the remainder.

    Source: Günther et al. (2021), "Nowcasting the COVID-19 pandemic in Bavaria", Biometrical Journal 63(3), eq. 3.

    Example:
        >>> [round(float(p), 3) for p in jnp.exp(log_probability(jnp.zeros(3)))]
        [0.5, 0.25, 0.25]
    """
    report = jax.nn.log_sigmoid(logit).at[..., -1].set(0.0)
    wait = jax.lax.associative_scan(jnp.add, jax.nn.log_sigmoid(-logit)[..., :-1], axis=-1)  # cumsum, but faster on CPUs
    return report.at[..., 1:].add(wait)


def hazard(log_p: Float[Array, "... delay"]) -> Float[Array, "... delay"]:
    """Hazards of a delay distribution: the inverse of `log_probability`, 1 at the last delay."""
    left = jnp.flip(jnp.cumsum(jnp.flip(jnp.exp(log_p), -1), -1), -1)
    return jnp.exp(log_p) / left


def directions(
    logit: Float[Array, "delay time"], columns: Float[Array, "delay time coefficient"]
) -> Float[Array, "delay time coefficient"]:
    """Derivative of the log probabilities along columns in which the logits are linear, delays first.

    d log p_d = dl_d - Σ_{k ≤ d} h_k dl_k, with dl = 0 at the last delay.
    """
    free = columns.at[-1].set(0.0)
    return free - jax.lax.associative_scan(jnp.add, jax.nn.sigmoid(logit)[..., None] * free, axis=0)
