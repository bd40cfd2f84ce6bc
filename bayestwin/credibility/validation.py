"""Whether a calibration deserves belief, from one command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from bayestwin.credibility.backtest import backtest, checks_of_backtest
from bayestwin.credibility.check import worst_of
from bayestwin.credibility.of_run import checks_of_run
from bayestwin.infer.settings import Sampling
from bayestwin.numbers import number
from bayestwin.runs import VALIDATION, Run, write_json

REFIT = Sampling(chains=2, draws=500, warmup=200)  # of a past date: forecasts need no tails of parameters


def validate(
    run: Run, origins: int = 0, say: Callable[[str], None] = lambda stage: None, watch: Callable[[Any], None] = lambda progress: None
) -> dict[str, Any]:
    """Check a run: computation, fit, influence, priors, truth where it is known, and forecasts from past dates.

    Args:
        run: a loaded run.
        origins: past dates to refit at; each costs a calibration.
        say: told each stage.
        watch: told the sampler's progress.

    Returns:
        `verdict` (the worst of the checks), `checks` (name, status, value, threshold, reason, recommendation, source) and `backtest` (a row for each date,
        quantity and week ahead); kept in the run as `validation.json`.

    Raises:
        RunError: if there are dates to refit at, and the study has changed since the run or has too few weeks.
        ValueError: if `origins` is negative.
    """
    if origins < 0:
        raise ValueError(f"origins is {origins}; expected 0 or more")
    rows = []
    if origins:
        from bayestwin.again import prepared_again
        from bayestwin.infer.device import prepare_device

        prepare_device()
        rows = backtest(prepared_again(run).study, origins, REFIT, say, watch)
    say("checking the run")
    checks = [*checks_of_run(run), *checks_of_backtest(rows)]
    answer = {
        "run": str(run.folder),
        "verdict": worst_of(check.status for check in checks),
        "checks": list(map(asdict, checks)),
        "backtest": rows,
    }
    write_json(run.folder / VALIDATION, answer)
    return answer


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
    return "\n".join(lines)
