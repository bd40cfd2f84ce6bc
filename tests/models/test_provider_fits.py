"""Numbers that cannot be are refused by `provider_workload` with file and cell."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from model_parts import model_part

import bayestwin as bt
from bayestwin.errors import ExtractError, StudyError
from bayestwin.library import library_folder
from bayestwin.prepared import prepare


@pytest.fixture
def clinic(tmp_path: Path) -> Path:
    return Path(shutil.copytree(library_folder("data") / "virtual_clinic", tmp_path / "clinic"))


def change(folder: Path, file: str, rows: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    path = folder / "extracts" / file
    rows(pd.read_csv(path, dtype=str)).to_csv(path, index=False)


def put(column: str, row: int, value: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def changed(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[row, column] = value
        return table

    return changed


def group(name: str, value: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def changed(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(patients=table["patients"].mask((table["provider"] == "P002") & table["group"].str.startswith(name), value))

    return changed


@pytest.mark.parametrize(
    ("file", "rows", "message"),
    [
        ("schedule.csv", put("hours", 1, "480"), r"schedule\.csv: more hours than a day has: found '2024-01-02, P002: 480'.*give hours"),
        ("tlx.csv.gz", put("value", 0, "101"), r"tlx\.csv\.gz: number is too large: found '.*: 101'; expected at most 100"),
        ("tlx.csv.gz", put("value", 0, "0"), r"tlx\.csv\.gz: score is exactly an end of its scale: found '.*: 0'.*of kind \"round\""),
        ("tlx.csv.gz", put("value", 0, "100"), r"tlx\.csv\.gz: score is exactly an end of its scale: found '.*: 100'"),
        ("ehr_minutes.csv.gz", put("value", 0, "10081"), r"ehr_minutes\.csv\.gz: number is too large.*at most 10080"),
        ("panel.csv", group("age", "0"), r"panel\.csv: a provider's panel is empty: found 'P002'"),
        ("panel.csv", group("portal", "999999"), r"panel\.csv: a group is larger than the panel: found 'P002'"),
        ("panel.csv", lambda t: t[t["provider"] != "P002"], r"panel\.csv: a provider has no panel: found 'P002'"),
        ("vendors.csv", lambda t: t[t["organisation"] != "O2"], r"vendors\.csv: an organisation has no definition: found 'O2'"),
    ],
)
def test_a_number_that_cannot_be_is_named(clinic: Path, file: str, rows: Callable, message: str) -> None:
    change(clinic, file, rows)
    with pytest.raises(StudyError, match=message):
        bt.check_study(bt.read_study(clinic))


def test_all_of_them_come_at_once(clinic: Path) -> None:
    change(clinic, "schedule.csv", put("hours", 1, "480"))
    change(clinic, "panel.csv", group("age", "0"))
    change(clinic, "tlx.csv.gz", put("value", 0, "101"))
    with pytest.raises(StudyError) as caught:
        prepare(bt.read_study(clinic))
    assert [fault.file.split("/")[1] for fault in caught.value.faults] == ["schedule.csv", "panel.csv", "tlx.csv.gz"]


def test_the_definition_is_the_last_known_of_each_organisation(clinic: Path) -> None:
    """One vendor's definition became known a month before the other's: neither is lost."""
    before = prepare(bt.read_study(clinic)).data.shoulder
    change(clinic, "vendors.csv", put("month", 1, "2023-12"))
    assert prepare(bt.read_study(clinic)).data.shoulder.tolist() == before.tolist() == [0.0, 30.0]


@pytest.mark.parametrize(
    ("stream", "lines", "message"),
    [
        ("hours", 'dims = { group = "slots" }', r"dims do not fit the stream 'hours': found \"\['group'\]\"; expected \[\]"),
        ("slots", 'barriers = [{ kind = "suppress", below = 2 }]', r"the stream 'slots' is used as it is shown: found 'suppress'"),
        ("hours", 'barriers = [{ kind = "delay", maximum = 1, pmf = [0.5, 0.5], released = "so_far" }]', r"'hours' is used as it is shown"),
        ("slots", 'barriers = [{ kind = "site_absence", dim = "clinc", absent = ["C01"] }]', r"there is no dim 'clinc' here"),
    ],
)
def test_an_extract_of_another_form_is_refused(clinic: Path, stream: str, lines: str, message: str) -> None:
    file = clinic / "study.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(f'stream = "{stream}"\n', f'stream = "{stream}"\n{lines}\n', 1), encoding="utf-8")
    with pytest.raises(StudyError, match=message):
        prepare(bt.read_study(clinic))


def with_barrier(study: Path, stream: str, barrier: str) -> bt.Study:
    """The study with one more barrier on a stream."""
    text = (study / "study.toml").read_text(encoding="utf-8")
    before, after = text.split(f'stream = "{stream}"\n')
    own, mark, others = after.partition("\n[[extract]]\n")
    (study / "study.toml").write_text(
        f'{before}stream = "{stream}"\n{own}\n[[extract.barriers]]\n{barrier}\n{mark}{others}', encoding="utf-8"
    )
    return bt.read_study(study)


def test_a_score_at_an_end_of_its_scale_is_taken_where_its_rounding_is_known(clinic: Path) -> None:
    def rounded(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(value=(5 * (table["value"].astype(float) / 5).round()).astype(int).astype(str))

    change(clinic, "tlx.csv.gz", lambda table: put("value", 0, "100")(rounded(table)))
    survey = prepare(with_barrier(clinic, "tlx", 'kind = "round"\nbase = 5')).data.streams["tlx"]
    assert (survey.ends == [97.5, 102.5]).all(-1).sum() == 1


def test_a_score_that_reaches_to_an_end_is_at_none(clinic: Path) -> None:
    at_an_end = model_part("provider_workload", "fits").at_an_end
    labels = {"week": np.array(["2024-01-01"]), "provider": np.array(["P001", "P002", "P003"])}
    faults = at_an_end("tlx.csv", np.array([[[0.0, 20.0], [80.0, 100.0], [100.0, 100.0]]]), labels, 100.0)
    assert [fault.value for fault in faults] == ["2024-01-01, P003: 100"]


def test_a_shift_in_points_of_a_bounded_score_is_refused(clinic: Path) -> None:
    with pytest.raises(StudyError, match=r"extract\.tlx\.barriers.*a shift in points does not fit the stream 'tlx'.*use site_selection"):
        prepare(with_barrier(clinic, "tlx", 'kind = "non_response"\nresponse = 0.5'))


def test_a_report_that_cannot_be_there_yet_is_named(clinic: Path) -> None:
    """Of the last three days, a Friday among them, nothing can be reported where the delay is three days at least."""
    text = (clinic / "study.toml").read_text(encoding="utf-8")
    (clinic / "study.toml").write_text(
        text.replace("[0.55, 0.2, 0.1, 0.06, 0.04, 0.03, 0.02]", "[0, 0, 0, 0.5, 0.5, 0, 0]"), encoding="utf-8"
    )
    with pytest.raises(ExtractError, match="holds a number that the barrier 'delay' says cannot be reported by the as-of date") as caught:
        prepare(bt.read_study(clinic))
    calls = pd.read_csv(clinic / "extracts" / "calls.csv.gz", dtype=str)
    last = calls[calls["day"] == "2024-06-28"].sort_values("provider")
    assert {"*"} < set(last["value"])  # hidden ones and numbers
    named = [fault.value for fault in caught.value.faults if fault.file.endswith("calls.csv.gz") and fault.value]
    assert named == [f"2024-06-28, {provider}" for provider in last["provider"][last["value"] != "0"]][:10]
