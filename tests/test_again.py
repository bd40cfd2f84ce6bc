"""A run finds its study again: from elsewhere, moved together with it, and not when it has changed."""

import shutil
from pathlib import Path

import pytest
from bakery_study import write_bakery

import bayestwin as bt
from bayestwin.again import prepared_again, study_again
from bayestwin.errors import RunError

SHORT = bt.Sampling(chains=2, draws=50, warmup=50)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study and its run, the study calibrated by a relative path."""
    place = tmp_path_factory.mktemp("place")
    write_bakery(place / "studies" / "bakery")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        bt.calibrate(bt.read_study("studies/bakery"), SHORT, Path("runs/one"))
    return place


def test_a_study_given_by_a_relative_path_is_found_from_another_folder(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert study_again(bt.load_run(place / "runs" / "one")).name == "bakery"


def test_a_study_that_moved_with_its_run_is_found(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place, tmp_path / "moved")
    found = study_again(bt.load_run(tmp_path / "moved" / "runs" / "one"))
    assert found.folder.resolve() == tmp_path / "moved" / "studies" / "bakery"


def test_a_study_that_is_gone_is_named_as_it_was_given(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "runs", tmp_path / "runs")
    with pytest.raises(RunError, match=r"studies/bakery: the run's study is not there"):
        study_again(bt.load_run(tmp_path / "runs" / "one"))


def test_a_table_of_units_that_has_changed_is_named(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place, tmp_path / "moved")
    run = bt.load_run(tmp_path / "moved" / "runs" / "one")
    prepared_again(run)
    shops = tmp_path / "moved" / "studies" / "bakery" / "shops.csv"
    shops.write_text(shops.read_text(encoding="utf-8").replace("Baker S1", "Baker One"), encoding="utf-8")
    with pytest.raises(RunError, match=r"shops\.csv: has changed since the run"):
        prepared_again(run)
