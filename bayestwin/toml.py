"""TOML files that a user writes."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from bayestwin.errors import BayestwinError, Fault


def read_toml(path: Path, error: type[BayestwinError]) -> dict[str, Any]:
    """The content of a TOML file.

    Args:
        path: of the file.
        error: to be raised.

    Raises:
        BayestwinError: of the kind that is asked for, if the file cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as cause:
        raise error([Fault(str(path), f"cannot be read: {cause.strerror}", remedy="check the path")]) from cause
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as cause:
        raise error([Fault(str(path), f"is not TOML: {cause}", remedy="mend the syntax")]) from cause
