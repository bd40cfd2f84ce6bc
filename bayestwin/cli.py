"""The command line: each command parses, makes one call, and prints. Nothing is computed here."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayestwin.infer.settings import Sampling

if TYPE_CHECKING:
    from bayestwin.runs import Run

EXIT_VERDICT = 3
app = typer.Typer(
    help="Bayesian calibration of clinician-workload models through the barriers between the data and the analyst.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
models_app = typer.Typer(help="The model library.", no_args_is_help=True)
app.add_typer(models_app, name="models")

Json = Annotated[bool, typer.Option("--json", help="Print the machine form of the answer.")]
StudyFolder = Annotated[Path, typer.Argument(metavar="STUDY", help="Folder with a study.toml.")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Folder that calibrate wrote.")]
Out = Annotated[Path | None, typer.Option("--out", help="Folder to write.")]
Chains = Annotated[int, typer.Option(min=1, help="Independent chains.")]
Count = Annotated[int, typer.Option(min=50, help="Draws kept a chain.")]
Warmup = Annotated[int, typer.Option(min=50, help="Draws a chain spent on adaptation.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of every random number.")]
Accept = Annotated[
    float, typer.Option(min=0.5, max=0.999, help="Acceptance that the step size is adapted to; whitened models take 0.9 at least.")
]
Anew = Annotated[bool, typer.Option("--anew", help="Calibrate even if the run is there and nothing has changed since.")]
AsOf = Annotated[datetime | None, typer.Option("--as-of", formats=["%Y-%m-%d"], help="Rows known later are not seen.")]


@contextmanager
def _errors() -> Iterator[None]:
    """Errors on stderr without a traceback: 2 for a fault of the input, 130 when interrupted."""
    from bayestwin.errors import BayestwinError

    try:
        yield
    except BayestwinError as error:
        typer.echo(f"{type(error).__name__}:\n{error}", err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt as error:
        typer.echo(str(error) or "interrupted; nothing was written", err=True)
        raise typer.Exit(130) from None


def _print(answer: Any, as_json: bool, text: Callable[[Any], str]) -> None:
    typer.echo(json.dumps(answer, indent=2, ensure_ascii=False, default=str) if as_json else text(answer))


def _study(folder: Path, as_of: datetime | None) -> Any:
    from bayestwin.study import read_study

    study = read_study(folder)
    return study.at(as_of.date()) if as_of is not None else study


@app.command()
def demo(
    source: Annotated[
        Path | None, typer.Option("--source", help="Folder with the published NHS files; the bundled study if absent.")
    ] = None,
    out: Out = None,
    seed: Seed = 0,
    anew: Anew = False,
    as_json: Json = False,
) -> None:
    """Calibrate a study end to end and write its report: the bundled one, or the real NHS one."""
    with _errors():
        from bayestwin.demo import demo_study

        study, sampling, folder = demo_study(source, out, seed)
        run = _calibrated(study, sampling, folder, anew)
    _finish(run, as_json)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The new study folder.")],
    name: Annotated[str, typer.Option("--from", help="nhs_gp, or a bundled study.")],
    source: Annotated[Path | None, typer.Option("--source", help="Folder with the published files (nhs_gp).")] = None,
    as_json: Json = False,
) -> None:
    """Make a study folder to edit."""
    with _errors():
        from bayestwin.sources import init_study

        study = init_study(folder, name, source)
    _print(
        {"folder": str(folder), "name": study.name, "as_of": str(study.as_of)},
        as_json,
        lambda a: f"{a['folder']}: study {a['name']}, as of {a['as_of']}",
    )


@app.command()
def check(folder: StudyFolder, as_of: AsOf = None, as_json: Json = False) -> None:
    """Check a study and every extract; print the access ledger."""
    with _errors():
        from bayestwin.check import check_study, ledger_text

        found = check_study(_study(folder, as_of))
    _print(found, as_json, ledger_text)


@app.command()
def simulate(
    folder: Annotated[Path | None, typer.Argument(metavar="[STUDY]", help="Draw the data of this study anew.")] = None,
    model: Annotated[str, typer.Option("--model", help="Model to draw from where no study is given.")] = "gp_appointments",
    out: Annotated[Path, typer.Option("--out", help="The new study folder.")] = Path("simulated"),
    units: Annotated[int | None, typer.Option(min=2, help="Leaf units; the model's own number if absent.")] = None,
    groups: Annotated[int | None, typer.Option(min=1, help="Units of the level above.")] = None,
    weeks: Annotated[int | None, typer.Option(min=8, help="Observed weeks.")] = None,
    seed: Seed = 1,
    as_json: Json = False,
) -> None:
    """Draw a study from the model's prior through the access: extracts as published, and the truth."""
    with _errors():
        from bayestwin.simulate import design_of, simulate_study

        study = simulate_study(out, folder, model, design_of(model, units, groups, weeks) if folder is None else None, seed)
    _print(
        {"folder": str(out), "name": study.name, "as_of": str(study.as_of), "truth": study.truth},
        as_json,
        lambda a: f"{a['folder']}: study {a['name']}, truth in {a['truth']}",
    )


@app.command()
def calibrate(
    ctx: typer.Context,
    folder: Annotated[Path | None, typer.Argument(metavar="STUDY", help="Folder with a study.toml.")] = None,
    as_of: AsOf = None,
    out: Out = None,
    chains: Chains = Sampling.chains,
    draws: Count = Sampling.draws,
    warmup: Warmup = Sampling.warmup,
    seed: Seed = Sampling.seed,
    target_accept: Accept = Sampling.target_accept,
    engine: Annotated[str, typer.Option(help="numpyro, or pymc for models that are written in PyMC too.")] = Sampling.engine,
    unfinished: Annotated[
        Path | None,
        typer.Option("--resume", metavar="RUN", help="Go on with a calibration that was interrupted: the run that it would be."),
    ] = None,
    anew: Anew = False,
    as_json: Json = False,
) -> None:
    """Calibrate a study; exit 3 when the verdict is FAIL (the run is written all the same)."""
    if folder is None and unfinished is None:
        raise typer.BadParameter("give a study, or --resume RUN", param_hint="STUDY")
    if unfinished is not None and (others := _given(ctx) - {"unfinished", "as_json"}):
        raise typer.BadParameter(
            f"goes on with the study and settings that it began with; leave out {sorted(others)}", param_hint="--resume"
        )
    with _errors():
        sampling = Sampling(chains, draws, warmup, seed, target_accept, _engine(engine))
        run = _calibrated(_study(folder, as_of), sampling, out, anew) if folder is not None else _resumed(unfinished)
    _finish(run, as_json)


def _engine(name: str) -> Any:
    if name not in ("numpyro", "pymc"):
        raise typer.BadParameter(f"{name!r}: expected numpyro or pymc", param_hint="--engine")
    return name


def _given(ctx: typer.Context) -> set[str]:
    """Names of the parameters that the command line states."""
    return {name for name in ctx.params if (source := ctx.get_parameter_source(name)) and source.name == "COMMANDLINE"}


@app.command()
def forecast(
    folder: RunFolder,
    horizon: Annotated[str, typer.Option(help="Weeks ahead, such as 8w.")] = "8w",
    scenario: Annotated[Path | None, typer.Option(help="TOML file of changes.")] = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Forecast a run further or under a scenario; replaces the run's forecast unless --out is given."""
    with _errors():
        from bayestwin.check import forecast_summary, forecast_text
        from bayestwin.forecasting import forecast as forecast_run
        from bayestwin.runs import load_run

        run = forecast_run(load_run(folder), _weeks(horizon), scenario, out)
        answer = forecast_summary(run)
    _print(answer, as_json, forecast_text)


def _weeks(horizon: str) -> int:
    number = horizon.removesuffix("w")
    if not number.isdigit() or not 1 <= int(number) <= 104:
        raise typer.BadParameter(f"{horizon!r}: expected weeks from 1w to 104w", param_hint="--horizon")
    return int(number)


@app.command()
def validate(
    folder: Annotated[Path, typer.Argument(metavar="STUDY|RUN", help="A run that calibrate wrote, or a study, which is calibrated first.")],
    origins: Annotated[int | None, typer.Option(min=0, help="Past dates to refit and forecast from; 4 of a study, none of a run.")] = None,
    sites: Annotated[
        int | None, typer.Option(min=0, help="Folds of places, each put aside once and foretold; 4 of a study, none of a run.")
    ] = None,
    replicates: Annotated[
        int | None, typer.Option(min=0, help="Simulated studies to fit (simulation-based calibration), from the prior; none.")
    ] = None,
    posterior_replicates: Annotated[
        int | None, typer.Option(min=0, help="Simulated studies to fit, from the posterior: studies like the one at hand; none.")
    ] = None,
    loo: Annotated[
        int | None,
        typer.Option(min=0, help="Cells that the posterior leans on most, each left out by a refit where Pareto k is above 0.7; none."),
    ] = None,
    density: Annotated[
        bool, typer.Option("--second-density", help="Weigh the run's draws by the density of the model in PyMC: minutes, no sampling.")
    ] = False,
    second: Annotated[bool, typer.Option("--second-engine", help="Sample with PyMC too, and compare.")] = False,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler that refits, or local for worker processes; this process if absent.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check whether a calibration deserves belief; exit 3 when the verdict is FAIL."""
    with _errors():
        from bayestwin.credibility.validation import OF_RUN, OF_STUDY, validation_text
        from bayestwin.credibility.validation import validate as validate_run
        from bayestwin.progress import shown
        from bayestwin.report.render import write_report
        from bayestwin.runs import MANIFEST, load_run

        of_run = (folder / MANIFEST).is_file()
        run = load_run(folder) if of_run else _calibrated(_study(folder, None), Sampling(), None, anew=False)
        with shown() as (say, watch):
            usual = OF_RUN if of_run else OF_STUDY
            simulated = {"replicates": replicates, "posterior_replicates": posterior_replicates}
            asked = {"origins": origins, "folds": sites, **simulated, "loo": loo}
            refits = replace(usual, density=density, second=second, **{name: value for name, value in asked.items() if value is not None})
            answer = validate_run(run, refits, scheduler, say, watch)
            say("writing the report")
            write_report(run)
    _print(answer, as_json, validation_text)
    if answer["verdict"] == "FAIL":
        raise typer.Exit(EXIT_VERDICT)


@app.command()
def compare(
    folders: Annotated[
        list[Path], typer.Argument(metavar="RUN RUN...", help="Runs of the same data, by other models, priors or barriers.")
    ],
    as_json: Json = False,
) -> None:
    """Say which run foretells the data better: cells given the others, and forecasts from past dates where these were validated."""
    with _errors():
        from bayestwin.credibility.comparison import compare as compare_runs
        from bayestwin.credibility.comparison import comparison_text
        from bayestwin.runs import load_run

        answer = compare_runs([load_run(folder) for folder in folders])
    _print(answer, as_json, comparison_text)


@app.command()
def access(
    folder: RunFolder,
    requests: Annotated[Path | None, typer.Option(help="TOML file of requests; each barrier lifted in whole if absent.")] = None,
    decision: Annotated[Path | None, typer.Option(help="TOML file of options and losses: what information is worth to a decision.")] = None,
    budget: Annotated[
        float | None, typer.Option(help="The most that requests may cost together, in the unit of their costs: which ones to file.")
    ] = None,
    by: Annotated[
        float | None, typer.Option(metavar="DAYS", help="Days from now at which the forecast is to be narrow; once all is there if absent.")
    ] = None,
    draws: Annotated[
        int | None,
        typer.Option(
            "--spot-checks",
            help="Draws of the posterior at which the first request and full access are checked by three refits each; none.",
        ),
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler that refits, or local for worker processes; this process if absent.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say how much of a run's uncertainty is there because of how the data came, which barrier is to blame, and what to ask for first."""
    with _errors():
        from bayestwin.credibility.spot_checks import need_draws, spot_check
        from bayestwin.preposterior.plan import Goal
        from bayestwin.preposterior.value import access_value
        from bayestwin.preposterior.words import access_text
        from bayestwin.progress import shown
        from bayestwin.report.render import write_report
        from bayestwin.runs import load_run

        run = load_run(folder)
        need_draws(draws)
        with shown() as (say, watch):
            answer = access_value(run, requests, decision, say=say, watch=watch, goal=Goal(budget, by))
            if draws is not None:
                answer = spot_check(run, draws, requests, scheduler, say, watch)
            say("writing the report")
            write_report(run)
    _print(answer, as_json, access_text)


@app.command()
def report(
    folder: RunFolder,
    again: Annotated[
        bool,
        typer.Option("--rerun", help="Calibrate the run's study again and say whether the draws are the same; the run stays as it is."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Write a run's report.html anew; with --rerun exit 3 when draws differ without a reason."""
    if again:
        _rerun(folder, as_json)
        return
    with _errors():
        from bayestwin.report.render import write_report
        from bayestwin.runs import load_run

        path = write_report(load_run(folder))
    _print({"report": str(path)}, as_json, lambda a: a["report"])


@app.command()
def export(
    folder: RunFolder,
    form: Annotated[str, typer.Option("--format", help="netcdf, zarr or parquet.")] = "netcdf",
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Write a run's posterior for other tools."""
    with _errors():
        from bayestwin.export import export_run
        from bayestwin.runs import load_run

        path = export_run(load_run(folder), form, out)
    _print({"format": form, "path": str(path)}, as_json, lambda a: a["path"])


@models_app.command("list")
def models_list(as_json: Json = False) -> None:
    """Names of the models in the library."""
    with _errors():
        from bayestwin.check import model_names

        names = model_names()
    _print(names, as_json, "\n".join)


@models_app.command("show")
def models_show(name: str, as_json: Json = False) -> None:
    """A model's equations and priors."""
    with _errors():
        from bayestwin.check import model_card, model_text

        card = model_card(name)
    _print(card, as_json, model_text)


@models_app.command("copy")
def models_copy(name: str, folder: Annotated[Path, typer.Argument(metavar="DIR")], as_json: Json = False) -> None:
    """Copy a model to a folder of your own, to edit."""
    with _errors():
        from bayestwin.library import copy_model

        path = copy_model(name, folder)
    _print({"folder": str(path)}, as_json, lambda a: a["folder"])


def _calibrated(study: Any, sampling: Sampling, out: Path | None, anew: bool) -> Run:
    from bayestwin.calibration import calibrate as calibrate_study
    from bayestwin.progress import shown

    with shown() as (say, watch):
        return calibrate_study(study, sampling, out, say, watch, anew)


def _rerun(folder: Path, as_json: bool) -> None:
    with _errors():
        from bayestwin.credibility.rerun import rerun, rerun_text
        from bayestwin.progress import shown
        from bayestwin.runs import load_run

        run = load_run(folder)
        with shown() as (say, watch):
            answer = rerun(run, say, watch)
    _print(answer, as_json, rerun_text)
    if not (answer["same"] or answer["reasons"]):
        raise typer.Exit(EXIT_VERDICT)


def _resumed(folder: Any) -> Run:
    from bayestwin.calibration import resume
    from bayestwin.progress import shown

    with shown() as (say, watch):
        return resume(folder, say, watch)


def _finish(run: Run, as_json: bool) -> None:
    from bayestwin.check import run_summary, run_text

    _print(run_summary(run), as_json, run_text)
    if run.verdict["status"] != "PASS":
        raise typer.Exit(EXIT_VERDICT)


if __name__ == "__main__":
    sys.exit(app())
