"""What access costs: every answer's variance split into chance, what full access would leave, and each barrier; the worth of requests.

For barriers S lifted, V(S) is the expected posterior variance of a quantity. What access costs is V(∅) - V(all); it is divided among the barriers
by Shapley values, which sum to it exactly whatever the order in which barriers are lifted. V(S) comes from the normal approximation in
`expected.py`; its shares are laid over the variance of the posterior draws, and how far the two agree is told beside every number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from bayestwin.errors import Fault, RequestError
from bayestwin.prepared import Prepared
from bayestwin.preposterior.current import Site, current, released_sites
from bayestwin.preposterior.expected import Accesses, gains
from bayestwin.preposterior.lifting import barrier_names, every_subset, lifted
from bayestwin.preposterior.quantities import Asked, slopes
from bayestwin.preposterior.requests import Request, granted, one_each, read_requests
from bayestwin.preposterior.shapley import order_range, shapley
from bayestwin.runs import ACCESS, Run, write_json

MOST_BARRIERS = 8  # 256 subsets
POINTS = 4  # draws of the posterior at which information is found
DATES = (30, 90, 180, 365)  # days from now
METHOD = "normal approximation"


class Done(NamedTuple):
    """Points at which information has been found, and how many there are."""

    done: int
    total: int

    @property
    def words(self) -> str:
        """For people who wait."""
        return f"{self.done}/{self.total} draws of the posterior"


@dataclass(frozen=True)
class Found:
    """Variances under every access that was asked for.

    Attributes:
        asked: the quantities.
        mean: of each now, (quantity,).
        aleatoric, epistemic: of the posterior draws, (quantity,).
        normal: epistemic variance in the normal approximation, (quantity,).
        left: share of it that each access leaves, (point, access, quantity).
    """

    asked: tuple[Asked, ...]
    mean: Float[np.ndarray, " quantity"]
    aleatoric: Float[np.ndarray, " quantity"]
    epistemic: Float[np.ndarray, " quantity"]
    normal: Float[np.ndarray, " quantity"]
    left: Float[np.ndarray, "point access quantity"]


def access_value(
    run: Run,
    requests: str | Path | None = None,
    parameters: Sequence[str] | None = None,
    say: Callable[[str], None] = lambda stage: None,
    watch: Callable[[Done], None] = lambda progress: None,
) -> dict[str, Any]:
    """What access costs a run, and what lifting it is worth; kept in the run as `access.json`.

    Args:
        run: a loaded run.
        requests: TOML file of requests; each barrier lifted in whole if absent.
        parameters: sites of parameters to answer for beside the forecast; those of one number if absent.
        say: told the name of each stage as it begins.
        watch: told how far the last stage is.

    Returns:
        Barriers, method, `quantities` (each with aleatoric, epistemic, epistemic_full, access_induced and by_barrier, variances of weekly averages over the horizon), `requests` by
        rank, `pairs` of requests.

    Raises:
        RunError: if the study has changed since the run.
        RequestError: if the requests are at fault, no extract comes through a barrier that can be lifted, or there are too many barriers.
    """
    from bayestwin.again import prepared_again
    from bayestwin.infer.device import prepare_device
    from bayestwin.infer.settings import Sampling

    say("reading extracts")
    prepare_device()
    prepared = prepared_again(run)
    definition, data = prepared.twin.definition, prepared.data
    say("finding the posterior's curvature")
    draws = {str(name): values.to_numpy().reshape(-1, *values.shape[2:]) for name, values in run.posterior.items()}
    at = current(prepared.model, definition.pilot(data), prepared.nesting, Sampling(**run.manifest["sampling"]), draws)
    sites = released_sites(at)
    names = _barriers(sites, str(run.folder))
    wanted_requests = one_each(sites) if requests is None else read_requests(requests, sites)
    subsets: list[Accesses] = [lifted(sites, subset) for subset in every_subset(names)]
    singles: list[Accesses] = [request.accesses(sites) for request in wanted_requests]
    pairs = list(combinations(range(len(wanted_requests)), 2))
    doubles: list[Accesses] = [granted(sites, [wanted_requests[i] for i in pair]) for pair in pairs]
    wanted = [*subsets, *singles, *doubles]
    say("following every quantity")
    found = _found(run, prepared, at, sites, wanted, parameters, say, watch)
    answer = {
        "run": str(run.folder),
        "as_of": run.manifest["as_of"],
        "horizon_weeks": run.manifest["forecast"]["horizon_weeks"],
        "method": {"name": METHOD, "points": POINTS},
        "barriers": [_barrier(sites, name) for name in names],
        "quantities": _decomposed(found, names, len(subsets)),
        **_requests(found, wanted_requests, pairs, len(subsets), definition.quantities[0].name, definition.whole),
    }
    write_json(run.folder / ACCESS, answer)
    return answer


def _barriers(sites: Mapping[str, Site], folder: str) -> list[str]:
    names = barrier_names(sites)
    if not names:
        raise RequestError(
            [Fault(folder, "no extract comes through a barrier that the model knows how to lift", expected="barriers in study.toml")]
        )
    if len(names) > MOST_BARRIERS:
        remedy = "give barriers that would be lifted together one name"
        raise RequestError([Fault(folder, "too many barriers", value=", ".join(names), expected=f"at most {MOST_BARRIERS}", remedy=remedy)])
    return names


def _found(
    run: Run,
    prepared: Prepared,
    at: Any,
    sites: Mapping[str, Site],
    wanted: list[Accesses],
    parameters: Sequence[str] | None,
    say: Callable,
    watch: Callable,
) -> Found:
    from bayestwin.analyse.forecast import averages, summarise
    from bayestwin.twin.scenario import Scenario

    definition, data, seed = prepared.twin.definition, prepared.data, run.manifest["sampling"]["seed"]
    span = definition.future(data, run.manifest["forecast"]["horizon_weeks"], Scenario(), prepared.study.calendar)
    posterior = run.posterior
    sampled = [str(name) for name in posterior.data_vars if name not in np.atleast_1d(posterior.attrs.get("deterministic", []))]
    names = tuple(parameters) if parameters is not None else tuple(name for name in sampled if posterior[name].ndim == 2)
    followed = slopes(at, definition, data, span, names, seed)
    ahead = averages(definition, data, posterior, span, seed).values
    tables = [summarise(ahead[level, quantity.name]) for quantity in definition.quantities for level in _levels(ahead, quantity.name)]
    of_parameters = [posterior[name].to_numpy().reshape(posterior.sizes["chain"] * posterior.sizes["draw"], -1) for name in names]
    mean, aleatoric, epistemic = (
        np.concatenate([*(table[column] for table in tables), *(of(values) for values in of_parameters)])
        for column, of in (("mean", _mean), ("var_aleatoric", _nothing), ("var_epistemic", _variance))
    )
    say("lifting barriers")
    prospects = gains(at, sites, wanted, POINTS, seed)
    normal = np.square(followed.values).sum(0)
    left = prospects.variances(wanted, followed.values, lambda done: watch(Done(done, POINTS))) / np.where(normal > 0, normal, 1.0)
    return Found(followed.asked, mean, aleatoric, epistemic, normal, left)


def _mean(values: np.ndarray) -> np.ndarray:
    return values.mean(0)


def _variance(values: np.ndarray) -> np.ndarray:
    return values.var(0, ddof=1)


def _nothing(values: np.ndarray) -> np.ndarray:
    return np.zeros(values.shape[1])


def _levels(ahead: Mapping[tuple[str, str], np.ndarray], quantity: str) -> list[str]:
    return [level for level, name in ahead if name == quantity]


def _barrier(sites: Mapping[str, Site], name: str) -> dict[str, Any]:
    """A barrier in words, and the streams that come through it."""
    through = {stream: barrier for stream, site in sites.items() for barrier in site.access.barriers if barrier.title == name}
    first = next(iter(through.values()))
    return {"barrier": name, "label": first.label.value, "sentence": first.sentence, "streams": list(through)}


def _with_error(each: Float[np.ndarray, "point ..."]) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the points, and its standard error."""
    return each.mean(0), each.std(0, ddof=1) / np.sqrt(len(each))


def _decomposed(found: Found, names: list[str], subsets: int) -> list[dict[str, Any]]:
    """A row for each quantity."""
    left = found.left[:, :subsets]
    shares = np.stack([shapley(left[point, 0] - left[point]) for point in range(len(left))])
    share, share_error = _with_error(shares)
    full, full_error = _with_error(left[:, -1])
    least, most = order_range(left.mean(0)[0] - left.mean(0))
    rows = []
    for i, asked in enumerate(found.asked):
        now = found.epistemic[i]
        rows.append(
            {
                **_of(asked),
                "mean": found.mean[i],
                "aleatoric": found.aleatoric[i],
                "epistemic": now,
                "epistemic_full": now * full[i],
                "access_induced": now * (1.0 - full[i]),
                "error": now * full_error[i],
                "normal_over_draws": float(np.sqrt(found.normal[i] / now)) if now > 0 else None,
                "by_barrier": [
                    {
                        "barrier": name,
                        "value": now * share[b, i],
                        "error": now * share_error[b, i],
                        "share": share[b, i],
                        "least": now * least[b, i],
                        "most": now * most[b, i],
                    }
                    for b, name in enumerate(names)
                ],
            }
        )
    return rows


def _of(asked: Asked) -> dict[str, str]:
    return {
        "quantity": asked.name,
        "level": asked.level,
        "unit": asked.unit,
        "period": "" if asked.level == "parameter" else "weekly average",
    }


def _requests(found: Found, requests: list[Request], pairs: list[tuple[int, int]], first: int, ranking: str, whole: str) -> dict[str, Any]:
    """Requests by what they take from the first quantity of the whole, and pairs that are worth more than their parts."""
    gained = 1.0 - found.left[:, first:]
    share, error = _with_error(gained)
    shown = [i for i, asked in enumerate(found.asked) if asked.level == whole]
    primary = next(i for i in shown if found.asked[i].name == ranking)
    rows = [
        {
            "request": request.name,
            **_of(found.asked[primary]),
            "value": found.epistemic[primary] * share[r, primary],
            "error": found.epistemic[primary] * error[r, primary],
            "share": share[r, primary],
            "share_error": error[r, primary],
            "sd_now": float(np.sqrt(found.epistemic[primary])),
            "sd_after": float(np.sqrt(found.epistemic[primary] * max(1.0 - share[r, primary], 0.0))),
            "cost": request.cost,
            "value_per_cost": None if request.cost is None else found.epistemic[primary] * share[r, primary] / request.cost,
            "by_date": [
                {
                    "days": days,
                    "there": request.there_by(days),
                    "value": found.epistemic[primary] * share[r, primary] * request.there_by(days),
                }
                for days in DATES
            ],
            "method": METHOD,
            "by_quantity": [
                {
                    **_of(found.asked[i]),
                    "value": found.epistemic[i] * share[r, i],
                    "error": found.epistemic[i] * error[r, i],
                    "share": share[r, i],
                }
                for i in shown
            ],
        }
        for r, request in enumerate(requests)
    ]
    joint = []
    for p, (a, b) in enumerate(pairs):
        beyond, beyond_error = _with_error((gained[:, len(requests) + p] - gained[:, a] - gained[:, b])[:, primary])
        joint.append(
            {
                "requests": [requests[a].name, requests[b].name],
                "value": found.epistemic[primary] * share[len(requests) + p, primary],
                "beyond_each": found.epistemic[primary] * float(beyond),
                "error": found.epistemic[primary] * float(beyond_error),
            }
        )
    ranked = sorted(rows, key=lambda row: -row["value"])
    return {
        "requests": [{"rank": rank, **row} for rank, row in enumerate(ranked, 1)],
        "pairs": sorted(joint, key=lambda row: -row["beyond_each"]),
    }
