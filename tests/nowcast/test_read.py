from pathlib import Path

import numpy as np
import pytest

from bayestwin.errors import ExtractError
from bayestwin.nowcast import read_triangle

GOOD = "date,location,age_group,d0,d1,d2d_plus\n2021-11-01,DE,00+,5.0,-2.0,\n2021-11-03,DE,00+,7,,\n2021-11-01,DE-HB,00+,1,0,4\n"


def written(folder: Path, text: str) -> Path:
    (folder / "triangle.csv").write_text(text, encoding="utf-8")
    return folder / "triangle.csv"


def test_cells_dates_and_places(tmp_path: Path) -> None:
    triangle = read_triangle(written(tmp_path, GOOD))
    assert triangle.series == ("DE,00+", "DE-HB,00+")
    assert triangle.places == ("DE", "DE-HB")
    assert triangle.dates.astype(str).tolist() == ["2021-11-01", "2021-11-02", "2021-11-03"]
    np.testing.assert_array_equal(triangle.counts[:, :, 0], [[5, -2], [0, 0], [7, 0]])
    np.testing.assert_array_equal(triangle.seen[:, :, 0], [[True, True], [False, False], [True, False]])


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("5.0", "five", r"triangle.csv, column 'd0', line 2: not a count: found 'five'; expected a whole number.*To mend it"),
        ("5.0", "5.5", r"column 'd0', line 2: not a count: found '5.5'"),
        ("2021-11-03", "03.11.2021", r"column 'date', line 3: not a date: found '03.11.2021'; expected a date such as.*To mend it"),
        ("2021-11-03", "2021-11-01", r"column 'date', line 3: second row of the same date, location and age group.*To mend it"),
        ("d1,", "d7,", r"column 'd1': delay missing.*To mend it"),
        ("age_group", "age", r"column 'age_group': column missing.*To mend it"),
        ("d0", "delay", r"column 'delay': column not understood"),
    ],
)
def test_faults_name_file_column_line_value_and_remedy(tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(ExtractError, match=says):
        read_triangle(written(tmp_path, GOOD.replace(old, new, 1)))


def test_missing_file_and_empty_table(tmp_path: Path) -> None:
    with pytest.raises(ExtractError, match="no such file"):
        read_triangle(tmp_path / "none.csv")
    with pytest.raises(ExtractError, match="no rows"):
        read_triangle(written(tmp_path, GOOD.splitlines()[0] + "\n"))
