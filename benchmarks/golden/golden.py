"""Golden runs: do the bundled studies give what they gave when their numbers were last written down?

    uv run python benchmarks/golden/golden.py [STUDY ...] [--write] [--json]

Each study is calibrated with the defaults. Means and sds of every scalar parameter, of the mean of every vector, and of the forecast's headline totals are held against those of
`benchmarks/golden/<study>.json` in Monte Carlo errors of both sides together. What lies further apart than 4 of them has changed: mend it, or say why in CHANGELOG.md and write the numbers
anew (`--write`). Exit code 1 if something has changed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bayestwin as bt
from bayestwin.credibility.agreement import BOUND, Moments, apart, moments, moments_of
from bayestwin.library import library_folder
from bayestwin.progress import shown
from bayestwin.runs import Run
from bayestwin.twin.answered import answered_by_run

HERE = Path(__file__).parent
STUDIES = ("virtual_practices", "virtual_clinic")
Summary = dict[str, Moments]


def summary(run: Run) -> Summary:
    """Mean, sd and their Monte Carlo errors, by quantity.

    Args:
        run: a loaded run.
    """
    ahead = {f"forecast of {q.name}": moments(run.tree["predictions"][q.name]) for q in answered_by_run(run.manifest).headline}
    return moments_of(run.posterior) | ahead


def changed(before: Summary, now: Summary) -> list[dict[str, Any]]:
    """What has changed, furthest first.

    Args:
        before: summary of a study.
        now: another one of the same study.

    Returns:
        A row for each quantity that is further apart than the bound, or in one of them only: `quantity`, `part` (mean, sd), `before`, `now`, `errors`.
    """
    rows = [
        {"quantity": name, "part": "is there", "before": name in before, "now": name in now, "errors": float("inf")}
        for name in sorted(before.keys() ^ now.keys())
    ]
    for name in sorted(before.keys() & now.keys()):
        for part in ("mean", "sd"):
            errors = apart(before[name], now[name], part)
            if not errors <= BOUND:
                rows.append({"quantity": name, "part": part, "before": before[name][part], "now": now[name][part], "errors": errors})
    return sorted(rows, key=lambda row: -row["errors"])


def calibrated(study: str) -> dict[str, Any]:
    """Calibrate a bundled study with the defaults: its `verdict` and its `quantities`."""
    with tempfile.TemporaryDirectory() as scratch, shown() as (say, watch):
        run = bt.calibrate(library_folder("data") / study, out=Path(scratch) / "run", say=say, watch=watch)
        return {"verdict": run.verdict["status"], "quantities": summary(run)}


def compare(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What of a study has changed since its numbers were written down; the verdict first."""
    verdict = {"quantity": "verdict", "part": "status", "before": before["verdict"], "now": now["verdict"], "errors": float("inf")}
    return [verdict] * (before["verdict"] != now["verdict"]) + changed(before["quantities"], now["quantities"])


def written(study: str) -> dict[str, Any]:
    """A study's numbers as they were written down."""
    return json.loads((HERE / f"{study}.json").read_text(encoding="utf-8"))


def write(study: str, found: Mapping[str, Any]) -> None:
    """Write a study's numbers down, to five digits."""
    rounded = {name: {part: float(f"{value:.5g}") for part, value in row.items()} for name, row in found["quantities"].items()}
    (HERE / f"{study}.json").write_text(json.dumps({**found, "quantities": rounded}, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Ask, calibrate, compare or write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", nargs="*", default=STUDIES, metavar="STUDY", help=f"of {', '.join(STUDIES)}; all if none is named")
    parser.add_argument("--write", action="store_true", help="write the numbers down")
    parser.add_argument("--json", action="store_true", help="print the machine form")
    given = parser.parse_args()
    answer = {}
    for study in given.studies:
        now = calibrated(study)
        if given.write:
            write(study, now)
        answer[study] = compare(written(study), now)
    print(json.dumps(answer, indent=2) if given.json else text(answer))
    sys.exit(1 if any(answer.values()) else 0)


def text(answer: Mapping[str, list[dict[str, Any]]]) -> str:
    """For a terminal."""
    lines = []
    for study, rows in answer.items():
        lines.append(f"{study}: {'as before' if not rows else f'{len(rows)} changed'}")
        lines += [f"  {row['quantity']}, {row['part']}: {row['before']} → {row['now']} ({row['errors']:.1f} errors)" for row in rows]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
