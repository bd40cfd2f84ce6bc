"""Run folders are whole or absent, whatever ends the process and wherever."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import arviz as az
import numpy as np
import pytest
import xarray as xr

from bayestwin.errors import RunError
from bayestwin.runs import ACCESS, ACCESS_FORMAT, load_run, new_run, replaced, write_json, write_tree


def written(folder: Path, number: int) -> Path:
    with new_run(folder) as scratch:
        (scratch / "posterior.nc").write_text(str(number), encoding="utf-8")
        write_json(scratch / "manifest.json", {"run": number})
    return folder


def test_a_run_replaces_an_earlier_one_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    folder = written(tmp_path / "runs" / "a", 1)
    assert load_run(written(folder, 2)).manifest == {"run": 2}
    assert [path.name for path in folder.parent.iterdir()] == ["a"]
    assert folder.stat().st_mode & 0o777 == 0o755


# What ends the process, as a patch of os.replace: before the old run steps aside, between the two moves, after both.
PLACES = {"before": "die()", "between": "(move(a, b), die())", "after": "(move(a, b), calls.append(1), len(calls) == 2 and die())"}


@pytest.mark.parametrize(("place", "run"), [("before", 1), ("between", 1), ("after", 2)])
def test_a_kill_while_folders_are_swapped_loses_no_run(tmp_path: Path, place: str, run: int) -> None:
    folder = written(tmp_path / "a", 1)
    code = f"""
        import os, signal
        from pathlib import Path
        from bayestwin.runs import new_run, write_json
        die = lambda: os.kill(os.getpid(), signal.SIGKILL)
        move, calls = os.replace, []
        with new_run(Path({str(folder)!r})) as scratch:
            (scratch / "posterior.nc").write_text("2")
            write_json(scratch / "manifest.json", {{"run": 2}})
            os.replace = lambda a, b: {PLACES[place]}
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert done.returncode == -signal.SIGKILL
    found = load_run(folder)
    assert found.manifest == {"run": run}
    assert (folder / "posterior.nc").read_text(encoding="utf-8") == str(run)
    assert load_run(written(folder, 3)).manifest == {"run": 3}
    assert not (tmp_path / ".a.previous").exists()


def test_a_failed_move_leaves_the_earlier_run_loadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = written(tmp_path / "a", 1)
    move = os.replace

    def fails_for_the_new_one(source: Path, target: Path) -> None:
        if ".partial-" in source.name:
            raise OSError("disk full")
        move(source, target)

    with pytest.raises(OSError, match="disk full"), new_run(folder) as scratch:
        (scratch / "posterior.nc").write_text("2", encoding="utf-8")
        (scratch / "manifest.json").write_text("{}", encoding="utf-8")
        monkeypatch.setattr(os, "replace", fails_for_the_new_one)
    monkeypatch.undo()
    assert load_run(folder).manifest == {"run": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_file_gets_its_name_only_when_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(path, {"a": float("nan")})
    with pytest.raises(ZeroDivisionError), replaced(path) as scratch:
        scratch.write_text("half", encoding="utf-8")
        raise ZeroDivisionError
    assert path.read_text(encoding="utf-8") == '{\n  "a": 1\n}\n'
    assert [found.name for found in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("held", ["file", "folder with notes"])
def test_what_is_no_run_is_refused_and_left_alone(tmp_path: Path, held: str) -> None:
    target = tmp_path / "a"
    note = target if held == "file" else target / "notes.txt"
    note.parent.mkdir(exist_ok=True)
    note.write_text("mine", encoding="utf-8")
    with pytest.raises(RunError, match=r"is there and is not a run.*choose another --out"):
        written(target, 1)
    assert note.read_text(encoding="utf-8") == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_an_empty_folder_and_the_current_one_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    written(Path("."), 1)
    assert load_run(tmp_path / "here").manifest == {"run": 1}


def test_a_folder_that_lacks_a_part_names_it(tmp_path: Path) -> None:
    folder = written(tmp_path / "a", 1)
    with pytest.raises(RunError, match=r"forecast\.parquet: file is missing.*calibrate again"):
        _ = load_run(folder).forecast
    assert load_run(folder).truth is None
    (folder / "posterior.nc").unlink()
    with pytest.raises(RunError, match=r"posterior\.nc: file is missing.*bayestwin calibrate"):
        load_run(folder)
    with pytest.raises(RunError) as caught:
        load_run(tmp_path / "nowhere")
    assert len(caught.value.faults) == 2


def test_damaged_files_are_named(tmp_path: Path) -> None:
    folder = written(tmp_path / "a", 1)
    with pytest.raises(RunError, match=r"posterior\.nc: is damaged"):
        _ = load_run(folder).tree
    (folder / "manifest.json").write_text('{"run": ', encoding="utf-8")
    with pytest.raises(RunError, match=r"manifest\.json: is damaged"):
        load_run(folder)


def test_a_tree_is_read_back_the_same(tmp_path: Path) -> None:
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"x": (("chain", "draw"), np.arange(6.0).reshape(2, 3))})})
    with new_run(tmp_path / "a") as scratch:
        write_tree(scratch / "posterior.nc", tree)
        write_json(scratch / "manifest.json", {})
    xr.testing.assert_identical(load_run(tmp_path / "a").posterior, tree["posterior"].to_dataset())


def test_log_likelihoods_in_single_precision_give_the_same_loo(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    mean, y = rng.normal(0.0, 0.1, (4, 250)), rng.standard_normal(80)
    log_density = -0.5 * (y - mean[..., None]) ** 2 - 0.919
    groups = {
        "posterior": xr.Dataset({"mean": (("chain", "draw"), mean)}),
        "log_likelihood": xr.Dataset({"y": (("chain", "draw", "case"), log_density)}),
    }
    single = groups | {"log_likelihood": groups["log_likelihood"].astype(np.float32)}  # as `log_densities` gives them
    write_tree(tmp_path / "run.nc", xr.DataTree.from_dict(single))
    kept = xr.open_datatree(tmp_path / "run.nc", engine="h5netcdf").load()
    assert kept["log_likelihood"]["y"].dtype == np.float32
    assert kept["posterior"]["mean"].dtype == np.float64
    np.testing.assert_array_equal(kept["posterior"]["mean"], mean)
    assert az.loo(kept).elpd == pytest.approx(az.loo(xr.DataTree.from_dict(groups)).elpd, abs=1e-4)


def test_an_analysis_of_access_in_another_form_is_as_good_as_none(tmp_path: Path) -> None:
    folder = written(tmp_path / "a", 1)
    for answer, found in (({"plan": []}, None), ({"format": ACCESS_FORMAT}, {"format": ACCESS_FORMAT})):
        write_json(folder / ACCESS, answer)
        assert load_run(folder).access == found
