"""From a study to a run: read, sample, judge, forecast, write."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayestwin.answers import answers
from bayestwin.errors import Fault, Interrupted, WriteError
from bayestwin.infer.settings import Sampling
from bayestwin.prepared import Prepared, prepare
from bayestwin.runs import POSTERIOR, TRUTH, Run, add_to_tree, file_hashes, load_run, new_run, write_manifest, write_tables, write_tree
from bayestwin.sampled import sampled
from bayestwin.study import Study, read_study
from bayestwin.twin.answered import answered
from bayestwin.twin.scenario import Scenario
from bayestwin.unchanged import fingerprint, there_already
from bayestwin.unfinished import held, hold, is_begun, read_terms, terms_of

if TYPE_CHECKING:
    from bayestwin.infer.checkpoint import Checkpoint

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


def calibrate(
    study: Study | str | Path,
    sampling: Sampling = Sampling(),  # noqa: B008  frozen
    out: str | Path | None = None,
    say: Callable[[str], None] = lambda stage: None,
    watch: Callable[[Any], None] = lambda progress: None,
    anew: bool = False,
) -> Run:
    """Calibrate a study and write a run folder.

    The folder is written whatever the verdict; a failing one says so. Where the run lies there already, of the same study, extracts,
    model, settings, versions and code, and as it was written, it is given back as it is (`unchanged.py`).

    Args:
        study: a study, or its folder.
        sampling: chains, draws, warm-up, seed.
        out: the run folder; `reports/<study>/<run>` by default.
        say: told the name of each stage as it begins.
        watch: told the sampler's progress.
        anew: calibrate even if the run is there.

    Returns:
        The run, read back from disk.

    Raises:
        StudyError, ExtractError, ModelError: if study, extracts or model are at fault.
        RunError: if `out` holds something else, or another process is calibrating the same run.
        WriteError: if the disk is full, or `out` may not be written to.
        Interrupted: on SIGINT; what is complete of the chains is kept, and `resume` goes on with it.
    """
    clock = Stopwatch(say)
    with clock.stage("reading extracts"):
        prepared = prepare(study if isinstance(study, Study) else read_study(study))
    folder = Path(out) if out is not None else _run_folder(prepared, sampling)
    terms = terms_of(prepared, sampling)
    numpyro = sampling.engine == "numpyro"  # versions of the second engine are not among the terms
    if not anew and numpyro and (run := there_already(folder, terms)):
        say(f"unchanged since {run.manifest['created'][:16].replace('T', ' ')} UTC; --anew calibrates again")
        return run
    return _written(folder, prepared, sampling, clock, watch, terms, resumed=False)


def resume(
    folder: str | Path, say: Callable[[str], None] = lambda stage: None, watch: Callable[[Any], None] = lambda progress: None
) -> Run:
    """Go on with a calibration that was interrupted; the draws are those of one that never was.

    Args:
        folder: the run folder that would have been written.
        say: told the name of each stage as it begins.
        watch: told the sampler's progress.

    Returns:
        The run, read back from disk.

    Raises:
        RunError: if there is nothing to go on with; if study, extracts, model or versions have changed since; if another process is at it.
        StudyError, ExtractError, ModelError: if study, extracts or model are at fault by now.
        WriteError: if the disk is full, or the folder may not be written to.
    """
    clock, folder = Stopwatch(say), Path(folder)
    with clock.stage("reading extracts"):
        terms = read_terms(folder)
        prepared = prepare(read_study(terms["study"]["folder"]).at(date.fromisoformat(terms["study"]["as_of"])))
        sampling = Sampling(**terms["sampling"])
        hold(terms, terms_of(prepared, sampling))
    return _written(folder, prepared, sampling, clock, watch, terms, resumed=True)


def _written(
    folder: Path, prepared: Prepared, sampling: Sampling, clock: Stopwatch, watch: Callable, terms: Mapping[str, Any], resumed: bool
) -> Run:
    """Fill a scratch folder and give it its name; whatever ends this, chains that were saved are kept and the error says so."""
    from bayestwin.infer.device import prepare_device
    from bayestwin.report.render import write_report

    prepare_device()
    try:
        with held(folder, terms, resumed) as checkpoint, new_run(folder) as scratch:
            manifest = _fill(scratch, prepared, sampling, clock, watch, checkpoint)
            manifest["fingerprint"] = fingerprint(terms, manifest)
            write_manifest(scratch, manifest)
            with clock.stage("writing the report"):
                write_report(load_run(scratch))
            write_manifest(scratch, {**manifest, "timings": clock.seconds})
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted; {_kept(folder) or 'no chains were kept'}") from None
    except WriteError as error:
        raise WriteError([*error.faults, *(Fault(str(folder), kept) for kept in [_kept(folder)] if kept)]) from error
    return load_run(folder)


def _kept(folder: Path) -> str | None:
    return f"the chains are kept; to go on with them: bayestwin calibrate --resume {folder}" if is_begun(folder) else None


def _run_folder(prepared: Prepared, sampling: Sampling) -> Path:
    key = "\n".join([prepared.study.sha256, prepared.twin.sha256, *(row["sha256"] for row in prepared.provenance), str(sampling)])
    return REPORTS / prepared.study.name / f"{prepared.study.as_of}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"


def _fill(
    scratch: Path, prepared: Prepared, sampling: Sampling, clock: Stopwatch, watch: Callable, checkpoint: Checkpoint
) -> dict[str, Any]:
    """Sample, judge and forecast into a scratch folder; returns the manifest."""
    import xarray as xr

    from bayestwin.analyse.ridges import ridges_of
    from bayestwin.analyse.verdict import judge
    from bayestwin.infer.posterior import assemble

    definition, data = prepared.twin.definition, prepared.data
    with clock.stage("sampling"):
        draws = sampled(prepared, sampling, watch, checkpoint)
    with clock.stage("densities and predictive checks"):
        tree = assemble(definition, data, prepared.model, draws, sampling.seed)
    with ThreadPoolExecutor(1) as meanwhile:  # what takes long of writing is compression, which does not hold Python up
        written = meanwhile.submit(write_tree, scratch / POSTERIOR, tree)
        with clock.stage("diagnostics"):
            verdict = judge(tree)
            ridges = ridges_of(tree["posterior"].to_dataset(), tree["prior"].to_dataset(), definition.ridges)
        with clock.stage("forecast"):
            tables, predictions = answers(prepared, tree["posterior"].to_dataset(), prepared.study.horizon_weeks, Scenario(), sampling.seed)
        with clock.stage("writing the posterior"):
            write_tables(scratch, tables)
            manifest = _manifest(prepared, sampling, verdict.as_row(), [ridge.as_row() for ridge in ridges], scratch)
            manifest["resumed"] = checkpoint.resumed
            last = xr.DataTree(children={"predictions": predictions})
            last.attrs.update(
                study=prepared.study.name, model=prepared.twin.name, model_sha256=prepared.twin.sha256, verdict=verdict.status
            )
            written.result()
            add_to_tree(scratch / POSTERIOR, last)
            if prepared.study.truth:
                shutil.copyfile(prepared.study.folder / prepared.study.truth, scratch / TRUTH)
            manifest["files"] = file_hashes(scratch)
    return manifest


def versions() -> dict[str, str]:
    """Of Python and of the packages that a run rests on."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def _manifest(
    prepared: Prepared, sampling: Sampling, verdict: Mapping[str, Any], ridges: list[dict[str, Any]], beside: Path
) -> dict[str, Any]:
    """What a run is of; `beside` is a folder that lies where the run will."""
    from bayestwin.infer.device import described

    study, definition = prepared.study, prepared.twin.definition
    return {
        "study": {"name": study.name, "sha256": study.sha256, "question": study.question, "audience": study.audience,
                  "model": study.model, "grid": study.grid, "folder": str(study.folder), "from_run": os.path.relpath(study.folder, beside),
                  "hierarchy": {"file": study.hierarchy.file, "sha256": study.hierarchy_sha256}},
        "as_of": str(study.as_of),
        "verdict": verdict,
        "ridges": ridges,
        "model": {"name": prepared.twin.name, "sha256": prepared.twin.sha256, "equations": [asdict(e) for e in definition.equations]},
        "extracts": prepared.provenance,
        "ledger": prepared.ledger,
        "withheld": prepared.withheld,
        "answers": answered(definition).as_row(),
        "priors": [row.as_row() for row in prepared.priors.values()],
        "sampling": asdict(sampling),
        "forecast": {"horizon_weeks": study.horizon_weeks, "scenario": None},
        "limits": list(definition.limits),
        "device": described(),
        "versions": versions(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": f"bayestwin calibrate {study.folder} --as-of {study.as_of} --chains {sampling.chains} --draws {sampling.draws} "
                   f"--warmup {sampling.warmup} --seed {sampling.seed} --target-accept {sampling.target_accept}"
                   + (f" --engine {sampling.engine}" if sampling.engine != Sampling.engine else ""),
        "platform": sys.platform,
    }  # fmt: skip
