import json
from pathlib import Path

import pytest

import bayestwin as bt
from bayestwin.errors import ExtractError, StudyError

ROOT = Path(__file__).parents[1]


def edited(folder: Path, old: str, new: str) -> Path:
    file = folder / "study.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    return folder


def test_json_schema_in_docs_is_in_step() -> None:
    written = json.loads((ROOT / "docs" / "study.schema.json").read_text(encoding="utf-8"))
    assert written == bt.study_json_schema(), "run: python -m bayestwin.study > docs/study.schema.json"


def test_hash_ignores_layout_and_comments(tiny_study: Path) -> None:
    before = bt.read_study(tiny_study).sha256
    edited(tiny_study, "grid = ", "# a remark\ngrid   = ")
    assert bt.read_study(tiny_study).sha256 == before
    edited(tiny_study, "horizon_weeks = 8", "horizon_weeks = 9")
    assert bt.read_study(tiny_study).sha256 != before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("horizon_weeks = 8", "horizon_week = 8", r"horizon_week.*did you mean 'horizon_weeks'"),
        ('resolution = "day"', 'resolutoin = "day"', r"resolutoin.*did you mean 'resolution'"),
        ("structural = true", "structral = true", r"structral.*did you mean 'structural'"),
        ('grid = "week"', 'grid = "fortnight"', r"grid.*fortnight"),
        ("horizon_weeks = 8", "horizon_weeks = -1", r"horizon_weeks.*-1"),
        ("low = 5.5, high = 10.5", "low = 4.5, high = 10.5", r"bands overlap: '1-5 Minutes' ends at 5\.5, '6-10 Minutes' begins at 4\.5"),
        ("low = 5.5, high = 10.5", "low = 7.5, high = 10.5", r"gap between bands"),
        ('level = "area"', 'level = "aera"', r"level is not in the hierarchy.*did you mean 'area'"),
        ("extracts/geography.csv", "extracts/places.csv", r"file is missing.*places\.csv"),
        ('kind = "withheld"', 'kind = "witheld"', r"witheld"),
        ("[calendar]", "[calendar", r"is not TOML"),
        ('repeated = "sum"', 'repeated = "sum"\ncolumns.report = "x"', r"repeated|is not TOML"),
    ],
)
def test_a_faulty_study_is_refused_with_the_place_and_the_remedy(tiny_study: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        bt.read_study(edited(tiny_study, old, new))


def test_all_faults_of_a_study_are_reported_at_once(tiny_study: Path) -> None:
    edited(tiny_study, "horizon_weeks = 8", "horizon_week = 8")
    with pytest.raises(StudyError) as caught:
        bt.read_study(edited(tiny_study, 'grid = "week"', 'grid = "fortnight"'))
    assert len(caught.value.faults) == 2


def test_prior_needs_a_source(tiny_study: Path) -> None:
    with (tiny_study / "study.toml").open("a", encoding="utf-8") as file:
        file.write('\n[[prior]]\nname = "other_ratio"\ndistribution = "LogNormal"\nparameters = [0.3, 0.1]\nunit = "ratio"\n')
    with pytest.raises(StudyError, match=r"prior\.0\.source"):
        bt.read_study(tiny_study)


def test_unknown_prior_names_the_nearest(tiny_study: Path) -> None:
    from bayestwin.calibration import prepare

    with (tiny_study / "study.toml").open("a", encoding="utf-8") as file:
        file.write(
            '\n[[prior]]\nname = "other_rati"\ndistribution = "LogNormal"\nparameters = [0.3, 0.1]\nunit = "ratio"\nsource = "a count"\n'
        )
    with pytest.raises(StudyError, match=r"unknown prior.*did you mean 'other_ratio'"):
        prepare(bt.read_study(tiny_study))


def test_stream_that_the_model_does_not_know(tiny_study: Path) -> None:
    study = bt.read_study(edited(tiny_study, 'stream = "workforce"', 'stream = "workfroce"'))
    with pytest.raises(ExtractError, match=r"unknown stream.*did you mean 'workforce'") as caught:
        bt.check_study(study)
    assert any("no extract feeds" in fault.problem for fault in caught.value.faults)


def test_no_study_there(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="bayestwin init"):
        bt.read_study(tmp_path / "nowhere")
