"""The model in PyMC has the log density of the model in NumPyro, up to a constant."""

from pathlib import Path

import numpy as np
import pytest
from numpyro.infer.util import log_density

import bayestwin as bt
from bayestwin.infer.predictive import prior_draws, sites
from bayestwin.prepared import Prepared, prepare

pytest.importorskip("pymc")


@pytest.fixture(params=["week", "day"])
def prepared(tiny_study: Path, request: pytest.FixtureRequest) -> Prepared:
    file = tiny_study / "study.toml"
    text = file.read_text(encoding="utf-8").replace('grid = "week"', f'grid = "{request.param}"')
    file.write_text(text, encoding="utf-8")
    return prepare(bt.read_study(tiny_study))


def test_both_engines_have_the_same_log_density(prepared: Prepared) -> None:
    made = prepared.twin.definition.second(prepared.data, prepared.priors)
    names = sites(prepared.model).latent
    assert {variable.name for variable in made.free_RVs} == set(names)
    points = prior_draws(prepared.model, np.random.default_rng(1), 6)
    values = {variable: made.rvs_to_values[variable] for variable in made.free_RVs}
    of_second = made.compile_fn(made.logp(jacobian=False), inputs=list(values.values()), mode="JAX", on_unused_input="ignore")
    found = []
    for i in range(6):
        point = {name: points[name][i] for name in names}
        ours = float(log_density(prepared.model, (), {}, point)[0])
        theirs = float(of_second({values[v].name: _unconstrained(made, v, point[v.name]) for v in made.free_RVs}))
        found.append((ours, theirs))
    ours, theirs = np.array(found).T
    assert np.ptp(ours) > 1.0
    np.testing.assert_allclose(theirs - theirs[0], ours - ours[0], rtol=1e-9, atol=1e-6)


def _unconstrained(made, variable, value):
    transform = made.rvs_to_transforms[variable]
    return value if transform is None else transform.forward(np.asarray(value), *variable.owner.inputs).eval(mode="JAX")
