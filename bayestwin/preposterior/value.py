"""What access costs: every answer's variance split into chance, what full access would leave, and each barrier; the worth of requests.

For barriers S lifted, V(S) is the expected posterior variance of a quantity. What access costs is V(∅) - V(all); it is divided among the barriers
by Shapley values, which sum to it exactly whatever the order in which barriers are lifted. V(S) comes from the normal approximation in
`expected.py`, bent as the posterior draws of each quantity are (`bent.py`); its shares are laid over the variance of these draws, and how far the two agree is told beside every number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float

from bayestwin.analyse.forecast import Drawn, at_kept_draws, averages, summarise
from bayestwin.analyse.tipping import bands
from bayestwin.barriers.grid import AccessError
from bayestwin.errors import Fault, RequestError
from bayestwin.prepared import Prepared, informed_selections, selections
from bayestwin.preposterior import rows
from bayestwin.preposterior.bent import bent, by_order
from bayestwin.preposterior.current import Current, Site, current, released_sites
from bayestwin.preposterior.decision import Decision, read_decision, without_chance
from bayestwin.preposterior.decision import pairs as option_pairs
from bayestwin.preposterior.expected import Accesses, gains
from bayestwin.preposterior.lifting import barrier_names, every_subset, fitting, lifted
from bayestwin.preposterior.plan import MOST_SETS, Goal, need_goal, planned
from bayestwin.preposterior.quantities import Asked, Slopes, around, slopes
from bayestwin.preposterior.requests import Request, apart, every_access, granted, one_each, read_requests
from bayestwin.preposterior.search import Evaluated
from bayestwin.preposterior.sets import Choice, Sets, affordable, members
from bayestwin.runs import ACCESS, ACCESS_FORMAT, Run, write_json
from bayestwin.twin.scenario import Scenario
from bayestwin.twin.twin import Definition

if TYPE_CHECKING:
    import xarray as xr

MOST_BARRIERS = 8  # 256 subsets
POINTS = 4  # draws of the posterior at which information is found


class Done(NamedTuple):
    """Points at which information has been found, and how many there are."""

    done: int
    total: int

    @property
    def words(self) -> str:
        """For people who wait."""
        return f"{self.done}/{self.total} draws of the posterior"


def access_value(
    run: Run,
    requests: str | Path | None = None,
    decision: str | Path | None = None,
    parameters: Sequence[str] | None = None,
    say: Callable[[str], None] = lambda stage: None,
    watch: Callable[[Done], None] = lambda progress: None,
    goal: Goal | None = None,
) -> dict[str, Any]:
    """What access costs a run, and what lifting it is worth; kept in the run as `access.json`.

    Args:
        run: a loaded run.
        requests: TOML file of requests; each barrier lifted in whole if absent.
        decision: TOML file of options and losses; no value of information to a decision if absent.
        parameters: sites of parameters to answer for beside the forecast; those of one number if absent.
        say: told the name of each stage as it begins.
        watch: told how far the last stage is.
        goal: a budget and a date to plan requests for; no plan if absent.

    Returns:
        Barriers, method, `quantities` (each with aleatoric, epistemic, epistemic_full, access_induced and by_barrier, variances of weekly averages over the horizon), `parameters` (what knowing one would
        take from each quantity, by the normal approximation and by regression on draws, and whether these agree), `requests` by rank, `pairs` of requests, and a `plan` (None without a goal): the best set of requests with the forecast's
        expected width by date, and under `steps` what is left after each request in the order of their value for their cost; `selections`, for each selection of unknown strength the range of the
        forecast's totals and the strength at which they leave their 95 % interval; with a decision also `decision`: each option's net benefit, EVPI, and what each request is worth to it.

    Raises:
        RunError: if the study has changed since the run.
        RequestError: if the requests or the decision are at fault, no extract comes through a barrier that can be lifted, there are too many barriers, or the goal cannot be planned for (a
            request without a cost where there is a budget).
    """
    from bayestwin.again import prepared_again
    from bayestwin.infer.device import prepare_device

    say("reading extracts")
    prepare_device()
    prepared = prepared_again(run)
    definition, folder = prepared.twin.definition, str(run.folder)
    uncorrected = selected(run, prepared)
    say("finding the posterior's curvature")
    at = _now(run, prepared)
    sites = released_sites(at, definition.reads)
    subsets = _subsets(sites, _barriers(sites, folder), folder)
    asking = _asking(sites, requests, goal or Goal())
    chosen = None
    if decision is not None:
        chosen = read_decision(decision, [quantity.name for quantity in definition.quantities], definition.changes, prepared.labels)
    say("following every quantity")
    found = _answers(run, prepared, at, parameters, chosen)
    head = {"run": folder, "as_of": run.manifest["as_of"], "horizon_weeks": run.manifest["forecast"]["horizon_weeks"]}
    method = {"name": rows.METHOD, "points": POINTS}
    worth = _worth(found, sites, subsets, asking, chosen and chosen[0], say, watch)
    answer = {"format": ACCESS_FORMAT, **head, "method": method, "checks": [], **worth, "selections": uncorrected}
    write_json(run.folder / ACCESS, answer)
    return answer


def selected(run: Run, prepared: Prepared) -> list[dict[str, Any]]:
    """What selections of unknown strength could make of the forecast: no data correct them, so that no request is valued by them alone.

    Args:
        run: a loaded run.
        prepared: its study.

    Returns:
        A row for each selection and quantity; none of a run that forecasts a scenario, for access is valued as things stand.
    """
    scenario, definition = run.manifest["forecast"]["scenario"], prepared.twin.definition
    if scenario is not None and scenario["change"]:
        return []
    found = bands(run.sensitivity, run.posterior, run.group("predictions"), definition.quantities)
    known = {**selections(prepared.study, prepared.twin), **informed_selections(prepared.study, run.posterior)}
    return rows.selected(found, known, definition.whole)


def _now(run: Run, prepared: Prepared) -> Current:
    """The run's posterior as a normal law."""
    from bayestwin.infer.settings import Sampling

    draws = {str(name): values.to_numpy().reshape(-1, *values.shape[2:]) for name, values in run.posterior.items()}
    pilot, sampling = prepared.twin.definition.pilot(prepared.data), Sampling(**run.manifest["sampling"])
    return current(prepared.model, pilot, prepared.nesting, sampling, draws, prepared.finer)


class Asking(NamedTuple):
    """What is asked for.

    Attributes:
        requests: singly.
        goal: of their plan.
        choice: what may be filed together.
        sets: that can be filed; none without a goal, for pairs are all that the ranked list needs; None where there are too many, which are searched.
    """

    requests: list[Request]
    goal: Goal
    choice: Choice
    sets: list[int] | None


def _asking(sites: Mapping[str, Site], path: str | Path | None, goal: Goal) -> Asking:
    requests = one_each(sites) if path is None else read_requests(path, sites)
    need_goal(goal, requests, path)
    choice = Choice.among(sites, requests, goal.budget)
    return Asking(requests, goal, choice, affordable(choice, MOST_SETS) if goal.asked else [])


def _worth(
    found: Answers,
    sites: Mapping[str, Site],
    subsets: list[Accesses],
    asking: Asking,
    decision: Decision | None,
    say: Callable[[str], None],
    watch: Callable[[Done], None],
) -> dict[str, Any]:
    """Lift barriers, by every subset and by requests: singly, in pairs, and, where a plan is asked for, in sets that can be filed."""
    names, (asked_for, goal, _, held) = barrier_names(sites), asking
    pairs = [(a, b) for a, b in combinations(range(len(asked_for)), 2) if apart(sites, [asked_for[a], asked_for[b]])]
    singles = [granted(sites, [request]) for request in asked_for]
    doubles = [granted(sites, [asked_for[a], asked_for[b]]) for a, b in pairs]
    filed = [granted(sites, [asked_for[i] for i in members(one)]) for one in held or []]
    say("lifting barriers")
    left = found.left(sites, [*subsets, *singles, *doubles, *filed], watch)
    ends = np.cumsum([len(subsets), len(singles), len(doubles)])
    of_subsets, of_singles, of_doubles, of_sets = np.split(left, ends, axis=1)
    return {
        "barriers": [rows.barrier(sites, name) for name in names],
        "quantities": rows.decomposed(found, names, of_subsets),
        "parameters": rows.learned(found),
        "requests": rows.ranked(found, asked_for, of_singles),
        "pairs": rows.together(found, asked_for, pairs, of_singles, of_doubles),
        "plan": _plan(found, sites, asking, of_sets[..., found.primary], say, watch) if goal.asked else None,
        "decision": None if decision is None else rows.decided(found, decision, asked_for, of_subsets, of_singles),
    }


def _plan(
    found: Answers,
    sites: Mapping[str, Site],
    asking: Asking,
    of_sets: Float[np.ndarray, "point set"],
    say: Callable[[str], None],
    watch: Callable[[Done], None],
) -> dict[str, Any]:
    """Which requests to file: the best of all sets, or, where these are too many, of those that a search evaluates."""
    requests, goal, choice, held = asking
    if held is not None:
        return planned(found, requests, goal, choice, Sets.of(held, of_sets))
    say("keeping what each request tells")
    left = found.left_of_first(sites, every_access(sites, requests), watch)
    say("searching sets of requests")
    evaluated = Evaluated.of(lambda one: left(granted(sites, [requests[i] for i in members(one)])), len(requests), found.seed)
    return planned(found, requests, goal, choice, evaluated)


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


def _subsets(sites: Mapping[str, Site], names: list[str], folder: str) -> list[Accesses]:
    """All sites under every subset of lifted barriers."""
    found: list[Accesses] = []
    for subset in every_subset(names):
        try:
            found.append(lifted(sites, subset))
            fitting(sites, found[-1])
        except AccessError as error:
            remedy = "give barriers that can only be lifted together one name, or leave the extract out"
            raise RequestError([Fault(folder, f"cannot be without {subset}: {error}", remedy=remedy)]) from error
    return found


def _answers(
    run: Run, prepared: Prepared, at: Current, parameters: Sequence[str] | None, chosen: tuple[Decision, list[Scenario]] | None
) -> Answers:
    """Every quantity as the posterior's draws have it, and how it follows the coordinates."""
    definition, data, seed = prepared.twin.definition, prepared.data, run.manifest["sampling"]["seed"]
    posterior, points = run.posterior, around(at)
    sampled = [str(name) for name in posterior.data_vars if name not in np.atleast_1d(posterior.attrs.get("deterministic", []))]
    names = tuple(parameters) if parameters is not None else tuple(name for name in sampled if posterior[name].ndim == 2)

    def ahead(scenario: Scenario, parameters: tuple[str, ...] = ()) -> tuple[Drawn, Slopes]:
        span = definition.future(data, run.manifest["forecast"]["horizon_weeks"], scenario, prepared.study.calendar)
        return averages(definition, data, posterior, span, seed).values, slopes(points, definition, data, span, seed, parameters)

    drawn, followed = ahead(Scenario(), names)
    knowledge = _knowledge(definition, posterior, drawn, names)
    forecasts = [values for quantity in definition.quantities for (_, name), values in drawn.items() if name == quantity.name]
    known = [_flat(posterior[name].to_numpy()) for name in names]
    tables = [*map(summarise, forecasts), *map(_of_parameter, known)]
    orders = np.concatenate([by_order(values) for values in (*(values.mean(1) for values in forecasts), *known)])
    mean, aleatoric, epistemic = (np.concatenate([table[c] for table in tables]) for c in ("mean", "var_aleatoric", "var_epistemic"))
    whole = [i for i, asked in enumerate(followed.asked) if asked.level == definition.whole]
    benefit, moved = np.empty((0, 0)), np.empty((len(followed.values), 0))
    if chosen is not None:
        of_options = [ahead(scenario) for scenario in chosen[1]]
        benefit, moved = _benefits(chosen[0], definition, of_options, whole)
    followed_by_all = np.hstack([followed.values, moved])
    return Answers(followed.asked, mean, aleatoric, epistemic, followed_by_all, orders, benefit, knowledge, at, whole[0], seed)


def _knowledge(definition: Definition, posterior: xr.Dataset, drawn: Drawn, names: Sequence[str]) -> Knowledge:
    """Parameters and quantities of the whole at the draws that answers are made of."""
    chains = posterior.sizes["chain"]
    nested = np.concatenate([drawn[definition.whole, quantity.name] for quantity in definition.quantities], axis=-1)
    kept = [at_kept_draws(posterior[name]).astype(float) for name in names]
    flat = np.concatenate([values.reshape(len(nested), -1) for values in kept], axis=1) if kept else np.empty((len(nested), 0))
    chance = nested.var(1, ddof=1).mean(0) / nested.shape[1]
    means = nested.mean(1)
    return Knowledge(flat.reshape(chains, -1, flat.shape[1]), means.reshape(chains, -1, means.shape[1]), chance)


def _benefits(
    decision: Decision, definition: Definition, of_options: list[tuple[Drawn, Slopes]], whole: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Net benefit of each option by draw, and slopes of its changes and of sums of two of these.

    Args:
        decision: its losses and costs.
        definition: the model.
        of_options: draws and slopes of the forecast under each option.
        whole: which slopes are of quantities of the whole.
    """
    names = [quantity.name for quantity in definition.quantities]
    weights = -decision.weights(names)
    drawn = [np.stack([values[definition.whole, name][..., 0] for name in names], -1) @ weights for values, _ in of_options]
    first = without_chance(drawn[0])[:, None]
    further = first + without_chance(np.stack([values - drawn[0] for values in drawn[1:]], -1))
    cost = np.array([option.cost for option in decision.option])
    by_option = np.stack([slope.values[:, whole] @ weights for _, slope in of_options], axis=1)
    changes = by_option[:, 1:] - by_option[:, :1]
    sums = [changes[:, [i]] + changes[:, [j]] for i, j in option_pairs(changes.shape[1])]
    return np.hstack([first, further]) - cost, np.hstack([changes, *sums])


def _of_parameter(draws: Float[np.ndarray, "draw element"]) -> dict[str, np.ndarray]:
    """Mean and variances of a parameter, which chance has no part in."""
    return {"mean": draws.mean(0), "var_aleatoric": np.zeros(draws.shape[1]), "var_epistemic": draws.var(0, ddof=1)}


def _flat(values: Float[np.ndarray, "chain draw ..."]) -> Float[np.ndarray, "draw element"]:
    return values.reshape(values.shape[0] * values.shape[1], -1).astype(float)


class Knowledge(NamedTuple):
    """Parameters and quantities of the whole, draw by draw.

    Attributes:
        parameters: as they were asked for, (chain, draw, parameter).
        answers: means over chance of the quantities of the whole, (chain, draw, answer).
        chance: variance of these means that is chance alone, (answer,).
    """

    parameters: Float[np.ndarray, "chain draw parameter"]
    answers: Float[np.ndarray, "chain draw answer"]
    chance: Float[np.ndarray, " answer"]


@dataclass(frozen=True)
class Answers:
    """The quantities of a run.

    Attributes:
        asked: what they are.
        mean: of each now, (quantity,).
        aleatoric, epistemic: variances, of the posterior's draws, (quantity,).
        slopes: in the coordinates of the posterior, (coordinate, quantity); after those that were asked for, the changes of net benefit that
            further options make, and sums of two of these.
        orders: shares of the variance of each that was asked for by order of Hermite polynomial (`bent.py`), (quantity, order); changes of net benefit are taken as lines.
        benefit: net benefit of each option by posterior draw, (draw, option); empty without a decision.
        knowledge: draws of parameters and quantities of the whole.
        at: the posterior.
        primary: the quantity that requests are ranked by.
        seed: of simulated data.
    """

    asked: tuple[Asked, ...]
    mean: Float[np.ndarray, " quantity"]
    aleatoric: Float[np.ndarray, " quantity"]
    epistemic: Float[np.ndarray, " quantity"]
    slopes: Float[np.ndarray, "coordinate quantity"]
    orders: Float[np.ndarray, "quantity order"]
    benefit: Float[np.ndarray, "draw option"]
    knowledge: Knowledge
    at: Current
    primary: int
    seed: int

    @property
    def normal(self) -> Float[np.ndarray, " quantity"]:
        """Epistemic variances in the normal approximation."""
        return np.square(self.slopes).sum(0)

    def left(
        self, sites: Mapping[str, Site], wanted: list[Accesses], watch: Callable[[Done], None]
    ) -> Float[np.ndarray, "point access quantity"]:
        """Share of the epistemic variance that each access would leave."""
        prospects = gains(self.at, sites, wanted, POINTS, self.seed)
        variances = prospects.variances(wanted, self.slopes, lambda done: watch(Done(done, POINTS)))
        shares = np.where(self.normal > 0, variances / np.where(self.normal > 0, self.normal, 1.0), 1.0)
        asked = len(self.asked)
        return np.concatenate([bent(shares[..., :asked], self.orders), shares[..., asked:]], axis=-1)

    def left_of_first(
        self, sites: Mapping[str, Site], variants: Sequence[Accesses], watch: Callable[[Done], None]
    ) -> Callable[[Accesses], Float[np.ndarray, " point"]]:
        """Share of the primary quantity's epistemic variance that an access would leave, for accesses that are asked for one after another.

        Args:
            sites: as they are.
            variants: every access that a site is going to have, in any combination.
            watch: told how far it is.
        """
        slopes, now = self.slopes[:, [self.primary]], self.normal[self.primary]
        variances = gains(self.at, sites, variants, POINTS, self.seed).kept(slopes, lambda done: watch(Done(done, POINTS)))
        orders = self.orders[[self.primary]]
        return lambda accesses: bent(variances(accesses) / now, orders)[:, 0] if now > 0 else np.ones(POINTS)
