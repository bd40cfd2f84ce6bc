"""A hierarchy that cannot be is refused with the line, and a table of units that it does not have is refused too."""

import pytest
from hypothesis import strategies as st
from sound import Sound, for_all, is_named, is_usable, often, packed


@often
@pytest.mark.parametrize("how", ["blank", "twice", "two parents"])
def test_a_hierarchy_that_cannot_be_is_refused_with_line_and_column(sound: Sound, how: str, times: int) -> None:
    hierarchy = sound.study.hierarchy
    header, *rows = sound.rows(hierarchy.file)
    levels = [header.index(column) for column in hierarchy.columns.values()]

    def holds(data: st.DataObject) -> None:
        i = data.draw(st.integers(0, len(rows) - 1))
        changed = [list(row) for row in rows]
        if how == "blank":
            at, line = data.draw(st.sampled_from(levels)), i + 2
            changed[i][at] = data.draw(st.sampled_from(["", " ", "\t", "\u00a0"]))
        elif how == "twice":
            at, line = levels[0], len(rows) + 2
            changed.append(changed[i])
        else:
            at, line = levels[2], len(rows) + 2
            changed.append([f"new {cell}" if j in (levels[0], levels[2]) else cell for j, cell in enumerate(changed[i])])
        _, error = sound.after({hierarchy.file: packed(hierarchy.file, [header, *changed])})
        assert is_named(error), "silently read"
        places = {(fault.file, fault.column, fault.row) for fault in error.faults}
        assert (hierarchy.file, header[at], line) in places, str(error)

    for_all(10 * times, holds, data=st.data())


@often
def test_units_that_the_hierarchy_lost_are_named_in_every_table(sound: Sound, times: int) -> None:
    hierarchy = sound.study.hierarchy
    leaf = next(iter(hierarchy.columns))
    header, *rows = sound.rows(hierarchy.file)

    def holds(i: int) -> None:
        code = rows[i][header.index(hierarchy.columns[leaf])]
        _, error = sound.after({hierarchy.file: packed(hierarchy.file, [header, *rows[:i], *rows[i + 1 :]])})
        assert is_named(error), "silently read"
        of_leaf = {e.file_label for e in sound.study.extracts if e.level == leaf}
        holding = {file for file in of_leaf if any(code in row for row in sound.rows(file))}
        found = {fault.file for fault in error.faults if (fault.value, fault.problem) == (code, "unit is in no hierarchy")}
        assert found == holding, str(error)

    for_all(5 * times, holds, i=st.integers(0, len(rows) - 1))


@often
def test_units_moved_renamed_or_added_are_named_or_usable(sound: Sound, times: int) -> None:
    file = sound.study.hierarchy.file
    header, *rows = sound.rows(file)

    def holds(data: st.DataObject) -> None:
        changed = [list(row) for row in rows]
        for _ in range(data.draw(st.integers(1, 4))):
            row, at = data.draw(st.sampled_from(changed)), data.draw(st.integers(0, len(header) - 1))
            row[at] = data.draw(st.sampled_from([other[at] for other in rows] + ["new", "NA", "ü", "x" * 3000, "1", '"', "a,b", "<NA>"]))
        if data.draw(st.booleans()):
            changed.append(data.draw(st.permutations(data.draw(st.sampled_from(rows)))))
        found, error = sound.after({file: packed(file, [header, *changed])})
        assert is_named(error) if error else is_usable(found)

    for_all(15 * times, holds, data=st.data())
