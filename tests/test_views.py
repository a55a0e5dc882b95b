"""`asyncflask.views`: classes as views, each with ``def`` and with ``async def`` methods, as in Flask."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import flask
import flask.views
import pytest

import asyncflask
import asyncflask.views
from asyncflask.views import MethodView, View

packages = pytest.mark.parametrize("package", [flask, asyncflask], ids=["flask", "asyncflask"])
asyncness = pytest.mark.parametrize("is_async", [False, True], ids=["def", "async_def"])


def variant(function: Callable[..., Any], is_async: bool) -> Callable[..., Any]:
    """The function as it is, or the same as an ``async def`` that really waits."""
    if not is_async:
        return function

    @functools.wraps(function)
    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        return function(*args, **kwargs)

    return coroutine


def place() -> str:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return "thread"
    return "loop"


def add_parachute(package: Any) -> Callable[..., Any]:
    """A decorator as extensions have it: it wants the value that the view returns."""

    def decorator(view: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            response = package.make_response(view(*args, **kwargs))
            response.headers["X-Parachute"] = "awesome"
            return response

        return wrapper

    return decorator


def check_get_and_post(app: Any) -> None:
    client = app.test_client()
    assert client.get("/").data == b"GET"
    assert client.post("/").data == b"POST"
    assert client.put("/").status_code == 405
    assert sorted(client.open("/", method="OPTIONS").allow) == ["GET", "HEAD", "OPTIONS", "POST"]


class TestView:
    @packages
    @asyncness
    def test_methods(self, package: Any, is_async: bool) -> None:
        class Index(package.views.View):
            methods = ["GET", "POST"]
            dispatch_request = variant(lambda self: package.request.method, is_async)

        app = package.Flask("app")
        app.add_url_rule("/", view_func=Index.as_view("index"))
        check_get_and_post(app)

    @packages
    @asyncness
    @pytest.mark.parametrize("every_request", [True, False])
    def test_arguments_and_instances(self, package: Any, is_async: bool, every_request: bool) -> None:
        class Index(package.views.View):
            init_every_request = every_request
            made = 0

            def __init__(self, *args: Any, **kwargs: Any) -> None:
                Index.made += 1
                self.text = f"{Index.made} {args} {kwargs}"

            dispatch_request = variant(lambda self, number, default: [self.text, number, default], is_async)

        app = package.Flask("app")
        view = Index.as_view("index", 1, "b", c=3)
        assert Index.made == (0 if every_request else 1)
        app.add_url_rule("/<int:number>", defaults={"default": "d"}, view_func=view)
        client = app.test_client()
        for count in (1, 2):
            number = count if every_request else 1
            assert client.get("/5").json == [f"{number} (1, 'b') {{'c': 3}}", 5, "d"]

    @packages
    def test_attributes(self, package: Any) -> None:
        class Index(package.views.View):
            """Documentation."""

            methods = ["POST"]
            provide_automatic_options = False

        Index.__module__ = "some.module"
        view = Index.as_view("index")
        assert view.view_class is Index
        assert (view.__name__, view.__doc__, view.__module__) == ("index", "Documentation.", "some.module")
        assert (view.methods, view.provide_automatic_options) == (["POST"], False)

        plain = package.views.View.as_view("plain")
        assert (plain.methods, plain.provide_automatic_options) == (None, None)

    @packages
    def test_dispatch_request_is_to_be_overridden(self, package: Any) -> None:
        class Index(package.views.View):
            pass

        with pytest.raises(NotImplementedError) as raised:
            Index().dispatch_request()
        if package is asyncflask:
            assert "dispatch_request() in Index" in str(raised.value)

    @packages
    @asyncness
    def test_automatic_options(self, package: Any, is_async: bool) -> None:
        def allowed(**attributes: Any) -> Any:
            dispatch_request = variant(lambda self: "own", is_async)
            view_class = type(
                "Index", (package.views.View,), {"dispatch_request": dispatch_request, **attributes}
            )
            app = package.Flask("app")
            app.add_url_rule("/", view_func=view_class.as_view("index"))
            response = app.test_client().options("/")
            return response.status_code, sorted(response.allow), response.data == b"own"

        assert allowed() == (200, ["GET", "HEAD", "OPTIONS"], False)
        assert allowed(provide_automatic_options=False) == (405, ["GET", "HEAD"], False)
        assert allowed(methods=["OPTIONS"], provide_automatic_options=True) == (200, ["OPTIONS"], False)
        assert allowed(methods=["OPTIONS"]) == (200, [], True)

    @packages
    @asyncness
    def test_patched_class(self, package: Any, is_async: bool) -> None:
        class Index(package.views.MethodView):
            def get(self) -> str:
                raise ZeroDivisionError

            post = get

        class Other(Index):
            get = variant(lambda self: "GET", is_async)
            post = variant(lambda self: "POST", is_async)

        view = Index.as_view("index")
        view.view_class = Other
        app = package.Flask("app")
        app.add_url_rule("/", view_func=view)
        check_get_and_post(app)

    def test_patched_class_that_is_sync(self) -> None:
        class Index(View):
            async def dispatch_request(self) -> str:
                return "async"

        class Other(View):
            def dispatch_request(self) -> str:
                return "sync"

        view: Any = Index.as_view("index")
        view.view_class = Other
        assert asyncio.run(view()) == "sync"

    @packages
    def test_endpoint_is_taken(self, package: Any) -> None:
        class Index(package.views.View):
            def dispatch_request(self) -> str:
                return ""

        app = package.Flask("app")
        app.add_url_rule("/", view_func=Index.as_view("index"))
        with pytest.raises(AssertionError):
            app.add_url_rule("/other", view_func=Index.as_view("index"))


class TestMethodView:
    @packages
    @pytest.mark.parametrize("get_is_async", [False, True])
    @pytest.mark.parametrize("post_is_async", [False, True])
    def test_methods(self, package: Any, get_is_async: bool, post_is_async: bool) -> None:
        class Index(package.views.MethodView):
            get = variant(lambda self: "GET", get_is_async)
            post = variant(lambda self: "POST", post_is_async)

        app = package.Flask("app")
        app.add_url_rule("/", view_func=Index.as_view("index"))
        check_get_and_post(app)

    @packages
    @asyncness
    def test_url_variables(self, package: Any, is_async: bool) -> None:
        class Item(package.views.MethodView):
            init_every_request = False
            get = variant(lambda self, number, name="none": [number, name], is_async)

        app = package.Flask("app")
        view = Item.as_view("item")
        app.add_url_rule("/<int:number>", view_func=view)
        app.add_url_rule("/<int:number>/<name>", view_func=view)
        client = app.test_client()
        assert client.get("/5").json == [5, "none"]
        assert client.get("/5/x").json == [5, "x"]

    @packages
    @asyncness
    def test_head(self, package: Any, is_async: bool) -> None:
        def respond(self: Any) -> Any:
            return package.Response("body", headers={"X-Method": package.request.method})

        def respond_to_head(self: Any) -> Any:
            return package.Response("", headers={"X-Method": "own"})

        class Implicit(package.views.MethodView):
            get = variant(respond, is_async)

        class Explicit(Implicit):
            head = variant(respond_to_head, is_async)

        app = package.Flask("app")
        app.add_url_rule("/implicit", view_func=Implicit.as_view("implicit"))
        app.add_url_rule("/explicit", view_func=Explicit.as_view("explicit"))
        client = app.test_client()
        assert client.get("/implicit").data == client.get("/explicit").data == b"body"
        for path, method in [("/implicit", "HEAD"), ("/explicit", "own")]:
            response = client.head(path)
            assert (response.data, response.headers["X-Method"]) == (b"", method)

    @packages
    def test_collected_methods(self, package: Any) -> None:
        class Get(package.views.MethodView):
            async def get(self) -> str:
                return "GET"

        class Delete(package.views.MethodView):
            def delete(self) -> str:
                return "DELETE"

        class Both(Get, Delete):
            pass

        class More(Both):
            def post(self) -> str:
                return "POST"

        class Less(Get, Delete):
            methods = ["GET"]

        class Listed(package.views.MethodView):
            methods = ["GET", "PROPFIND"]

        class Own(Listed):
            def get(self) -> str:
                return "GET"

            async def propfind(self) -> str:
                return "PROPFIND"

        class Mixin:
            methods = ["PATCH"]

            def trace(self) -> str:
                return "TRACE"

        class Mixed(Mixin, package.views.MethodView):
            pass

        class Empty(package.views.MethodView):
            pass

        assert package.views.MethodView.methods is None
        assert Empty.methods is None
        assert [Get.methods, Both.methods, More.methods] == [
            {"GET"},
            {"GET", "DELETE"},
            {"GET", "DELETE", "POST"},
        ]
        assert (Less.methods, Own.methods) == (["GET"], {"GET", "PROPFIND"})
        assert Mixed.methods == {"PATCH", "TRACE"}

        app = package.Flask("app")
        for view_class in (More, Less, Own):
            name = view_class.__name__
            app.add_url_rule(f"/{name}", view_func=view_class.as_view(name))
        client = app.test_client()
        answers = {
            (path, method): client.open(path, method=method)
            for path in ("/More", "/Less", "/Own")
            for method in ("GET", "DELETE", "POST", "PROPFIND")
        }
        assert {
            key: answer.data.decode() for key, answer in answers.items() if answer.status_code == 200
        } == {
            ("/More", "GET"): "GET",
            ("/More", "DELETE"): "DELETE",
            ("/More", "POST"): "POST",
            ("/Less", "GET"): "GET",
            ("/Own", "GET"): "GET",
            ("/Own", "PROPFIND"): "PROPFIND",
        }

    @packages
    @asyncness
    def test_listed_method_without_a_handler(self, package: Any, is_async: bool) -> None:
        class Index(package.views.MethodView):
            methods = ["GET", "POST"]
            get = variant(lambda self: "GET", is_async)

        app = package.Flask("app")
        app.testing = True
        app.add_url_rule("/", view_func=Index.as_view("index"))
        client = app.test_client()
        assert client.get("/").data == b"GET"
        with pytest.raises(AssertionError, match="Unimplemented method 'POST'"):
            client.post("/")

    @packages
    @asyncness
    def test_overridden_dispatch_request_sees_the_value(self, package: Any, is_async: bool) -> None:
        class Json(package.views.MethodView):
            def dispatch_request(self, **kwargs: Any) -> Any:
                return {"data": super().dispatch_request(**kwargs).upper()}

        class Index(Json):
            get = variant(lambda self, name: name, is_async)

        app = package.Flask("app")
        app.add_url_rule("/<name>", view_func=Index.as_view("index"))
        assert app.test_client().get("/x").json == {"data": "X"}

    @packages
    def test_overridden_by_a_coroutine(self, package: Any) -> None:
        class Checked(package.views.MethodView):
            async def dispatch_request(self, **kwargs: Any) -> Any:
                await asyncio.sleep(0)
                if "deny" in package.request.args:
                    package.abort(403)
                return super().dispatch_request(**kwargs)

            def get(self) -> str:
                return "GET"

        app = package.Flask("app")
        app.add_url_rule("/", view_func=Checked.as_view("index"))
        client = app.test_client()
        assert client.get("/").data == b"GET"
        assert client.get("/?deny=1").status_code == 403

    def test_coroutine_awaits_a_coroutine(self) -> None:
        class Index(MethodView):
            async def dispatch_request(self, **kwargs: Any) -> Any:
                return "<" + await super().dispatch_request(**kwargs) + ">"

            async def get(self) -> str:
                return "GET"

        app = asyncflask.Flask("app")
        app.add_url_rule("/", view_func=Index.as_view("index"))
        assert app.test_client().get("/").data == b"<GET>"


class TestDecorators:
    @packages
    @asyncness
    @pytest.mark.parametrize("every_request", [True, False])
    def test_that_wants_the_value(self, package: Any, is_async: bool, every_request: bool) -> None:
        class Index(package.views.View):
            decorators = [add_parachute(package)]
            init_every_request = every_request
            dispatch_request = variant(lambda self, name: package.request.method + name, is_async)

        app = package.Flask("app")
        app.add_url_rule("/<name>", view_func=Index.as_view("index"))
        response = app.test_client().get("/x")
        assert (response.data, response.headers["X-Parachute"]) == (b"GETx", "awesome")

    @packages
    @asyncness
    def test_error_goes_through_it(self, package: Any, is_async: bool) -> None:
        def catch(view: Callable[..., Any]) -> Callable[..., Any]:
            def wrapper(**kwargs: Any) -> Any:
                try:
                    return view(**kwargs)
                except ZeroDivisionError:
                    return "caught", 418

            return wrapper

        class Index(package.views.MethodView):
            decorators = [catch]
            get = variant(lambda self: 1 // 0, is_async)

        app = package.Flask("app")
        app.add_url_rule("/", view_func=Index.as_view("index"))
        assert app.test_client().get("/").status_code == 418

    @packages
    @asyncness
    def test_order_and_names(self, package: Any, is_async: bool) -> None:
        seen = []

        def suffix(text: str) -> Callable[..., Any]:
            def decorator(view: Callable[..., Any]) -> Callable[..., Any]:
                seen.append((view.__name__, view.__module__))

                @functools.wraps(view)
                def wrapper(**kwargs: Any) -> Any:
                    result: str = view(**kwargs)
                    return result + text

                return wrapper

            return decorator

        class Index(package.views.View):
            """Documentation."""

            decorators = [suffix("1"), suffix("2")]
            dispatch_request = variant(lambda self: "0", is_async)

        view = Index.as_view("index")
        assert seen == [("index", __name__)] * 2
        assert (view.view_class, view.__name__, view.__doc__) == (Index, "index", "Documentation.")
        app = package.Flask("app")
        app.add_url_rule("/", view_func=view)
        assert app.test_client().get("/").data == b"012"

    @packages
    @asyncness
    def test_that_uses_ensure_sync(self, package: Any, is_async: bool) -> None:
        def login_required(view: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(view)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                if "user" not in package.request.args:
                    package.abort(401)
                return package.current_app.ensure_sync(view)(*args, **kwargs)

            return wrapper

        class Index(package.views.MethodView):
            decorators = [login_required, add_parachute(package)]
            get = variant(lambda self: package.request.args["user"], is_async)

        app = package.Flask("app")
        app.add_url_rule("/", view_func=Index.as_view("index"))
        client = app.test_client()
        assert client.get("/?user=me").data == b"me"
        assert client.get("/").status_code == 401

    @asyncness
    def test_that_is_a_coroutine(self, is_async: bool) -> None:
        def brackets(view: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(view)
            async def wrapper(**kwargs: Any) -> str:
                await asyncio.sleep(0)
                result = view(**kwargs)
                return f"<{await result if inspect.isawaitable(result) else result}>"

            return wrapper

        class Index(View):
            decorators = [brackets]
            dispatch_request = variant(lambda self: "x", is_async)

        view = Index.as_view("index")
        assert inspect.iscoroutinefunction(view)
        app = asyncflask.Flask("app")
        app.add_url_rule("/", view_func=view)
        assert app.test_client().get("/").data == b"<x>"

    @asyncness
    def test_that_only_marks_the_view(self, is_async: bool) -> None:
        exempt = set()

        def mark(view: Any) -> Any:
            exempt.add(view)
            view.is_exempt = True
            return view

        class Index(View):
            decorators = [mark]
            dispatch_request = variant(lambda self: "x", is_async)

        view: Any = Index.as_view("index")
        assert view in exempt
        assert view.is_exempt
        # Nobody looks at the value, so no thread waits for it: the framework gets the coroutine.
        result = view()
        assert inspect.isawaitable(result) is is_async
        assert (asyncio.run(awaited(result)) if is_async else result) == "x"


async def awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


class TestPlace:
    """Where things run: ``async def`` on the event loop, ``def`` in a worker thread."""

    def get_sync(self) -> str:
        return place()

    async def get_async(self) -> str:
        return place()

    SYNC, ASYNC = {"get": get_sync}, {"get": get_async}

    @pytest.mark.parametrize(
        ("base", "attributes", "is_coroutine_function"),
        [
            (View, {"dispatch_request": get_sync}, False),
            (View, {"dispatch_request": get_async}, True),
            (View, {"dispatch_request": get_async, "init_every_request": False}, True),
            (View, {"dispatch_request": get_async, "decorators": [lambda view: view]}, False),
            (View, {}, False),
            (MethodView, {}, False),
            (MethodView, {"get": get_sync}, False),
            (MethodView, {"get": get_async}, True),
            (MethodView, {"get": get_async, "post": get_async, "head": get_async}, True),
            (MethodView, {"get": get_async, "post": get_sync}, False),
            (MethodView, {"get": get_async, "head": get_sync}, False),
            (MethodView, {"get": get_async, "methods": ["GET", "HEAD"]}, True),
            (MethodView, {"get": get_async, "post": get_sync, "methods": ["GET"]}, True),
            (MethodView, {"get": get_async, "propfind": get_sync, "methods": ["GET", "PROPFIND"]}, False),
            (MethodView, {"get": get_async, "dispatch_request": get_sync}, False),
            (MethodView, {"get": get_sync, "dispatch_request": get_async}, True),
            (type("Parent", (MethodView,), {"get": get_sync}), {"post": get_async}, False),
            (type("Parent", (MethodView,), {"get": get_async}), {"post": get_async}, True),
        ],
    )
    def test_kind_of_function(
        self, base: type[View], attributes: dict[str, Any], is_coroutine_function: bool
    ) -> None:
        view = type("Index", (base,), attributes).as_view("index")
        assert inspect.iscoroutinefunction(view) is is_coroutine_function

    @pytest.mark.parametrize("every_request", [True, False])
    def test_mixed_methods(self, every_request: bool) -> None:
        class Index(MethodView):
            init_every_request = every_request

            async def get(self) -> str:
                return place()

            def post(self) -> str:
                return place()

        app = asyncflask.Flask("app")
        app.add_url_rule("/", view_func=Index.as_view("index"))
        client = app.test_client()
        for _ in range(2):
            assert client.get("/").data == b"loop"
            assert client.post("/").data == b"thread"

    def test_mixed_view_does_not_wait_in_its_thread(self) -> None:
        class Index(MethodView):
            async def get(self) -> str:
                return place()

            def post(self) -> str:
                return place()

        app = asyncflask.Flask("app")
        with app.test_request_context("/"):
            result: Any = Index.as_view("index")()
        assert inspect.isawaitable(result)
        assert asyncio.run(awaited(result)) == "loop"

    @pytest.mark.parametrize(
        ("attributes", "expected"),
        [
            ({"get": get_sync}, "thread"),
            ({"get": get_async}, "loop"),
            ({"get": get_async, "decorators": [add_parachute(asyncflask)]}, "loop"),
            ({"get": get_sync, "decorators": [add_parachute(asyncflask)]}, "thread"),
            ({"get": get_async, "decorators": [lambda view: view]}, "loop"),
            (
                {
                    "get": get_async,
                    "dispatch_request": lambda self: place() + " " + MethodView.dispatch_request(self),
                },
                "thread loop",
            ),
        ],
    )
    def test_handler(self, attributes: dict[str, Any], expected: str) -> None:
        app = asyncflask.Flask("app")
        app.add_url_rule("/", view_func=type("Index", (MethodView,), attributes).as_view("index"))
        assert app.test_client().get("/").get_data(as_text=True) == expected

    def test_decorator_of_an_async_handler_does_not_stop_the_loop(self) -> None:
        """Two requests that wait for each other, each through a decorator that waits in its thread."""
        app = asyncflask.Flask("app")
        both_are_here = asyncio.Barrier(2)

        class Index(MethodView):
            decorators = [add_parachute(asyncflask)]

            async def get(self, name: str) -> str:
                async with asyncio.timeout(10):
                    await both_are_here.wait()
                return name

        app.add_url_rule("/<name>", view_func=Index.as_view("index"))

        async def main() -> list[bytes]:
            async with app.test_client() as client:
                answers = await asyncio.gather(client.get("/a"), client.get("/b"))
            return [answer.data for answer in answers]

        assert asyncio.run(main()) == [b"a", b"b"]
