"""The studies that `bayestwin demo` runs."""

from __future__ import annotations

from pathlib import Path

from bayestwin.infer.settings import Sampling
from bayestwin.library import library_folder
from bayestwin.sources import init_study
from bayestwin.study import Study, read_study

BUNDLED = "virtual_clinic"
REAL_DRAWS = 1300  # a chain: of 2,400 parameters the largest R-hat by chance alone is higher than of the bundled 544


def demo_study(source: Path | None, out: Path | None, seed: int) -> tuple[Study, Sampling, Path]:
    """The study to run, how, and the folder to write.

    Args:
        source: folder with the published NHS files; the bundled study if None.
        out: run folder, or None for `reports/<study>/demo`.
        seed: seed of the run.

    Returns:
        The study, its sampling and its run folder; a study made from `source` lies beside the run, to be looked at and edited.
    """
    if source is None:
        return read_study(library_folder("data") / BUNDLED), Sampling(seed=seed), out or Path("reports") / BUNDLED / "demo"
    folder = out or Path("reports") / "nhs_gp" / "demo"
    place = folder.with_name(f"{folder.name}-study")
    study = read_study(place) if place.is_dir() else init_study(place, "nhs_gp", source)
    return study, Sampling(draws=REAL_DRAWS, seed=seed), folder
