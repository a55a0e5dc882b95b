"""The types of what users register and return, under Flask's names."""

# ruff: noqa: UP007 (names in quotes cannot be joined with "|" at run time)

from __future__ import annotations

from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    Sequence,
)
from typing import TYPE_CHECKING, Any, TypeVar, Union

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
    from werkzeug.datastructures import Headers
    from werkzeug.sansio.response import Response

# ASGI (https://asgi.readthedocs.io/en/latest/specs/main.html)
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[Any]]

T = TypeVar("T")
MaybeAwaitable = Union[T, Awaitable[T]]

ResponseValue = Union[
    "Response",
    str,
    bytes,
    list[Any],
    Mapping[str, Any],
    Iterator[str],
    Iterator[bytes],
    AsyncIterable[str],
    AsyncIterable[bytes],
    ASGIApp,
]

HeaderValue = Union[str, list[str], tuple[str, ...]]
HeadersValue = Union[
    "Headers",
    Mapping[str, HeaderValue],
    Sequence[tuple[str, HeaderValue]],
]

ResponseReturnValue = Union[
    ResponseValue,
    tuple[ResponseValue, HeadersValue],
    tuple[ResponseValue, int],
    tuple[ResponseValue, str],
    tuple[ResponseValue, int, HeadersValue],
    tuple[ResponseValue, str, HeadersValue],
    "WSGIApplication",
]

ResponseClass = TypeVar("ResponseClass", bound="Response")

# The application's own functions are kept under None, a blueprint's under its name.
AppOrBlueprintKey = Union[str, None]

RouteCallable = Callable[..., Any]
BeforeFirstRequestCallable = Callable[[], MaybeAwaitable[None]]
BeforeRequestCallable = Callable[[], MaybeAwaitable[Union[ResponseReturnValue, None]]]
AfterRequestCallable = Callable[[ResponseClass], MaybeAwaitable[ResponseClass]]
TeardownCallable = Callable[[Union[BaseException, None]], MaybeAwaitable[None]]
ErrorHandlerCallable = Callable[[Any], MaybeAwaitable[ResponseReturnValue]]
ShellContextProcessorCallable = Callable[[], dict[str, Any]]
TemplateContextProcessorCallable = Callable[[], MaybeAwaitable[dict[str, Any]]]
TemplateFilterCallable = Callable[..., Any]
TemplateGlobalCallable = Callable[..., Any]
TemplateTestCallable = Callable[..., bool]
URLDefaultCallable = Callable[[str, dict[str, Any]], MaybeAwaitable[None]]
URLValuePreprocessorCallable = Callable[[Union[str, None], Union[dict[str, Any], None]], MaybeAwaitable[None]]

__all__ = [
    "ASGIApp",
    "AfterRequestCallable",
    "AppOrBlueprintKey",
    "AsyncIterator",
    "BeforeFirstRequestCallable",
    "BeforeRequestCallable",
    "ErrorHandlerCallable",
    "HeaderValue",
    "HeadersValue",
    "Iterable",
    "MaybeAwaitable",
    "Message",
    "Receive",
    "ResponseClass",
    "ResponseReturnValue",
    "ResponseValue",
    "RouteCallable",
    "Scope",
    "Send",
    "ShellContextProcessorCallable",
    "TeardownCallable",
    "TemplateContextProcessorCallable",
    "TemplateFilterCallable",
    "TemplateGlobalCallable",
    "TemplateTestCallable",
    "URLDefaultCallable",
    "URLValuePreprocessorCallable",
]
