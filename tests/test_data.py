import hashlib
import tomllib

import pytest

import bayestwin as bt
from bayestwin.library import library_folder

INDEX = tomllib.loads((library_folder("data") / "index.toml").read_text(encoding="utf-8"))


UNITS = {
    "virtual_practices": {"area": 24, "board": 6, "region": 2},
    "virtual_clinic": {"provider": 24, "clinic": 4, "organisation": 2},
}


@pytest.mark.parametrize("name", INDEX)
def test_bundled_study_is_what_the_index_says(name: str) -> None:
    folder = library_folder("data") / name
    files = {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}
    assert files == INDEX[name]["sha256"]


@pytest.mark.parametrize("name", INDEX)
def test_bundled_study_is_without_fault(name: str) -> None:
    found = bt.check_study(bt.read_study(library_folder("data") / name))
    assert found["units"] == UNITS[name]
