"""Spot checks of an analysis of access: the first request and full access are lifted in simulated studies, and these calibrated again.

At draws of the posterior the whole study is drawn anew and published as it is now, as the request would show it, and with full access; each is fitted by NUTS as a
calibration is. The mean ratio of the variances is what lifting really leaves; the analysis foretold it by its normal approximation. Every fit counts, those that did not mix too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from bayestwin.credibility.campaign import Piece, Rows, campaign
from bayestwin.credibility.sbc import MIXED, Fitted
from bayestwin.credibility.validation import PIECES
from bayestwin.errors import Fault, RequestError, RunError
from bayestwin.infer.settings import Sampling
from bayestwin.prepared import prepare
from bayestwin.preposterior.current import sites_of_model
from bayestwin.preposterior.expected import Accesses
from bayestwin.preposterior.lifting import barrier_names, lifted
from bayestwin.preposterior.requests import granted, one_each, read_requests
from bayestwin.preposterior.resimulated import Observed, Seen, resimulated
from bayestwin.runs import ACCESS, Run, write_json
from bayestwin.study import Study
from bayestwin.twin.scenario import Scenario

SPOT = Sampling(chains=2, draws=500, warmup=200)  # a variance needs no tails
FEWEST = 2  # draws: one has no error
CONFIDENCE = 0.95  # of the interval of the difference that zero must lie in
NOW, FIRST, FULL = "as it is now", "the first request", "full access"  # arms
METHOD = "NUTS refits of simulated studies"


def spot_check(
    run: Run,
    count: int,
    requests: str | Path | None = None,
    scheduler: str | None = None,
    say: Callable[[str], None] = lambda stage: None,
    watch: Callable[[Any], None] = lambda progress: None,
    sampling: Sampling = SPOT,
) -> dict[str, Any]:
    """Check the first request of an analysis of access, and full access, by refits; kept in the run's `access.json` under `checks`.

    Args:
        run: a loaded run whose access was analysed.
        count: draws of the posterior, at least 2; each takes three fits. Those that are done are kept in the run, and more can be added.
        requests: the file of requests that the analysis had, if it had one.
        scheduler: of a Dask cluster that refits, as of `campaign`; here if None.
        say: told what is being done.
        watch: told how many fits of a draw are done.
        sampling: of each fit; its seed is that of the data, too.

    Returns:
        The answer of `access_value` with its `checks`.

    Raises:
        RequestError: if there are fewer than two draws, or the requests are not those of the analysis.
        RunError: if the run's access was not analysed, the study has changed since the run, or the scheduler cannot be reached.
    """
    from bayestwin.again import prepared_again
    from bayestwin.infer.device import prepare_device

    prepare_device()
    answer = run.access
    if answer is None:
        raise RunError([Fault(str(run.folder / ACCESS), "access was not analysed", remedy="run `bayestwin access` first")])
    need_draws(count)
    prepared = prepared_again(run)
    sites = sites_of_model(prepared.finer, prepared.twin.definition.reads)
    first = answer["requests"][0]["request"]
    asked = {request.name: request for request in (one_each(sites) if requests is None else read_requests(requests, sites))}
    if first not in asked:
        raise RequestError([Fault(str(requests), "is not the file that was analysed", value=first, expected=f"one of {list(asked)}")])
    arms: dict[str, Accesses] = {NOW: {}, FIRST: granted(sites, [asked[first]]), FULL: lifted(sites, barrier_names(sites))}
    pieces = _pieces(run, prepared.study, arms, count, sampling)  # of one name whatever is lifted; the key tells them apart
    key = _key(run, sampling, asked[first].model_dump_json())
    done = campaign(pieces, run.folder / PIECES, key, scheduler, say, watch)
    answer["checks"] = checked(answer, [row for rows in done for row in rows])
    write_json(run.folder / ACCESS, answer)
    return answer


def need_draws(count: int | None) -> None:
    """Refuse a number of draws from which no error could be told.

    Raises:
        RequestError: if there are fewer than two.
    """
    if count is not None and count < FEWEST:
        raise RequestError([Fault("--spot-checks", "too few", value=str(count), expected=f"at least {FEWEST} draws of the posterior")])


def _pieces(run: Run, study: Study, arms: Mapping[str, Accesses], count: int, sampling: Sampling) -> list[Piece]:
    """A piece for each draw; more draws begin with those that fewer would have."""
    from bayestwin.infer.posterior import some_draws

    drawn = some_draws(run.posterior, count, sampling.seed)
    weeks = run.manifest["forecast"]["horizon_weeks"]
    return [
        Piece(
            f"spot check at draw {n + 1}",
            partial(refit, study, weeks, arms, {name: values[n] for name, values in drawn.items()}, n, sampling),
        )
        for n in range(len(next(iter(drawn.values()))))
    ]


def _key(run: Run, sampling: Sampling, request: str) -> str:
    """What the rows of refits depend on."""
    manifest = run.manifest
    of_run = [manifest["study"]["sha256"], manifest["as_of"], manifest["model"]["sha256"], manifest["versions"], manifest["sampling"]]
    known = [*of_run, manifest["forecast"]["horizon_weeks"], asdict(sampling), request, [row["sha256"] for row in manifest["extracts"]]]
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


def refit(
    study: Study,
    weeks: int,
    arms: Mapping[str, Accesses],
    unknowns: Mapping[str, np.ndarray],
    number: int,
    sampling: Sampling,
    watch: Callable[[Any], None] = lambda progress: None,
) -> Rows:
    """Draw a study's data at one draw of its posterior, and fit them as each arm shows them.

    Args:
        study: the study.
        weeks: of the forecast.
        arms: accesses by site, by the name of the arm.
        unknowns: the draw, by site.
        number: of the draw.
        sampling: of each fit.
        watch: told how many fits are done.

    Returns:
        A row for each arm: the `variance` of what is not known of the first quantity, and the fit's `status` and `r_hat`.
    """
    from bayestwin.analyse.verdict import judge_draws
    from bayestwin.infer.mcmc import sample_each
    from bayestwin.infer.predictive import sites as names_of

    prepared = prepare(study)
    definition, latent = prepared.twin.definition, names_of(prepared.finer).latent
    rng = np.random.default_rng((sampling.seed, number))
    sites = sites_of_model(prepared.finer, definition.reads)
    told = resimulated(prepared.finer, sites, {name: unknowns[name] for name in latent}, arms, rng)
    settings = replace(sampling, seed=int(rng.integers(2**31)))
    span = definition.future(prepared.data, weeks, Scenario(), study.calendar)
    rows: Rows = []
    for arm, accesses in arms.items():
        model = partial(_shown, prepared.finer, accesses)  # data are its argument, so that the program of one draw serves all
        (draws,) = sample_each(model, [told[arm]], definition.pilot(prepared.data), settings, prepared.nesting)
        verdict = judge_draws({name: draws.sites[name] for name in latent}, draws.stats)
        head = {"draw": number, "arm": arm, "status": verdict.status, "r_hat": verdict.metrics["rhat_max"]}
        rows.append(head | {"variance": _variance(prepared, draws.sites, span, settings.seed)})
        watch(Fitted(len(rows), len(arms)))
    return rows


def _shown(model: Callable[[], None], accesses: Accesses, observed: Observed) -> None:
    Seen(model, accesses, observed)()


def _variance(prepared: Any, drawn: Mapping[str, np.ndarray], span: Any, seed: int) -> float:
    """Variance of what is not known of the first quantity of the whole, its weekly average."""
    from bayestwin.analyse.forecast import averages, summarise
    from bayestwin.infer.posterior import dataset

    definition, data = prepared.twin.definition, prepared.data
    ahead = averages(definition, data, dataset(drawn, definition.dims, data.coords), span, seed)
    return float(summarise(ahead.values[definition.whole, definition.quantities[0].name])["var_epistemic"][0])


def checked(answer: Mapping[str, Any], rows: Rows) -> list[dict[str, Any]]:
    """Predicted and realised share of the variance that is left, of the first request and of full access.

    Args:
        answer: of `access_value`.
        rows: of `refit`, of all draws.

    Returns:
        A row for each: `predicted` and `realised` share left with their errors, how far they are `apart`, whether they `agree` (zero lies in the 95 % interval of the difference), and how many refits there
        were, how many of them `failed` to mix, and of how many draws there was no variance to compare with. Fits that failed are in the mean.
    """
    first = answer["requests"][0]
    whole = next(
        row
        for row in answer["quantities"]
        if (row["quantity"], row["level"], row["unit"]) == (first["quantity"], first["level"], first["unit"])
    )
    now = whole["epistemic"] or 1.0
    return [
        _checked(FIRST, first["request"], 1.0 - first["share"], first["share_error"], rows),
        _checked(FULL, FULL, whole["epistemic_full"] / now, whole["error"] / now, rows),
    ]


def _checked(arm: str, what: str, predicted: float, predicted_error: float, rows: Rows) -> dict[str, Any]:
    by_draw = {row["draw"]: row for row in rows if row["arm"] == NOW}
    pairs = [(by_draw[row["draw"]], row) for row in rows if row["arm"] == arm]
    ratios = np.array([then["variance"] / now["variance"] for now, then in pairs if now["variance"] > 0.0])
    failed = sum(fit["r_hat"] is None or not fit["r_hat"] < MIXED for pair in pairs for fit in pair)
    head = {"what": what, "predicted": predicted, "predicted_error": predicted_error}
    tail = {"draws": len(pairs), "refits": 2 * len(pairs), "failed": failed, "without_variance": len(pairs) - len(ratios), "method": METHOD}
    if len(ratios) < FEWEST:
        return head | {"realised": None, "realised_error": None, "apart": None, "agree": None} | tail
    realised, error = float(ratios.mean()), float(ratios.std(ddof=1) / np.sqrt(len(ratios)))
    apart, both = realised - predicted, float(np.hypot(error, predicted_error))
    within = stats.t.ppf(0.5 + CONFIDENCE / 2.0, len(ratios) - 1) * both
    return head | {"realised": realised, "realised_error": error, "apart": apart, "agree": bool(abs(apart) <= within)} | tail
