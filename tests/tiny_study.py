"""A small study in the form that NHS England publishes."""

import itertools
import re
from pathlib import Path

import numpy as np
import pandas as pd

from bayestwin.library import library_folder

AREAS = {"A1": "B1", "A2": "B1", "A3": "B2"}
BANDS = ["1-5 Minutes", "6-10 Minutes", "11-15 Minutes", "16-20 Minutes", "21-30 Minutes", "31-60 Minutes", "Unknown / Data Quality"]


def write_tiny_study(folder: Path, weeks: int = 5) -> Path:
    """Three areas, two boards, one region, a few weeks from Monday 3 January 2022, in the published form."""
    rng = np.random.default_rng(5)
    extracts = folder / "extracts"
    extracts.mkdir(parents=True)
    days = pd.date_range("2022-01-03", periods=7 * weeks)
    geography = pd.DataFrame(
        {
            "sub_icb_location_code": list(AREAS),
            "icb_ons_code": list(AREAS.values()),
            "region_ons_code": "R1",
            "sub_icb_location_name": list(AREAS),
        }
    )
    geography.to_csv(extracts / "geography.csv", index=False)
    rows = [
        (area, day.strftime("%d-%b-%y"), band, int(rng.poisson(60 * (1.2 if day.weekday() < 5 else 0.05) * share * 7)))
        for area, day, (band, share) in itertools.product(AREAS, days, zip(BANDS, [0.17, 0.2, 0.15, 0.1, 0.09, 0.05, 0.24], strict=True))
    ]
    durations = pd.DataFrame(rows, columns=["sub_icb_location_code", "appointment_date", "actual_duration", "count_of_appointments"])
    durations[durations["count_of_appointments"] > 0].to_csv(extracts / "actual_duration.csv.gz", index=False)
    months = ["2022-01"]
    staff = [
        (board, month, status, hcp, mode, int(rng.poisson(4000)))
        for board, month, status, hcp, mode in itertools.product(
            ["B1", "B2"], months, ["Attended", "DNA"], ["GP", "Other Practice staff", "Unknown"], ["Face-to-Face", "Telephone"]
        )
    ]
    columns = ["icb_ons_code", "appointment_month", "appointment_status", "hcp_type", "appointment_mode", "count_of_appointments"]
    pd.DataFrame(staff, columns=columns).to_csv(extracts / "appointments_regional.csv.gz", index=False)
    cover = [(area, month, 9000 + 500 * i, 9100 + 500 * i) for i, area in enumerate(AREAS) for month in ["2021-12", *months]]
    columns = [
        "sub_icb_location_code",
        "appointment_month",
        "patients_registered_at_included_practices",
        "patients_registered_at_open_practices",
    ]
    pd.DataFrame(cover, columns=columns).to_csv(extracts / "practice_coverage.csv.gz", index=False)
    work = [("2021-12", area, "Other Direct Patient Care staff", 1.5 + 0.3 * i) for i, area in enumerate(AREAS)]
    pd.DataFrame(work, columns=["census", "sub_icb_location_code", "staff_group", "fte"]).to_csv(
        extracts / "pcn_workforce_fte_by_sub_icb.csv", index=False
    )
    template = (library_folder("models") / "gp_appointments" / "nhs_gp.study.toml").read_text(encoding="utf-8")
    last = days[-1].date()
    (folder / "study.toml").write_text(re.sub(r"^as_of = \S+", f"as_of = {last}", template, flags=re.M), encoding="utf-8")
    return folder
