"""What a posterior answers: weeks ahead, weeks behind, and how far an unknown selection could move them."""

from __future__ import annotations

from typing import Any

from bayestwin.prepared import Prepared, selections
from bayestwin.twin.scenario import Scenario


def answers(prepared: Prepared, posterior: Any, weeks: int, scenario: Scenario, seed: int) -> tuple[dict[str, Any], Any]:
    """Every table of a run, and the draws of its forecast.

    Args:
        prepared: the study brought to its model.
        posterior: the posterior, dims chain and draw first.
        weeks: weeks ahead, ≥ 1.
        scenario: what-if changes of the weeks ahead.
        seed: seed of the draws.

    Returns:
        Tables by name (`runs.TABLES`), and the forecast's draws by quantity.
    """
    import xarray as xr

    from bayestwin.analyse.forecast import answer
    from bayestwin.analyse.sensitivity import sensitivity

    definition, data = prepared.twin.definition, prepared.data
    unit = next(iter(prepared.study.hierarchy.columns))
    span = definition.future(data, weeks, scenario, prepared.study.calendar)
    ahead = answer(definition, data, posterior, span, unit, seed)
    behind = answer(definition, data, posterior, definition.fitted(data, prepared.study.calendar), unit, seed, inner=10)
    ranges = {name: barrier.slope_range for name, barrier in selections(prepared.study, prepared.twin).items()}
    tables = {
        "forecast": ahead.units,
        "forecast_groups": ahead.groups,
        "fitted": _with_counts(prepared, behind, unit),
        "sensitivity": sensitivity(definition, data, posterior, span, unit, seed, ranges),
    }
    return tables, xr.DataTree(ahead.draws)


def _with_counts(prepared: Prepared, behind: Any, unit: str) -> Any:
    """Fitted weeks of units and groups, beside the published counts."""
    import numpy as np
    import pandas as pd

    definition, data = prepared.twin.definition, prepared.data
    counts, seen = definition.counted(data)
    weeks = behind.draws["period"].to_numpy()
    columns = {unit: (behind.draws[unit].to_numpy(), np.arange(counts.shape[1]))} | dict(definition.groups(data))
    rows = []
    for level, (codes, index) in columns.items():
        for g, code in enumerate(codes):
            whole = seen[:, index == g].all(1)
            total = np.where(whole, counts[:, index == g].sum(1), np.nan)
            rows.append(pd.DataFrame({"level": level, "unit": code, "period_start": weeks, "quantity": "appointments", "observed": total}))
    fitted = pd.concat([behind.units.assign(level=unit), behind.groups], ignore_index=True)
    return fitted.merge(pd.concat(rows), on=["level", "unit", "period_start", "quantity"], how="left")
