"""Models of posteriordb: log densities are those of the Stan programs, written out by hand with SciPy.

Each case is data, values of the sampled sites, the same moved elsewhere, and the log density of the Stan program at the named sites. What
the log density gains from one place to the other is compared, so that constants cancel.
"""

import sys
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path

import jax
import numpy as np
import pytest
from numpyro.handlers import seed, substitute, trace
from numpyro.infer.util import log_density
from scipy import stats
from scipy.integrate import solve_ivp
from scipy.special import expit, logsumexp

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))  # a script's folder, as it is when the script runs

from posteriordb_models import MODELS

RNG = np.random.default_rng(8)
Sites = dict[str, np.ndarray]
Case = tuple[dict, dict, dict, Callable[[Sites], float]]
normal = stats.norm.logpdf


def eight_schools() -> Case:
    y, sd = np.array([28.0, 8.0, -3.0]), np.array([15.0, 10.0, 16.0])

    def by_hand(s: Sites) -> float:
        return (
            normal(s["mu"], 0, 5)
            + stats.halfcauchy.logpdf(s["tau"], 0, 5)
            + normal(s["theta_trans"]).sum()
            + normal(y, s["mu"] + s["tau"] * s["theta_trans"], sd).sum()
        )

    at = {"mu": 4.0, "tau": 3.0, "theta_trans": np.array([0.3, -1.0, 0.2])}
    return {"y": y, "sigma": sd}, at, {"mu": -1.0, "tau": 9.0, "theta_trans": np.array([1.0, 0.4, 2.0])}, by_hand


def ark() -> Case:
    y = RNG.normal(size=6)

    def by_hand(s: Sites) -> float:
        means = [s["alpha"] + s["beta"][0] * y[t - 1] + s["beta"][1] * y[t - 2] for t in range(2, 6)]
        priors = normal(s["alpha"], 0, 10) + normal(s["beta"], 0, 10).sum() + stats.halfcauchy.logpdf(s["sigma"], 0, 2.5)
        return priors + normal(y[2:], means, s["sigma"]).sum()

    at = {"alpha": 0.1, "beta": np.array([0.5, -0.2]), "sigma": 0.7}
    return {"K": 2, "y": y}, at, {"alpha": -1.0, "beta": np.array([0.0, 0.9]), "sigma": 2.0}, by_hand


def arma11() -> Case:
    y = RNG.normal(size=5)

    def by_hand(s: Sites) -> float:
        errors = [y[0] - s["mu"] - s["phi"] * s["mu"]]
        for t in range(1, 5):
            errors.append(y[t] - s["mu"] - s["phi"] * y[t - 1] - s["theta"] * errors[-1])
        priors = normal(s["mu"], 0, 10) + normal(s["phi"], 0, 2) + normal(s["theta"], 0, 2) + stats.halfcauchy.logpdf(s["sigma"], 0, 2.5)
        return priors + normal(errors, 0, s["sigma"]).sum()

    return {"y": y}, {"mu": 0.2, "phi": 0.8, "theta": -0.3, "sigma": 0.5}, {"mu": 1.0, "phi": -0.4, "theta": 0.6, "sigma": 2.0}, by_hand


def garch11() -> Case:
    y = RNG.normal(5, 2, size=5)

    def by_hand(s: Sites) -> float:
        variance = [0.25]
        for t in range(1, 5):
            variance.append(s["alpha0"] + s["alpha1"] * (y[t - 1] - s["mu"]) ** 2 + s["beta1"] * variance[-1])
        return normal(y, s["mu"], np.sqrt(variance)).sum()

    at = {"mu": 5.0, "alpha0": 1.4, "shares": np.array([0.5, 0.3, 0.2])}
    return {"y": y, "sigma1": 0.5}, at, {"mu": 4.0, "alpha0": 0.3, "shares": np.array([0.1, 0.7, 0.2])}, by_hand


def covariance(x: np.ndarray, s: Sites) -> np.ndarray:
    return s["alpha"] ** 2 * np.exp(-((x[:, None] - x) ** 2) / (2 * s["rho"] ** 2))


def process_priors(s: Sites) -> float:
    return stats.gamma.logpdf(s["rho"], 25, scale=0.25) + stats.halfnorm.logpdf(s["alpha"], 0, 2)


def gp_regr() -> Case:
    x, y = np.array([-4.0, 0.0, 3.0]), np.array([1.0, 2.0, -1.0])

    def by_hand(s: Sites) -> float:
        law = stats.multivariate_normal(np.zeros(3), covariance(x, s) + s["sigma"] * np.eye(3))
        return process_priors(s) + stats.halfnorm.logpdf(s["sigma"]) + law.logpdf(y)

    return {"x": x, "y": y}, {"rho": 6.0, "alpha": 2.0, "sigma": 1.0}, {"rho": 4.0, "alpha": 1.0, "sigma": 0.4}, by_hand


def gp_pois_regr() -> Case:
    x, k = np.array([-9.0, 0.0, 7.0]), np.array([3, 20, 0])

    def by_hand(s: Sites) -> float:
        f = np.linalg.cholesky(covariance(x, s) + 1e-10 * np.eye(3)) @ s["f_tilde"]
        return process_priors(s) + normal(s["f_tilde"]).sum() + stats.poisson.logpmf(k, np.exp(f)).sum()

    at = {"rho": 6.0, "alpha": 2.0, "u": np.array([0.3, -0.5, 1.0])}
    return {"x": x, "k": k}, at, {"rho": 4.0, "alpha": 1.0, "u": np.array([-1.0, 0.2, 0.1])}, by_hand


def by_path(log_emission: np.ndarray, moves: np.ndarray) -> float:
    """Likelihood of a hidden chain, summed over every path."""
    steps = len(log_emission)
    paths = product((0, 1), repeat=steps)
    return logsumexp(
        [
            sum(log_emission[t, path[t]] for t in range(steps)) + sum(np.log(moves[path[t - 1], path[t]]) for t in range(1, steps))
            for path in paths
        ]
    )


def hmm_example() -> Case:
    y = np.array([2.0, 9.0, 8.0, 4.0])

    def by_hand(s: Sites) -> float:
        moves = np.stack([s["theta1"], s["theta2"]])
        return normal(s["mu"], [3, 10], 1).sum() + by_path(normal(y[:, None], s["mu"], 1), moves)

    at = {"theta1": np.array([0.6, 0.4]), "theta2": np.array([0.1, 0.9]), "mu": np.array([3.0, 9.0])}
    return {"y": y}, at, {"theta1": np.array([0.3, 0.7]), "theta2": np.array([0.5, 0.5]), "mu": np.array([2.0, 8.0])}, by_hand


def hmm_drive_0() -> Case:
    u, v, alpha = np.array([0.5, 0.1, 0.2]), np.array([30.0, 10.0, 12.0]), np.array([[4.5, 0.5], [0.5, 4.5]])

    def by_hand(s: Sites) -> float:
        moves = np.stack([s["theta1"], s["theta2"]])
        priors = sum(stats.dirichlet.logpdf(moves[i], alpha[i]) for i in (0, 1))
        priors += normal(s["phi"], [0, 3], 1).sum() + normal(s["lambda"], [0, 3], 1).sum()
        emission = stats.expon.logpdf(u[:, None], 0, 1 / s["phi"]) + stats.expon.logpdf(v[:, None], 0, 1 / s["lambda"])
        return priors + by_path(emission, moves)

    at = {"theta1": np.array([0.9, 0.1]), "theta2": np.array([0.2, 0.8]), "phi": np.array([2.0, 6.0]), "lambda": np.array([0.03, 0.08])}
    other = {**at, "theta1": np.array([0.5, 0.5]), "phi": np.array([1.0, 9.0]), "lambda": np.array([0.01, 0.3])}
    return {"u": u, "v": v, "alpha": alpha}, at, other, by_hand


def low_dim_gauss_mix() -> Case:
    y = np.array([-3.0, 2.0, 4.0, 0.0])

    def by_hand(s: Sites) -> float:
        parts = normal(y[:, None], s["mu"], s["sigma"]) + np.log([s["theta"], 1 - s["theta"]])
        priors = normal(s["mu"], 0, 2).sum() + normal(s["sigma"], 0, 2).sum() + stats.beta.logpdf(s["theta"], 5, 5)
        return priors + logsumexp(parts, axis=1).sum()

    at = {"mu": np.array([-2.0, 3.0]), "sigma": np.array([1.0, 2.0]), "theta": 0.6}
    return {"y": y}, at, {"mu": np.array([0.0, 1.0]), "sigma": np.array([0.5, 1.5]), "theta": 0.3}, by_hand


DOGS = np.array([[1, 1, 0, 0], [1, 0, 1, 0]])
AVOIDED, SHOCKS = np.array([[0, 0, 0, 1], [0, 0, 1, 1]]), np.array([[0, 1, 2, 2], [0, 1, 1, 2]])


def bernoulli(p: np.ndarray) -> float:
    return stats.bernoulli.logpmf(DOGS, p).sum()


def dogs() -> Case:
    def by_hand(s: Sites) -> float:
        b = s["beta"]
        return normal(b, 0, 100).sum() + bernoulli(expit(b[0] + b[1] * AVOIDED + b[2] * SHOCKS))

    return {"y": DOGS}, {"z": np.array([0.1, -2.0, 1.0])}, {"z": np.array([-30.0, 2.0, 20.0])}, by_hand


def dogs_log() -> Case:
    def by_hand(s: Sites) -> float:
        return bernoulli(expit(s["beta"][0] * AVOIDED + s["beta"][1] * SHOCKS))

    return {"y": DOGS}, {"size": np.array([0.4, 0.1])}, {"size": np.array([2.0, 0.7])}, by_hand


def dogs_hierarchical() -> Case:
    def by_hand(s: Sites) -> float:
        return bernoulli(s["a"] ** SHOCKS * s["b"] ** AVOIDED)

    return {"y": DOGS}, {"a": 0.9, "b": 0.7}, {"a": 0.3, "b": 0.6}, by_hand


def m0() -> Case:
    y = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]])

    def by_hand(s: Sites) -> float:
        there = s["omega"] * stats.binom.pmf(y.sum(1), 3, s["p"])
        return np.log(np.where(y.any(1), there, there + 1 - s["omega"])).sum()

    return {"y": y}, {"omega": 0.4, "p": 0.5}, {"omega": 0.8, "p": 0.1}, by_hand


def kidscore_interaction() -> Case:
    hs, iq, y = np.array([0.0, 1.0, 1.0, 0.0, 1.0, 0.0]), RNG.normal(100, 15, 6), RNG.normal(90, 20, 6)

    def by_hand(s: Sites) -> float:
        b = s["beta"]
        return stats.halfcauchy.logpdf(s["sigma"], 0, 2.5) + normal(y, b[0] + b[1] * hs + b[2] * iq + b[3] * hs * iq, s["sigma"]).sum()

    at = {"z": np.array([0.1, -1.0, 1.0, 0.0]), "sigma": 15.0}
    return {"kid_score": y, "mom_hs": hs, "mom_iq": iq}, at, {"z": np.array([1.0, 0.0, -1.0, 2.0]), "sigma": 25.0}, by_hand


def diamonds() -> Case:
    x, y = np.column_stack([np.ones(7), RNG.normal(2, 1, (7, 2))]), RNG.normal(8, 1, 7)
    centred = x[:, 1:] - x[:, 1:].mean(0)

    def by_hand(s: Sites) -> float:
        priors = normal(s["b"]).sum() + stats.t.logpdf(s["Intercept"], 3, 8, 10) + stats.t.logpdf(s["sigma"], 3, 0, 10)
        return priors + normal(y, s["Intercept"] + centred @ s["b"], s["sigma"]).sum()

    return {"X": x, "Y": y}, {"z": np.zeros(3), "sigma": 1.0}, {"z": np.array([1.0, -2.0, 3.0]), "sigma": 3.0}, by_hand


def accel_gp() -> Case:
    y, basis, frequency = RNG.normal(-10, 30, 4), RNG.normal(size=(4, 2)), np.array([[1.5], [4.0]])
    data = {"Y": y, "Xgp_1": basis, "slambda_1": frequency, "Xgp_sigma_1": basis[:, :1], "slambda_sigma_1": frequency[:1]}

    def by_hand(s: Sites) -> float:
        total, curve = stats.t.logpdf(s["Intercept"], 3, -13, 36) + stats.t.logpdf(s["Intercept_sigma"], 3, 0, 10), {}
        for part in ("", "_sigma"):
            sd, length, z = s[f"sdgp{part}_1"], s[f"lscale{part}_1"], s[f"zgp{part}_1"]
            density = sd**2 * np.sqrt(2 * np.pi) * length * np.exp(-(length**2) * data[f"slambda{part}_1"][:, 0] ** 2 / 2)
            curve[part] = data[f"Xgp{part}_1"] @ (np.sqrt(density) * z)
            total += stats.t.logpdf(sd, 3, 0, 36) + stats.invgamma.logpdf(length, 1.124909, scale=0.0177) + normal(z).sum()
        return total + normal(y, s["Intercept"] + curve[""], np.exp(s["Intercept_sigma"] + curve["_sigma"])).sum()

    at = {"Intercept": -10.0, "Intercept_sigma": 2.0, "sdgp_1": 40.0, "lscale_1": 0.1, "zgp_1": np.array([0.5, -1.0])}
    at |= {"sdgp_sigma_1": 2.0, "lscale_sigma_1": 0.3, "zgp_sigma_1": np.array([0.7])}
    return data, at, {**at, "sdgp_1": 20.0, "lscale_1": 0.4, "lscale_sigma_1": 0.02, "zgp_1": np.array([1.5, 0.0])}, by_hand


def lotka_volterra() -> Case:
    y, first = np.array([[47.0, 6.0], [70.0, 10.0], [77.0, 35.0]]), np.array([30.0, 4.0])

    def by_hand(s: Sites) -> float:
        a, b, c, d = s["theta"]
        z = solve_ivp(lambda _, z: [(a - b * z[1]) * z[0], (d * z[0] - c) * z[1]], (0, 3), s["z_init"], t_eval=[1, 2, 3], rtol=1e-10).y.T
        priors = normal(s["theta"], [1, 0.05, 1, 0.05], [0.5, 0.05, 0.5, 0.05]).sum()
        priors += normal(np.log(s["sigma"]), -1, 1).sum() - np.log(s["sigma"]).sum()
        priors += normal(np.log(s["z_init"]), np.log(10), 1).sum() - np.log(s["z_init"]).sum()
        return priors + normal(np.log(first), np.log(s["z_init"]), s["sigma"]).sum() + normal(np.log(y), np.log(z), s["sigma"]).sum()

    at = {"theta": np.array([0.55, 0.028, 0.8, 0.024]), "z_init": np.array([34.0, 6.0]), "sigma": np.array([0.25, 0.3])}
    other = {"theta": np.array([0.9, 0.05, 1.2, 0.05]), "z_init": np.array([20.0, 8.0]), "sigma": np.array([0.5, 0.2])}
    return {"ts": np.array([1, 2, 3]), "y_init": first, "y": y}, at, other, by_hand


def one_comp_mm_elim_abs() -> Case:
    times, seen = np.array([0.5, 1.0, 3.0]), np.array([4.0, 6.0, 9.0])

    def by_hand(s: Sites) -> float:
        def slope(t: float, c: np.ndarray) -> np.ndarray:
            return (np.exp(-s["k_a"] * t) * 30 * s["k_a"] - s["V_m"] * c / (s["K_m"] + c)) / 2

        c = solve_ivp(slope, (0, 3), [0.0], t_eval=times, rtol=1e-10, atol=1e-12).y[0]
        priors = sum(stats.halfcauchy.logpdf(s[name]) for name in ("k_a", "K_m", "V_m", "sigma"))
        return priors + normal(np.log(seen), np.log(c), s["sigma"]).sum()

    at = {"k_a": 0.75, "K_m": 0.5, "rate": 0.1, "sigma": 0.2}
    return {"t0": 0.0, "D": 30.0, "V": 2.0, "times": times, "C_hat": seen}, at, {"k_a": 0.4, "K_m": 6.0, "rate": 0.2, "sigma": 0.6}, by_hand


CASES: dict[str, Callable[[], Case]] = {
    "accel_gp": accel_gp,
    "arK": ark,
    "arma11": arma11,
    "diamonds": diamonds,
    "dogs": dogs,
    "dogs_hierarchical": dogs_hierarchical,
    "dogs_log": dogs_log,
    "eight_schools_noncentered": eight_schools,
    "garch11": garch11,
    "gp_pois_regr": gp_pois_regr,
    "gp_regr": gp_regr,
    "hmm_drive_0": hmm_drive_0,
    "hmm_example": hmm_example,
    "kidscore_interaction": kidscore_interaction,
    "lotka_volterra": lotka_volterra,
    "low_dim_gauss_mix": low_dim_gauss_mix,
    "M0_model": m0,
    "one_comp_mm_elim_abs": one_comp_mm_elim_abs,
}
SAMPLED_FOR = {"gp_pois_regr": ("u", "f_tilde"), "one_comp_mm_elim_abs": ("rate", "V_m")}  # what is sampled in place of what


def log_units(name: str, model: Callable[[], None], values: dict) -> float:
    """Log of how much of a parameter a unit of what is sampled for it is."""
    if name not in SAMPLED_FOR:
        return 0.0
    sampled, named = SAMPLED_FOR[name]

    def at(value: jax.Array) -> jax.Array:
        return trace(seed(substitute(model, {**values, sampled: value}), 0)).get_trace()[named]["value"]

    return np.linalg.slogdet(np.atleast_2d(jax.jacobian(at)(values[sampled])))[1]


@pytest.mark.parametrize("name", CASES)
def test_a_log_density_is_that_of_the_stan_program(name: str) -> None:
    data, *places, by_hand = CASES[name]()
    model = partial(MODELS[name], {key: np.asarray(value) for key, value in data.items()})
    ours, theirs = [], []
    for values in places:
        found, sites = log_density(model, (), {}, values)
        ours.append(float(found) - log_units(name, model, values))
        theirs.append(by_hand({site: np.asarray(part["value"]) for site, part in sites.items()}))
    assert ours[1] - ours[0] == pytest.approx(theirs[1] - theirs[0], abs=1e-4)  # what the solver of equations is good to
    assert abs(theirs[1] - theirs[0]) > 0.1
