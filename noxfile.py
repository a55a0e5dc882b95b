"""What is done with this project again and again: ``nox -s NAME``, ``nox -l`` lists them."""

from __future__ import annotations

import glob
import os
import pathlib
import shutil
import signal
import subprocess

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "tests", "docs"]

OTHER_VERSIONS = ("3.12", "3.13", "3.14", "3.14t")

GROUPS = nox.project.load_toml("pyproject.toml")


def install(session: nox.Session, *groups: str, project: bool = True) -> None:
    """Install the project, editable, and groups of its dependencies."""
    packages = nox.project.dependency_groups(GROUPS, *groups)
    session.install("--quiet", *(["--editable", "."] if project else []), *packages)


@nox.session
def demo(session: nox.Session) -> None:
    """Serve the examples on http://127.0.0.1:5000 until Ctrl-C (``-- --port 8000``: elsewhere)."""
    install(session, "demo")
    # Or a nox that is told to end would leave the server behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    command = ("python", "-m", "examples", *session.posargs)
    session.run(*command, interrupt_timeout=1, terminate_timeout=10)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests, the benchmarks' own included (``-- -k name``: some of them)."""
    install(session, "tests", "bench", "guides")
    workers = (os.cpu_count() or 1) + 1  # many tests wait, for servers and clocks
    session.run(
        "pytest", "-n", str(workers), "--ignore=tests/extensions", "--ignore=tests/services", *session.posargs
    )


def other_pythons() -> list[str]:
    """Pythons on this machine, from 3.12 on, that the project should work with as well: by their paths."""
    paths = [shutil.which(f"python{version}") for version in OTHER_VERSIONS]
    for version in OTHER_VERSIONS:  # pyenv has them beside the path
        paths += sorted(map(str, pathlib.Path.home().glob(f".pyenv/versions/{version}.*/bin/python")))[-1:]
    return [path for path in dict.fromkeys(paths) if path is not None]


@nox.session(name="tests-elsewhere", python=other_pythons() or None)
def tests_elsewhere(session: nox.Session) -> None:
    """Run the tests of a request's life on the newer Pythons that are found (``-- PATH...``: other tests)."""
    install(session, "tests")
    session.run("pytest", "-n", "2", *(session.posargs or ["tests/lifecycle"]))


@nox.session(name="tests-dev")
def tests_dev(session: nox.Session) -> None:
    """Run the tests of a request's life with Python's development mode and asyncio's debug mode."""
    install(session, "tests")
    environment = {"PYTHONASYNCIODEBUG": "1"}
    session.run(
        "python", "-X", "dev", "-m", "pytest", *(session.posargs or ["tests/lifecycle"]), env=environment
    )


@nox.session
def hold(session: nox.Session) -> None:
    """Send 100,000 hostile requests to four frameworks, ten minutes (``-- --help``: others, or fewer)."""
    install(session, "tests", "bench")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # or the servers would be left behind
    arguments = session.posargs or ["--write"]
    session.run("python", "-m", "tests.hold", *arguments, interrupt_timeout=15, terminate_timeout=15)


@nox.session
def lint(session: nox.Session) -> None:
    """Check the style of everything."""
    install(session, "lint", project=False)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of the package, strictly, and what users' type checkers make of them."""
    install(session, "types")
    session.run("mypy", *session.posargs)
    session.run("python", "-m", "tests.typing")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation into build/docs, where a broken link is an error, and run its examples."""
    install(session, "docs", "tests", "guides")
    session.run(
        "sphinx-build", "--quiet", "--fail-on-warning", "--keep-going", "--nitpicky", "docs", "build/docs"
    )
    session.run("pytest", "tests/test_docs.py", *session.posargs)
    session.log("Read it: build/docs/index.html")


@nox.session
def build(session: nox.Session) -> None:
    """Build the packages into dist, and use the wheel in an empty environment of each Python there is."""
    session.install("--quiet", *nox.project.dependency_groups(GROUPS, "build"))
    shutil.rmtree("dist", ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", "dist", silent=True)
    packages = [os.path.join("dist", name) for name in os.listdir("dist")]
    session.run("twine", "check", "--strict", *packages)
    wheel = next(os.path.abspath(path) for path in packages if path.endswith(".whl"))
    check = os.path.abspath("tests/packaging/check.py")
    for version, python in found_pythons().items():
        folder = os.path.join(os.path.abspath(session.create_tmp()), version)
        tool = os.path.join(folder, "Scripts" if os.name == "nt" else "bin", "python")
        session.run(python, "-m", "venv", "--clear", folder, external=True)
        session.run(tool, "-m", "pip", "install", "--quiet", wheel, external=True)
        with session.chdir(folder):  # not where the sources could be imported
            session.run(tool, "-I", check, external=True)


def found_pythons() -> dict[str, str]:
    """The Pythons that the package is for, as far as they are installed: on the path, or by pyenv."""
    found: dict[str, str] = {}
    versions = os.path.join(os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv")), "versions")
    for minor in range(11, 15):
        folders = glob.glob(os.path.join(versions, f"3.{minor}.*", "bin"))
        for candidate in (shutil.which(f"python3.{minor}"), *(f"{folder}/python" for folder in folders)):
            code = f"import ensurepip, sys; sys.exit(sys.version_info[:2] != (3, {minor}))"
            if candidate and not subprocess.run([candidate, "-c", code], capture_output=True).returncode:
                found[f"3.{minor}"] = candidate
                break
    return found


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


@nox.session
def services(session: nox.Session) -> None:
    """Run the tests with real servers: Redis and nginx, which they start, stop and kill; task queues."""
    install(session, "tests", "services")
    # Without them tests are skipped, or fail with CI=true in the environment.
    for program, package in {"redis-server": "redis-server", "nginx": "nginx-light"}.items():
        if not shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
            apt_install(session, package)
    session.run("pytest", "-n", "2", "tests/services", "tests/sessions", "tests/channels", *session.posargs)


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
