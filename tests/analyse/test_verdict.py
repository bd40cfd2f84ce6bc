import numpy as np
import pytest
import xarray as xr

from bayestwin.analyse.verdict import judge


def tree(shift: float = 0.0, divergences: int = 0, draws: int = 1000) -> xr.DataTree:
    rng = np.random.default_rng(0)
    dims = ("chain", "draw")
    good = rng.standard_normal((4, draws, 3))
    bad = rng.standard_normal((4, draws)) + shift * np.arange(4)[:, None]
    diverging = np.zeros((4, draws), bool)
    diverging[0, :divergences] = True
    posterior = xr.Dataset(
        {"good": ((*dims, "area"), good), "bad": (dims, bad), "fixed": (dims, np.ones((4, draws)))}, coords={"area": ["x", "y", "z"]}
    )
    posterior.attrs["deterministic"] = ["fixed"]
    stats = xr.Dataset({"energy": (dims, rng.standard_normal((4, draws))), "diverging": (dims, diverging)})
    return xr.DataTree.from_dict({"posterior": posterior, "sample_stats": stats})


def test_good_sampling_passes_and_deterministic_sites_do_not_count() -> None:
    verdict = judge(tree())
    assert (verdict.status, verdict.reasons) == ("PASS", ())
    assert verdict.metrics["parameters"] == 4


@pytest.mark.parametrize(
    ("trouble", "reason", "remedy"),
    [
        ({"shift": 0.5}, "R-hat is .* for bad", "longer chains"),
        ({"divergences": 7}, "7 divergent", "target-accept"),
        ({"draws": 80}, "bulk ESS is .* not above 400", "draw more"),
    ],
)
def test_trouble_is_named_with_a_remedy(trouble: dict, reason: str, remedy: str) -> None:
    import re

    verdict = judge(tree(**trouble))
    assert verdict.status == "FAIL"
    assert any(re.search(reason, line) for line in verdict.reasons)
    assert any(remedy in line for line in verdict.remedies)


def test_chains_that_never_moved_or_are_no_numbers_fail_and_can_be_written() -> None:
    import json

    from bayestwin.analyse.verdict import diagnostics, judge_draws

    rng = np.random.default_rng(1)
    stats = {"energy": rng.standard_normal((2, 500)), "diverging": np.zeros((2, 500), bool)}
    still = {"stuck": np.repeat([[0.0], [1.0]], 500, axis=1)}
    nothing = {"nothing": np.full((2, 500), np.nan)}
    for sites, name in ((still, "stuck"), (nothing, "nothing"), (nothing | {"fine": rng.standard_normal((2, 500))}, "nothing")):
        verdict = judge_draws(sites, stats)
        assert verdict.status == "FAIL"
        assert f"for {name}" in verdict.reasons[0]
        assert verdict.worst[0]["name"] == name
        row = json.loads(json.dumps(verdict.as_row(), allow_nan=False))
        assert "R-hat at most –" in diagnostics(row["metrics"])
