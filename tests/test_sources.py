from pathlib import Path

import numpy as np
import pytest

import bayestwin as bt
from bayestwin.errors import StudyError


def test_bundled_study_is_copied_and_read(tmp_path: Path) -> None:
    study = bt.init_study(tmp_path / "mine", "virtual_practices")
    assert study.folder == tmp_path / "mine"
    assert study.truth == "truth.nc"


def test_missing_published_files_are_all_named_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    with pytest.raises(StudyError, match=r"actual_duration\.csv\.gz") as caught:
        bt.init_study(tmp_path / "mine", "nhs_gp", tmp_path / "source")
    assert len(caught.value.faults) == 5
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(StudyError, match="is not empty"):
        bt.init_study(tmp_path, "virtual_practices")


def test_unknown_name_gets_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="did you mean 'virtual_practices'"):
        bt.init_study(tmp_path / "mine", "virtual_practice")


def test_real_study_reads_whole_and_its_two_extracts_agree_exactly(tmp_path: Path, nhs_folder: Path) -> None:
    study = bt.init_study(tmp_path / "nhs", "nhs_gp", nhs_folder)
    hierarchy = bt.read_hierarchy(study)
    streams = bt.read_observations(study, hierarchy, bt.load_twin(study.model).definition.streams)
    durations, staff = streams["durations"], streams["staff_mix"]
    assert durations.values.shape == (151, 106, 7)
    assert durations.values.sum() == 118_921_434
    months = durations.coords["day"].astype("datetime64[M]")
    recent = staff.coords["month"].astype("datetime64[M]") >= months[0]
    by_month = np.zeros((recent.sum(), len(hierarchy.codes["board"])), int)
    np.add.at(by_month, ((months - months[0]).astype(int)[:, None], hierarchy.parents["area", "board"][None]), durations.values.sum(-1))
    np.testing.assert_array_equal(by_month, staff.values[recent].sum((2, 3)))
