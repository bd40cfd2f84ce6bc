"""docs/barriers.md: its examples run, its study.toml lines are valid, and every barrier and picture is there; docs/components.md runs too."""

import doctest
import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import TypeAdapter

from bayestwin.barriers import AbstractBarrier, Barrier

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "barriers.md"
TEXT = PAGE.read_text(encoding="utf-8")
KINDS = sorted(barrier.model_fields["kind"].default for barrier in get_args(get_args(Barrier)[0]))
SECTIONS = {part.split("\n", 1)[0]: part for part in re.split(r"^### ", re.sub(r"^## .*", "", TEXT, flags=re.M), flags=re.M)[1:]}
LABELLED = r"^- \*\*Ignorability:\*\* `([a-z-]+)`\."


def stated(text: str) -> list[AbstractBarrier]:
    """Barriers in the study.toml lines of a text."""
    found: list[dict[str, Any]] = []
    for lines in re.findall(r"^```toml\n(.*?)^```", text, flags=re.M | re.S):
        found += tomllib.loads(lines)["extract"]["barriers"]
    return TypeAdapter(list[Barrier]).validate_python(found)


def test_every_example_gives_what_the_page_says() -> None:
    flags = doctest.NORMALIZE_WHITESPACE
    result = doctest.testfile(str(PAGE), module_relative=False, encoding="utf-8", optionflags=flags)
    assert result.failed == 0
    assert result.attempted > 2 * len(KINDS)


def test_every_kind_has_a_section_and_no_section_is_of_none() -> None:
    assert sorted(SECTIONS) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_a_section_states_its_barrier_and_the_label_that_it_has(kind: str) -> None:
    section = SECTIONS.get(kind, "")
    barrier = next((b for b in stated(section) if type(b).model_fields["kind"].default == kind), None)
    assert barrier is not None, f"no study.toml lines of {kind}"
    assert re.findall(LABELLED, section, flags=re.M) == [barrier.label.value]
    assert ">>> " in section
    assert f"](#{kind})" in TEXT.split("\n## ", 1)[0]  # the table at the top leads there


def test_study_lines_outside_the_sections_are_valid_too() -> None:
    assert len(stated(TEXT)) > len(KINDS)


def test_the_model_of_components_runs() -> None:
    result = doctest.testfile(str(DOCS / "components.md"), module_relative=False, encoding="utf-8")
    assert result.failed == 0
    assert result.attempted > 15


@pytest.mark.parametrize("page", ["barriers.md", "components.md"])
def test_links_lead_somewhere(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    headings = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^#+ (.*)$", text, flags=re.M)}
    for target in re.findall(r"\]\(([^)]+)\)", text):
        there = target[1:] in headings if target.startswith("#") else (DOCS / target).is_file()
        assert there, target


def test_every_picture_is_shown_and_small() -> None:
    shown = set(re.findall(r"!\[[^\]]+\]\(images/barriers/([^)]+)\)", TEXT))
    drawn = {picture.name: picture.stat().st_size for picture in (DOCS / "images" / "barriers").glob("*.svg")}
    assert set(drawn) == shown
    assert max(drawn.values()) < 60_000
