"""Scores of forecasts from past dates as they are shown: weighted by cells, the units that gain least, nothing where nothing was scored."""

from typing import Any

import pytest

from bayestwin.report.backtests import backtests_shown, pooled
from bayestwin.twin.answered import Answered
from bayestwin.twin.twin import Quantity

KNOWN = Answered("site", "all", (), "site_name", (), (Quantity("visits", "visits", "visits"),))


def row(origin: str, week: int, cells: int, wis: float, low: float = 0.1, **more: Any) -> dict[str, Any]:
    pit = [low, *[(1.0 - low) / 9] * 9]
    held = {"coverage_50": 0.5, "coverage_80": 0.8, "coverage_95": 0.9}
    return (
        {"origin": origin, "quantity": "visits", "week_ahead": week, "cells": cells, "wis": wis, "naive_wis": 4.0, "pit": pit} | held | more
    )


def unit(name: str, naive: float, cells: int = 2) -> dict[str, Any]:
    scores = {"wis": 1.0, "naive_wis": naive, "coverage_50": 0.5, "coverage_80": 0.8, "coverage_95": 1.0} if cells else {}
    return {"unit": name, "cells": cells} | scores


def test_weeks_ahead_are_weighed_by_their_cells() -> None:
    found = pooled([row("2024-01-01", 1, 10, 1.0), row("2024-02-01", 1, 30, 2.0), row("2024-02-01", 2, 5, 3.0)], "week_ahead")
    assert found["wis"].to_dict() == {1: pytest.approx(1.75), 2: pytest.approx(3.0)}
    assert found["cells"].to_dict() == {1: 40, 2: 5}


def test_dates_units_and_tenths_are_shown() -> None:
    rows = [
        row("2024-01-01", 0, 10, 1.0, low=0.4, by_unit=[unit("a", 2.0), unit("b", 0.5), unit("c", 0.0), unit("d", 0.0, cells=0)]),
        row("2024-01-01", 1, 10, 1.0),
        row("2024-02-01", 0, 30, 2.0, low=0.0, by_unit=[unit("a", 2.0), unit("b", 2.0)]),
        row("2024-02-01", 1, 30, 2.0),
    ]
    shown = backtests_shown(rows, [], KNOWN)
    assert shown is not None
    assert [one["origin"] for one in shown.dates] == ["2024-01-01", "2024-02-01"]
    assert [one["unit"] for one in shown.units] == ["b", "a"]
    assert shown.units[0]["skill"] == pytest.approx(1.0 - 1.0 / 1.25)
    assert "10, 10, 10" in shown.figures[0].alt


def test_dates_of_which_nothing_came_leave_nothing_to_show() -> None:
    nothing = {"origin": "2024-01-01", "quantity": "visits", "week_ahead": 0, "cells": 0, "by_unit": []}
    assert backtests_shown([nothing], [nothing], KNOWN) is None
    assert backtests_shown([], [], KNOWN) is None


def test_nowcasts_are_shown_by_stream_and_period_back() -> None:
    rows = [
        row("2024-01-01", 0, cells, wis) | {"stream": "visits", "periods_back": back}
        for back, cells, wis in ((0, 4, 2.0), (1, 1, 5.0), (2, 3, 1.0))
    ]
    shown = backtests_shown([], rows, KNOWN)
    assert shown is not None
    assert shown.dates == []
    assert [(one["stream"], one["periods_back"], one["wis"]) for one in shown.nowcasts] == [
        ("visits", 0, 2.0),
        ("visits", 1, 5.0),
        ("visits", 2, 1.0),
    ]


def test_the_figure_has_autoets_where_it_foretold() -> None:
    rows = [row("2024-01-01", week, 10, 1.0, autoets={"naive": "AutoETS", "cells": 10, "naive_wis": 2.0, "wis": 1.0}) for week in (0, 1, 2)]
    without = [one | {"autoets": {"naive": "AutoETS", "cells": 0}} for one in rows]
    shown, plain = backtests_shown(rows, [], KNOWN), backtests_shown(without, [], KNOWN)
    assert shown is not None
    assert plain is not None
    assert shown.rivals == {"autoets": "AutoETS"}
    assert plain.rivals == {}
    assert "AutoETS" in shown.figures[0].svg
    assert "AutoETS" not in plain.figures[0].svg + plain.figures[0].alt
    fewer = [one | {"autoets": one["autoets"] | {"cells": 8}} for one in rows]
    apart = backtests_shown(fewer, [], KNOWN)
    assert apart is not None
    assert "AutoETS" not in apart.figures[0].svg  # of other cells: no line beside ours
