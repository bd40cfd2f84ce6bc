"""Damage to what a TOML file says: values of another type, keys that nobody knows, keys that are not there, values that cannot be."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from typing import Any

from hypothesis import strategies as st

Path = tuple[str | int, ...]

NOT_OF_THE_TYPE: dict[type, list[Any]] = {
    str: [3, 2.5, True, [], {}, {"a": 1}, date(2022, 1, 3)],
    bool: [1, 0, "yes", "true", 0.5, [], date(2022, 1, 3)],
    int: ["8", "many", True, [], {}, date(2022, 1, 3), float("nan")],
    float: ["0.5", True, [], {"x": "y"}, date(2022, 1, 3), float("nan")],
    date: [20220430, 1.5, True, "2022-04-30", [], time(12), datetime(2022, 4, 30, 12, 5)],
    list: [3, "x", True, {}],
    dict: [3, "x", True, [], [1]],
}
ABSURD: dict[type, list[Any]] = {
    str: ["", " ", "\0", "x" * 5000, "é\u202e", "../..", "/", "..", "*", "**", "[", "study.toml", "extracts", "a\nb", "%", "nan"],
    bool: [True, False],
    int: [0, -1, 1, 10**12, 10**30, -(10**30), 2.0**80],
    float: [0.0, -0.0, -1.0, 1.0, 1e-320, 1e308, -1e308, float("inf"), float("-inf"), 3],
    date: [date(1, 1, 1), date(1979, 12, 31), date(1980, 1, 1), date(2022, 1, 4), date(2100, 1, 1), date(2300, 1, 1), date(9999, 12, 31)],
    list: [[]],
    dict: [{}],
}


def places(tree: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value of a tree below its root, with the way to it."""
    parts = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, part in parts:
        yield (*path, key), part
        yield from places(part, (*path, key))


def at(tree: Any, path: Path) -> Any:
    """The part of a tree at a place."""
    for key in path:
        tree = tree[key]
    return tree


def put(tree: Any, path: Path, value: Any) -> Any:
    """The tree with another value at a place."""
    tree = copy.deepcopy(tree)
    at(tree, path[:-1])[path[-1]] = value
    return tree


def without(tree: Any, path: Path) -> Any:
    """The tree without what is at a place."""
    tree = copy.deepcopy(tree)
    del at(tree, path[:-1])[path[-1]]
    return tree


@st.composite
def of_another_type(draw: st.DrawFn, tree: Any) -> tuple[Path, Any]:
    """A place, and a value that nobody could mean there."""
    path, value = draw(st.sampled_from(list(places(tree))))
    return path, draw(st.sampled_from(NOT_OF_THE_TYPE[type(value)]))


@st.composite
def absurd(draw: st.DrawFn, tree: Any) -> Any:
    """The tree with one to three values that are of the right type and odd, or with keys that are not there."""
    for _ in range(draw(st.integers(1, 3))):
        path, value = draw(st.sampled_from(list(places(tree)) or [((), None)]))
        if not path:
            break
        change = draw(st.sampled_from(["odd", "odd", "gone", "twice"]))
        if change == "gone":
            tree = without(tree, path)
        elif change == "twice" and isinstance(path[-1], int):
            tree = put(tree, path[:-1], [*at(tree, path[:-1]), value])
        else:
            tree = put(tree, path, draw(st.sampled_from(ABSURD[type(value)])))
    return tree


def toml_of(tree: Mapping[str, Any]) -> bytes:
    """A tree as TOML, tables written inline."""
    return "".join(f"{_key(key)} = {_value(value)}\n" for key, value in tree.items()).encode("utf-8")


def _key(key: str) -> str:
    return json.dumps(key, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)} = {_value(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, str):
        return _key(value)
    return value.isoformat() if isinstance(value, date | time) else repr(value)
