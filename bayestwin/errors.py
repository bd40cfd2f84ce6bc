"""Errors that a user can act on.

    BayestwinError
    ├── StudyError      study.toml, or a table that it names, cannot be used as it stands
    │   └── ExtractError    an extract's rows are at fault
    ├── ModelError      no such model, or a model folder that lacks a part
    ├── RunError        a run folder is missing or incomplete
    ├── WriteError      a file cannot be written: the disk is full, or the place may not be written to
    ├── ScenarioError   a scenario file is at fault
    └── RequestError    a file of data requests is at fault

Every error carries all the faults found, not only the first.
"""

from collections.abc import Iterable
from dataclasses import dataclass

SHOWN = 30


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, and what to do about it.

    Attributes:
        file: the file at fault.
        problem: what is wrong, in a few words.
        column: column, or key path in a TOML file.
        row: line of the file (the header is line 1).
        value: the offending value.
        expected: what would have been right.
        remedy: what to do.
    """

    file: str
    problem: str
    column: str | None = None
    row: int | None = None
    value: str | None = None
    expected: str | None = None
    remedy: str | None = None

    def __str__(self) -> str:
        where = [self.file]
        if self.column is not None:
            where.append(f"column {self.column!r}")
        if self.row is not None:
            where.append(f"line {self.row}")
        text = f"{', '.join(where)}: {self.problem}"
        if self.value is not None:
            text += f": found {self.value!r}"
        if self.expected is not None:
            text += f"; expected {self.expected}"
        if self.remedy is not None:
            text += f". To mend it: {self.remedy}"
        return text


class BayestwinError(Exception):
    """Base of all errors that bayestwin raises on purpose.

    Args:
        faults: everything that is wrong; the message lists them a line each.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(self._message())

    def _message(self) -> str:
        lines = [str(fault) for fault in self.faults[:SHOWN]]
        if len(self.faults) > SHOWN:
            lines.append(f"and {len(self.faults) - SHOWN} more faults")
        return "\n".join(lines)


class StudyError(BayestwinError):
    """A study cannot be used as it stands."""


class ExtractError(StudyError):
    """Rows of an extract are at fault."""


class ModelError(BayestwinError):
    """A model cannot be found or loaded."""


class RunError(BayestwinError):
    """A run folder is missing or incomplete."""


class WriteError(BayestwinError):
    """A file cannot be written; what was there before is as it was."""


class EngineError(BayestwinError):
    """An engine that is asked for is not installed."""


class ScenarioError(BayestwinError):
    """A scenario file is at fault."""


class RequestError(BayestwinError):
    """A file of data requests is at fault."""


class Interrupted(KeyboardInterrupt):
    """A person ended the work; the message says what was kept and how to go on."""
