"""Cells that the posterior leans on: leave-one-out by importance sampling, and by a refit without the cell where that cannot be trusted.

Source: Vehtari, Gelman & Gabry (2017), Statistics and Computing 27, for both; Vehtari, Simpson, Gelman, Yao & Gabry (2024), JMLR 25, for Pareto k.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float
from scipy.special import logsumexp

from bayestwin.credibility.agreement import moments
from bayestwin.credibility.campaign import Piece, Rows
from bayestwin.credibility.check import Check, Status
from bayestwin.infer.settings import Sampling
from bayestwin.study import Study

DRAWS = 2000  # no fewer are enough for Pareto k up to 0.7
INFLUENTIAL, MANY = 0.7, 0.01  # Pareto k of a cell, and the share of such cells
STILL = 1e-4  # spread of the tail of a cell that says nothing: nothing is known of it, or it could hardly be another
MIXED = 1.05  # R-hat of a refit that stands for the cell


class Cells(NamedTuple):
    """The cells of a stream, each left out in turn.

    Attributes:
        elpd: expected log predictive density of each given the others, (cells...).
        k: Pareto k of its importance weights; NaN where it says nothing, minus infinity where a refit left it out.
    """

    elpd: np.ndarray
    k: np.ndarray

    @property
    def influential(self) -> np.ndarray:
        """Which of them importance sampling cannot leave out."""
        return self.k > INFLUENTIAL


def cells_left_out(log_likelihood: xr.DataArray) -> Cells:
    """Leave out each cell of a stream by Pareto-smoothed importance sampling (ArviZ).

    Args:
        log_likelihood: by chain, draw and cell.
    """
    import arviz_stats

    step = max(1, log_likelihood.sizes["chain"] * log_likelihood.sizes["draw"] // DRAWS)
    thinned = log_likelihood.isel(draw=slice(None, None, step)).transpose("chain", "draw", ...).to_numpy()
    flat = thinned.reshape(*thinned.shape[:2], -1).astype(float)
    draws = flat.reshape(-1, flat.shape[-1])
    elpd = np.log(len(draws)) - logsumexp(-draws, axis=0)  # exact for a cell whose likelihood stands still
    k = np.full(len(elpd), np.nan)
    moving = _moves(draws)
    if moving.sum() > 1:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of large Pareto k, which are what is asked for
            found = arviz_stats.loo(_only(flat[..., moving]), pointwise=True, reff=1.0)
        elpd[moving], k[moving] = np.ravel(found.elpd_i), np.ravel(found.pareto_k)
    return Cells(elpd.reshape(thinned.shape[2:]), k.reshape(thinned.shape[2:]))


def _moves(draws: Float[np.ndarray, "draw cell"]) -> np.ndarray:
    """Which cells have a tail that a Pareto law could be fitted to."""
    tail = int(min(0.2 * len(draws), 3.0 * np.sqrt(len(draws))))
    lowest = np.partition(draws, (0, tail), axis=0)
    return lowest[tail] - lowest[0] > STILL


def _only(log_likelihood: np.ndarray) -> xr.DataTree:
    cells = xr.Dataset({"cell": (("chain", "draw", "place"), log_likelihood)})
    return xr.DataTree.from_dict({"log_likelihood": cells, "posterior": xr.Dataset({"none": cells["cell"][..., 0]})})


def without_influential(study: Study, log_likelihood: xr.Dataset, count: int, sampling: Sampling) -> list[Piece]:
    """Refits without each of the cells that importance sampling cannot leave out, those with the largest Pareto k first.

    Args:
        study: the study.
        log_likelihood: of its run, by stream.
        count: how many at most.
        sampling: of each refit.
    """
    found = []
    for stream, values in log_likelihood.data_vars.items():
        cells = cells_left_out(values)
        found += [(float(cells.k[tuple(index)]), str(stream), tuple(index)) for index in np.argwhere(cells.influential).tolist()]
    worst = sorted(found, key=lambda row: (-row[0], *row[1:]))[:count]
    named = [(stream, index, place(log_likelihood[stream], index)) for _, stream, index in worst]
    return [
        Piece(f"refitting without {cell}", partial(refit_without, study, stream, index, cell, sampling)) for stream, index, cell in named
    ]


def place(values: xr.DataArray, index: tuple[int, ...]) -> str:
    """A cell in words.

    Example:
        >>> values = xr.DataArray([[0.0, 0.0]], dims=("week", "shop"), coords={"shop": ["S1", "S2"]}, name="bread")
        >>> place(values, (0, 1))
        'bread (week 0, shop S2)'
    """
    dims = [dim for dim in values.dims if dim not in ("chain", "draw")]
    where = [f"{dim} {_label(values, dim, i)}" for dim, i in zip(dims, index, strict=True)]
    stream = str(values.name).replace("_", " ")
    return f"{stream} ({', '.join(where)})" if where else stream


def _label(values: xr.DataArray, dim: Hashable, i: int) -> str:
    if dim not in values.coords:
        return str(i)
    label = values[dim].to_numpy()[i]
    return str(np.datetime_as_string(label, "D") if values[dim].dtype.kind == "M" else label)


def refit_without(
    study: Study,
    stream: str,
    index: tuple[int, ...],
    cell: str,
    sampling: Sampling,
    watch: Callable[[Any], None] = lambda progress: None,
) -> Rows:
    """Refit without one cell, and see how probable it was.

    Args:
        study: the study.
        stream: observed site of the cell.
        index: where it is among the site's cells.
        cell: the same in words.
        sampling: of the refit.
        watch: told the sampler's progress.

    Returns:
        One row: `stream`, `index`, `cell`, the refit's worst `r_hat`, `elpd` of the cell with its Monte Carlo `error`, and `means` of every scalar parameter.
    """
    from bayestwin.analyse.verdict import judge_fit
    from bayestwin.infer.leave_out import without_cell
    from bayestwin.infer.mcmc import sample
    from bayestwin.infer.predictive import log_densities, sites
    from bayestwin.prepared import prepare

    prepared = prepare(study)
    model = without_cell(prepared.model, stream, index)
    draws = sample(model, prepared.twin.definition.pilot(prepared.data), sampling, watch, prepared.nesting)
    latent = {name: draws.sites[name] for name in sites(model).latent}
    flat = {name: values.reshape(-1, *values.shape[2:]) for name, values in latent.items()}
    density = log_densities(prepared.model, flat)()[0][stream][(slice(None), *index)].astype(float)
    top = density.max()
    found = moments(xr.DataArray(np.exp(density - top).reshape(sampling.chains, -1), dims=("chain", "draw")))
    row = {"stream": stream, "index": list(index), "cell": cell, "r_hat": judge_fit(model, draws).metrics["rhat_max"]}
    means = {name: float(values.mean()) for name, values in latent.items() if values.ndim == 2}
    return [row | {"elpd": float(top + np.log(found["mean"])), "error": found["mean_error"] / found["mean"], "means": means}]


def checks_of_influence(tree: xr.DataTree, rows: Rows) -> Iterator[Check]:
    """Whether few cells of each stream are influential, those that were left out by a refit aside.

    Args:
        tree: of a run.
        rows: of `refit_without`.
    """
    for stream, values in tree["log_likelihood"].data_vars.items():
        yield from _of_stream(values, [row for row in rows if row["stream"] == stream], tree)


def _of_stream(values: xr.DataArray, rows: Rows, tree: xr.DataTree) -> Iterator[Check]:
    cells = cells_left_out(values)
    count = int(np.isfinite(cells.k).sum())
    if not count:
        return
    left_out = refitted(cells, rows)
    share = float(left_out.influential.sum() / count)
    status: Status = "PASS" if share <= MANY else "REVIEW"
    influential = int(cells.influential.sum())
    known = influential - int(left_out.influential.sum())
    yield Check(
        f"influence of cells of {str(values.name).replace('_', ' ')}",
        status,
        share,
        f"at most {MANY:.0%} of cells with Pareto k above {INFLUENTIAL} and no refit without them",
        f"{influential} of {count:,} cells have a Pareto k above {INFLUENTIAL}"
        + (f", {known} of them left out by a refit; {_moved(rows, tree['posterior'].to_dataset())}" if known else "")
        + f"; elpd {left_out.elpd[np.isfinite(cells.k)].sum():,.0f}",
        "" if status == "PASS" else f"look at these cells, and refit without each (--loo {influential})",
        "Vehtari, Simpson, Gelman, Yao & Gabry (2024), JMLR 25",
    )


def refitted(cells: Cells, rows: Rows) -> Cells:
    """The same cells, those that a refit left out as it found them.

    Args:
        cells: of one stream, by importance sampling.
        rows: of `refit_without` for that stream; those that did not mix change nothing.
    """
    elpd, k = cells.elpd.copy(), cells.k.copy()
    for row in rows:
        if row["r_hat"] is not None and row["r_hat"] < MIXED:
            elpd[tuple(row["index"])], k[tuple(row["index"])] = row["elpd"], -np.inf
    return Cells(elpd, k)


def _moved(rows: Rows, posterior: xr.Dataset) -> str:
    """How far leaving out one cell moves a scalar parameter at most."""
    moved = {
        (name, i): abs(mean - float(posterior[name].mean())) / float(posterior[name].std())
        for i, row in enumerate(rows)
        for name, mean in row["means"].items()
    }
    if not moved:
        return "no scalar parameter to move"
    (name, _), most = max(moved.items(), key=lambda item: item[1])
    return f"without one of them no scalar parameter moves by more than {most:.2f} sd ({name})"
