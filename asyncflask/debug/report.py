"""Everything that is told about an exception, in the form that a client wants it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from contextvars import copy_context
from types import CodeType
from typing import TYPE_CHECKING, Any

from markupsafe import escape

from ..globals import _cv_app
from .aside import Aside
from .folding import folded_traceback
from .hints import Hints
from .masking import Mask
from .raised import Chain, Collector, Namespace, last_frame, walk
from .request import learn_secrets, request_line, sections, view_of
from .source import definition_line
from .text import text_of, type_name
from .traceback_page import Page, html_page
from .traceback_text import json_value, plain_text
from .values import ALL_SECONDS, SECONDS, Describer

if TYPE_CHECKING:
    from ..ctx import AppContext
    from ..protocols import Application


class Report:
    """An exception and the request that it ended.

    Its methods may take a second, and call code of the application's: they are for a thread. They never
    raise an :exc:`Exception`: what cannot be shown is replaced by a text that says so. What they return is
    bounded in size, and can always be encoded as UTF-8.

    :param error: the exception, with its traceback.
    :param scope: the ASGI HTTP connection scope of the request; keys it does not have are left out.
    :param app: the application, None if it is not known.
    :param ctx: the context of the request, None if it has not got that far.
    """

    def __init__(
        self,
        error: BaseException,
        scope: Mapping[str, Any],
        app: Application | None = None,
        ctx: AppContext | None = None,
    ) -> None:
        self.error = error
        self.scope = scope
        self.app = app
        self.ctx = ctx
        #: The context variables that `request`, `session`, `g` and `current_app` need.
        self.context = copy_context()
        if ctx is not None:
            # A copy is of nobody's walk: that of the request has ended.
            copied = ctx.copy()
            copied._shared = ctx.app_ctx
            self.context.run(_cv_app.set, copied)

    def html(
        self,
        nonce: str = "",
        console_url: str = "",
        secret: str = "",
        namespaces: list[Namespace] | None = None,
    ) -> str:
        """The page.

        :param nonce: for its Content-Security-Policy.
        :param console_url: where its consoles are; empty for none.
        :param secret: the name of the page there.
        :param namespaces: a list to keep the names of its frames in, for the consoles.
        """
        try:
            with self._aside() as aside:
                mask = Mask()
                with suppress(Exception):
                    learn_secrets(self.scope, self.app, self.ctx, mask)
                describer = Describer(mask, aside)
                chain = self._chain(aside, Collector(describer=describer, namespaces=namespaces))
                editor_url = None if self.app is None else self.app.config.get("DEBUG_EDITOR_URL")
                page = Page(
                    nonce=nonce,
                    request_line=request_line(self.scope, mask),
                    sections=tuple(sections(self.scope, self.app, self.ctx, describer)),
                    editor_url=editor_url,
                    console_url=console_url,
                    secret=secret,
                )
                return html_page(chain, page)
        except Exception as failure:
            text = escape(_fallback(self.error, failure))
            return f"<!doctype html><title>Error</title><pre>{text}</pre>"

    def plain(self) -> str:
        """The text, in the form of Python's own traceback."""
        try:
            with self._aside() as aside:
                return plain_text(self._chain(aside, Collector(context_lines=0)))
        except Exception as failure:
            return _fallback(self.error, failure)

    def json(self) -> str:
        """An object of JSON, see `traceback_text.json_value`."""
        try:
            with self._aside() as aside:
                return json.dumps(json_value(self._chain(aside, Collector(context_lines=0)))) + "\n"
        except Exception as failure:
            return json.dumps({"traceback": _fallback(self.error, failure)}) + "\n"

    def terminal(self) -> str:
        """The traceback for a terminal, without the framework's frames, and what can be said about it."""
        try:
            lines = [folded_traceback(self.error)]
            with self._aside() as aside:
                request = None if self.ctx is None else self.ctx.request
                hint = Hints(self.app, request, aside)(self.error, last_frame(self.error))
            if hint and hint.partition("'")[0] not in lines[0]:  # newer Pythons say some of it themselves
                lines.append(hint)
            view = self._view()
            if view is not None:
                code = view.__code__
                place = f'File "{code.co_filename}", line {definition_line(code)}, in {code.co_qualname}'
                lines.append(f"The value was returned by the view:\n  {place}")
            return "\n".join(lines)
        except Exception as failure:
            return _fallback(self.error, failure)

    def _view(self) -> Any:
        """The view, if it is its value that is wrong."""
        view = view_of(self.app, self.ctx)
        return view if view is not None and _is_about_the_value(self.error, view.__code__) else None

    def _aside(self) -> Aside:
        return Aside(SECONDS, ALL_SECONDS, self.context)

    def _chain(self, aside: Aside, collector: Collector) -> Chain:
        request = None if self.ctx is None else self.ctx.request
        collector.hint = Hints(self.app, request, aside)
        collector.view = self._view()
        return collector.chain(self.error)


def _is_about_the_value(error: BaseException, view: CodeType) -> bool:
    """Whether an exception came from making a response of what the view had returned, and not from in it."""
    frames = [frame for frame, _, _ in walk(error.__traceback__)]
    makes_response = any(
        frame.f_code.co_name in names and frame.f_globals.get("__name__") == f"{_PACKAGE}.{module}"
        for frame in frames
        for module, names in _MAKING.items()
    )
    return makes_response and all(frame.f_code is not view for frame in frames)


_PACKAGE = __package__.partition(".")[0]

#: The functions that make a response of a view's value, by their modules.
_MAKING = {"wrappers.values": ("make_response",), "json.provider": ("response_of",)}


def _fallback(error: BaseException, failure: Exception) -> str:
    return (
        f"{type_name(error)}: {text_of(error)}\n\n"
        f"Its traceback cannot be shown here ({type_name(failure)}: {text_of(failure)}).\n"
        "The server's log has it.\n"
    )
