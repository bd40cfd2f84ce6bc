"""Fixtures: the sound studies, made once."""

import pytest
from sound import Sound, small_clinic, tiny_practices


@pytest.fixture(scope="session", params=[tiny_practices, small_clinic], ids=["practices", "clinic"])
def sound(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sound:
    return request.param(tmp_path_factory.mktemp("sound") / "study")
