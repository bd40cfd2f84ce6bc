"""A cheap first look at the data: where each effect lies and how much the data say about it.

Nothing here changes the posterior; it decides how the sampler sees it (`bayestwin.components.informed`).
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import least_squares
from scipy.special import digamma, gammainc, polygamma

from bayestwin.components.hierarchy import group_information, group_mean
from bayestwin.components.informed import Pilot
from bayestwin.components.trend import cosine_basis

from .describe import counted
from .workload import Workload

BAND_AGREEMENT = 5000.0  # a typical Dirichlet-multinomial concentration of weekly band shares
CELL_AGREEMENT = 500.0  # the same for a board's monthly staff mix
SHAPE = 4.0  # a typical shape of the generalised gamma
LEAST_MISFIT = 0.01  # the least lasting misfit of a band to reckon with, on the log-odds


def pilot(data: Workload) -> Pilot:
    """Pilot values, information and starting values for every normal effect of the model."""
    parts = [_demand(data), _durations(data), _staff(data)]
    return Pilot(
        values={name: value for values, _, _ in parts for name, value in values.items()},
        information={name: value for _, information, _ in parts for name, value in information.items()},
        start={name: np.asarray(value) for _, _, start in parts for name, value in start.items()},
    )


Part = tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, float]]


def _weekly_log_rates(data: Workload) -> tuple[np.ndarray, np.ndarray]:
    """Log appointments per patient by week, and whether the whole week was seen."""
    counts, seen = counted(data)
    patients = np.zeros_like(counts)
    np.maximum.at(patients, data.calendar.period_week, data.patients)
    return np.log((counts + 0.5) / patients), seen


def _demand(data: Workload) -> Part:
    rates, seen = _weekly_log_rates(data)
    weight = seen.astype(float)
    level = group_mean(rates.ravel(), weight.ravel(), np.tile(np.arange(len(data.area)), len(rates)), len(data.area))
    boards = len(data.board)
    by_board = group_mean((rates - level).T, weight.T, data.area_board, boards).T
    national = by_board.mean(1)
    noise = np.where(seen, rates - level - by_board[:, data.area_board], 0.0)
    spread = max(float(noise.std()), 0.005)
    per_area = np.broadcast_to(weight.mean(0) / spread**2, level.shape)
    basis, eigenvalues = cosine_basis(len(rates))
    board_level = group_mean(level, weight.mean(0), data.area_board, boards)
    region_level = group_mean(board_level, np.ones(boards), data.board_region, len(data.region))
    sd = {
        "area": _sd(level - board_level[data.area_board]),
        "board": _sd(board_level - region_level[data.board_region]),
        "region": _sd(region_level),
    }
    area_info = per_area * len(rates)
    board_info = group_information(area_info, data.area_board, boards, sd["area"])
    region_info = group_information(board_info, data.board_region, len(data.region), sd["board"])
    national_info = group_information(region_info, np.zeros(len(data.region), int), 1, sd["region"])[0]
    week_info = np.zeros(boards)
    np.add.at(week_info, data.area_board, per_area)
    board_coefficient = basis @ by_board
    national_coefficient = basis @ national
    deviation = _sd(board_coefficient - national_coefficient[:, None])
    coefficient_info = np.broadcast_to(week_info, board_coefficient.shape)
    nation_info = group_information(week_info, np.zeros(boards, int), 1, deviation)[0]
    agreement = np.log(1.0 / np.maximum(np.var(noise, axis=0) - np.exp(-rates).mean(0) / data.patients.mean(0), spread**2 / 10))
    values = {
        "national_level": region_level.mean(),
        "region_level": region_level,
        "board_level": board_level,
        "area_level": level,
        "national_coefficient": national_coefficient,
        "board_coefficient": board_coefficient,
        "log_concentration": agreement,
    }
    information = {
        "national_level": national_info,
        "region_level": region_info,
        "board_level": board_info,
        "area_level": area_info,
        "national_coefficient": np.full(len(eigenvalues), nation_info),
        "board_coefficient": coefficient_info,
        "log_concentration": weight.sum(0) / 2.0,
    }
    start = {f"sd_{name}": value for name, value in sd.items()}
    start |= {
        "walk_board": deviation / 10,
        "shock_board": deviation,
        "walk_national": 0.005,
        "shock_national": 0.01,
        "day_concentration": 3000.0,
    }
    return values, information, start | {"concentration_level": float(agreement.mean()), "concentration_sd": 0.4}


def _durations(data: Workload) -> Part:
    counts = np.where(data.durations_seen[..., None], data.durations, 0)
    seen = data.durations_seen.any(0)
    share = (counts.sum(0) + 0.5) / (counts.sum((0, 2))[:, None] + 3.5)
    weeks = data.durations_seen.sum(0)[:, None]
    edges = np.log(np.maximum(data.band.edges, 0.5))
    middle = 0.5 * (edges[1:] + edges[:-1])
    shown = share[:, :-1] / share[:, :-1].sum(1, keepdims=True)
    mean = shown @ middle
    log_sd = 0.5 * np.log((shown * (middle - mean[:, None]) ** 2).sum(1))
    null = np.log(share[:, -1] / (1.0 - share[:, -1]))
    tilt, scale = _weekly_tilt(counts.sum(1)[:, :-1], middle - middle.mean())
    basis, eigenvalues = cosine_basis(len(counts))
    logit = np.log(share[:, :-1] / share[:, -1:])
    misfit, family, area_info = _family(logit, data.band.edges, np.array([null.mean(), mean.mean(), log_sd.mean()]))
    null, mean, log_sd = family.T
    values = {
        "band_logit": logit,
        "area_minutes": mean, "minutes_level": mean.mean(),
        "area_spread": log_sd, "spread_level": log_sd.mean(),
        "area_null": null, "null_level": null.mean(),
        "tilt_coefficient": basis @ tilt,
    }  # fmt: skip
    information = {
        "band_logit": weeks * BAND_AGREEMENT * share[:, :-1] * (1.0 - share[:, :-1]),
        "tilt_coefficient": np.full(len(eigenvalues), len(data.area) * BAND_AGREEMENT * scale / 2.0),
    }
    names = (("area_null", "null_level"), ("area_minutes", "minutes_level"), ("area_spread", "spread_level"))
    for (area, level), info in zip(names, area_info, strict=True):
        information[area] = seen * info
        information[level] = group_information(seen * info, np.zeros(len(mean), int), 1, _sd(values[area]))[0]
    start = {"sd_minutes": _sd(mean), "sd_spread": _sd(log_sd), "sd_null": _sd(null), "band_sd": misfit}
    start |= {"band_concentration": BAND_AGREEMENT, "duration_shape": SHAPE, "walk_minutes": 0.01, "shock_minutes": 0.005}
    return values, information, start


def _family(logit: np.ndarray, edges: np.ndarray, start: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Each area's null log-odds, mean and log sd of log minutes, by the family's own bands.

    The nation's bands are fitted by least squares; areas follow to first order. What the three cannot explain of the
    areas' differences is misfit.

    Returns:
        misfit; (area, 3) values; (3,) information about each.
    """
    centre = least_squares(lambda x: _band_logits(x, edges) - logit.mean(0), start).x
    slopes = np.stack(
        [(_band_logits(centre + step, edges) - _band_logits(centre - step, edges)) / 2e-4 for step in 1e-4 * np.eye(3)], axis=1
    )
    deviations = np.linalg.lstsq(slopes, (logit - logit.mean(0)).T, rcond=None)[0].T
    left = logit - logit.mean(0) - deviations @ slopes.T
    misfit = max(float(np.sqrt(left.var() * slopes.shape[0] / (slopes.shape[0] - 3))), LEAST_MISFIT)
    return misfit, centre + deviations, 1.0 / (misfit**2 * np.diag(np.linalg.inv(slopes.T @ slopes)))


def _band_logits(x: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Log-odds of the shown bands against Unknown under a generalised gamma of the usual shape."""
    null, mean, log_sd = x
    z = (np.log(edges) - mean) / np.exp(log_sd)
    below = gammainc(SHAPE, np.exp(digamma(SHAPE) + np.sqrt(polygamma(1, SHAPE)) * z))
    shown = np.maximum(np.diff(below), 1e-12) / (1.0 + np.exp(null))
    return np.log(shown) - np.log1p(-shown.sum())


def _weekly_tilt(counts: np.ndarray, log_minutes: np.ndarray) -> tuple[np.ndarray, float]:
    """Each week's tilt towards longer bands, about zero, and the variance of log minutes that scales it."""
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    mean = share @ log_minutes
    scale = float(share.mean(0) @ (log_minutes - mean.mean()) ** 2)
    return (mean - mean.mean()) / scale, scale


def _staff(data: Workload) -> Part:
    counts = np.where(data.staff_seen[..., None], data.staff, 0).sum(0) + 0.5
    share = counts / counts.sum(1, keepdims=True)
    logit = np.log(share[:, 1:] / share[:, :1])
    info = data.staff_seen.sum(0)[:, None] * CELL_AGREEMENT * share[:, 1:] * (1.0 - share[:, 1:])
    sd = np.maximum(logit.std(0), 0.02)
    level_info = group_information(info, np.zeros(len(logit), int), 1, sd)[0]
    values = {"cell_level": logit.mean(0), "cell_logit": logit}
    return values, {"cell_level": level_info, "cell_logit": info}, {"cell_sd": sd, "cell_concentration": CELL_AGREEMENT}


def _sd(values: np.ndarray) -> float:
    return max(float(np.std(values)), 0.01)
