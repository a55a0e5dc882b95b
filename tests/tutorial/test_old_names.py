"""Names of old tutorials, which Flask 3.1 no longer has: the values are what the Flask of their time gave."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .exchange import ask, get, new_client, post
from .serving import Server
from .variants import ASYNC, SYNC, Variant, write_chapter

OLD_NAMES = Path(__file__).parent / "old_names"


@pytest.fixture(scope="module", params=[SYNC, ASYNC], ids=["sync", "async"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    variant: Variant = request.param
    folder = tmp_path_factory.mktemp("old_names")
    programs = write_chapter(OLD_NAMES, folder, [variant])
    with Server(programs[variant], folder, python_options=["-W", "always::DeprecationWarning"]) as server:
        yield server
        assert "Traceback" not in server.log(), server.log()[-2000:]
        assert "was never awaited" not in server.log()


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/escape?text=%3Cb%3E%22'", 200, "<p>&lt;b&gt;&#34;&#39;</p>"),
        ("/safe/a/b.txt", 200, "/srv/files/a/b.txt"),
        ("/signals", 200, "true\n"),
        (
            "/stack",
            200,
            '{"app":true,"app_of_app":true,"at_import":[null,null],"endpoint":"stack","flashes":null,'
            '"g":true,"path":"/stack","session":true,"user":"set on the context"}\n',
        ),
        ("/database", 200, '[["Ann"]]\n'),
        ("/point", 200, '{"dumped":"{\\"__point__\\": [3, 4]}","here":{"__point__":[1,2]}}\n'),
        ("/point/template", 200, '<b>{"__point__": [5, 6]}</b>'),
        ("/htmlsafe", 200, '"\\u003c/script\\u003e\\u0026\\u0027"'),
        ("/extensions", 200, '["Hello, Ann!","flown","flask_greeting",["greeting"]]\n'),
        ("/session", 200, "y"),
    ],
    ids=lambda value: value if str(value).startswith("/") else "",
)
def test_old_name(server: Server, path: str, status: int, body: str) -> None:
    with new_client(server.url) as client:
        answer = ask(client, get(path))
    assert (answer.status, answer.body.decode()) == (status, body), server.log()[-2000:]


@pytest.mark.parametrize(
    ("path", "status"),
    [("/safe/../secret", 404), ("/safe/a/../../secret", 404), ("/safe/..", 404), ("/safe//etc/passwd", 308)],
)
def test_safe_join_does_not_leave_the_directory(server: Server, path: str, status: int) -> None:
    with new_client(server.url) as client:
        assert ask(client, get(path)).status == status


def test_json_decoder_reads_a_request(server: Server) -> None:
    with new_client(server.url) as client:
        answer = ask(client, post("/point/read", json={"here": {"__point__": [7, 8]}}))
    assert answer.body == b"Point at 7, 8"


def test_before_first_request_ran_once_and_first(server: Server) -> None:
    with new_client(server.url) as client:
        ask(client, get("/signals"))
        ask(client, get("/signals"))
        calls = ask(client, get("/calls")).body.decode()
    assert calls.startswith('["first","before"')
    assert calls.count("first") == 1


def test_a_connection_on_the_context_is_closed_at_teardown(server: Server) -> None:
    with new_client(server.url) as client:
        before = int(ask(client, get("/calls/closed")).body.decode().removeprefix("closed: "))
        ask(client, get("/database"))
        answer = ask(client, get("/calls/closed", contains=f"closed: {before + 1}", settle=True))
    assert answer.body.decode() == f"closed: {before + 1}"


@pytest.mark.parametrize(
    ("old", "modern"),
    [
        ("escape", r"markupsafe"),
        ("Markup", r"markupsafe"),
        ("safe_join", r"werkzeug"),
        ("signals_available", r"signals"),
        ("_request_ctx_stack", r"\brequest\b"),
        ("_app_ctx_stack", r"\bg\b"),
        ("before_first_request", r"\b(before_serving|create_app|startup|lifespan)\b"),
        ("JSONEncoder", r"JSONProvider"),
        ("JSONDecoder", r"JSONProvider"),
        ("json_encoder", r"\b(app\.json|json_provider_class|JSONProvider)"),
        ("json_decoder", r"\b(app\.json|json_provider_class|JSONProvider)"),
        ("htmlsafe_dumps", r"tojson|dumps"),
        ("ext.greeting", r"flask_greeting"),
        ("ext.flyer", r"asyncflask_flyer"),
    ],
)
def test_an_old_name_says_what_is_used_today(server: Server, old: str, modern: str) -> None:
    """The note of every deprecated name is a `DeprecationWarning` that names the modern way after it."""
    with new_client(server.url) as client:
        ask(client, get("/htmlsafe"))  # the one name that is looked up only when it is used
    notes = [line for line in server.log().splitlines() if "DeprecationWarning" in line]
    assert any(re.search(modern, note.partition(old)[2]) for note in notes if old in note), notes
