"""Invent practices and publish what they did, in the form that NHS England publishes."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from bayestwin.barriers import Band, Unknown
from bayestwin.components.calendar import DayKind
from bayestwin.infer.predictive import predict
from bayestwin.library import library_folder
from bayestwin.study import Calendar as StudyCalendar
from bayestwin.twin.twin import Design

from .model import DayEffects, day_concentration, day_kind_effects, log_day_weights
from .workload import CELLS, SPECIAL_DAYS, Calendar, Workload, calendar, fold_weeks, whole_weeks

FIRST_DAY = np.datetime64("2023-10-02")
EDGES = (0.5, 5.5, 10.5, 15.5, 20.5, 30.5, 60.5)
BANDS = ("1-5 Minutes", "6-10 Minutes", "11-15 Minutes", "16-20 Minutes", "21-30 Minutes", "31-60 Minutes")
UNKNOWN = "Unknown / Data Quality"
PUBLISHED_CELLS = (
    ("GP", "Face-to-Face"),
    ("GP", "Telephone"),
    ("Other Practice staff", "Face-to-Face"),
    ("Other Practice staff", "Telephone"),
    ("Unknown", "Unknown"),
)
GZIP = {"method": "gzip", "mtime": 0}  # the same bytes for the same draw


def _template() -> str:
    """study.toml of the published form."""
    return (library_folder("models") / "gp_appointments" / "nhs_gp.study.toml").read_text(encoding="utf-8")


def place() -> StudyCalendar:
    """England's public and school holidays, as the template states them."""
    return StudyCalendar.model_validate(tomllib.loads(_template())["calendar"])


def invent(design: Design, seed: int) -> Workload:
    """Places, list sizes and a calendar, without counts.

    Args:
        design: areas, boards and weeks.
        seed: seed of the places.
    """
    rng = np.random.default_rng(seed)
    areas, boards, regions = design.units, design.groups, max(design.groups // 3, 1)
    span = calendar(FIRST_DAY + np.arange(7 * design.weeks), "week", place())
    months = np.unique(span.days.astype("datetime64[M]"))
    workforce = rng.standard_normal(areas)
    bands = [{"label": label, "low": low, "high": high} for label, low, high in zip(BANDS, EDGES, EDGES[1:], strict=False)]
    weeks = len(span.weeks)
    return Workload(
        grid="week",
        calendar=span,
        whole_weeks=whole_weeks(span, place()),
        until=span,
        area=np.array([f"A{i + 1:03d}" for i in range(areas)]),
        board=np.array([f"B{i + 1:02d}" for i in range(boards)]),
        region=np.array([f"R{i + 1}" for i in range(regions)]),
        area_name=np.array([f"Virtual area {i + 1}" for i in range(areas)]),
        area_board=np.sort(np.arange(areas) % boards),
        board_region=np.sort(np.arange(boards) % regions),
        patients=np.tile(np.round(np.exp(rng.normal(np.log(3e5), 0.5, areas))), (weeks, 1)),
        workforce=(workforce - workforce.mean()) / workforce.std(),
        appointments=np.zeros((weeks, areas), int),
        appointments_seen=np.ones((weeks, areas), bool),
        days=np.ones((weeks, 7), int),
        days_open=np.ones((weeks, 7), bool),
        durations=np.zeros((weeks, areas, len(BANDS) + 1), int),
        durations_seen=np.ones((weeks, areas), bool),
        staff=np.zeros((len(months), boards, len(CELLS)), int),
        staff_seen=np.ones((len(months), boards), bool),
        months=months.astype("datetime64[D]"),
        bands=np.array([*BANDS, UNKNOWN]),
        band=Band(unit="minutes", bands=bands),
        unknown=Unknown(category=UNKNOWN, structural=True),
    )


def publish(
    folder: Path, data: Workload, drawn: Mapping[str, np.ndarray], model: Callable, priors: Mapping, rng: np.random.Generator
) -> Workload:
    """Draw the counts of one prior draw and write the extracts and study.toml.

    Args:
        folder: an empty folder.
        data: places, list sizes and calendar; its counts are not used.
        drawn: every latent site, leading axis 1.
        model: the model that the counts come from.
        priors: its priors.
        rng: random generator.

    Returns:
        The data with the drawn counts in place.
    """
    built = {name: row.build() for name, row in priors.items()}
    counts = predict(partial(model, data, built), drawn, rng)["appointments"][0].astype(int)
    by_day = _days(counts, drawn, data.calendar, rng)
    totals = _monthly(by_day, data)
    known = replace(
        data,
        appointments=counts,
        days=fold_weeks(by_day.sum(1), data.calendar),
        durations=_all_in_last(counts, len(data.bands)),
        staff=_all_in_last(totals, len(CELLS)),
    )
    shares = predict(partial(model, known, built), drawn, rng)
    full = replace(known, durations=shares["durations"][0].astype(int), staff=shares["staff_mix"][0].astype(int))
    (folder / "extracts").mkdir()
    for name, table in _tables(full, by_day, rng).items():
        table.to_csv(folder / "extracts" / name, index=False, compression=GZIP if name.endswith("gz") else None)
    (folder / "study.toml").write_text(_study(full), encoding="utf-8")
    return full


def _all_in_last(totals: np.ndarray, categories: int) -> np.ndarray:
    """Totals that categories are still to be drawn for."""
    return np.concatenate([np.zeros((*totals.shape, categories - 1), int), totals[..., None]], axis=-1)


def _days(counts: np.ndarray, drawn: Mapping[str, np.ndarray], span: Calendar, rng: np.random.Generator) -> np.ndarray:
    """Split weekly counts over the week's days by their kind, (day, area)."""
    kinds = day_kind_effects(*(drawn[name][0] for name in ("weekday_effect", "saturday", "sunday", "holiday")))
    effects = DayEffects(np.asarray(kinds), np.array([drawn[name][0] for name in SPECIAL_DAYS]))
    weight = np.exp(np.asarray(log_day_weights(effects, span)))
    names = ("day_concentration", "holiday_split", "closed_day_concentration")
    concentration = day_concentration(*(drawn[name][0] for name in names), span)
    by_day = np.zeros((len(span.days), counts.shape[1]), int)
    for week, of_working in enumerate(np.asarray(concentration.working)):
        inside = np.flatnonzero(span.week == week)
        share = _drawn_shares(
            weight[inside] / weight[inside].sum(), span.kind[inside] < DayKind.SATURDAY, of_working, concentration.closed, rng
        )
        by_day[inside] = rng.multinomial(counts[week], share).T
    return by_day


def _drawn_shares(share: np.ndarray, working: np.ndarray, of_working: float, of_closed: float, rng: np.random.Generator) -> np.ndarray:
    """Shares of a week's days: closed days against the others, then working days among themselves."""
    together = share[working].sum()
    *closed, rest = rng.dirichlet(of_closed * np.append(share[~working], together))
    drawn = np.zeros(len(share))
    drawn[~working], drawn[working] = closed, rest * rng.dirichlet(of_working * share[working] / together)
    return drawn


def _monthly(by_day: np.ndarray, data: Workload) -> np.ndarray:
    """Totals by month and board."""
    totals = np.zeros((len(data.months), len(data.board)), int)
    month = np.searchsorted(data.months.astype("datetime64[M]"), data.calendar.days.astype("datetime64[M]"))
    np.add.at(totals, (month[:, None], data.area_board[None]), by_day)
    return totals


def _tables(data: Workload, by_day: np.ndarray, rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    place = {
        "sub_icb_location_code": data.area,
        "icb_ons_code": data.board[data.area_board],
        "region_ons_code": data.region[data.area_region],
    }
    return {
        "geography.csv": pd.DataFrame({**place, "sub_icb_location_name": data.area_name}),
        "actual_duration.csv.gz": _durations(data, by_day, place, rng),
        "appointments_regional.csv.gz": _staff(data),
        "practice_coverage.csv.gz": _coverage(data, place, rng),
        "pcn_workforce_fte_by_sub_icb.csv": _workforce(data),
    }


def _durations(data: Workload, by_day: np.ndarray, place: Mapping[str, np.ndarray], rng: np.random.Generator) -> pd.DataFrame:
    """Daily counts by band: a week's band totals dealt out to its days without replacement; zero cells are absent."""
    dealt = np.zeros((*by_day.shape, len(data.bands)), int)
    for week in range(len(data.calendar.weeks)):
        days = np.flatnonzero(data.calendar.week == week)
        for area in range(len(data.area)):
            left = data.durations[week, area].copy()
            for day in days:
                dealt[day, area] = rng.multivariate_hypergeometric(left, by_day[day, area], method="marginals")
                left -= dealt[day, area]
    day, area, band = np.nonzero(dealt)
    dates = np.array([d.item().strftime("%d-%b-%y") for d in data.calendar.days])
    columns = {name: codes[area] for name, codes in place.items()}
    return pd.DataFrame(
        {**columns, "appointment_date": dates[day], "actual_duration": data.bands[band], "count_of_appointments": dealt[day, area, band]}
    )


def _staff(data: Workload) -> pd.DataFrame:
    month, board, cell = np.nonzero(data.staff)
    hcp, mode = np.array(PUBLISHED_CELLS).T
    return pd.DataFrame(
        {
            "icb_ons_code": data.board[board],
            "appointment_month": data.months[month].astype("datetime64[M]").astype(str),
            "appointment_status": "Attended",
            "hcp_type": hcp[cell],
            "appointment_mode": mode[cell],
            "time_between_book_and_appointment": "Unknown / Data Quality",
            "count_of_appointments": data.staff[month, board, cell],
        }
    )


def _coverage(data: Workload, place: Mapping[str, np.ndarray], rng: np.random.Generator) -> pd.DataFrame:
    included = data.patients[0].astype(int)
    opened = np.round(included * (1.0 + rng.gamma(0.5, 0.01, included.shape))).astype(int)
    months = data.months.astype("datetime64[M]").astype(str)
    tables = [
        pd.DataFrame({**place, "appointment_month": month, "patients_registered_at_included_practices": included, "patients_registered_at_open_practices": opened})
        for month in months
    ]  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def _workforce(data: Workload) -> pd.DataFrame:
    fte = data.patients[0] * np.exp(-8.7 + 0.3 * data.workforce)
    census = str(data.months[0].astype("datetime64[M]"))
    return pd.DataFrame(
        {"census": census, "sub_icb_location_code": data.area, "staff_group": "Other Direct Patient Care staff", "fte": fte.round(3)}
    )


def _study(data: Workload) -> str:
    """study.toml: the template of the published form, under the simulated study's own name and date."""
    template = _template()
    body = template[template.index("name = ") :]
    head = (
        "# A simulated study of general practice, in the form that NHS England publishes; the places do not exist.\n"
        "# Drawn by `bayestwin simulate` from the model's prior; the truth is in truth.nc.\n\n"
    )
    last = data.until.days[-1]
    body = re.sub(r"^name = .*$", 'name = "virtual_practices"', body, count=1, flags=re.M)
    body = re.sub(r"^as_of = \S+", f"as_of = {last}", body, count=1, flags=re.M)
    body = body.replace("in each sub-ICB over", "in each area over").replace("Integrated care board workforce", "Workforce")
    return head + body.replace("\n[calendar]", 'truth = "truth.nc"\n\n[calendar]', 1)
