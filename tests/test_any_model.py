"""A whole run of a model that shares no name with those of the library: hidden cells, an absent stream, what-if, ridges."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from bakery_study import write_bakery
from typer.testing import CliRunner

import bayestwin as bt
from bayestwin.cli import app
from bayestwin.errors import ExtractError, ModelError, ScenarioError
from bayestwin.report.render import render_report

FAIR = '[[change]]\nkind = "fair"\nfactor = {factor}\nshops = ["S1"]\n'
OPENING = '[[change]]\nkind = "opening"\ncode = "S9"\nlike = "S3"\n'


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bakery(tmp_path_factory.mktemp("bakery") / "study")


@pytest.fixture(scope="module")
def run(study: Path) -> bt.Run:
    return bt.calibrate(bt.read_study(study), bt.Sampling(chains=2, draws=200, warmup=200), study.parent / "run")


def asked(run: bt.Run, folder: Path, text: str) -> bt.Run:
    scenario = folder / "scenario.toml"
    scenario.write_text('name = "a fair"\n' + text, encoding="utf-8")
    return bt.forecast(run, 3, scenario, folder / "asked")


@pytest.fixture(scope="module")
def fair(run: bt.Run, tmp_path_factory: pytest.TempPathFactory) -> bt.Run:
    return asked(run, tmp_path_factory.mktemp("fair"), FAIR.format(factor=1.5) + OPENING)


def page(run: bt.Run) -> str:
    return re.sub(r"<svg.*?</svg>", "", (run.folder / "report.html").read_text(encoding="utf-8"), flags=re.DOTALL)


def test_an_absent_optional_stream_is_withheld_everywhere(study: Path, run: bt.Run) -> None:
    assert bt.check_study(bt.read_study(study))["withheld"] == ["cakes"]
    shown = CliRunner().invoke(app, ["check", str(study)]).stdout
    assert "cakes (withheld: no extract feeds the stream)" in shown
    assert run.manifest["withheld"] == ["cakes"]
    assert "Cakes</strong>: withheld: no extract feeds the stream" in page(run)


def test_a_stream_that_is_not_optional_is_asked_for(study: Path, tmp_path: Path) -> None:
    text = (study / "study.toml").read_text(encoding="utf-8").replace('stream = "bread"', 'stream = "cakes"')
    for name in ("shops.csv", "bread.csv"):
        (tmp_path / name).write_bytes((study / name).read_bytes())
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ExtractError, match=r"no extract feeds the stream.*'bread'.*\['cakes'\] aside"):
        bt.check_study(bt.read_study(tmp_path))


def test_ends_of_hidden_and_absent_cells_survive_the_disk(run: bt.Run) -> None:
    seen = bt.load_run(run.folder).tree["observed_data"]["bread"]
    assert seen.dims == ("week", "shop", "end")
    assert seen["end"].to_numpy().tolist() == ["low", "high"]
    assert set(map(tuple, seen.sel(shop="S1").to_numpy())) >= {(1.0, 7.0)}
    assert np.isneginf(seen.sel(shop="S4", end="low")).sum() == np.isposinf(seen.sel(shop="S4", end="high")).sum() == 6


def test_the_report_speaks_of_what_the_model_speaks_of(run: bt.Run) -> None:
    text = page(run)
    for word in ("area", "patients", "practice", "appointment", "national", "clinician", "GP "):
        assert not re.search(rf"\b{word}", re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)), word
    assert "Highest queueing (points of 100), first forecast week" in text
    assert "Baker S3" in text
    assert "dots: what was published." in text
    assert "on its own clock" not in text
    assert 'aria-label="Histogram of' in text


def test_means_and_sums_over_groups(run: bt.Run) -> None:
    units = run.forecast.groupby(["quantity", "period_start"])["mean"]
    whole = run.forecast_groups.query("level == 'town'").set_index(["quantity", "period_start"])["mean"].sort_index()
    np.testing.assert_allclose(whole.loc["queue"], units.mean().loc["queue"], rtol=1e-5)
    np.testing.assert_allclose(whole.loc["loaves"], units.sum().loc["loaves"], rtol=1e-5)
    assert set(run.forecast["quantity"]) == {"queue", "loaves", "loaves_per_1000"}
    assert run.changes is None


def test_published_values_stand_beside_fitted_ones_where_they_are_known(run: bt.Run) -> None:
    shop = run.fitted.query("level == 'shop' and unit == 'S1' and quantity == 'loaves'").sort_values("period_start")["observed"].to_numpy()
    low, high = run.tree["observed_data"]["bread"].sel(shop="S1").to_numpy().T
    np.testing.assert_array_equal(shop, np.where(low == high, low, np.nan))
    assert run.fitted.query("quantity == 'queue'")["observed"].isna().all()


def test_a_found_ridge_is_said_in_words(run: bt.Run) -> None:
    ridges = run.manifest["ridges"]
    assert [(ridge["name"], ridge["found"]) for ridge in ridges] == [("customers or appetite", True)]
    assert ridges[0]["words"] in page(run)
    from bayestwin.check import run_summary, run_text

    assert f"not told apart by the data: {ridges[0]['words']}" in run_text(run_summary(run))


def test_a_change_moves_what_it_names_and_nothing_else(fair: bt.Run) -> None:
    table = fair.changes.set_index(["level", "unit", "quantity"])
    others = table.loc[[("shop", shop, q) for shop in ("S2", "S3", "S4") for q in ("queue", "loaves")]]
    assert (others[["mean", "sd", "q0.025", "q0.975"]] == 0).all(axis=None)
    moved = table.loc[("shop", "S1", "loaves")]
    assert moved["mean"] / moved["baseline"] == pytest.approx(0.5, abs=0.02)
    assert table.loc[("town", "all", "loaves"), "mean"] > moved["mean"] + 20  # the new shop counts in its groups
    assert "S9" in set(fair.forecast["unit"])
    assert "S9" not in table.index.get_level_values("unit")


def test_help_is_in_the_direction_that_is_better(fair: bt.Run) -> None:
    helps = fair.changes.query("unit == 'S1'").set_index("quantity")["probability_helps"]
    assert helps["loaves"] > 0.95
    assert helps["queue"] < 0.05


def test_a_neutral_change_changes_exactly_nothing(run: bt.Run, tmp_path: Path) -> None:
    found = asked(run, tmp_path, FAIR.format(factor=1.0)).changes
    numbers = found.drop(columns=["level", "unit", "quantity", "baseline"]).to_numpy()
    assert (numbers == 0).all()


def test_no_change_gives_no_table_of_changes(run: bt.Run, tmp_path: Path) -> None:
    found = asked(run, tmp_path, "")
    assert found.changes is None
    np.testing.assert_array_equal(found.forecast["mean"], run.forecast["mean"])


def test_the_report_says_what_changes(fair: bt.Run) -> None:
    text = page(fair)
    assert "fair: factor 1.5; shops S1" in text
    assert "opening: code S9; like S3" in text
    assert "Change of queueing by group" in text
    assert text.index('id="forecast"') < text.index('id="what-if"') < text.index('id="uncertainty"')


def test_forecast_prints_the_changes_of_the_whole(run: bt.Run, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(FAIR.format(factor=1.5), encoding="utf-8")
    command = ["forecast", str(run.folder), "--horizon", "2w", "--scenario", str(tmp_path / "s.toml"), "--out", str(tmp_path / "out")]
    assert "change of an average week: +" in CliRunner().invoke(app, command).stdout
    rows = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)["changes"]
    assert [row["quantity"] for row in rows] == ["queue", "loaves"]
    assert rows[1]["low"] <= rows[1]["mean"] <= rows[1]["high"]


def test_all_faults_of_a_scenario_name_the_nearest(run: bt.Run, tmp_path: Path) -> None:
    text = '[[change]]\nkind = "far"\n[[change]]\nkind = "fair"\nfactr = 2\nshops = ["S1", "S77"]\n[[change]]\nkind = "opening"\ncode = "S9"\nlike = "S33"'
    with pytest.raises(ScenarioError) as caught:
        asked(run, tmp_path, text)
    found = [(fault.column, fault.value, fault.remedy) for fault in caught.value.faults]
    assert ("change.0.kind", "far", "did you mean 'fair'?") in found
    assert ("change.1.factr", "factr", "did you mean 'factor'?") in found
    assert ("change.1.shops", "S77", None) in found
    assert ("change.2.like", "S33", "did you mean 'S3'?") in found
    assert not (tmp_path / "asked").exists()


def test_the_report_needs_no_model(run: bt.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bayestwin.twin.answered.load_twin", lambda *a: pytest.fail("the model was loaded"))
    assert "Highest queueing" in render_report(run)


def test_a_model_without_a_simulation_cannot_be_simulated(study: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be simulated"):
        bt.simulate_study(tmp_path / "new", study)
