"""The chapters of the classic tutorials give over HTTP what Flask gives, with ``def`` and with ``async def``.

Every chapter runs as a server process of its own, started by its ``app.run()``: once under Flask, which
is the expectation, once under asyncflask, and once under asyncflask with every function made
``async def``. Status, headers and body of every step must be the same.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from .exchange import Answer, differences, get, mistakes, new_client, play, post
from .scripts import SCRIPTS
from .serving import Server
from .variants import ASYNC, CHAPTERS, CONTROL, SYNC, Variant, write_chapter

VARIANTS = [pytest.param(SYNC, id="sync"), pytest.param(ASYNC, id="async")]
ALL = [pytest.param(CONTROL, id="flask"), *VARIANTS]


@dataclass(frozen=True)
class Run:
    """What a chapter's process answered, and what it printed."""

    answers: list[Answer]
    log: str


def run_server(chapter: str, program: Path) -> Run:
    """Play the chapter's script, in a working directory where the program may leave files."""
    own = program.with_suffix("")
    own.mkdir()
    with Server(program, own) as server, new_client(server.url) as client:
        answers = play(client, SCRIPTS[chapter])
        return Run(answers, server.log())


@pytest.fixture(scope="module", params=list(SCRIPTS))
def chapter(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def runs(chapter: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Variant, Future[Run]]]:
    """The chapter under every variant, each server started once, all at the same time."""
    programs = write_chapter(CHAPTERS / chapter, tmp_path_factory.mktemp(chapter))
    with ThreadPoolExecutor() as pool:
        yield {variant: pool.submit(run_server, chapter, program) for variant, program in programs.items()}


def test_every_chapter_has_a_script() -> None:
    folders = {path.name for path in CHAPTERS.iterdir() if (path / "app.py").exists()}
    assert folders == {*SCRIPTS, "cli_commands"}
    assert len(folders) == 15


def test_the_control_answers_as_the_script_says(chapter: str, runs: dict[Variant, Future[Run]]) -> None:
    run = runs[CONTROL].result()
    found = list(mistakes(SCRIPTS[chapter], run.answers))
    assert not found, "\n".join([*found, run.log[-3000:]])


@pytest.mark.parametrize("variant", VARIANTS)
def test_chapter(chapter: str, runs: dict[Variant, Future[Run]], variant: Variant) -> None:
    expected, run = runs[CONTROL].result(), runs[variant].result()
    found = list(differences(SCRIPTS[chapter], expected.answers, run.answers))
    assert not found, "\n".join([f"{len(found)} differences from Flask:", *found, run.log[-3000:]])
    assert "was never awaited" not in run.log
    if all(step.status != 500 for step in SCRIPTS[chapter]):
        assert "Traceback" not in run.log, run.log


@pytest.mark.parametrize("variant", VARIANTS)
def test_sessions_are_shared_with_flask(tmp_path: Path, variant: Variant) -> None:
    """A user who logged in under one framework stays logged in under the other."""
    programs = write_chapter(CHAPTERS / "sessions", tmp_path)
    with Server(programs[CONTROL], tmp_path) as flask, Server(programs[variant], tmp_path) as asyncflask:
        for first, second in ((flask, asyncflask), (asyncflask, flask)):
            with new_client(first.url) as client:
                play(client, [post("/login", data={"username": "Zoë"}), get("/cart/add/tea"), get("/types")])
                client.base_url = second.url  # cookies belong to a host, not to a port
                secret, cart, types = play(
                    client, [get("/secret"), get("/cart/add/milk"), get("/types/back")]
                )
            assert secret.status == 200
            assert "Zoë" in secret.body.decode()
            assert cart.body == b'["tea","milk"]\n'
            assert "point=(1, 2); raw=b'\\x00\\xff'" in types.body.decode()


@pytest.mark.parametrize("variant", ALL)
def test_interrupt_ends_the_server_quietly(tmp_path: Path, variant: Variant) -> None:
    program = write_chapter(CHAPTERS / "hello", tmp_path)[variant]
    with Server(program, tmp_path) as server:
        with new_client(server.url) as client:
            assert play(client, [get("/")])[0].body == b"Hello World!"
        assert server.stop(signal.SIGINT) == 0, server.log()[-2000:]
        assert "Traceback" not in server.log()


@pytest.mark.parametrize("variant", ALL)
def test_a_taken_port_is_said_and_not_raised(tmp_path: Path, variant: Variant) -> None:
    program = write_chapter(CHAPTERS / "hello", tmp_path)[variant]
    with Server(program, tmp_path) as server:
        code, log = Server(program, tmp_path).run_on(server.port)
    assert code != 0
    assert "Traceback" not in log
    assert "in use" in log
    assert str(server.port) in log
