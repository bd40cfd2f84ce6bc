"""What a posterior answers: weeks ahead, weeks behind, what a scenario changes, how far an unknown selection could move them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayestwin.prepared import Prepared, Selection, informed_selections, selections
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
        Tables by name (`runs.TABLES`; `changes` only under a scenario that has some), and the forecast's draws by quantity.
    """
    import xarray as xr

    from bayestwin.analyse.changes import changes
    from bayestwin.analyse.forecast import answer, averages
    from bayestwin.analyse.sensitivity import conditioned, put_in_place, together

    definition, data, place = prepared.twin.definition, prepared.data, prepared.study.calendar
    span = definition.future(data, weeks, scenario, place)
    ahead = answer(definition, data, posterior, span, seed)
    held, informed = selections(prepared.study, prepared.twin), informed_selections(prepared.study, posterior)
    tables = {
        "forecast": ahead.units,
        "forecast_groups": ahead.groups,
        "fitted": _fitted(prepared, posterior, seed),
        "sensitivity": together(
            [
                put_in_place(definition, data, posterior, span, seed, _ranges(held)),
                conditioned(definition, ahead.averages, posterior, span, _ranges(informed)),
            ]
        ),
    }
    if scenario.change:
        as_things_stand = averages(definition, data, posterior, definition.future(data, weeks, Scenario(), place), seed)
        tables["changes"] = changes(ahead.averages, as_things_stand, definition.quantities)
    return tables, xr.DataTree(ahead.draws)


def _ranges(found: Mapping[str, Selection]) -> dict[str, tuple[float, float]]:
    return {name: selection.barrier.slope_range for name, selection in found.items()}


def _fitted(prepared: Prepared, posterior: Any, seed: int) -> Any:
    """Observed weeks of units and groups as the model sees them, beside what was published."""
    import pandas as pd

    from bayestwin.analyse.forecast import answer

    definition, data = prepared.twin.definition, prepared.data
    span = definition.fitted(data, prepared.study.calendar)
    behind = answer(definition, data, posterior, span, seed, inner=10)
    fitted = pd.concat([behind.units.assign(level=definition.unit), behind.groups], ignore_index=True)
    published = _published(prepared, span)
    if published is None:
        return fitted.assign(observed=float("nan"))
    return fitted.merge(published, on=["level", "unit", "period_start", "quantity"], how="left")


def _published(prepared: Prepared, span: Any) -> Any:
    """Published values by level, NaN where any of a group's units was not seen; None if nothing is published."""
    import numpy as np
    import pandas as pd

    from bayestwin.analyse.forecast import by_level, codes_by_level

    definition, data = prepared.twin.definition, prepared.data
    over = {quantity.name: quantity.over for quantity in definition.quantities}
    weeks, tables = span.weeks.astype("datetime64[ns]"), []
    for name, (values, seen) in definition.counted(data).items():
        total = by_level(definition, data, span, np.where(seen, values, np.nan), over[name])
        for level, codes in codes_by_level(definition, data, span).items():
            keys = {"unit": np.tile(codes, len(weeks)), "period_start": np.repeat(weeks, len(codes))}
            tables.append(pd.DataFrame({"level": level, **keys, "quantity": name, "observed": total[level].ravel()}))
    return pd.concat(tables, ignore_index=True) if tables else None
