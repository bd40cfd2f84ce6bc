"""What a scenario changes, as the report shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bayestwin.report import figures
from bayestwin.runs import Run
from bayestwin.twin.answered import Answered, Quantity

LARGEST = 10
DOTS = 24  # rows of a figure that can still be told apart


@dataclass(frozen=True)
class WhatIf:
    """What the report says of a scenario.

    Attributes:
        name: the scenario's name.
        changes: each change in words.
        whole: rows about the whole.
        groups: rows about the shown levels.
        largest: units whose ranking quantity changes most.
        dots: change by group.
    """

    name: str
    changes: list[str]
    whole: list[dict[Any, Any]]
    groups: list[dict[Any, Any]]
    largest: list[dict[Any, Any]]
    dots: list[figures.Picture]


def what_if(run: Run, known: Answered, names: pd.Series) -> WhatIf | None:
    """What the run's scenario changes; None if it has none.

    Args:
        run: a loaded run.
        known: what it answers for.
        names: readable names by unit.
    """
    scenario, table = run.manifest["forecast"]["scenario"], run.changes
    if scenario is None or table is None:
        return None
    table = table[table["quantity"].isin([quantity.name for quantity in known.headline])]
    units = table[(table["level"] == known.unit) & (table["quantity"] == known.ranking.name) & (table["mean"] != 0)]
    largest = units.reindex(units["mean"].abs().sort_values(ascending=False).index).head(LARGEST)
    return WhatIf(
        name=scenario["name"],
        changes=[change_in_words(change) for change in scenario["change"]],
        whole=table[table["level"] == known.whole].to_dict("records"),
        groups=table[table["level"].isin(known.shown)].to_dict("records"),
        largest=largest.assign(name=[names.get(unit, "") for unit in largest["unit"]]).to_dict("records"),
        dots=[_dots(table, known, quantity) for quantity in known.headline],
    )


def change_in_words(change: Mapping[str, Any]) -> str:
    """A change's own fields, those that say nothing left out.

    Example:
        >>> change_in_words({"kind": "list_growth", "factor": 1.02, "areas": ["A1", "A2"], "start": None})
        'list growth: factor 1.02; areas A1, A2'
    """
    said = [f"{_words(name)} {_value(value)}" for name, value in change.items() if name != "kind" and value not in (None, [], {}, "")]
    return _words(change["kind"]) + (": " + "; ".join(said) if said else "")


def _words(name: str) -> str:
    return name.replace("_", " ")


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{_words(str(key))} {_value(part)}" for key, part in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _dots(table: pd.DataFrame, known: Answered, quantity: Quantity) -> figures.Picture:
    """Changes of the whole and of the shown groups; of the units where no level is shown."""
    levels = (known.whole, *(known.shown or (known.unit,)))
    rows = table[(table["quantity"] == quantity.name) & table["level"].isin(levels)]
    rows = rows.sort_values("level", key=lambda column: column != known.whole, kind="stable").head(DOTS)
    labels = [f"every {known.unit}" if level == known.whole else str(unit) for level, unit in zip(rows["level"], rows["unit"], strict=True)]
    return figures.changes(rows.assign(label=labels), quantity)
