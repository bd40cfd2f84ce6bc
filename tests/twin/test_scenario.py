from pathlib import Path
from typing import ClassVar, Literal

import pytest

from bayestwin.errors import ScenarioError
from bayestwin.twin.scenario import Change, Scenario, read_scenario
from bayestwin.twin.twin import load_twin


class Closure(Change):
    """A site that is closed."""

    labels: ClassVar[dict[str, str]] = {"site": "site"}
    kind: Literal["closure"]
    site: str
    weeks: int = 1


class Opening(Change):
    """A site that is new."""

    kind: Literal["opening"]
    code: str

    def makes(self) -> dict[str, tuple[str, ...]]:
        return {"site": (self.code,)}


def read(folder: Path, text: str) -> Scenario:
    (folder / "s.toml").write_text(text, encoding="utf-8")
    return read_scenario(folder / "s.toml", (Closure, Opening), {"site": ["north", "south"]})


def test_changes_are_of_the_kinds_of_the_model(tmp_path: Path) -> None:
    found = read(tmp_path, 'name = "winter"\n[[change]]\nkind = "closure"\nsite = "north"\n')
    assert found == Scenario(name="winter", change=(Closure(kind="closure", site="north"),))
    assert found.model_dump(mode="json")["change"] == [{"kind": "closure", "site": "north", "weeks": 1}]


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, "") == Scenario()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[change]]\nkind = "closur"', r"change\.0\.kind.*unknown kind of change.*'closur'.*did you mean 'closure'"),
        ('[[change]]\nsite = "north"', r"change\.0\.kind.*unknown kind of change"),
        ('[[change]]\nkind = "closure"\nsite = "nort"', r"change\.0\.site.*unknown site.*'nort'.*did you mean 'north'"),
        ('[[change]]\nkind = "closure"', r"change\.0\.site.*Field required"),
        ('[[change]]\nkind = "closure"\nsite = "north"\nweek = 2', r"change\.0\.week.*unknown key of 'closure'.*did you mean 'weeks'"),
        ('[[changes]]\nkind = "closure"', r"unknown key.*did you mean 'change'"),
        ("name = 3", r"column 'name'.*is not a text"),
        ('change = "closure"', r"is not a list of tables"),
        ('[[change]]\nkind = "closure"\nsite = "north"\nweeks = "2"', r"change\.0\.weeks.*valid integer.*'2'"),
        ('[[change]]\nkind = "opening"\ncode = "south"', r"change\.0.*site is there already: found 'south'.*choose another code"),
        ('[[change]]\nkind = "opening"\ncode = "w"\n[[change]]\nkind = "opening"\ncode = "w"', r"change\.1.*site is there already"),
        ("name = " + "[" * 9_999, "is not TOML"),
        ("name = " + "9" * 9_999, "is not TOML"),
        ("[[change]", "is not TOML"),
    ],
)
def test_a_faulty_file_is_refused_with_the_place_and_the_nearest(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        read(tmp_path, text)


def test_all_faults_come_at_once(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError) as caught:
        read(tmp_path, 'nme = "x"\n[[change]]\nkind = "closur"\n[[change]]\nkind = "closure"\nsite = "west"\nweeks = "many"\n')
    assert [fault.column for fault in caught.value.faults] == ["nme", "change.0.kind", "change.1.weeks", "change.1.site"]


def test_what_a_change_makes_may_be_named_by_changes_after_it(tmp_path: Path) -> None:
    opening, closure = '[[change]]\nkind = "opening"\ncode = "west"\n', '[[change]]\nkind = "closure"\nsite = "west"\n'
    assert [change.kind for change in read(tmp_path, opening + closure).change] == ["opening", "closure"]
    with pytest.raises(ScenarioError, match=r"change\.0\.site.*unknown site.*'west'.*or a change before made"):
        read(tmp_path, closure + opening)


@pytest.mark.parametrize("model", ["gp_appointments", "provider_workload"])
def test_a_change_that_ends_before_it_starts_is_refused(tmp_path: Path, model: str) -> None:
    kinds = load_twin(model).definition.changes
    change = {"gp_appointments": 'kind = "demand"\nfactor = 2.0', "provider_workload": 'kind = "team_inbox"\nshare = 0.5'}[model]
    (tmp_path / "s.toml").write_text(f"[[change]]\n{change}\nstart = 2024-03-01\nend = 2024-02-01\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match="runs from 2024-03-01 to 2024-02-01: give the earlier day first"):
        read_scenario(tmp_path / "s.toml", kinds, {"area": [], "provider": [], "clinic": []})


@pytest.mark.parametrize("name", ["none.toml", "a\0b.toml", "x" * 5_000])
def test_a_file_that_cannot_be_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(ScenarioError, match="cannot be read"):
        read_scenario(tmp_path / name, (Closure, Opening), {})


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="cannot be read"):
        read_scenario(tmp_path / "none.toml", (Closure, Opening), {})
