"""Power-scaling: what speaks of a parameter is told from what does not, and from noise."""

import numpy as np
import pytest
import xarray as xr

from bayestwin.analyse.scaling import PRIOR, SENSITIVE, moved_by, power_scaling


class Drawn:
    """A run of two means: `seen`, of a stream of forty cells, and `unseen`, of none; a stream of very many cells that speaks of neither."""

    def __init__(self, seed: int = 1) -> None:
        rng = np.random.default_rng(seed)
        dims = ("chain", "draw")
        seen, unseen = rng.normal(0.0, 1 / np.sqrt(41), (4, 1000)), rng.normal(size=(4, 1000))
        cells = -0.5 * np.square(np.linspace(-1.0, 1.0, 40) - seen[..., None])
        crowd = rng.normal(0.0, 0.5, (4, 1000, 1600))
        self.posterior = xr.Dataset({"seen": (dims, seen), "unseen": (dims, unseen)})
        priors = {name: (dims, -0.5 * np.square(values)) for name, values in (("seen", seen), ("unseen", unseen))}
        likelihood = {"told": ((*dims, "cell"), cells), "crowd": ((*dims, "other"), crowd)}
        self.groups = {"log_prior": xr.Dataset(priors), "log_likelihood": xr.Dataset(likelihood)}
        self.manifest = {"priors": [{"name": "seen"}, {"name": "unseen"}]}

    def group(self, name: str) -> xr.Dataset:
        return self.groups[name]


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    return power_scaling(Drawn())


def test_every_parameter_meets_its_prior_and_every_stream(rows: list[dict]) -> None:
    assert {(row["parameter"], row["source"]) for row in rows} == {
        (name, source) for name in ("seen", "unseen") for source in (PRIOR, "told", "crowd")
    }


def test_a_parameter_is_moved_by_what_speaks_of_it_alone(rows: list[dict]) -> None:
    moved = moved_by(rows)
    assert list(moved["seen"]) == ["told"]
    assert list(moved["unseen"]) == [PRIOR]


def test_a_stream_of_many_cells_moves_everything_in_appearance(rows: list[dict]) -> None:
    """Without its noise, the crowd would be heard."""
    crowd = [row for row in rows if row["source"] == "crowd"]
    assert max(row["value"] for row in crowd) > SENSITIVE
    assert all(row["noise"] > SENSITIVE for row in crowd)


def test_a_run_without_scalar_parameters_has_no_rows() -> None:
    run = Drawn()
    run.manifest = {"priors": []}
    assert power_scaling(run) == []
