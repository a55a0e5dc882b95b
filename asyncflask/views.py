"""Views as classes. Whatever handles the request in them may be ``def`` or ``async def``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Any, ClassVar, cast

from .concurrency import is_async, is_awaitable
from .globals import current_app, request
from .typing import RouteCallable

http_method_funcs = frozenset(["get", "post", "head", "options", "delete", "put", "trace", "patch"])


def _on_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def _await(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def _value(result: Any) -> Any:
    """What sync code that wraps a handler gets from it: the response value, as in Flask.

    In a worker thread an awaitable is run on the event loop and waited for. On
    the loop waiting would stop it, so the awaitable itself is returned.
    """
    if is_awaitable(result) and not _on_event_loop():
        return current_app.ensure_sync(_await)(result)
    return result


class View:
    """A view as a class: override `dispatch_request`, and register what `as_view` returns::

    class Hello(View):
        async def dispatch_request(self, name):
            return f"Hello, {name}!"

    app.add_url_rule("/hello/<name>", view_func=Hello.as_view("hello"))
    """

    #: HTTP methods for the rules of this view. None: those that `route` takes by default.
    methods: ClassVar[Collection[str] | None] = None

    #: Whether OPTIONS is answered automatically. None: unless `methods` has it.
    provide_automatic_options: ClassVar[bool | None] = None

    #: Decorators for the view function, the innermost first. (A decorator of the class does not decorate it.)
    decorators: ClassVar[list[Callable[..., Any]]] = []

    #: Whether each request gets an instance of its own. False saves the time that takes, and means that data
    #: of a request must not be kept on ``self``.
    init_every_request: ClassVar[bool] = True

    # With this signature an override may have any: URL variables differ from view to view.
    def dispatch_request(self, *args: Any, **kwargs: Any) -> Any:
        """Handle a request.

        :param kwargs: the URL variables.
        :returns: what a view function may return.
        """
        raise NotImplementedError(f"Override dispatch_request() in {type(self).__name__}.")

    @classmethod
    def _runs_on_event_loop(cls) -> bool:
        return is_async(cls.dispatch_request)

    @classmethod
    def as_view(cls, name: str, *class_args: Any, **class_kwargs: Any) -> RouteCallable:
        """Make a view function.

        It is a coroutine function if everything that it may dispatch to is one,
        and then runs on the event loop. Otherwise it is sync, runs in a worker
        thread, and returns the coroutine if it dispatched to an ``async def``.

        `decorators` are given a sync function. Called in a worker thread it
        returns the response value, as in Flask, also if the handler is an
        ``async def``; called in an ``async def`` decorator, there is a coroutine to await.

        :param name: name of the function, and so of the endpoint.
        :param class_args: for the class, each time an instance is made.
        :param class_kwargs: likewise.
        """
        view: Any
        if cls.init_every_request:

            def dispatch(**kwargs: Any) -> Any:
                # Looked up on the view, where a test may put another class.
                return view.view_class(*class_args, **class_kwargs).dispatch_request(**kwargs)

        else:
            self = cls(*class_args, **class_kwargs)

            def dispatch(**kwargs: Any) -> Any:
                return self.dispatch_request(**kwargs)

        if cls.decorators:
            is_wrapped = False

            def decorated(**kwargs: Any) -> Any:
                result = dispatch(**kwargs)
                return _value(result) if is_wrapped else result

            decorated.__name__ = name
            decorated.__module__ = cls.__module__
            view = decorated
            for decorator in cls.decorators:
                view = decorator(view)
            # A decorator that only registers or marks the function leaves nobody who looks at the result.
            is_wrapped = view is not decorated
        elif cls._runs_on_event_loop():

            async def coroutine(**kwargs: Any) -> Any:
                result = dispatch(**kwargs)
                return await result if is_awaitable(result) else result

            view = coroutine
        else:
            view = dispatch

        view.view_class = cls
        view.__name__ = name
        view.__doc__ = cls.__doc__
        view.__module__ = cls.__module__
        view.methods = cls.methods
        view.provide_automatic_options = cls.provide_automatic_options
        return cast(RouteCallable, view)


class MethodView(View):
    """A view with a method for each HTTP method: ``get`` handles GET, ``post`` handles POST, and so on.

    ``def`` and ``async def`` may be mixed; each runs where it belongs. HEAD goes
    to ``get`` if there is no ``head``. `methods` is collected from the class and
    its bases unless the class sets it::

        class Counter(MethodView):
            async def get(self):
                return str(session.get("counter", 0))

            def post(self):
                session["counter"] = session.get("counter", 0) + 1
                return redirect(url_for("counter"))

        app.add_url_rule("/counter", view_func=Counter.as_view("counter"))
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "methods" in cls.__dict__:
            return
        methods = {name.upper() for name in http_method_funcs if hasattr(cls, name)}
        for base in cls.__bases__:
            methods.update(getattr(base, "methods", None) or ())
        if methods:
            cls.methods = methods

    @classmethod
    def _runs_on_event_loop(cls) -> bool:
        if cls.dispatch_request is not MethodView.dispatch_request:
            return super()._runs_on_event_loop()
        handlers = [_handler(cls, method) for method in cls.methods or ()]
        found = [handler for handler in handlers if handler is not None]
        return bool(found) and all(map(is_async, found))

    def dispatch_request(self, *args: Any, **kwargs: Any) -> Any:
        """Call the method for the request's HTTP method.

        Returns what that returns, so a coroutine if it is an ``async def``. An
        overriding ``def dispatch_request`` that calls this one through ``super()``
        gets the response value instead; its worker thread waits for it.

        :raises AssertionError: when `methods` lists an HTTP method that has no handler.
        """
        method = request.method
        handler = _handler(self, method)
        if handler is None:
            raise AssertionError(
                f"Unimplemented method {method!r}: define {method.lower()}() in {type(self).__name__},"
                " or take it out of 'methods'."
            )
        result = handler(*args, **kwargs)
        is_overridden = type(self).dispatch_request is not MethodView.dispatch_request
        return _value(result) if is_overridden else result


def _handler(view: MethodView | type[MethodView], method: str) -> Callable[..., Any] | None:
    handler: Callable[..., Any] | None = getattr(view, method.lower(), None)
    if handler is None and method == "HEAD":
        handler = getattr(view, "get", None)
    return handler
