"""Effects that go together: a provider's effects on several streams, with a correlation that is found from the data."""

import numpyro
from jaxtyping import Array, Float
from numpyro import distributions as dist

from bayestwin.components.informed import Look, told


def tied(name: str, spread: dist.Distribution, concentration: float) -> Float[Array, "stream stream"]:
    """Sample spreads and correlation of effects along their last axis.

    Args:
        name: the sites are `sd_<name>` (stream,), `<name>_factor`, the correlation's Cholesky factor, and `correlation_<name>`.
        spread: prior of the sd in each stream, (stream,).
        concentration: of the LKJ law of the correlation: 1 is flat, more draws it to none.

    Returns:
        Lower root of the covariance.

    Source: Lewandowski, Kurowicka & Joe (2009), Journal of Multivariate Analysis 100.

    Example:
        >>> import numpy as np
        >>> from numpyro.handlers import seed, trace
        >>> list(trace(seed(lambda: tied("provider", dist.HalfNormal(np.ones(3)), 2.0), 0)).get_trace())
        ['sd_provider', 'provider_factor', 'correlation_provider']
    """
    sd = numpyro.sample(f"sd_{name}", spread)
    factor = numpyro.sample(f"{name}_factor", dist.LKJCholesky(sd.shape[-1], concentration))
    numpyro.deterministic(f"correlation_{name}", factor @ factor.T)
    return sd[:, None] * factor


def correlated(
    name: str, mean: Float[Array, "member stream"], spread: dist.Distribution, concentration: float, look: Look | None = None
) -> Float[Array, "member stream"]:
    """Sample effects of members on several streams, each member's tied by one correlation, in the parameterisation that their data ask for.

    A member that is seen in one stream says something of the others; one that is not seen at all follows its mean. Within a
    hierarchy, a level ties its members' effects by its `concentration` instead (`components.hierarchy.Level`).

    Args:
        name: site of the effects; those of spreads and correlation are `sd_<name>` and `correlation_<name>` (see `tied`).
        mean: of each member's effects.
        spread: prior of the sd in each stream, (stream,).
        concentration: of the LKJ law of the correlation: 1 is flat, more draws it to none.
        look: what the data say of the effects, (member, stream); without one they are sampled as they are written.

    Example:
        >>> import numpy as np
        >>> from numpyro.handlers import seed
        >>> with seed(rng_seed=0):
        ...     effects = correlated("provider", np.zeros((5, 3)), dist.HalfNormal(np.ones(3)), 2.0)
        >>> effects.shape
        (5, 3)
    """
    root = tied(name, spread, concentration)
    return numpyro.sample(name, dist.MultivariateNormal(mean, scale_tril=root), infer=told(look))
