"""Damaged files of scenarios, requests and decisions end in a named error, or mean what they say."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from sound import Sound, for_all, is_named, often
from trees import absurd, of_another_type, places, put, toml_of

from bayestwin.errors import BayestwinError, RequestError, ScenarioError
from bayestwin.prepared import prepare
from bayestwin.preposterior.current import Site
from bayestwin.preposterior.decision import read_decision
from bayestwin.preposterior.requests import granted, read_requests
from bayestwin.twin.scenario import read_scenario

KINDS = ["scenario", "requests", "decision"]
PRACTICES = """
name = "a hard winter"
change = [
  { kind = "list_growth", factor = 1.1, areas = ["A1"], start = 2022-02-07, end = 2022-03-06 },
  { kind = "demand", factor = 0.5, areas = ["A2", "A3"], start = 2022-02-07 },
  { kind = "duration", factor = 1.5 },
  { kind = "working_day", date = 2022-04-15 },
]
"""
CLINIC = """
name = "an inbox team"
change = [
  { kind = "add_time", fte = 0.2, providers = ["P001"], visits = true, start = 2024-02-05, end = 2024-03-04 },
  { kind = "protect_inbox", hours = 2.0, clinics = ["C01"] },
  { kind = "panel", factor = 0.9, providers = ["P002"] },
  { kind = "team_inbox", share = 0.3, messages = ["advice", "calls"] },
  { kind = "message_growth", per_year = 0.1 },
  { kind = "leave", providers = ["P003"], start = 2024-02-05, end = 2024-02-18 },
  { kind = "new_clinic", code = "C09", organisation = "O1", providers = 2, panel = 1500.0 },
  { kind = "new_provider", code = "P099", clinic = "C09", fte = 0.5, panel = 800.0, shared = false },
]
"""
REQUESTS = """
request = [
  { name = "small counts", lift = [{ barrier = "suppress", streams = ["advice"], set = { below = 5, zero = "shown" } }], cost = 3.5 },
  { name = "all sites", lift = [{ barrier = "site_absence" }], cost = 10.0, arrives = { median_days = 30.0, p90_days = 90.0 } },
  { name = "prompt", lift = [{ barrier = "delay", set = { maximum = 1, pmf = [0.9, 0.1] } }] },
]
"""
DECISION = """
unit = "hours"
weeks = 26.0
option = [{ name = "stay" }, { name = "team", scenario = "team.toml", cost = 4.5 }]
loss = [{ quantity = "after_hours", per = 1.5 }]
"""


@pytest.fixture(scope="module")
def reading(sound: Sound, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, Callable[[bytes], Any]]]:
    """For each sort of file, a sound one and how it is read; requests and decisions where the study has what they name."""
    prepared, folder = prepare(sound.study), tmp_path_factory.mktemp("questions")
    definition = prepared.twin.definition

    def written(content: bytes) -> Path:
        (folder / "asked.toml").write_bytes(content)
        return folder / "asked.toml"

    scenario = CLINIC if definition.unit == "provider" else PRACTICES
    (folder / "team.toml").write_text(scenario, encoding="utf-8")
    found = {"scenario": (scenario, lambda content: read_scenario(written(content), definition.changes, prepared.labels))}
    if definition.unit == "provider":
        streams = prepared.data.streams.items()
        sites = {name: Site(s.access, s.grid, lambda ends: ends, np.zeros(s.grid.shape, bool), joint=False) for name, s in streams}
        names = ["after_hours", "visits"]
        found["requests"] = (REQUESTS, lambda content: granted(sites, read_requests(written(content), sites)))
        found["decision"] = (DECISION, lambda content: read_decision(written(content), names, definition.changes, prepared.labels))
    return found


def asked(reading: dict, kind: str) -> tuple[str, Callable[[bytes], Any]]:
    if kind not in reading:
        pytest.skip("asked of the clinic only")
    return reading[kind]


def outcome(read: Callable[[bytes], Any], content: bytes) -> BayestwinError | None:
    try:
        read(content)
    except (ScenarioError, RequestError) as error:
        return error
    return None


def test_the_sound_files_are_read(reading: dict) -> None:
    for text, read in reading.values():
        assert outcome(read, text.encode()) is None
        assert outcome(read, b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()) is None


@often
@pytest.mark.parametrize("kind", KINDS)
def test_values_of_another_type_are_refused_with_their_key(reading: dict, kind: str, times: int) -> None:
    text, read = asked(reading, kind)
    tree = tomllib.loads(text)

    def holds(wrong: tuple) -> None:
        path, value = wrong
        if path[-1] == "set" and value == {}:
            return
        error = outcome(read, toml_of(put(tree, path, value)))
        assert is_named(error), f"silently read: {path} = {value!r}"
        assert any(str(path[0]) in (fault.column or "") for fault in error.faults), f"{path} = {value!r} is not named in\n{error}"

    for_all(100 * times, holds, wrong=of_another_type(tree))


@often
@pytest.mark.parametrize("kind", KINDS)
def test_unknown_keys_are_refused_by_name(reading: dict, kind: str, times: int) -> None:
    text, read = asked(reading, kind)
    tree = tomllib.loads(text)
    tables = [(), *(path for path, value in places(tree) if isinstance(value, dict))]

    def holds(path: tuple, key: str) -> None:
        error = outcome(read, toml_of(put(tree, (*path, key), 1)))
        assert is_named(error), f"silently read: {path} {key!r}"
        assert any(key in (fault.column or "") for fault in error.faults), str(error)

    for_all(30 * times, holds, path=st.sampled_from(tables), key=st.sampled_from(["nmae", "kinds", "", " ", "x.y", "ü"]))


@often
@pytest.mark.parametrize("kind", KINDS)
def test_odd_values_and_absent_keys_are_named_or_usable(reading: dict, kind: str, times: int) -> None:
    text, read = asked(reading, kind)

    def holds(tree: Any) -> None:
        error = outcome(read, toml_of(tree))
        assert error is None or is_named(error)

    for_all(100 * times, holds, tree=absurd(tomllib.loads(text)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("start = 2022-02-07, end = 2022-03-06", "start = 2022-03-06, end = 2022-02-07"),
        ("start = 2024-02-05, end = 2024-03-04", "start = 2024-03-04, end = 2024-02-05"),
        ('code = "P099"', 'code = "P001"'),
        ('code = "P099"', 'code = "C09-1"'),
        ('code = "P099"', 'code = ""'),
        ('code = "C09"', 'code = "C01"'),
        ("cost = 3.5", "cost = nan"),
        ("cost = 3.5", "cost = inf"),
        ("p90_days = 90.0", "p90_days = inf"),
        ("below = 5", "below = 0"),
        ("below = 5", "belw = 5"),
        ("pmf = [0.9, 0.1]", "pmf = [0.9, nan]"),
        ("weeks = 26.0", "weeks = inf"),
        ("cost = 4.5", "cost = nan"),
        ("per = 1.5", "per = inf"),
        ('name = "team"', 'name = "stay"'),
        ('"team.toml"', '"te\\u0000am.toml"'),
        ('"team.toml"', '"."'),
    ],
)
def test_what_cannot_be_is_refused(reading: dict, old: str, new: str) -> None:
    for text, read in reading.values():
        if old in text:
            assert is_named(outcome(read, text.replace(old, new).encode())), "silently read"


def test_faults_of_all_scenarios_of_a_decision_come_at_once(reading: dict) -> None:
    text, read = asked(reading, "decision")
    error = outcome(
        read, text.replace('{ name = "stay" }', '{ name = "stay", scenario = "a.toml" }').replace("team.toml", "b.toml").encode()
    )
    assert is_named(error)
    assert [Path(fault.file).name for fault in error.faults] == ["a.toml", "b.toml"]
