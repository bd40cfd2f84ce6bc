"""A damaged study.toml ends in a named error, or means what it says."""

import tomllib
from typing import Any

import pytest
from hypothesis import strategies as st
from sound import Sound, for_all, is_named, is_usable, often, same
from trees import absurd, at, of_another_type, places, put, toml_of, without

FREE = {"columns", "dims", "categories", "where"}  # tables whose keys are the study's own
FILE = "study.toml"


def tree_of(sound: Sound) -> dict[str, Any]:
    """What the study says, with a prior of its own."""
    name = {"area": "other_ratio", "provider": "sd_clinic"}[next(iter(sound.study.hierarchy.columns))]
    family, numbers = {"other_ratio": ("LogNormal", [0.3, 0.1]), "sd_clinic": ("HalfNormal", [0.2])}[name]
    prior = {"name": name, "distribution": family, "parameters": numbers, "unit": "ratio", "source": "a count"}
    return tomllib.loads((sound.folder / FILE).read_text(encoding="utf-8")) | {"prior": [prior]}


def test_the_tree_written_again_is_the_same_study(sound: Sound) -> None:
    found, error = sound.after({FILE: toml_of(tree_of(sound))})
    assert error is None, str(error)
    assert same(found, sound.data)


@often
def test_values_of_another_type_are_refused_with_their_key(sound: Sound, times: int) -> None:
    tree = tree_of(sound)

    def holds(wrong: tuple) -> None:
        path, value = wrong
        if path[-1] in FREE - {"columns"} and value == {}:
            return
        _, error = sound.after({FILE: toml_of(put(tree, path, value))})
        assert is_named(error), f"silently read: {path} = {value!r}"
        first = next(str(key) for key in path if not isinstance(key, int))
        assert any(first in (fault.column or "") for fault in error.faults), f"{path} = {value!r} is not named in\n{error}"

    for_all(120 * times, holds, wrong=of_another_type(tree))


@often
def test_unknown_keys_are_refused_by_name(sound: Sound, times: int) -> None:
    tree = tree_of(sound)
    tables = [(), *(path for path, value in places(tree) if isinstance(value, dict) and path[-1] not in FREE)]

    def holds(path: tuple, key: str) -> None:
        if key in at(tree, path):
            return
        _, error = sound.after({FILE: toml_of(put(tree, (*path, key), 1))})
        assert is_named(error), f"silently read: {path} {key!r}"
        assert any(key in (fault.column or "") for fault in error.faults), str(error)

    for_all(40 * times, holds, path=st.sampled_from(tables), key=st.sampled_from(["nmae", "levl", "", " ", "x.y", "kind ", "ü"]))


@often
def test_an_extract_twice_or_not_at_all_is_refused(sound: Sound, times: int) -> None:
    tree, optional = tree_of(sound), {"advice", "visits", "booked", "after_hours_minutes", "tlx", "shoulder"}

    def holds(i: int, twice: bool) -> None:
        extract = tree["extract"][i]
        changed = put(tree, ("extract",), [*tree["extract"], extract]) if twice else without(tree, ("extract", i))
        _, error = sound.after({FILE: toml_of(changed)})
        if twice or extract["stream"] not in optional:
            assert is_named(error), "silently read"
            assert extract["stream"] in str(error)

    for_all(12 * times, holds, i=st.integers(0, len(tree["extract"]) - 1), twice=st.booleans())


@often
def test_odd_values_and_absent_keys_are_named_or_usable(sound: Sound, times: int) -> None:
    def holds(tree: Any) -> None:
        found, error = sound.after({FILE: toml_of(tree)})
        assert is_named(error) if error else is_usable(found)

    for_all(80 * times, holds, tree=absurd(tree_of(sound)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\n", b"\r\n"),
        (b'name = "', b'\xef\xbb\xbfname = "'),
        (b"\n", b"   # a remark\n"),
        (b"\n\n", b"\n\t\n \n"),
    ],
    ids=["line ends of Windows", "a byte order mark", "remarks", "blank lines"],
)
def test_how_the_file_is_written_changes_nothing(sound: Sound, old: bytes, new: bytes) -> None:
    text = toml_of(tree_of(sound))
    found, error = sound.after({FILE: text.replace(old, new, 1 if b"\xbf" in new else -1)})
    assert error is None, str(error)
    assert same(found, sound.data)


REFUSED = {
    "nothing": b"",
    "UTF-16": 'name = "x"'.encode("utf-16"),
    "latin letters not in UTF-8": 'name = "Île"'.encode("latin-1"),
    "null bytes": b"\0" * 100,
    "a null byte in a text": b'name = "a\0b"',
    "lists in lists in lists": b"name = " + b"[" * 20_000,
    "tables in tables in tables": b"name = " + b"{a=" * 20_000,
    "a number of ten thousand digits": b"horizon_weeks = " + b"9" * 10_000,
    "a day that is none": b"as_of = 2022-02-30",
    "a key twice": b'name = "x"\nname = "x"',
    "a table twice": b"[calendar]\n[calendar]",
    "a spreadsheet": b"PK\x03\x04\x14\x00\x06\x00" + bytes(range(256)),
    "JSON": b'{"name": "x"}',
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_file_that_is_no_study_is_refused(sound: Sound, what: str) -> None:
    _, error = sound.after({FILE: REFUSED[what]})
    assert is_named(error), "silently read"
    assert all(FILE in fault.file for fault in error.faults)


@pytest.mark.parametrize("file", ["../outside.csv", "/etc/hostname", "extracts/../../outside.csv", "../*.csv", "extracts", ".", "", "a\0b"])
def test_a_path_that_leads_out_or_to_a_folder_is_refused(sound: Sound, file: str) -> None:
    (sound.folder.parent / "outside.csv").write_bytes(b"a,b\n1,2\n")
    tree = tree_of(sound)
    for path in [("hierarchy", "file"), ("extract", 0, "file")]:
        _, error = sound.after({FILE: toml_of(put(tree, path, file))})
        assert is_named(error), "silently read"
        assert any(fault.value == file for fault in error.faults), str(error)


@often
def test_faults_of_the_study_and_of_several_tables_come_at_once(sound: Sound, times: int) -> None:
    """Two bad tables and a prior of nothing: none hides the others."""
    tree, tables = tree_of(sound), sound.tables
    tree["prior"][0]["name"] = "nothing"

    def holds(files: list[str]) -> None:
        _, error = sound.after({FILE: toml_of(tree), **dict.fromkeys(files, b"")})
        assert is_named(error)
        assert {fault.file for fault in error.faults} == {FILE, *files}

    for_all(5 * times, holds, files=st.lists(st.sampled_from(tables), min_size=2, max_size=3, unique=True))
