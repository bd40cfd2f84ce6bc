"""Whether a calibration deserves belief, from one command."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from bayestwin.analyse.scaling import power_scaling
from bayestwin.credibility.agreement import checks_of_agreement, checks_of_density, second_density, second_engine
from bayestwin.credibility.backtest import backtest, checks_of_backtest
from bayestwin.credibility.campaign import Piece, campaign
from bayestwin.credibility.check import worst_of
from bayestwin.credibility.fit_by import fit_by_group
from bayestwin.credibility.influence import without_influential
from bayestwin.credibility.of_run import checks_of_run
from bayestwin.credibility.sbc import checks_of_replicates, posterior_replicates, replicates
from bayestwin.credibility.sites import checks_of_sites, left_out
from bayestwin.credibility.tipping import tipping_points
from bayestwin.infer.settings import Sampling
from bayestwin.numbers import number
from bayestwin.runs import VALIDATION, Run, write_json

REFIT = Sampling(chains=2, draws=500, warmup=200)  # of a past date or without some places: forecasts need no tails of parameters
SIMULATED = Sampling(chains=4, draws=400, warmup=250)  # of simulated data: a hundred draws are ranked among
SECOND = Sampling(chains=4, draws=1000, warmup=500, target_accept=0.9, engine="pymc")
PIECES = "pieces"
ROWS = 2  # form of the rows that refits leave: others are not taken up again


@dataclass(frozen=True)
class Refits:
    """How much a validation refits; each costs about a calibration.

    Attributes:
        origins: past dates to forecast from.
        folds: of places, each put aside once.
        replicates: simulated studies to fit, from the prior.
        posterior_replicates: likewise from the posterior.
        loo: cells that importance sampling cannot leave out, each left out by a refit, at most.
        density: whether to weigh the run's draws by the density of the model that is written for the second engine.
        second: whether to sample with the second engine too.
    """

    origins: int = 0
    folds: int = 0
    replicates: int = 0
    posterior_replicates: int = 0
    loo: int = 0
    density: bool = False
    second: bool = False

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value < 0:
                raise ValueError(f"{name} is {value}; expected 0 or more")


PARTS = ("backtest", "sites", "replicates", "posterior_replicates", "loo", "density", "second")
OF_RUN, OF_STUDY = Refits(), Refits(origins=4, folds=4)


def validate(
    run: Run,
    refits: Refits = OF_RUN,
    scheduler: str | None = None,
    say: Callable[[str], None] = lambda stage: None,
    watch: Callable[[Any], None] = lambda progress: None,
) -> dict[str, Any]:
    """Check a run: computation, fit, influence, priors, selections, truth where it is known, past dates, places put aside, simulated data, a second engine.

    Args:
        run: a loaded run.
        refits: how much to refit. What is done is kept in the run, so that a validation that was stopped goes on where it was.
        scheduler: of a Dask cluster that refits, as of `campaign`; here if None.
        say: told each stage.
        watch: told the sampler's progress.

    Returns:
        `verdict` (the worst of the checks), `checks` (name, status, value, threshold, reason, recommendation, source), `backtest` (a row for each date,
        quantity and week ahead), `nowcast` (a row for each date, reporting triangle and period back), `sites` (a row for each fold and stream), `replicates` and `posterior_replicates` (a row for each simulated study), `loo` (a row for each cell left out by a
        refit), `density` and `second` (a row for each quantity), `sensitivity` (a row for each parameter and what moves it) and `fit` (a row for each group of cells); kept in the run as `validation.json`.

    Raises:
        RunError: if something is to be refitted, and the study has changed since the run or has too few weeks, or the scheduler cannot be reached.
    """
    rows = _refitted(run, refits, scheduler, say, watch) if refits != OF_RUN else {part: [] for part in PARTS}
    rows["nowcast"] = [row for row in rows["backtest"] if "periods_back" in row]
    rows["backtest"] = [row for row in rows["backtest"] if "periods_back" not in row]
    say("checking the run")
    scaled, fitted = power_scaling(run), fit_by_group(run)
    checks = [
        *checks_of_run(run, rows["loo"], scaled, fitted),
        *tipping_points(run),
        *checks_of_backtest([*rows["backtest"], *rows["nowcast"]]),
        *checks_of_sites(rows["sites"]),
        *checks_of_replicates(rows["replicates"]),
        *checks_of_replicates(rows["posterior_replicates"], "posterior"),
        *checks_of_density(rows["density"]),
        *checks_of_agreement(run, rows["second"]),
    ]
    answer = {
        "run": str(run.folder),
        "verdict": worst_of(check.status for check in checks),
        "checks": list(map(asdict, checks)),
        **rows,
        "sensitivity": scaled,
        "fit": fitted,
    }
    write_json(run.folder / VALIDATION, answer)
    return answer


def _refitted(
    run: Run, refits: Refits, scheduler: str | None, say: Callable[[str], None], watch: Callable[[Any], None]
) -> dict[str, list[dict[str, Any]]]:
    """Rows of every refit, by what they are of."""
    from bayestwin.again import prepared_again
    from bayestwin.infer.device import prepare_device

    prepare_device()
    study = prepared_again(run).study
    parts: dict[str, list[Piece]] = {
        "backtest": backtest(study, refits.origins, REFIT) if refits.origins else [],
        "sites": left_out(study, refits.folds, REFIT) if refits.folds else [],
        "replicates": replicates(study, refits.replicates, SIMULATED),
        "posterior_replicates": posterior_replicates(study, refits.posterior_replicates, SIMULATED, run.posterior),
        "loo": without_influential(study, run.group("log_likelihood"), refits.loo, REFIT) if refits.loo else [],
        "density": [second_density(study, run.posterior, SIMULATED.seed)] if refits.density else [],
        "second": [second_engine(study, SECOND)] if refits.second else [],
    }
    pieces = [piece for part in parts.values() for piece in part]
    done = iter(campaign(pieces, run.folder / PIECES, _key(run), scheduler, say, watch))
    return {name: [row for _ in part for row in next(done)] for name, part in parts.items()}


def _key(run: Run) -> str:
    """What the rows of refits depend on."""
    manifest = run.manifest
    known = [
        ROWS,
        manifest["study"]["sha256"],
        manifest["as_of"],
        manifest["model"]["sha256"],
        manifest["versions"],
        asdict(REFIT),
        asdict(SIMULATED),
    ]
    text = json.dumps([*known, [row["sha256"] for row in manifest["extracts"]]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def validation_text(answer: dict[str, Any]) -> str:
    """The checks as text for a terminal."""
    lines = [f"{answer['verdict']}"]
    for check in answer["checks"]:
        lines.append(f"  {check['status']:6s} {check['name']}: {check['reason']}")
        if check["recommendation"]:
            lines.append(f"         to do: {check['recommendation']}")
    for row in answer["backtest"]:
        if row["week_ahead"] == 0 and row["cells"]:
            lines.append(
                f"  from {row['origin']}, {row['quantity']}: WIS {number(row['wis'])} (recent weeks {number(row['naive_wis'])}), "
                f"95 % intervals hold {row['coverage_95']:.0%} of {row['cells']:,} cells"
            )
    for row in answer["nowcast"]:
        if row["periods_back"] == 0 and row["cells"]:
            lines.append(
                f"  as of {row['origin']}, {row['stream']} still to be reported: WIS {number(row['wis'])} (chain ladder {number(row['naive_wis'])}), "
                f"95 % intervals hold {row['coverage_95']:.0%} of {row['cells']:,} cells"
            )
    for row in answer["sites"]:
        if "stream" in row:
            held = ", ".join(row["held_out"][:4]) + ("" if len(row["held_out"]) <= 4 else f" and {len(row['held_out']) - 4} more")
            lines.append(f"  without {held}, {row['stream']}: 95 % intervals hold {row['coverage_95']:.0%} of {row['cells']:,} cells")
    return "\n".join(lines)
