"""Every fault of an extract has its own message, with the place and the remedy."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bayestwin as bt
from bayestwin.errors import BayestwinError, ExtractError
from bayestwin.extracts.observations import read_extract

DURATIONS = "extracts/actual_duration.csv.gz"


def altered(folder: Path, change: Callable[[pd.DataFrame], pd.DataFrame], file: str = DURATIONS) -> Path:
    table = pd.read_csv(folder / file, dtype=str)
    change(table).to_csv(folder / file, index=False)
    return folder


def put(column: str, row: int, value: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[row, column] = value
        return table

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="actual_duration"), r"actual_duration'.*column is missing"),
        (put("sub_icb_location_code", 3, "A9"), r"'sub_icb_location_code', line 5: unit is in no hierarchy: found 'A9'"),
        (put("count_of_appointments", 7, "-3"), r"'count_of_appointments', line 9: count is negative or not a whole number: found '-3'"),
        (put("count_of_appointments", 7, "3.5"), r"line 9: count is negative or not a whole number: found '3.5'"),
        (put("count_of_appointments", 7, "many"), r"line 9: .*found 'many'"),
        (put("appointment_date", 0, "31-Feb-22"), r"'appointment_date', line 2: date cannot be read: found '31-Feb-22'"),
        (put("actual_duration", 1, "6 to 10"), r"line 3: category is not known: found '6 to 10'.*6-10 Minutes"),
        (
            lambda t: pd.concat([t, t.iloc[[4]].assign(count_of_appointments="0")]),
            r"one key has two values: found '0'; expected \d+ as on line 6\. To mend it: remove one of the rows, or map",
        ),
        (lambda t: t.iloc[:0], r"has no rows"),
    ],
)
def test_fault_names_file_column_line_value_and_remedy(tiny_study: Path, change: Callable, message: str) -> None:
    with pytest.raises(ExtractError, match=message):
        bt.check_study(bt.read_study(altered(tiny_study, change)))


def test_a_file_of_the_hierarchy_is_named_with_its_folder(tiny_study: Path) -> None:
    (tiny_study / "extracts" / "geography.csv").write_bytes(b"")
    with pytest.raises(ExtractError, match=r"^extracts/geography\.csv: file is empty"):
        bt.check_study(bt.read_study(tiny_study))


def test_a_row_cut_off_before_what_it_is_chosen_by_is_no_row_of_another_kind(tiny_study: Path) -> None:
    file = tiny_study / "extracts" / "appointments_regional.csv.gz"
    lines = gzip.decompress(file.read_bytes()).decode().splitlines()
    row = next(i for i, line in enumerate(lines) if ",DNA," in line)
    lines[row] = lines[row].rsplit(",", 1)[0]
    file.write_bytes(gzip.compress("\n".join(lines).encode()))
    with pytest.raises(ExtractError, match=rf"line {row + 1}: row has fewer fields than the header.*expected 6 fields"):
        bt.check_study(bt.read_study(tiny_study))


def test_a_slip_of_the_year_does_not_make_decades_of_zeros(tiny_study: Path) -> None:
    altered(tiny_study, put("appointment_date", 5, "03-Jan-85"))
    with pytest.raises(ExtractError, match=r"'appointment_date', line 7: date stands 37 years from the next: found '1985-01-03'"):
        bt.check_study(bt.read_study(tiny_study))


def test_faults_of_several_files_come_together(tiny_study: Path) -> None:
    altered(tiny_study, put("count_of_appointments", 7, "-3"))
    altered(tiny_study, put("patients_registered_at_included_practices", 0, "x"), "extracts/practice_coverage.csv.gz")
    with pytest.raises(ExtractError) as caught:
        bt.check_study(bt.read_study(tiny_study))
    assert {fault.file for fault in caught.value.faults} == {DURATIONS, "extracts/practice_coverage.csv.gz"}


def test_line_is_that_of_the_file_after_rows_are_left_out(tiny_study: Path) -> None:
    file = "extracts/appointments_regional.csv.gz"
    table = pd.read_csv(tiny_study / file, dtype=str)
    row = table.index[table["appointment_status"] == "Attended"][8]
    altered(tiny_study, put("count_of_appointments", row, "-1"), file)
    with pytest.raises(ExtractError, match=rf"line {row + 2}: count is negative"):
        bt.check_study(bt.read_study(tiny_study))


def test_as_of_before_all_data(tiny_study: Path) -> None:
    from datetime import date

    with pytest.raises(ExtractError, match=r"nothing was known on 2020-01-01; expected as_of ≥ 2022-01-03"):
        bt.check_study(bt.read_study(tiny_study).at(date(2020, 1, 1)))


def test_gzip_cut_short(tiny_study: Path) -> None:
    whole = (tiny_study / DURATIONS).read_bytes()
    (tiny_study / DURATIONS).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ExtractError, match="cut short or damaged"):
        bt.check_study(bt.read_study(tiny_study))


def test_binary_file(tiny_study: Path) -> None:
    (tiny_study / DURATIONS).write_bytes(gzip.compress(b"\x7fELF\0\0\0" * 100))
    with pytest.raises(ExtractError, match="is binary, not text"):
        bt.check_study(bt.read_study(tiny_study))


def test_endless_first_line_is_not_read_whole(tiny_study: Path) -> None:
    with gzip.open(tiny_study / DURATIONS, "wb", compresslevel=1) as file:
        for _ in range(40):
            file.write(b"a" * 2**20)
    with pytest.raises(ExtractError, match="first line is longer"):
        bt.check_study(bt.read_study(tiny_study))


def test_empty_file(tiny_study: Path) -> None:
    (tiny_study / "extracts" / "geography.csv").write_bytes(b"")
    with pytest.raises(ExtractError, match="file is empty"):
        bt.check_study(bt.read_study(tiny_study))


def with_reports(folder: Path, reports: Callable[[pd.DataFrame], pd.DataFrame]) -> Path:
    file = folder / "study.toml"
    text = file.read_text(encoding="utf-8")
    for which in ("included", "open"):
        value = f'value = "patients_registered_at_{which}_practices"'
        text = text.replace(value, f'{value}, report = "known"')
    file.write_text(text, encoding="utf-8")
    return altered(folder, reports, "extracts/practice_coverage.csv.gz")


def test_event_after_its_report(tiny_study: Path) -> None:
    with_reports(tiny_study, lambda t: t.assign(known="2021-11-30"))
    with pytest.raises(ExtractError, match=r"event is after its report: found '2021-12 > 2021-11-30'"):
        bt.check_study(bt.read_study(tiny_study))


def test_time_zones_mixed(tiny_study: Path) -> None:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        known = ["2022-01-20T09:00:00+01:00"] * len(table)
        known[1] = "2022-01-20T09:00:00"
        return table.assign(known=known)

    with_reports(tiny_study, change)
    with pytest.raises(ExtractError, match=r"line 3: time zones are mixed"):
        bt.check_study(bt.read_study(tiny_study))


def test_same_key_twice_with_the_same_report(tiny_study: Path) -> None:
    with_reports(
        tiny_study, lambda t: pd.concat([t, t.iloc[[0]].assign(patients_registered_at_included_practices="1")]).assign(known="2022-01-20")
    )
    with pytest.raises(ExtractError, match="one key has two values: found '1'; expected 9000 as on line 2"):
        bt.check_study(bt.read_study(tiny_study))


def test_latest_version_at_the_date_wins_whatever_the_order(tiny_study: Path) -> None:
    from datetime import date

    def change(table: pd.DataFrame) -> pd.DataFrame:
        first = table.assign(known="2022-01-20")
        later = first.iloc[[0]].assign(known="2022-01-30", patients_registered_at_included_practices="7777")
        return pd.concat([later, first])

    with_reports(tiny_study, change)
    study = bt.read_study(tiny_study)
    streams = bt.load_twin(study.model).definition.streams
    table = pd.read_csv(tiny_study / "extracts/practice_coverage.csv.gz", dtype=str)
    for order in (table, table.iloc[::-1]):
        altered(tiny_study, lambda _, t=order: t, "extracts/practice_coverage.csv.gz")
        seen = bt.read_observations(study, bt.read_hierarchy(study), streams)
        assert seen["patients"].values[0, 0] == 7777
        assert seen["registered"].values[0, 0] == 9100
        early = {e.stream: e for e in study.extracts}["patients"]
        assert read_extract(study.folder, early, bt.read_hierarchy(study), date(2022, 1, 29)).values[0, 0] == 9000


DAMAGED = [  # file, and whether to damage what is packed inside it
    ("study.toml", False),
    ("extracts/geography.csv", False),
    ("extracts/practice_coverage.csv.gz", True),
    ("extracts/practice_coverage.csv.gz", False),
    ("extracts/pcn_workforce_fte_by_sub_icb.csv", False),
]
STREAMS = ["durations", "staff_mix", "patients", "registered", "workforce"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_damaged_bytes_end_in_a_named_error_or_are_harmless(tiny_study: Path, data: st.DataObject) -> None:
    name, inside = data.draw(st.sampled_from(DAMAGED))
    path = tiny_study / name
    whole = path.read_bytes()
    text = bytearray(gzip.decompress(whole) if inside else whole)
    for _ in range(data.draw(st.integers(1, 5))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.sampled_from(b'"\n\r,0-9\\%[]{}\0\xff') | st.integers(0, 255))
    path.write_bytes(gzip.compress(bytes(text), 1) if inside else bytes(text))
    try:
        study = bt.read_study(tiny_study)
        bt.read_observations(study, bt.read_hierarchy(study), STREAMS)
    except BayestwinError as error:
        assert error.faults
    finally:
        path.write_bytes(whole)
