"""Answers for people and machines: the ledger, a run's summary, the model library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import cleandoc
from typing import TYPE_CHECKING, Any

from bayestwin.library import library_folder, names_in
from bayestwin.numbers import number
from bayestwin.twin.answered import answered_by_run

if TYPE_CHECKING:
    from bayestwin.runs import Run
    from bayestwin.study import Study

WITHHELD = "withheld: no extract feeds the stream"


def check_study(study: Study) -> dict[str, Any]:
    """Read a study and every extract, and bring them to the model; the access ledger is the answer.

    Args:
        study: the study.

    Raises:
        StudyError, ExtractError, ModelError: with every fault found.
    """
    from bayestwin.prepared import prepare

    prepared = prepare(study)
    return {
        "study": study.name,
        "as_of": str(study.as_of),
        "question": study.question,
        "units": prepared.units,
        "ledger": prepared.ledger,
        "withheld": prepared.withheld,
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
    return "\n".join([*lines, *(f"{stream} ({WITHHELD})" for stream in found["withheld"])])


def run_summary(run: Run) -> dict[str, Any]:
    """A run's verdict, what its data cannot tell apart, headline and files."""
    return {
        "run": str(run.folder),
        "study": run.manifest["study"]["name"],
        "as_of": run.manifest["as_of"],
        "verdict": run.verdict,
        "timings": run.manifest["timings"],
        "withheld": run.manifest.get("withheld", []),
        "ridges": [ridge for ridge in run.manifest.get("ridges", []) if ridge["found"]],
        "headline": headline(run),
        "report": str(run.folder / "report.html"),
    }


def headline(run: Run) -> list[dict[str, Any]]:
    """The first and last forecast week of the whole, with 95 % intervals."""
    known = answered_by_run(run.manifest)
    names = [quantity.name for quantity in known.headline]
    whole = run.forecast_groups.query("level == @whole and quantity in @names", local_dict={"whole": known.whole, "names": names})
    weeks = sorted(whole["period_start"].unique())
    ends = whole[whole["period_start"].isin([weeks[0], weeks[-1]])]
    columns = {"period_start": "week", "quantity": "quantity", "mean": "mean", "q0.025": "low", "q0.975": "high"}
    rows = ends[list(columns)].rename(columns=columns).to_dict("records")
    return [{str(k): v for k, v in row.items()} | {"week": str(row["week"].date()), "words": known.words(row["quantity"])} for row in rows]


def run_text(summary: Mapping[str, Any]) -> str:
    """A run's summary as text."""
    from bayestwin.analyse.verdict import diagnostics

    verdict, metrics = summary["verdict"], summary["verdict"]["metrics"]
    lines = [
        f"verdict {verdict['status']}: {diagnostics(metrics)}",
        *(f"    because {reason}" for reason in verdict["reasons"]),
        *(f"    try: {remedy}" for remedy in verdict["remedies"]),
        *(f"{stream} ({WITHHELD})" for stream in summary["withheld"]),
        *(f"not told apart by the data: {ridge['words']}" for ridge in summary["ridges"]),
    ]
    return "\n".join([*lines, *_headline_lines(summary["headline"]), f"report: {summary['report']}"])


def _headline_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return [f"week of {r['week']}: {number(r['mean'])} {r['words']} (95 % {number(r['low'])} to {number(r['high'])})" for r in rows]


def forecast_summary(run: Run) -> dict[str, Any]:
    """What was forecast, what its scenario changes, and where it lies."""
    return {
        "run": str(run.folder),
        "forecast": run.manifest["forecast"],
        "headline": headline(run),
        "changes": headline_changes(run),
        "table": str(run.folder / "forecast.parquet"),
    }


def headline_changes(run: Run) -> list[dict[str, Any]]:
    """Change of the whole's weekly averages under the run's scenario; none if it has no scenario."""
    if run.changes is None:
        return []
    known = answered_by_run(run.manifest)
    names = [quantity.name for quantity in known.headline]
    whole = run.changes.query("level == @whole and quantity in @names", local_dict={"whole": known.whole, "names": names})
    columns = {
        "quantity": "quantity",
        "mean": "mean",
        "q0.025": "low",
        "q0.975": "high",
        "baseline": "baseline",
        "probability_helps": "probability_helps",
    }
    found = whole[list(columns)].rename(columns=columns).to_dict("records")
    return [{str(k): None if v != v else v for k, v in row.items()} | {"words": known.words(row["quantity"])} for row in found]


def forecast_text(summary: Mapping[str, Any]) -> str:
    """A forecast's summary as text."""
    return "\n".join([*_headline_lines(summary["headline"]), *_change_lines(summary["changes"]), f"table: {summary['table']}"])


def _change_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        f"change of an average week: {number(r['mean'], sign=True)} {r['words']} (95 % {number(r['low'], sign=True)} to {number(r['high'], sign=True)}), from {number(r['baseline'])}"
        + ("" if r["probability_helps"] is None else f"; helps with probability {r['probability_helps']:.2f}")
        for r in rows
    ]


def model_names() -> list[str]:
    """Names of the models in the library."""
    return names_in(library_folder("models"), "model.py")


def model_card(name: str) -> dict[str, Any]:
    """A model's streams, quantities, changes, equations and priors.

    Raises:
        ModelError: if there is no such model.
    """
    from dataclasses import asdict

    from bayestwin.twin.scenario import kind_of
    from bayestwin.twin.twin import load_twin

    twin = load_twin(name)
    return {
        "name": twin.name,
        "folder": str(twin.folder),
        "sha256": twin.sha256,
        "streams": list(twin.definition.streams),
        "optional": sorted(twin.definition.optional),
        "quantities": [asdict(quantity) for quantity in twin.definition.quantities],
        "changes": [
            {
                "kind": kind_of(change),
                "fields": [name for name in change.model_fields if name != "kind"],
                "meaning": cleandoc(change.__doc__ or "").split("\n\n")[0],
            }
            for change in twin.definition.changes
        ],
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
            f"{card['name']} (streams: {', '.join(s + ' if there' * (s in card['optional']) for s in card['streams'])})",
            "",
            "Answers",
            *(f"  {q['name']}: {q['words']}, {q['unit']}" for q in card["quantities"]),
            "",
            "Changes that a scenario may make",
            *(f"  {c['kind']} ({', '.join(c['fields'])}): {c['meaning']}" for c in card["changes"]),
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
