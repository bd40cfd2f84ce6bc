"""Which units belong to which: the levels of a study's places, leaf first."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, field_validator

from bayestwin.errors import ExtractError, Fault
from bayestwin.extracts.schema import RESERVED
from bayestwin.extracts.table import read_table
from bayestwin.extracts.validate import is_missing
from bayestwin.periods import RESOLUTIONS


class HierarchyFile(BaseModel):
    """The table that lists every leaf unit and the units above it.

    Attributes:
        file: path inside the study's folder.
        columns: column of each level, leaf first, such as area, board, region.
        names: column with the leaf's readable name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    columns: Annotated[dict[str, str], Field(min_length=1)]
    names: str | None = None

    @field_validator("columns")
    @classmethod
    def _levels_have_names_of_their_own(cls, columns: dict[str, str]) -> dict[str, str]:
        taken = sorted(columns.keys() & {*RESERVED, *RESOLUTIONS, ""})
        if taken:
            raise ValueError(f"levels cannot be named {taken}: these names are in use; choose others")
        return columns


@dataclass(frozen=True)
class Hierarchy:
    """Units by level.

    Attributes:
        levels: names of the levels, leaf first.
        codes: sorted codes of each level's units.
        parents: for each (level, next level), the index of each unit's parent.
        names: readable names of the leaf units.
    """

    levels: tuple[str, ...]
    codes: Mapping[str, np.ndarray]
    parents: Mapping[tuple[str, str], np.ndarray]
    names: np.ndarray

    def ancestors(self, level: str, above: str) -> np.ndarray:
        """Index, among the units of a level or one above it, of the unit that each unit of a level lies in."""
        way = self.levels[self.levels.index(level) : self.levels.index(above) + 1]
        index = np.arange(len(self.codes[level]))
        for child, parent in itertools.pairwise(way):
            index = self.parents[child, parent][index]
        return index


def read_hierarchy_file(folder: Path, spec: HierarchyFile) -> Hierarchy:
    """Read the units of a study.

    Raises:
        ExtractError: if the file cannot be read, a column is missing, a leaf is listed twice, or a unit has two parents.
    """
    try:
        table = read_table(folder / spec.file)
    except ExtractError as error:
        raise ExtractError([replace(fault, file=spec.file) for fault in error.faults]) from error
    wanted = [*spec.columns.values(), *([spec.names] if spec.names else [])]
    missing = [column for column in wanted if column not in table]
    if missing:
        raise ExtractError([_fault(spec.file, "column is missing", c, expected=f"one of {list(table.columns)}") for c in missing])
    levels = tuple(spec.columns)
    faults = (
        _blanks(table, spec)
        + _duplicates(table, spec.file, spec.columns[levels[0]])
        + [fault for child, parent in itertools.pairwise(levels) for fault in _two_parents(table, spec, child, parent)]
    )
    if faults:
        raise ExtractError(faults)
    table = table.sort_values(spec.columns[levels[0]])
    codes = {level: np.unique(table[column].to_numpy(str)) for level, column in spec.columns.items()}
    parents = {(c, p): _parents(table, spec, codes, c, p) for c, p in itertools.pairwise(levels)}
    return Hierarchy(levels, codes, parents, table[spec.names or spec.columns[levels[0]]].to_numpy(str))


def _parents(table: pd.DataFrame, spec: HierarchyFile, codes: Mapping[str, np.ndarray], child: str, parent: str) -> np.ndarray:
    pairs = table.drop_duplicates(spec.columns[child]).sort_values(spec.columns[child])
    return np.searchsorted(codes[parent], pairs[spec.columns[parent]].to_numpy(str))


def _blanks(table: pd.DataFrame, spec: HierarchyFile) -> list[Fault]:
    return [
        _fault(spec.file, f"code of the {level} is empty", column, int(i) + 2, expected="a code", remedy="add the code or remove the row")
        for level, column in spec.columns.items()
        for i in table.index[is_missing(table[column])]
    ]


def _duplicates(table: pd.DataFrame, file: str, column: str) -> list[Fault]:
    twice = table.index[table[column].duplicated()]
    return [
        _fault(file, "unit is listed twice", column, int(i) + 2, str(table[column][i]), "each unit once", "remove a row") for i in twice
    ]


def _two_parents(table: pd.DataFrame, spec: HierarchyFile, child: str, parent: str) -> list[Fault]:
    pairs = table[[spec.columns[child], spec.columns[parent]]].drop_duplicates()
    twice = pairs.index[pairs[spec.columns[child]].duplicated()]
    return [
        _fault(spec.file, f"{child} has two {parent}s", spec.columns[parent], int(i) + 2, str(pairs[spec.columns[child]][i]), f"one {parent}", "correct a row")
        for i in twice
    ]  # fmt: skip


def _fault(
    file: str,
    problem: str,
    column: str,
    row: int | None = None,
    value: str | None = None,
    expected: str | None = None,
    remedy: str | None = None,
) -> Fault:
    return Fault(file, problem, column, row, value, expected, remedy)
