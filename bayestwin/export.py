"""Hand a posterior to other tools."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from bayestwin.errors import Fault, RunError
from bayestwin.runs import POSTERIOR, Run
from bayestwin.scratch import replaced, scratch_for

FORMS = {"netcdf": "posterior-export.nc", "zarr": "posterior.zarr", "parquet": "posterior.parquet"}


def export_run(run: Run, form: str, out: str | Path | None = None) -> Path:
    """Write a run's posterior.

    Args:
        run: a loaded run.
        form: "netcdf" (all groups, one file), "zarr" (all groups, a store) or "parquet" (posterior draws, long).
        out: path to write; inside the run folder by default.

    Returns:
        The path written.

    Raises:
        RunError: if the form is unknown, or zarr is asked for and not installed.
        WriteError: if the disk is full, or the place may not be written to.
    """
    if form not in FORMS:
        raise RunError([Fault("--format", "unknown format", value=form, expected=f"one of {list(FORMS)}")])
    path = Path(out) if out is not None else run.folder / FORMS[form]
    if form == "netcdf":
        with replaced(path) as scratch:
            shutil.copyfile(run.folder / POSTERIOR, scratch)
    elif form == "parquet":
        with replaced(path) as scratch:
            _long(run).to_parquet(scratch, index=False)
    else:
        _zarr(run, path)
    return path


def _long(run: Run):
    """Posterior draws in long form: chain, draw, variable, index (labels joined by commas), value."""
    import pandas as pd

    rows = []
    for name, values in run.posterior.data_vars.items():
        stacked = values.rename("value").to_dataframe().reset_index()
        labels = [dim for dim in values.dims if dim not in ("chain", "draw")]
        index = stacked[labels].astype(str).agg(",".join, axis=1) if labels else ""
        rows.append(
            pd.DataFrame({"chain": stacked["chain"], "draw": stacked["draw"], "variable": name, "index": index, "value": stacked["value"]})
        )
    return pd.concat(rows, ignore_index=True)


def _zarr(run: Run, path: Path) -> None:
    try:
        import zarr  # noqa: F401
    except ImportError:
        raise RunError([Fault("--format zarr", "zarr is not installed", remedy="install bayestwin[zarr]")]) from None
    if path.exists():
        raise RunError([Fault(str(path), "is there already", remedy="remove it, or choose another --out")])
    with scratch_for(path) as scratch:
        run.tree.to_zarr(scratch / path.name, consolidated=False)
        os.replace(scratch / path.name, path)
