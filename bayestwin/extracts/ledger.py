"""The access ledger: what is here, from when to when, how late, through which barriers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date

import numpy as np

from bayestwin.extracts.observations import Observations, observable
from bayestwin.periods import last_whole, period_end


@dataclass(frozen=True)
class LedgerRow:
    """One extract's line of the ledger.

    Attributes:
        extract, stream, file, sha256: what it is; several files are joined by commas.
        resolution: length of a row's period.
        first_event, last_event: span of what is known at the as-of date.
        lag_days: days from the end of the last known period to the as-of date.
        units_present, units_total: units with any row, units of the level.
        share_masked: share of cells that are not observed, in a triangle of those that were due at the as-of date.
        share_hidden: share of the observed cells that were released as a symbol.
        share_banded: share of the total released in bands only.
        share_unknown: share of the total in a category that says nothing.
        share_undated: share of the total without an event date, where such rows are kept.
        barriers: kind, ignorability label and sentence of each barrier.
    """

    extract: str
    stream: str
    file: str
    sha256: str
    resolution: str
    first_event: date
    last_event: date
    lag_days: int
    units_present: int
    units_total: int
    share_masked: float
    share_hidden: float
    share_banded: float
    share_unknown: float
    share_undated: float
    barriers: tuple[dict[str, str], ...]

    def as_row(self) -> dict[str, object]:
        """The row as plain values that JSON can hold."""
        return {name: value.isoformat() if isinstance(value, date) else value for name, value in asdict(self).items()}


def ledger_row(observations: Observations, barriers: Sequence, as_of: date) -> LedgerRow:
    """The ledger's line about one extract.

    Args:
        observations: what was read.
        barriers: the extract's barriers.
        as_of: date of the question.
    """
    found, time = observations.provenance, observations.dims[0]
    end = period_end(observations.coords[time][-1:], time)[0].item()
    by_kind = {barrier.kind: barrier for barrier in barriers}
    banded = [interval.label for interval in by_kind["band"].bands] if "band" in by_kind else []
    unknown = [by_kind["unknown"].category] if "unknown" in by_kind else []
    other_axes = tuple(i for i in range(observations.mask.ndim) if i != 1)
    return LedgerRow(
        extract=found.extract,
        stream=observations.stream,
        file=found.file,
        sha256=found.sha256,
        resolution=time,
        first_event=found.first_event,
        last_event=min(end, as_of),
        lag_days=max((as_of - end).days, 0),
        units_present=int(observations.mask.any(other_axes).sum()),
        units_total=observations.mask.shape[1],
        share_masked=float(1.0 - observations.mask.sum() / _due(observations, as_of)),
        share_hidden=float(observations.hidden.sum() / observations.mask.sum()),
        share_banded=_share(observations, banded),
        share_unknown=_share(observations, unknown),
        share_undated=_share_undated(observations),
        barriers=tuple({"kind": b.kind, "label": b.label.value, "sentence": b.sentence} for b in barriers),
    )


def _due(observations: Observations, as_of: date) -> int:
    """Cells that could have been observed by a date."""
    if "delay" not in observations.dims:
        return observations.mask.size
    due = observable(observations.coords, last_whole(as_of, observations.dims[0]))
    return int(np.broadcast_to(due, observations.mask.shape).sum())


def _share_undated(observations: Observations) -> float:
    undated = float(observations.undated.values.sum()) if observations.undated else 0.0
    total = undated + float(observations.values.sum())
    return undated / total if total else 0.0


def _share(observations: Observations, labels: Sequence[str]) -> float:
    """Share of the total whose label, on any further dim, is one of these."""
    total = float(observations.values.sum())
    if not labels or total == 0.0:
        return 0.0
    inside = 0.0
    rest = observations.values.astype(float)
    for axis, dim in enumerate(observations.dims[2:], start=2):
        hit = [i for i, label in enumerate(observations.coords[dim]) if label in labels]
        inside += float(rest.take(hit, axis).sum())
        rest = rest.take([i for i in range(rest.shape[axis]) if i not in hit], axis)
    return inside / total


def as_rows(rows: Sequence[LedgerRow]) -> list[Mapping[str, object]]:
    """The ledger as plain values."""
    return [row.as_row() for row in rows]
