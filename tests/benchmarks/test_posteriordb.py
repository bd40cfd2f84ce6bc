"""Comparison with posteriordb: closed forms agree, wrong references do not, and bad folders are refused."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.special import gammaln

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))  # a script's folder, as it is when the script runs

import posteriordb

from bayestwin.errors import BayestwinError

RNG = np.random.default_rng(8)
N, K = 12, 9
COUNTS = {"n": N, "k": K}
ENCOURAGED, WATCHED = RNG.integers(0, 2, 16).astype(float), RNG.normal(2.0, 1.5, 16)


def write(folder: Path, name: str, data: object, reference: object) -> None:
    for part, file, value in (("data", f"{name.partition('-')[0]}.json", data), ("reference", f"{name}.summary.json", reference)):
        (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / part / file).write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")


def rate_reference(shift: float = 0.0) -> dict:
    law = stats.beta(1 + K, 1 + N - K)
    return {"theta": [law.mean() + shift * law.std(), law.std()]}


def regression_reference() -> dict:
    """Flat coefficients and a flat σ: σ² is a scaled inverse χ² of n - 3 degrees of freedom, coefficients are t."""
    x = np.column_stack([np.ones_like(ENCOURAGED), ENCOURAGED])
    beta = np.linalg.lstsq(x, WATCHED)[0]
    rest, free = np.square(WATCHED - x @ beta).sum(), len(x) - 3
    sds = np.sqrt(rest / (free - 2) * np.diag(np.linalg.inv(x.T @ x)))
    sigma = np.sqrt(rest / 2) * np.exp(gammaln((free - 1) / 2) - gammaln(free / 2))
    return {
        "beta[1]": [beta[0], sds[0]],
        "beta[2]": [beta[1], sds[1]],
        "sigma": [sigma, np.sqrt(rest / (free - 2) - sigma**2)],
    }


def answer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the command."""
    monkeypatch.setattr(sys, "argv", ["posteriordb.py", *arguments])
    with pytest.raises(SystemExit) as stopped:
        posteriordb.main()
    return int(stopped.value.code or 0), *capsys.readouterr()


def test_closed_forms_agree_and_wrong_references_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    write(tmp_path, "right-Rate_1_model", COUNTS, rate_reference())
    write(tmp_path, "shifted-Rate_1_model", COUNTS, rate_reference(shift=0.3))
    write(
        tmp_path,
        "study-sesame_one_pred_a",
        {"N": 16, "encouraged": ENCOURAGED.tolist(), "watched": WATCHED.tolist()},
        regression_reference(),
    )
    write(tmp_path, "other-no_such_program", COUNTS, rate_reference())
    code, out, progress = answer(monkeypatch, capsys, "--dir", str(tmp_path), "--json")
    found = json.loads(out)
    rows = {row["name"].partition("-")[0]: row for row in found["posteriors"]}
    assert {name: row["status"] for name, row in rows.items()} == {
        "right": "agrees",
        "shifted": "differs",
        "study": "agrees",
        "other": "not expressed",
    }
    assert (code, found["agree"], found["of"], found["not_expressed"]) == (1, 2, 4, 1)
    assert rows["shifted"]["mean_error"] > 4.0 > rows["shifted"]["sd_error"]
    assert rows["study"]["elements"] == 3
    assert {row.get("verdict") for row in rows.values()} == {"PASS", None}
    assert "no_such_program" in rows["other"]["reasons"][0]
    assert "4 of 4: study-sesame_one_pred_a" in progress


def test_what_is_not_expressed_is_no_disagreement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    write(tmp_path, "other-no_such_program", {"n": "any"}, rate_reference())
    write(tmp_path, "more-Rate_1_model", COUNTS, {**rate_reference(), "theta_rep": [0.5, 0.1]})
    code, out, _ = answer(monkeypatch, capsys, "--dir", str(tmp_path))
    assert code == 0
    assert "0 of 2 agree" in out
    assert "more-Rate_1_model: the model has no theta_rep" in out
    assert "other-no_such_program: no model 'no_such_program'" in out


def test_errors_are_those_of_independent_draws() -> None:
    """With independent draws on both sides, distances are those of two samples, and both sides count."""
    draws = RNG.normal(size=(4, 2500, 2)) * [1.0, 3.0]
    mean, sd = draws.mean((0, 1)), draws.std((0, 1), ddof=1)
    either = np.sqrt(2.0 / 10_000)
    shifted = {f"x[{i + 1}]": (mean[i] + 5.0 * either * sd[i], sd[i] * (1.0 + 3.0 * either / np.sqrt(2.0))) for i in (0, 1)}
    found = posteriordb.distances({"x": draws}, shifted)
    np.testing.assert_allclose(found.mean, 5.0, rtol=0.05)
    np.testing.assert_allclose(found.sd, 3.0, rtol=0.05)


def test_a_failed_fit_does_not_agree_however_close_it_is() -> None:
    near, far = posteriordb.Distances(np.ones(2), np.ones(2)), posteriordb.Distances(np.ones(2), np.array([1.0, 4.1]))
    assert [posteriordb.status(verdict, near) for verdict in ("PASS", "FAIL")] == ["agrees", "fit failed"]
    assert posteriordb.status("PASS", far) == "differs"
    assert posteriordb.status("PASS", posteriordb.Distances(np.array([np.nan]), np.ones(1))) == "differs"


BAD: dict[str, tuple[object, object, str]] = {
    "not JSON": (COUNTS, "{", r"a-Rate_1_model\.summary\.json: not JSON .*To mend it"),
    "one number": (COUNTS, {"theta": [0.5]}, r"summary\.json, column 'theta': not a mean and an sd: found '\[0\.5\]'"),
    "sd of zero": (COUNTS, {"theta": [0.5, 0.0]}, "sd above zero"),
    "no elements": (COUNTS, {}, r"summary\.json: no element"),
    "a list": ([1, 2], rate_reference(), r"a\.json: not an object"),
    "no datum": ({"n": N}, rate_reference(), r"a\.json: 'k' is missing"),
    "lengths": ({"n": [N, N], "k": [K, K, K]}, rate_reference(), r"a\.json: not data of Rate_1_model"),
    "words": ({"n": "many", "k": K}, rate_reference(), r"a\.json, column 'n': not numbers"),
    "rows of unequal length": ({"n": [[1], [1, 2]], "k": K}, rate_reference(), r"a\.json, column 'n': not numbers"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_malformed_folder_is_refused_with_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, case: str
) -> None:
    data, reference, message = BAD[case]
    write(tmp_path, "a-Rate_1_model", data, reference)
    code, out, errors = answer(monkeypatch, capsys, "--dir", str(tmp_path))
    assert (code, out) == (2, "")
    assert "Traceback" not in errors
    with pytest.raises(BayestwinError, match=message):
        posteriordb.read_folder(tmp_path)


def test_a_missing_folder_and_missing_files_are_named_all_at_once(tmp_path: Path) -> None:
    with pytest.raises(
        BayestwinError, match=r"nowhere: no reference posterior; expected a folder with data/.*give such a folder with --dir"
    ):
        posteriordb.read_folder(tmp_path / "nowhere")
    for name in ("a-Rate_1_model", "b-Rate_1_model"):
        write(tmp_path, name, COUNTS, rate_reference())
        (tmp_path / "data" / f"{name[0]}.json").unlink()
    with pytest.raises(BayestwinError) as error:
        posteriordb.read_folder(tmp_path)
    assert [Path(fault.file).name for fault in error.value.faults] == ["a.json", "b.json"]
    with pytest.raises(BayestwinError, match="no such posterior: found 'c'; expected one of a-Rate_1_model, b-Rate_1_model"):
        posteriordb.read_folder(tmp_path, ["c"])


@pytest.mark.slow
def test_every_posterior_of_the_shared_folder_agrees(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    folder = Path(os.environ.get("BAYESTWIN_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data")) / "posteriordb"
    if not folder.is_dir():
        pytest.skip(f"the reference posteriors are not at {folder}; set BAYESTWIN_SHARED_DATA to the folder above posteriordb")
    code, out, _ = answer(monkeypatch, capsys, "--dir", str(folder), "--json")
    found = json.loads(out)
    assert (code, found["agree"], found["not_expressed"]) == (0, found["of"], 0)
    assert found["of"] >= 5
