"""The study that durations are given back to: withheld areas are gone from the table and named as a barrier."""

import sys
from pathlib import Path

import pandas as pd
import pytest

import bayestwin as bt
from bayestwin.prepared import prepare
from bayestwin.preposterior.current import sites_of_model
from bayestwin.preposterior.lifting import barrier_names
from bayestwin.twin.scenario import Scenario

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))  # a script's folder, as it is when the script runs

from give_back import ABSENT, LATE, TABLE, delay, summary, withhold


def test_areas_that_are_withheld_can_be_asked_for(tmp_path: Path, nhs_folder: Path) -> None:
    study = bt.init_study(tmp_path / "study", "nhs_gp", nhs_folder)
    withhold(study.folder, ["00L", "00N"])
    left = pd.read_csv(study.folder / "extracts" / TABLE, dtype=str)["sub_icb_location_code"]
    assert len(left.unique()) == 104
    assert not {"00L", "00N"} & set(left)
    prepared = prepare(bt.read_study(study.folder))
    assert ABSENT in barrier_names(sites_of_model(prepared.finer, prepared.twin.definition.reads))


def test_a_delayed_table_can_be_asked_for_and_its_forecast_begins_with_the_same_week(tmp_path: Path, nhs_folder: Path) -> None:
    studies = [bt.init_study(tmp_path / name, "nhs_gp", nhs_folder) for name in ("whole", "late")]
    delay(studies[1].folder, 28)
    whole, late = (prepare(bt.read_study(study.folder)) for study in studies)
    assert (whole.data.late, late.data.late) == (0, 4)
    begins = [one.twin.definition.future(one.data, 8, Scenario(), one.study.calendar).weeks[0] for one in (whole, late)]
    assert begins[0] == begins[1]
    assert LATE in barrier_names(sites_of_model(late.finer, late.twin.definition.reads))


def test_answers_of_a_level_are_summed_up_with_the_error_between_them() -> None:
    row = {"level": "area", "name": "hours", "predicted_error": 0.0, "realised_error": 0.0, "moved": 1.0, "normal_over_draws": 1.0}
    widths = {f"width_{when}": 10.0 for when in ("now", "predicted", "realised")}
    table = pd.DataFrame([row | widths | {"predicted": 0.2, "realised": 0.2 + apart} for apart in (0.0, 0.1, 0.2)])
    (found,) = summary(table)
    assert found["answers"] == 3
    assert found["apart"] == pytest.approx(0.1)
    assert found["error"] == pytest.approx(0.1 / 3**0.5)
