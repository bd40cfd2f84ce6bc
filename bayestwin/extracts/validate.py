"""Check every row of an extract and report all faults at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bayestwin.errors import Fault
from bayestwin.extracts.schema import Extract

ZONED = r"^(\s*\d{4}-?\d{2}-?\d{2}[Tt ]\d{2}.*?)\s*(?:[Zz]|[+-]\d{2}(?::?\d{2})?)\s*$"
YEARS = pd.Timestamp(1980, 1, 1), pd.Timestamp(2100, 1, 1)  # beyond these a date stands for something else, such as "no end"
LARGEST = 1e12  # beyond this a number is a slip, and sums could overflow
PER_CHECK = 10  # rows shown for one check of one column


def missing_columns(table: pd.DataFrame, extract: Extract) -> list[Fault]:
    """Columns that the study maps and the file lacks."""
    columns = extract.columns
    wanted = [columns.unit, columns.event, columns.value, *([columns.report] if columns.report else [])]
    wanted += [*extract.dims.values(), *extract.where]
    have = list(map(str, table.columns))
    return [
        Fault(
            extract.file, "column is missing", column, expected=f"one of {have}", remedy=f"correct extract {extract.name!r} in study.toml"
        )
        for column in dict.fromkeys(wanted)
        if column not in have
    ]


def dates(text: pd.Series, layout: str | None) -> pd.Series:
    """Dates from text, NaT where it is none or out of bounds; an ISO time zone is dropped, the local date kept."""
    unique = pd.Series(text.unique(), dtype="string")
    plain = unique.str.replace(ZONED, r"\1", regex=True).where(unique.str.match(r"\s*\d{4}-?\d{2}")) if layout is None else unique
    parsed = pd.to_datetime(plain, format=layout or "ISO8601", errors="coerce", utc=True).dt.tz_localize(None)
    parsed = parsed.where(parsed.between(*YEARS))
    return text.map(dict(zip(unique, parsed, strict=True))).astype("datetime64[ns]")


def row_faults(table: pd.DataFrame, extract: Extract, units: Sequence[str]) -> list[Fault]:
    """Faults of single rows: units, dates, values, categories.

    Args:
        table: the file's rows as text; the index is the row's position in the file.
        extract: how the study describes the table.
        units: codes of the extract's level of the hierarchy.
    """
    import pandera.pandas as pa

    columns = extract.columns
    checks = {columns.unit: [_check(lambda s: s.isin(list(units)), "unit")]}
    checks.setdefault(columns.event, []).append(_check(lambda s: dates(s, extract.event_format).notna(), "date"))
    checks.setdefault(columns.event, []).append(_check(_one_zone, "zone"))
    checks.setdefault(columns.value, []).append(_check(_is_whole if extract.integer else _is_number, "value"))
    if columns.report:
        checks.setdefault(columns.report, []).append(_check(lambda s: dates(s, None).notna(), "report"))
        checks[columns.report].append(_check(_one_zone, "zone"))
    for dim, column in extract.dims.items():
        allowed = extract.categories.get(dim)
        checks.setdefault(column, []).append(_check(_one_of(allowed) if allowed else _is_given, f"category:{dim}"))
    schema = pa.DataFrameSchema({name: pa.Column(nullable=True, checks=found) for name, found in checks.items()})
    try:
        schema.validate(table, lazy=True)
    except pa.errors.SchemaErrors as error:
        return list(_described(error.failure_cases, extract))
    return _event_after_report(table, extract)


def _check(test: Callable[[pd.Series], pd.Series], name: str) -> Any:
    import pandera.pandas as pa

    return pa.Check(test, name=name, error=name, ignore_na=False)


def _one_of(allowed: Sequence[str]) -> Callable[[pd.Series], pd.Series]:
    return lambda text: text.isin(list(allowed))


def _is_given(text: pd.Series) -> pd.Series:
    return text.fillna("").str.strip() != ""


def _is_number(text: pd.Series) -> pd.Series:
    number = pd.to_numeric(text, errors="coerce").to_numpy(float, na_value=np.nan)
    return pd.Series((number >= 0) & (number <= LARGEST), index=text.index)


def _is_whole(text: pd.Series) -> pd.Series:
    number = pd.to_numeric(text, errors="coerce").to_numpy(float, na_value=np.nan)
    return pd.Series((number >= 0) & (number <= LARGEST) & (number == np.floor(number)), index=text.index)


def _one_zone(text: pd.Series) -> pd.Series:
    zoned = text.str.fullmatch(ZONED).fillna(False).astype(bool)
    usual = bool(zoned.mean() > 0.5)
    return zoned == usual


EXPECTED = {
    "unit": ("unit is in no hierarchy", "a code of the study's hierarchy", "add the unit to the hierarchy file or drop its rows"),
    "date": (
        "date cannot be read",
        "a date from 1980 to 2100 as `event_format` says (ISO 8601 by default)",
        "correct the date or `event_format` in study.toml",
    ),
    "zone": ("time zones are mixed", "a time zone on every row or on none", "write every date in one time zone"),
    "value": (
        "value cannot be used",
        "a number from 0 to 10¹²",
        "correct the value; a hidden cell needs a barrier that says how it was hidden",
    ),
    "report": ("report date cannot be read", "an ISO 8601 date from 1980 to 2100", "correct the date"),
    "category": ("category is not known", "one of the categories in study.toml", "correct the row or add the category"),
}


def _described(cases: pd.DataFrame, extract: Extract) -> Iterator[Fault]:
    for (column, check), rows in cases.groupby(["column", "check"], sort=False):
        problem, expected, remedy = EXPECTED[str(check).split(":")[0]]
        if check == "value" and extract.integer:
            problem, expected = "count is negative or not a whole number", "a whole number from 0 to 10¹²"
        if str(check).startswith("category:"):
            allowed = extract.categories.get(str(check).removeprefix("category:"))
            expected = f"one of {list(allowed)}" if allowed else "a category"
        values = rows.set_index("index")["failure_case"]
        yield from _listed(values, Fault(extract.file, problem, str(column), expected=expected, remedy=remedy))


def _event_after_report(table: pd.DataFrame, extract: Extract) -> list[Fault]:
    """Rows that happened on a later day than they became known."""
    columns = extract.columns
    if columns.report is None:
        return []
    late = dates(table[columns.event], extract.event_format).dt.normalize() > dates(table[columns.report], None)
    problem, remedy = "event is after its report", "correct the dates or swap the columns in study.toml"
    values = (table[columns.event] + " > " + table[columns.report])[late]
    return _listed(values, Fault(extract.file, problem, columns.event, expected="event ≤ report", remedy=remedy))


def duplicate_faults(table: pd.DataFrame, extract: Extract) -> list[Fault]:
    """Rows that repeat the key of one above: unit, event, further dims and, where there is one, report."""
    columns = extract.columns
    keys = {"unit": table[columns.unit], "event": dates(table[columns.event], extract.event_format)}
    keys |= {dim: table[column] for dim, column in extract.dims.items()}
    if columns.report:
        keys["known"] = dates(table[columns.report], None)
    key = pd.DataFrame(keys).dropna()
    twice = key.index[key.duplicated()]
    named = table.loc[twice, [columns.unit, columns.event, *extract.dims.values()]]
    remedy = "remove one of the rows, or map the report date so that revisions are told apart"
    fault = Fault(extract.file, "key is duplicated", columns.unit, expected="one row a key", remedy=remedy)
    return _listed(named.agg(" ".join, axis=1) if len(twice) else named[columns.unit], fault)


def _listed(values: pd.Series, fault: Fault) -> list[Fault]:
    """The fault for each of the first rows, and how many more there are."""
    shown = values.head(PER_CHECK)
    listed = [replace(fault, row=line + 2, value=str(value)) for line, value in zip(shown.index.astype(int), shown, strict=True)]
    if len(values) > PER_CHECK:
        listed.append(replace(fault, problem=f"{fault.problem}, in {len(values) - PER_CHECK} further rows"))
    return listed
