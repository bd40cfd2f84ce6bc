"""Fixtures: the published NHS files where they lie, and a small study in the same form."""

import os
from pathlib import Path

import pytest
from tiny_study import write_tiny_study

from bayestwin.infer.device import prepare_device

prepare_device()  # once, before any test starts JAX

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def nhs_folder() -> Path:
    folder = Path(os.environ.get("BAYESTWIN_SHARED_DATA", ROOT.parent / "shared" / "data")) / "nhs_gp"
    if not folder.is_dir():
        pytest.skip(f"the published NHS files are not at {folder}; set BAYESTWIN_SHARED_DATA to the folder above nhs_gp")
    return folder


@pytest.fixture
def tiny_study(tmp_path: Path) -> Path:
    return write_tiny_study(tmp_path / "tiny")
