"""Posteriors of posteriordb as NumPyro models, by the name of their Stan program: the same unknowns, priors and likelihood.

Each is written from the mathematics of the program and takes the data under the names that posteriordb gives them. Sites have the names
of the reference draws. How a posterior is walked through may differ from Stan: coefficients are sampled along orthogonal columns
(`coefficients`), and laws without a mean are told where to begin (`Started`). Neither changes a density by more than a constant.

Source: Magnusson, Torgander, Bürkner, Zhang, Carpenter & Vehtari (2024), posteriordb: Testing, Benchmarking and Developing Bayesian
Inference Algorithms, arXiv:2407.04967.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
from jax.scipy.linalg import cho_solve, solve_triangular
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float
from numpyro import distributions as dist
from numpyro.distributions import constraints

Data = Mapping[str, np.ndarray]
Model = Callable[[Data], None]
Law = dist.Distribution

STEPS = 20  # of Runge and Kutta between two observations; tests hold log densities to 1e-4 of those with an adaptive solver


class Started(dist.Distribution):
    """A law that says where chains begin, for its own mean is infinite, or far from what the data say, or it has none.

    Args:
        law: any law.
        at: where to begin, of the law's shape or a single number.
    """

    def __init__(self, law: Law, at: Array | np.ndarray | float) -> None:
        self.law, self.at = law, jnp.broadcast_to(jnp.asarray(at, float), law.shape())
        super().__init__(law.batch_shape, law.event_shape)

    @property
    def support(self) -> constraints.Constraint:
        """Of the law."""
        return self.law.support

    @property
    def mean(self) -> Array:
        """Not the law's mean but the beginning: that is what the sampler reads it for."""
        return self.at

    def sample(self, key: Array, sample_shape: tuple[int, ...] = ()) -> Array:
        """The beginning: an improper law cannot be drawn from, and nothing here is."""
        return jnp.broadcast_to(self.at, (*sample_shape, *self.law.shape()))

    def log_prob(self, value: Array) -> Array:
        """Of the law."""
        return self.law.log_prob(value)


def flat(at: Array | np.ndarray | float, support: constraints.Constraint = constraints.real) -> Started:
    """A constant density on a support, of the shape of where chains begin."""
    shape = jnp.shape(at)
    return Started(dist.ImproperUniform(support, shape[: len(shape) - support.event_dim], shape[len(shape) - support.event_dim :]), at)


def prior(law: Law, value: Array, name: str = "prior") -> None:
    """The density of a value that is not sampled from it."""
    numpyro.factor(name, law.log_prob(value).sum())


def name_all(**values: Array) -> None:
    """Sites of what the reference names and the sampler does not."""
    for name, value in values.items():
        numpyro.deterministic(name, value)


# Regressions


def beside_one(*columns: np.ndarray) -> Float[np.ndarray, "row column"]:
    """Design matrix with an intercept."""
    return np.column_stack([np.ones(len(columns[0])), *columns])


def coefficients(x: Float[np.ndarray, "row column"], centre: np.ndarray | float = 0.0, unit: float = 1.0) -> Float[Array, " column"]:
    """Coefficients with a constant density, sampled along orthogonal columns: raw ones are often nearly collinear.

    Args:
        x: design matrix of full rank.
        centre: about where the coefficients of the orthogonal columns lie.
        unit: and how well they are known.
    """
    r = np.linalg.qr(x, mode="r")
    z = numpyro.sample("z", flat(np.zeros(x.shape[1])))
    return solve_triangular(r, centre + unit * z)


def linear(y: np.ndarray, x: np.ndarray, sigma_law: Law | None = None, sigma: str = "sigma") -> Float[Array, " column"]:
    """Linear regression y ~ N(Xβ, σ): β flat, σ > 0 flat unless it has a law; sampled about least squares.

    Returns:
        β, which is left to be named.
    """
    q, _ = np.linalg.qr(x)
    centre = q.T @ y
    unit = float(np.sqrt(np.square(y - q @ centre).sum() / max(len(y) - x.shape[1], 1)))
    beta = coefficients(x, centre, unit)
    spread = numpyro.sample(sigma, flat(unit, constraints.positive) if sigma_law is None else Started(sigma_law, unit))
    numpyro.sample("y", dist.Normal(x @ beta, spread), obs=y)
    return beta


def regression(terms: Callable[[Data], tuple[np.ndarray, ...]], sigma_law: Law | None, data: Data) -> None:
    """A linear regression with intercept, all coefficients in one vector; `terms` are the outcome and the columns."""
    y, *columns = terms(data)
    name_all(beta=linear(y, beside_one(*columns), sigma_law))


def standard(values: np.ndarray, sds: float = 1.0) -> np.ndarray:
    """Centred, in units of so many sds."""
    return (values - values.mean()) / (sds * values.std(ddof=1))


def products(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, ...]:
    """Two columns and their interaction."""
    return first, second, first * second


def is_each(values: np.ndarray, levels: tuple[int, ...]) -> list[np.ndarray]:
    """Indicator of each level."""
    return [(values == level).astype(float) for level in levels]


def canopy(data: Data, *names: str) -> list[np.ndarray]:
    """Logarithms of mesquite bushes' canopy: volume, area and shape."""
    log = {name: np.log(data[name]) for name in ("diam1", "diam2", "canopy_height")}
    area = log["diam1"] + log["diam2"]
    found = {"volume": area + log["canopy_height"], "area": area, "shape": log["diam1"] - log["diam2"]}
    return [np.log(data["weight"]), *(found[name] for name in names)]


MESQUITE = ("diam1", "diam2", "canopy_height", "total_height", "density")
NES = ("real_ideo", "race_adj"), ("educ1", "gender", "income")
CAUCHY = dist.HalfCauchy(2.5)
REGRESSIONS: dict[str, tuple[Callable[[Data], tuple[np.ndarray, ...]], Law | None]] = {
    "kidscore_momhs": (lambda d: (d["kid_score"], d["mom_hs"]), CAUCHY),
    "kidscore_momiq": (lambda d: (d["kid_score"], d["mom_iq"]), CAUCHY),
    "kidscore_momhsiq": (lambda d: (d["kid_score"], d["mom_hs"], d["mom_iq"]), CAUCHY),
    "kidscore_interaction": (lambda d: (d["kid_score"], *products(d["mom_hs"], d["mom_iq"])), CAUCHY),
    "kidscore_interaction_c": (
        lambda d: (d["kid_score"], *products(d["mom_hs"] - d["mom_hs"].mean(), d["mom_iq"] - d["mom_iq"].mean())),
        None,
    ),
    "kidscore_interaction_c2": (lambda d: (d["kid_score"], *products(d["mom_hs"] - 0.5, d["mom_iq"] - 100.0)), None),
    "kidscore_interaction_z": (lambda d: (d["kid_score"], *products(standard(d["mom_hs"], 2.0), standard(d["mom_iq"], 2.0))), None),
    "kidscore_mom_work": (lambda d: (d["kid_score"], *is_each(d["mom_work"], (2, 3, 4))), None),
    "earn_height": (lambda d: (d["earn"], d["height"]), None),
    "logearn_height": (lambda d: (np.log(d["earn"]), d["height"]), None),
    "log10earn_height": (lambda d: (np.log10(d["earn"]), d["height"]), None),
    "logearn_height_male": (lambda d: (np.log(d["earn"]), d["height"], d["male"]), None),
    "logearn_logheight_male": (lambda d: (np.log(d["earn"]), np.log(d["height"]), d["male"]), None),
    "logearn_interaction": (lambda d: (np.log(d["earn"]), *products(d["height"], d["male"])), None),
    "logearn_interaction_z": (lambda d: (np.log(d["earn"]), *products(standard(d["height"]), d["male"])), None),
    "mesquite": (lambda d: (d["weight"], *(d[name] for name in MESQUITE), d["group"]), None),
    "logmesquite": (lambda d: (np.log(d["weight"]), *(np.log(d[name]) for name in MESQUITE), d["group"]), None),
    "logmesquite_logvolume": (lambda d: (*canopy(d, "volume"),), None),
    "logmesquite_logva": (lambda d: (*canopy(d, "volume", "area"), d["group"]), None),
    "logmesquite_logvash": (lambda d: (*canopy(d, "volume", "area", "shape"), np.log(d["total_height"]), d["group"]), None),
    "logmesquite_logvas": (
        lambda d: (*canopy(d, "volume", "area", "shape"), np.log(d["total_height"]), np.log(d["density"]), d["group"]),
        None,
    ),
    "nes": (
        lambda d: (
            d["partyid7"],
            *(d[name] for name in NES[0]),
            *is_each(d["age_discrete"], (2, 3, 4)),
            *(d[name] for name in NES[1]),
        ),
        None,
    ),
    "sesame_one_pred_a": (lambda d: (d["watched"], d["encouraged"]), None),
}


def blr(data: Data) -> None:
    """β ~ N(0, 10), σ ~ half-N(10), no intercept."""
    beta = linear(data["y"], data["X"], dist.HalfNormal(10.0))
    prior(dist.Normal(0.0, 10.0), beta)
    name_all(beta=beta)


def kilpisjarvi(data: Data) -> None:
    """One predictor, priors given with the data."""
    alpha, beta = linear(data["y"], beside_one(data["x"]))
    prior(dist.Normal(data["pmualpha"], data["psalpha"]), alpha, "prior of alpha")
    prior(dist.Normal(data["pmubeta"], data["psbeta"]), beta, "prior of beta")
    name_all(alpha=alpha, beta=beta)


def radon_pooled(data: Data) -> None:
    """One predictor, the same in every county."""
    both = linear(data["log_radon"], beside_one(data["floor_measure"]), dist.HalfNormal(1.0), "sigma_y")
    prior(dist.Normal(0.0, 10.0), both)
    name_all(alpha=both[0], beta=both[1])


def diamonds(data: Data) -> None:
    """Many nearly collinear predictors, centred, the first column of X being the intercept."""
    columns = data["X"][:, 1:]
    both = linear(data["Y"], beside_one(columns - columns.mean(0)), dist.FoldedDistribution(dist.StudentT(3.0, 0.0, 10.0)))
    prior(dist.Normal(0.0, 1.0), both[1:], "prior of b")
    prior(dist.StudentT(3.0, 8.0, 10.0), both[0], "prior of the intercept")
    name_all(b=both[1:], Intercept=both[0])


def logistic(y: np.ndarray, x: np.ndarray) -> Float[Array, " column"]:
    """Logistic regression y ~ Bernoulli(logit⁻¹(Xβ)): β flat, and left to be named."""
    beta = coefficients(x, unit=2.0)  # a fair coin's logit is known to 2 / √n
    numpyro.sample("y", dist.Bernoulli(logits=x @ beta), obs=y)
    return beta


def binary(terms: Callable[[Data], tuple[np.ndarray, ...]], data: Data) -> None:
    """A logistic regression, intercept apart."""
    y, *columns = terms(data)
    both = logistic(y, beside_one(*columns))
    name_all(alpha=both[0], beta=both[1:])


def wells_dist(data: Data) -> None:
    """A logistic regression, intercept with the rest."""
    name_all(beta=logistic(data["switched"], beside_one(data["dist"])))


BINARY: dict[str, Callable[[Data], tuple[np.ndarray, ...]]] = {
    "nes_logit_model": lambda d: (d["vote"], d["income"]),
    "wells_dist100_model": lambda d: (d["switched"], d["dist"] / 100.0),
    "wells_dist100ars_model": lambda d: (d["switched"], d["dist"] / 100.0, d["arsenic"]),
    "wells_interaction_c_model": lambda d: (
        d["switched"],
        *products((d["dist"] - d["dist"].mean()) / 100.0, d["arsenic"] - d["arsenic"].mean()),
    ),
}


def past(y: Float[np.ndarray, "dog trial"]) -> tuple[np.ndarray, np.ndarray]:
    """Shocks avoided and had before each trial."""
    shocks = np.cumsum(y, axis=1) - y
    return np.arange(y.shape[1]) - shocks, shocks


def dogs(data: Data) -> None:
    """Shocks by what a dog has seen, on the logit scale."""
    avoided, shocks = past(data["y"])
    beta = logistic(data["y"].ravel(), beside_one(avoided.ravel(), shocks.ravel()))
    prior(dist.Normal(0.0, 100.0), beta)
    name_all(beta=beta)


def dogs_log(data: Data) -> None:
    """No intercept; the first coefficient uniform on -100..0, the second on 0..100."""
    avoided, shocks = past(data["y"])
    size = numpyro.sample("size", Started(dist.Uniform(0.0, 100.0).expand([2]), 0.1))
    numpyro.sample("y", dist.Bernoulli(logits=size[1] * shocks - size[0] * avoided), obs=data["y"])
    name_all(beta=size * jnp.array([-1.0, 1.0]))


def dogs_hierarchical(data: Data) -> None:
    """A shock has probability a to the shocks before times b to those avoided."""
    avoided, shocks = past(data["y"])
    a, b = (numpyro.sample(name, dist.Uniform(0.0, 1.0)) for name in ("a", "b"))
    log_p = shocks * jnp.log(a) + avoided * jnp.log(b)
    certain = log_p == 0.0  # before the first trial: always a shock, and its logarithm has no gradient
    missed = jnp.log(-jnp.expm1(jnp.where(certain, -1.0, log_p)))
    numpyro.factor("y", jnp.where(data["y"] == 1, log_p, jnp.where(certain, -jnp.inf, missed)).sum())


# Rates


def rate(sites: Mapping[str, tuple[str, ...]], data: Data) -> None:
    """Binomial counts `k<which>` of `n<which>` by the rate that they share, uniform a priori."""
    for name, which in sites.items():
        theta = numpyro.sample(name, dist.Uniform(0.0, 1.0))
        for i in which:
            numpyro.sample(f"k{i}", dist.Binomial(data[f"n{i}"], theta), obs=data[f"k{i}"])


def rate_2(data: Data) -> None:
    """Two rates and their difference."""
    rates = [numpyro.sample(f"theta{i}", dist.Uniform(0.0, 1.0)) for i in (1, 2)]
    for i, theta in enumerate(rates, 1):
        numpyro.sample(f"k{i}", dist.Binomial(data[f"n{i}"], theta), obs=data[f"k{i}"])
    name_all(delta=rates[0] - rates[1])


def m0(data: Data) -> None:
    """Which of M animals exist, and how often one that does is seen in T rounds: who is never seen may not exist."""
    rounds, seen = data["y"].shape[1], data["y"].sum(1)
    omega, p = (numpyro.sample(name, dist.Uniform(0.0, 1.0)) for name in ("omega", "p"))
    there = jnp.log(omega) + dist.Binomial(rounds, p).log_prob(seen)
    numpyro.factor("y", jnp.where(seen > 0, there, jnp.logaddexp(there, jnp.log1p(-omega))).sum())


# Groups


def eight_schools(data: Data) -> None:
    """Effects of coaching in J schools, non-centred: the same law of (θ, μ, τ) in both of posteriordb's programs."""
    mu = numpyro.sample("mu", dist.Normal(0.0, 5.0))
    tau = numpyro.sample("tau", Started(dist.HalfCauchy(5.0), 5.0))
    apart = numpyro.sample("theta_trans", dist.Normal(0.0, 1.0).expand([len(data["y"])]))
    theta = numpyro.deterministic("theta", mu + tau * apart)
    numpyro.sample("y", dist.Normal(theta, data["sigma"]), obs=data["y"])


# Series


def ark(data: Data) -> None:
    """Autoregression of order K on a series' own past."""
    order, y = int(data["K"]), data["y"]
    lags = np.column_stack([y[order - k : len(y) - k] for k in range(1, order + 1)])
    alpha = numpyro.sample("alpha", dist.Normal(0.0, 10.0))
    beta = numpyro.sample("beta", dist.Normal(0.0, 10.0).expand([order]))
    sigma = numpyro.sample("sigma", Started(dist.HalfCauchy(2.5), 1.0))
    numpyro.sample("y", dist.Normal(alpha + lags @ beta, sigma), obs=y[order:])


def arma11(data: Data) -> None:
    """One step of the past, one of the errors; before the first the series is at its mean and the error zero."""
    y = jnp.asarray(data["y"])
    mu = numpyro.sample("mu", dist.Normal(0.0, 10.0))
    phi, theta = (numpyro.sample(name, dist.Normal(0.0, 2.0)) for name in ("phi", "theta"))
    sigma = numpyro.sample("sigma", Started(dist.HalfCauchy(2.5), 1.0))
    unexplained = y - mu - phi * jnp.concatenate([jnp.atleast_1d(mu), y[:-1]])

    def further(error: Array, part: Array) -> tuple[Array, Array]:
        error = part - theta * error
        return error, error

    numpyro.sample("error", dist.Normal(jnp.zeros_like(y), sigma), obs=jax.lax.scan(further, jnp.zeros(()), unexplained)[1])


def garch11(data: Data) -> None:
    """Variance from the last shock and the last variance; (α₁, β₁) uniform on the triangle where their sum is below 1."""
    y = jnp.asarray(data["y"])
    mu = numpyro.sample("mu", flat(y.mean()))
    alpha0 = numpyro.sample("alpha0", flat(y.var(), constraints.positive))
    alpha1, beta1, _ = numpyro.sample("shares", dist.Dirichlet(jnp.ones(3)))

    def further(variance: Array, shock: Array) -> tuple[Array, Array]:
        variance = alpha0 + alpha1 * shock + beta1 * variance
        return variance, variance

    first = jnp.square(jnp.asarray(data["sigma1"]))
    variance = jnp.concatenate([first[None], jax.lax.scan(further, first, jnp.square(y[:-1] - mu))[1]])
    numpyro.sample("y", dist.Normal(mu, jnp.sqrt(variance)), obs=y)
    name_all(alpha1=alpha1, beta1=beta1)


# Hidden states and mixtures


def hidden(log_emission: Float[Array, "time state"], moves: Float[Array, "state state"]) -> None:
    """Likelihood of a hidden Markov chain whose first state has weight one, whichever it is."""

    def further(so_far: Array, emission: Array) -> tuple[Array, None]:
        return logsumexp(so_far[:, None] + jnp.log(moves), axis=0) + emission, None

    numpyro.factor("chain", logsumexp(jax.lax.scan(further, log_emission[0], log_emission[1:])[0]))


def ordered_pair(name: str, means: tuple[float, float], at: np.ndarray, support: constraints.Constraint, sd: float = 1.0) -> Array:
    """Two normal values, the first below the second."""
    pair = numpyro.sample(name, flat(at, support))
    prior(dist.Normal(jnp.array(means), sd), pair, f"prior of {name}")
    return pair


def hmm_example(data: Data) -> None:
    """Two hidden states, normal observations of unit sd."""
    moves = jnp.stack([numpyro.sample(f"theta{i}", dist.Dirichlet(jnp.ones(2))) for i in (1, 2)])
    mu = ordered_pair("mu", (3.0, 10.0), np.array([3.0, 10.0]), constraints.positive_ordered_vector)
    hidden(dist.Normal(mu, 1.0).log_prob(data["y"][:, None]), moves)


def drive(law_u: Callable, law_v: Callable, support: constraints.Constraint, start: Callable, data: Data) -> None:
    """A basketball player drives or does not: two measured signals of a hidden state."""
    moves = jnp.stack([numpyro.sample(f"theta{i + 1}", dist.Dirichlet(data["alpha"][i])) for i in (0, 1)])
    phi, lam = (ordered_pair(name, (0.0, 3.0), start(data[signal]), support) for name, signal in (("phi", "u"), ("lambda", "v")))
    hidden(law_u(data, phi).log_prob(data["u"][:, None]) + law_v(data, lam).log_prob(data["v"][:, None]), moves)


def exponential_rates(values: np.ndarray) -> np.ndarray:
    """Rates a factor of two to both sides of the signal's."""
    return np.array([0.5, 2.0]) / values.mean()


def quartiles(values: np.ndarray) -> np.ndarray:
    """Where two states may lie."""
    return np.quantile(values, (0.25, 0.75))


hmm_drive_0 = partial(
    drive,
    lambda _, rates: dist.Exponential(rates),
    lambda _, rates: dist.Exponential(rates),
    constraints.positive_ordered_vector,
    exponential_rates,
)
hmm_drive_1 = partial(
    drive,
    lambda data, means: dist.Normal(means, data["tau"]),
    lambda data, means: dist.Normal(means, data["rho"]),
    constraints.ordered_vector,
    quartiles,
)


def low_dim_gauss_mix(data: Data) -> None:
    """Two normal components, the first below the second."""
    y = data["y"][:, None]
    mu = ordered_pair("mu", (0.0, 0.0), quartiles(y), constraints.ordered_vector, sd=2.0)
    sigma = numpyro.sample("sigma", dist.HalfNormal(2.0).expand([2]))
    theta = numpyro.sample("theta", dist.Beta(5.0, 5.0))
    shares = jnp.log(jnp.stack([theta, 1.0 - theta]))
    numpyro.factor("y", logsumexp(shares + dist.Normal(mu, sigma).log_prob(y), axis=-1).sum())


# Gaussian processes


def squared_exponential(x: np.ndarray, alpha: Array, rho: Array, nugget: Array | float) -> Float[Array, "point point"]:
    """Covariance of sd α and length ρ, something added to the diagonal."""
    return jnp.square(alpha) * jnp.exp(-0.5 * jnp.square((x[:, None] - x) / rho)) + nugget * jnp.eye(len(x))


def gp_regr(data: Data) -> None:
    """Gaussian process with noise of variance σ."""
    rho = numpyro.sample("rho", dist.Gamma(25.0, 4.0))
    alpha = numpyro.sample("alpha", dist.HalfNormal(2.0))
    sigma = numpyro.sample("sigma", dist.HalfNormal(1.0))
    covariance = squared_exponential(data["x"], alpha, rho, sigma)
    numpyro.sample("y", dist.MultivariateNormal(jnp.zeros(len(data["x"])), covariance), obs=data["y"])


def gp_pois_regr(data: Data) -> None:
    """Poisson counts whose log rate is a Gaussian process f = L f̃, L Lᵀ its covariance.

    The counts say so much about f that f̃ is far from independent and its scale changes with α and ρ. So u is sampled instead: f̃ about
    the mean, and in units of the root of the covariance, that it would have if each log count were a normal measurement of f.
    """
    counts = data["k"]
    rho = numpyro.sample("rho", dist.Gamma(25.0, 4.0))
    alpha = numpyro.sample("alpha", dist.HalfNormal(2.0))
    u = numpyro.sample("u", flat(np.zeros(len(counts))))
    root = jnp.linalg.cholesky(squared_exponential(data["x"], alpha, rho, 1e-10))
    information, measured = counts + 0.5, np.log(counts + 0.5)
    known = jnp.linalg.cholesky(jnp.eye(len(counts)) + root.T @ (information[:, None] * root))
    middle = cho_solve((known, True), root.T @ (information * measured))
    f_tilde = middle + solve_triangular(known.T, u)
    prior(dist.Normal(0.0, 1.0), f_tilde, "prior of f_tilde")
    numpyro.factor("units of u", -jnp.log(jnp.diagonal(known)).sum())
    f = root @ f_tilde
    numpyro.sample("k", dist.Poisson(jnp.exp(f)), obs=counts)
    name_all(f=f, f_tilde=f_tilde)


def smooth(data: Data, part: str) -> Float[Array, " row"]:
    """A Gaussian process by basis functions, of mean, sd and length of its own."""
    basis, frequency = data[f"Xgp{part}_1"], data[f"slambda{part}_1"][:, 0]
    sd = numpyro.sample(f"sdgp{part}_1", Started(dist.FoldedDistribution(dist.StudentT(3.0, 0.0, 36.0)), 1.0 if part else 36.0))
    length = numpyro.sample(f"lscale{part}_1", Started(dist.InverseGamma(1.124909, 0.0177), 0.05))
    z = numpyro.sample(f"zgp{part}_1", dist.Normal(0.0, 1.0).expand([basis.shape[1]]))
    scale = sd * jnp.sqrt(jnp.sqrt(2.0 * jnp.pi) * length) * jnp.exp(-0.25 * jnp.square(length * frequency))
    return basis @ (scale * z)


def accel_gp(data: Data) -> None:
    """Head acceleration in a crash: mean and log sd are both smooth."""
    level = numpyro.sample("Intercept", dist.StudentT(3.0, -13.0, 36.0))
    log_sd = numpyro.sample("Intercept_sigma", dist.StudentT(3.0, 0.0, 10.0))
    numpyro.sample("Y", dist.Normal(level + smooth(data, ""), jnp.exp(log_sd + smooth(data, "_sigma"))), obs=data["Y"])


# Differential equations


def solve(slope: Callable[[Array, Array], Array], start: Array, times: np.ndarray) -> Float[Array, "time state"]:
    """States at the times after the first, by classical Runge–Kutta steps of equal length between two times.

    Args:
        slope: of time and state.
        start: state at the first time.
        times: ascending, the first included.
    """

    def step(state: Array, at: Array, length: Array) -> Array:
        k1 = slope(at, state)
        k2 = slope(at + length / 2, state + length / 2 * k1)
        k3 = slope(at + length / 2, state + length / 2 * k2)
        k4 = slope(at + length, state + length * k3)
        return state + length / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

    def between(state: Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        first, length = ends[0], (ends[1] - ends[0]) / STEPS
        state = jax.lax.scan(lambda state, i: (step(state, first + i * length, length), None), state, jnp.arange(STEPS))[0]
        return state, state

    times = jnp.asarray(times)
    return jax.lax.scan(between, start, (times[:-1], times[1:]))[1]


def positive_normal(name: str, means: list[float], sds: list[float]) -> Array:
    """Normal values kept positive."""
    values = numpyro.sample(name, flat(np.array(means), constraints.positive))
    prior(dist.Normal(jnp.array(means), jnp.array(sds)), values, f"prior of {name}")
    return values


def lotka_volterra(data: Data) -> None:
    """Hares and lynxes, measured with log-normal errors."""
    theta = positive_normal("theta", [1.0, 0.05, 1.0, 0.05], [0.5, 0.05, 0.5, 0.05])
    first = numpyro.sample("z_init", Started(dist.LogNormal(jnp.log(10.0), 1.0).expand([2]), data["y_init"]))
    sigma = numpyro.sample("sigma", dist.LogNormal(-1.0, 1.0).expand([2]))

    def slope(_: Array, z: Array) -> Array:
        return jnp.stack([(theta[0] - theta[1] * z[1]) * z[0], (theta[3] * z[0] - theta[2]) * z[1]])

    z = solve(slope, first, np.concatenate([[0.0], data["ts"]]))
    numpyro.sample("y_init", dist.LogNormal(jnp.log(first), sigma), obs=data["y_init"])
    numpyro.sample("y", dist.LogNormal(jnp.log(z), sigma), obs=data["y"])


def one_comp_mm_elim_abs(data: Data) -> None:
    """One compartment: first-order absorption, Michaelis–Menten elimination, no drug at first.

    A large K_m comes with a large V_m, for then only their ratio matters. What the data know well is the rate at which a middling
    concentration is eliminated, and that is sampled in place of V_m.
    """
    k_a, k_m, sigma = (numpyro.sample(name, Started(dist.HalfCauchy(1.0), 1.0)) for name in ("k_a", "K_m", "sigma"))
    per_rate = k_m + data["C_hat"].mean()
    v_m = per_rate * numpyro.sample("rate", flat(0.1, constraints.positive))
    prior(dist.HalfCauchy(1.0), v_m, "prior of V_m")
    numpyro.factor("units of rate", jnp.log(per_rate))

    def slope(at: Array, c: Array) -> Array:
        return (jnp.exp(-k_a * at) * data["D"] * k_a - v_m * c / (k_m + c)) / data["V"]

    c = solve(slope, jnp.zeros(()), np.concatenate([[data["t0"]], data["times"]]))
    numpyro.sample("C_hat", dist.LogNormal(jnp.log(c), sigma), obs=data["C_hat"])
    name_all(V_m=v_m)


MODELS: dict[str, Model] = {
    "accel_gp": accel_gp,
    "arK": ark,
    "arma11": arma11,
    "blr": blr,
    "diamonds": diamonds,
    "dogs": dogs,
    "dogs_hierarchical": dogs_hierarchical,
    "dogs_log": dogs_log,
    "eight_schools_centered": eight_schools,
    "eight_schools_noncentered": eight_schools,
    "garch11": garch11,
    "gp_pois_regr": gp_pois_regr,
    "gp_regr": gp_regr,
    "hmm_drive_0": hmm_drive_0,
    "hmm_drive_1": hmm_drive_1,
    "hmm_example": hmm_example,
    "kilpisjarvi": kilpisjarvi,
    "lotka_volterra": lotka_volterra,
    "low_dim_gauss_mix": low_dim_gauss_mix,
    "one_comp_mm_elim_abs": one_comp_mm_elim_abs,
    "radon_pooled": radon_pooled,
    "M0_model": m0,
    "Rate_1_model": partial(rate, {"theta": ("",)}),
    "Rate_2_model": rate_2,
    "Rate_3_model": partial(rate, {"theta": ("1", "2")}),
    "wells_dist": wells_dist,
    **{name: partial(binary, terms) for name, terms in BINARY.items()},
    **{name: partial(regression, *row) for name, row in REGRESSIONS.items()},
}
