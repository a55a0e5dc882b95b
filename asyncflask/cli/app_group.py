"""Commands that run in the context of the application, and may be ``async def``."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from functools import update_wrapper
from typing import Any, TypeVar, cast

import click

from ..globals import current_app
from .info import ScriptInfo

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


def with_appcontext(f: F) -> F:
    """Run a command's function in the context of the application.

    Commands of ``app.cli`` and ``blueprint.cli`` need no decorator for that.
    The function may be ``async def``; it is run with ``app.ensure_sync``.
    """

    @click.pass_context
    def command(ctx: click.Context, /, *args: Any, **kwargs: Any) -> Any:
        if not current_app:
            ctx.with_resource(ctx.ensure_object(ScriptInfo).load_app().app_context())
        return _invoke(ctx, f, *args, **kwargs)

    return cast(F, update_wrapper(command, f))


def _without_appcontext(f: F) -> F:
    """Let a function be ``async def`` without asking for an application."""

    @click.pass_context
    def command(ctx: click.Context, /, *args: Any, **kwargs: Any) -> Any:
        return _invoke(ctx, f, *args, **kwargs)

    return cast(F, update_wrapper(command, f))


def _invoke(ctx: click.Context, f: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    result = ctx.invoke(f, *args, **kwargs)
    # Not the function is asked whether it is async: one in between (`click.pass_context`) is not.
    if not inspect.isawaitable(result):
        return result
    if current_app:
        return current_app.ensure_sync(_within)(ctx, result)
    return asyncio.run(_within(ctx, result))


async def _within(ctx: click.Context, awaitable: Awaitable[T]) -> T:
    # click keeps the current context for each thread, and this may be another one.
    with ctx.scope(cleanup=False):
        return await awaitable


class AppGroup(click.Group):
    """A group whose commands run in the context of the application, and may be ``async def``."""

    def command(self, *args: Any, **kwargs: Any) -> Any:
        """As `click.Group.command`.

        :param with_appcontext: False for a command that wants no application.
        """
        wrap = with_appcontext if kwargs.pop("with_appcontext", True) else _without_appcontext
        return self._decorate(super().command, wrap, args, kwargs)

    def group(self, *args: Any, **kwargs: Any) -> Any:
        """As `click.Group.group`, but the new group is an `AppGroup`, too."""
        kwargs.setdefault("cls", AppGroup)
        return self._decorate(super().group, _without_appcontext, args, kwargs)

    @staticmethod
    def _decorate(
        method: Callable[..., Any], wrap: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if args and callable(args[0]):  # without parentheses
            return method(**kwargs)(wrap(args[0]))
        return lambda f: method(*args, **kwargs)(wrap(f))
