"""run.py and score.py from the command to the printed figures."""

import importlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

START = np.datetime64("2021-08-02")
DELAYS = 60


def triangle_file(folder: Path, days: int = 120) -> Path:
    """Every event day has 8 reports of delay 0 and 2 of delay 3 in Germany, none later."""
    cells = np.zeros((days, DELAYS))
    cells[:, 0], cells[:, 3] = 8, 2
    known = np.add.outer(np.arange(days), np.arange(DELAYS)) < days
    table = pd.DataFrame(np.where(known, cells, np.nan), columns=[f"d{i}" for i in range(DELAYS)])
    table.insert(0, "age_group", "00+")
    table.insert(0, "location", "DE")
    table.insert(0, "date", (START + np.arange(days).astype("timedelta64[D]")).astype(str))
    table.to_csv(folder / "triangle.csv", index=False)
    return folder / "triangle.csv"


def test_run_and_score_end_to_end(scripts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, score = (importlib.import_module(name) for name in ("run", "score"))
    triangle, out = triangle_file(tmp_path), tmp_path / "out.csv"
    span = ["--from", "2021-10-11", "--to", "2021-10-18", "--step", "7"]
    run.main(["--triangle", str(triangle), *span, "--levels", "national", "--processes", "1", "--out", str(out)])
    table = pd.read_csv(out)
    assert list(table.columns) == ["location", "age_group", "forecast_date", "target_end_date", "quantile", "value"]
    assert len(table) == 2 * 29 * 7
    # 70 events a week; those reported: all but the two reports of delay 3 of each of the last three days
    frozen = pd.read_csv(tmp_path / "out.frozen.csv")
    assert sorted(frozen.loc[frozen["forecast_date"] == "2021-10-18", "value"].unique()) == [64.0, 66.0, 68.0, 70.0]
    capsys.readouterr()
    score.main([str(out), "--triangle", str(triangle), "--json"])
    found = json.loads(capsys.readouterr().out)["levels"]["national"]
    # a nowcast without spread is wrong by 6, 4 and 2 at horizons 0, 1 and 2, and right at the other 26
    assert found["frozen"]["wis"] == pytest.approx(12 / 29)
    assert found["frozen"]["cover_95"] == pytest.approx(26 / 29)
    assert found["frozen"]["targets"] == 58
    assert found["bayestwin"]["wis_over_frozen"] < 1.0
    assert found["bayestwin"]["cover_95"] == 1.0


def test_score_in_closed_form(scripts: Path) -> None:
    score = importlib.import_module("score")
    one = {"location": "DE", "age_group": "00+", "forecast_date": "a", "target_end_date": "a", "level": "national", "horizon": 0}
    each = score.scores(pd.DataFrame([one | {"truth": 10.0} | dict.fromkeys(score.QUANTILES, 14.0)]))
    assert each["wis"].item() == pytest.approx(4.0)  # a point nowcast scores its absolute error
    values = dict(zip(score.QUANTILES, [0.0, 2.0, 4.0, 8.0, 12.0, 14.0, 16.0], strict=True))
    each = score.scores(pd.DataFrame([one | {"truth": 10.0} | values]))
    by_hand = 2 * (0.025 * 10 + 0.1 * 8 + 0.25 * 6 + 0.5 * 2 + 0.25 * 2 + 0.1 * 4 + 0.025 * 6) / 7
    assert each["wis"].item() == pytest.approx(by_hand)
    assert each[["cover_50", "cover_95"]].to_numpy().all()


def test_targets_without_truth_are_said_and_none_at_all_is_an_error(
    scripts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    score, run = (importlib.import_module(name) for name in ("score", "run"))
    triangle = triangle_file(tmp_path)
    flat = np.zeros((29, 1, 7))
    for name, day in {"partly": "2021-10-25", "none": "2021-11-29"}.items():
        run.rows(("DE,00+",), np.datetime64(day), flat).to_csv(tmp_path / f"{name}.csv", index=False)
    score.main([str(tmp_path / "partly.csv"), "--triangle", str(triangle), "--json"])
    caught = capsys.readouterr()
    assert "left out: 5 targets have no 40-day truth" in caught.err
    assert json.loads(caught.out)["without_truth"] == {"targets": 5, "first": "2021-10-21", "last": "2021-10-25"}
    with pytest.raises(SystemExit, match=r"ExtractError: .*none\.csv: no target has its truth in this triangle"):
        score.main([str(tmp_path / "none.csv"), "--triangle", str(triangle)])


def test_unknown_level_and_missing_series_are_named(scripts: Path, tmp_path: Path) -> None:
    run = importlib.import_module("run")
    arguments = ["--triangle", str(triangle_file(tmp_path)), "--from", "2021-10-11", "--to", "2021-10-11", "--out", str(tmp_path / "o.csv")]
    with pytest.raises(SystemExit, match="ExtractError: --levels: no such level: found 'towns'; expected national, states, age"):
        run.main([*arguments, "--levels", "towns"])
    with pytest.raises(SystemExit, match="forecast dates outside the triangle: found '2021-10-11 to 2022-01-01'; expected"):
        run.main([*arguments, "--levels", "national", "--to", "2022-01-01"])
    with pytest.raises(SystemExit, match="series missing: found 'DE-BB,00\\+'"):
        run.main([*arguments, "--levels", "states"])
