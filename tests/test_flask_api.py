"""Flask 3.2's API: what is always there, and what ``FLASK_API`` decides about."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest

import asyncflask
from asyncflask import Blueprint, Flask, g, redirect, request, session
from asyncflask.ctx import AppContext
from asyncflask.overriding import OF_CONTEXT
from asyncflask.views import View

BOTH = pytest.mark.parametrize("version", ["3.1", "3.2"])
KINDS = pytest.mark.parametrize("kind", ["sync", "async"])


@pytest.fixture
def app() -> Flask:
    return Flask(__name__)


@pytest.fixture
def next_app(app: Flask) -> Flask:
    app.config["FLASK_API"] = "3.2"
    return app


def as_kind(kind: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function itself, or an ``async def`` that does the same and really waits."""
    if kind == "sync":
        return function

    async def asynchronous(*args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        return function(*args, **kwargs)

    return asynchronous


# -- additions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("registry", ["filter", "test", "global"])
def test_template_decorators_without_parentheses(app: Flask, registry: str) -> None:
    blueprint = Blueprint("bp", __name__)
    own, of_blueprint = getattr(app, f"template_{registry}"), getattr(blueprint, f"app_template_{registry}")

    def first() -> None: ...
    def second() -> None: ...
    def third() -> None: ...

    assert own(first) is first
    assert own()(second) is second
    assert own("named")(third) is third
    assert own(name="named_too")(third) is third
    assert of_blueprint(first) is first
    assert of_blueprint("bp_named")(second) is second
    assert of_blueprint()(third) is third
    app.register_blueprint(blueprint)
    registered = getattr(app.jinja_env, f"{registry}s")
    assert registered["first"] is first
    assert registered["second"] is registered["bp_named"] is second
    assert registered["third"] is registered["named"] is registered["named_too"] is third


@BOTH
def test_automatic_options_where_the_configuration_is_off(app: Flask, version: str) -> None:
    app.config.update(PROVIDE_AUTOMATIC_OPTIONS=False, FLASK_API=version)

    class Index(View):
        provide_automatic_options = True

        def dispatch_request(self) -> str:
            return "index"

    app.add_url_rule("/view", view_func=Index.as_view("view"))
    app.add_url_rule("/on", "on", lambda: "x", provide_automatic_options=True)
    app.add_url_rule("/off", "off", lambda: "x")
    client = app.test_client()
    assert client.options("/view").allow == {"GET", "HEAD", "OPTIONS"}
    assert client.options("/on").allow == {"GET", "HEAD", "OPTIONS"}
    assert client.options("/off").status_code == 405
    assert client.get("/view").text == "index"


def test_a_context_from_an_environ(app: Flask) -> None:
    environ = app.test_request_context("/path?a=1").request.environ
    with AppContext.from_environ(app, environ) as ctx:
        assert request.path == "/path"
        assert ctx.request.args["a"] == "1"
        assert ctx.has_request


@BOTH
def test_a_copy_of_a_context(app: Flask, version: str) -> None:
    app.config.update(FLASK_API=version, SECRET_KEY="k")
    with app.test_request_context("/path") as ctx:
        session["a"] = 1
        copied = ctx.copy()
        assert copied._session is ctx._session
    with copied:
        assert request.path == "/path"
        assert session["a"] == 1
        assert asyncflask.get_flashed_messages() == []


# -- overridden methods -------------------------------------------------------------------------


def calls_of(App: type[Flask], version: str) -> Flask:
    app = App(__name__)
    app.config["FLASK_API"] = version
    app.add_url_rule("/", "index", lambda: "index")
    app.add_url_rule("/fails", "fails", lambda: 1 / 0)
    app.add_url_rule("/missing", "missing", lambda: asyncflask.abort(404))
    client = app.test_client()
    assert client.get("/").text == "index"
    assert client.get("/fails").status_code == 500
    assert client.get("/missing").status_code == 404
    assert client.options("/").allow == {"GET", "HEAD", "OPTIONS"}
    return app


@BOTH
@KINDS
@pytest.mark.parametrize("onwards", ["with the context", "without"])
@pytest.mark.parametrize("name", sorted(OF_CONTEXT))
def test_methods_with_the_context_first(name: str, onwards: str, kind: str, version: str) -> None:
    if kind == "async" and name in ("make_default_options_response", "log_exception"):
        pytest.skip("the framework calls these two from sync code only")
    seen = []

    class App(Flask):
        pass

    def method(self: Flask, ctx: AppContext, *args: Any, **kwargs: Any) -> Any:
        seen.append(ctx)
        assert ctx.app is self
        if name != "do_teardown_appcontext":
            assert ctx.request.path == request.path
        if onwards == "without":
            return getattr(super(App, self), name)(*args, **kwargs)
        return getattr(super(App, self), name)(ctx, *args, **kwargs)

    async def waiting(self: Flask, ctx: AppContext, *args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        return await asyncflask.current_app.sync_to_async(method)(self, ctx, *args, **kwargs)

    setattr(App, name, method if kind == "sync" else waiting)
    calls_of(App, version)
    assert seen
    assert all(isinstance(ctx, AppContext) for ctx in seen)


@BOTH
@pytest.mark.parametrize("name", sorted(OF_CONTEXT))
def test_methods_with_the_old_signature(name: str, version: str) -> None:
    seen = []

    class App(Flask):
        pass

    def method(self: Flask, *args: Any, **kwargs: Any) -> Any:
        seen.append(args)
        return getattr(super(App, self), name)(*args, **kwargs)

    setattr(App, name, method)
    calls_of(App, version)
    assert seen
    assert not any(isinstance(value, AppContext) for args in seen for value in args)


@BOTH
def test_annotations_tell_too(version: str) -> None:
    seen: list[Any] = []

    class App(Flask):
        def log_exception(self, context: AppContext, exc_info: Any) -> None:  # type: ignore[override]
            seen.append((context, exc_info[0]))

        def handle_exception(self, context: asyncflask.ctx.AppContext, e: Exception) -> Any:  # type: ignore
            seen.append(context)
            return super().handle_exception(e)

        def handle_http_exception(self, ctx: Exception) -> Any:  # type: ignore[override]
            seen.append(ctx)  # a name is nothing where there is an annotation
            return super().handle_http_exception(ctx)

    calls_of(App, version)
    assert isinstance(seen[0], AppContext)
    assert isinstance(seen[1][0], AppContext)
    assert seen[1][1] is ZeroDivisionError
    assert seen[2].code == 404


def test_an_assigned_method(app: Flask) -> None:
    seen = []
    app.log_exception = lambda ctx, exc_info: seen.append((ctx.request.path, exc_info[0]))  # type: ignore
    app.add_url_rule("/", "index", lambda: 1 / 0)
    assert app.test_client().get("/").status_code == 500
    assert seen == [("/", ZeroDivisionError)]


# -- contradictions -----------------------------------------------------------------------------


def test_redirects(app: Flask) -> None:
    app.add_url_rule("/", "index", lambda: redirect("/x"), methods=["GET", "POST"])
    app.add_url_rule("/own", "own", lambda: redirect("/x", 307))
    app.add_url_rule("/app", "app", lambda: app.redirect("/x"))
    client = app.test_client()
    for version, code in (("3.1", 302), ("3.2", 303), ("3.1", 302)):
        app.config["FLASK_API"] = version
        assert client.post("/").status_code == client.get("/app").status_code == code
        assert client.get("/own").status_code == 307


def test_a_redirect_of_ones_own_is_given_a_number(next_app: Flask) -> None:
    given = []
    next_app.redirect = lambda location, code=302: given.append(code) or "x"  # type: ignore
    next_app.add_url_rule("/", "index", lambda: redirect("/x"))
    next_app.test_client().get("/")
    assert given == [303]


def failing(app: Flask, kind: str) -> list[str]:
    called = []

    def fail(name: str) -> Callable[..., Any]:
        def function(*args: Any, **kwargs: Any) -> None:
            called.append(name)
            raise ValueError(name)

        return as_kind(kind, function)

    app.teardown_request(fail("request 1"))
    app.teardown_request(fail("request 2"))
    app.teardown_appcontext(fail("app 1"))
    app.teardown_appcontext(fail("app 2"))
    app.add_url_rule("/", "index", lambda: "index")
    return called


def described(error: BaseException) -> Any:
    if isinstance(error, BaseExceptionGroup):
        return error.message, [described(inner) for inner in error.exceptions]
    return str(error)


GROUPS = (
    "Errors during context teardown",
    [
        ("Errors during request teardown", ["request 2", "request 1"]),
        ("Errors during app teardown", ["app 2", "app 1"]),
    ],
)


@KINDS
@pytest.mark.parametrize("way", ["client", "with", "async with"])
def test_errors_of_teardown_functions_are_grouped(next_app: Flask, kind: str, way: str) -> None:
    called = failing(next_app, kind)

    def end_one() -> None:
        with next_app.test_request_context("/"):
            pass

    async def end_one_in_a_task() -> None:
        async with next_app.test_request_context("/"):
            pass

    ways = {
        "client": lambda: next_app.test_client().get("/"),
        "with": end_one,
        "async with": lambda: asyncio.run(end_one_in_a_task()),
    }
    with pytest.raises(ExceptionGroup) as raised:
        ways[way]()
    assert described(raised.value) == GROUPS
    assert called == ["request 2", "request 1", "app 2", "app 1"]


@KINDS
def test_errors_of_teardown_functions_by_default(app: Flask, kind: str) -> None:
    called = failing(app, kind)
    with pytest.raises(ValueError, match="request 2"):
        app.test_client().get("/")
    assert called == ["request 2", "request 1", "app 2", "app 1"]


@BOTH
def test_whether_a_context_is_reused(app: Flask, version: str) -> None:
    app.config["FLASK_API"] = version
    ended = []
    app.teardown_appcontext(lambda error: ended.append(g.get("name")))

    @app.get("/")
    def index() -> str:
        return str(g.get("name"))

    with app.app_context():
        g.name = "outer"
        assert app.test_client().get("/").text == ("outer" if version == "3.1" else "None")
        with app.test_request_context("/"):
            assert g.get("name") == ("outer" if version == "3.1" else None)
    assert ended == (["outer"] if version == "3.1" else [None, None, "outer"])


# -- the switch ---------------------------------------------------------------------------------


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASYNCFLASK_FLASK_API", raising=False)
    assert Flask("a").config["FLASK_API"] == "3.1"
    monkeypatch.setenv("ASYNCFLASK_FLASK_API", "3.2")
    assert Flask("a").config["FLASK_API"] == "3.2"
    monkeypatch.setenv("ASYNCFLASK_FLASK_API", "")
    assert Flask("a").config["FLASK_API"] == "3.1"


def test_a_version_that_there_is_not(app: Flask) -> None:
    app.add_url_rule("/", "index", lambda: redirect("/"))
    app.config.update(FLASK_API="4", TESTING=True)
    with pytest.raises(ValueError, match=r"FLASK_API is '4'; it is '3.1' or '3.2'"):
        app.test_client().get("/")


def test_the_names_are_those_of_methods() -> None:
    for name in OF_CONTEXT:
        assert inspect.isfunction(getattr(Flask, name))
