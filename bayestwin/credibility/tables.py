"""A validation as an object for pipelines: its verdict, its checks, and every table behind them as labelled arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayestwin.credibility.check import Check, Status

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Validation:
    """What `validate` found of a run.

    Attributes:
        verdict: the worst of the checks.
        checks: each with its status, value, threshold, reason, recommendation and source.
        tables: a node for each part that was done (backtest, nowcast, sites, replicates, loo, density, second, sensitivity, fit), a dataset of the dim `row`; what a row holds
            several of is a table of its own beside it (`backtest_by_unit`, `backtest_pit`, `backtest_autoets`, `sites_places`, `replicates_ranks`), with what says which row it is of.
    """

    verdict: Status
    checks: tuple[Check, ...]
    tables: xr.DataTree

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Validation:
        """From what `validate` returns, and a run keeps as `Run.validation`.

        Example:
            >>> rows = [{"stream": "visits", "cells": 3, "places": {"A": 0.2, "B": 0.9}}]
            >>> found = Validation.of({"verdict": "PASS", "checks": [], "sites": rows})
            >>> found.tables["sites"]["cells"].values.tolist(), found.tables["sites_places"]["value"].values.tolist()
            ([3.0], [0.2, 0.9])
        """
        nodes: dict[str, xr.Dataset] = {}
        for part, rows in answer.items():
            if part != "checks" and isinstance(rows, list) and rows:
                nodes |= {f"/{part}{of}": _dataset(table) for of, table in _apart(rows).items()}
        return cls(answer["verdict"], tuple(Check(**check) for check in answer["checks"]), xr.DataTree.from_dict(nodes))


def _apart(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows of plain values, and rows of what these held several of, by the end of their table's name."""
    tables: dict[str, list[Row]] = {"": []}
    for row in rows:
        several = {name: value for name, value in row.items() if isinstance(value, list | dict)}
        plain = {name: value for name, value in row.items() if name not in several}
        which = {name: value for name, value in plain.items() if isinstance(value, str | int)}
        tables[""].append(plain)
        for name, value in several.items():
            tables.setdefault(f"_{name}", []).extend({**which, **part} for part in _parts(value))
    return {name: table for name, table in tables.items() if table}


def _parts(value: list | dict) -> list[Row]:
    """One row of a dict of named figures, many of a dict by label or of a list."""
    if isinstance(value, list):
        return [dict(one) if isinstance(one, dict) else {"position": i, "value": one} for i, one in enumerate(value)]
    if "naive" in value:
        return [value]
    return [{"label": label, "value": one} for label, one in value.items()]


def _dataset(rows: list[Row]) -> xr.Dataset:
    table = pd.DataFrame(rows)
    return xr.Dataset({str(name): ("row", _plain(table[name])) for name in table})


def _plain(column: pd.Series) -> np.ndarray:
    """Numbers, not-a-number where there is none; else text."""
    numbers = pd.to_numeric(column, errors="coerce")
    return numbers.to_numpy(float) if numbers.notna().equals(column.notna()) else column.fillna("").astype(str).to_numpy(object)
