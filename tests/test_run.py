"""A whole run of a tiny study: what is written, what is read back, what happens when things go wrong."""

import json
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from tiny_study import write_tiny_study
from typer.testing import CliRunner

import bayestwin as bt
from bayestwin.again import prepared_again
from bayestwin.analyse.forecast import LEVELS
from bayestwin.cli import app
from bayestwin.errors import RunError, ScenarioError
from bayestwin.netcdf import write_netcdf
from bayestwin.preposterior.value import selected
from bayestwin.runs import new_run

QUANTITIES = {"appointments", "clinician_hours", "gp_hours", "other_hours"}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_study(tmp_path_factory.mktemp("whole") / "study")


@pytest.fixture(scope="module")
def run(study: Path) -> bt.Run:
    return bt.calibrate(bt.read_study(study), bt.Sampling(chains=2, draws=60, warmup=60), study.parent / "run")


def test_all_groups_are_there_on_named_dims_without_bayestwin(run: bt.Run) -> None:
    tree = xr.open_datatree(run.folder / "posterior.nc", engine="h5netcdf")
    expected = {
        "posterior",
        "sample_stats",
        "log_likelihood",
        "log_prior",
        "posterior_predictive",
        "prior",
        "prior_predictive",
        "observed_data",
        "constant_data",
        "predictions",
    }
    assert set(tree.children) == expected
    assert tree["posterior"]["area_level"].dims == ("chain", "draw", "area")
    assert tree["posterior"]["area"].to_numpy().tolist() == ["A1", "A2", "A3"]
    assert tree["log_likelihood"]["appointments"].dims == ("chain", "draw", "period", "area")
    assert tree["predictions"]["clinician_hours"].dims == ("chain", "draw", "period", "area")
    for group in tree.children:
        for name, values in tree[group].data_vars.items():
            assert not any(dim.startswith("dim_") for dim in map(str, values.dims)), f"{group}/{name}"
            if values.dtype.kind == "f":
                assert np.isfinite(values).all(), f"{group}/{name}"
    tree.close()


def test_a_short_run_fails_its_verdict_with_reasons_and_is_written_all_the_same(run: bt.Run) -> None:
    assert run.verdict["status"] == "FAIL"
    assert any("ESS" in reason for reason in run.verdict["reasons"])
    assert "FAIL" in (run.folder / "report.html").read_text(encoding="utf-8")
    assert run.tree.attrs["verdict"] == "FAIL"


def test_forecast_table_is_tidy_and_consistent(run: bt.Run) -> None:
    table = run.forecast
    assert set(table["quantity"]) == QUANTITIES | {f"{name}_per_1000" for name in QUANTITIES}
    assert table["period_start"].drop_duplicates().tolist() == list(pd.date_range("2022-02-07", periods=8, freq="7D"))
    assert len(table) == 3 * 8 * 8
    columns = [f"q{level:g}" for level in LEVELS]
    assert (np.diff(table[columns].to_numpy(), axis=1) >= 0).all()
    np.testing.assert_allclose(table["sd"] ** 2, table["var_aleatoric"] + table["var_epistemic"], rtol=1e-6)
    means = table.pivot_table(index=["unit", "period_start"], columns="quantity", values="mean")
    np.testing.assert_allclose(means["gp_hours"] + means["other_hours"], means["clinician_hours"], rtol=1e-6)


def test_selections_move_what_rests_on_them_and_nothing_else(run: bt.Run) -> None:
    change = run.sensitivity.set_index(["parameter", "value", "quantity"])["change"].sort_index()
    assert change["null_slope", -0.5, "clinician_hours"] < 0 < change["null_slope", 0.5, "clinician_hours"]
    assert change["unknown_staff_slope", -1.0, "gp_hours"] < 0 < change["unknown_staff_slope", 1.0, "gp_hours"]
    assert change["unknown_staff_slope", 1.0, "clinician_hours"] == 0
    assert change["null_slope", 0.5, "appointments"] == 0
    assert "What an unknown selection could do" in (run.folder / "report.html").read_text(encoding="utf-8")


def test_selections_are_bands_of_what_access_costs_and_never_corrected(run: bt.Run) -> None:
    rows = {(row["parameter"], row["quantity"]): row for row in selected(run, prepared_again(run))}
    assert set(rows) == {(name, quantity) for name in ("null_slope", "unknown_staff_slope") for quantity in QUANTITIES}
    band = rows["null_slope", "clinician_hours"]
    assert (band["stream"], band["range"]) == ("durations", [-0.5, 0.5])
    held = run.sensitivity.set_index(["parameter", "quantity", "value"])["change"]
    assert band["changes"] == pytest.approx([held["null_slope", "clinician_hours", end] for end in band["range"]])
    total = run.tree["predictions"]["clinician_hours"].sum(["period", "area"])
    assert band["interval"] == pytest.approx((np.quantile(total, (0.025, 0.975)) / float(total.mean()) - 1.0).tolist())
    assert rows["null_slope", "appointments"]["tips_at"] is None
    assert "not within its range" in (run.folder / "report.html").read_text(encoding="utf-8")


def test_fitted_weeks_stand_beside_published_counts(run: bt.Run) -> None:
    fitted = run.fitted.query("level == 'national' and quantity == 'appointments'")
    assert fitted["observed"].sum() == run.tree["observed_data"]["appointments"].sum()


def test_loading_gives_the_same_objects(run: bt.Run) -> None:
    again = bt.load_run(run.folder)
    assert again.manifest == run.manifest
    xr.testing.assert_identical(again.posterior, run.posterior)
    pd.testing.assert_frame_equal(again.forecast, run.forecast)


def test_manifest_traces_every_extract(run: bt.Run) -> None:
    assert {row["extract"] for row in run.manifest["extracts"]} == {row["extract"] for row in run.manifest["ledger"]}
    assert all(len(row["sha256"]) == 64 for row in run.manifest["extracts"])
    assert json.loads((run.folder / "manifest.json").read_text(encoding="utf-8"))["sampling"]["seed"] == 0


def test_report_is_self_contained_and_described(run: bt.Run) -> None:
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "src=" not in page
    assert "<script" not in page
    assert "<link" not in page
    assert page.count('role="img" aria-label="') == page.count("<svg ")
    order = [
        page.index(f'id="{name}"')
        for name in (
            "verdict",
            "access",
            "model",
            "convergence",
            "fit",
            "identifiability",
            "forecast",
            "uncertainty",
            "limits",
            "reproduce",
        )
    ]
    assert order == sorted(order)


def test_text_from_extracts_is_escaped(run: bt.Run) -> None:
    from bayestwin.report.render import render_report

    hostile = bt.Run(run.folder, {**run.manifest, "study": {**run.manifest["study"], "question": "<script>alert(1)</script>"}})
    page = render_report(hostile)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_scenario_moves_the_forecast_as_stated(run: bt.Run, tmp_path: Path) -> None:
    scenario = tmp_path / "longer.toml"
    scenario.write_text('name = "longer visits"\n[[change]]\nkind = "duration"\nfactor = 1.5\nareas = ["A1"]\n', encoding="utf-8")
    moved = bt.forecast(run, 8, scenario, tmp_path / "moved")
    hours = [r.forecast.query("quantity == 'clinician_hours'").groupby("unit")["mean"].sum() for r in (moved, run)]
    np.testing.assert_allclose(hours[0] / hours[1], [1.5, 1.0, 1.0], rtol=1e-6)
    assert moved.manifest["forecast"]["scenario"]["name"] == "longer visits"
    assert selected(moved, prepared_again(moved)) == []  # access is valued as things stand, and these bands are not
    assert run.manifest["forecast"]["scenario"] is None


def test_a_what_if_moves_the_area_that_it_names_and_no_other(run: bt.Run, tmp_path: Path) -> None:
    scenario = tmp_path / "more.toml"
    scenario.write_text('[[change]]\nkind = "demand"\nfactor = 1.2\nareas = ["A1"]\n', encoding="utf-8")
    table = bt.forecast(run, 8, scenario, tmp_path / "more").changes
    assert table is not None
    assert set(table["level"]) == {"area", "region", "national"}
    areas = table[table["level"] == "area"].set_index(["quantity", "unit"])
    relative = (areas["mean"] / areas["baseline"]).unstack()
    np.testing.assert_allclose(relative.loc[["appointments", "clinician_hours"], "A1"], 0.2, atol=0.01)
    np.testing.assert_array_equal(areas.loc[(slice(None), ["A2", "A3"]), ["mean", "sd", "q0.975"]], 0.0)
    helps = areas["probability_helps"].unstack()
    assert helps.loc["clinician_hours", "A1"] < 0.01
    assert helps.loc["appointments"].isna().all()
    assert "What if" in (tmp_path / "more" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[change]]\nkind = "demand"\nfactor = 1.1\nareas = ["A7"]', r"unknown area.*A7"),
        ('[[change]]\nkind = "demand"\nfactr = 1.1', r"factr"),
        ("[[change]", "is not TOML"),
    ],
)
def test_faulty_scenario_is_refused(run: bt.Run, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "s.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError, match=message):
        bt.forecast(run, 8, tmp_path / "s.toml", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_forecast_refuses_extracts_that_have_changed(run: bt.Run, study: Path) -> None:
    file = study / "extracts" / "pcn_workforce_fte_by_sub_icb.csv"
    before = file.read_bytes()
    file.write_bytes(before.replace(b"1.5", b"1.6"))
    try:
        with pytest.raises(RunError, match="has changed since the run"):
            bt.forecast(run, 8)
    finally:
        file.write_bytes(before)


def test_export_to_parquet_is_long_and_whole(run: bt.Run, tmp_path: Path) -> None:
    table = pd.read_parquet(bt.export_run(run, "parquet", tmp_path / "draws.parquet"))
    assert list(table.columns) == ["chain", "draw", "variable", "index", "value"]
    assert len(table) == sum(v.size for v in run.posterior.data_vars.values())
    with pytest.raises(RunError, match="unknown format"):
        bt.export_run(run, "csv")


def test_a_folder_that_is_no_run_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(RunError, match="is there and is not a run"), new_run(tmp_path):
        pass
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"


def test_an_error_leaves_the_earlier_run_and_no_scraps(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with new_run(folder) as scratch:
        (scratch / "manifest.json").write_text("1", encoding="utf-8")
    with pytest.raises(ZeroDivisionError), new_run(folder) as scratch:
        (scratch / "manifest.json").write_text("2", encoding="utf-8")
        raise ZeroDivisionError
    assert (folder / "manifest.json").read_text(encoding="utf-8") == "1"
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(
    "place", ["(scratch / 'manifest.json').write_text('2')", "import os; keep = os.replace; os.replace = lambda a, b: (keep(a, b), die())"]
)
def test_a_kill_leaves_the_earlier_run_loadable(tmp_path: Path, place: str) -> None:
    folder = tmp_path / "run"
    with new_run(folder) as scratch:
        (scratch / "manifest.json").write_text('{"run": 1}', encoding="utf-8")
        (scratch / "posterior.nc").write_text("x", encoding="utf-8")
    code = f"""
        import os, signal
        from pathlib import Path
        from bayestwin.runs import new_run
        die = lambda: os.kill(os.getpid(), signal.SIGKILL)
        with new_run(Path({str(folder)!r})) as scratch:
            (scratch / "posterior.nc").write_text("y")
            {place}
            if "keep" not in globals():
                die()
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert bt.load_run(folder).manifest == {"run": 1}


def test_cli_prints_the_ledger_and_exits_by_the_verdict(study: Path) -> None:
    runner = CliRunner()
    shown = runner.invoke(app, ["check", str(study), "--json"])
    assert shown.exit_code == 0
    assert json.loads(shown.stdout)["units"] == {"area": 3, "board": 2, "region": 1}
    failed = runner.invoke(
        app, ["calibrate", str(study), "--chains", "2", "--draws", "50", "--warmup", "50", "--out", str(study.parent / "cli")]
    )
    assert failed.exit_code == 3
    assert "verdict FAIL" in failed.stdout
    assert (study.parent / "cli" / "report.html").is_file()


def test_cli_errors_have_no_traceback(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["check", str(tmp_path)])
    assert done.exit_code == 2
    assert "StudyError" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_group_is_read_by_itself_and_once(run: bt.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, again = bt.load_run(run.folder), bt.load_run(run.folder)
    read: list[str | None] = []
    opened = xr.open_dataset

    def seen(*given: Any, **named: Any) -> xr.Dataset:
        read.append(named.get("group"))
        return opened(*given, **named)

    monkeypatch.setattr(xr, "open_dataset", seen)
    for name in ("posterior", "prior", "posterior"):
        xr.testing.assert_identical(again.group(name), whole.tree[name].to_dataset())
        xr.testing.assert_identical(whole.group(name), whole.tree[name].to_dataset())
    assert read == ["posterior", "prior"]
    again.group("prior")["new"] = 1
    assert "new" not in again.group("prior")


def test_a_group_of_a_damaged_file_is_named(run: bt.Run, tmp_path: Path) -> None:
    shutil.copytree(run.folder, tmp_path / "run")
    (tmp_path / "run" / "posterior.nc").write_bytes(b"no netCDF")
    with pytest.raises(RunError, match=r"posterior\.nc: is damaged"):
        bt.load_run(tmp_path / "run").group("prior")


def test_a_fault_in_the_forecast_leaves_nothing_though_the_posterior_is_being_written(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, written = threading.Event(), []

    def slowly(path: Path, *given: Any, **named: Any) -> None:
        begun.set()
        time.sleep(0.5)
        write_netcdf(path, *given, **named)
        written.append(path)

    def fails(*given: Any) -> Any:
        assert begun.wait(5.0)
        assert not written
        raise ZeroDivisionError

    monkeypatch.setattr("bayestwin.runs.write_netcdf", slowly)
    monkeypatch.setattr("bayestwin.calibration.answers", fails)
    with pytest.raises(ZeroDivisionError):
        bt.calibrate(bt.read_study(study), bt.Sampling(chains=2, draws=60, warmup=60), tmp_path / "run")
    assert len(written) == 1
    assert [path.name for path in tmp_path.iterdir()] == [".run.unfinished"]
