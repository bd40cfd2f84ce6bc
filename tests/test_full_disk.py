"""A full disk, or one that may not be written to, is an error with a name: file, cause, remedy; what was there is as it was."""

import errno
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from bakery_study import write_bakery

import bayestwin as bt
from bayestwin import scratch as module
from bayestwin.errors import WriteError
from bayestwin.library import copy_model
from bayestwin.netcdf import write_netcdf
from bayestwin.runs import add_to_tree, load_run, new_run, replaced, unfinished, write_json, write_tables, write_tree

SHORT = bt.Sampling(chains=2, draws=50, warmup=50)


def tree(draws: int, group: str = "posterior") -> xr.DataTree:
    return xr.DataTree.from_dict({group: xr.Dataset({"x": (("chain", "draw"), np.random.default_rng(1).normal(size=(2, draws)))})})


def written(folder: Path, draws: int) -> None:
    with new_run(folder) as scratch:
        write_tree(scratch / "posterior.nc", tree(draws))
        add_to_tree(scratch / "posterior.nc", tree(draws // 5, "predictions"))
        write_tables(scratch, {"forecast": pd.DataFrame({"x": np.random.default_rng(2).normal(size=draws)})})
        write_json(scratch / "manifest.json", {"draws": draws})


def contents(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no small file system can be mounted here, which takes root: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(disk: Path, left: int) -> None:
    """Fill a disk but for so many bytes."""
    with open(disk / "ballast", "wb", buffering=0) as ballast:
        ballast.write(bytes(os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize - left))


# Wherever in the netCDF file, the table or the manifest space ends.
@pytest.mark.parametrize("left", [0, 4096, 16_384, 32_768, 65_536, 131_072, 143_360, 155_648, 163_840, 196_608, 204_800])
def test_a_disk_that_fills_while_a_run_is_written_keeps_the_earlier_run(small_disk: Path, left: int) -> None:
    folder = small_disk / "run"
    written(folder, 100)
    before = contents(folder)
    fill(small_disk, left)
    with pytest.raises(WriteError, match=r"run.*: cannot be written \(No space left on device\).*free some space"):
        written(folder, 9_000)
    assert contents(folder) == before
    assert load_run(folder).posterior.sizes["draw"] == 100
    assert sorted(path.name for path in small_disk.iterdir()) == ["ballast", "run"]
    (small_disk / "ballast").unlink()
    written(folder, 9_000)
    assert load_run(folder).posterior.sizes["draw"] == 9_000


def test_a_disk_that_is_read_only_is_named(small_disk: Path) -> None:
    folder = small_disk / "run"
    written(folder, 100)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(WriteError, match=r"run: cannot be written \(Read-only file system\).*make it writable"):
        written(folder, 200)
    with pytest.raises(WriteError, match=r"a\.json: cannot be written \(Read-only file system\)"):
        write_json(folder / "a.json", {})
    assert load_run(folder).posterior.sizes["draw"] == 100


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS])
def test_an_error_of_the_disk_has_a_name_wherever_it_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    folder = tmp_path / "run"
    written(folder, 100)
    before = contents(folder)

    def fails(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    for place, name in (
        (module.tempfile, "mkdtemp"),
        (module, "settled"),
        (os, "replace"),
        (os, "fsync"),
        (Path, "mkdir"),
        (Path, "write_text"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, fails)
            with pytest.raises(WriteError, match=rf"{tmp_path}/run.*cannot be written \({os.strerror(number)}\). To mend it: ") as caught:
                written(folder, 200)
        assert ".partial-" not in str(caught.value)
        assert contents(folder) == before
        assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_other_errors_keep_their_own_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replaced(tmp_path / "a"):
        (tmp_path / "nowhere").read_bytes()


def test_chains_are_kept_when_the_disk_fills_after_they_were_sampled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study, run = write_bakery(tmp_path / "study"), tmp_path / "runs" / "run"

    def fails(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("bayestwin.runs.write_netcdf", fails)
        with pytest.raises(WriteError, match=r"posterior\.nc: cannot be written(.|\n)*chains are kept.*calibrate --resume"):
            bt.calibrate(study, SHORT, run)
    assert [path.name for path in run.parent.iterdir()] == [unfinished(run).name]
    assert bt.resume(run).manifest["resumed"] == 100
    assert [path.name for path in run.parent.iterdir()] == ["run"]


def test_the_command_line_names_a_full_disk_and_exits_2(small_disk: Path, tmp_path: Path) -> None:
    study = write_bakery(tmp_path / "study")
    fill(small_disk, 8192)
    command = ["calibrate", str(study), "--chains=2", "--draws=50", "--warmup=50", "--out", str(small_disk / "run")]
    done = subprocess.run([sys.executable, "-m", "bayestwin.cli", *command], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "WriteError" in done.stderr
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (small_disk / "run").exists()


def test_a_netcdf_file_that_the_disk_cannot_hold_is_an_error(small_disk: Path) -> None:
    fill(small_disk, 65_536)
    with pytest.raises(OSError, match="No space left on device"):
        write_netcdf(small_disk / "truth.nc", tree(20_000))


@pytest.mark.parametrize("left", [0, 90_000])
def test_a_study_or_model_that_the_disk_cannot_hold_is_not_begun(small_disk: Path, left: int) -> None:
    from bayestwin.twin.twin import Design

    fill(small_disk, left)
    makers = (
        lambda folder: bt.init_study(folder, "virtual_clinic"),
        lambda folder: copy_model("provider_workload", folder),
        lambda folder: bt.simulate_study(folder, model="gp_appointments", design=Design(units=40, groups=4, weeks=30), seed=1),
    )
    for made in makers:
        with pytest.raises(WriteError, match=r"study: cannot be written \(No space left on device\).*free some space"):
            made(small_disk / "study")
        assert [path.name for path in small_disk.iterdir()] == ["ballast"]
