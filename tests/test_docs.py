"""The examples of the documentation, run as a reader would, and its links.

On a page, the Python blocks of a section (``##``) are one file, ``hello.py``. A block that follows a line
ending with a file name and a colon is that file instead. Blocks with ``>>>`` are typed into a shell that has
run the section's file, and answer what the page says. ``$`` in a README or the quickstart starts a server.
"""

from __future__ import annotations

import doctest
import http.client
import importlib.util
import logging
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    "README.md",
    "docs/quickstart.md",
    "docs/mounting.md",
    "docs/lifespan.md",
    "docs/channels.md",
    "docs/health.md",
]
SECONDS = 30

FENCE = re.compile(
    r"^(?P<fence>```+)(?P<language>[^\s`]*)\n(?P<text>.*?)^(?P=fence)$", re.MULTILINE | re.DOTALL
)
FILE_NAME = re.compile(r"`([\w./-]+\.\w+)`:$")
LINK = re.compile(r"\[[^\]]*\]\((?!\w+:)([^)#\s]*)(#[^)\s]*)?\)")


@dataclass
class Block:
    language: str
    text: str
    line: int
    #: The file that the line before it says it is.
    file: str | None


@dataclass
class Section:
    page: str
    title: str
    blocks: list[Block]

    def of(self, language: str) -> list[Block]:
        return [block for block in self.blocks if block.language == language and block.file is None]

    def write_to(self, folder: Path) -> Path:
        """Save the section's files; gives the path of ``hello.py``."""
        for block in self.blocks:
            if block.file is not None:
                path = folder / block.file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text, encoding="utf-8")
        path = folder / "hello.py"
        path.write_text("\n\n".join(block.text for block in self.of("python")), encoding="utf-8")
        return path


def sections(page: str) -> Iterator[Section]:
    text = (ROOT / page).read_text(encoding="utf-8")
    # A comment in a shell example is no heading.
    starts = [(0, page)] + [
        (match.start(), match[1])
        for match in re.finditer(r"^## (.+)$", text, re.MULTILINE)
        if not any(fence.start() < match.start() < fence.end() for fence in FENCE.finditer(text))
    ]
    for (start, title), (end, _) in zip(starts, [*starts[1:], (len(text), "")], strict=True):
        blocks = []
        for match in FENCE.finditer(text, start, end):
            before = text[start : match.start()].rstrip()
            file = FILE_NAME.search(before)
            line = text.count("\n", 0, match.start()) + 1
            blocks.append(Block(match["language"], match["text"], line, file and file[1]))
        yield Section(page, title, blocks)


SECTIONS = [section for page in PAGES for section in sections(page)]
PROGRAMS = [section for section in SECTIONS if section.of("python")]


def name(section: Section) -> str:
    return f"{Path(section.page).stem}: {section.title}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a reader would work, with what an example changes in the process undone afterwards."""
    monkeypatch.chdir(tmp_path)
    with mock.patch.dict(os.environ):
        os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        yield tmp_path
    logging.getLogger("hello").handlers.clear()


def run(file: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Execute the file as a module; gives its names."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, file.stem, module)  # where an application looks for its folder
    spec.loader.exec_module(module)
    return vars(module)


@pytest.mark.parametrize("section", PROGRAMS, ids=name)
def test_examples_do_what_the_page_says(
    section: Section, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = dict(run(section.write_to(folder), monkeypatch))
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    report: list[str] = []
    for block in section.of("pycon"):
        test = doctest.DocTestParser().get_doctest(
            block.text, names, name(section), str(ROOT / section.page), block.line
        )
        runner.run(test, out=report.append, clear_globs=False)
        names.update(test.globs)
    assert not runner.failures, "".join(report)


@pytest.mark.parametrize("section", PROGRAMS, ids=name)
def test_every_program_is_shown_at_work(section: Section) -> None:
    """A page that only claims is a page that goes out of date."""
    assert section.of("pycon") or section.of("console"), "Show what it answers, in a pycon block."


#: The commands of the pages that start a server.
COMMANDS = [
    pytest.param(section, command, id=f"{name(section)}: {command}")
    for section in PROGRAMS
    for block in section.of("console")
    for command in re.findall(r"^\$ (.*)$", block.text, re.MULTILINE)
    if re.match(r"asyncflask .*\brun\b|python hello\.py|uvicorn ", command)
]


@pytest.mark.parametrize(("section", "command"), COMMANDS)
def test_commands_serve(section: Section, command: str, folder: Path) -> None:
    file = section.write_to(folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = shlex.split(command)
    if words[0] == "python":
        file.write_text(file.read_text().replace("app.run(", f"app.run(port={port}, "))
        words = [sys.executable, *words[1:]]
    else:
        words = [sys.executable, "-m", *words, "--port", str(port)]
    with tempfile.TemporaryFile() as log:
        # Commands that other tests have run in this process leave it behind; with it `app.run` does nothing.
        env = {name: value for name, value in os.environ.items() if name != "FLASK_RUN_FROM_CLI"}
        server = subprocess.Popen(
            words,
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            status, body = ask(server, port)
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            try:
                server.wait(SECONDS)
            finally:
                if server.poll() is None:
                    os.killpg(server.pid, signal.SIGKILL)
                log.seek(0)
                sys.stdout.write(log.read().decode(errors="replace"))
    assert status == 200
    assert b"Hello" in body


def ask(server: subprocess.Popen[bytes], port: int) -> tuple[int, bytes]:
    """What the server answers at ``/`` as soon as it does."""
    deadline = time.monotonic() + SECONDS
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        try:
            connection.request("GET", "/")
            response = connection.getresponse()
            return response.status, response.read()
        except OSError:
            assert server.poll() is None, "the server has ended"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.05)
        finally:
            connection.close()


def documents() -> list[Path]:
    folders = [ROOT, *(ROOT / name for name in ("docs", "examples", "tests"))]
    found = [path for folder in folders[1:] for path in folder.rglob("*.md")]
    return sorted([*ROOT.glob("*.md"), *found])


def anchors(path: Path) -> set[str]:
    """The headings of a page, as GitHub and MyST name them in links."""
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    for target, anchor in LINK.findall(text):
        destination = (path.parent / target).resolve() if target else path
        assert destination.exists(), f"{target} does not exist"
        if anchor:
            assert anchor[1:] in anchors(destination), f"{target}{anchor} is no heading"
