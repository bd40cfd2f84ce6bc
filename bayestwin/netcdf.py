"""netCDF files where the disk may be full."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import xarray as xr


class Unfailing(io.FileIO):
    """A file whose failed writes are told afterwards: HDF5 takes the process with it when one fails.

    Attributes:
        failure: the first error; nothing is written from then on.
    """

    failure: OSError | None = None

    def write(self, data: Any) -> int:
        left = memoryview(data).cast("B")
        size = len(left)
        try:
            while left and self.failure is None:
                left = left[super().write(left) :]
        except OSError as error:
            self.failure = error
        self.seek(len(left), io.SEEK_CUR)
        return size


def write_netcdf(
    path: Path, tree: xr.DataTree | xr.Dataset, encoding: Mapping[str, Any] | None = None, mode: Literal["w", "a"] = "w"
) -> None:
    """Write a DataTree or a dataset.

    Args:
        path: the file.
        tree: what is written.
        encoding: of variables, by path of their node in a tree.
        mode: "w" for a new file, "a" to add to one that is there.

    Raises:
        OSError: if the disk is full.
    """
    with Unfailing(path, {"w": "w+", "a": "r+"}[mode]) as file:
        tree.to_netcdf(file, mode=mode, engine="h5netcdf", encoding=encoding)
    if file.failure is not None:
        raise file.failure
