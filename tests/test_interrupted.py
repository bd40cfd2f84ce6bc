"""Processes that are interrupted or killed, wherever: earlier runs stay whole, nothing half-written passes for a run, chains go on.

Every whole calibration of the study has the same seed, so that posteriors after an interruption can be compared to the last bit.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from bakery_study import write_bakery
from typer.testing import CliRunner

import bayestwin as bt
from bayestwin.cli import EXIT_VERDICT, app
from bayestwin.errors import Interrupted, RunError
from bayestwin.runs import unfinished

# Saved after every chunk: a study so small is drawn before the first five seconds are over.
PROGRAM = "from bayestwin.infer import checkpoint as c; c.EVERY, c.SHARE = 0.0, 1.0; from bayestwin.cli import app; app()"
SAMPLING = bt.Sampling(chains=2, draws=1000, warmup=300)
SETTINGS = [*(f"--{name}={getattr(SAMPLING, name)}" for name in ("chains", "draws", "warmup")), "--anew"]


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Interrupts are heard, by child processes too: a shell that starts the tests in the background has them ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bakery(tmp_path_factory.mktemp("interrupted") / "study")


@pytest.fixture(scope="module")
def folder(study: Path) -> Path:
    """A run, calibrated without any interruption."""
    return bt.calibrate(study, SAMPLING, study.parent / "runs" / "run").folder


@pytest.fixture(scope="module")
def whole(folder: Path) -> xr.Dataset:
    return bt.load_run(folder).posterior


def started(*arguments: object) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def sampling_began(process: subprocess.Popen, run: Path) -> None:
    """Wait until chains are saved."""
    while process.poll() is None and not (unfinished(run) / "state.npz").is_file():
        time.sleep(0.01)
    assert process.poll() is None, process.communicate()


def files_of(run: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in run.iterdir() if not path.name.startswith(".")}


def scraps(parent: Path) -> list[str]:
    return [str(path.relative_to(parent)) for path in parent.rglob(".*") if not path.name.endswith(".unfinished")]


def assert_whole(run: Path, posterior: xr.Dataset) -> None:
    """The run is there with all its parts, and nothing is left beside it."""
    found = bt.load_run(run)
    xr.testing.assert_identical(found.posterior, posterior)
    assert len(found.forecast)
    assert len(found.forecast_groups)
    assert "</html>" in (run / "report.html").read_text(encoding="utf-8")
    assert scraps(run.parent) == []


def test_killed_then_interrupted_then_gone_on_with_the_run_is_that_of_a_calibration_left_alone(
    study: Path, folder: Path, whole: xr.Dataset
) -> None:
    before, process = files_of(folder), started("calibrate", study, *SETTINGS, "--out", folder)
    sampling_began(process, folder)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert files_of(folder) == before
    assert_whole(folder, whole)

    on_its_way = (unfinished(folder) / "state.npz").stat().st_ino
    process = started("calibrate", "--resume", folder)
    while process.poll() is None and (unfinished(folder) / "state.npz").stat().st_ino == on_its_way:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert f"the chains are kept; to go on with them: bayestwin calibrate --resume {folder}" in said
    assert files_of(folder) == before
    assert scraps(folder.parent) == []

    assert 0 < bt.resume(folder).manifest["resumed"] < SAMPLING.warmup + SAMPLING.draws
    assert files_of(folder)["manifest.json"] != before["manifest.json"]
    assert_whole(folder, whole)
    with pytest.raises(RunError, match="is finished; there is nothing to go on with"):
        bt.resume(folder)


def lasts(command: tuple[object, ...]) -> float:
    """Seconds that a command takes which ends well, its verdict aside."""
    began, process = time.monotonic(), started(*command)
    _, said = process.communicate()
    assert process.returncode in (0, EXIT_VERDICT), said
    return time.monotonic() - began


def kill_at_random(command: tuple[object, ...], duration: float) -> float:
    """Start a command and kill it at a moment of its duration, or let it end; gives the moment."""
    moment = float(np.random.default_rng().uniform(0.0, duration))
    process = started(*command)
    try:
        process.communicate(timeout=moment)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
    return moment


def assert_resumes_where_it_can(run: Path, posterior: xr.Dataset) -> None:
    if (unfinished(run) / "state.npz").is_file():
        bt.resume(run)
        assert_whole(run, posterior)


@pytest.mark.slow
def test_kills_at_any_moment_of_a_calibration(study: Path, folder: Path, whole: xr.Dataset) -> None:
    command = ("calibrate", study, *SETTINGS, "--out", folder)
    duration = lasts(command)
    for _ in range(20):
        kill_at_random(command, duration)
        assert_whole(folder, whole)
        assert_resumes_where_it_can(folder, whole)


@pytest.mark.slow
def test_kills_at_any_moment_of_what_writes_into_a_run(folder: Path, whole: xr.Dataset) -> None:
    for command in (("report", folder), ("validate", folder), ("access", folder), ("export", folder, "--format", "parquet")):
        duration, before = lasts(command), files_of(folder)
        for _ in range(6):
            kill_at_random(command, duration)
            assert_whole(folder, whole)
            assert files_of(folder).keys() == before.keys()
            for name in ("validation.json", "access.json"):
                if (folder / name).is_file():
                    json.loads((folder / name).read_text(encoding="utf-8"))
        bt.export_run(bt.load_run(folder), "parquet")


def test_a_kill_while_a_file_is_written_leaves_the_one_before(folder: Path, whole: xr.Dataset) -> None:
    before = files_of(folder)
    dies = "import os, signal; from bayestwin import scratch; scratch.settled = lambda file: os.kill(os.getpid(), signal.SIGKILL); "
    done = subprocess.run([sys.executable, "-c", dies + PROGRAM, "report", str(folder)], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL
    assert [path.name for path in folder.iterdir() if ".partial-" in path.name] != []
    assert_whole(folder, whole)
    assert files_of(folder) == before


@pytest.mark.parametrize("path", ["run", "run/report.html", ".run.unfinished/state.npz"])
def test_scratch_of_a_process_that_lives_is_left_alone_and_swept_once_it_is_dead(tmp_path: Path, path: str) -> None:
    code = """
        import sys; from pathlib import Path; from bayestwin.scratch import scratch_for
        with scratch_for(Path(sys.argv[1])) as scratch:
            print(scratch, flush=True); sys.stdin.read()
    """
    lines = "\n".join(line[8:] for line in code.splitlines())
    process = subprocess.Popen([sys.executable, "-c", lines, tmp_path / path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    scratch = Path(process.stdout.readline().strip())
    with pytest.raises(RunError):
        bt.load_run(tmp_path / "run")
    assert scratch.is_dir()
    process.kill()
    process.communicate()
    with pytest.raises(RunError):
        bt.load_run(tmp_path / "run")
    assert not scratch.exists()


def interrupted(study: Path, run: Path, sampling: bt.Sampling = SAMPLING) -> None:
    """In this process, after the first chunk."""

    def watch(progress: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="chains are kept"):
        bt.calibrate(study, sampling, run, watch=watch)


def edited(file: Path, old: str, new: str) -> Callable[[], object]:
    """Change a file; gives what changes it back."""
    before = file.read_bytes()
    assert old.encode() in before
    file.write_bytes(before.replace(old.encode(), new.encode(), 1))
    return lambda: file.write_bytes(before)


def test_what_has_changed_since_is_refused_and_named(study: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    interrupted(study, run)
    for file, old, new, message in (
        ("study.toml", "horizon_weeks = 3", "horizon_weeks = 4", r"study: the study has changed since the calibration began"),
        ("bread.csv", "S2,2024-01-01,", "S2,2024-01-01,1", r"bread\.csv: has changed since.*or calibrate from the start"),
        ("shops.csv", "Baker S1", "Baker One", r"shops\.csv: has changed since the calibration began"),
    ):
        back = edited(study / file, old, new)
        with pytest.raises(RunError, match=message):
            bt.resume(run)
        back()
    back = edited(unfinished(run) / "terms.json", '"numpyro": "', '"numpyro": "1')
    with pytest.raises(RunError, match=r"numpyro: another version than the calibration began with.*install it"):
        bt.resume(run)
    back()
    back = edited(unfinished(run) / "terms.json", '"code": "', '"code": "1')
    with pytest.raises(RunError, match=r"bayestwin: its own files have changed since the calibration began.*put them back"):
        bt.resume(run)
    back()
    back = edited(unfinished(run) / "terms.json", '"format": 2', '"format": 1')
    with pytest.raises(RunError, match=r"terms\.json: is of another format: found '1'.*go on with the bayestwin that wrote it"):
        bt.resume(run)
    back()
    (unfinished(run) / "terms.json").write_text("{", encoding="utf-8")
    with pytest.raises(RunError, match=r"terms\.json: is damaged"):
        bt.resume(run)


def test_a_calibration_from_the_start_forgets_the_chains_of_an_earlier_one(study: Path, tmp_path: Path) -> None:
    short = bt.Sampling(chains=2, draws=50, warmup=50)
    interrupted(study, tmp_path / "run", SAMPLING)
    assert bt.calibrate(study, short, tmp_path / "run").manifest["resumed"] is None
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_two_processes_do_not_calibrate_the_same_run(study: Path, tmp_path: Path) -> None:
    def watch(progress: object) -> None:
        with pytest.raises(RunError, match=r"is being calibrated by another process.*choose another --out"):
            bt.calibrate(study, SAMPLING, tmp_path / "run")
        raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        bt.calibrate(study, SAMPLING, tmp_path / "run", watch=watch)


def test_the_command_line_refuses_what_makes_no_sense(study: Path, tmp_path: Path) -> None:
    for arguments, message in (
        (["--resume", tmp_path / "run"], "has no unfinished calibration"),
        (["--resume", tmp_path / "run", "--draws", "50"], "leave out ['draws']"),
        ([study, "--resume", tmp_path / "run"], "leave out ['folder']"),
        ([], "give a study, or --resume RUN"),
    ):
        done = CliRunner().invoke(app, ["calibrate", *map(str, arguments)])
        assert done.exit_code == 2
        assert message in " ".join(done.stderr.replace("│", " ").split())


def test_an_interrupt_before_sampling_leaves_nothing(study: Path, tmp_path: Path) -> None:
    def say(stage: str) -> None:
        if stage == "sampling":
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted, match="no chains were kept"):
        bt.calibrate(study, SAMPLING, tmp_path / "run", say=say)
    assert list(tmp_path.iterdir()) == []
