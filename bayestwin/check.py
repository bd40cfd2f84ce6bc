"""Answers for people and machines: the ledger, a run's summary, the model library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bayestwin.library import library_folder, names_in

if TYPE_CHECKING:
    from bayestwin.runs import Run
    from bayestwin.study import Study

HEADLINE = ("appointments", "clinician_hours", "gp_hours")


def check_study(study: Study) -> dict[str, Any]:
    """Read a study and every extract; the access ledger is the answer.

    Args:
        study: the study.

    Raises:
        StudyError, ExtractError, ModelError: with every fault found.
    """
    from bayestwin.study import ledger, read_hierarchy, read_observations
    from bayestwin.twin.twin import load_twin

    streams = load_twin(study.model, study.folder).definition.streams
    hierarchy = read_hierarchy(study)
    rows = ledger(study, read_observations(study, hierarchy, streams))
    units = {level: len(codes) for level, codes in hierarchy.codes.items()}
    return {
        "study": study.name,
        "as_of": str(study.as_of),
        "question": study.question,
        "units": units,
        "ledger": [row.as_row() for row in rows],
    }


def ledger_text(found: Mapping[str, Any]) -> str:
    """The access ledger as text."""
    units = ", ".join(f"{count} {level}s" for level, count in found["units"].items())
    lines = [f"{found['study']}, as of {found['as_of']}: {units}", found["question"], ""]
    for row in found["ledger"]:
        lines.append(
            f"{row['extract']} ({row['stream']}), by {row['resolution']}, {row['first_event']} to {row['last_event']}, {row['lag_days']} days old"
        )
        shares = ", ".join(f"{100 * row[f'share_{kind}']:.1f} % {kind}" for kind in ("masked", "hidden", "banded", "unknown"))
        lines.append(f"    {row['units_present']} of {row['units_total']} units; {shares}")
        lines += [f"    {b['kind']} [{b['label']}]: {b['sentence']}" for b in row["barriers"]]
    return "\n".join(lines)


def run_summary(run: Run) -> dict[str, Any]:
    """A run's verdict, headline and files."""
    return {
        "run": str(run.folder),
        "study": run.manifest["study"]["name"],
        "as_of": run.manifest["as_of"],
        "verdict": run.verdict,
        "timings": run.manifest["timings"],
        "headline": headline(run),
        "report": str(run.folder / "report.html"),
    }


def headline(run: Run) -> list[dict[str, Any]]:
    """The first and last forecast week of the whole, with 95 % intervals."""
    whole = run.forecast_groups.query("level == 'national' and quantity in @HEADLINE", local_dict={"HEADLINE": HEADLINE})
    weeks = sorted(whole["period_start"].unique())
    ends = whole[whole["period_start"].isin([weeks[0], weeks[-1]])]
    columns = {"period_start": "week", "quantity": "quantity", "mean": "mean", "q0.025": "low", "q0.975": "high"}
    rows = ends[list(columns)].rename(columns=columns).to_dict("records")
    return [{str(k): v for k, v in row.items()} | {"week": str(row["week"].date())} for row in rows]


def run_text(summary: Mapping[str, Any]) -> str:
    """A run's summary as text."""
    verdict, metrics = summary["verdict"], summary["verdict"]["metrics"]
    lines = [
        f"verdict {verdict['status']}: R-hat ≤ {metrics['rhat_max']:.3f}, ESS ≥ {min(metrics['ess_bulk_min'], metrics['ess_tail_min']):.0f}, "
        f"{metrics['divergences']} divergences, E-BFMI ≥ {metrics['ebfmi_min']:.2f}",
        *(f"    because {reason}" for reason in verdict["reasons"]),
        *(f"    try: {remedy}" for remedy in verdict["remedies"]),
    ]
    return "\n".join([*lines, *_headline_lines(summary["headline"]), f"report: {summary['report']}"])


def _headline_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        f"week of {r['week']}: {r['mean']:,.0f} {r['quantity'].replace('_', ' ')} (95 % {r['low']:,.0f} to {r['high']:,.0f})" for r in rows
    ]


def forecast_summary(run: Run) -> dict[str, Any]:
    """What was forecast, and where it lies."""
    return {
        "run": str(run.folder),
        "forecast": run.manifest["forecast"],
        "headline": headline(run),
        "table": str(run.folder / "forecast.parquet"),
    }


def forecast_text(summary: Mapping[str, Any]) -> str:
    """A forecast's summary as text."""
    return "\n".join([*_headline_lines(summary["headline"]), f"table: {summary['table']}"])


def model_names() -> list[str]:
    """Names of the models in the library."""
    return names_in(library_folder("models"), "model.py")


def model_card(name: str) -> dict[str, Any]:
    """A model's streams, equations and priors.

    Raises:
        ModelError: if there is no such model.
    """
    from dataclasses import asdict

    from bayestwin.twin.twin import load_twin

    twin = load_twin(name)
    return {
        "name": twin.name,
        "folder": str(twin.folder),
        "sha256": twin.sha256,
        "streams": list(twin.definition.streams),
        "equations": [asdict(equation) for equation in twin.definition.equations],
        "priors": [row.as_row() for row in twin.definition.priors.values()],
        "limits": list(twin.definition.limits),
    }


def model_text(card: Mapping[str, Any]) -> str:
    """A model card as text."""
    equations = [f"  {e['name']}: {e['text']}\n      {e['meaning']}" for e in card["equations"]]
    priors = [
        f"  {p['name']} ~ {p['distribution']}{tuple(p['parameters'])} [{p['unit']}]\n      {p['description']}; {p['source']}"
        for p in card["priors"]
    ]
    return "\n".join(
        [
            f"{card['name']} (streams: {', '.join(card['streams'])})",
            "",
            "Equations",
            *equations,
            "",
            "Priors",
            *priors,
            "",
            "Limits",
            *(f"  {x}" for x in card["limits"]),
        ]
    )
