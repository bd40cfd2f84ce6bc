"""Several files of one extract: which are read, whose fault is named, what the provenance holds."""

import hashlib
from datetime import date
from pathlib import Path

import pytest
from extract_cases import COLUMNS, LINES, deliver, extract, read, read_files, same, table

from bayestwin.errors import ExtractError
from bayestwin.extracts.deliveries import delivered_files

ARRIVED = {"columns": COLUMNS | {"known": "reached"}}
FIRST = table([("A", "2022-01-03", 5), ("B", "2022-01-03", 7)], reached="2022-01-10")
SECOND = table([("A", "2022-01-03", 6), ("A", "2022-01-04", 2)], reached="2022-01-20")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_patterns_are_written_out_and_each_file_is_named_once(tmp_path: Path) -> None:
    deliver(tmp_path, {"in/2.csv": FIRST, "in/1.csv": SECOND, "in/[x].csv": FIRST, "late/3.csv": FIRST})
    (tmp_path / "in" / "folder.csv").mkdir()
    found = delivered_files(tmp_path, extract(file=("late/3.csv", "*/[0-9].csv", "in/[x].csv", "none/*.csv")))
    assert found == ["late/3.csv", "in/1.csv", "in/2.csv", "in/[x].csv", "none/*.csv"]


def test_a_pattern_without_a_file_is_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ExtractError, match=r"in/\*\.csv: file is missing.*correct `file` in study\.toml"):
        read_files(tmp_path, file="in/*.csv")


def test_each_delivery_is_seen_from_the_day_it_came(tmp_path: Path) -> None:
    deliver(tmp_path, {"in/1.csv": FIRST, "in/2.csv": SECOND})
    kind = {"file": "in/*.csv", **ARRIVED}
    assert same(read_files(tmp_path, "2022-01-19", **kind), read(tmp_path, FIRST, "2022-01-19", **ARRIVED))
    assert read_files(tmp_path, "2022-01-20", **kind).values.tolist() == [[6, 7, 0], [2, 0, 0]]


def test_a_later_delivery_leaves_the_provenance_of_an_earlier_date_as_it_was(tmp_path: Path) -> None:
    deliver(tmp_path, {"in/1.csv": FIRST})
    before = read_files(tmp_path, "2022-01-19", file="in/*.csv", **ARRIVED).provenance
    deliver(tmp_path, {"in/0.csv": SECOND})
    early, late = (read_files(tmp_path, as_of, file="in/*.csv", **ARRIVED).provenance for as_of in ("2022-01-19", "2022-01-20"))
    assert (early.file, early.sha256) == (before.file, before.sha256) == ("in/1.csv", digest(tmp_path / "in/1.csv"))
    assert (early.rows, early.rows_used, early.rows_after_as_of, early.last_known) == (4, 2, 2, date(2022, 1, 10))
    both = sorted(digest(path) for path in (tmp_path / "in").iterdir())
    assert (late.file, late.sha256) == ("in/0.csv, in/1.csv", hashlib.sha256("\n".join(both).encode()).hexdigest())
    assert [(d.file, d.rows, d.rows_used) for d in early.deliveries] == [("in/0.csv", 2, 0), ("in/1.csv", 2, 2)]
    assert [d.sha256 for d in late.deliveries] == [digest(tmp_path / d.file) for d in late.deliveries]


def test_a_delivery_under_two_names_is_read_once(tmp_path: Path) -> None:
    lines = FIRST.drop(columns=["n", "reached"])
    deliver(tmp_path, {"1.csv": lines, "1 (copy).csv": lines, "2.csv": lines.assign(batch=2)})
    found = read_files(tmp_path, file="*.csv", columns=LINES, absent="zero")
    assert found.values.tolist() == [[2, 2, 0]]
    assert [d.file for d in found.provenance.deliveries] == ["1 (copy).csv", "2.csv"]


def test_faults_of_all_deliveries_come_together_each_under_its_file(tmp_path: Path) -> None:
    deliver(tmp_path, {"in/a/n.csv": table([("Z", "2022-01-03", 1)]), "in/b/n.csv": table().drop(columns="n"), "in/c/n.csv": table([])})
    deliver(tmp_path, {"in/d/n.csv": table([("A", "soon", 1), ("C", "2022-01-03", -1)]), "in/e/n.csv": table()})
    with pytest.raises(ExtractError) as caught:
        read_files(tmp_path, file="in/*/n.csv")
    assert [(fault.file, fault.column, fault.row) for fault in caught.value.faults] == [
        ("in/a/n.csv", "unit_code", 2),
        ("in/b/n.csv", "n", None),
        ("in/c/n.csv", None, None),
        ("in/d/n.csv", "day_of", 2),
        ("in/d/n.csv", "n", 3),
    ]


def test_where_may_leave_nothing_of_a_delivery_but_not_of_all(tmp_path: Path) -> None:
    deliver(tmp_path, {"1.csv": FIRST.assign(kind="x"), "2.csv": SECOND.assign(kind="y")})
    assert read_files(tmp_path, file="*.csv", where={"kind": "y"}, **ARRIVED).values.sum() == 8
    with pytest.raises(ExtractError, match=r"\*\.csv: extract has no rows.*check `where` of extract 'counts'"):
        read_files(tmp_path, file="*.csv", where={"kind": "z"}, **ARRIVED)


def test_deliveries_may_be_written_in_different_forms(tmp_path: Path) -> None:
    deliver(tmp_path, {"1.csv": FIRST.assign(remark="kept")})
    SECOND.assign(day_of=SECOND["day_of"].astype("datetime64[s]")).to_parquet(tmp_path / "2.parquet")
    assert read_files(tmp_path, file=("1.csv", "2.parquet"), **ARRIVED).values.tolist() == [[6, 7, 0], [2, 0, 0]]
