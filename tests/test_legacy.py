"""Names of old tutorials: what they give, and what they say is used today."""

from __future__ import annotations

import asyncio
import decimal
import gc
import importlib.util
import io
import json
import subprocess
import sys
import threading
import uuid
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import markupsafe
import pytest
import werkzeug.security
import werkzeug.utils
from werkzeug.exceptions import NotFound
from werkzeug.routing import BaseConverter

import asyncflask
import asyncflask.globals
import asyncflask.json
from asyncflask import Blueprint, Flask, current_app, g, jsonify, request, session
from asyncflask.json.provider import DefaultJSONProvider, JSONProvider


def old(name: str, module: ModuleType = asyncflask) -> Any:
    """The object of an old name; that there is a note about it is tested by itself."""
    with pytest.deprecated_call():
        return getattr(module, name)


request_stack = old("_request_ctx_stack")
app_stack = old("_app_ctx_stack")
JSONEncoder = old("JSONEncoder", asyncflask.json)
JSONDecoder = old("JSONDecoder", asyncflask.json)


@contextmanager
def noted() -> Iterator[list[warnings.WarningMessage]]:
    """Collect the warnings of the block, as the interpreter would show them: each once a line."""
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("default")
        yield notes


def new_app(**options: Any) -> Flask:
    app = Flask("old_app", **options)
    app.testing = True
    app.secret_key = "key"
    return app


class Point:
    def __init__(self, x: int) -> None:
        self.x = x


class PointEncoder(JSONEncoder):
    def default(self, o: Any) -> Any:
        return {"x": o.x} if isinstance(o, Point) else super().default(o)


class OtherEncoder(JSONEncoder):
    def default(self, o: Any) -> Any:
        return f"other {o.x}" if isinstance(o, Point) else super().default(o)


class PointDecoder(JSONDecoder):
    def __init__(self, **options: Any) -> None:
        super().__init__(object_hook=lambda found: Point(found["x"]) if "x" in found else found, **options)


# -- the notes ----------------------------------------------------------------------------------

NAMES = [
    (asyncflask, "escape", "markupsafe"),
    (asyncflask, "Markup", "markupsafe"),
    (asyncflask, "safe_join", "werkzeug.security.safe_join"),
    (asyncflask, "secure_filename", "werkzeug.utils"),
    (asyncflask, "signals_available", "signals"),
    (asyncflask, "_request_ctx_stack", "'request'"),
    (asyncflask, "_app_ctx_stack", "'current_app' and 'g'"),
    (asyncflask.globals, "_request_ctx_stack", "'request'"),
    (asyncflask.globals, "_app_ctx_stack", "'current_app' and 'g'"),
    (asyncflask.json, "JSONEncoder", "DefaultJSONProvider"),
    (asyncflask.json, "JSONDecoder", "DefaultJSONProvider"),
    (asyncflask.json, "htmlsafe_dumps", "tojson"),
    (asyncflask.json, "htmlsafe_dump", "tojson"),
]
names = pytest.mark.parametrize(
    ("module", "name", "modern"), NAMES, ids=[f"{module.__name__}.{name}" for module, name, _ in NAMES]
)


@names
def test_a_name_says_what_is_used_today(module: ModuleType, name: str, modern: str) -> None:
    with noted() as notes:
        getattr(module, name)
    (note,) = notes
    assert note.category is DeprecationWarning
    assert note.filename == __file__
    before, _, after = str(note.message).partition(f"'{module.__name__}.{name}'")
    assert before == ""
    assert modern in after


@names
def test_an_import_gives_one_note_at_its_line(module: ModuleType, name: str, modern: str) -> None:
    source = compile(f"\n\nfrom {module.__name__} import {name}", "tutorial.py", "exec")
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        exec(source, {"__name__": "tutorial"})
    assert [(note.filename, note.lineno) for note in notes] == [("tutorial.py", 3)]


def test_a_note_comes_once_for_each_line() -> None:
    with noted() as notes:
        for _ in range(3):
            asyncflask.escape("x")
        asyncflask.escape("x")
    assert len(notes) == 2


@pytest.mark.parametrize("module", [asyncflask, asyncflask.globals, asyncflask.json])
def test_other_names_are_as_unknown_as_ever(module: ModuleType) -> None:
    assert not hasattr(module, "nonexistent")
    with pytest.raises(AttributeError, match=f"module '{module.__name__}' has no attribute 'nonexistent'"):
        _ = module.nonexistent
    with pytest.raises(ImportError, match="cannot import name 'nonexistent'"):
        exec(f"from {module.__name__} import nonexistent", {})


def test_nothing_old_is_loaded_until_it_is_used() -> None:
    program = """if True:
        import sys
        from asyncflask import Blueprint, Flask, json, render_template_string, serving, session

        class App(Flask):
            pass

        app = App("app")
        app.secret_key = "key"

        @app.get("/")
        def index():
            session["x"] = 1
            return render_template_string("{{ x|tojson }}", x=json.loads("[]"))

        app.register_blueprint(Blueprint("bp", "bp"))
        assert app.test_client().get("/").text == "[]"
        assert not hasattr(sys.modules["asyncflask"], "nonexistent")
        print([name for name in sys.modules if name.startswith(("asyncflask.legacy", "asyncflask.ext"))])
        from asyncflask import escape
        print([name for name in sys.modules if name.startswith(("asyncflask.legacy", "asyncflask.ext"))])
    """
    command = [sys.executable, "-c", program]
    root = Path(asyncflask.__file__).parents[1]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "[]\n['asyncflask.legacy']\n", done.stderr


def test_without_old_names_a_request_goes_through_the_same_layers() -> None:
    app = new_app()
    assert type(app.json) is DefaultJSONProvider


# -- objects that are elsewhere today -----------------------------------------------------------


def test_what_has_moved_is_the_very_object() -> None:
    assert old("Markup") is markupsafe.Markup
    assert old("escape") is markupsafe.escape
    assert old("secure_filename") is werkzeug.utils.secure_filename
    assert old("signals_available") is True
    assert old("_request_ctx_stack", asyncflask.globals) is request_stack
    assert old("_app_ctx_stack", asyncflask.globals) is app_stack


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        (("a.txt",), "/srv/files/a.txt"),
        (("a/b.txt",), "/srv/files/a/b.txt"),
        (("a", "b.txt"), "/srv/files/a/b.txt"),
        (("a/../b.txt",), "/srv/files/b.txt"),
        ((), "/srv/files"),
    ],
)
def test_safe_join(parts: tuple[str, ...], path: str) -> None:
    assert old("safe_join")("/srv/files", *parts) == path


@pytest.mark.parametrize("parts", [("..",), ("../x",), ("a/../../x",), ("/etc/passwd",), ("a", "../../x")])
def test_safe_join_raises_not_found_outside_of_the_folder(parts: tuple[str, ...]) -> None:
    with pytest.raises(NotFound):
        old("safe_join")("/srv/files", *parts)


def test_proxies_give_their_object() -> None:
    app = new_app()
    with app.test_request_context("/x") as ctx:
        assert current_app._get_current_object() is app
        assert request._get_current_object() is ctx.request
        assert session._get_current_object() is ctx.session
        assert g._get_current_object() is app_stack.top.g


# -- context stacks -----------------------------------------------------------------------------


def test_the_top_is_none_outside_of_a_context() -> None:
    assert request_stack.top is None
    assert app_stack.top is None
    with new_app().app_context():
        assert request_stack.top is None
        assert app_stack.top is not None
    assert app_stack.top is None


def test_the_top_has_what_it_had() -> None:
    app = new_app()
    app.config["SERVER_NAME"] = "example.org"
    app.add_url_rule("/x", "x", lambda: "")
    with app.test_request_context("/x") as ctx:
        top = request_stack.top
        assert top is ctx
        assert top is request_stack.top
        assert top.app is app
        assert top.request is request._get_current_object()
        assert top.request.path == "/x"
        assert top.url_adapter.match("/x") == ("x", {})
        assert top.flashes is None
        assert top.g is g._get_current_object()
        session["seen"] = True
        assert top.session == {"seen": True}
        app_top = app_stack.top
        assert app_top.app is app
        assert app_top.g is top.g
        assert app_top.url_adapter.build("x", force_external=True) == "http://example.org/x"


def test_the_g_of_a_context_that_is_pushed_again_is_that_of_now() -> None:
    app = new_app()
    ctx = app.test_request_context()
    seen = []
    for _ in range(2):
        with ctx:
            assert request_stack.top.g is g._get_current_object()
            seen.append(request_stack.top.g)
    assert seen[0] is not seen[1]


def test_attributes_stay_with_the_request() -> None:
    """The pattern of extensions for Flask 0.x: an attribute of the context, taken down with it."""
    app = new_app()
    closed = []

    def connection() -> Any:
        top = app_stack.top
        if not hasattr(top, "connection"):
            top.connection = object()
        return top.connection

    @app.before_request
    async def before() -> None:
        request_stack.top.user = request.args["user"]
        g.first = connection()

    @app.route("/")
    def index() -> str:
        assert connection() is g.first
        return str(request_stack.top.user)

    @app.teardown_appcontext
    def close(error: BaseException | None) -> None:
        closed.append(app_stack.top.connection)

    client = app.test_client()
    assert client.get("/?user=ann").text == "ann"
    assert client.get("/?user=bob").text == "bob"
    assert len(set(closed)) == 2
    assert request_stack.top is None


def test_push_and_pop() -> None:
    app = new_app()
    torn_down = []
    app.teardown_request(torn_down.append)
    app.teardown_appcontext(torn_down.append)
    outer, inner = app.test_request_context("/outer"), app.test_request_context("/inner")
    app_ctx = app.app_context()
    app_stack.push(app_ctx)
    request_stack.push(outer)
    request_stack.push(inner)
    assert request.path == "/inner"
    assert current_app == app
    assert request_stack.pop() is inner
    assert request.path == "/outer"
    assert request_stack.pop() is outer
    assert not request
    assert request_stack.top is None
    assert app_stack.pop() is app_ctx
    assert not current_app
    assert torn_down == []
    assert request_stack.pop() is None
    assert app_stack.pop() is None


def test_a_context_keeps_a_push_and_pop_of_its_own() -> None:
    app = new_app()
    with app.test_request_context("/pushed") as pushed:
        with pytest.raises(RuntimeError, match=r"call its own 'pop\(\)'"):
            request_stack.pop()
        other = app.test_request_context("/other")
        request_stack.push(other)
        assert request_stack.top is other
        assert request_stack.pop() is other
        assert request_stack.top is pushed
    assert request_stack.top is None


def test_the_context_of_a_request_cannot_be_popped_from_under_it() -> None:
    app = new_app()

    @app.route("/")
    def index() -> str:
        request_stack.pop()
        return ""

    with pytest.raises(RuntimeError, match="popped when the request ends"):
        app.test_client().get("/")


def test_ident_func_is_one_number_for_each_context() -> None:
    app = new_app()
    ident = app_stack.__ident_func__
    assert ident() == threading.get_ident()
    with app.app_context():
        first = ident()
        assert first == ident()
        assert asyncio.run(asyncio.to_thread(ident)) == first
        with app.app_context():
            assert ident() != first
        assert ident() == first
    assert ident() == threading.get_ident()


# -- before the first request -------------------------------------------------------------------


def with_first_request_funcs(app: Flask, *funcs: Callable[[], Any]) -> Flask:
    with pytest.deprecated_call():
        register = app.before_first_request
    for func in funcs:
        assert register(func) is func
    return app


def test_functions_run_once_in_order_and_before_everything_else() -> None:
    app = new_app()
    calls: list[str] = []

    def first() -> None:
        calls.append(f"first {request.path} {current_app.name} {'seen' in session}")

    async def second() -> None:
        await asyncio.sleep(0)
        calls.append(f"second {request.path}")

    def third() -> str:
        calls.append("third")
        return "not a response"

    with_first_request_funcs(app, first, second, third)

    @app.url_value_preprocessor
    def preprocess(endpoint: str | None, values: dict[str, Any] | None) -> None:
        calls.append("preprocess")

    @app.before_request
    def before() -> None:
        calls.append("before")

    @app.route("/")
    def index() -> str:
        return "view"

    with asyncflask.request_started.connected_to(lambda sender: calls.append("started"), app):
        client = app.test_client()
        assert client.get("/").text == "view"
        assert client.get("/").text == "view"
    every = ["started", "preprocess", "before"]
    assert calls == ["first / old_app False", "second /", "third", *every, *every]


def test_a_context_variable_of_a_function_is_seen_by_the_first_request() -> None:
    app = new_app()

    async def first() -> None:
        g.value = "from the function"

    with_first_request_funcs(app, first)
    app.add_url_rule("/", "index", lambda: g.get("value", "not there"))
    client = app.test_client()
    assert [client.get("/").text for _ in range(2)] == ["from the function", "not there"]


@pytest.mark.parametrize("missing", ["/missing", "/post-only"])
def test_they_also_run_when_there_is_no_such_page(missing: str) -> None:
    app = new_app()
    app.post("/post-only")(lambda: "")
    calls: list[str] = []
    with_first_request_funcs(app, lambda: calls.append(request.path))
    assert app.test_client().get(missing).status_code in (404, 405)
    assert calls == [missing]


def test_a_failure_is_answered_and_everything_runs_again() -> None:
    app = new_app()
    app.config["PROPAGATE_EXCEPTIONS"] = False
    calls: list[str] = []

    def first() -> None:
        calls.append("first")

    def second() -> None:
        calls.append("second")
        if calls.count("second") == 1:
            raise ValueError("not ready")

    with_first_request_funcs(app, first, second)

    @app.errorhandler(500)
    async def handler(error: Any) -> tuple[str, int]:
        return f"handled {error.original_exception!r}", 500

    @app.after_request
    def after(response: asyncflask.Response) -> asyncflask.Response:
        calls.append(f"after {response.status_code}")
        return response

    torn_down: list[Any] = []
    app.teardown_request(torn_down.append)
    app.route("/")(lambda: "view")
    client = app.test_client()
    assert client.get("/").text == "handled ValueError('not ready')"
    assert client.get("/").text == "view"
    assert client.get("/").text == "view"
    assert calls == ["first", "second", "after 500", "first", "second", "after 200", "after 200"]
    assert [str(error) for error in torn_down] == ["not ready", "None", "None"]


def test_they_do_not_run_for_a_request_that_has_failed_before() -> None:
    class Failing(BaseConverter):
        def to_python(self, value: str) -> Any:
            raise LookupError("no such thing")

    calls: list[str] = []
    app = with_first_request_funcs(new_app(), lambda: calls.append(request.path))
    app.url_map.converters["failing"] = Failing
    app.route("/<failing:thing>")(lambda thing: "")
    with pytest.raises(LookupError, match="no such thing"):
        app.test_client().get("/x")
    assert calls == []
    app.test_client().get("/")
    assert calls == ["/"]


def test_an_application_that_dispatches_by_itself_has_them_too() -> None:
    class Own(Flask):
        def full_dispatch_request(self) -> asyncflask.Response:
            calls.append("dispatch")
            return super().full_dispatch_request()

    calls: list[str] = []
    app = with_first_request_funcs(Own("own"), lambda: calls.append("first"))
    app.route("/")(lambda: "view")
    assert app.test_client().get("/").text == "view"
    assert calls == ["first", "dispatch"]


def test_other_first_requests_wait() -> None:
    app = new_app()
    calls: list[str] = []

    async def first() -> None:
        calls.append("begin")
        await asyncio.sleep(0.05)
        calls.append("end")

    with_first_request_funcs(app, first)

    @app.route("/")
    async def index() -> str:
        calls.append("view")
        return "view"

    async def main() -> list[str]:
        async with app.test_client() as client:
            answers = await asyncio.gather(*(asyncio.create_task(client.get("/")) for _ in range(5)))
        return [answer.text for answer in answers]

    assert asyncio.run(main()) == ["view"] * 5
    assert calls == ["begin", "end", *["view"] * 5]


def test_other_first_requests_wait_in_other_threads() -> None:
    app = new_app()
    calls: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def first() -> None:
        calls.append("begin")
        begun.set()
        assert go_on.wait(10)
        calls.append("end")

    with_first_request_funcs(app, first)
    app.route("/")(lambda: calls.append("view") or "view")
    threads = [threading.Thread(target=app.test_client().get, args=("/",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert begun.wait(10)
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert calls == ["begin", "end", *["view"] * 4]


def scope(path: str = "/") -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost")],
        "server": ("localhost", 80),
        "client": ("127.0.0.1", 5000),
    }


async def call(app: Flask) -> int:
    """One request as a server makes it, in the calling task: its status."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        await asyncio.Event().wait()

    await app(scope(), receive, send)
    return int(sent[0]["status"])


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what a thread may do."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("cancelled", ["the one that runs them", "one that waits"])
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_cancelled_request_takes_nothing_from_the_others(kind: str, cancelled: str) -> None:
    app = new_app()
    calls: list[str] = []
    go_on = threading.Event()

    def sync_first() -> None:
        calls.append("begin")
        assert go_on.wait(10)
        calls.append("end")

    async def async_first() -> None:
        calls.append("begin")
        await until(go_on.is_set)
        calls.append("end")

    with_first_request_funcs(app, sync_first if kind == "sync" else async_first)

    @app.route("/")
    async def index() -> str:
        calls.append("view")
        return "view"

    async def main() -> list[Any]:
        tasks = [asyncio.create_task(call(app)) for _ in range(4)]
        await until(lambda: bool(calls))
        victim = tasks[0 if cancelled == "the one that runs them" else 2]
        victim.cancel()
        await asyncio.sleep(0.01)
        assert victim.done() == (cancelled == "one that waits")
        go_on.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(answers[tasks.index(victim)], asyncio.CancelledError)
        return answers

    answers = asyncio.run(asyncio.wait_for(main(), 10))
    assert answers.count(200) == 3
    assert calls == ["begin", "end", "view", "view", "view"]
    app.worker_pool.stop(wait=True)


def test_a_function_may_make_a_request_itself() -> None:
    app = new_app()
    app.add_url_rule("/warm", "warm", lambda: "warm")
    app.add_url_rule("/", "index", lambda: "view")
    seen: list[str] = []
    with_first_request_funcs(app, lambda: seen.append(app.test_client().get("/warm").text))
    assert app.test_client().get("/").text == "view"
    assert seen == ["warm"]


def test_they_may_be_registered_after_the_server_has_started() -> None:
    calls: list[str] = []

    async def lifespan(app: Flask) -> Any:
        with_first_request_funcs(app, lambda: calls.append("first"))
        yield
        calls.append("stopped")

    app = new_app(lifespan=lifespan)
    app.route("/")(lambda: "view")
    with app.test_client() as client:
        client.get("/")
        client.get("/")
    assert calls == ["first", "stopped"]


def test_after_the_first_request_it_is_too_late() -> None:
    app = new_app()
    app.test_client().get("/")
    with pytest.deprecated_call():
        register = app.before_first_request
    with pytest.raises(AssertionError, match="'before_first_request' can no longer be called"):
        register(lambda: None)


def test_the_list_of_functions_can_be_changed() -> None:
    app = new_app()
    calls: list[str] = []
    with pytest.deprecated_call(match="create_app"):
        funcs = app.before_first_request_funcs
    assert funcs == []
    funcs.append(lambda: calls.append("appended"))
    funcs.insert(0, lambda: calls.append("inserted"))
    app.test_client().get("/")
    assert calls == ["inserted", "appended"]


def test_the_list_of_functions_can_be_set() -> None:
    app = with_first_request_funcs(new_app(), lambda: calls.append("replaced"))
    calls: list[str] = []
    with pytest.deprecated_call(match="create_app"):
        app.before_first_request_funcs = [lambda: calls.append("set")]
    app.test_client().get("/")
    assert calls == ["set"]


def test_a_blueprint_registers_for_the_application_once() -> None:
    calls: list[str] = []
    bp = Blueprint("bp", __name__)
    with pytest.deprecated_call(match=r"'blueprint\.before_app_first_request'.*create_app"):

        @bp.before_app_first_request
        async def first() -> None:
            calls.append("first")

    app = new_app()
    app.register_blueprint(bp)
    app.register_blueprint(bp, name="again")
    app.test_client().get("/")
    assert calls == ["first"]
    with pytest.deprecated_call():
        register = bp.before_app_first_request
    with pytest.raises(AssertionError, match="'before_app_first_request' can no longer be called"):
        register(first)


def test_a_method_cannot_be_set() -> None:
    with pytest.deprecated_call(), pytest.raises(AttributeError, match="call it with a function"):
        new_app().before_first_request = print


# -- JSON ---------------------------------------------------------------------------------------


def with_codecs(owner: Any, encoder: Any = None, decoder: Any = None) -> Any:
    if encoder is not None:
        with pytest.deprecated_call(match="json_encoder.*json_provider_class"):
            owner.json_encoder = encoder
    if decoder is not None:
        with pytest.deprecated_call(match="json_decoder.*json_provider_class"):
            owner.json_decoder = decoder
    return owner


def add_json_views(owner: Flask | Blueprint) -> None:
    owner.route("/jsonify", endpoint="jsonify")(lambda: jsonify(Point(1)))
    owner.route("/dict", endpoint="dict")(lambda: {"here": Point(1)})
    owner.route("/dumps", endpoint="dumps")(lambda: asyncflask.json.dumps(Point(1)))
    owner.route("/dump", endpoint="dump")(dump)
    owner.route("/template", endpoint="template")(
        lambda: asyncflask.render_template_string("{{ point|tojson }}", point=Point(1))
    )

    @owner.post("/read")
    async def read() -> str:
        return type(request.get_json()).__name__


def dump() -> str:
    file = io.StringIO()
    asyncflask.json.dump(Point(1), file)
    return file.getvalue()


JSON_VIEWS = [
    ("jsonify", '{"x":1}\n'),
    ("dict", '{"here":{"x":1}}\n'),
    ("dumps", '{"x": 1}'),
    ("dump", '{"x": 1}'),
    ("template", '{"x": 1}'),
]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("path", "text"), JSON_VIEWS)
def test_an_encoder_is_used_wherever_json_is_written(path: str, text: str, when: str) -> None:
    """`when`: the template environment, which keeps the function for ``tojson``, may be there already."""
    app = new_app()
    if when == "after":
        app.jinja_env.globals["x"] = 1
    with_codecs(app, PointEncoder)
    add_json_views(app)
    assert app.test_client().get(f"/{path}").text == text


def test_a_decoder_reads_requests_and_responses() -> None:
    app = with_codecs(new_app(), PointEncoder, PointDecoder)
    add_json_views(app)
    client = app.test_client()
    assert client.post("/read", json={"x": 1}).text == "Point"
    assert client.post("/read", json=Point(1)).text == "Point"
    assert client.get("/jsonify").get_json().x == 1
    with app.app_context():
        assert asyncflask.json.loads('{"x": 2}').x == 2
        assert asyncflask.json.load(io.StringIO('{"x": 3}')).x == 3


def test_a_blueprint_may_have_its_own() -> None:
    app = with_codecs(new_app(), PointEncoder)
    plain, own, nested = (Blueprint(name, __name__) for name in ("plain", "own", "nested"))
    with_codecs(own, OtherEncoder, PointDecoder)
    for owner in (app, plain, own, nested):
        add_json_views(owner)
    own.register_blueprint(nested, url_prefix="/nested")
    app.register_blueprint(plain, url_prefix="/plain")
    app.register_blueprint(own, url_prefix="/own")
    client = app.test_client()
    paths = ["/dumps", "/plain/dumps", "/own/dumps", "/own/nested/dumps"]
    assert [client.get(path).text for path in paths] == ['{"x": 1}', '{"x": 1}', '"other 1"', '{"x": 1}']
    paths = ["/read", "/plain/read", "/own/read", "/own/nested/read"]
    assert [client.post(path, json={"x": 1}).text for path in paths] == ["dict", "dict", "Point", "dict"]


def test_only_a_blueprint_may_have_one() -> None:
    app, bp = new_app(), with_codecs(Blueprint("bp", __name__), PointEncoder)
    add_json_views(bp)
    app.register_blueprint(bp, url_prefix="/bp")
    app.add_url_rule("/", "with.dot", lambda: jsonify(date(2000, 1, 1)))
    assert app.test_client().get("/bp/dumps").text == '{"x": 1}'
    assert app.test_client().get("/").json == "Sat, 01 Jan 2000 00:00:00 GMT"


def test_a_blueprint_that_is_registered_cannot_get_one() -> None:
    bp = Blueprint("bp", __name__)
    new_app().register_blueprint(bp)
    with pytest.deprecated_call(), pytest.raises(AssertionError, match="'json_encoder' can no longer"):
        bp.json_encoder = PointEncoder


@pytest.mark.parametrize("path", [path for path, _ in JSON_VIEWS])
def test_a_subclass_may_have_them_as_class_attributes(path: str) -> None:
    class Own(Flask):
        json_encoder = PointEncoder
        json_decoder = PointDecoder

    with noted() as notes:
        app = Own("own")
    assert [(note.filename, str(note.message).split(":")[0]) for note in notes] == [
        (__file__, "'Own.json_encoder' is deprecated"),
        (__file__, "'Own.json_decoder' is deprecated"),
    ]
    add_json_views(app)
    assert app.test_client().get(f"/{path}").text == dict(JSON_VIEWS)[path]
    assert app.test_client().post("/read", json={"x": 1}).text == "Point"
    app.json_encoder = OtherEncoder
    with app.app_context():
        assert asyncflask.json.dumps(Point(1)) == '"other 1"'


def test_a_mixin_may_have_one() -> None:
    class Mixin:
        json_encoder = PointEncoder

    class Own(Mixin, Flask):
        pass

    with pytest.deprecated_call():
        app = Own("own")
    with app.app_context():
        assert asyncflask.json.dumps(Point(1)) == '{"x": 1}'


def test_a_subclass_of_blueprint_may_have_one() -> None:
    class Own(Blueprint):
        json_encoder = PointEncoder

    app, bp = new_app(), Own("bp", __name__)
    add_json_views(bp)
    with pytest.deprecated_call(match=r"'Own\.json_encoder'"):
        app.register_blueprint(bp)
    assert app.test_client().get("/dumps").text == '{"x": 1}'


def test_they_can_be_read_and_extended() -> None:
    app, bp = new_app(), Blueprint("bp", __name__)
    with pytest.deprecated_call():
        assert app.json_encoder is JSONEncoder
    with pytest.deprecated_call():
        assert app.json_decoder is JSONDecoder
    with pytest.deprecated_call():
        assert bp.json_encoder is None
    assert type(app.json) is DefaultJSONProvider
    with_codecs(app, PointEncoder)
    with pytest.deprecated_call():
        assert app.json_encoder is PointEncoder
    with pytest.deprecated_call():
        app.json_encoder = None
    with app.app_context(), pytest.raises(TypeError, match="Point is not JSON serializable"):
        asyncflask.json.dumps(Point(1))


def test_a_note_is_about_the_line_that_goes_through_a_proxy() -> None:
    with new_app().app_context(), noted() as notes:
        current_app.json_encoder = PointEncoder
        assert current_app.json_encoder is PointEncoder
    assert [note.filename for note in notes] == [__file__, __file__]
    assert notes[0].lineno + 1 == notes[1].lineno


def test_the_settings_of_the_provider_stay() -> None:
    app = new_app()
    app.json.sort_keys = False
    app.json.ensure_ascii = False
    app.json.compact = False
    with_codecs(app, PointEncoder)
    with app.app_context():
        assert asyncflask.json.dumps({"ü": 1, "a": Point(2)}) == '{"ü": 1, "a": {"x": 2}}'
        assert jsonify([1]).get_data(as_text=True) == "[\n  1\n]\n"


def test_a_provider_subclass_stays_in_use() -> None:
    class Own(DefaultJSONProvider):
        sort_keys = False
        default = staticmethod(lambda o: f"own {o.x}")

    class App(Flask):
        json_provider_class = Own

    app = App("own")
    # json's own class brings nothing for other types; what the provider has for them is used.
    with_codecs(app, json.JSONEncoder)
    with app.app_context():
        assert asyncflask.json.dumps({"b": Point(1), "a": 2}) == '{"b": "own 1", "a": 2}'
    with_codecs(app, PointEncoder)
    with app.app_context():
        assert asyncflask.json.dumps({"b": Point(1), "a": 2}) == '{"b": {"x": 1}, "a": 2}'
    assert isinstance(app.json, Own)


def test_a_blueprint_of_one_application_is_nothing_to_another() -> None:
    app, bp = new_app(), with_codecs(Blueprint("bp", __name__), OtherEncoder)
    other = with_codecs(new_app(), PointEncoder)
    other.register_blueprint(with_codecs(Blueprint("bp", __name__), OtherEncoder))

    @bp.route("/")
    def index() -> list[str]:
        with other.app_context():
            there = asyncflask.json.dumps(Point(1))
        return [asyncflask.json.dumps(Point(1)), there]

    app.register_blueprint(bp)
    assert app.test_client().get("/").json == ['"other 1"', '{"x": 1}']


@pytest.mark.parametrize("base", [JSONProvider, DefaultJSONProvider])
def test_an_application_with_json_of_its_own_keeps_it(base: type[JSONProvider]) -> None:
    class Own(base):
        def dumps(self, obj: Any, **kwargs: Any) -> str:
            assert not kwargs
            return "own"

    app = new_app()
    app.json = own = Own(app)
    with_codecs(app, PointEncoder)
    assert app.json is own
    assert type(own) is Own
    with app.app_context():
        assert asyncflask.json.dumps(Point(1)) == "own"


def test_an_encoder_that_is_given_comes_first() -> None:
    app = with_codecs(new_app(), PointEncoder, PointDecoder)
    with app.app_context():
        assert asyncflask.json.dumps(Point(1), cls=OtherEncoder) == '"other 1"'
        assert asyncflask.json.dumps(Point(1), default=lambda o: "given") == '"given"'
        assert asyncflask.json.loads('{"x": 1}', cls=json.JSONDecoder) == {"x": 1}


def test_the_session_survives_an_encoder() -> None:
    app = with_codecs(new_app(), PointEncoder, PointDecoder)

    @app.route("/")
    def index() -> str:
        session["values"] = (1, date(2000, 1, 1).isoformat(), {"a": b"b"})
        return ""

    app.route("/read")(lambda: repr(session["values"]))
    client = app.test_client()
    client.get("/")
    assert client.get("/read").text == "(1, '2000-01-01', {'a': b'b'})"


def test_an_application_with_an_encoder_is_freed() -> None:
    app = with_codecs(new_app(), PointEncoder)
    app.test_client().get("/")
    freed = weakref.ref(app)
    del app
    gc.collect()
    assert freed() is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (date(2000, 1, 1), '"Sat, 01 Jan 2000 00:00:00 GMT"'),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (decimal.Decimal("1.5"), '"1.5"'),
        (markupsafe.Markup("<b>"), '"<b>"'),
    ],
)
def test_the_old_encoder_knows_the_types_of_the_provider(value: Any, text: str) -> None:
    assert json.dumps(value, cls=JSONEncoder) == text
    assert json.loads(text, cls=JSONDecoder) == json.loads(text)


def test_the_old_encoder_refuses_others() -> None:
    with pytest.raises(TypeError, match="Point is not JSON serializable"):
        json.dumps(Point(1), cls=JSONEncoder)


def test_htmlsafe_dumps() -> None:
    expected = '{"k": "\\u003c/script\\u003e\\u0026\\u0027"}'
    with pytest.deprecated_call():
        text = asyncflask.json.htmlsafe_dumps({"k": "</script>&'"})
    assert text == expected
    assert isinstance(text, markupsafe.Markup)
    file = io.StringIO()
    with pytest.deprecated_call():
        asyncflask.json.htmlsafe_dump({"k": "</script>&'"}, file)
    assert file.getvalue() == expected
    with with_codecs(new_app(), PointEncoder).app_context(), pytest.deprecated_call():
        assert asyncflask.json.htmlsafe_dumps(Point(1), separators=(",", ":")) == '{"x":1}'


# -- extensions ---------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to put extensions into, which are forgotten afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        before = set(sys.modules)
        meta_path = list(sys.meta_path)
        try:
            yield tmp_path
        finally:
            for name in set(sys.modules) - before:
                if "oldext" in name or name == "asyncflask.ext":
                    del sys.modules[name]
            vars(asyncflask).pop("ext", None)
            sys.meta_path[:] = meta_path


def run(source: str) -> dict[str, Any]:
    values: dict[str, Any] = {"__name__": "tutorial"}
    exec(compile(source, "tutorial.py", "exec"), values)
    return values


IMPORTS = [
    "from asyncflask.ext.oldext import Thing",
    "from asyncflask.ext import oldext; Thing = oldext.Thing",
    "import asyncflask.ext.oldext; Thing = asyncflask.ext.oldext.Thing",
    "import asyncflask.ext.oldext as oldext; Thing = oldext.Thing",
    "import importlib; Thing = importlib.import_module('asyncflask.ext.oldext').Thing",
]


@pytest.mark.parametrize("source", IMPORTS)
@pytest.mark.parametrize("real", ["flask_oldext", "asyncflask_oldext"])
def test_an_extension_is_imported_under_its_own_name(folder: Path, real: str, source: str) -> None:
    folder.joinpath(f"{real}.py").write_text("class Thing: pass")
    with noted() as notes:
        thing = run(source)["Thing"]
    assert [(note.category, note.filename, note.lineno) for note in notes] == [
        (DeprecationWarning, "tutorial.py", 1)
    ]
    assert str(notes[0].message) == f"'asyncflask.ext.oldext' is deprecated: import '{real}'."
    assert thing.__module__ == real
    module = sys.modules[real]
    assert module.Thing is thing
    assert sys.modules["asyncflask.ext.oldext"] is module
    assert module.__spec__.name == real
    assert importlib.reload(module) is module


def test_flask_extensions_come_first(folder: Path) -> None:
    folder.joinpath("flask_oldext.py").write_text("")
    folder.joinpath("asyncflask_oldext.py").write_text("")
    with pytest.deprecated_call():
        assert run("from asyncflask.ext import oldext")["oldext"].__name__ == "flask_oldext"


def test_submodules_are_those_of_the_extension(folder: Path) -> None:
    package = folder / "flask_oldext"
    package.joinpath("deep").mkdir(parents=True)
    package.joinpath("__init__.py").write_text("from .models import Model")
    package.joinpath("models.py").write_text("class Model: pass")
    package.joinpath("deep", "__init__.py").write_text("")
    package.joinpath("deep", "er.py").write_text("value = 1")
    with pytest.deprecated_call():
        found = run(
            "from asyncflask.ext.oldext.models import Model\n"
            "from asyncflask.ext.oldext import Model as same\n"
            "from asyncflask.ext.oldext.deep.er import value\n"
            "import asyncflask.ext.oldext.deep.er as er\n"
        )
    import flask_oldext.deep.er
    import flask_oldext.models

    assert found["Model"] is found["same"] is flask_oldext.models.Model
    assert found["er"] is flask_oldext.deep.er


def test_an_extension_that_is_not_there(folder: Path) -> None:
    with pytest.raises(ModuleNotFoundError, match="'flask_oldext' or 'asyncflask_oldext'") as caught:
        run("import asyncflask.ext.oldext")
    assert caught.value.name == "asyncflask.ext.oldext"
    folder.joinpath("flask_oldext.py").write_text("")
    importlib.invalidate_caches()
    with pytest.deprecated_call(), pytest.raises(ImportError, match="cannot import name 'Nothing'"):
        run("from asyncflask.ext.oldext import Nothing")


def test_an_extension_that_fails_says_why(folder: Path) -> None:
    folder.joinpath("flask_oldext.py").write_text("import a_library_that_is_not_there")
    with pytest.raises(ModuleNotFoundError, match="a_library_that_is_not_there"):
        run("import asyncflask.ext.oldext")
    assert "asyncflask.ext.oldext" not in sys.modules


def test_other_imports_are_left_alone(folder: Path) -> None:
    importlib.import_module("asyncflask.ext")
    assert importlib.util.find_spec("asyncflask.extension") is None
    assert importlib.util.find_spec("nonexistent_ext") is None
