import json

import pytest

import bayestwin as bt
from bayestwin.twin.answered import answered, answered_by_run
from bayestwin.twin.twin import Quantity


def test_names_come_back_from_a_manifest_as_they_were() -> None:
    known = answered(bt.load_twin("gp_appointments").definition)
    assert answered_by_run(json.loads(json.dumps({"answers": known.as_row()}))) == known


def test_a_run_from_before_manifests_said_so_is_of_the_model_that_it_names() -> None:
    known = answered_by_run({"model": {"name": "gp_appointments"}})
    assert (known.unit, known.whole, known.shown) == ("area", "national", ("region",))


def test_first_headline_quantity_ranks() -> None:
    known = answered(bt.load_twin("gp_appointments").definition)
    assert known.ranking.name == "clinician_hours"
    assert known.words("clinician_hours_per_1000") == "clinician hours per 1,000 people"


def test_a_mean_has_no_rate() -> None:
    with pytest.raises(ValueError, match="no rate per 1,000"):
        Quantity("score", "points", "score", rated=True, mean=True)
