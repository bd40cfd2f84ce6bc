"""One self-contained HTML page from a run: verdict first, in the order in which a reviewer looks."""

from __future__ import annotations

from datetime import date, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
import xarray as xr
from markupsafe import Markup

from bayestwin.analyse.ranks import p_uniform
from bayestwin.analyse.scaling import moved_by
from bayestwin.analyse.tipping import bands
from bayestwin.numbers import fixed, number
from bayestwin.preposterior.application import application
from bayestwin.report import checks, figures, tables
from bayestwin.report.access import AccessShown, access_shown
from bayestwin.report.backtests import backtests_shown
from bayestwin.report.selections import selections_shown
from bayestwin.report.what_if import what_if
from bayestwin.runs import ACCESS_PAGE, ACCESS_PLAN, REPORT, Run
from bayestwin.scratch import replaced
from bayestwin.twin.answered import Answered, answered_by_run
from bayestwin.twin.twin import Quantity

RANKED = 8
MOVED = 8  # parameters that are shown with and without the discrepancy
SHOWN = ("prior", "constant_data", "observed_data", "posterior_predictive", "predictions")  # groups beside the posterior
PANELS = 12  # places that a figure of panels shows


def render_report(run: Run, truth: xr.Dataset | None = None) -> str:
    """The report of a run.

    Args:
        run: a loaded run.
        truth: true values, where the study was simulated.

    Returns:
        HTML without any reference to the network; everything that comes from extracts is escaped.
    """
    known = answered_by_run(run.manifest)
    return _environment(known).get_template("report.html.jinja").render(_content(run, known, truth))


def render_access(run: Run) -> str:
    """The page on access alone, for a review board or a data owner.

    Args:
        run: a loaded run whose access was analysed.

    Returns:
        HTML, as of `render_report`.
    """
    known = answered_by_run(run.manifest)
    shown = {"m": run.manifest, "known": known, "access": _access(run, known)}
    return _environment(known).get_template("access_page.html.jinja").render(shown)


def _environment(known: Answered) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"day": _day, "number": number, "fixed": fixed, "svg": _svg, "words": known.words, "capital": figures.capital}
    return environment


def _access(run: Run, known: Answered) -> AccessShown | None:
    return None if run.access is None else access_shown(run.access, known)


def _content(run: Run, known: Answered, truth: xr.Dataset | None) -> dict[str, Any]:
    tree, posterior = xr.DataTree.from_dict({name: run.group(name) for name in SHOWN}), run.posterior
    contracted = tables.contraction(posterior, tree["prior"].to_dataset())
    kept = contracted[contracted["contraction"] < tables.KEEPS_PRIOR]
    names = tree["constant_data"][known.names].to_series()
    shares = tables.variance_shares(run.forecast, [quantity.name for quantity in known.headline])
    found = run.validation or {}
    return {
        "m": run.manifest,
        "known": known,
        "withheld": run.manifest.get("withheld", []),
        "ridges": [ridge for ridge in run.manifest.get("ridges", []) if ridge["found"]],
        "headline": tables.headline(run.forecast_groups, known),
        "contracted": contracted.to_dict("records"),
        "kept": kept["parameter"].tolist(),
        "fans": _fans(run, known),
        "checks": _checks(tree, known),
        "ranks": figures.ranks(posterior, _ranked(run)),
        "contraction": figures.contraction(contracted),
        "discrepancy": tables.discrepancy(posterior, known.discrepancy).head(MOVED).to_dict("records"),
        "shares": figures.variance_shares(shares, known.words, known.unit),
        "selections": selections_shown(bands(run.sensitivity, posterior, tree["predictions"].to_dataset(), known.quantities), known),
        "highest": tables.highest(run.forecast, known, names).to_dict("records"),
        "what_if": what_if(run, known, names),
        "truth": None if truth is None else _truth(run, truth),
        "access": _access(run, known),
        "backtests": backtests_shown(found.get("backtest", []), found.get("nowcast", []), known),
        **_validation(run.validation),
    }


def _validation(found: dict[str, Any] | None) -> dict[str, Any]:
    if found is None:
        return {"validation": None}
    of_prior, of_posterior = (found.get(name, []) for name in ("replicates", "posterior_replicates"))
    simulated = {"simulated studies": of_prior, "simulated studies about the posterior": of_posterior}
    return {
        "validation": found,
        "judged": _by_threshold(found["checks"]),
        "put_aside": tables.put_aside(found.get("sites", [])).to_dict("records"),
        "uniform": {f"{len(rows)} {what}": _uniform(rows) for what, rows in simulated.items() if rows},
        "moved_by": moved_by(found.get("sensitivity", [])),
        "apart": tables.farthest(found.get("fit", [])).to_dict("records"),
    }


def _uniform(replicates: list[dict[str, Any]]) -> figures.Picture:
    """Ranks of the quantities whose ranks are least uniform."""
    ranks = {name: np.array([row["ranks"][name] for row in replicates]) for name in replicates[0]["ranks"]}
    return figures.uniform(ranks, sorted(ranks, key=lambda name: p_uniform(ranks[name]))[:RANKED])


def _by_threshold(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Checks in their order, those that are held against the same together."""
    groups = groupby(found, key=lambda check: (check["threshold"], check["source"]))
    return [{"threshold": threshold, "source": source, "checks": list(some)} for (threshold, source), some in groups]


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
        row["parameter"] for row in tables.contraction(run.posterior, run.group("prior")).to_dict("records") if "[" not in row["parameter"]
    ]
    worst = [row["name"] for row in run.verdict["worst"] if row["name"] in scalars]
    return list(dict.fromkeys(worst + scalars))[:RANKED]


def _fans(run: Run, known: Answered) -> list[figures.Picture]:
    ahead = run.forecast_groups
    groups = ahead[ahead["level"].isin(known.shown)].drop_duplicates(["level", "unit"])
    places = [(known.whole, code) for code in ahead.loc[ahead["level"] == known.whole, "unit"].unique()]
    places += list(zip(groups["level"], groups["unit"], strict=True))
    return [_fan(quantity, run.fitted, ahead, places, known) for quantity in known.headline]


def _fan(quantity: Quantity, fitted: pd.DataFrame, ahead: pd.DataFrame, places: list[tuple[str, str]], known: Answered) -> figures.Picture:
    shown = places[:PANELS]
    panels = {
        _title(level, code, known): (_rows(fitted, level, code, quantity.name), _rows(ahead, level, code, quantity.name))
        for level, code in shown
    }
    whole = next(iter(panels.values()))[1]
    total = whole.sort_values("period_start").iloc[-1]
    scale, size = next(
        (by, size) for by, size in ((1e6, "million "), (1e3, "thousand "), (1.0, "")) if abs(total["mean"]) >= by or by == 1.0
    )
    alt = (
        f"Fitted and forecast {quantity.words}, {quantity.unit}, in {len(panels)} panels; in the last of {ahead['period_start'].nunique()} "
        f"forecast weeks the whole has {number(total['mean'])} (95 % {number(total['q0.025'])} to {number(total['q0.975'])})."
    )
    published = fitted.loc[fitted["quantity"] == quantity.name, "observed"].notna().any()
    dots = _dots(quantity.name in known.measured) if published else "; it is not published, so there are no dots"
    rest = f" {len(places) - len(shown)} more are in the tables." if len(places) > len(shown) else ""
    caption = f"{figures.capital(quantity.words)}, {quantity.unit}. Grey: weeks that are over, blue: forecast, with 50, 80 and 95 % intervals{dots}.{rest}"
    return figures.fans(panels, size + quantity.unit, scale, alt, caption)


def _dots(measured: bool) -> str:
    return "; dots: what was published" + (
        "" if measured else ", on its own clock and by its own definition, so that it may lie beside the bands"
    )


def _title(level: str, code: str, known: Answered) -> str:
    return f"Every {known.unit}" if level == known.whole else f"{figures.capital(level)} {code}"


def _rows(table: pd.DataFrame, level: str, unit: str, quantity: str) -> pd.DataFrame:
    return table[(table["level"] == level) & (table["unit"] == unit) & (table["quantity"] == quantity)]


def _checks(tree: xr.DataTree, known: Answered) -> list[figures.Picture]:
    sites = [str(site) for site in tree["observed_data"].data_vars]
    values = {site: checks.pit_of_site(tree, site) for site in sites if site not in known.categorical}
    made = [figures.pit(pits, known.words(site)) for site, pits in values.items() if pits.size]
    return made + [
        figures.coverage_check(**checks.category_coverage(tree, s), what=known.words(s)) for s in known.categorical if s in sites
    ]


def _day(value: Any) -> str:
    moment = datetime.fromisoformat(str(value)) if not isinstance(value, date) else value
    return f"{moment.day} {moment:%B %Y}"


def _svg(picture: figures.Picture) -> Markup:
    """The figure as it stands in the page; its SVG was drawn by us, its words are escaped."""
    return Markup('<figure><div class="plot" role="img" aria-label="{}">{}</div><figcaption>{}</figcaption></figure>').format(
        picture.alt, Markup(picture.svg), picture.caption
    )


def write_report(run: Run) -> Path:
    """Write a run's `report.html` anew; where its access was analysed `access.html` and, of a plan, `access_plan.md`, tables for a data-access application.

    Args:
        run: a loaded run.

    Returns:
        Path of the report.
    """
    path = run.folder / REPORT
    with replaced(path) as scratch:
        scratch.write_text(render_report(run, run.truth), encoding="utf-8")
    if run.access is not None:
        with replaced(run.folder / ACCESS_PAGE) as scratch:
            scratch.write_text(render_access(run), encoding="utf-8")
        write_plan(run)
    return path


def write_plan(run: Run) -> None:
    """Write the tables of a run's plan of requests; those of an earlier plan do not stay where there is none."""
    path, answer = run.folder / ACCESS_PLAN, run.access
    if answer is None or answer["plan"] is None:
        path.unlink(missing_ok=True)
        return
    with replaced(path) as scratch:
        scratch.write_text(application(answer, answered_by_run(run.manifest).words) + "\n", encoding="utf-8")
