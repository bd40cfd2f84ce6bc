from bayestwin.report.what_if import change_in_words


def test_a_change_is_said_with_its_own_fields_and_without_those_that_say_nothing() -> None:
    change = {"kind": "new_site", "code": "S9", "start": None, "areas": ["A1", "A2"], "also": [], "fte": 0.50, "shared": False}
    assert change_in_words(change) == "new site: code S9; areas A1, A2; fte 0.5; shared no"
    assert change_in_words({"kind": "closure", "site": ""}) == "closure"
