"""What is done with this project again and again: ``nox -s NAME``, ``nox -l`` lists them."""

from __future__ import annotations

import os
import shutil
import signal

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "tests", "docs"]

GROUPS = nox.project.load_toml("pyproject.toml")


def install(session: nox.Session, *groups: str, project: bool = True) -> None:
    """Install the project, editable, and groups of its dependencies."""
    packages = nox.project.dependency_groups(GROUPS, *groups)
    session.install("--quiet", *(["--editable", "."] if project else []), *packages)


@nox.session
def demo(session: nox.Session) -> None:
    """Serve the example blog on http://127.0.0.1:5000 until Ctrl-C (``-- --port 8000``: elsewhere)."""
    install(session)
    # Or a nox that is told to end would leave the server behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    command = ("python", "-m", "examples.blog", *session.posargs)
    session.run(*command, interrupt_timeout=1, terminate_timeout=10)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests, the benchmarks' own included (``-- -k name``: some of them)."""
    install(session, "tests", "bench")
    workers = (os.cpu_count() or 1) + 1  # many tests wait, for servers and clocks
    session.run("pytest", "-n", str(workers), "--ignore=tests/extensions", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check the style of everything."""
    install(session, "lint", project=False)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of the package, strictly."""
    install(session, "types")
    session.run("mypy", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation into build/docs, where a broken link is an error, and run its examples."""
    install(session, "docs", "tests")
    session.run(
        "sphinx-build", "--quiet", "--fail-on-warning", "--keep-going", "--nitpicky", "docs", "build/docs"
    )
    session.run("pytest", "tests/test_docs.py", *session.posargs)
    session.log("Read it: build/docs/index.html")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure asyncflask beside other frameworks, about 20 minutes (``-- --help``: parts of it)."""
    install(session, "bench")
    chosen = session.posargs
    if "served" in chosen or not {"--only", "--read", "--help"}.intersection(chosen):
        install_wrk(session)
    # Or the servers under load would be left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    session.run("python", "-m", "tests.benchmarks", *chosen, interrupt_timeout=15, terminate_timeout=15)


def install_wrk(session: nox.Session) -> None:
    """Install the load generator where that is possible; elsewhere the benchmark says what to do."""
    if not shutil.which("wrk"):
        apt_install(session, "wrk")


def apt_install(session: nox.Session, *packages: str) -> None:
    """Install packages of Debian, where that is possible."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return
    session.run("apt-get", "update", "-q", external=True, silent=True)
    command = ("apt-get", "install", "-q", "-y", "--no-install-recommends", *packages)
    session.run(*command, external=True, silent=True)


@nox.session(name="flask-suite")
def flask_suite(session: nox.Session) -> None:
    """Run Flask's own tests on asyncflask, beside Flask (``-- --write``: figures into the documentation)."""
    install(session, "flask-suite")
    session.run("python", "-m", "tests.suites.flask_suite", *session.posargs)


@nox.session
def extensions(session: nox.Session) -> None:
    """Run the tests of Flask's extensions on asyncflask, beside Flask, and applications that use them.

    ``-- NAME...``: those of some; ``-- applications``: these alone.
    """
    data = nox.project.load_toml("tests/suites/extensions.toml")
    projects = {name: values for name, values in data.items() if isinstance(values, dict)}
    packages = [f"{name}=={values['version']}" for name, values in projects.items()]
    needed = [package for values in projects.values() for package in values.get("requirements", [])]
    needed += nox.project.dependency_groups(GROUPS, "extensions")
    session.install("--quiet", "--editable", ".", *data["requirements"], *packages, *needed)
    # Without them tests are skipped, or fail with CI=true in the environment.
    if not shutil.which("chromium"):
        apt_install(session, "chromium")
    if not (shutil.which("postgres") or os.path.isdir("/usr/lib/postgresql")):
        apt_install(session, "postgresql")
    session.run("python", "-m", "tests.suites.extensions", *session.posargs)
