"""Sessions: `nox` runs lint, types and tests; the others on request."""

import tempfile
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv"
nox.options.sessions = ["lint", "types", "tests"]
PYTHONS = nox.project.python_versions(nox.project.load_toml("pyproject.toml"))


def _install(session: nox.Session, *groups: str) -> None:
    needed = nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), "dev", *groups)
    session.install("-e", ".", *needed)


@nox.session
def lint(session: nox.Session) -> None:
    """Rules and format."""
    session.install("ruff>=0.14")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Type checker."""
    _install(session)
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """Fast tests."""
    _install(session)
    session.run("pytest", *session.posargs)


@nox.session(default=False)
def slow(session: nox.Session) -> None:
    """Statistical checks and whole runs."""
    _install(session, "peers")
    session.run("pytest", "-m", "slow", *session.posargs)


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """Every example in a docstring."""
    _install(session, "peers")
    session.run("pytest", "--doctest-modules", "bayestwin", "-p", "no:cacheprovider", env={"JAX_ENABLE_X64": "1"})


@nox.session(default=False)
def minimums(session: nox.Session) -> None:
    """The lowest direct dependencies that pyproject.toml allows."""
    groups = nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), "dev")
    session.install("-e", ".", *groups, "--resolution", "lowest-direct")
    session.run("pytest", *session.posargs)


@nox.session(default=False)
def wheel(session: nox.Session) -> None:
    """Build a wheel, install it away from the checkout, and run the demo there."""
    with tempfile.TemporaryDirectory() as scratch:
        session.run("uv", "build", "--wheel", "--out-dir", scratch, external=True)
        session.install(str(next(Path(scratch).glob("*.whl"))))
        with session.chdir(scratch):
            session.run("bayestwin", "demo", "--out", "run")
            session.run("python", "-c", "import bayestwin as bt; assert bt.load_run('run').verdict['status'] == 'PASS'")
