"""One self-contained HTML page from a run: verdict first, in the order in which a reviewer looks."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np
import pandas as pd
from markupsafe import Markup

from bayestwin.report import figures, tables
from bayestwin.runs import REPORT, Run, replaced

if TYPE_CHECKING:
    import xarray as xr

PANELS = ("appointments", "clinician_hours")
RANKED = 8


def render_report(run: Run, truth: xr.Dataset | None = None) -> str:
    """The report of a run.

    Args:
        run: a loaded run.
        truth: true values, where the study was simulated.

    Returns:
        HTML without any reference to the network; everything that comes from extracts is escaped.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"day": _day, "number": _number, "svg": _svg, "words": figures.words}
    return environment.get_template("report.html.jinja").render(_content(run, truth))


def _content(run: Run, truth: xr.Dataset | None) -> dict[str, Any]:
    tree, posterior = run.tree, run.posterior
    contracted = tables.contraction(posterior, tree["prior"].to_dataset())
    kept = contracted[contracted["contraction"] < tables.KEEPS_PRIOR]
    names = tree["constant_data"]["area_name"].to_series()
    return {
        "m": run.manifest,
        "headline": tables.headline(run.forecast_groups),
        "contracted": contracted.to_dict("records"),
        "kept": kept["parameter"].tolist(),
        "fans": _fans(run),
        "checks": _checks(tree),
        "ranks": figures.ranks(posterior, _ranked(run)),
        "contraction": figures.contraction(contracted),
        "shares": figures.variance_shares(tables.variance_shares(run.forecast)),
        "selections": tables.selections(run.sensitivity).to_dict("records"),
        "busiest": tables.busiest(run.forecast, names).to_dict("records"),
        "truth": None if truth is None else _truth(run, truth),
    }


def _truth(run: Run, truth: xr.Dataset) -> dict[str, Any]:
    table = tables.against_truth(run.posterior, truth)
    scalars = table[table["parameter"] == table["site"]]
    return {
        "scalars": scalars.to_dict("records"),
        "sites": tables.coverage_by_site(table[table["parameter"] != table["site"]]).to_dict("records"),
        "inside": float(table["inside"].mean()),
        "elements": len(table),
        "forecast": tables.forecast_against_truth(run.forecast, truth).to_dict("records"),
    }


def _ranked(run: Run) -> list[str]:
    """Scalar parameters to show by rank: those that the verdict found worst, then others."""
    scalars = [
        row["parameter"]
        for row in tables.contraction(run.posterior, run.tree["prior"].to_dataset()).to_dict("records")
        if "[" not in row["parameter"]
    ]
    worst = [row["name"] for row in run.verdict["worst"] if row["name"] in scalars]
    return list(dict.fromkeys(worst + scalars))[:RANKED]


def _fans(run: Run) -> list[figures.Picture]:
    fitted, ahead = run.fitted[run.fitted["level"] != "area"], run.forecast_groups
    if set(ahead["level"]) >= {"region", "national"}:
        places = [("national", "all"), *(("region", code) for code in sorted(ahead.loc[ahead["level"] == "region", "unit"].unique()))]
    else:
        places = [("national", "all")]
    weeks = ahead["period_start"].nunique()
    return [_fan(quantity, fitted, ahead, places, weeks) for quantity in PANELS]


def _fan(quantity: str, fitted: pd.DataFrame, ahead: pd.DataFrame, places: list[tuple[str, str]], weeks: int) -> figures.Picture:
    panels = {
        ("All regions" if level == "national" else f"Region {code}"): (
            _rows(fitted, level, code, quantity),
            _rows(ahead, level, code, quantity),
        )
        for level, code in places
    }
    total, what = panels["All regions"][1].sort_values("period_start").iloc[-1], figures.words(quantity)
    scale, unit = (1e6, f"million {what} a week") if total["mean"] >= 1e6 else (1e3, f"thousand {what} a week")
    alt = (
        f"Fitted and forecast {what} a week in {len(panels)} panels; in the last of {weeks} forecast weeks the total is "
        f"{_number(total['mean'])} (95 % {_number(total['q0.025'])} to {_number(total['q0.975'])})."
    )
    dots = "; dots: published counts" if quantity == "appointments" else "; no hours are published, so there are no dots"
    return figures.fans(
        panels, unit, scale, alt, f"{what.capitalize()} a week. Grey: observed weeks, blue: forecast, with 50, 80 and 95 % intervals{dots}."
    )


def _rows(table: pd.DataFrame, level: str, unit: str, quantity: str) -> pd.DataFrame:
    return table[(table["level"] == level) & (table["unit"] == unit) & (table["quantity"] == quantity)]


def _checks(tree: xr.DataTree) -> list[figures.Picture]:
    seen = tree["constant_data"]["appointments_seen"].to_numpy().astype(bool)
    replicated = (
        tree["posterior_predictive"]["appointments"].stack(sample=("chain", "draw")).transpose("sample", "period", "area").to_numpy()
    )
    values = tables.randomised_pit(tree["observed_data"]["appointments"].to_numpy(), replicated, seen)
    made = [figures.pit(values, "appointments")]
    for stream, dim, what in (("durations", "band", "duration bands"), ("staff_mix", "cell", "staff and mode")):
        made.append(figures.coverage_check(**tables.category_coverage(tree, stream, dim), what=what))
    return made


def _day(value: Any) -> str:
    moment = datetime.fromisoformat(str(value)) if not isinstance(value, date) else value
    return f"{moment.day} {moment:%B %Y}"


def _number(value: float) -> str:
    """A number for people: separators above a thousand, three significant digits below."""
    if value is None or not np.isfinite(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _svg(picture: figures.Picture) -> Markup:
    """The figure as it stands in the page; its SVG was drawn by us, its words are escaped."""
    return Markup('<figure><div class="plot" role="img" aria-label="{}">{}</div><figcaption>{}</figcaption></figure>').format(
        picture.alt, Markup(picture.svg), picture.caption
    )


def write_report(run: Run) -> Path:
    """Write a run's `report.html` anew.

    Args:
        run: a loaded run.

    Returns:
        Path of the report.
    """
    path = run.folder / REPORT
    with replaced(path) as scratch:
        scratch.write_text(render_report(run, run.truth), encoding="utf-8")
    return path
