"""TOML files that a user writes."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from bayestwin.errors import BayestwinError, Fault


def read_toml(path: Path, error: type[BayestwinError], remedy: str = "check the path") -> dict[str, Any]:
    """The content of a TOML file; a byte-order mark before it is passed over.

    Args:
        path: of the file.
        error: to be raised.
        remedy: what to do where there is no such file.

    Raises:
        BayestwinError: of the kind that is asked for, if the file cannot be read or is not TOML.
    """
    try:
        raw = path.read_bytes()
    except (OSError, ValueError) as cause:  # a ValueError is a null byte in the path
        raise error([Fault(str(path), f"cannot be read: {getattr(cause, 'strerror', None) or cause}", remedy=remedy)]) from cause
    try:
        return tomllib.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as cause:  # syntax, bytes that are no UTF-8, integers too long to read; lists too deep
        raise error([Fault(str(path), f"is not TOML: {cause}", remedy="mend the syntax at that place")]) from cause


def parsed[M: BaseModel](model: type[M], content: Mapping[str, Any]) -> M:
    """A TOML table as a model, every value of the type that TOML gives it: a number in quotes is no number, a date in quotes no date.

    Args:
        model: that it is to be.
        content: as it was read.

    Raises:
        ValidationError: with every key that does not fit.

    Example:
        >>> class Lift(BaseModel):
        ...     weeks: float
        >>> parsed(Lift, {"weeks": 3}).weeks
        3.0
    """
    return model.model_validate(_frozen(content), strict=True)


def _frozen(value: Any) -> Any:
    """Lists as tuples, which frozen models hold."""
    if isinstance(value, Mapping):
        return {key: _frozen(part) for key, part in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
