"""The page that argues for access runs as it stands, on the bundled clinic."""

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bayestwin.cli import EXIT_VERDICT, app

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "argue-for-access.md").read_text(encoding="utf-8")


def test_from_extracts_to_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data").symlink_to(ROOT / "data")
    files = re.findall(r"```toml\n(.*?)```", TEXT, flags=re.S)
    for name, content in zip(("requests.toml", "decision.toml", "team_inbox.toml"), files, strict=True):
        Path(name).write_text(content, encoding="utf-8")
    commands = [line for block in re.findall(r"```sh\n(.*?)```", TEXT, flags=re.S) for line in block.strip().splitlines()]
    assert [shlex.split(command)[1] for command in commands] == ["calibrate", "access", "access", "access", "access"]
    for command in commands:
        done = CliRunner().invoke(app, shlex.split(command)[1:])
        assert done.exit_code == 0 or (done.exit_code == EXIT_VERDICT and "calibrate" in command), f"{command}\n{done.output}"
    answer = json.loads(Path("run/access.json").read_text(encoding="utf-8"))
    first = {row["quantity"]: row for row in answer["quantities"] if row["level"] == "all"}["after_hours_minutes"]
    largest = sorted(first["by_barrier"], key=lambda part: -part["share"])[:2]
    assert {part["barrier"] for part in largest} == {"site_absence", "withheld"}
    assert sum(part["value"] for part in largest) > 0.75 * first["access_induced"]
    assert 0.8 < first["normal_over_draws"] < 1.25
    best = [row["request"] for row in answer["requests"][:2]]
    assert set(best) == {"back data of the clinic that was granted late", "vendor minutes of the first clinic"}
    assert 0.0 <= answer["decision"]["full_access"] <= answer["decision"]["evpi"] + 1e-9
