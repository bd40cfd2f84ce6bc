"""Recovery of simulated clinics: the naive reading of extracts, and coverage counted clinic by clinic."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayestwin as bt
from bayestwin.prepared import prepare
from bayestwin.twin.twin import Design

sys.path.append(str(Path(__file__).parents[2] / "benchmarks" / "clinic_recovery"))  # a script's folder, as it is when the script runs

from coverage_table import as_text, summary
from naive import taken_at_face_value


def test_a_naive_reading_states_no_barrier_and_has_zeros_for_what_is_hidden(tmp_path: Path) -> None:
    bt.simulate_study(tmp_path / "clinic", model="provider_workload", design=Design(units=4, groups=2, weeks=8), seed=2)
    through = prepare(bt.read_study(tmp_path / "clinic")).data.streams
    naive = prepare(bt.read_study(taken_at_face_value(tmp_path / "clinic", tmp_path / "naive"))).data.streams
    assert not any(stream.access.barriers for stream in naive.values())
    hidden = np.isfinite(through["advice"].ends).all(-1) & ~through["advice"].exact
    assert hidden.any()
    assert (naive["advice"].ends[hidden] == 0.0).all()
    missing = np.isinf(through["inbox_minutes"].ends).any(-1)
    assert np.isinf(naive["inbox_minutes"].ends[missing]).any(-1).all()
    assert "2" in pd.read_csv(tmp_path / "naive" / "extracts" / "people.csv", dtype=str)["name"].str[-1].tolist()


def row(clinic: int, arm: str, inside: int, width: float) -> dict:
    return {"clinic": clinic, "arm": arm, "kind": "parameter", "name": "a", "elements": 10, "inside_50": inside // 2, "inside_90": inside,
            "below": 5.0, "error": 1.0, "log_width": 10 * np.log(width), "r_hat": 1.0, "seconds": 1.0}  # fmt: skip


def test_coverage_counts_a_clinic_as_one_and_widths_against_full_access() -> None:
    rows = [row(1, "full", 8, 1.0), row(2, "full", 10, 2.0), row(1, "degraded", 9, 1.5), row(2, "degraded", 9, 3.0)]
    table = summary(rows).query("name == 'all'").set_index("arm")
    assert table.loc["full", "inside_90"] == pytest.approx(0.9)
    assert table.loc["full", "inside_90_se"] == pytest.approx(0.1)  # shares of .8 and 1: sd .1414 over the root of two
    assert table.loc["degraded", "inside_90_se"] == pytest.approx(0.0)
    assert table.loc["degraded", "width_ratio"] == pytest.approx(1.5)
    assert table.loc["full", "width_ratio"] == pytest.approx(1.0)
    assert table.loc["full", "mean_error"] == pytest.approx(0.1)
    assert "90.0% ± 10.0%" in as_text(summary(rows))
