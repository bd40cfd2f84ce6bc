"""Check every row of an extract and report all faults at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bayestwin.errors import Fault
from bayestwin.extracts.schema import Extract

ZONE = r"(?:Z|[+-]\d{2}:?\d{2})$"
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
    """Dates from text, NaT where it is none; an ISO time zone is dropped, the local date kept."""
    unique = pd.Series(text.unique(), dtype="string")
    plain = unique.str.replace(ZONE, "", regex=True) if layout is None else unique
    parsed = pd.to_datetime(plain, format=layout or "ISO8601", errors="coerce")
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
    for dim, allowed in extract.categories.items():
        checks.setdefault(extract.dims[dim], []).append(_check(_one_of(allowed), f"category:{dim}"))
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


def _is_number(text: pd.Series) -> pd.Series:
    number = pd.to_numeric(text, errors="coerce").astype(float)
    return pd.Series(np.isfinite(number) & (number >= 0), index=text.index)


def _is_whole(text: pd.Series) -> pd.Series:
    number = pd.to_numeric(text, errors="coerce").astype(float)
    return pd.Series(np.isfinite(number) & (number >= 0) & (number == np.floor(number)), index=text.index)


def _one_zone(text: pd.Series) -> pd.Series:
    zoned = text.str.contains(ZONE, regex=True).fillna(False) & text.str.contains("T", regex=False).fillna(False)
    usual = bool(zoned.mean() > 0.5)
    return zoned == usual


EXPECTED = {
    "unit": ("unit is in no hierarchy", "a code of the study's hierarchy", "add the unit to the hierarchy file or drop its rows"),
    "date": (
        "date cannot be read",
        "a date as `event_format` says (ISO 8601 by default)",
        "correct the date or `event_format` in study.toml",
    ),
    "zone": ("time zones are mixed", "a time zone on every row or on none", "write every date in one time zone"),
    "value": ("value cannot be used", "a number ≥ 0", "correct the value; a hidden cell needs a barrier that says how it was hidden"),
    "report": ("report date cannot be read", "an ISO 8601 date", "correct the date"),
    "category": ("category is not known", "one of the categories in study.toml", "correct the row or add the category"),
}


def _described(cases: pd.DataFrame, extract: Extract) -> Iterator[Fault]:
    for (column, check), rows in cases.groupby(["column", "check"], sort=False):
        problem, expected, remedy = EXPECTED[str(check).split(":")[0]]
        if check == "value" and extract.integer:
            problem, expected = "count is negative or not a whole number", "a whole number ≥ 0"
        if str(check).startswith("category:"):
            expected = f"one of {list(extract.categories[str(check).split(':')[1]])}"
        shown = rows.head(PER_CHECK)
        for position, value in zip(shown["index"].astype(int), shown["failure_case"], strict=True):
            yield Fault(extract.file, problem, str(column), position + 2, str(value), expected, remedy)
        if len(rows) > PER_CHECK:
            yield Fault(extract.file, f"{problem}, in {len(rows) - PER_CHECK} further rows", str(column), expected=expected, remedy=remedy)


def _event_after_report(table: pd.DataFrame, extract: Extract) -> list[Fault]:
    if extract.columns.report is None:
        return []
    event = dates(table[extract.columns.event], extract.event_format)
    report = dates(table[extract.columns.report], None)
    late = table.index[event > report]
    return [
        Fault(
            extract.file,
            "event is after its report",
            extract.columns.event,
            int(i) + 2,
            f"{table[extract.columns.event][i]} > {table[extract.columns.report][i]}",
            "event ≤ report",
            "correct the dates or swap the columns in study.toml",
        )
        for i in late[:PER_CHECK]
    ]


def duplicate_faults(table: pd.DataFrame, extract: Extract) -> list[Fault]:
    """Rows that repeat another: the same in every column but the value."""
    columns = [column for column in table.columns if column != extract.columns.value]
    rows = table.index[table.duplicated(columns)]
    return [
        Fault(
            extract.file,
            "key is duplicated",
            extract.columns.unit,
            int(i) + 2,
            " ".join(str(table[c][i]) for c in (extract.columns.unit, extract.columns.event, *extract.dims.values())),
            "one row a key",
            "remove one of the rows, or map the report date so that revisions are told apart",
        )
        for i in rows[:PER_CHECK]
    ]
