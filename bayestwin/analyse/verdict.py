"""The convergence gate: a value with reasons, never an exception and never silent.

Thresholds: rank-normalised split R-hat < 1.01, bulk and tail ESS > 400 (Vehtari et al. 2021, Bayesian Analysis 16),
no divergences, E-BFMI > 0.3 (Betancourt 2016, arXiv:1604.00695). Deterministic sites are left out: they are functions
of the others, and constants among them have no R-hat.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr

RHAT, ESS, EBFMI = 1.01, 400.0, 0.3
WORST = 10


@dataclass(frozen=True)
class Verdict:
    """Whether a calibration deserves to be read.

    Attributes:
        status: PASS or FAIL.
        reasons: why it fails, one a line; empty when it passes.
        remedies: what to try.
        metrics: rhat_max, ess_bulk_min, ess_tail_min, divergences, ebfmi_min, chains, draws.
        worst: the parameters that are worst by R-hat: name, rhat, ess_bulk, ess_tail.
    """

    status: Literal["PASS", "FAIL"]
    reasons: tuple[str, ...]
    remedies: tuple[str, ...]
    metrics: dict[str, float]
    worst: tuple[dict[str, Any], ...]

    def as_row(self) -> dict[str, Any]:
        """The verdict as plain values."""
        return asdict(self)


def judge(tree: xr.DataTree) -> Verdict:
    """Judge the sampling of a posterior.

    Args:
        tree: DataTree with posterior (its deterministic sites named in `attrs`) and sample_stats.

    Returns:
        The verdict; sampling trouble is a result here, not an exception.
    """
    import arviz_stats

    posterior = tree["posterior"].to_dataset()
    posterior = posterior.drop_vars(np.atleast_1d(posterior.attrs.get("deterministic", [])).tolist())
    table = _diagnostics(posterior)
    ebfmi = float(np.min(arviz_stats.bfmi(tree["sample_stats"].to_dataset())["energy"].to_numpy()))
    metrics = {
        "rhat_max": float(table["rhat"].max()),
        "ess_bulk_min": float(table["ess_bulk"].min()),
        "ess_tail_min": float(table["ess_tail"].min()),
        "divergences": int(tree["sample_stats"]["diverging"].sum()),
        "ebfmi_min": ebfmi,
        "chains": posterior.sizes["chain"],
        "draws": posterior.sizes["draw"],
        "parameters": len(table["rhat"]),
    }
    reasons, remedies = _reasons(metrics, table)
    order = np.argsort(-table["rhat"])[:WORST]
    worst = tuple({name: _plain(column[i]) for name, column in table.items()} for i in order)
    return Verdict("FAIL" if reasons else "PASS", reasons, remedies, metrics, worst)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, str) else float(value)


def _diagnostics(posterior: xr.Dataset) -> dict[str, np.ndarray]:
    """R-hat and ESS of every element of every site, flattened."""
    import arviz_stats

    columns: dict[str, list[np.ndarray]] = {"name": [], "rhat": [], "ess_bulk": [], "ess_tail": []}
    results = {
        "rhat": arviz_stats.rhat(posterior),
        "ess_bulk": arviz_stats.ess(posterior, method="bulk"),
        "ess_tail": arviz_stats.ess(posterior, method="tail"),
    }
    for name in posterior.data_vars:
        columns["name"].append(_labels(results["rhat"][name]))
        for metric, result in results.items():
            columns[metric].append(np.ravel(result[name].to_numpy()))
    return {name: np.concatenate(parts) for name, parts in columns.items()}


def _labels(values: xr.DataArray) -> np.ndarray:
    labels = [str(values.name)]
    if values.ndim:
        keys = [[str(k) for k in values[dim].to_numpy()] if dim in values.coords else range(values.sizes[dim]) for dim in values.dims]
        labels = [f"{values.name}[{', '.join(map(str, index))}]" for index in _product(keys)]
    return np.array(labels)


def _product(keys: list) -> list[tuple]:
    from itertools import product

    return list(product(*keys))


def _reasons(metrics: dict[str, float], table: dict[str, np.ndarray]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    found: list[tuple[str, str]] = []
    if not metrics["rhat_max"] < RHAT:
        worst = table["name"][int(np.nanargmax(table["rhat"]))]
        count = int((~(table["rhat"] < RHAT)).sum())
        found.append((f"R-hat is {metrics['rhat_max']:.3f} for {worst} and not below {RHAT} for {count} of {len(table['rhat'])} parameters",
                      "run longer chains (--draws, --warmup)"))  # fmt: skip
    for kind in ("bulk", "tail"):
        if not metrics[f"ess_{kind}_min"] > ESS:
            worst = table["name"][int(np.nanargmin(table[f"ess_{kind}"]))]
            found.append((f"{kind} ESS is {metrics[f'ess_{kind}_min']:.0f} for {worst}, not above {ESS:.0f}", "draw more (--draws)"))
    if metrics["divergences"]:
        found.append(
            (
                f"{metrics['divergences']} divergent transitions",
                "raise --target-accept to 0.95, or look for a prior that lets a scale go to zero",
            )
        )
    if not metrics["ebfmi_min"] > EBFMI:
        found.append(
            (f"E-BFMI is {metrics['ebfmi_min']:.2f}, not above {EBFMI}", "run a longer warm-up (--warmup) or tighten the priors of scales")
        )
    if metrics["chains"] < 2:
        found.append(("one chain cannot show that chains agree", "run at least two chains (--chains)"))
    return tuple(reason for reason, _ in found), tuple(dict.fromkeys(remedy for _, remedy in found))
