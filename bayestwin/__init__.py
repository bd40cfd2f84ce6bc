"""Bayesian calibration of clinician-workload models through the barriers between the data and the analyst.

    import bayestwin as bt
    run = bt.calibrate(bt.read_study("mystudy"))
    run.posterior, run.forecast, run.verdict

Names are loaded when first used, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bayestwin.barriers import Access
    from bayestwin.calibration import calibrate, resume
    from bayestwin.check import check_study
    from bayestwin.credibility.comparison import compare
    from bayestwin.credibility.tables import Validation
    from bayestwin.credibility.validation import validate
    from bayestwin.errors import BayestwinError
    from bayestwin.export import export_run
    from bayestwin.forecasting import forecast
    from bayestwin.infer.settings import Sampling
    from bayestwin.preposterior.value import access_value
    from bayestwin.report.render import write_report
    from bayestwin.runs import Run, load_run
    from bayestwin.simulate import simulate_study
    from bayestwin.sources import init_study
    from bayestwin.study import Study, read_hierarchy, read_observations, read_study, study_json_schema
    from bayestwin.twin.priors import Prior, PriorTable
    from bayestwin.twin.twin import Design, Twin, load_twin

_HOME = {
    "init_study": "sources",
    "read_study": "study",
    "Study": "study",
    "study_json_schema": "study",
    "read_hierarchy": "study",
    "read_observations": "study",
    "check_study": "check",
    "Access": "barriers",
    "Prior": "twin.priors",
    "PriorTable": "twin.priors",
    "Twin": "twin.twin",
    "load_twin": "twin.twin",
    "Design": "twin.twin",
    "simulate_study": "simulate",
    "Sampling": "infer.settings",
    "calibrate": "calibration",
    "resume": "calibration",
    "Run": "runs",
    "load_run": "runs",
    "forecast": "forecasting",
    "access_value": "preposterior.value",
    "compare": "credibility.comparison",
    "validate": "credibility.validation",
    "Validation": "credibility.tables",
    "write_report": "report.render",
    "export_run": "export",
    "BayestwinError": "errors",
}

__all__ = [
    "init_study",
    "read_study",
    "Study",
    "study_json_schema",
    "read_hierarchy",
    "read_observations",
    "check_study",
    "Access",
    "Prior",
    "PriorTable",
    "Twin",
    "load_twin",
    "Design",
    "simulate_study",
    "Sampling",
    "calibrate",
    "resume",
    "Run",
    "load_run",
    "forecast",
    "access_value",
    "compare",
    "validate",
    "Validation",
    "write_report",
    "export_run",
    "BayestwinError",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'bayestwin' has no attribute {name!r}")
    return getattr(import_module(f"bayestwin.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
