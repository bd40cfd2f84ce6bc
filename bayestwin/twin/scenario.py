"""What-if changes to a forecast, read from a TOML file of `[[change]]` tables. A model says which kinds it knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, SerializeAsAny, ValidationError

from bayestwin.errors import Fault, ScenarioError
from bayestwin.toml import parsed, read_toml


class Change(BaseModel):
    """One change of the weeks ahead. A model's own kinds derive from it, each with a `kind` of its own.

    Attributes:
        kind: which change it is, as the file says it.
        labels: for each field that names units, the level (or other dim) that they are of.

    Example:
        >>> from typing import ClassVar, Literal
        >>> class Closure(Change):
        ...     '''Places that are closed.'''
        ...
        ...     labels: ClassVar = {"areas": "area"}
        ...     kind: Literal["closure"] = "closure"
        ...     areas: tuple[str, ...]
        >>> Closure(areas=("A1",)).kind
        'closure'
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    labels: ClassVar[Mapping[str, str]] = {}
    kind: str

    def makes(self) -> Mapping[str, tuple[str, ...]]:
        """Labels by level that it makes, which changes after it may name; most make none."""
        return {}


class Scenario(BaseModel):
    """Named changes, applied together; no changes is the forecast as things stand.

    Example:
        >>> Scenario().change
        ()
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "as things stand"
    change: tuple[SerializeAsAny[Change], ...] = ()


def read_scenario(path: str | Path, kinds: tuple[type[Change], ...], labels: Mapping[str, Sequence[str]]) -> Scenario:
    """Read a scenario file.

    Args:
        path: TOML file.
        kinds: the changes that the model knows.
        labels: labels by level, which changes may name.

    Raises:
        ScenarioError: with every fault: the file is missing or is not TOML, a key or value is not of the schema, a kind is not
            the model's, a label is not the study's.
    """
    path = Path(path)
    content = read_toml(path, ScenarioError)
    changes = _Changes(str(path), {kind_of(change): change for change in kinds}, labels)
    faults = [*_outer_faults(str(path), content), *changes.faults(content.get("change", []))]
    if faults:
        raise ScenarioError(faults)
    return Scenario(change=tuple(map(changes.made, content.get("change", []))), **{k: v for k, v in content.items() if k == "name"})


def kind_of(change: type[Change]) -> str:
    """The kind that a class of changes stands for: the one value of its Literal."""
    return change.model_fields["kind"].annotation.__args__[0]  # type: ignore[union-attr]


def _outer_faults(file: str, content: Mapping[str, Any]) -> Iterable[Fault]:
    for key in content.keys() - {"name", "change"}:
        yield _unknown(file, "unknown key", key, key, ("name", "change"))
    if not isinstance(content.get("name", ""), str):
        yield Fault(file, "is not a text", "name", value=str(content["name"]), expected="a name in quotes")


class _Changes:
    """The `[[change]]` tables of a file, read with a model's kinds and a study's labels."""

    def __init__(self, file: str, kinds: Mapping[str, type[Change]], labels: Mapping[str, Sequence[str]]) -> None:
        self._file, self._kinds, self._labels = file, kinds, {level: list(map(str, known)) for level, known in labels.items()}

    def made(self, table: Mapping[str, Any]) -> Change:
        return parsed(self._kinds[table["kind"]], table)

    def faults(self, tables: Any) -> list[Fault]:
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            return [Fault(self._file, "is not a list of tables", "change", value=str(tables)[:80], expected="[[change]] tables")]
        return [fault for i, table in enumerate(tables) for fault in self._of_table(f"change.{i}", table)]

    def _of_table(self, where: str, table: Mapping[str, Any]) -> Iterable[Fault]:
        kind = table.get("kind")
        if not isinstance(kind, str) or kind not in self._kinds:
            yield _unknown(self._file, "unknown kind of change", f"{where}.kind", kind, self._kinds)
            return
        made: Mapping[str, tuple[str, ...]] = {}
        try:
            made = self.made(table).makes()
        except ValidationError as error:
            yield from (self._of_value(where, kind, dict(detail)) for detail in error.errors())
        for field, level in self._kinds[kind].labels.items():
            named = table.get(field, [])
            known = self._labels[level]
            for label in named if isinstance(named, list) else [named]:
                if label not in known:
                    yield _unknown(
                        self._file, f"unknown {level}", f"{where}.{field}", label, known, "one that the study has or a change before made"
                    )
        for level, codes in made.items():
            for code in codes:
                if code in self._labels[level]:
                    expected, remedy = f"a {level} that is not there yet", "choose another code"
                    yield Fault(self._file, f"{level} is there already", where, value=code, expected=expected, remedy=remedy)
            self._labels[level] += codes

    def _of_value(self, where: str, kind: str, detail: Mapping[str, Any]) -> Fault:
        column = ".".join([where, *map(str, detail["loc"])])
        if detail["type"] == "extra_forbidden":
            return _unknown(self._file, f"unknown key of {kind!r}", column, detail["loc"][-1], self._kinds[kind].model_fields)
        missing = detail["type"] == "missing"
        return Fault(
            self._file, detail["msg"], column, value=None if missing else str(detail.get("input"))[:80], remedy="see the model's README"
        )


def _unknown(file: str, problem: str, column: str, value: Any, known: Iterable[str], expected: str | None = None) -> Fault:
    """A name that is not known, with the nearest that is."""
    names = list(known)
    near = get_close_matches(str(value), names, n=1)
    remedy = f"did you mean {near[0]!r}?" if near else None
    return Fault(file, problem, column, value=str(value), expected=expected or f"one of {names}", remedy=remedy)
