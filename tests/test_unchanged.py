"""A calibration that would make a run again to the last bit gives back the run; whatever has changed, it calibrates."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bakery_study import write_bakery
from typer.testing import CliRunner

import bayestwin as bt
from bayestwin import calibration, unchanged
from bayestwin.cli import app

SHORT = bt.Sampling(chains=2, draws=50, warmup=50)
OPTIONS = ["--chains", "2", "--draws", "50", "--warmup", "50"]


class Began(Exception):
    """In place of a calibration."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study and its run."""
    place = tmp_path_factory.mktemp("made")
    write_bakery(place / "study")
    bt.calibrate(place / "study", SHORT, place / "run")
    return place


@pytest.fixture
def place(made: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The same, where nothing is calibrated but tests see whether it would have been; what a test changes is put back."""

    def began(*given: object, **named: object) -> None:
        raise Began

    monkeypatch.setattr(calibration, "_written", began)
    kept = made.with_name("kept")
    shutil.copytree(made, kept)
    yield made
    shutil.rmtree(made)
    kept.rename(made)


def test_a_run_that_is_there_is_given_back(place: Path) -> None:
    before = bt.load_run(place / "run")
    said: list[str] = []
    again = bt.calibrate(place / "study", SHORT, place / "run", said.append)
    assert again.manifest == before.manifest
    assert f"nothing has changed since this run was made ({before.manifest['created']})" in said[-1]
    with pytest.raises(Began):
        bt.calibrate(place / "study", SHORT, place / "run", anew=True)


def edited(name: str, old: str, new: str) -> Callable[[Path], object]:
    """Put a text in place of another one that a file has."""

    def edit(place: Path) -> None:
        text = (place / name).read_text(encoding="utf-8")
        assert old in text
        (place / name).write_text(text.replace(old, new), encoding="utf-8")

    return edit


def appended(name: str) -> Callable[[Path], object]:
    """Put a byte behind a file."""
    return lambda place: (place / name).write_bytes((place / name).read_bytes() + b"\n")


def forecast_further(place: Path) -> None:
    """Replace the run's forecast by one that the study does not ask for."""
    run = bt.load_run(place / "run")
    bt.forecast(run, run.manifest["forecast"]["horizon_weeks"] + 1)


@pytest.mark.parametrize(
    "change",
    [
        appended("study/shops.csv"),
        edited("study/study.toml", "horizon_weeks = ", "horizon_weeks = 1"),
        appended("run/posterior.nc"),
        appended("run/forecast.parquet"),
        lambda place: (place / "run" / "report.html").unlink(),
        lambda place: (place / "run" / "fitted.parquet").unlink(),
        edited("run/manifest.json", "{", "["),
        forecast_further,
    ],
)
def test_what_has_changed_on_disk_is_calibrated(place: Path, change: Callable[[Path], object]) -> None:
    change(place)
    with pytest.raises(Began):
        bt.calibrate(place / "study", SHORT, place / "run")


def test_other_settings_versions_and_code_are_calibrated(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Began):
        bt.calibrate(place / "study", bt.Sampling(chains=2, draws=50, warmup=50, seed=1), place / "run")
    with monkeypatch.context() as patch, pytest.raises(Began):
        patch.setattr("bayestwin.unfinished.version", lambda name: "0.0.1")
        bt.calibrate(place / "study", SHORT, place / "run")
    with monkeypatch.context() as patch, pytest.raises(Began):
        patch.setattr("bayestwin.unfinished.package_sha256", lambda: "of other code")
        bt.calibrate(place / "study", SHORT, place / "run")
    bt.calibrate(place / "study", SHORT, place / "run")


def test_a_run_asked_again_as_the_study_asks_is_as_good(place: Path) -> None:
    bt.forecast(bt.load_run(place / "run"), bt.load_run(place / "run").manifest["forecast"]["horizon_weeks"])
    bt.calibrate(place / "study", SHORT, place / "run")


def test_code_is_told_apart_by_name_and_content_and_not_by_what_python_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unchanged, "PACKAGE", tmp_path)
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "one.py").write_text("1", encoding="utf-8")
    first = unchanged.package_sha256()
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "one.pyc").write_bytes(b"1")
    assert unchanged.package_sha256() == first
    (tmp_path / "part" / "one.py").write_text("2", encoding="utf-8")
    second = unchanged.package_sha256()
    (tmp_path / "part" / "one.py").rename(tmp_path / "part" / "two.py")
    assert len({first, second, unchanged.package_sha256()}) == 3


def test_the_command_line_says_so_and_has_the_same_answer(place: Path) -> None:
    asked = ["calibrate", str(place / "study"), *OPTIONS, "--out", str(place / "run"), "--json"]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 3
    assert "nothing has changed since this run was made" in done.stderr
    assert json.loads(done.stdout)["verdict"] == bt.load_run(place / "run").verdict
    assert isinstance(CliRunner().invoke(app, [*asked, "--anew"]).exception, Began)
