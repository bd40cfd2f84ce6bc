"""Check every row of a delivery and report all faults at once."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bayestwin.errors import Fault
from bayestwin.extracts.schema import Extract

ZONED = r"^(\s*\d{4}-?\d{2}-?\d{2}[Tt ]\d{2}.*?)\s*(?:[Zz]|[+-]\d{2}(?::?\d{2})?)\s*$"
YEARS = pd.Timestamp(1980, 1, 1), pd.Timestamp(2100, 1, 1)  # beyond these a date stands for something else, such as "no end"
LARGEST = 1e12  # beyond this a number is a slip, and sums could overflow
PER_CHECK = 10  # rows shown for one check of one column


@dataclass(frozen=True)
class RowCheck:
    """What a release promises about every value that it shows, such as being rounded to five.

    Attributes:
        problem: what is wrong with a value that fails, in a few words.
        expected: what would have been right.
        remedy: what to do.
        wrong: from the values shown, as floats, to True where one fails.
    """

    problem: str
    expected: str
    remedy: str
    wrong: Callable[[np.ndarray], np.ndarray]


def missing_columns(table: pd.DataFrame, extract: Extract, file: str) -> list[Fault]:
    """Columns that the study maps and the file lacks."""
    mapped = extract.columns
    wanted = [mapped.unit, mapped.event, mapped.value, *mapped.later.values(), *extract.dims.values(), *extract.where]
    have = list(map(str, table.columns))
    remedy = f"correct extract {extract.name!r} in study.toml"
    return [
        Fault(file, "column is missing", column, expected=f"one of {have}", remedy=remedy)
        for column in dict.fromkeys(wanted)
        if column is not None and column not in have
    ]


def by_unique(text: pd.Series, parse: Callable[[pd.Series], np.ndarray]) -> np.ndarray:
    """The parsed text, each distinct one parsed once."""
    codes, unique = pd.factorize(text, use_na_sentinel=False)
    return parse(pd.Series(unique, dtype="string"))[codes]


def is_missing(text: pd.Series) -> np.ndarray:
    """True where there is no text."""
    return by_unique(text, lambda unique: (unique.fillna("").str.strip() == "").to_numpy(bool))


def dates(text: pd.Series, layout: str | None, months: bool = False) -> pd.Series:
    """Dates from text, NaT where it is none or out of bounds; an ISO time zone is dropped, the local date kept.

    Args:
        text: of each row.
        layout: strptime format; ISO 8601 if None.
        months: whether an ISO month without a day stands for its first.
    """
    shape = r"\s*\d{4}-\d{2}" if months else r"\s*\d{4}-?\d{2}-?\d{2}"

    def parse(unique: pd.Series) -> np.ndarray:
        plain = unique.str.replace(ZONED, r"\1", regex=True).where(unique.str.match(shape)) if layout is None else unique
        parsed = pd.to_datetime(plain, format=layout or "ISO8601", errors="coerce", utc=True).dt.tz_localize(None)
        return parsed.where(parsed.between(*YEARS)).to_numpy("datetime64[ns]")

    return pd.Series(by_unique(text, parse), index=text.index)


def row_faults(
    table: pd.DataFrame, rows: pd.DataFrame, extract: Extract, file: str, symbols: Collection[str], checks: Sequence[RowCheck]
) -> list[Fault]:
    """Faults of single rows: units, dates, values, categories.

    Args:
        table: the rows as text; the index is the row's line in the file less two.
        rows: the same rows by type.
        extract: how the study describes the table.
        file: the delivery.
        symbols: texts that a release puts in place of a value.
        checks: what the release promises about the values that it shows.
    """
    remedy = "add the unit to the hierarchy file or drop its rows"
    unit = Fault(file, "unit is in no hierarchy", extract.columns.unit, expected="a code of the study's hierarchy", remedy=remedy)
    return [
        *_listed(table[extract.columns.unit], rows["unit"].to_numpy() < 0, unit),
        *_date_faults(table, rows, extract, file),
        *_order_faults(table, rows, extract, file),
        *(_value_faults(table, rows, extract, file, symbols, checks) if extract.columns.value else []),
        *_category_faults(table, extract, file),
    ]


def _date_faults(table: pd.DataFrame, rows: pd.DataFrame, extract: Extract, file: str) -> Iterator[Fault]:
    event, layout = extract.columns.event, extract.event_format
    remedy = "correct the date or `event_format` in study.toml"
    expected = "a date from 1980 to 2100 as `event_format` says (ISO 8601 by default)"
    fault = Fault(file, "date cannot be read", event, expected=expected, remedy=remedy)
    yield from _listed(table[event], (rows["event"].isna() & ~rows["undated"]).to_numpy(), fault)
    yield from _zone_faults(table[event], file) if layout is None else ()
    for step, column in extract.columns.later.items():
        expected = "an ISO 8601 date from 1980 to 2100"
        fault = Fault(file, f"{step} date cannot be read", column, expected=expected, remedy="correct the date")
        yield from _listed(table[column], rows[step].isna().to_numpy(), fault)
        yield from _zone_faults(table[column], file)


def _zone_faults(text: pd.Series, file: str) -> list[Fault]:
    given = ~is_missing(text)
    zoned = by_unique(text, lambda unique: unique.str.fullmatch(ZONED).fillna(False).to_numpy(bool))
    usual = zoned[given].mean() > 0.5 if given.any() else False
    expected, remedy = "a time zone on every row or on none", "write every date in one time zone"
    return _listed(text, given & (zoned != usual), Fault(file, "time zones are mixed", str(text.name), expected=expected, remedy=remedy))


def _order_faults(table: pd.DataFrame, rows: pd.DataFrame, extract: Extract, file: str) -> Iterator[Fault]:
    """Rows of which a later step bears an earlier day: an event happens, is reported, and is then known."""
    mapped = {"event": extract.columns.event, **extract.columns.later}
    for earlier, later in itertools.pairwise(mapped):
        late = (rows[earlier].dt.normalize() > rows[later]).to_numpy()
        text = table[mapped[earlier]] + " > " + table[mapped[later]]
        problem = f"{earlier} is after its report" if later == "report" else f"{earlier} is after the row was known"
        remedy = "correct the dates or swap the columns in study.toml"
        yield from _listed(text, late, Fault(file, problem, mapped[earlier], expected=f"{earlier} ≤ {later}", remedy=remedy))


def _value_faults(
    table: pd.DataFrame, rows: pd.DataFrame, extract: Extract, file: str, symbols: Collection[str], checks: Sequence[RowCheck]
) -> Iterator[Fault]:
    column, value, hidden = extract.columns.value, rows["value"].to_numpy(), rows["hidden"].to_numpy()
    signed = extract.signed or extract.reports == "add"  # increments correct what was reported before
    right = (value >= (-LARGEST if signed else 0.0)) & (value <= LARGEST)
    if extract.integer:
        right &= value == np.floor(value)
    problem = "value cannot be used"
    if extract.integer:
        problem = "count is not a whole number" if signed else "count is negative or not a whole number"
    expected = f"a {'whole ' if extract.integer else ''}number from {'-10¹²' if signed else '0'} to 10¹²"
    expected += f" or one of {sorted(symbols)}" if symbols else ""
    remedy = "correct the value; a hidden cell needs a barrier that says how it was hidden"
    yield from _listed(table[column], ~right, Fault(file, problem, column, expected=expected, remedy=remedy))
    shown = right & ~hidden
    for check in checks:
        wrong = np.zeros(len(rows), bool)
        wrong[shown] = check.wrong(value[shown])
        yield from _listed(table[column], wrong, Fault(file, check.problem, column, expected=check.expected, remedy=check.remedy))


def _category_faults(table: pd.DataFrame, extract: Extract, file: str) -> Iterator[Fault]:
    for dim, column in extract.dims.items():
        allowed = extract.categories.get(dim)
        wrong = ~table[column].isin(list(allowed)).to_numpy(bool) if allowed else is_missing(table[column])
        expected = f"one of {list(allowed)}" if allowed else "a category"
        remedy = "correct the row or add the category"
        yield from _listed(table[column], wrong, Fault(file, "category is not known", column, expected=expected, remedy=remedy))


def _listed(text: pd.Series, wrong: np.ndarray, fault: Fault) -> list[Fault]:
    """The fault for each of the first wrong rows, and how many more there are."""
    found = text[wrong]
    shown = found.head(PER_CHECK)
    listed = [replace(fault, row=line + 2, value=str(value)) for line, value in zip(shown.index.astype(int), shown, strict=True)]
    return listed + further(fault, len(found))


def further(fault: Fault, count: int) -> list[Fault]:
    """The fault that stands for those beyond the ones that are listed."""
    return [replace(fault, problem=f"{fault.problem}, in {count - PER_CHECK} further rows")] if count > PER_CHECK else []
