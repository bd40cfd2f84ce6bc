import json
import re
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
        ("horizon_weeks = 8", 'horizon_weeks = "8"', r"horizon_weeks.*valid integer: found '8'"),
        ("horizon_weeks = 8", "horizon_weeks = true", r"horizon_weeks.*valid integer: found 'True'"),
        ("structural = true", "structural = 1", r"structural.*valid boolean: found '1'"),
        ("slope_sd = 0.25", "slope_sd = nan", r"slope_sd.*finite number: found 'nan'"),
        ("slope_range = [-0.5, 0.5]", "slope_range = [-0.5, inf]", r"slope_range.*finite number"),
        ("start = 2021-10-25", "start = 20211025", r"school_holidays\.0\.start.*valid date: found '20211025'"),
        ("end = 2021-10-29", "end = 2021-10-09", r"runs from 2021-10-25 to 2021-10-09: give the earlier day first"),
        ('country = "GB"', 'country = "UKK"', r"Country UKK not available: give ISO 3166 codes"),
        ('subdivision = "ENG"', 'subdivision = "Kent"', r"does not have subdivision Kent"),
        ('name = "nhs_gp"', 'name = ".."', r"'name'.*pattern"),
        ('name = "nhs_gp"', 'name = "nhs_gp"\nfoo = ' + "[" * 9_999, r"is not TOML"),
        ("horizon_weeks = 8", "horizon_weeks = " + "9" * 9_999, r"is not TOML"),
        (
            'exact = "durations"',
            'exact = "duration"',
            r"aggregate\.exact'.*no extract feeds the stream: found 'duration'.*did you mean 'durations'",
        ),
        ('covered = "patients"', 'covered = "patient"', r"coverage\.covered'.*no extract feeds the stream.*did you mean 'patients'"),
        ('name = "staff and mode"', 'name = "actual durations"', r"two extracts have one name: found 'actual durations'"),
        ('mode = ["Face-to-Face"', 'mode = ["Unknown", "Face-to-Face"', r"categories of 'mode' are .*give each category once"),
        ('{ area = "sub_icb_location_code", board', '{ week = "sub_icb_location_code", board', r"levels cannot be named \['week'\]"),
        (
            '"extracts/geography.csv"',
            '"../geography.csv"',
            r"outside of the study's folder: found '../geography\.csv'.*copy it into the folder",
        ),
        ('"extracts/geography.csv"', '"' + "x" * 5_000 + '"', r"file is missing: found 'xxx"),
        ('"extracts/geography.csv"', '"a\\u0000b"', r"file is missing"),
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


@pytest.mark.parametrize("day", ["1979-12-31", "2100-01-02", "9999-12-31", "0001-01-01"])
def test_a_study_is_asked_as_of_a_day_of_our_time(tiny_study: Path, day: str) -> None:
    with pytest.raises(StudyError, match=f"as_of.*give a day from 1980-01-01 to 2100-01-01.*found '{day}'"):
        bt.read_study(edited(tiny_study, "as_of = 2022-02-06", f"as_of = {day}"))


def test_levels_cannot_be_none_at_all(tiny_study: Path) -> None:
    file = tiny_study / "study.toml"
    file.write_text(re.sub(r"(?m)^columns = \{ area .*$", "columns = {}", file.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(StudyError, match=r"hierarchy\.columns"):
        bt.read_study(tiny_study)


def test_a_byte_order_mark_before_the_study_is_passed_over(tiny_study: Path) -> None:
    before = bt.read_study(tiny_study)
    (tiny_study / "study.toml").write_bytes(b"\xef\xbb\xbf" + (tiny_study / "study.toml").read_bytes())
    assert bt.read_study(tiny_study) == before


def with_prior(folder: Path, name: str, distribution: str, parameters: str) -> Path:
    with (folder / "study.toml").open("a", encoding="utf-8") as file:
        file.write(
            f'\n[[prior]]\nname = "{name}"\ndistribution = "{distribution}"\nparameters = {parameters}\nunit = "1"\nsource = "a count"\n'
        )
    return folder


@pytest.mark.parametrize(
    ("name", "distribution", "parameters", "message"),
    [
        (
            "other_ratio",
            "Normal",
            "[1.0, 0.1]",
            r"'other_ratio' reaches where it cannot be: found 'Normal'; expected a family from 0 to inf",
        ),
        ("other_ratio", "LogNormal", "[0.3, 0.0]", r"has a parameter that is not above zero.*expected a spread above zero"),
        ("other_ratio", "Gamma", "[-1.0, 2.0]", r"has a parameter that is not above zero.*expected numbers above zero"),
        ("sd_area", "HalfNormal", "[-0.2]", r"has a parameter that is not above zero"),
        ("sd_area", "HalfNormal", "[[0.2, 0.3]]", r"'sd_area' has the wrong shape.*expected numbers"),
        ("sd_area", "HalfNormal", "[0.2, 0.3]", r"wrong number of parameters"),
        ("weekday_effect", "Normal", "[0.0, 0.1]", r"'weekday_effect' has the wrong shape.*lists of 4, that make 4 values"),
        ("weekday_effect", "Normal", "[[0.0, 0.1], [1.0, 1.0, 1.0]]", r"wrong shape"),
        ("weekday_effect", "Normal", "[[0.0, 0.1, 0.2, inf], 1.0]", r"finite number"),
    ],
)
def test_a_prior_that_cannot_be_is_refused(tiny_study: Path, name: str, distribution: str, parameters: str, message: str) -> None:
    from bayestwin.prepared import prepare

    with pytest.raises(StudyError, match=message):
        prepare(bt.read_study(with_prior(tiny_study, name, distribution, parameters)))


def test_two_priors_of_one_parameter_are_refused(tiny_study: Path) -> None:
    for spread in ("[0.2]", "[0.3]"):
        with_prior(tiny_study, "sd_area", "HalfNormal", spread)
    with pytest.raises(StudyError, match=r"two priors of one parameter: found 'sd_area'"):
        bt.read_study(tiny_study)


def test_a_faulty_prior_and_faulty_rows_are_reported_together(tiny_study: Path) -> None:
    (tiny_study / "extracts" / "practice_coverage.csv.gz").write_bytes(b"")
    with pytest.raises(ExtractError) as caught:
        bt.check_study(bt.read_study(with_prior(tiny_study, "sd_aera", "HalfNormal", "[0.2]")))
    assert {fault.file for fault in caught.value.faults} == {"study.toml", "extracts/practice_coverage.csv.gz"}


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
