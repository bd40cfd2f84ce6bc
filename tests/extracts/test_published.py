"""Published data with revisions, delays and missing dates, cut at dates in the past and held against pandas on the same files."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from extract_cases import shared_data

from bayestwin.errors import ExtractError
from bayestwin.extracts.hierarchy import Hierarchy, HierarchyFile, read_hierarchy_file
from bayestwin.extracts.ledger import ledger_row
from bayestwin.extracts.observations import Observations, read_extract
from bayestwin.extracts.schema import Extract

WEEK = pd.Timedelta(days=7)


def places(folder: Path, codes: list[str]) -> Hierarchy:
    pd.DataFrame({"code": codes}).to_csv(folder / "places.csv", index=False)
    return read_hierarchy_file(folder, HierarchyFile(file="places.csv", columns={"area": "code"}))


DENGUE = Extract(
    name="dengue by onset and report",
    stream="cases",
    file="dengue.csv",
    level="area",
    measure="patients",
    columns={"unit": "area", "event": "onset_week", "value": "n", "report": "report_week"},
    dims={"sex": "gender"},
    resolution="week",
    absent="zero",
    reports="add",
    max_delay=10,
)


@pytest.fixture(scope="module")
def dengue() -> pd.DataFrame:
    table = pd.read_csv(shared_data("nobbs_delay") / "dengue_pr_onset_report_week.csv.gz", parse_dates=["onset_week", "report_week"])
    return table.assign(area="PR")


@pytest.mark.parametrize("as_of", ["1991-03-05", "1998-11-01", "2010-11-28", "2012-01-01"])
def test_dengue_triangle_at_any_date(tmp_path: Path, dengue: pd.DataFrame, as_of: str) -> None:
    dengue.to_csv(tmp_path / DENGUE.file, index=False)
    found = read_extract(tmp_path, DENGUE, places(tmp_path, ["PR"]), date.fromisoformat(as_of))
    assert found.dims == ("week", "area", "sex", "delay")
    cut = dengue[dengue["report_week"] + WEEK <= pd.Timestamp(as_of) + pd.Timedelta(days=1)]
    delay = ((cut["report_week"] - cut["onset_week"]) // WEEK).clip(upper=10)
    expected = cut.groupby([cut["onset_week"], delay, "gender"])["n"].sum().unstack(["gender"], fill_value=0)
    weeks = pd.date_range(cut["onset_week"].min(), cut["onset_week"].max(), freq="7D")
    cells = pd.MultiIndex.from_product([weeks, range(11)])
    assert (found.coords["week"] == weeks.to_numpy("datetime64[D]")).all()
    np.testing.assert_array_equal(
        found.values.swapaxes(2, 3).reshape(-1, 2), expected.reindex(cells, fill_value=0)[["Female", "Male"]].to_numpy()
    )
    open_weeks = (~found.mask[:, 0, 0]).sum(1)[::-1]
    last = (pd.Timestamp(as_of) + pd.Timedelta(days=1) - weeks[-1]) // WEEK - 1
    assert open_weeks[:10].tolist() == [max(10 - last - i, 0) for i in range(10)]
    assert not open_weeks[10:].any()
    assert ledger_row(found, (), date.fromisoformat(as_of)).share_masked == 0.0


def test_dengue_ends_with_all_cases(tmp_path: Path, dengue: pd.DataFrame) -> None:
    dengue.to_csv(tmp_path / DENGUE.file, index=False)
    assert read_extract(tmp_path, DENGUE, places(tmp_path, ["PR"]), date(2012, 1, 1)).values.sum() == 52_987


MPOX = DENGUE.model_copy(
    update={
        "file": "mpox.csv",
        "columns": DENGUE.columns.model_copy(update={"event": "onset_date", "value": None, "report": "dx_report_date"}),
        "dims": {},
        "undated": "keep",
        "resolution": "day",
        "max_delay": 40,
    }
)


@pytest.fixture(scope="module")
def mpox() -> pd.DataFrame:
    table = pd.read_csv(shared_data("nobbs_delay") / "mpox_nyc_linelist.csv.gz", dtype=str, keep_default_na=False)
    return table.assign(area="NYC")


def test_mpox_onsets_after_the_report_are_named(tmp_path: Path, mpox: pd.DataFrame) -> None:
    mpox.to_csv(tmp_path / "mpox.csv", index=False)
    with pytest.raises(ExtractError, match=r"mpox\.csv, column 'onset_date', line \d+: event is after its report") as caught:
        read_extract(tmp_path, MPOX, places(tmp_path, ["NYC"]), date(2023, 12, 31))
    assert len(caught.value.faults) == (mpox["onset_date"] > mpox["dx_report_date"]).sum() == 6


@pytest.mark.parametrize("as_of", ["2022-07-20", "2022-08-15", "2023-12-31"])
def test_mpox_line_list_counts_its_missing_onsets(tmp_path: Path, mpox: pd.DataFrame, as_of: str) -> None:
    sound = mpox[mpox["onset_date"] <= mpox["dx_report_date"]]
    sound.to_csv(tmp_path / "mpox.csv", index=False)
    found = read_extract(tmp_path, MPOX, places(tmp_path, ["NYC"]), date.fromisoformat(as_of))
    seen = sound[sound["dx_report_date"] <= as_of]
    dated = seen[seen["onset_date"] != ""].astype({"onset_date": "datetime64[s]", "dx_report_date": "datetime64[s]"})
    days = pd.DatetimeIndex(found.coords["day"])
    np.testing.assert_array_equal(found.values.sum((1, 2)), dated["onset_date"].value_counts().reindex(days, fill_value=0))
    delay = (dated["dx_report_date"] - dated["onset_date"]).dt.days.clip(upper=40)
    np.testing.assert_array_equal(found.values.sum((0, 1)), delay.value_counts().reindex(range(41), fill_value=0))
    undated = seen[seen["onset_date"] == ""]["dx_report_date"].value_counts()
    assert found.undated is not None
    np.testing.assert_array_equal(found.undated.values[:, 0], undated.reindex(found.undated.periods.astype(str), fill_value=0))
    share = ledger_row(found, (), date.fromisoformat(as_of)).share_undated
    assert share == pytest.approx((seen["onset_date"] == "").mean())
    if as_of == "2023-12-31":
        assert (found.values.sum(), found.undated.values.sum()) == (3_323 - 812 - 6, 812)


NHS = Extract(
    name="attended appointments",
    stream="attended",
    file="deliveries/*.parquet",
    level="area",
    measure="appointments",
    columns={"unit": "board", "event": "month", "value": "count", "known": "published"},
    where={"status": "Attended"},
    event_format="%Y-%m",
    resolution="month",
    repeated="sum",
)
NAMES = {"icb_ons_code": "board", "stp_ons": "board", "appointment_month": "month"}
NAMES |= {"appointment_status": "status", "appt_status": "status", "count_of_appointments": "count"}


@pytest.fixture(scope="module")
def nhs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Hierarchy, dict[str, pd.DataFrame]]:
    """The two releases as two deliveries, for the boards that both of them know."""
    files = {
        "2021-09-30": shared_data("nhs_gp_2021_vintage") / "gp_appointments_ccg_month.csv.gz",
        "2022-05-26": shared_data("nhs_gp") / "appointments_regional.csv.gz",
    }
    tables = {published: pd.read_csv(file, dtype=str).rename(columns=NAMES) for published, file in files.items()}
    boards = sorted(set.intersection(*(set(table["board"]) for table in tables.values())))
    folder = tmp_path_factory.mktemp("nhs")
    (folder / "deliveries").mkdir()
    totals = {}
    for published, table in tables.items():
        kept = table.loc[table["board"].isin(boards), ["board", "month", "status", "count"]].assign(published=published)
        kept.to_parquet(folder / "deliveries" / f"{published}.parquet")
        attended = kept[kept["status"] == "Attended"].astype({"count": int})
        totals[published] = attended.groupby(["month", "board"])["count"].sum().unstack()
    return folder, places(folder, boards), totals


def by_month(found: Observations) -> pd.DataFrame:
    return pd.DataFrame(found.values, found.coords["month"].astype("datetime64[M]").astype(str), found.coords["area"])


def test_nhs_release_before_and_after_its_revision(nhs: tuple[Path, Hierarchy, dict[str, pd.DataFrame]]) -> None:
    folder, hierarchy, totals = nhs
    first, second = totals.values()
    early, late = (read_extract(folder, NHS, hierarchy, date.fromisoformat(as_of)) for as_of in ("2022-05-25", "2022-05-26"))
    pd.testing.assert_frame_equal(by_month(early), first, check_names=False)
    pd.testing.assert_frame_equal(by_month(late).loc[second.index], second, check_names=False)
    only_first = first.index.difference(second.index)  # the later release begins in 2020: what is older stays as it was released
    pd.testing.assert_frame_equal(by_month(late).loc[only_first], first.loc[only_first], check_names=False)
    both = first.index.intersection(second.index)
    assert (len(hierarchy.codes["area"]), len(both)) == (28, 20)
    assert (first.loc[both] != second.loc[both]).to_numpy().sum() == 87
    assert early.provenance.file == "deliveries/2021-09-30.parquet"
    assert late.provenance.file == "deliveries/2021-09-30.parquet, deliveries/2022-05-26.parquet"
    with pytest.raises(ExtractError, match="nothing was known on 2021-09-29; expected as_of ≥ 2021-09-30"):
        read_extract(folder, NHS, hierarchy, date(2021, 9, 29))
