"""A study that is not of the form of `gp_appointments`, or has nobody in an area, is refused with what would fit."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayestwin as bt
from bayestwin.errors import StudyError
from bayestwin.prepared import Prepared, prepare

COVERAGE, WORKFORCE = "practice_coverage.csv.gz", "pcn_workforce_fte_by_sub_icb.csv"


def prepared(folder: Path, old: str = "", new: str = "") -> Prepared:
    file = folder / "study.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    return prepare(bt.read_study(folder))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{ area = ", "{ place = ", r"level is not in the hierarchy|levels do not fit"),
        (", region = ", ", country = ", r"levels do not fit the model.*expected \['area', 'board', 'region'\]"),
        ('resolution = "month"\ninteger', 'resolution = "week"\ninteger', r"resolution does not fit the stream 'workforce': found 'week'; expected month"),
        (
            "dims = { hcp_type = \"hcp_type\", mode = \"appointment_mode\" }",
            "dims = { mode = \"appointment_mode\", hcp_type = \"hcp_type\" }",
            r"dims do not fit the stream 'staff_mix'.*in this order",
        ),
        ('band = ["1-5 Minutes", "6-10 Minutes"', 'band = ["6-10 Minutes", "1-5 Minutes"', r"categories are not the bands.*the bands in their order"),
        (
            '[[extract.barriers]]\nkind = "coverage"',
            '[[extract.barriers]]\nkind = "round"\nbase = 1\n[[extract.barriers]]\nkind = "coverage"',
            r"round → coverage",
        ),
        ('kind = "coverage"', 'kind = "linkage"\n[[extract.barriers]]\nkind = "coverage"', r"does not see through this barrier of 'durations': found 'linkage'"),
        ('covered = "patients"', 'covered = "workforce"', r"coverage is no share of patients: found 'workforce'"),
        ('covered = "patients"\npopulation = "registered"', "fraction = 0.5\nlogit_sd = 0.2", r"needs a coverage that is known"),
        ('covered = "patients"\npopulation = "registered"', 'by = "area"\nfraction = { A1 = 0.5 }', r"fractions are stated for \['A1'\]"),
    ],
)  # fmt: skip
def test_a_study_of_another_form_is_refused(tiny_study: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        prepared(tiny_study, old, new)


def test_durations_without_their_barriers_are_refused(tiny_study: Path) -> None:
    file = tiny_study / "study.toml"
    text = file.read_text(encoding="utf-8")
    bare = re.sub(r'\[\[extract\.barriers\]\]\nkind = "(band|unknown)"\n.*?(?=\n\[\[|\n# )', "", text, count=2, flags=re.S)
    file.write_text(bare, encoding="utf-8")
    with pytest.raises(StudyError, match=r"durations need one barrier 'band'(.|\n)*one barrier 'unknown'"):
        prepare(bt.read_study(tiny_study))


@pytest.mark.parametrize("column", ["patients_registered_at_included_practices", "patients_registered_at_open_practices"])
@pytest.mark.parametrize("how", ["zero", "absent"])
def test_an_area_without_patients_is_named(tiny_study: Path, column: str, how: str) -> None:
    file = tiny_study / "extracts" / COVERAGE
    table = pd.read_csv(file, dtype=str)
    there = table["sub_icb_location_code"] != "A2"
    (table.assign(**{column: table[column].where(there, "0")}) if how == "zero" else table[there]).to_csv(file, index=False)
    with pytest.raises(StudyError, match=r"practice_coverage.*area has no patients: found 'A2'"):
        prepared(tiny_study)


@pytest.mark.parametrize("fte", [["1.5"] * 3, ["0", "0", "2.0"], ["0"] * 3])
def test_staff_that_tells_no_areas_apart_has_no_effect(tiny_study: Path, fte: list[str]) -> None:
    file = tiny_study / "extracts" / WORKFORCE
    pd.read_csv(file, dtype=str).assign(fte=fte).to_csv(file, index=False)
    cover = tiny_study / "extracts" / COVERAGE
    table = pd.read_csv(cover, dtype=str)
    table.assign(**dict.fromkeys(table.columns[2:], "9000")).to_csv(cover, index=False)
    assert not np.any(prepared(tiny_study).data.workforce)


def test_a_staff_mix_that_ends_before_the_durations_is_refused(tiny_study: Path) -> None:
    file = tiny_study / "extracts" / "appointments_regional.csv.gz"
    pd.read_csv(file, dtype=str).assign(appointment_month="2021-11").to_csv(file, index=False)
    with pytest.raises(
        StudyError, match=r"appointments_regional.*ends before the durations begin: found '2021-11-01'; expected a month from 2022-01 on"
    ):
        prepared(tiny_study, 'exact = "durations"')
