"""Any barrier before any extract, with odd parameters or without: it is refused where it does not fit, and no cell is lost to what is no number."""

from datetime import date
from typing import Any

from hypothesis import strategies as st
from sound import Sound, for_all, is_named, is_usable, often
from test_study_file import FILE, tree_of
from trees import absurd, put, toml_of

DAY = date(2022, 1, 10)
BARRIERS: list[dict[str, Any]] = [
    {"kind": "aggregate", "period": "week"},
    {"kind": "aggregate", "period": "month", "level": "board", "exact": "durations"},
    {"kind": "aggregate", "level": "region", "exact": "advice"},
    {"kind": "aggregate", "period": "week", "exact": "visits"},
    {"kind": "aggregate", "categories": {"band": {"short": ["1-5 Minutes"], "long": ["6-10 Minutes"]}}},
    {"kind": "band", "unit": "events", "bands": [{"label": "few", "low": 0.0, "high": 5.0}, {"label": "many", "low": 5.0, "high": 1e6}]},
    {"kind": "band", "unit": "minutes", "bands": [{"label": "1-5 Minutes", "low": 0.5, "high": 5.5}]},
    {"kind": "chart_sample", "charts": 50, "sampled": 10},
    {"kind": "clamp", "limit": 0.0},
    {"kind": "consent", "fraction": 0.8, "spread": 0.5},
    {"kind": "coverage", "fraction": 0.8},
    {"kind": "coverage", "fraction": 0.8, "logit_sd": 0.3},
    {"kind": "coverage", "fraction": {"A1": 0.8, "A2": 0.9, "A3": 1.0}, "by": "area"},
    {"kind": "coverage", "covered": "patients", "population": "registered"},
    {"kind": "coverage", "covered": "slots", "population": "hours"},
    {"kind": "date_shift", "days": 3, "direction": "both"},
    {"kind": "delay", "maximum": 2, "pmf": [0.5, 0.3, 0.2], "released": "so_far"},
    {"kind": "delay", "maximum": 2, "pmf": [0.5, 0.3, 0.2], "released": "triangle"},
    {"kind": "delay", "maximum": 2, "released": "so_far", "weekday": True, "by": "provider", "walk_sd": 0.1},
    {"kind": "dp_noise", "epsilon": 1.0},
    {"kind": "dp_noise", "mechanism": "gaussian", "epsilon": 1.0, "delta": 1e-6, "sensitivity": 2.0},
    {"kind": "embargo", "start": DAY, "end": date(2022, 1, 12)},
    {"kind": "linkage", "missed": 0.1, "false": 0.02, "missed_sd": 0.1},
    {"kind": "margin", "dim": "band", "total": "All"},
    {"kind": "margin", "dim": "provider"},
    {"kind": "non_response", "response": 0.4},
    {"kind": "random_round", "base": 5},
    {"kind": "revision", "log_sd": 0.1, "by": "area"},
    {"kind": "round", "base": 1},
    {"kind": "round", "base": 5, "direction": "down"},
    {"kind": "site_absence", "dim": "area", "absent": ["A1"]},
    {"kind": "site_absence", "dim": "provider", "absent": ["P001"], "until": date(2023, 12, 1)},
    {"kind": "site_absence", "dim": "clinic", "absent": ["C01"]},
    {"kind": "site_selection", "dim": "area", "absent": ["A9"], "slope_sd": 0.5, "slope_range": [-1.0, 1.0]},
    {"kind": "suppress", "below": 5, "zero": "shown", "symbol": "*"},
    {"kind": "suppress", "below": 1},
    {"kind": "topcode", "limit": 1e9},
    {"kind": "unknown", "category": "Unknown", "slope_range": [-0.5, 0.5], "null": 0.1},
    {"kind": "withheld", "field": "names", "here": False},
    {"kind": "withheld", "field": "minutes", "dim": "provider", "labels": ["P001"]},
    {"kind": "withheld", "field": "minutes"},
]


@often
def test_a_barrier_that_does_not_fit_is_named_and_one_that_fits_is_read(sound: Sound, times: int) -> None:
    tree = tree_of(sound)

    def holds(data: st.DataObject) -> None:
        i = data.draw(st.integers(0, len(tree["extract"]) - 1))
        barrier = data.draw(st.sampled_from(BARRIERS))
        if data.draw(st.booleans()):
            barrier = data.draw(absurd(barrier))
        there = [] if data.draw(st.booleans()) else tree["extract"][i].get("barriers", [])
        found, error = sound.after({FILE: toml_of(put(tree, ("extract", i, "barriers"), [*there, barrier]))})
        assert is_named(error) if error else is_usable(found)

    for_all(60 * times, holds, data=st.data())
