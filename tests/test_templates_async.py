"""Async functions in templates: all forms that Quart awaits, wherever a template is rendered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from inspect import iscoroutinefunction
from typing import Any

import pytest
from jinja2 import DictLoader, pass_context
from lifecycle.server import Server

from asyncflask import (
    Flask,
    current_app,
    g,
    render_template,
    render_template_async,
    render_template_string,
    request,
    stream_template,
    websocket,
)

LOOPS: set[int] = set()


async def shout(value: str = "hello", end: str = "!") -> str:
    await asyncio.sleep(0.001)
    LOOPS.add(id(asyncio.get_running_loop()))
    return value.upper() + end


async def is_long(value: str) -> bool:
    await asyncio.sleep(0)
    return len(value) > 3


async def numbers(end: int = 3) -> AsyncIterator[int]:
    for number in range(end):
        await asyncio.sleep(0)
        yield number


@pass_context
async def of_request(context: Any, value: str) -> str:
    await asyncio.sleep(0)
    return f"{value} of {context['request'].path} {request.path} {g.user}"


class Page:
    async def title(self) -> str:
        await asyncio.sleep(0)
        return "<title>"

    async def __call__(self) -> str:
        await asyncio.sleep(0)
        return "called"


class Rows:
    """Neither a generator nor an iterator."""

    def __aiter__(self) -> AsyncIterator[int]:
        return numbers(2)


#: What only needs functions that are registered.
REGISTERED = {
    "global": ("{{ shout() }}", "HELLO!"),
    "global with arguments": ("{{ shout('a', end='?') }}", "A?"),
    "template_global": ("{{ registered('a') }}", "A!"),
    "filter": ("{{ 'a'|shout }}", "A!"),
    "filter with arguments": ("{{ 'a'|shout(end='?')|lower }}", "a?"),
    "filter block": ("{% filter shout %}a{% endfilter %}", "A!"),
    "filter by map": ("{{ ['a', 'b']|map('shout')|join }}", "A!B!"),
    "filter with context": ("{{ 'a'|of_request }}", "a of /x /x ann"),
    "test": ("{{ 'a' is long }} {{ 'abcd' is long }}", "False True"),
    "test by select": ("{{ ['a', 'abcd']|select('long')|join }}", "abcd"),
    "condition": ("{% if 'a' is long %}yes{% else %}no{% endif %}", "no"),
    "set": ("{% set x = shout() %}{{ x|length }}", "6"),
    "async for": ("{% for x in numbers() %}{{ loop.index }}{{ x }} {% endfor %}", "10 21 32 "),
    "async for, empty": ("{% for x in numbers(0) %}{{ x }}{% else %}none{% endfor %}", "none"),
    "list": ("{{ numbers()|list }} {{ numbers()|sum }}", "[0, 1, 2] 3"),
    "context processor's own": ("{{ processed }}", "HELLO!"),
    "macro": ("{% macro m() %}{{ shout() }}{% endmacro %}{{ m() }}{{ m()|lower }}", "HELLO!hello!"),
    "caller": (
        "{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}{{ shout() }}{% endcall %}",
        "<HELLO!>",
    ),
    "import": ("{% import 'macros' as macros %}{{ macros.hello('ann') }}", "ANN!"),
    "from import": ("{% from 'macros' import hello with context %}{{ hello('ann') }}", "ANN!"),
    "include": ("{% include 'part' %}", "part HELLO!"),
    "inheritance": (
        "{% extends 'base' %}{% block body %}{{ super() }}{{ shout() }}{% endblock %}",
        "<BASE!HELLO!>",
    ),
}

#: What only the template meets.
MET = {
    "argument": ("{{ argument() }}", "HELLO!"),
    "partial": ("{{ curried() }}", "CURRIED!"),
    "method": ("{{ page.title() }}", "&lt;title&gt;"),
    "object": ("{{ page() }}", "called"),
    "of a context processor": ("{{ by_processor() }}", "HELLO!"),
    "generator": ("{% for x in generator %}{{ x }}{% endfor %}", "012"),
    "async iterable": ("{% for x in rows() %}{{ x }}{% endfor %}", "01"),
}
OTHERS = {
    "macros": "{% macro hello(name) %}{{ shout(name) }}{% endmacro %}",
    "part": "part {{ shout() }}",
    "base": "<{% block body %}{{ 'base'|shout }}{% endblock %}>",
}


def variables() -> dict[str, Any]:
    return {
        "argument": shout,
        "curried": partial(shout, "curried"),
        "page": Page(),
        "generator": numbers(),
        "rows": Rows,
    }


def make_app(register: bool = True) -> Flask:
    app = Flask("templates-async", static_folder=None)
    app.jinja_options = {"autoescape": True}
    app.jinja_loader = DictLoader(  # type: ignore[misc]
        {**OTHERS, **{name: source for name, (source, _) in (REGISTERED | MET).items()}}
    )
    if register:
        app.jinja_env.globals.update(shout=shout, numbers=numbers)
        app.jinja_env.filters["shout"] = shout
        app.template_global("registered")(shout)
        app.template_filter()(of_request)
        app.template_test("long")(is_long)

        @app.context_processor
        async def processed() -> dict[str, Any]:
            return {"processed": await shout()}

    @app.context_processor
    def processor() -> dict[str, Any]:
        return {"by_processor": shout}

    @app.before_request
    def user() -> None:
        g.user = "ann"

    return app


async def in_async_view(name: str) -> str:
    return render_template(name, **variables())


def in_sync_view(name: str) -> str:
    return render_template(name, **variables())


async def awaited(name: str) -> str:
    return await render_template_async(name, **variables())


async def streamed(name: str) -> Any:
    return stream_template(name, **variables())


def streamed_by_sync(name: str) -> Any:
    return stream_template(name, **variables())


def from_string(name: str) -> str:
    return render_template_string((REGISTERED | MET)[name][0], **variables())


async def in_a_thread(name: str) -> str:
    text: str = await current_app.sync_to_async(in_sync_view)(name)
    return text


VIEWS = (in_async_view, in_sync_view, awaited, streamed, streamed_by_sync, from_string, in_a_thread)


def add_view(app: Flask, view: Callable[..., Any]) -> Flask:
    async def async_view() -> Any:
        return await view(request.args["t"])

    def sync_view() -> Any:
        return view(request.args["t"])

    app.add_url_rule("/x", "x", async_view if iscoroutinefunction(view) else sync_view)
    return app


@pytest.mark.parametrize("view", VIEWS)
def test_all_forms_give_their_values(view: Callable[..., Any]) -> None:
    app = add_view(make_app(), view)
    forms = REGISTERED if view is in_async_view else REGISTERED | MET
    LOOPS.clear()
    with Server(app) as server:
        given = {name: server.get(f"/x?t={name.replace(' ', '%20')}").body.decode() for name in forms}
        assert given == {name: value for name, (_, value) in forms.items()}
        assert {id(server.loop)} == LOOPS
        assert server.errors == []


def test_outside_of_views() -> None:
    app = make_app()
    with app.test_request_context("/x"):
        g.user = "ann"
        for name, (_, value) in (REGISTERED | MET).items():
            assert render_template(name, **variables()) == value


@pytest.mark.parametrize("name", [*(name for name in MET if name != "of a context processor")])
def test_what_only_the_template_knows_is_an_error_in_an_async_view(name: str) -> None:
    """It names the place, and what to write; and nothing is shown instead."""
    app = add_view(make_app(register=False), in_async_view)
    app.testing = True
    with pytest.raises(RuntimeError) as error:
        app.test_client().get(f"/x?t={name}")
    assert str(error.value).startswith(f"{name}, line 1: ")
    assert "await render_template_async(" in str(error.value)


def test_the_line_of_the_error_is_the_templates() -> None:
    app = Flask("lines")
    app.testing = True

    @app.get("/")
    async def view() -> str:
        return render_template_string("\n\n<b>{{ page.title() }}</b>", page=Page())

    with pytest.raises(RuntimeError, match=r"The template, line 3: 'Page.title' is async"):
        app.test_client().get("/")


def test_requests_are_bridged_from_the_registration_on() -> None:
    app = add_view(make_app(register=False), in_async_view)
    client = app.test_client()
    assert client.get("/x?t=macros").text == ""
    app.jinja_env.filters["shout"] = shout
    app.jinja_env.globals["shout"] = shout
    assert client.get("/x?t=inheritance").text == "<BASE!HELLO!>"
    app.jinja_env.tests.update({"long": is_long})
    assert client.get("/x?t=condition").text == "no"


def test_websockets_and_tasks() -> None:
    app = make_app()
    done: list[str] = []

    @app.websocket("/ws")
    async def ws() -> None:
        await websocket.send(render_template_string("{{ shout() }}"))
        await websocket.send(await render_template_async("global"))

    async def task() -> None:
        done.append(await render_template_async("global"))

    @app.get("/")
    async def view() -> str:
        app.add_background_task(task)
        return ""

    with app.test_client() as client:
        with client.websocket_connect("/ws") as connection:
            assert [connection.receive(), connection.receive()] == ["HELLO!", "HELLO!"]
        client.get("/")
    assert done == ["HELLO!"]


def test_what_an_async_function_raises_is_raised() -> None:
    app = Flask("raising")
    app.testing = True

    @app.template_filter()
    async def fail(value: str) -> str:
        await asyncio.sleep(0)
        raise LookupError(value)

    async def view() -> str:
        return render_template_string("{{ 'it'|fail }}")

    app.add_url_rule("/async", view_func=view)
    app.add_url_rule("/sync", "sync", lambda: render_template_string("{{ 'it'|fail }}"))
    for path in ("/async", "/sync"):
        with pytest.raises(LookupError, match="it"):
            app.test_client().get(path)


def test_sync_functions_are_left_as_they_are() -> None:
    app = Flask("sync")
    app.template_filter()(str.upper)
    assert app.jinja_env.filters["upper"] is str.upper
    assert not app.jinja_env.may_wait
    app.add_template_filter(shout)
    assert app.jinja_env.may_wait
    assert app.jinja_env.filters["shout"].__wrapped__ is shout


@pytest.mark.parametrize("view", VIEWS)
def test_jinjas_enable_async(view: Callable[..., Any]) -> None:
    class AsyncJinja(Flask):
        jinja_options = {"enable_async": True, "autoescape": True}

    app = AsyncJinja("enabled", static_folder=None)
    sources = {
        "plain": "plain {{ 1 + 1 }}",
        "argument": MET["argument"][0],
        "method": MET["method"][0],
        "generator": MET["generator"][0],
    }
    app.jinja_loader = DictLoader(sources)  # type: ignore[misc]
    app.add_template_filter(shout)
    add_view(app, view)
    with Server(app) as server:
        given = {
            name: server.get(f"/x?t={name}").body.decode()
            for name in sources
            if name in MET or view is not from_string
        }
    expected = {"plain": "plain 2", **{name: MET[name][1] for name in sources if name in MET}}
    assert given == {name: value for name, value in expected.items() if name in given}


@pytest.fixture(autouse=True)
def _no_loops() -> Iterator[None]:
    yield
    LOOPS.clear()
