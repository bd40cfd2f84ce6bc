"""A run's study calibrated once more: the same draws to the last bit, or what is different and by how much."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from bayestwin.again import changes_since, study_again
from bayestwin.analyse.convergence import convergence
from bayestwin.calibration import versions
from bayestwin.infer.settings import Sampling
from bayestwin.prepared import prepare
from bayestwin.runs import Run
from bayestwin.sampled import sampled

if TYPE_CHECKING:
    import xarray as xr


def rerun(
    run: Run, say: Callable[[str], None] = lambda stage: None, watch: Callable[[Any], None] = lambda progress: None
) -> dict[str, Any]:
    """Calibrate a run's study again with the run's settings and compare the draws; nothing is written.

    Args:
        run: a loaded run.
        say: told each stage.
        watch: told the sampler's progress.

    Returns:
        `same` (whether every draw is the same to the last bit), `reasons` why it need not be (`what`, `before`, `now`: versions, device, study, extracts, model), and
        `sites`, a row for each that differs: `site`, the `share` of its draws that differ and the largest `shift` of its posterior means, in Monte Carlo
        standard errors of the difference, None where draws do not vary; both None where its shape has changed.

    Raises:
        RunError: if the study has moved.
        StudyError, ExtractError, ModelError: if study, extracts or model are at fault by now.
    """
    from bayestwin.infer.device import described, prepare_device

    say("reading extracts")
    prepare_device()
    prepared = prepare(study_again(run))
    manifest = run.manifest
    now = {**versions(), "device": described(), "study": prepared.study.sha256}
    before = {**manifest["versions"], "device": manifest["device"], "study": manifest["study"]["sha256"]}
    say("sampling")
    draws = sampled(prepared, Sampling(**manifest["sampling"]), watch)
    rows = list(differing(run.posterior, draws.sites))
    return {
        "run": str(run.folder),
        "same": not rows,
        "reasons": [{"what": name, "before": before.get(name), "now": value} for name, value in now.items() if before.get(name) != value]
        + [{"what": fault.file, "before": None, "now": fault.problem} for fault in changes_since(run, prepared)],
        "sites": rows,
    }


def differing(before: xr.Dataset, now: Mapping[str, np.ndarray]) -> Iterator[dict[str, Any]]:
    """A row for each site whose draws are not the same.

    Args:
        before: posterior of the run.
        now: draws by site, (chain, draw, ...).
    """
    for site in sorted({*map(str, before.data_vars), *now}):
        old, new = before[site].to_numpy() if site in before else None, now.get(site)
        if old is None or new is None or old.shape != new.shape:
            yield {"site": site, "share": None, "shift": None}
        elif old.dtype != new.dtype or not np.array_equal(old, new, equal_nan=True):
            largest = float(shifts(old, new).max())
            yield {"site": site, "share": float((old != new).mean()), "shift": largest if np.isfinite(largest) else None}


def shifts(one: Float[np.ndarray, "chain draw ..."], other: Float[np.ndarray, "chain draw ..."]) -> Float[np.ndarray, " element"]:
    """Distance of posterior means in Monte Carlo standard errors of their difference, as if the two were independent.

    Args:
        one: draws of a site.
        other: likewise.

    Example:
        >>> rng = np.random.default_rng(1)
        >>> one, other = rng.normal(size=(2, 4, 250))
        >>> bool(shifts(one, other) < 4.0), bool(shifts(one, other + 1.0) > 10.0)
        (True, True)
    """
    (mean, error), (other_mean, other_error) = map(_mean_and_error, (one, other))
    with np.errstate(divide="ignore", invalid="ignore"):  # draws that do not vary have no error
        return np.where(mean == other_mean, 0.0, np.abs(mean - other_mean) / np.hypot(error, other_error))


def _mean_and_error(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    flat = draws.reshape(*draws.shape[:2], -1).astype(float)
    spread = flat.std((0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return flat.mean((0, 1)), np.where(spread > 0.0, spread / np.sqrt(convergence(flat)["ess_bulk"]), 0.0)


def rerun_text(answer: Mapping[str, Any]) -> str:
    """The comparison as text for a terminal."""
    rows, reasons = answer["sites"], answer["reasons"]
    if answer["same"]:
        first = "the same draws to the last bit"
    else:
        first = f"draws of {len(rows)} sites differ, {'for a reason' if reasons else 'without a reason that is known'}"
    lines = [first, *(f"  {r['what']}: {r['now']}" + (f", before {r['before']}" if r["before"] else "") for r in reasons)]
    for row in sorted(rows, key=lambda row: -np.inf if row["shift"] is None else -row["shift"]):
        lines.append(f"  {row['site']}: {_row_text(row)}")
    return "\n".join(lines)


def _row_text(row: Mapping[str, Any]) -> str:
    if row["share"] is None:
        return "of another shape"
    if row["shift"] is None:
        return f"{row['share']:.0%} of draws; means differ, and draws do not vary"
    return f"{row['share']:.0%} of draws; means differ by at most {row['shift']:.1f} Monte Carlo standard errors"
