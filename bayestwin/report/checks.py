"""Where observations lie among what the posterior would have drawn in their place."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from bayestwin.cells import known_cells


def pit_of_site(tree: xr.DataTree, site: str) -> np.ndarray:
    """Randomised PIT of a site's observed cells, of which anything is known.

    Args:
        tree: the run's groups.
        site: an observed site, of numbers or of pairs of ends.
    """
    pit = pit_of_cells(tree, site).to_numpy()
    return pit[~np.isnan(pit)]


def pit_of_cells(tree: xr.DataTree, site: str) -> xr.DataArray:
    """Randomised PIT of every cell of a site; NaN where nothing was observed.

    Args:
        tree: the run's groups; `<site>_seen` among the constants says which cells were observed, all if it is not there.
        site: an observed site, of numbers or of pairs of ends.
    """
    observed = tree["observed_data"].to_dataset()[site]
    cells = [dim for dim in observed.dims if dim != "end"]
    replicated = tree["posterior_predictive"][site].stack(sample=("chain", "draw")).transpose("sample", *observed.dims).to_numpy()
    seen = seen_cells(tree, site, tuple(observed.sizes[dim] for dim in cells))
    if "end" in observed.dims:
        seen = seen & known_cells(observed.to_numpy())
        pit = _pit_of_pairs(observed.to_numpy(), replicated)
    else:
        pit = _pit_of_counts(observed.to_numpy(), replicated)
    return xr.DataArray(np.where(seen, pit, np.nan), dims=cells, coords={dim: observed[dim] for dim in cells if dim in observed.coords})


def seen_cells(tree: xr.DataTree, site: str, shape: tuple[int, ...]) -> np.ndarray:
    """Which cells of a site were observed."""
    constants = tree["constant_data"]
    return constants[f"{site}_seen"].to_numpy().astype(bool) if f"{site}_seen" in constants else np.ones(shape, bool)


def randomised_pit(observed: np.ndarray, replicated: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Randomised PIT of counts (Czado, Gneiting & Held 2009, Biometrics 65).

    Args:
        observed: counts.
        replicated: predictive draws, leading axis draw.
        seen: which counts were observed.
    """
    return _pit_of_counts(observed, replicated)[seen]


def _pit_of_counts(observed: np.ndarray, replicated: np.ndarray) -> np.ndarray:
    return _between((replicated < observed).mean(0), (replicated <= observed).mean(0))


def pit_of_pairs(observed: np.ndarray, replicated: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Randomised PIT of what is known of cells: the place of an observed pair of ends among replicated ones.

    What a barrier publishes lies in order: a pair is below another if its low end is, or, of two that start alike, if it
    ends before. Pairs that are the same share their probability out at random, so that the PIT is uniform where the
    model is true, however coarse the pairs.

    Args:
        observed: (cells..., 2) low and high ends.
        replicated: (draw, cells..., 2).
        seen: which cells were observed, (cells...).

    Returns:
        One value a seen cell of which anything is known.
    """
    return _pit_of_pairs(observed, replicated)[seen & known_cells(observed)]


def _pit_of_pairs(observed: np.ndarray, replicated: np.ndarray) -> np.ndarray:
    low, high = np.moveaxis(observed, -1, 0)
    other_low, other_high = np.moveaxis(replicated, -1, 0)
    alike = other_low == low
    below = ((other_low < low) | (alike & (other_high < high))).mean(0)
    upto = below + (alike & (other_high == high)).mean(0)
    return _between(below, upto)


def _between(below: np.ndarray, upto: np.ndarray) -> np.ndarray:
    return below + np.random.default_rng(0).uniform(size=below.shape) * (upto - below)


def category_coverage(tree: xr.DataTree, site: str) -> dict[str, Any]:
    """Share of the seen cells inside their 95 % predictive interval, by category.

    Args:
        tree: the run's groups.
        site: observed site whose last dim is the category.
    """
    observed = tree["observed_data"][site]
    dim, values = str(observed.dims[-1]), observed.to_numpy()
    replicated = tree["posterior_predictive"][site].to_numpy()
    low, high = np.quantile(replicated.reshape(-1, *values.shape), (0.025, 0.975), axis=0)
    inside = ((values >= low) & (values <= high))[seen_cells(tree, site, values.shape[:-1])]
    return {"inside": inside.mean(0), "labels": [str(label) for label in tree["observed_data"][dim].to_numpy()], "cells": len(inside)}
