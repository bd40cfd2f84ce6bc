import pytest

from bayestwin.errors import SHOWN, BayestwinError, ExtractError, Fault, ModelError, RunError, ScenarioError, StudyError


def test_a_fault_says_where_what_and_how_to_mend_it() -> None:
    fault = Fault("a.csv", "count is negative", "n", 7, "-3", "a whole number", "correct it")
    assert str(fault) == "a.csv, column 'n', line 7: count is negative: found '-3'; expected a whole number. To mend it: correct it"


def test_a_fault_leaves_out_what_is_not_known() -> None:
    assert str(Fault("a.csv", "file is empty")) == "a.csv: file is empty"
    assert str(Fault("a.csv", "no such day", row=3)) == "a.csv, line 3: no such day"


def test_an_error_lists_a_fault_a_line() -> None:
    error = BayestwinError(iter([Fault("a.csv", "first"), Fault("b.csv", "second")]))
    assert str(error).splitlines() == ["a.csv: first", "b.csv: second"]
    assert [fault.file for fault in error.faults] == ["a.csv", "b.csv"]


def test_a_long_list_is_cut_and_says_so_while_the_error_keeps_all() -> None:
    error = StudyError([Fault("a.csv", "wrong", row=row) for row in range(SHOWN + 12)])
    assert str(error).splitlines()[-1] == "and 12 more faults"
    assert len(error.faults) == SHOWN + 12


@pytest.mark.parametrize("kind", [StudyError, ExtractError, ModelError, RunError, ScenarioError])
def test_one_base_catches_every_error(kind: type[BayestwinError]) -> None:
    with pytest.raises(BayestwinError, match=r"a\.csv: wrong"):
        raise kind([Fault("a.csv", "wrong")])


def test_faults_of_rows_are_faults_of_the_study() -> None:
    assert issubclass(ExtractError, StudyError)
