"""A cheap first look at the data: where each effect lies and how much the data say about it.

Nothing here changes the posterior; it decides how the sampler sees it (`bayestwin.components.informed`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Array

from bayestwin.components.hierarchy import pooled
from bayestwin.components.informed import Evidence, Look, Pilot, seen, site
from bayestwin.components.trend import coefficient_sd, cosine_basis
from bayestwin.laws.counts import agreement

from .describe import counted
from .pilot_minutes import durations
from .workload import Workload

TYPICAL_CONCENTRATION_SD = 0.3  # spread of areas' log concentrations to reckon with
CALM = 3.0  # how fast weeks lose weight as holidays set places apart
LEAST_NOISE = 1e-4  # the least squared weekly noise of an area to reckon with


def pilot(data: Workload) -> Pilot:
    """Looks at every normal effect of the model, and starting values of the rest."""
    parts = [_demand(data), durations(data), _staff(data), (_late(data), {})]
    return Pilot(
        looks={name: look for looks, _ in parts for name, look in looks.items()},
        start={name: np.asarray(value) for _, start in parts for name, value in start.items()},
    )


Part = tuple[dict[str, Look], dict[str, float]]


def _weekly_log_rates(data: Workload) -> tuple[np.ndarray, np.ndarray]:
    """Log appointments per patient by week, and whether the whole week was seen."""
    counts, seen = (part[: len(data.calendar.weeks)] for part in counted(data)["appointments"])
    patients = np.zeros_like(counts)
    np.maximum.at(patients, data.calendar.period_week, data.patients)
    return np.log((counts + 0.5) / patients), seen


def _demand(data: Workload) -> Part:
    rates, known = _weekly_log_rates(data)
    weight = known.astype(float)
    level = np.average(rates, axis=0, weights=np.maximum(weight, 1e-9))
    boards = np.arange(len(data.board))
    member = data.area_board == boards[:, None]
    by_board = np.stack([np.average((rates - level)[:, m], axis=1, weights=np.maximum(weight[:, m], 1e-9)) for m in member], axis=1)
    noise = np.where(known, rates - level - by_board[:, data.area_board], 0.0)
    spread = max(float(np.sqrt((noise**2).mean() / max(_free(data).mean(), 0.1))), 0.005)
    per_week = weight.mean(0) / spread**2
    basis, eigenvalues = cosine_basis(len(rates))
    coefficient = basis @ by_board
    known_of_board = member @ per_week
    told = known_of_board > 0  # a board that was not granted says nothing of the spread
    deviation = _spread((coefficient - coefficient[:, told].mean(1, keepdims=True))[:, told], 1.0 / known_of_board[told])
    concentration = _concentration(data, rates, noise, known)
    area = seen(level, per_week * len(rates))
    board = pooled(area, site("sd_area"), data.area_board, len(boards), lambda sites: sites["workforce_slope"] * data.workforce)
    region = pooled(board, site("sd_board"), data.board_region, len(data.region))
    by_frequency = seen(coefficient.T, np.broadcast_to(known_of_board[:, None], coefficient.T.shape))
    looks = {
        "area_level": area,
        "board_level": board,
        "region_level": region,
        "national_level": pooled(region, site("sd_region")),
        "board_coefficient": _transposed(by_frequency),
        "national_coefficient": pooled(by_frequency, _walk_sd("board", eigenvalues)),
        "log_concentration": concentration,
        "concentration_level": pooled(concentration, site("concentration_sd")),
    }
    board_mean = np.array([level[m].mean() for m in member])
    start = {
        "sd_area": _sd(level - board_mean[data.area_board]),
        "sd_board": _sd(board_mean),
        "sd_region": _sd(board_mean),
        "walk_board": deviation / 10,
        "shock_board": deviation,
        "walk_national": 0.005,
        "shock_national": 0.01,
        "day_concentration": 3000.0,
        "holiday_split": 1.0,
        "closed_day_concentration": 1000.0,
        "concentration_sd": TYPICAL_CONCENTRATION_SD,
    }
    return looks, start


def _late(data: Workload) -> dict[str, Look]:
    """Of weeks that are over and not published nothing is told."""
    shapes = {"late_national": (data.late,), "late_board": (data.late, len(data.board)), "late_minutes": (data.late,)}
    return {name: seen(np.zeros(shape), 0.0) for name, shape in shapes.items()} if data.late else {}


def _concentration(data: Workload, rates: np.ndarray, noise: np.ndarray, known: np.ndarray) -> Look:
    """Look at each area's log NB2 concentration: what calm weeks leave beyond Poisson.

    An area alone in its board has no neighbours to differ from: it is silent.
    """
    weeks = len(rates)
    unsettled = np.bincount(data.calendar.period_week, data.calendar.unsettled, weeks) / np.bincount(
        data.calendar.period_week, minlength=weeks
    )
    calm = known * np.exp(-CALM * unsettled)[:, None] + 1e-9
    free = _free(data) * (1.0 - 1.0 / weeks)
    square = np.average(noise**2, axis=0, weights=calm)
    typical = max(square.sum() / max(free.sum(), 1e-9), LEAST_NOISE)
    variance = np.maximum(np.where(free > 0, square / np.where(free > 0, free, 1.0), typical), typical / 10.0)
    poisson = np.average(np.exp(-rates), axis=0, weights=calm) / data.patients.mean(0)
    return seen(-np.log(np.maximum(variance - poisson, variance / 10.0)), known.sum(0) * free / 2.0)


def _free(data: Workload) -> np.ndarray:
    """Share of each area's weekly noise that its board's weeks, fitted from its members, leave free."""
    return 1.0 - 1.0 / np.bincount(data.area_board)[data.area_board]


def _walk_sd(place: str, eigenvalues: np.ndarray) -> Callable[[Mapping[str, Array]], Array]:
    return lambda sites: coefficient_sd(eigenvalues, sites[f"walk_{place}"], sites[f"shock_{place}"])


def _transposed(look: Look) -> Look:
    def transposed(sites: Mapping[str, Array]) -> Evidence:
        value, information, _ = look(sites)
        return Evidence(value.T, information.T)

    return transposed


def _staff(data: Workload) -> Part:
    agreed = agreement(data.staff, data.staff_seen)
    counts = np.where(data.staff_seen[..., None], data.staff, 0).sum(0) + 0.5
    share = counts / counts.sum(1, keepdims=True)
    logit = np.log(share[:, 1:] / share[:, :1])
    info = data.staff_seen.sum(0)[:, None] * agreed * share[:, 1:] * (1.0 - share[:, 1:])
    sd = np.maximum(logit.std(0), 0.02)
    cell = seen(logit, info)
    looks = {"cell_logit": cell, "cell_level": pooled(cell, site("cell_sd"))}
    return looks, {"cell_sd": sd, "cell_concentration": agreed}


def _spread(values: np.ndarray, noise: np.ndarray) -> float:
    """Spread of values beyond the variance of their noise; where they show none, what they might just not show."""
    beyond = float(np.var(values) - np.mean(noise))
    return float(np.sqrt(max(beyond, np.mean(noise) * np.sqrt(2.0 / values.size))))


def _sd(values: np.ndarray) -> float:
    return max(float(np.std(values)), 0.01)
