"""What the tests of extracts share: three areas, a few rows, and drawn tables with revisions."""

import os
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from bayestwin.extracts.hierarchy import Hierarchy
from bayestwin.extracts.observations import Observations, read_extract
from bayestwin.extracts.schema import Extract

UNITS = Hierarchy(("area",), {"area": np.array(["A", "B", "C"])}, {}, np.array(["A", "B", "C"]))
ROWS = [("A", "2022-01-03", 5), ("B", "2022-01-03", 7), ("A", "2022-01-05", 2), ("B", "2022-02-01", 1)]
COLUMNS = {"unit": "unit_code", "event": "day_of", "value": "n"}
LINES = {"unit": "unit_code", "event": "day_of"}
REPORTED = {"report": "known_on"}
DATED = {"report": "registered", "known": "reached"}
TRIANGLE = {"reports": "add", "absent": "zero"}
DAY = pd.Timedelta(days=1)
START = pd.Timestamp("2022-01-03")  # a Monday


def extract(**changes: Any) -> Extract:
    plain = {"name": "counts", "stream": "counts", "file": "a.csv", "level": "area", "measure": "appointments", "columns": COLUMNS}
    return Extract(**{**plain, **changes})


def table(rows: list[tuple] = ROWS, **more: Any) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["unit_code", "day_of", "n"]).assign(**more)


def read(folder: Path, rows: pd.DataFrame, as_of: date | str = "2022-12-31", **changes: Any) -> Observations:
    rows.to_csv(folder / "a.csv", index=False)
    return read_files(folder, as_of, **changes)


def read_files(
    folder: Path, as_of: date | str = "2022-12-31", symbols: Iterable[str] = (), checks: Any = (), **changes: Any
) -> Observations:
    as_of = date.fromisoformat(as_of) if isinstance(as_of, str) else as_of
    return read_extract(folder, extract(**changes), UNITS, as_of, frozenset(symbols), checks)


def with_report(**changes: Any) -> dict[str, Any]:
    return {"columns": COLUMNS | REPORTED, **changes}


def deliver(folder: Path, tables: Mapping[str, pd.DataFrame]) -> None:
    for name, rows in tables.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        rows.to_csv(folder / name, index=False)


def same(left: Observations, right: Observations) -> bool:
    arrays = [(getattr(left, name), getattr(right, name)) for name in ("values", "mask", "hidden")]
    arrays += [(left.coords[dim], right.coords[dim]) for dim in left.dims]
    if left.undated and right.undated:
        arrays += [(left.undated.values, right.undated.values), (left.undated.periods, right.undated.periods)]
    same_kind = left.dims == right.dims and (left.undated is None) == (right.undated is None)
    return same_kind and all(np.array_equal(a, b) for a, b in arrays)


@st.composite
def versions(draw: st.DrawFn, days: int = 9, lowest: int = 0) -> pd.DataFrame:
    """Rows of which several may be about one unit and day, registered and reached at any later dates, no two alike in all four."""
    lag = st.integers(0, 5)
    keys = draw(st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, days), lag, lag), min_size=1, max_size=14, unique=True))
    values = draw(st.lists(st.integers(lowest, 9), min_size=len(keys), max_size=len(keys)))
    rows = [
        (unit, START + day * DAY, START + (day + late) * DAY, START + (day + late + later) * DAY, n)
        for (unit, day, late, later), n in zip(keys, values, strict=True)
    ]
    frame = pd.DataFrame(rows, columns=["unit_code", "day_of", "registered", "reached", "n"])
    return frame.drop_duplicates(["unit_code", "day_of", "registered", "reached"]).reset_index(drop=True)


def shared_data(name: str) -> Path:
    """A folder of published data, where it lies."""
    root = os.environ.get("BAYESTWIN_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data")
    folder = Path(root) / name
    if not folder.is_dir():
        pytest.skip(f"published data are not at {folder}; set BAYESTWIN_SHARED_DATA to the folder above {name}")
    return folder
