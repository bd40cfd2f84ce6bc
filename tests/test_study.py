import json
from datetime import date
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
        ("low = 5.5, high = 10.5", "lwo = 5.5, high = 10.5", r"barriers\.1\.band\.bands\.1\.lwo: unknown key|lwo'.*did you mean 'low'"),
        ('value = "fte" }', 'valeu = "fte" }', r"columns\.valeu.*did you mean 'value'"),
        ('subdivision = "ENG"', 'subdivison = "ENG"', r"calendar\.subdivison.*did you mean 'subdivision'"),
        ('unit = "minutes"', 'unit = "mintues"', r"unit.*'minutes'.*found 'mintues'"),
        ('measure = "fte"', 'measure = "ftes"', r"measure.*'fte'.*found 'ftes'"),
        ("slope_range = [-0.5, 0.5]", "slope_range = [0.5, -0.5]", r"give the lower end first"),
        ("slope_sd = 0.25", "slope_sd = -0.25", r"slope_sd.*greater than 0"),
        ('event_format = "%d-%b-%y"', 'event_format = "%Q-%Y"', r"event_format.*'Q' is a bad directive"),
        ('event_format = "%d-%b-%y"', 'event_format = "dd-mm-yy"', r"event_format.*strptime codes with a year"),
        ('event_format = "%d-%b-%y"', 'event_format = "%d-%d-%y"', r"event_format.*a code is there twice"),
        ("{ band = ", "{ area = ", r"dims cannot be named \['area'\]"),
        ('stream = "workforce"', 'stream = "patients"', r"stream is fed by two extracts.*'patients'"),
        ('band = ["1-5', 'bnad = ["1-5', r"categories of a dim without a column: found 'bnad'.*'band'"),
        ("as_of = ", "as_of = 1", r"is not TOML|as_of"),
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


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ('unit = "ratio"', "source"),
        ('source = "a count"', "unit"),
        ('unit = "ratio"\nsource = ""', "source"),
        ('unit = ""\nsource = "a count"', "unit"),
    ],
)
def test_prior_needs_a_unit_and_a_source(tiny_study: Path, lines: str, key: str) -> None:
    with (tiny_study / "study.toml").open("a", encoding="utf-8") as file:
        file.write(f'\n[[prior]]\nname = "other_ratio"\ndistribution = "LogNormal"\nparameters = [0.3, 0.1]\n{lines}\n')
    with pytest.raises(StudyError, match=rf"prior\.0\.{key}"):
        bt.read_study(tiny_study)


def test_all_missing_files_are_named_at_once(tiny_study: Path) -> None:
    for name in ("geography.csv", "practice_coverage.csv.gz"):
        (tiny_study / "extracts" / name).unlink()
    with pytest.raises(StudyError, match=r"file is missing.*copy it there or correct its name") as caught:
        bt.read_study(tiny_study)
    assert [fault.value for fault in caught.value.faults] == ["extracts/geography.csv", "extracts/practice_coverage.csv.gz"]


def test_a_file_that_is_no_text_is_no_study(tiny_study: Path) -> None:
    (tiny_study / "study.toml").write_bytes(b"\xff\xfe\0\0")
    with pytest.raises(StudyError, match="is not TOML"):
        bt.read_study(tiny_study)


def test_the_same_study_at_another_date(tiny_study: Path) -> None:
    study = bt.read_study(tiny_study / "study.toml")
    moved = study.at(date(2022, 1, 20))
    assert (moved.as_of, moved.folder) == (date(2022, 1, 20), study.folder)
    assert moved.sha256 != study.sha256


def test_unknown_prior_names_the_nearest(tiny_study: Path) -> None:
    from bayestwin.prepared import prepare

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


def test_the_sd_that_a_barrier_states_is_the_prior_of_its_selection(tiny_study: Path) -> None:
    from bayestwin.prepared import prepare

    assert not prepare(bt.read_study(tiny_study)).priors["null_slope"].overridden
    priors = prepare(bt.read_study(edited(tiny_study, "slope_sd = 0.25", "slope_sd = 0.4"))).priors
    assert priors["null_slope"].parameters == (0.0, 0.4)
    assert priors["null_slope"].overridden
    assert not priors["unknown_staff_slope"].overridden
