"""Damage to tables: what each cell can hold that cannot be used, and what a whole file can look like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st
from sound import Sound, packed, text_of

from bayestwin.cells import StudyExtract

NUMBERS = ["-3", "many", "NaN", "inf", "-inf", "1e308", "1e13", "", "   ", "１２", "١٢", "1,234", "12 345", "0x1F", "1_000", "=1+1", "−5", "5%", "#REF!", "NULL", "2024-01-03"]  # fmt: skip
FRACTIONS = ["3.5", "0.001"]
NO_DATES = ["", "  ", "yesterday", "NaT", "44562", "2022-02-30", "30-Feb-22", "2022-13-01", "01/02/2022", "13/13/2022", "0000-00-00", "1979-12-31", "2101-01-01", "9999-12-31", "0001-01-01", "03-Jan-75", "２０２４-01-03", "2024-01-03 noon", "Inf", "20240132"]  # fmt: skip
NO_UNITS = ["A9", "", " ", "a1", " A1", "A1 ", "А1", "nan", "P001;", "A1\nA2", '"A1"']
NO_CATEGORIES = ["6 to 10", "", " ", "gp", "GP ", "Attended"]


@dataclass(frozen=True)
class Wrong:
    """A cell that cannot be used.

    Attributes:
        row: among the rows below the header, from 0.
        column: its name.
        text: what it holds.
    """

    row: int
    column: str
    text: str


def unusable(extract: StudyExtract) -> dict[str, list[str]]:
    """Texts that an extract cannot use, by column."""
    columns, symbols = extract.columns, {barrier.symbol for barrier in extract.barriers if barrier.kind == "suppress"}
    found = {columns.unit: NO_UNITS, columns.event: NO_DATES}
    if columns.value is not None:
        found[columns.value] = NUMBERS + (FRACTIONS if extract.integer else []) + ([] if "*" in symbols else ["*"])
    for dim, column in extract.dims.items():
        found[column] = NO_CATEGORIES if dim in extract.categories else ["", "  "]
    return found


@st.composite
def wrong_cells(draw: st.DrawFn, sound: Sound, file: str) -> list[Wrong]:
    """One to four cells of a table, each in a row of its own, of which none can be used."""
    header, *rows = sound.rows(file)
    read_by = [extract for extract in sound.study.extracts if extract.file_label == file]
    read = [i for i, row in enumerate(rows) if all(row[header.index(c)] == v for e in read_by for c, v in e.where.items())]
    texts = {column: found for extract in read_by for column, found in unusable(extract).items()}
    found = []
    for row in draw(st.lists(st.sampled_from(read), min_size=1, max_size=4, unique=True)):
        column = draw(st.sampled_from(sorted(texts)))
        found.append(Wrong(row, column, draw(st.sampled_from(texts[column]))))
    return found


def with_cells(rows: list[list[str]], wrong: list[Wrong]) -> list[list[str]]:
    """The table with these cells in it."""
    header, *rest = [list(row) for row in rows]
    for cell in wrong:
        rest[cell.row][header.index(cell.column)] = cell.text
    return [header, *rest]


def line_of(rows: list[list[str]], row: int) -> int:
    """Line of the file on which a row begins: line breaks inside the cells before it count."""
    return row + 2 + sum(cell.count("\n") for before in rows[1 : row + 1] for cell in before)


Layout = Callable[[str, list[list[str]]], bytes]


def _text(change: Callable[[bytes], bytes]) -> Layout:
    return lambda file, rows: packed(file, change(text_of(rows)))


HARMLESS: dict[str, Layout] = {
    "line ends of Windows": lambda file, rows: packed(file, text_of(rows, lineterminator="\r\n")),
    "every cell in quotes": lambda file, rows: packed(file, text_of(rows, quoting=1)),
    "a byte order mark": _text(lambda text: b"\xef\xbb\xbf" + text),
    "a byte order mark and quotes": lambda file, rows: packed(file, b"\xef\xbb\xbf" + text_of(rows, quoting=1)),
    "a column more": lambda file, rows: packed(file, [[*row, "note" if i == 0 else f"n{i}"] for i, row in enumerate(rows)]),
    "a column with line breaks": lambda file, rows: packed(file, [[*row, "note" if i == 0 else "a\nb, c"] for i, row in enumerate(rows)]),
    "a column that is mostly empty": lambda file, rows: packed(file, [[*row, "" if i % 5 else "note"] for i, row in enumerate(rows)]),
    "columns in another order": lambda file, rows: packed(file, [row[::-1] for row in rows]),
    "rows in another order": lambda file, rows: packed(file, [rows[0], *rows[:0:-1]]),
    "no line end after the last row": _text(lambda text: text.rstrip(b"\n")),
    "blank lines": _text(lambda text: text.replace(b"\n", b"\n\n", 5) + b"\n\n"),
}

REFUSED: dict[str, Layout] = {
    "nothing": lambda file, rows: b"",
    "nothing inside": _text(lambda text: b""),
    "only a header": lambda file, rows: packed(file, rows[:1]),
    "only a header and blank lines": lambda file, rows: packed(file, text_of(rows[:1]) + b"\n\n"),
    "no header": lambda file, rows: packed(file, rows[1:]),
    "a blank line before the header": _text(lambda text: b"\n" + text),
    "semicolons": lambda file, rows: packed(file, text_of(rows, delimiter=";")),
    "tabs": lambda file, rows: packed(file, text_of(rows, delimiter="\t")),
    "UTF-16": _text(lambda text: text.decode().encode("utf-16")),
    "latin letters not in UTF-8": _text(lambda text: text + "Île".encode("latin-1") + b"\n"),
    "a cell with a null byte": _text(lambda text: text[:-3] + b"\0" + text[-3:]),
    "an open quote": _text(lambda text: text + b'"A1,'),
    "headers with spaces": lambda file, rows: packed(file, [[f" {name} " for name in rows[0]], *rows[1:]]),
    "headers in capitals": lambda file, rows: packed(file, [[name.upper() for name in rows[0]], *rows[1:]]),
    "every column twice": lambda file, rows: packed(file, [row * 2 for row in rows]),
    "a cell too many in a row": lambda file, rows: packed(file, [*rows[:-1], [*rows[-1], "x"]]),
    "a cell too many in every row": lambda file, rows: packed(file, [rows[0], *([*row, "x"] for row in rows[1:])]),
    "a cell too few in a row": lambda file, rows: packed(file, [rows[0], rows[1][:-1], *rows[2:]]),
    "a cell too few in the last row": lambda file, rows: packed(file, [*rows[:-1], rows[-1][:-1]]),
    "not packed, or packed twice": lambda file, rows: text_of(rows) if file.endswith(".gz") else packed(".gz", rows),
    "half of what is packed": lambda file, rows: packed(".gz", rows)[: len(packed(".gz", rows)) // 2],
    "an image": lambda file, rows: b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4,
    "a spreadsheet": lambda file, rows: b"PK\x03\x04\x14\x00\x06\x00" + bytes(range(256)) * 4,
}
