"""The types of what users register and return, under Flask's names."""

# ruff: noqa: UP007 (names in quotes cannot be joined with "|" at run time)

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    Sequence,
)
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, Union

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

RouteCallable = Callable[..., MaybeAwaitable[ResponseReturnValue]]
WebsocketCallable = Callable[..., Awaitable[Union[ResponseReturnValue, None]]]
BeforeFirstRequestCallable = Callable[[], MaybeAwaitable[None]]
BeforeRequestCallable = Callable[[], MaybeAwaitable[Union[ResponseReturnValue, None]]]
AfterRequestCallable = Callable[[ResponseClass], MaybeAwaitable[ResponseClass]]
AfterWebsocketCallable = Callable[[Union[ResponseClass, None]], MaybeAwaitable[Union[ResponseClass, None]]]
TeardownCallable = Callable[[Union[BaseException, None]], MaybeAwaitable[None]]
ServingCallable = Callable[[], MaybeAwaitable[None]]
WhileServingCallable = Callable[[], Union[AsyncGenerator[Any, None], Generator[Any, None, None]]]
ErrorHandlerCallable = Callable[[Any], MaybeAwaitable[ResponseReturnValue]]
ShellContextProcessorCallable = Callable[[], MaybeAwaitable[dict[str, Any]]]
TemplateContextProcessorCallable = Callable[[], MaybeAwaitable[dict[str, Any]]]
TemplateFilterCallable = Callable[..., Any]
TemplateGlobalCallable = Callable[..., Any]
TemplateTestCallable = Callable[..., MaybeAwaitable[bool]]
URLDefaultCallable = Callable[[str, dict[str, Any]], MaybeAwaitable[None]]
URLValuePreprocessorCallable = Callable[[Union[str, None], Union[dict[str, Any], None]], MaybeAwaitable[None]]

# What decorators are given and give back, the same. An error handler names the exception that it is for, and
# a hook the response class of the application: their arguments may be of any type.
RouteT = TypeVar("RouteT", bound=RouteCallable)
WebsocketT = TypeVar("WebsocketT", bound=WebsocketCallable)
EndpointT = TypeVar("EndpointT", bound=Callable[..., MaybeAwaitable[Union[ResponseReturnValue, None]]])
BeforeRequestT = TypeVar("BeforeRequestT", bound=BeforeRequestCallable)
AfterRequestT = TypeVar("AfterRequestT", bound=Callable[[Any], MaybeAwaitable["Response"]])
AfterWebsocketT = TypeVar(
    "AfterWebsocketT", bound=Callable[[Union[Any, None]], MaybeAwaitable[Union["Response", None]]]
)
TeardownT = TypeVar("TeardownT", bound=TeardownCallable)
ServingT = TypeVar("ServingT", bound=ServingCallable)
WhileServingT = TypeVar("WhileServingT", bound=WhileServingCallable)
ErrorHandlerT = TypeVar("ErrorHandlerT", bound=ErrorHandlerCallable)
ShellContextProcessorT = TypeVar("ShellContextProcessorT", bound=ShellContextProcessorCallable)
ContextProcessorT = TypeVar("ContextProcessorT", bound=TemplateContextProcessorCallable)
TemplateFilterT = TypeVar("TemplateFilterT", bound=TemplateFilterCallable)
TemplateGlobalT = TypeVar("TemplateGlobalT", bound=TemplateGlobalCallable)
TemplateTestT = TypeVar("TemplateTestT", bound=TemplateTestCallable)
URLDefaultT = TypeVar("URLDefaultT", bound=URLDefaultCallable)
URLValuePreprocessorT = TypeVar("URLValuePreprocessorT", bound=URLValuePreprocessorCallable)


class RequestStream(BinaryIO):
    """The type of ``request.stream``, for annotations: a file to be read, or, with ``async for``, its
    chunks."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The chunks, as they arrive."""
        raise NotImplementedError


__all__ = [
    "ASGIApp",
    "AfterRequestCallable",
    "AfterWebsocketCallable",
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
    "RequestStream",
    "ResponseClass",
    "ResponseReturnValue",
    "ResponseValue",
    "RouteCallable",
    "Scope",
    "Send",
    "ServingCallable",
    "ShellContextProcessorCallable",
    "TeardownCallable",
    "TemplateContextProcessorCallable",
    "TemplateFilterCallable",
    "TemplateGlobalCallable",
    "TemplateTestCallable",
    "URLDefaultCallable",
    "URLValuePreprocessorCallable",
    "WebsocketCallable",
    "WhileServingCallable",
]
