"""A calibration that would make a run again to the last bit gives back the run; whatever has changed, it calibrates."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import xarray as xr
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
    shutil.copytree(Path(__file__).parent / "bakery", place / "bakery")
    write_bakery(place / "study")
    edited("study/study.toml", str(Path(__file__).parent / "bakery"), str(place / "bakery"))(place)
    edited("study/study.toml", "as_of = 2024-03-31", 'as_of = 2024-03-31\ntruth = "truth.nc"')(place)
    xr.Dataset({"loaves": 1.0}).to_netcdf(place / "study" / "truth.nc", engine="h5netcdf")
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
    assert said[-1] == f"unchanged since {before.manifest['created'][:16].replace('T', ' ')} UTC; --anew calibrates again"
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


def forecast_again(place: Path) -> None:
    """Replace the run's forecast, if by the same one: what it was made of is not told."""
    run = bt.load_run(place / "run")
    bt.forecast(run, run.manifest["forecast"]["horizon_weeks"])


@pytest.mark.parametrize(
    "change",
    [
        appended("study/shops.csv"),
        appended("study/truth.nc"),
        edited("study/study.toml", "horizon_weeks = ", "horizon_weeks = 1"),
        appended("run/posterior.nc"),
        appended("run/forecast.parquet"),
        lambda place: (place / "run" / "report.html").unlink(),
        lambda place: (place / "run" / "fitted.parquet").unlink(),
        lambda place: (place / "run" / "manifest.json").write_text("[]", encoding="utf-8"),
        edited("run/manifest.json", "{", "["),
        edited("run/manifest.json", '"status": "FAIL"', '"status": "PASS"'),
        forecast_again,
        lambda place: (place / "run").rename(place / "study" / "run"),
    ],
)
def test_what_has_changed_on_disk_is_calibrated(place: Path, change: Callable[[Path], object]) -> None:
    change(place)
    run = next(place.rglob("run"), place / "run")
    with pytest.raises(Began):
        bt.calibrate(place / "study", SHORT, run)


def test_a_model_is_calibrated_anew_whatever_of_it_has_changed(place: Path) -> None:
    table = place / "bakery" / "tables" / "usual.csv"
    table.parent.mkdir()
    table.write_text("9", encoding="utf-8")
    with pytest.raises(Began):
        bt.calibrate(place / "study", SHORT, place / "run")
    table.unlink()
    bt.calibrate(place / "study", SHORT, place / "run")


def test_other_settings_versions_and_code_are_calibrated(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Began):
        bt.calibrate(place / "study", bt.Sampling(chains=2, draws=50, warmup=50, seed=1), place / "run")
    for name, other in (
        ("version", lambda name: "0.0.1"),
        ("dependencies", lambda: {"holidays": "0.0.1"}),
        ("CODE_SHA256", "of other code"),
    ):
        with monkeypatch.context() as patch, pytest.raises(Began):
            patch.setattr(f"bayestwin.unfinished.{name}", other)
            bt.calibrate(place / "study", SHORT, place / "run")
    bt.calibrate(place / "study", SHORT, place / "run")


def test_a_study_and_its_run_that_have_moved_together_are_as_good(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(place, tmp_path / "moved")
    model = edited("moved/study/study.toml", str(place / "bakery"), str(tmp_path / "moved" / "bakery"))
    bt.calibrate(tmp_path / "moved" / "study", SHORT, tmp_path / "moved" / "run")
    monkeypatch.chdir(tmp_path / "moved")
    bt.calibrate("study", SHORT, "run")
    model(tmp_path)  # which is another study, for it says so
    with pytest.raises(Began):
        bt.calibrate("study", SHORT, "run")


def test_what_python_requires_is_among_the_terms() -> None:
    assert {"python", "holidays", "scipy", "jaxlib", "pandas"} <= unchanged.dependencies().keys()
    assert "pymc" not in unchanged.dependencies()


def test_folders_are_told_apart_by_name_and_content_and_not_by_what_is_left_in_them(tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "one.py").write_text("1", encoding="utf-8")
    first = unchanged.folder_sha256(tmp_path)
    for left in ("__pycache__/one.pyc", ".DS_Store", "part/.one.py.swp"):
        (tmp_path / left).parent.mkdir(exist_ok=True)
        (tmp_path / left).write_bytes(b"1")
    assert unchanged.folder_sha256(tmp_path) == first
    (tmp_path / "part" / "one.py").write_text("2", encoding="utf-8")
    second = unchanged.folder_sha256(tmp_path)
    (tmp_path / "part" / "one.py").rename(tmp_path / "part" / "two.py")
    assert len({first, second, unchanged.folder_sha256(tmp_path)}) == 3


def test_the_command_line_says_so_and_has_the_same_answer(place: Path) -> None:
    asked = ["calibrate", str(place / "study"), *OPTIONS, "--out", str(place / "run"), "--json"]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 3
    assert "unchanged since" in done.stderr
    assert json.loads(done.stdout)["verdict"] == bt.load_run(place / "run").verdict
    assert isinstance(CliRunner().invoke(app, [*asked, "--anew"]).exception, Began)
