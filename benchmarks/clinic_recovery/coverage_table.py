"""Coverage, bias and width over clinics, with errors that count a clinic as one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


def summary(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Shares inside the central intervals by access and kind.

    Args:
        rows: rows of `recover.Held`.

    Returns:
        arm, kind, name, clinics, elements, inside_50, inside_90 and the share below the median with standard errors between clinics, the mean
        standardised error with its own, the width of the 90 % interval against full access of the same clinics (geometric mean), and the largest R-hat: fits that did
        not converge are told and not left out.
    """
    table = pd.DataFrame(rows)
    whole = table.assign(name="all")
    return pd.concat([_by_name(whole), _by_name(table)], ignore_index=True)


def _by_name(table: pd.DataFrame) -> pd.DataFrame:
    keys, sums = ["arm", "kind", "name"], ["elements", "inside_50", "inside_90", "below", "error", "log_width"]
    by_clinic = table.groupby([*keys, "clinic"], sort=False).agg(dict.fromkeys(sums, "sum") | {"r_hat": "max"}).reset_index()
    full = by_clinic[by_clinic["arm"] == "full"].set_index(["kind", "name", "clinic"])["log_width"]
    found = []
    for key, group in by_clinic.groupby(keys, sort=False):
        row: dict[str, Any] = dict(zip(keys, key, strict=True)) | {"clinics": len(group), "elements": int(group["elements"].sum())}
        for column, of in (("inside_50", "inside_50"), ("inside_90", "inside_90"), ("below", "below"), ("error", "mean_error")):
            row[of], row[f"{of}_se"] = _ratio(group[column].to_numpy(float), group["elements"].to_numpy(float))
        both = group.set_index(["kind", "name", "clinic"]).join(full.rename("full"), how="inner")
        row["width_ratio"] = float(np.exp((both["log_width"] - both["full"]).sum() / both["elements"].sum())) if len(both) else np.nan
        found.append(row | {"r_hat": float(group["r_hat"].max())})
    return pd.DataFrame(found)


def _ratio(part: np.ndarray, whole: np.ndarray) -> tuple[float, float]:
    """A ratio of sums over clinics and its standard error; elements of one clinic stand together."""
    share, count = part.sum() / whole.sum(), len(part)
    error = np.sqrt(np.square(part - share * whole).sum() * count / max(count - 1, 1)) / whole.sum()
    return float(share), float(error) if count > 1 else float("nan")


def as_text(table: pd.DataFrame) -> str:
    """The table for people."""
    shown = pd.DataFrame(
        {
            "access": table["arm"],
            "of": table["kind"] + " " + table["name"].where(table["name"] != "all", ""),
            "clinics": table["clinics"],
            "inside 50 %": [f"{s:.1%} ± {e:.1%}" for s, e in zip(table["inside_50"], table["inside_50_se"], strict=True)],
            "inside 90 %": [f"{s:.1%} ± {e:.1%}" for s, e in zip(table["inside_90"], table["inside_90_se"], strict=True)],
            "below median": [f"{s:.1%} ± {e:.1%}" for s, e in zip(table["below"], table["below_se"], strict=True)],
            "mean error": [f"{s:+.2f} ± {e:.2f} sd" for s, e in zip(table["mean_error"], table["mean_error_se"], strict=True)],
            "width": table["width_ratio"].map("{:.2f}".format),
            "R-hat": table["r_hat"].map("{:.3f}".format),
        }
    )
    return shown.to_string(index=False)
