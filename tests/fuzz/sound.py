"""Two small studies in which nothing is wrong, and what becomes of one when a file of it is damaged."""

from __future__ import annotations

import csv
import gzip
import io
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy
from tiny_study import write_tiny_study

import bayestwin as bt
from bayestwin.errors import BayestwinError
from bayestwin.library import library_folder
from bayestwin.prepared import prepare

LAST_DAY = "2024-02-04"  # the fifth Sunday of the virtual clinic
KEPT = ("advice", "visits", "booked", "after hours minutes", "tlx", "hours", "slots", "remote slots", "panel", "shoulder")

often = pytest.mark.parametrize("times", [1, pytest.param(20, marks=pytest.mark.slow)])
"""Runs a property with its usual number of examples, and with twenty times as many among the slow tests."""


def for_all(examples: int, holds: Callable[..., None], **drawn: SearchStrategy) -> None:
    """Try a property on drawn examples."""
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    settings(max_examples=examples, deadline=None, suppress_health_check=quiet)(given(**drawn)(holds))()


@dataclass(frozen=True)
class Sound:
    """A study that can be used as it stands.

    Attributes:
        folder: where it lies.
        data: what its model makes of it.
    """

    folder: Path
    data: Any

    @property
    def study(self) -> bt.Study:
        return bt.read_study(self.folder)

    @property
    def tables(self) -> list[str]:
        """Files of its extracts."""
        return sorted({extract.file_label for extract in self.study.extracts})

    def rows(self, file: str) -> list[list[str]]:
        """A table's cells, the header first."""
        raw = (self.folder / file).read_bytes()
        text = (gzip.decompress(raw) if file.endswith(".gz") else raw).decode()
        return list(csv.reader(io.StringIO(text)))

    def after(self, damage: Mapping[str, bytes | None]) -> tuple[Any, BayestwinError | None]:
        """What the model makes of the study, or the error, when files hold other bytes (or are not there)."""
        with self._damaged(damage):
            try:
                return prepare(bt.read_study(self.folder)).data, None
            except BayestwinError as error:
                return None, error

    @contextmanager
    def _damaged(self, damage: Mapping[str, bytes | None]) -> Iterator[None]:
        whole = {name: (self.folder / name).read_bytes() for name in damage}
        try:
            for name, content in damage.items():
                (self.folder / name).unlink() if content is None else (self.folder / name).write_bytes(content)
            yield
        finally:
            for name, content in whole.items():
                (self.folder / name).write_bytes(content)


def tiny_practices(folder: Path) -> Sound:
    """Three areas in five weeks, in the form that NHS England publishes."""
    return _sound(write_tiny_study(folder))


def small_clinic(folder: Path) -> Sound:
    """Five weeks of some streams of the virtual clinic, all its providers."""
    source = library_folder("data") / "virtual_clinic"
    (folder / "extracts").mkdir(parents=True)
    head, *extracts = re.split(r"(?=^\[\[extract\]\])", (source / "study.toml").read_text(encoding="utf-8"), flags=re.M)
    kept = [text for text in extracts if re.search(r'^name = "(.*)"', text, re.M)[1] in KEPT]
    head = re.sub(r"^as_of = \S+", f"as_of = {LAST_DAY}", head, flags=re.M).replace('truth = "truth.nc"\n', "")
    (folder / "study.toml").write_text(head + "".join(kept), encoding="utf-8")
    for name in sorted({re.search(r'^file = "(.*)"', text, re.M)[1] for text in [head, *kept]}):
        shutil.copyfile(source / name, folder / name)
    sound = _sound(folder)
    for name in sound.tables:
        (folder / name).write_bytes(packed(name, [row for row in sound.rows(name) if row[1] <= LAST_DAY or row[1] > "2025"]))
    return _sound(folder)


def _sound(folder: Path) -> Sound:
    return Sound(folder, prepare(bt.read_study(folder)).data)


def text_of(rows: list[list[str]], **layout: Any) -> bytes:
    """Rows as CSV."""
    out = io.StringIO()
    csv.writer(out, **{"lineterminator": "\n", **layout}).writerows(rows)
    return out.getvalue().encode()


def packed(file: str, content: list[list[str]] | bytes) -> bytes:
    """Rows, or bytes, as a file of this name holds them."""
    raw = content if isinstance(content, bytes) else text_of(content)
    return gzip.compress(raw, 1, mtime=0) if file.endswith(".gz") else raw


def arrays(value: Any, name: str = "data") -> Iterator[tuple[str, np.ndarray]]:
    """Every array inside of what a model makes of a study, with the way to it."""
    if isinstance(value, np.ndarray | np.generic):
        yield name, np.asarray(value)
    elif is_dataclass(value):
        for field in fields(value):
            yield from arrays(getattr(value, field.name), f"{name}.{field.name}")
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from arrays(part, f"{name}[{key!r}]")


def same(left: Any, right: Any) -> bool:
    """Whether two are equal, array by array."""
    return [name for name, _ in arrays(left)] == [name for name, _ in arrays(right)] and all(
        np.array_equal(a, b) for (_, a), (_, b) in zip(arrays(left), arrays(right), strict=True)
    )


def is_usable(data: Any) -> bool:
    """Whether no array holds what is no number or no day."""
    return not any(np.isnan(array).any() for _, array in arrays(data) if array.dtype.kind == "f") and not any(
        np.isnat(array).any() for _, array in arrays(data) if array.dtype.kind == "M"
    )


def is_named(error: BayestwinError | None) -> bool:
    """Whether an error says of every fault where it is and what it is."""
    return error is not None and bool(error.faults) and all(fault.file and fault.problem for fault in error.faults)
