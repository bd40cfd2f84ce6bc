"""A run asked again: further ahead, or under a scenario."""

from __future__ import annotations

import shutil
from pathlib import Path

from bayestwin.again import prepared_again
from bayestwin.answers import answers
from bayestwin.runs import (
    ACCESS,
    POSTERIOR,
    TRUTH,
    VALIDATION,
    Run,
    file_hashes,
    load_run,
    new_run,
    write_manifest,
    write_tables,
    write_tree,
)
from bayestwin.twin.scenario import Scenario, read_scenario


def forecast(run: Run, weeks: int, scenario: str | Path | None = None, out: str | Path | None = None) -> Run:
    """Forecast a run further or under a scenario.

    Without `out` the run's own tables, predictions and report are replaced; with `out` they are written there and the
    run stays as it is.

    Args:
        run: a loaded run.
        weeks: weeks ahead, ≥ 1.
        scenario: TOML file of changes, or None for things as they stand.
        out: another folder for the answer.

    Raises:
        RunError: if the study has moved or its extracts have changed since the run.
        ScenarioError: if the scenario is at fault.
    """
    from bayestwin.infer.device import prepare_device
    from bayestwin.report.render import write_report

    prepare_device()
    prepared = prepared_again(run)
    chosen = read_scenario(scenario, prepared.twin.definition.changes, prepared.labels) if scenario is not None else Scenario()
    tree = run.tree.copy()
    tables, predictions = answers(prepared, run.posterior, weeks, chosen, run.manifest["sampling"]["seed"])
    tree["predictions"] = predictions
    asked = {"horizon_weeks": weeks, "scenario": chosen.model_dump(mode="json") if scenario is not None else None}
    folder = Path(out) if out is not None else run.folder
    with new_run(folder) as scratch:
        write_tree(scratch / POSTERIOR, tree)
        write_tables(scratch, tables)
        for name in (TRUTH, ACCESS, VALIDATION):
            if (run.folder / name).is_file():
                shutil.copyfile(run.folder / name, scratch / name)
        write_manifest(scratch, {**run.manifest, "forecast": asked, "files": file_hashes(scratch)})
        write_report(load_run(scratch))
    return load_run(folder)
