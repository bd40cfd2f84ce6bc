"""Where the model library and the bundled studies lie, in a wheel and in a checkout."""

import os
import shutil
from difflib import get_close_matches
from os.path import isfile
from pathlib import Path

from bayestwin.errors import Fault, ModelError
from bayestwin.scratch import scratch_for

PACKAGE = Path(__file__).parent


def library_folder(name: str) -> Path:
    """Folder of the bundled `models` or `data`: inside an installed wheel, else beside the package in a checkout.

    Args:
        name: "models" or "data".
    """
    packed = PACKAGE / f"_{name}"
    return packed if packed.is_dir() else PACKAGE.parent / name


def names_in(folder: Path, marker: str) -> list[str]:
    """Names of the folders that hold a file of this name, sorted."""
    return sorted(path.parent.name for path in folder.glob(f"*/{marker}"))


def find_model(name: str, base: Path | None = None) -> Path:
    """Folder of a model: a bare name is looked up in the library, anything with a separator is a path.

    Args:
        name: name or path.
        base: folder that a relative path starts from; the current one by default.

    Raises:
        ModelError: if there is no such model.

    Example:
        >>> find_model("gp_appointments").name
        'gp_appointments'
    """
    if "/" in name or "\\" in name:
        folder = (base or Path()) / name
        if not isfile(folder / "model.py"):
            raise ModelError([Fault(str(folder), "no model here", expected="a folder with model.py", remedy="correct the path")])
        return folder
    known = names_in(library_folder("models"), "model.py")
    if name not in known:
        near = get_close_matches(name, known, n=1)
        remedy = f"did you mean {near[0]!r}?" if near else f"choose one of {known}, or give a path"
        raise ModelError([Fault("models", "unknown model", value=name, expected="a model of the library", remedy=remedy)])
    return library_folder("models") / name


def copy_model(name: str, folder: str | Path) -> Path:
    """Copy a model of the library to a folder of one's own.

    Args:
        name: model of the library.
        folder: new folder; it must not exist.

    Returns:
        The new folder.

    Raises:
        ModelError: if there is no such model or the folder exists.
        WriteError: if the disk is full, or the folder may not be written to.
    """
    target = Path(folder)
    if target.exists():
        raise ModelError([Fault(str(target), "is there already", expected="a new folder", remedy="choose another name")])
    model = find_model(name)
    with scratch_for(target) as scratch:
        copy_files(model, scratch / "model")
        os.replace(scratch / "model", target)
    return target


def copy_files(source: Path, target: Path) -> None:
    """Copy a folder of the library; `shutil.copytree` would gather errors of the disk into one that says nothing of its cause.

    Args:
        source: the folder.
        target: where its files go.
    """
    for file in sorted(source.rglob("*")):
        if file.is_file() and file.parent.name != "__pycache__":
            copy = target / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
