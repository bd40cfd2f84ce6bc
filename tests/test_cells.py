"""What a study's barriers make of its extracts: hidden cells, contradictions, absences, sums that must agree."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayestwin as bt
from bayestwin.barriers import Delay
from bayestwin.cells import StudyExtract, cells_of, grid_of
from bayestwin.errors import ExtractError, StudyError
from bayestwin.extracts.hierarchy import Hierarchy, HierarchyFile, read_hierarchy_file
from bayestwin.extracts.observations import Observations, read_extract

STREAMS = ("durations", "staff_mix", "patients", "registered", "workforce")
PATIENTS = "practice_coverage.csv.gz"
HEAD = '[[extract]]\nname = "patients at open practices"'


def with_barriers(study: Path, text: str) -> Path:
    """Put barriers to the extract of patients at included practices."""
    toml = (study / "study.toml").read_text(encoding="utf-8")
    assert HEAD in toml
    (study / "study.toml").write_text(toml.replace(HEAD, f"{text}\n\n{HEAD}"), encoding="utf-8")
    return study


def edit(study: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    path = study / "extracts" / PATIENTS
    change(pd.read_csv(path, dtype=str)).to_csv(path, index=False)


def observations(study: Path) -> dict[str, Observations]:
    read = bt.read_study(study)
    return bt.read_observations(read, bt.read_hierarchy(read), STREAMS)


def faults(study: Path) -> list[str]:
    with pytest.raises(ExtractError) as caught:
        observations(study)
    return [str(fault) for fault in caught.value.faults]


def test_hidden_cells_are_read_as_what_they_hide(tiny_study: Path) -> None:
    edit(tiny_study, lambda t: t.assign(patients_registered_at_included_practices=["*", *t.iloc[1:, 2]]))
    study = bt.read_study(
        with_barriers(tiny_study, '[[extract.barriers]]\nkind = "suppress"\nbelow = 8\n[[extract.barriers]]\nkind = "round"\nbase = 5')
    )
    hierarchy = bt.read_hierarchy(study)
    found = bt.read_observations(study, hierarchy, STREAMS)["patients"]
    extract = next(extract for extract in study.extracts if extract.stream == "patients")
    cells = cells_of(found, extract.access(study.as_of))
    assert int(found.hidden.sum()) == 1
    assert cells[found.hidden].tolist() == [[1.0, 7.0]]
    assert cells[found.mask & ~found.hidden][0].tolist() == [9498.0, 9502.0]  # area A2 has 9,500
    assert grid_of(found, hierarchy).above["area", "board"].tolist() == ["B1", "B1", "B2"]


def test_a_symbol_without_a_barrier_is_a_fault(tiny_study: Path) -> None:
    edit(tiny_study, lambda t: t.assign(patients_registered_at_included_practices=["*", *t.iloc[1:, 2]]))
    assert any("found '*'" in text and "a barrier that says how it was hidden" in text for text in faults(tiny_study))


def test_a_number_that_a_barrier_rules_out_is_named_with_its_line(tiny_study: Path) -> None:
    edit(tiny_study, lambda t: t.assign(patients_registered_at_included_practices=["3", "9001", *t.iloc[2:, 2]]))
    with_barriers(tiny_study, '[[extract.barriers]]\nkind = "suppress"\nbelow = 8\n[[extract.barriers]]\nkind = "round"\nbase = 5')
    found = faults(tiny_study)
    column = "column 'patients_registered_at_included_practices'"
    assert f"extracts/{PATIENTS}, {column}, line 2: value contradicts the barrier 'round': found '3'; expected multiples of 5" in found[0]
    assert any("line 3" in text and "found '9001'" in text for text in found)
    assert all("correct the barrier in study.toml, or ask the owner" in text for text in found)


def test_a_small_number_that_should_be_hidden(tiny_study: Path) -> None:
    edit(tiny_study, lambda t: t.assign(patients_registered_at_included_practices=["3", *t.iloc[1:, 2]]))
    with_barriers(tiny_study, '[[extract.barriers]]\nkind = "suppress"\nbelow = 8')
    assert "line 2: value contradicts the barrier 'suppress': found '3'; expected 0 and numbers from 8 on, or '*'" in faults(tiny_study)[0]


def test_a_number_under_embargo(tiny_study: Path) -> None:
    with_barriers(tiny_study, '[[extract.barriers]]\nkind = "embargo"\nstart = 2022-01-01\nend = 2022-01-31')
    found = faults(tiny_study)
    assert "holds a number that the barrier 'embargo' says is not released: found '2022-01-01, A1'" in found[0]


@pytest.mark.parametrize(
    ("barrier", "message"),
    [
        (
            'kind = "site_absence"\ndim = "area"\nabsent = ["A9"]',
            r"does not fit its extract: site_absence: \['A9'\] are not among the areas",
        ),
        ('kind = "site_absence"\ndim = "clinic"\nabsent = []', r"does not fit its extract: site_absence: there is no dim 'clinic' here"),
    ],
)
def test_an_absence_that_does_not_fit_is_a_fault_of_the_study(tiny_study: Path, barrier: str, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        bt.check_study(bt.read_study(with_barriers(tiny_study, f"[[extract.barriers]]\n{barrier}")))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'level = "board"\nexact',
            'level = "region"\nexact',
            r"'durations' have the dims \['month', 'region'\], the extract has \['month', 'board'\]",
        ),
        ('level = "board"\nexact', 'level = "country"\nexact', r"sums by country need to know which units belong"),
    ],
)
def test_sums_of_other_cells_than_the_extract_has_are_a_fault_of_the_study(tiny_study: Path, old: str, new: str, message: str) -> None:
    file = tiny_study / "study.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(StudyError, match=f"does not fit its extract: aggregate: .*{message}"):
        bt.check_study(bt.read_study(tiny_study))


def test_sums_that_should_agree_and_do_not(nhs_folder: Path, tmp_path: Path) -> None:
    study = tmp_path / "nhs"
    bt.init_study(study, "nhs_gp", nhs_folder)
    assert observations(study)["staff_mix"].values.sum() > 0  # as published they agree to the last appointment
    path = study / "extracts" / "appointments_regional.csv.gz"
    table = pd.read_csv(path, dtype=str)
    row = table.index[(table["appointment_month"] == "2022-03") & (table["appointment_status"] == "Attended")][0]
    table.loc[row, "count_of_appointments"] = str(int(table.loc[row, "count_of_appointments"]) + 1)
    table.to_csv(path, index=False)
    found = faults(study)
    assert len(found) == 1
    assert f"is not the sum of the stream 'durations', in {table.loc[row, 'icb_ons_code']} and the month of 2022-03-01" in found[0]


@pytest.mark.parametrize(
    ("barriers", "message"),
    [
        ('kind = "dp_noise"\nepsilon = 1.0', "a privacy claim without its mechanism"),
        ('kind = "round"\nbase = 5\n[[extract.barriers]]\nkind = "coverage"\nfraction = 0.5', "round → coverage"),
        ('kind = "delay"\nmaximum = 3', "needs reports = 'add' and max_delay = 3"),
        ('kind = "suppres"\nbelow = 3', "suppres"),
        ('kind = "suppress"\nbelow = 3\nbase = 5', "unknown key"),
    ],
)
def test_impossible_barriers_are_refused_where_the_study_is_read(tiny_study: Path, barriers: str, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        bt.read_study(with_barriers(tiny_study, f"[[extract.barriers]]\n{barriers}"))


TRIANGLE = StudyExtract.model_validate(
    {
        "name": "t", "stream": "s", "file": "t.csv", "level": "area", "measure": "messages", "reports": "add", "max_delay": 2,
        "columns": {"unit": "area", "event": "event", "report": "report", "value": "n"},
        "barriers": [{"kind": "delay", "maximum": 2}],
    }
)  # fmt: skip


def read_triangle(folder: Path, text: str, as_of: date) -> tuple[Observations, Hierarchy]:
    (folder / "t.csv").write_text(text, encoding="utf-8")
    (folder / "places.csv").write_text("area\nA\n", encoding="utf-8")
    hierarchy = read_hierarchy_file(folder, HierarchyFile(file="places.csv", columns={"area": "area"}))
    return read_extract(folder, TRIANGLE, hierarchy, as_of), hierarchy


def triangle_cells(folder: Path, text: str) -> np.ndarray:
    as_of = date(2024, 1, 9)
    return cells_of(read_triangle(folder, text, as_of)[0], TRIANGLE.access(as_of))


def test_a_triangle_is_read_as_of_the_study(tmp_path: Path) -> None:
    """The delay's truncation, the extract's mask and the ends of the cells say the same of every day."""
    rows = [f"2024-01-{day:02d},2024-01-{day + lag:02d},A,{10 - lag}" for day in range(1, 8) for lag in range(3)]
    for day in (3, 5, 9):
        as_of = date(2024, 1, day)
        found, hierarchy = read_triangle(tmp_path, "\n".join(["event,report,area,n", *rows]), as_of)
        access = TRIANGLE.access(as_of)
        delay = access.channels[0]
        assert isinstance(delay, Delay)
        assert (delay.present(grid_of(found, hierarchy)) == found.mask).all()
        ends = cells_of(found, access)
        assert np.isinf(ends[~found.mask]).all()
        assert (ends[found.mask][:, 0] == found.values[found.mask]).all()


def test_corrections_take_back_the_latest_reports(tmp_path: Path) -> None:
    text = "event,report,area,n\n2024-01-01,2024-01-01,A,5\n2024-01-01,2024-01-02,A,2\n2024-01-01,2024-01-03,A,-3\n"
    assert triangle_cells(tmp_path, text)[0, 0, :, 0].tolist() == [4.0, 0.0, 0.0]
    with pytest.raises(ExtractError, match=r"corrections take back more than was reported: found '2024-01-01, A, 0'"):
        triangle_cells(tmp_path, text.replace("-3", "-9"))
