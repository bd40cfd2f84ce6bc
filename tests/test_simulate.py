from pathlib import Path

import pytest
import xarray as xr
from typer.testing import CliRunner

import bayestwin as bt
from bayestwin.cli import app
from bayestwin.errors import ModelError
from bayestwin.simulate import FUTURE_WEEKS, design_of


def test_sizes_are_the_models_own_unless_asked_for() -> None:
    assert design_of("gp_appointments") == bt.Design(units=24, groups=6, weeks=26)
    assert design_of("gp_appointments", groups=4) == bt.Design(units=24, groups=4, weeks=26)


def test_groups_without_units_are_refused() -> None:
    with pytest.raises(ModelError, match=r"more groups than units.*'7'.*at most 5"):
        design_of("gp_appointments", units=5, groups=7)


def test_a_study_is_drawn_with_its_truth_and_its_future(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["simulate", "--units", "4", "--groups", "2", "--weeks", "8", "--out", str(tmp_path / "new")])
    assert done.exit_code == 0, done.output
    study = bt.read_study(tmp_path / "new")
    assert bt.check_study(study)["units"] == {"area": 4, "board": 2, "region": 1}
    with xr.open_dataset(tmp_path / "new" / "truth.nc", engine="h5netcdf") as truth:
        assert truth["area_level"].dims == ("area",)
        for quantity in bt.load_twin("gp_appointments").definition.quantities:
            assert dict(truth[f"future_{quantity.name}"].sizes) == {"future_week": FUTURE_WEEKS, "area": 4}
