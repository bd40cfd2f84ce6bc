"""The tutorial runs as it stands, command by command, in the page's order."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bayestwin.cli import EXIT_VERDICT, app

pytestmark = pytest.mark.slow
PAGE = Path(__file__).parents[2] / "docs" / "virtual-clinic.md"


def test_the_tutorial_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    (scenario,) = re.findall(r"```toml\n(.*?)```", text, flags=re.S)
    Path("what_if.toml").write_text(scenario)
    commands = [line for block in re.findall(r"```sh\n(.*?)```", text, flags=re.S) for line in block.strip().splitlines()]
    assert [shlex.split(command)[1] for command in commands] == ["simulate", "check", "calibrate", "forecast", "report"]
    for command in commands:
        done = CliRunner().invoke(app, shlex.split(command)[1:])
        assert done.exit_code == 0 or (done.exit_code == EXIT_VERDICT and "calibrate" in command), f"{command}\n{done.output}"
    assert Path("answer/changes.parquet").is_file()
    assert "team inbox" in Path("answer/report.html").read_text(encoding="utf-8")
