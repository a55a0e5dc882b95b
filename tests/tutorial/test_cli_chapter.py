"""The chapter about the command line: what ``flask`` prints, ``asyncflask`` prints."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from .serving import run_command
from .variants import ASYNC, CHAPTERS, CONTROL, SYNC, Variant, write_chapter


@dataclass(frozen=True)
class Command:
    """One command line; ``{app}`` stands for the module of the variant.

    :param contains: text that the output of both must contain.
    :param app: the value of ``FLASK_APP``; empty to leave it unset.
    """

    arguments: str
    code: int
    contains: str
    stdin: str = ""
    app: str = "{app}"


COMMANDS = [
    Command("initdb", 0, "Init the db shop.db\nclosed shop.db\n"),
    Command("greet", 0, "Hello, World!"),
    Command("greet Ann --count 2 --loud", 0, "HELLO, ANN!\nHELLO, ANN!\n"),
    Command("greet --help", 0, "Say hello to NAME."),
    Command("greet --count many", 2, "Invalid value for '--count'"),
    Command("fail", 1, "Error: it did not work"),
    Command("leave 3", 3, ""),
    Command("bare", 0, "context: True"),
    Command("address", 0, "/user/7"),
    Command("users create Ann --admin", 0, "created Ann in shop.db, admin: True"),
    Command("users --help", 0, "Make a user called NAME."),
    Command("news send a@example.com", 0, "sent to a@example.com"),
    Command("tick", 0, "tick shop.db"),
    Command("routes", 0, "/user/<int:user_id>"),
    Command("routes --sort rule --all-methods", 0, "GET, HEAD, OPTIONS, POST"),
    Command("no-such-command", 2, "No such command 'no-such-command'"),
    Command("--app {app}:create_app tick", 0, "tick made.db", app=""),
    Command("--app {app}:create_app('given.db') tick", 0, "tick given.db", app=""),
    Command("--debug --app {app}.py greet debug", 0, "Hello, debug!", app=""),
    Command("tick", 0, "tick shop.db", app="{app}:app"),
    Command("shell", 0, "answer is 42", stdin="print('answer is', answer)\n"),
]


@pytest.fixture(scope="module")
def chapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli_commands")
    write_chapter(CHAPTERS / "cli_commands", folder)
    return folder


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=4) as pool:
        yield pool
        pool.shutdown(cancel_futures=True)


def run(command: Command, chapter: Path, variant: Variant) -> subprocess.CompletedProcess[str]:
    arguments = [argument.format(app=variant) for argument in command.arguments.split()]
    variables = {"FLASK_APP": command.app.format(app=variant)} if command.app else {}
    done = run_command(variant.package, arguments, chapter, stdin=command.stdin, **variables)
    done.stdout, done.stderr = (
        re.sub(rf"(python[\d.]* -m )?\b{variant.package}\b", "PROGRAM", text.replace(str(variant), "MODULE"))
        for text in (done.stdout, done.stderr)
    )
    return done


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.arguments.replace(" ", "_"))
def test_command(command: Command, chapter: Path, pool: ThreadPoolExecutor) -> None:
    started: dict[Variant, Future[subprocess.CompletedProcess[str]]] = {
        variant: pool.submit(run, command, chapter, variant) for variant in (CONTROL, SYNC, ASYNC)
    }
    expected = started[CONTROL].result()
    assert expected.returncode == command.code, expected.stderr
    assert command.contains in expected.stdout + expected.stderr
    for variant in (SYNC, ASYNC):
        done = started[variant].result()
        assert (done.returncode, done.stdout) == (expected.returncode, expected.stdout), done.stderr
        # The shell greets on stderr, each in its own words.
        if command.arguments != "shell":
            assert done.stderr == expected.stderr
        assert "was never awaited" not in done.stderr


def test_help_lists_the_commands_of_the_application(chapter: Path) -> None:
    done = run(Command("--help", 0, ""), chapter, SYNC)
    assert done.returncode == 0, done.stderr
    for name in ("routes", "run", "shell", "initdb", "greet", "users", "news", "tick"):
        assert re.search(rf"^  {name}\b", done.stdout, re.MULTILINE), name
    assert "Make the tables." in done.stdout
