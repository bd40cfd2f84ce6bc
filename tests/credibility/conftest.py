"""A run that several files of tests check; each leaves it as it found it, but for what `validate` last said of it."""

import pytest
from bakery_study import write_bakery

import bayestwin as bt


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> bt.Run:
    """The bakery, calibrated."""
    folder = tmp_path_factory.mktemp("bakery")
    return bt.calibrate(bt.read_study(write_bakery(folder / "study")), bt.Sampling(chains=4, draws=800, warmup=400), folder / "run")
