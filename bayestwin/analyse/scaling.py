"""What moves a parameter when it is made a little stronger: its own prior, and each stream's likelihood (ArviZ power-scaling).

Many cells at once make importance weights noisy, so that a parameter seems to move with what says nothing of it. How far it would is seen by
giving draws the weights of others: what lies below that is noise.

Source: Kallioinen, Paananen, Bürkner & Vehtari (2024), Statistics and Computing 34; its noise by permutation is bayestwin's own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from bayestwin.runs import Run

SENSITIVE = 0.05
PRIOR = "prior"
SHIFTS = 0.25, 0.5, 0.75  # of all draws: which draws' weights are given to others
SAMPLES = ("chain", "draw")
Rows = list[dict[str, Any]]


def power_scaling(run: Run) -> Rows:
    """How sensitive each scalar parameter is to its own prior and to each stream.

    Args:
        run: a loaded run.

    Returns:
        A row for each parameter and `source` ("prior", or a stream): `value`, and of a stream `noise`, the largest value that any parameter has
        when the weights are given to other draws.
    """
    posterior, prior, stated = run.posterior, run.group("log_prior"), {row["name"] for row in run.manifest["priors"]}
    names = [str(name) for name, values in posterior.data_vars.items() if values.ndim == 2 and name in stated]
    if not names:
        return []
    density = {
        str(stream): values.astype(float).sum([dim for dim in values.dims if dim not in SAMPLES])
        for stream, values in run.group("log_likelihood").data_vars.items()
    }
    # All priors at once would move so much that weights are mostly noise; one by itself has hardly any.
    own = {name: _sensitivity(posterior[[name]], prior[name])[name] for name in names}
    rows = [{"parameter": name, "source": PRIOR, "value": value, "noise": None} for name, value in own.items()]
    return rows + [row for stream, values in density.items() for row in _of_stream(posterior[names], stream, values)]


def _of_stream(parameters: xr.Dataset, stream: str, density: xr.DataArray) -> Rows:
    own = _sensitivity(parameters, density)
    noise = max(max(_sensitivity(parameters, _of_others(density, shift)).values()) for shift in SHIFTS)
    return [{"parameter": name, "source": stream, "value": value, "noise": noise} for name, value in own.items()]


def _sensitivity(parameters: xr.Dataset, density: xr.DataArray) -> dict[str, float]:
    import arviz_stats

    tree = xr.DataTree.from_dict({"posterior": parameters, "log_likelihood": xr.Dataset({"scaled": density})})
    return {str(name): float(value) for name, value in arviz_stats.psense(tree, group="likelihood").data_vars.items()}


def _of_others(density: xr.DataArray, shift: float) -> xr.DataArray:
    """The densities of draws that lie far away."""
    values = density.transpose(*SAMPLES).to_numpy()
    return xr.DataArray(np.roll(values.ravel(), int(shift * values.size)).reshape(values.shape), dims=SAMPLES)


def moved_by(rows: Rows) -> dict[str, dict[str, float]]:
    """What moves each parameter, streams beyond their noise, the strongest first: {parameter: {source: sensitivity}}.

    Args:
        rows: of `power_scaling`.

    Example:
        >>> moved_by([{"parameter": "level", "source": "visits", "value": 0.2, "noise": 0.1}])
        {'level': {'visits': 0.2}}
        >>> moved_by([{"parameter": "level", "source": "visits", "value": 0.2, "noise": 0.3}])
        {'level': {}}
    """
    found: dict[str, dict[str, float]] = {row["parameter"]: {} for row in rows}
    for row in sorted(rows, key=lambda row: -row["value"]):
        if row["value"] > max(SENSITIVE, row["noise"] or 0.0):
            found[row["parameter"]][row["source"]] = row["value"]
    return found
