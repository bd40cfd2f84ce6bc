"""Damaged tables end in a named error that says where, or are read as if nothing were wrong with them."""

import pandas as pd
import pytest
from hypothesis import strategies as st
from sound import Sound, for_all, is_named, is_usable, often, packed, same
from tables import HARMLESS, REFUSED, Wrong, line_of, with_cells, wrong_cells


@often
def test_cells_that_cannot_be_used_are_all_named_with_column_line_and_value(sound: Sound, times: int) -> None:
    def holds(data: st.DataObject) -> None:
        file = data.draw(st.sampled_from(sound.tables))
        wrong = data.draw(wrong_cells(sound, file))
        rows = with_cells(sound.rows(file), wrong)
        _, error = sound.after({file: packed(file, rows)})
        assert error is not None, "silently read"
        for cell in wrong:
            place = (file, cell.column, line_of(rows, cell.row), cell.text)
            found = [fault for fault in error.faults if (fault.file, fault.column, fault.row, fault.value) == place]
            assert found, f"{place} is not among\n{error}"
            assert all(fault.expected and fault.remedy for fault in found)

    for_all(30 * times, holds, data=st.data())


@pytest.mark.parametrize("what", HARMLESS)
def test_how_a_table_is_written_changes_nothing(sound: Sound, what: str) -> None:
    files = [*sound.tables, sound.study.hierarchy.file]
    found, error = sound.after({file: HARMLESS[what](file, sound.rows(file)) for file in files})
    assert error is None, str(error)
    assert same(found, sound.data)


@pytest.mark.parametrize("what", REFUSED)
def test_a_file_that_is_no_such_table_is_refused_by_name(sound: Sound, what: str) -> None:
    files = sound.tables
    _, error = sound.after({file: REFUSED[what](file, sound.rows(file)) for file in files})
    assert is_named(error), "silently read"
    assert {fault.file for fault in error.faults} >= set(files), f"not all files at once:\n{error}"
    hierarchy = sound.study.hierarchy.file
    _, error = sound.after({hierarchy: REFUSED[what](hierarchy, sound.rows(hierarchy))})
    assert is_named(error), "hierarchy silently read"
    assert {fault.file for fault in error.faults} == {hierarchy}


@often
def test_rows_in_any_order_and_twice_make_no_difference(sound: Sound, times: int) -> None:
    parts = {extract.file_label for extract in sound.study.extracts if extract.parts}

    def holds(data: st.DataObject) -> None:
        file = data.draw(st.sampled_from(sound.tables))
        header, *rows = sound.rows(file)
        again = [] if file in parts else data.draw(st.lists(st.sampled_from(rows), max_size=5))
        found, error = sound.after({file: packed(file, [header, *data.draw(st.permutations([*rows, *again]))])})
        assert error is None, str(error)
        assert same(found, sound.data)

    for_all(8 * times, holds, data=st.data())


@often
def test_a_table_cut_or_scratched_anywhere_is_named_or_usable(sound: Sound, times: int) -> None:
    def holds(data: st.DataObject) -> None:
        file = data.draw(st.sampled_from([*sound.tables, sound.study.hierarchy.file]))
        raw = bytearray(packed("", sound.rows(file)))
        for _ in range(data.draw(st.integers(0, 3))):
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.sampled_from(b'"\n\r,0-9\\% *\0\xff') | st.integers(0, 255))
        content = packed(file, bytes(raw[: data.draw(st.integers(0, len(raw)))]))
        found, error = sound.after({file: content})
        assert is_named(error) if error else is_usable(found)

    for_all(30 * times, holds, data=st.data())


@often
def test_a_table_that_lacks_rows_is_named_or_usable(sound: Sound, times: int) -> None:
    def holds(data: st.DataObject) -> None:
        file = data.draw(st.sampled_from([*sound.tables, sound.study.hierarchy.file]))
        header, *rows = sound.rows(file)
        column = data.draw(st.integers(0, len(header) - 1))
        value = data.draw(st.sampled_from(sorted({row[column] for row in rows})))
        only = data.draw(st.booleans())
        found, error = sound.after({file: packed(file, [header, *(row for row in rows if (row[column] == value) == only)])})
        assert is_named(error) if error else is_usable(found)

    for_all(20 * times, holds, data=st.data())


@often
def test_numbers_that_are_odd_yet_numbers_are_named_or_usable(sound: Sound, times: int) -> None:
    odd = ["0", "1", "1e3", "12.0", " 12 ", "+12", "-0", "999999999999", "100000", "0.0000001", "1e-300", "250"]

    def holds(data: st.DataObject) -> None:
        extract = data.draw(st.sampled_from(sound.study.extracts))
        file, column = extract.file_label, extract.columns.value
        header, *rows = sound.rows(file)
        at, text = header.index(column), data.draw(st.sampled_from(odd))
        some = data.draw(st.sampled_from([len(rows), 1, 3]))
        for row in rows if some == len(rows) else data.draw(st.lists(st.sampled_from(rows), min_size=some, max_size=some)):
            row[at] = text
        found, error = sound.after({file: packed(file, [header, *rows])})
        assert is_named(error) if error else is_usable(found)

    for_all(25 * times, holds, data=st.data())


@often
def test_a_day_that_stands_decades_from_the_others_is_named_with_its_line(sound: Sound, times: int) -> None:
    """Of extracts in which no row is a zero: one slip of the year must not make decades of zeros."""
    zeros = [extract for extract in sound.study.extracts if extract.absent == "zero"]

    def holds(data: st.DataObject) -> None:
        extract = data.draw(st.sampled_from(zeros))
        file, column = extract.file_label, extract.columns.event
        header, *rows = sound.rows(file)
        i, year = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.sampled_from([1980, 1985, 1999, 2012, 2044]))
        day = pd.Timestamp(year, 6, 15).strftime(extract.event_format or "%Y-%m-%d")
        wrong = Wrong(i, column, day)
        kept = all(rows[i][header.index(key)] == value for key, value in extract.where.items())
        _, error = sound.after({file: packed(file, with_cells([header, *rows], [wrong]))})
        if kept:
            assert is_named(error), "silently read"
            assert (file, column, i + 2) in {(fault.file, fault.column, fault.row) for fault in error.faults}, str(error)

    for_all(8 * times, holds, data=st.data())


def test_parquet_is_read_as_its_csv_is(sound: Sound) -> None:
    study, files = sound.study, [*sound.tables, sound.study.hierarchy.file]
    text = (study.folder / "study.toml").read_text(encoding="utf-8")
    for file in files:
        header, *rows = sound.rows(file)
        pd.DataFrame(rows, columns=header).to_parquet(study.folder / f"{file}.parquet")
        text = text.replace(f'"{file}"', f'"{file}.parquet"')
    found, error = sound.after({"study.toml": text.encode()})
    assert error is None, str(error)
    assert same(found, sound.data)
