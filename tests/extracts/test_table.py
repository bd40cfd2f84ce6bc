"""Files as they are delivered: what is read, which line a row stands on, what is refused."""

import gzip
import resource
import subprocess
import sys
import textwrap
from pathlib import Path

import pandas as pd
import pytest

from bayestwin.errors import ExtractError
from bayestwin.extracts.table import LONGEST_HEADER, read_table


def written(folder: Path, content: bytes, name: str = "a.csv") -> Path:
    (folder / name).write_bytes(content)
    return folder / name


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"a,b\n1,2\n3,4\n", [2, 3]),
        (b"a,b\r\n1,2\r\n3,4\r\n", [2, 3]),
        (b"a,b\n1,2\n\n3,4\n\n", [2, 4]),
        (b"a,b\n1,2\n,\n3,4", [2, 4]),
        (b'a,b\n"x\ny",2\n3,4\n', [2, 4]),
        (b"\xef\xbb\xbfa,b\n1,2\n", [2]),
    ],
    ids=["plain", "windows", "blank lines", "empty fields", "line break in quotes", "byte-order mark"],
)
def test_index_is_the_line_less_two(tmp_path: Path, content: bytes, lines: list[int]) -> None:
    table = read_table(written(tmp_path, content))
    assert list(table.columns) == ["a", "b"]
    assert [line + 2 for line in table.index] == lines


def test_text_is_kept_as_it_stands(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, b"a,b\n007,NA\nnull,\n"))
    assert table.to_numpy().tolist() == [["007", "NA"], ["null", ""]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"a\.csv: file is empty.*ask for the extract again"),
        (b"a,b\n", r"file has no rows, only a header"),
        (b"\n\n", r"file has no header"),
        (b"a,b,a\n1,2,3\n", r"column 'a': has two columns of one name.*rename"),
        (b"a,b\n1,2,\n3,4,\n", r"rows have more fields than the header.*commas at the ends"),
        (b"a,b\n1,2\n3,4,5\n", r"Expected 2 fields in line 3, saw 3"),
        (b'a,b\n"1,2\n', r"EOF inside string"),
        (
            b'a,b,c\n"x\ny",2,3\n\n3,4\n5,6,\n7',
            r"line 5: row has fewer fields than the header: found '3,4'; expected 3 fields(.|\n)*line 7: .*'7'",
        ),
        (b"a,b\n" + b"1\n" * 12, r"row has fewer fields than the header, in 2 further rows"),
        (b"a,b\n1,\xff\n", r"is not UTF-8 text.*save the extract as UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), r"is not UTF-8|is binary, not text"),
        (b"PK\3\4\0\0" * 99, r"is binary, not text"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(ExtractError, match=message):
        read_table(written(tmp_path, content))


def test_plain_text_under_a_gz_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExtractError, match="cut short or damaged"):
        read_table(written(tmp_path, b"a,b\n1,2\n", "a.csv.gz"))


@pytest.mark.parametrize("keep", [5, 40, 200])
def test_a_gz_cut_anywhere_is_refused(tmp_path: Path, keep: int) -> None:
    whole = gzip.compress(b"a,b\n" + b"".join(b"%d,%d\n" % (i, i * i) for i in range(500)))
    with pytest.raises(ExtractError, match=r"cut short or damaged.*copy or download it again"):
        read_table(written(tmp_path, whole[:keep], "a.csv.gz"))


def test_missing_file_and_folder_in_its_place(tmp_path: Path) -> None:
    for path in (tmp_path / "a.csv", tmp_path):
        with pytest.raises(ExtractError, match=r"file is missing.*correct `file` in study\.toml"):
            read_table(path)


def test_a_long_header_is_read_and_a_longer_one_refused(tmp_path: Path) -> None:
    name = b"x" * (LONGEST_HEADER - 10)
    assert len(read_table(written(tmp_path, b"a," + name + b"\n1,2\n"))) == 1
    with pytest.raises(ExtractError, match="first line is longer than 65,536 bytes"):
        read_table(written(tmp_path, b"a," + name + b"y" * 20 + b"\n1,2\n"))


def test_a_huge_first_line_takes_no_memory(tmp_path: Path) -> None:
    """One line of 512 MiB, packed to half a MiB, is refused by a process that may grow by 256 MiB only."""
    with gzip.open(tmp_path / "a.csv.gz", "wb", compresslevel=1) as file:
        for _ in range(64):
            file.write(b"a" * 2**23)
    code = f"""
        import resource
        from pathlib import Path
        from bayestwin.errors import ExtractError
        from bayestwin.extracts.table import read_table
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + 2**28
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        try:
            read_table(Path({str(tmp_path / "a.csv.gz")!r}))
        except ExtractError as error:
            print(error)
    """
    if not Path("/proc/self/statm").is_file() or not hasattr(resource, "RLIMIT_AS"):
        pytest.skip("memory of a process is limited on Linux only")
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert "first line is longer" in done.stdout


def test_parquet_is_read_like_csv_whatever_index_it_was_written_with(tmp_path: Path) -> None:
    table = pd.DataFrame({"a": ["x", "y", "z"], "n": [1, 2, 3]}).iloc[::-1]
    table.to_parquet(tmp_path / "a.parquet")
    table.to_csv(tmp_path / "a.csv", index=False)
    found = read_table(tmp_path / "a.parquet")
    assert list(found.index) == [0, 1, 2]
    assert found[["a", "n"]].to_numpy().tolist() == read_table(tmp_path / "a.csv").to_numpy().tolist()


def test_parquet_with_two_columns_of_one_name_is_refused(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table([["x"], ["y"], [1]], names=["a", "a", "n"]), tmp_path / "a.parquet")
    with pytest.raises(ExtractError, match="column 'a': has two columns of one name"):
        read_table(tmp_path / "a.parquet")


@pytest.mark.parametrize("keep", [3, 100, -20])
def test_damaged_parquet_is_refused(tmp_path: Path, keep: int) -> None:
    pd.DataFrame({"a": ["x"] * 50}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(ExtractError, match="cannot be read as a table"):
        read_table(written(tmp_path, (tmp_path / "a.parquet").read_bytes()[:keep], "a.parquet"))
