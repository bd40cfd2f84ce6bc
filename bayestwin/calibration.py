"""From a study to a run: read, sample, judge, forecast, write."""

from __future__ import annotations

import hashlib
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bayestwin.barriers import Unknown
from bayestwin.errors import Fault, RunError
from bayestwin.infer.settings import Sampling
from bayestwin.runs import MANIFEST, POSTERIOR, REPORT, TABLES, TRUTH, Run, load_run, new_run, replaced, write_json, write_tree
from bayestwin.study import Study, ledger, read_hierarchy, read_observations, read_study
from bayestwin.twin.priors import Prior, PriorTable
from bayestwin.twin.scenario import Scenario
from bayestwin.twin.twin import Twin, load_twin

PACKAGES = ("bayestwin", "numpyro", "jax", "jaxlib", "arviz", "xarray", "numpy", "pandas")
REPORTS = Path("reports")


@dataclass
class Stopwatch:
    """Seconds spent by stage; tells a watcher which stage begins."""

    say: Callable[[str], None] = lambda stage: None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage."""
        self.say(name)
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 2)


@dataclass(frozen=True)
class Prepared:
    """A study brought to its model.

    Attributes:
        study, twin: what is asked, of which model.
        priors: the model's priors, the study's in their place.
        data: the model's data.
        ledger: the access ledger as plain rows.
        provenance: where each stream came from.
    """

    study: Study
    twin: Twin
    priors: PriorTable
    data: Any
    ledger: list[dict[str, Any]]
    provenance: list[dict[str, Any]]

    @property
    def model(self) -> Callable[[], None]:
        """The NumPyro model without arguments."""
        return partial(self.twin.definition.model, self.data, {name: row.build() for name, row in self.priors.items()})


def prepare(study: Study) -> Prepared:
    """Read a study's extracts as of its date and bring them to its model.

    Args:
        study: the study.

    Raises:
        StudyError, ExtractError, ModelError: if study, extracts or model are at fault.
    """
    twin = load_twin(study.model, study.folder)
    stated = [Prior(p.name, p.distribution, p.parameters, p.unit, p.source, "") for p in study.priors]
    priors = twin.definition.priors.override([*_selection_priors(study, twin), *stated], "study.toml")
    hierarchy = read_hierarchy(study)
    observations = read_observations(study, hierarchy, twin.definition.streams)
    return Prepared(
        study=study,
        twin=twin,
        priors=priors,
        data=twin.definition.prepare(study, hierarchy, observations),
        ledger=[row.as_row() for row in ledger(study, observations)],
        provenance=[asdict(o.provenance) for o in observations.values()],
    )


def _selections(study: Study, twin: Twin) -> dict[str, Unknown]:
    """The study's unknown selections by the model's parameter that stands for each."""
    return {
        twin.definition.selection[extract.stream]: barrier
        for extract in study.extracts
        for barrier in extract.barriers
        if isinstance(barrier, Unknown) and extract.stream in twin.definition.selection
    }


def _selection_priors(study: Study, twin: Twin) -> list[Prior]:
    """Priors of selection parameters whose barrier states another sd than the model's own."""
    own = twin.definition.priors
    return [
        replace(own[name], parameters=(0.0, barrier.slope_sd), source="slope_sd of the study's barrier")
        for name, barrier in _selections(study, twin).items()
        if own[name].parameters != (0.0, barrier.slope_sd)
    ]


def calibrate(
    study: Study | str | Path,
    sampling: Sampling = Sampling(),  # noqa: B008  frozen
    out: str | Path | None = None,
    say: Callable[[str], None] = lambda stage: None,
    watch: Callable[[Any], None] = lambda progress: None,
) -> Run:
    """Calibrate a study and write a run folder.

    The folder is written whatever the verdict; a failing one says so.

    Args:
        study: a study, or its folder.
        sampling: chains, draws, warm-up, seed.
        out: the run folder; `reports/<study>/<run>` by default.
        say: told the name of each stage as it begins.
        watch: told the sampler's progress.

    Returns:
        The run, read back from disk.

    Raises:
        StudyError, ExtractError, ModelError: if study, extracts or model are at fault.
        RunError: if `out` holds something else.
    """
    from bayestwin.infer.device import prepare_device

    clock = Stopwatch(say)
    with clock.stage("reading extracts"):
        prepared = prepare(study if isinstance(study, Study) else read_study(study))
        prepare_device(sampling.chains)
    folder = Path(out) if out is not None else _run_folder(prepared, sampling)
    with new_run(folder) as scratch:
        manifest = _fill(scratch, prepared, sampling, clock, watch)
        write_json(scratch / MANIFEST, manifest)
        with clock.stage("writing the report"):
            _report(scratch)
        write_json(scratch / MANIFEST, {**manifest, "timings": clock.seconds})
    return load_run(folder)


def _run_folder(prepared: Prepared, sampling: Sampling) -> Path:
    key = "\n".join([prepared.study.sha256, prepared.twin.sha256, *(row["sha256"] for row in prepared.provenance), str(sampling)])
    return REPORTS / prepared.study.name / f"{prepared.study.as_of}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"


def _fill(scratch: Path, prepared: Prepared, sampling: Sampling, clock: Stopwatch, watch: Callable) -> dict[str, Any]:
    """Sample, judge and forecast into a scratch folder; returns the manifest."""
    from bayestwin.analyse.verdict import judge
    from bayestwin.infer.mcmc import sample
    from bayestwin.infer.posterior import assemble

    definition, data = prepared.twin.definition, prepared.data
    with clock.stage("sampling"):
        draws = sample(prepared.model, definition.pilot(data), sampling, watch)
    with clock.stage("densities and predictive checks"):
        tree = assemble(definition, data, prepared.model, draws, sampling.seed)
    with clock.stage("diagnostics"):
        verdict = judge(tree)
    with clock.stage("forecast"):
        tables, predictions = _answers(prepared, tree["posterior"].to_dataset(), prepared.study.horizon_weeks, Scenario(), sampling.seed)
        tree["predictions"] = predictions
    with clock.stage("writing the posterior"):
        for name, table in tables.items():
            table.to_parquet(scratch / f"{name}.parquet", index=False)
        manifest = _manifest(prepared, sampling, verdict.as_row())
        tree.attrs.update(study=prepared.study.name, model=prepared.twin.name, model_sha256=prepared.twin.sha256, verdict=verdict.status)
        write_tree(scratch / POSTERIOR, tree)
        if prepared.study.truth:
            shutil.copyfile(prepared.study.folder / prepared.study.truth, scratch / TRUTH)
    return manifest


def _answers(prepared: Prepared, posterior: Any, weeks: int, scenario: Scenario, seed: int) -> tuple[dict[str, Any], Any]:
    import xarray as xr

    from bayestwin.analyse.forecast import answer
    from bayestwin.analyse.sensitivity import sensitivity

    definition, data = prepared.twin.definition, prepared.data
    unit = next(iter(prepared.study.hierarchy.columns))
    span = definition.future(data, weeks, scenario, prepared.study.calendar)
    ahead = answer(definition, data, posterior, span, unit, seed)
    behind = answer(definition, data, posterior, definition.fitted(data, prepared.study.calendar), unit, seed, inner=10)
    ranges = {name: barrier.slope_range for name, barrier in _selections(prepared.study, prepared.twin).items()}
    tables = {
        "forecast": ahead.units,
        "forecast_groups": ahead.groups,
        "fitted": _with_counts(prepared, behind, unit),
        "sensitivity": sensitivity(definition, data, posterior, span, unit, seed, ranges),
    }
    return tables, xr.DataTree(ahead.draws)


def _with_counts(prepared: Prepared, behind: Any, unit: str) -> Any:
    """Fitted weeks of units and groups, beside the published counts."""
    import numpy as np
    import pandas as pd

    definition, data = prepared.twin.definition, prepared.data
    counts, seen = definition.counted(data)
    weeks = behind.draws["period"].to_numpy()
    columns = {unit: (behind.draws[unit].to_numpy(), np.arange(counts.shape[1]))} | dict(definition.groups(data))
    rows = []
    for level, (codes, index) in columns.items():
        for g, code in enumerate(codes):
            whole = seen[:, index == g].all(1)
            total = np.where(whole, counts[:, index == g].sum(1), np.nan)
            rows.append(pd.DataFrame({"level": level, "unit": code, "period_start": weeks, "quantity": "appointments", "observed": total}))
    fitted = pd.concat([behind.units.assign(level=unit), behind.groups], ignore_index=True)
    return fitted.merge(pd.concat(rows), on=["level", "unit", "period_start", "quantity"], how="left")


def _manifest(prepared: Prepared, sampling: Sampling, verdict: Mapping[str, Any]) -> dict[str, Any]:
    import jax

    study, definition = prepared.study, prepared.twin.definition
    return {
        "study": {"name": study.name, "sha256": study.sha256, "question": study.question, "audience": study.audience,
                  "model": study.model, "grid": study.grid, "folder": str(study.folder)},
        "as_of": str(study.as_of),
        "verdict": verdict,
        "model": {"name": prepared.twin.name, "sha256": prepared.twin.sha256, "equations": [asdict(e) for e in definition.equations]},
        "extracts": prepared.provenance,
        "ledger": prepared.ledger,
        "priors": [row.as_row() for row in prepared.priors.values()],
        "sampling": asdict(sampling),
        "forecast": {"horizon_weeks": study.horizon_weeks, "scenario": None},
        "limits": list(definition.limits),
        "device": f"{jax.devices()[0].platform} × {jax.local_device_count()}, {platform.machine()}",
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": f"bayestwin calibrate {study.folder} --as-of {study.as_of} --chains {sampling.chains} --draws {sampling.draws} "
                   f"--warmup {sampling.warmup} --seed {sampling.seed} --target-accept {sampling.target_accept}",
        "platform": sys.platform,
    }  # fmt: skip


def _report(folder: Path) -> Path:
    from bayestwin.report.render import render_report

    run = load_run(folder)
    with replaced(folder / REPORT) as scratch:
        scratch.write_text(render_report(run, run.truth), encoding="utf-8")
    return folder / REPORT


def write_report(run: Run) -> Path:
    """Write a run's `report.html` anew.

    Args:
        run: a loaded run.

    Returns:
        Path of the report.
    """
    return _report(run.folder)


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
    from bayestwin.twin.scenario import read_scenario

    prepare_device(run.manifest["sampling"]["chains"])
    prepared = _again(run)
    unit = next(iter(prepared.study.hierarchy.columns))
    chosen = read_scenario(scenario, prepared.data.coords[unit].tolist()) if scenario is not None else Scenario()
    tables, predictions = _answers(prepared, run.posterior, weeks, chosen, run.manifest["sampling"]["seed"])
    tree = run.tree.copy()
    tree["predictions"] = predictions
    asked = {"horizon_weeks": weeks, "scenario": chosen.model_dump(mode="json") if scenario is not None else None}
    folder = Path(out) if out is not None else run.folder
    with new_run(folder) as scratch:
        write_tree(scratch / POSTERIOR, tree)
        for name in TABLES:
            tables[name].to_parquet(scratch / f"{name}.parquet", index=False)
        if (run.folder / TRUTH).is_file():
            shutil.copyfile(run.folder / TRUTH, scratch / TRUTH)
        write_json(scratch / MANIFEST, {**run.manifest, "forecast": asked})
        _report(scratch)
    return load_run(folder)


def _again(run: Run) -> Prepared:
    """The run's study as it was read, or an error that says what has changed."""
    folder = Path(run.manifest["study"]["folder"])
    if not (folder / "study.toml").is_file():
        raise RunError(
            [
                Fault(
                    str(folder),
                    "the run's study is not there",
                    expected="the folder that was calibrated",
                    remedy="put it back, or calibrate again",
                )
            ]
        )
    study = read_study(folder).at(datetime.fromisoformat(run.manifest["as_of"]).date())
    prepared = prepare(study)
    before = {row["extract"]: row["sha256"] for row in run.manifest["extracts"]}
    changed = [row for row in prepared.provenance if before.get(row["extract"]) != row["sha256"]]
    faults = [
        Fault(row["file"], "has changed since the run", expected="the file that was calibrated", remedy="calibrate again")
        for row in changed
    ]
    if prepared.twin.sha256 != run.manifest["model"]["sha256"]:
        faults.append(Fault(str(prepared.twin.folder), "the model has changed since the run", remedy="calibrate again"))
    if faults:
        raise RunError(faults)
    return prepared
