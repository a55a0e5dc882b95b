"""What the suites of other projects have in common: fetching them, running them, comparing two runs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.suites.record import NOT_RUN

ROOT = Path(__file__).parents[2]
#: Where source distributions and logs are kept between runs.
CACHE = ROOT / "build" / "suites"


def fetch_sdist(name: str, version: str, cache_dir: Path = CACHE) -> Path:
    """Download a source distribution from the package index, once, and unpack it.

    pip's configuration says which index. The folder is unpacked anew each time: what an
    earlier run has left in it, or changed, is gone.

    :param name: of the project on the index.
    :param cache_dir: where the archive and the folder are kept.
    :returns: the folder that has ``pyproject.toml`` or ``setup.py``.
    :raises subprocess.CalledProcessError: if pip fails; it has said why.
    :raises FileNotFoundError: if what pip downloaded is no source distribution of that version.
    """
    cache_dir.mkdir(parents=True, exist_ok=True)
    archive = _find_archive(name, version, cache_dir)
    if archive is None:
        # Only this project from source: what pip needs to read its metadata may come as wheels.
        download = ("download", "--quiet", "--no-deps", "--no-binary", name, "--dest", str(cache_dir))
        subprocess.run([sys.executable, "-m", "pip", *download, f"{name}=={version}"], check=True)
        archive = _find_archive(name, version, cache_dir)
        if archive is None:
            raise FileNotFoundError(
                f"pip has put no source distribution of {name} {version} into {cache_dir}"
            )
    folder = cache_dir / archive.name.removesuffix(".tar.gz")
    shutil.rmtree(folder, ignore_errors=True)
    with tarfile.open(archive) as tar:
        tar.extractall(cache_dir, filter="data")
    return folder


def _find_archive(name: str, version: str, folder: Path) -> Path | None:
    """Find a source distribution by its project's normalized name (PEP 503)."""

    def normalize(text: str) -> str:
        return re.sub(r"[-_.]+", "-", text).lower()

    wanted = normalize(f"{name}-{version}")
    for path in folder.glob("*.tar.gz"):
        if normalize(path.name.removesuffix(".tar.gz")) == wanted:
            return path
    return None


def run_pytest(
    python: str | os.PathLike[str],
    cwd: Path,
    args: Sequence[str],
    env: Mapping[str, str] | None = None,
    *,
    log: Path,
    timeout: float = 900,
) -> dict[str, str]:
    """Run pytest in a process of its own, and say what became of every test.

    :param python: the interpreter; it needs pytest installed and can be that of another environment.
    :param cwd: the folder to run in: node ids are relative to it.
    :param args: pytest's arguments.
    :param env: set on top of this process's environment. ``PYTHONPATH`` is put before the
        root of this project, which is on it so that the recording plugin is found.
    :param log: the file for pytest's output; its end is printed if no test was found.
    :param timeout: seconds until the run is killed; tests without an outcome are then ``not run``.
    :returns: node ids and their outcomes: ``passed``, ``failed``, ``error`` (in a fixture; of a file: it
        could not be collected), ``skipped``, ``xfailed``, ``xpassed``, ``not run``.
    """
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder, "outcomes")
        record.touch()
        environment = {**os.environ, **(env or {}), "RECORD_OUTCOMES": str(record)}
        paths = [(env or {}).get("PYTHONPATH", ""), str(ROOT)]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        command = [str(python), "-m", "pytest", "-p", "tests.suites.record", *args]
        with log.open("w", encoding="utf-8") as output:
            try:
                subprocess.run(
                    command,
                    cwd=cwd,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    timeout=timeout,
                    check=False,  # pytest's exit code says nothing that the outcomes do not
                )
            except subprocess.TimeoutExpired:
                print(f"stopped after {timeout:g} s: {' '.join(command)}", flush=True)
        # The last of a test counts: one that passed and whose fixture then failed is an error.
        outcomes: dict[str, str] = dict(map(json.loads, record.read_text(encoding="utf-8").splitlines()))
    if not outcomes:
        print(f"no tests: {' '.join(command)}", *log.read_text(encoding="utf-8").splitlines()[-20:], sep="\n")
    return outcomes


def passed(outcomes: Mapping[str, str]) -> set[str]:
    """The node ids of the tests that passed."""
    return {nodeid for nodeid, outcome in outcomes.items() if outcome == "passed"}


def summary(outcomes: Mapping[str, str]) -> str:
    """How many tests had which outcome: ``480 passed, 9 failed``."""
    counts = Counter(outcomes.values())
    order = ["passed", "failed", "error", "skipped", "xfailed", "xpassed", NOT_RUN]
    return ", ".join(f"{counts[outcome]} {outcome}" for outcome in order if counts[outcome]) or "no tests"


def load_exceptions(path: Path) -> dict[str, dict[str, str]]:
    """Read the expected exceptions: TOML with ``[[project]]`` tables, each of a ``reason`` and ``tests``.

    :returns: for each project the node ids and their reasons.
    :raises ValueError: if a test is listed twice.
    """
    exceptions: dict[str, dict[str, str]] = {}
    with path.open("rb") as file:
        projects = tomllib.load(file)
    for project, groups in projects.items():
        reasons = exceptions[project] = {}
        for group in groups:
            for nodeid in group["tests"]:
                if nodeid in reasons:
                    raise ValueError(f"{path.name} lists {nodeid} twice")
                reasons[nodeid] = group["reason"]
    return exceptions


def unexpected(
    control: Mapping[str, str], ours: Mapping[str, str], exceptions: Mapping[str, str]
) -> list[str]:
    """What is not as the expected exceptions say, a line each; empty if all is.

    :param control: the outcomes under Flask: what passes there is to pass under asyncflask.
    :param exceptions: node ids of those that do not, with the reason.
    """
    good, wanted = passed(ours), passed(control)
    lines = [
        f"{nodeid}: {ours.get(nodeid, 'not found')}, and is no expected exception"
        for nodeid in sorted(wanted - good - exceptions.keys())
    ]
    for nodeid in sorted(exceptions):
        if nodeid in good:
            lines.append(f"{nodeid}: passed, and is an expected exception: take it off the list")
        elif nodeid not in wanted:
            lines.append(f"{nodeid}: does not pass under Flask either: take it off the list")
    return lines


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def write_part(path: Path, part: str, text: str) -> None:
    """Replace what is between the comments ``<!-- begin PART -->`` and ``<!-- end PART -->`` of a document.

    :raises ValueError: if the document does not have the two comments, once each.
    """
    begin, end = f"<!-- begin {part} -->", f"<!-- end {part} -->"
    document = path.read_text(encoding="utf-8")
    if document.count(begin) != 1 or document.count(end) != 1:
        raise ValueError(f"{path} needs the lines '{begin}' and '{end}' where the generated part belongs")
    before, rest = document.split(begin)
    after = rest.split(end)[1]
    path.write_text(f"{before}{begin}\n{text.strip()}\n{end}{after}", encoding="utf-8")
