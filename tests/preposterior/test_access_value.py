"""`bayestwin access` on a whole run of a model that is not of the library, and what a file of requests may say."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from bakery_study import write_bakery
from scipy import stats
from typer.testing import CliRunner

import bayestwin as bt
from bayestwin.cli import app
from bayestwin.errors import RequestError
from bayestwin.preposterior import rows, value
from bayestwin.preposterior.bent import by_order
from bayestwin.preposterior.plan import Goal
from bayestwin.preposterior.quantities import Asked
from bayestwin.preposterior.words import access_text
from bayestwin.report.access import access_shown
from bayestwin.report.render import render_access
from bayestwin.twin.answered import answered_by_run

GOOD = """
[[request]]
name = "every small number"
cost = 2.0
arrives = { median_days = 30, p90_days = 90 }
lift = [{ barrier = "suppress" }]

[[request]]
name = "small numbers from 6 on"
lift = [{ barrier = "suppress", streams = ["bread"], set = { below = 6 } }]

[[request]]
name = "the fourth shop"
lift = [{ barrier = "site_absence" }]
"""

DECISION = """
unit = "loaves"
weeks = 20

[[option]]
name = "as things stand"

[[option]]
name = "a fair at the fourth shop"
scenario = "fair.toml"
cost = 10.0

[[loss]]
quantity = "loaves"
per = -1.0
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> bt.Run:
    folder = tmp_path_factory.mktemp("bakery")
    study = write_bakery(folder / "study")
    bread = (study / "bread.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (study / "bread.csv").write_text("".join(line for line in bread if not line.startswith("S4")), encoding="utf-8")
    with (study / "study.toml").open("a", encoding="utf-8") as file:
        file.write('\n[[extract.barriers]]\nkind = "site_absence"\ndim = "shop"\nabsent = ["S4"]\n')
    return bt.calibrate(bt.read_study(study), bt.Sampling(chains=2, draws=400, warmup=200), folder / "run")


@pytest.fixture(scope="module")
def answer(run: bt.Run, tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder = tmp_path_factory.mktemp("requests")
    requests, decision = folder / "requests.toml", folder / "decision.toml"
    requests.write_text(GOOD, encoding="utf-8")
    decision.write_text(DECISION, encoding="utf-8")
    (folder / "fair.toml").write_text('[[change]]\nkind = "fair"\nfactor = 1.5\nshops = ["S4"]\n', encoding="utf-8")
    arguments = ["--requests", str(requests), "--decision", str(decision), "--by", "90", "--json"]
    done = CliRunner().invoke(app, ["access", str(run.folder), *arguments])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def of(answer: dict, quantity: str, level: str, unit: str) -> dict:
    return next(row for row in answer["quantities"] if (row["quantity"], row["level"], row["unit"]) == (quantity, level, unit))


def test_the_parts_sum_to_what_access_costs_and_that_to_what_is_not_known(answer: dict) -> None:
    assert [barrier["barrier"] for barrier in answer["barriers"]] == ["suppress", "site_absence"]
    assert answer["barriers"][0]["streams"] == ["bread"]
    assert answer["selections"] == []
    for row in answer["quantities"]:
        assert sum(part["value"] for part in row["by_barrier"]) == pytest.approx(row["access_induced"], abs=1e-9 * row["epistemic"])
        assert row["epistemic_full"] + row["access_induced"] == pytest.approx(row["epistemic"])
        assert all(part["least"] <= part["value"] + 1e-12 and part["value"] <= part["most"] + 1e-12 for part in row["by_barrier"])


def test_a_shop_is_widened_by_what_is_hidden_of_it(answer: dict) -> None:
    hidden, absent = of(answer, "loaves", "shop", "S1"), of(answer, "loaves", "shop", "S4")
    share = {row["unit"]: {part["barrier"]: part["share"] for part in row["by_barrier"]} for row in (hidden, absent)}
    assert share["S1"]["suppress"] > 5.0 * share["S1"]["site_absence"]
    assert share["S4"]["site_absence"] > 0.3
    assert share["S4"]["site_absence"] > 5.0 * share["S4"]["suppress"]


def test_the_normal_approximation_is_that_of_the_draws(answer: dict) -> None:
    ratios = [row["normal_over_draws"] for row in answer["quantities"] if row["quantity"] == "queue"]
    assert all(0.8 < ratio < 1.25 for ratio in ratios)


def test_a_skewed_answer_is_told_by_the_ratio(answer: dict) -> None:
    """Nobody has seen the fourth shop: its loaves are log-normal with an sd of 0.6, which no normal law is."""
    assert of(answer, "loaves", "shop", "S4")["normal_over_draws"] < 0.8


def test_requests_are_ranked_by_what_they_take_away(answer: dict) -> None:
    values = [row["value"] for row in answer["requests"]]
    assert values == sorted(values, reverse=True)
    assert [row["rank"] for row in answer["requests"]] == [1, 2, 3]
    by_name = {row["request"]: row for row in answer["requests"]}
    whole, part = by_name["every small number"], by_name["small numbers from 6 on"]
    assert whole["value"] > part["value"] > 0.0
    assert whole["value_per_cost"] == pytest.approx(whole["value"] / 2.0)
    assert part["cost"] is None
    soon = {date["days"]: date["there"] for date in whole["by_date"]}
    assert soon[30] == pytest.approx(0.5)
    assert soon[90] == pytest.approx(0.9)
    assert len(answer["pairs"]) == 3


def test_a_selection_that_tips_is_said_on_the_page_and_in_the_text(run: bt.Run, answer: dict, tmp_path: Path) -> None:
    band = {
        "parameter": "opening_slope",
        "stream": "bread",
        "sentence": "Only some <shops> tell.",
        "quantity": "loaves",
        "level": "town",
        "mean": 0.0,
    }
    band |= {"range": [-1.0, 1.0], "changes": [-0.1, 0.4], "error": 0.01, "interval": [-0.3, 0.2], "tips_at": 0.5, "tips_within": True}
    shutil.copytree(run.folder, tmp_path / "run")
    (tmp_path / "run" / "access.json").write_text(json.dumps(answer | {"selections": [band]}), encoding="utf-8")
    page = render_access(bt.load_run(tmp_path / "run"))
    assert "What an unknown selection could do" in page
    assert "tips at +0.500" in page
    line = next(line for line in access_text(answer | {"selections": [band]}).splitlines() if "opening_slope" in line)
    assert "at +0.500 loaves leaves its 95 % interval" in line
    assert "opening_slope" not in access_text(answer | {"selections": [band | {"tips_within": False}]})
    assert "What an unknown selection could do" not in render_access(run)


def test_what_was_found_is_kept_with_the_run_and_shown(run: bt.Run, answer: dict) -> None:
    assert bt.load_run(run.folder).access == answer
    report, page = ((run.folder / name).read_text(encoding="utf-8") for name in ("report.html", "access.html"))
    assert 'id="access-cost"' in report
    assert "every small number" in page
    assert "There in 90 days" in page


def test_a_value_that_is_nothing_has_no_sign(run: bt.Run, answer: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    quantities = [
        row | {"by_barrier": [part | {"value": -1e-6 * row["epistemic"]} for part in row["by_barrier"]]} for row in answer["quantities"]
    ]
    monkeypatch.setattr(bt.Run, "access", answer | {"quantities": quantities})
    page = render_access(run)
    assert '"n">0 ± ' in page
    assert '"n">-0 ' not in page
    assert ">-0<" not in page  # in figures


def test_only_pairs_that_are_worth_something_together_are_mentioned(run: bt.Run, answer: dict) -> None:
    known, now = answered_by_run(run.manifest), of(answer, answer["requests"][0]["quantity"], "town", "all")["epistemic"]
    gains = [(0.02, 0.001), (0.02, 0.015), (0.005, 0.001)]  # clear; within its error; clear and a trifle
    pairs = [{"requests": [str(i), "other"], "beyond_each": now * by, "error": now * error} for i, (by, error) in enumerate(gains)]
    assert [pair["requests"][0] for pair in access_shown(answer | {"pairs": pairs}, known).pairs] == ["0"]


def test_a_plan_is_made_where_one_is_asked_for(run: bt.Run, answer: dict) -> None:
    before = {name: (run.folder / name).read_bytes() for name in ("access.json", "access.html", "access_plan.md")}
    ranked = CliRunner().invoke(app, ["access", str(run.folder)])
    assert "1. lift site absence" in ranked.stdout
    assert "To file" not in ranked.stdout
    assert bt.load_run(run.folder).access["plan"] is None
    assert "What to file together" not in (run.folder / "access.html").read_text(encoding="utf-8")
    assert not (run.folder / "access_plan.md").exists()
    planned = CliRunner().invoke(app, ["access", str(run.folder), "--by", "90"])
    assert "To file whatever the cost, for the forecast in 90 days, of 4 sets:" in planned.stdout
    assert "every affordable set that can be granted together was looked at." in planned.stdout
    for name, content in before.items():
        (run.folder / name).write_bytes(content)


def test_a_search_finds_the_plan_that_looking_at_every_set_finds(
    run: bt.Run, answer: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With information that is kept and added up for one set after another, instead of for all sets at each draw."""
    path = tmp_path / "requests.toml"
    path.write_text(GOOD, encoding="utf-8")
    before = (run.folder / "access.json").read_bytes()
    every = bt.access_value(run, path, goal=Goal(by=1e6))["plan"]
    monkeypatch.setattr("bayestwin.preposterior.value.MOST_SETS", 4)
    found = bt.access_value(run, path, goal=Goal(by=1e6))["plan"]
    (run.folder / "access.json").write_bytes(before)
    assert "branch and bound" in found["method"]
    assert (every["short"], found["short"]) == (0.0, 0.0)
    assert found["sets"] < every["sets"] == 8
    assert found["best"]["share"] == pytest.approx(every["best"]["share"], abs=1e-5)
    assert [row["request"] for row in found["steps"]] == [row["request"] for row in every["steps"]]
    assert [row["width"] for row in found["best"]["by_date"]] == pytest.approx([row["width"] for row in every["best"]["by_date"]], rel=0.02)


def test_the_plan_files_all_that_can_be_granted_and_is_shown_by_date(run: bt.Run, answer: dict) -> None:
    plan = answer["plan"]
    assert (plan["budget"], plan["by_days"], plan["quantity"], plan["sets"]) == (None, 90.0, "queue", 8)
    assert "the fourth shop" in plan["best"]["requests"]
    assert plan["steps"][0]["request"] == "the fourth shop"
    assert plan["steps"][-1]["share"] == pytest.approx(plan["best"]["share"], abs=1e-8)
    first = of(answer, "queue", "town", "all")
    row = plan["best"]["by_date"][-1]
    assert row["width"] == pytest.approx(3.92 * np.sqrt(first["aleatoric"] + row["sd"] ** 2), rel=0.02)
    assert row["width"] < plan["best"]["width_now"] == pytest.approx(3.92 * np.sqrt(first["aleatoric"] + first["epistemic"]))
    assert "What to file together" in (run.folder / "access.html").read_text(encoding="utf-8")
    table = (run.folder / "access_plan.md").read_text(encoding="utf-8")
    assert "queueing (points of 100)" in table
    assert "| 365 " in table


def test_a_budget_needs_costs(run: bt.Run, tmp_path: Path) -> None:
    path = tmp_path / "requests.toml"
    path.write_text(GOOD, encoding="utf-8")
    done = CliRunner().invoke(app, ["access", str(run.folder), "--requests", str(path), "--budget", "3", "--by", "-2"])
    assert done.exit_code == 2
    for words in ("request.1.cost", "request.2.cost", "small numbers from 6 on", "--by"):
        assert words in done.stderr


def test_more_information_never_raises_what_is_left(answer: dict) -> None:
    for row in answer["quantities"]:
        slack = 3.0 * max(part["error"] for part in row["by_barrier"]) + 1e-3 * row["epistemic"]
        assert all(part["least"] >= -slack for part in row["by_barrier"]), row
        assert -1e-9 <= row["epistemic_full"] <= row["epistemic"] + slack


def test_every_fault_of_a_file_of_requests_is_told(run: bt.Run, tmp_path: Path) -> None:
    text = """
    extra = 1
    [[request]]
    name = "one"
    lift = [{ barrier = "supress" }]
    [[request]]
    name = "one"
    lift = [{ barrier = "suppress", streams = ["cakes"] }]
    [[request]]
    name = "two"
    lift = [{ barrier = "suppress", set = { below = -3 } }]
    [[request]]
    name = "three"
    arrives = { median_days = 30, p90_days = 20 }
    lift = []
    """
    path = tmp_path / "requests.toml"
    path.write_text(text, encoding="utf-8")
    before = (run.folder / "access.json").read_bytes() if (run.folder / "access.json").is_file() else None
    with pytest.raises(RequestError) as caught:
        bt.access_value(run, path)
    found = {(fault.column, fault.value) for fault in caught.value.faults}
    assert ("extra", None) in found
    assert ("request.0.lift.0.barrier", "supress") in found
    assert ("request.1.lift.0.streams", "cakes") in found
    assert ("request", "one") in found
    assert any(column and column.startswith("request.2.lift.set") for column, _ in found)
    assert any(column and column.startswith("request.3.arrives") for column, _ in found)
    assert any(column == "request.3.lift" for column, _ in found)
    remedies = [fault.remedy for fault in caught.value.faults]
    assert "did you mean 'suppress'?" in remedies
    after = (run.folder / "access.json").read_bytes() if (run.folder / "access.json").is_file() else None
    assert before == after


def test_unknowns_of_draws_are_found_again(run: bt.Run) -> None:
    from bayestwin.again import prepared_again
    from bayestwin.infer.mcmc import unnormalised

    prepared = prepared_again(run)
    target = unnormalised(prepared.model, prepared.twin.definition.pilot(prepared.data), None)
    values = {str(name): part.to_numpy()[0, 3] for name, part in run.posterior.items()}
    named = target.named(target.flat(values), None)
    for name in ("customers", "appetite", "sd_shop", "shop_level"):
        np.testing.assert_allclose(named[name], values[name], rtol=1e-6)


def test_a_decision_waits_for_the_shop_that_it_is_about(answer: dict) -> None:
    """A fair brings half as many loaves again at a shop that nobody has seen: whether that covers its cost, that shop's data say."""
    decision = answer["decision"]
    stay, fair = decision["options"]
    assert stay["probability_best"] + fair["probability_best"] == pytest.approx(1.0)
    brought = 0.5 * of(answer, "loaves", "shop", "S4")["mean"]
    assert fair["net_benefit"] - stay["net_benefit"] == pytest.approx(brought - 10.0, rel=0.03)
    value = {row["request"]: row["evsi"] for row in decision["requests"]}
    assert 0.0 <= value["every small number"] < 0.1 * value["the fourth shop"]
    assert 0.5 * decision["evpi"] < value["the fourth shop"] <= decision["full_access"] + 1e-9 <= decision["evpi"] + 2e-9
    weeks = {row["request"]: row["weeks_there"] for row in decision["requests"]}
    assert weeks["the fourth shop"] == pytest.approx(20.0)
    assert 10.0 < weeks["every small number"] < 17.0


def test_knowing_a_parameter_takes_away_what_hangs_on_it(answer: dict) -> None:
    share = {row["parameter"]: row["share"] for row in answer["parameters"] if row["quantity"] == "queue"}
    assert set(share) == {"customers", "appetite", "sd_shop"}
    for row in answer["parameters"]:
        again = row["regression"]
        assert 0.0 <= again["share"] <= 1.0
        assert 0.0 <= again["share_error"] < 0.2
        assert row["agree"] == (abs(again["share"] - row["share"]) <= max(3.0 * again["share_error"], 0.02))
    by_regression = {row["parameter"]: row["regression"]["share"] for row in answer["parameters"] if row["quantity"] == "queue"}
    assert by_regression["customers"] < 0.2
    worth = answer["decision"]["parameters"]
    assert [row["evppi"] for row in worth] == sorted((row["evppi"] for row in worth), reverse=True)
    assert all(0.0 <= row["evppi"] <= answer["decision"]["evpi"] + 1e-9 for row in worth)
    assert all(0.0 <= part <= 1.0 for part in share.values())
    # Sales identify customers × appetite only: neither alone says much of what will be sold.
    assert share["customers"] < 0.2
    assert share["appetite"] < 0.2


class Prospects:
    """Expected variances that are given: 30 % of what there is, from each of two points."""

    def variances(self, wanted: list, slopes: np.ndarray, tick) -> np.ndarray:
        return np.broadcast_to(0.3 * np.square(slopes).sum(0), (2, len(wanted), slopes.shape[1]))

    def kept(self, slopes: np.ndarray, tick):
        return lambda accesses: self.variances([accesses], slopes, tick)[:, 0]


def test_answers_are_bent_as_their_draws_are_and_changes_of_benefit_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log-normal quantity whose logarithm has variance one, and a line: of what is left of their score the closed forms are left."""
    score = stats.norm.ppf((np.arange(4000) + 0.5) / 4000)
    asked, nothing = (Asked("minutes", "all", "all"), Asked("level", "parameter", "")), np.empty(0)
    orders = by_order(np.column_stack([np.exp(score), score]))
    knowledge = value.Knowledge(score.reshape(2, -1, 1), np.exp(score).reshape(2, -1, 1), np.zeros(1))
    slopes = np.array([[1.0, 0.5, 1.0], [1.0, 0.0, 1.0]])
    found = value.Answers(asked, nothing, nothing, np.ones(2), slopes, orders, nothing, knowledge, None, 0, 1)
    monkeypatch.setattr(value, "gains", lambda *rest: Prospects())
    exact = np.expm1(-0.3) / np.expm1(-1.0)
    left = found.left({}, [{}], lambda done: None)
    np.testing.assert_allclose(left[0, 0], [exact, 0.3, 0.3], atol=0.02)
    np.testing.assert_allclose(found.left_of_first({}, [{}], lambda done: None)({}), exact, atol=0.02)
    (row,) = rows.learned(found)  # the parameter tells half of the score's variance
    assert row["share"] == pytest.approx(1.0 - np.expm1(-0.5) / np.expm1(-1.0), abs=0.02)
