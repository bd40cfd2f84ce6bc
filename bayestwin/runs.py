"""Run folders: written whole or not at all, read back as the same objects.

A folder is filled beside its final name and moved there in one step. Where a run is replaced, the old one steps aside
first (`.NAME.previous`) and is put back by the next reader if the move never came.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayestwin.errors import Fault, RunError
from bayestwin.netcdf import write_netcdf
from bayestwin.scratch import replaced, scratch_for, settled, sweep

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

POSTERIOR, MANIFEST, REPORT, TRUTH = "posterior.nc", "manifest.json", "report.html", "truth.nc"
ACCESS, ACCESS_PAGE, ACCESS_PLAN, VALIDATION = "access.json", "access.html", "access_plan.md", "validation.json"
ACCESS_FORMAT = 4  # of access.json
TABLES = ("forecast", "forecast_groups", "fitted", "sensitivity", "changes")


@dataclass(frozen=True)
class Run:
    """One calibration of a study, on disk.

    Attributes:
        folder: where it lies.
        manifest: what was run, on what, with which verdict.
    """

    folder: Path
    manifest: Mapping[str, Any]

    @cached_property
    def tree(self) -> xr.DataTree:
        """All groups of the posterior file, read into memory; most of it is `log_likelihood`."""
        import xarray as xr

        with self._opened(xr.open_datatree) as tree:
            self._groups.clear()  # they would be second copies
            return tree.load()

    def group(self, name: str) -> xr.Dataset:
        """One group of the posterior file, read into memory once: seconds less than all of them where a posterior is large.

        Args:
            name: of the group.

        Raises:
            RunError: if the file is missing or damaged, or has no such group.
        """
        import xarray as xr

        if "tree" in vars(self):
            return self.tree[name].to_dataset()
        if name not in self._groups:
            with self._opened(xr.open_dataset, group=name) as group:
                self._groups[name] = group.load()
        return self._groups[name].copy()

    @cached_property
    def _groups(self) -> dict[str, xr.Dataset]:
        return {}

    @contextmanager
    def _opened(self, opener: Callable, **options: str) -> Iterator[Any]:
        try:
            with opener(self._part(POSTERIOR), engine="h5netcdf", **options) as found:
                yield found
        except OSError as error:
            raise RunError([_damaged(self.folder / POSTERIOR, error)]) from error

    @property
    def posterior(self) -> xr.Dataset:
        """Posterior draws on named dims."""
        return self.group("posterior")

    @property
    def verdict(self) -> Mapping[str, Any]:
        """The convergence verdict: status, reasons, remedies, metrics."""
        return self.manifest["verdict"]

    @cached_property
    def forecast(self) -> pd.DataFrame:
        """Tidy forecast by unit, week and quantity."""
        return self._table("forecast")

    @cached_property
    def forecast_groups(self) -> pd.DataFrame:
        """The forecast of groups of units, up to the whole."""
        return self._table("forecast_groups")

    @cached_property
    def fitted(self) -> pd.DataFrame:
        """The observed weeks as the model sees them, beside published counts."""
        return self._table("fitted")

    @cached_property
    def sensitivity(self) -> pd.DataFrame:
        """Forecast totals with each unknown selection at the ends of its range."""
        return self._table("sensitivity")

    @cached_property
    def changes(self) -> pd.DataFrame | None:
        """What the scenario changes of the weekly averages, where there is one."""
        return self._table("changes") if (self.folder / "changes.parquet").is_file() else None

    @property
    def access(self) -> dict[str, Any] | None:
        """What access costs, where that was analysed; not by a bayestwin that told it in another form."""
        found = self._json(ACCESS)
        return found if found is not None and found.get("format") == ACCESS_FORMAT else None

    @property
    def validation(self) -> dict[str, Any] | None:
        """Whether the run deserves belief, where that was checked."""
        return self._json(VALIDATION)

    def _json(self, name: str) -> dict[str, Any] | None:
        path = self.folder / name
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    @cached_property
    def truth(self) -> xr.Dataset | None:
        """True values, where the study was simulated."""
        import xarray as xr

        if not (self.folder / TRUTH).is_file():
            return None
        with xr.open_dataset(self.folder / TRUTH, engine="h5netcdf") as truth:
            return truth.load()

    def _table(self, name: str) -> pd.DataFrame:
        import pandas as pd

        return pd.read_parquet(self._part(f"{name}.parquet"))

    def _part(self, name: str) -> Path:
        if not (self.folder / name).is_file():
            raise RunError([Fault(str(self.folder / name), "file is missing", expected="a whole run folder", remedy="calibrate again")])
        return self.folder / name


def load_run(folder: str | Path) -> Run:
    """Load a run folder.

    Args:
        folder: folder that `calibrate` wrote.

    Raises:
        RunError: if it is no run folder, lacks a part, or its manifest is damaged.
    """
    folder = Path(folder)
    _mend(folder)
    missing = [name for name in (MANIFEST, POSTERIOR) if not (folder / name).is_file()]
    if missing:
        remedy = "give a folder that `bayestwin calibrate` wrote"
        raise RunError([Fault(str(folder / name), "file is missing", expected="a whole run folder", remedy=remedy) for name in missing])
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if not isinstance(manifest, dict):
            raise ValueError(f"{type(manifest).__name__} in place of an object")
    except ValueError as error:
        raise RunError([_damaged(folder / MANIFEST, error)]) from error
    return Run(folder, manifest)


def _damaged(file: Path, error: Exception) -> Fault:
    return Fault(str(file), f"is damaged ({error})", expected="a file that bayestwin wrote", remedy="calibrate again")


@contextmanager
def new_run(folder: Path) -> Iterator[Path]:
    """A scratch folder that becomes `folder` in one step when the block ends well.

    Args:
        folder: final name; a run that lies there is replaced, anything else is refused.

    Raises:
        RunError: if the folder holds something that is not a run.
        WriteError: if the disk is full, or the place may not be written to; the run that lies there is as it was.
    """
    folder = folder.resolve()
    _put_back(folder)
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / MANIFEST).is_file())):
        raise RunError(
            [Fault(str(folder), "is there and is not a run", expected="a new folder, or a run to replace", remedy="choose another --out")]
        )
    with scratch_for(folder) as scratch:
        yield scratch
        for file in scratch.iterdir():
            settled(file)
        _swap(scratch, folder)


def _aside(folder: Path) -> Path:
    return folder.resolve().parent / f".{folder.resolve().name}.previous"


def unfinished(folder: Path) -> Path:
    """Where a run's calibration lies until it has ended."""
    return folder.resolve().parent / f".{folder.resolve().name}.unfinished"


def _swap(scratch: Path, folder: Path) -> None:
    scratch.chmod(0o755)
    if folder.exists():
        shutil.rmtree(_aside(folder), ignore_errors=True)
        os.replace(folder, _aside(folder))
    os.replace(scratch, folder)
    shutil.rmtree(_aside(folder), ignore_errors=True)


def _put_back(folder: Path) -> None:
    if not folder.exists() and _aside(folder).is_dir():
        os.replace(_aside(folder), folder)


def _mend(folder: Path) -> None:
    """Undo what a killed process left: an old run that stepped aside, scratch folders."""
    folder = folder.resolve()
    _put_back(folder)
    sweep(folder)
    sweep(unfinished(folder))
    if sweep(folder.parent, folder.name) and folder.exists():
        shutil.rmtree(_aside(folder), ignore_errors=True)


def file_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of a run's posterior, tables and truth, by file name."""
    names = [name for name in (POSTERIOR, TRUTH, *(f"{table}.parquet" for table in TABLES)) if (folder / name).is_file()]

    def hashed(name: str) -> str:
        with open(folder / name, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    return {name: hashed(name) for name in names}


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write JSON for people and machines: indented, keys in order of insertion, no NaN."""
    with replaced(path) as scratch:
        scratch.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=str) + "\n", encoding="utf-8")


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write what makes a folder a run."""
    write_json(folder / MANIFEST, manifest)


def write_tables(folder: Path, tables: Mapping[str, pd.DataFrame]) -> None:
    """Write a run's tables as Parquet.

    Args:
        folder: a scratch folder.
        tables: by name, of `TABLES`.
    """
    for name in TABLES:
        if name in tables:
            tables[name].to_parquet(folder / f"{name}.parquet", index=False)


def write_tree(path: Path, tree: xr.DataTree) -> None:
    """Write a DataTree as netCDF, lightly compressed."""
    with replaced(path) as scratch:
        write_netcdf(scratch, tree, _compressed(tree))


def add_to_tree(path: Path, tree: xr.DataTree) -> None:
    """Add groups and attributes to a netCDF file of a folder that is still being filled.

    Args:
        path: the file.
        tree: what is added; no group of the file has a name of its groups.

    Raises:
        OSError: if the disk is full, which is told by whoever fills the folder (`new_run`).
    """
    write_netcdf(path, tree, _compressed(tree), mode="a")


def _compressed(tree: xr.DataTree) -> dict[str, dict[Any, dict[str, Any]]]:
    return {
        node.path: {
            name: {"zlib": True, "complevel": 1, "shuffle": True} for name, v in node.data_vars.items() if v.dtype.kind in "fi" and v.ndim
        }
        for node in tree.subtree
    }
