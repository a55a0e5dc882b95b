"""What a browser makes of a debug page, and requests and exceptions for one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from typing import Any

from asyncflask.debug import render_traceback


def scope_of(path: str = "/", *headers: tuple[bytes, bytes], **changes: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("utf-8", "replace"),
        "query_string": b"",
        "root_path": "",
        "headers": list(headers),
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
        **changes,
    }


def raised(make: Callable[[], Any] | BaseException) -> BaseException:
    """The exception that a callable raises (or that is given), with its traceback."""
    try:
        if isinstance(make, BaseException):
            raise make
        make()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


class Page(HTMLParser):
    """What a browser would make of a page: its elements and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.stack: list[tuple[str, dict[str, str | None]]] = []
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.open_elements: list[list[str]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        text: list[str] = []
        self.elements.append((tag, dict(attrs), text))
        if tag not in ("meta", "link"):
            self.open_elements.append(text)

    def handle_endtag(self, tag: str) -> None:
        self.open_elements.pop()

    def handle_data(self, data: str) -> None:
        for text in self.open_elements:
            text.append(data)

    def texts(self, tag: str, class_: str | None = None) -> list[str]:
        return [
            "".join(text)
            for name, attributes, text in self.elements
            if name == tag and (class_ is None or class_ in (attributes.get("class") or "").split())
        ]

    def table(self, title: str) -> dict[str, str]:
        """The rows of the table that is unfolded by that title."""
        start = next(
            index
            for index, (tag, _, text) in enumerate(self.elements)
            if tag == "summary" and "".join(text) == title
        )
        cells: list[tuple[str, str]] = []
        for tag, _, text in self.elements[start + 1 :]:
            if tag == "details":
                break
            if tag in ("th", "td"):
                cells.append((tag, "".join(text)))
        return {cells[i][1]: cells[i + 1][1] for i in range(0, len(cells), 2)}

    @property
    def tags(self) -> set[str]:
        return {name for name, _, _ in self.elements}

    @property
    def attributes(self) -> set[str]:
        return {attribute for _, attributes, _ in self.elements for attribute in attributes}


def page_of(error: BaseException, scope: Mapping[str, Any] | None = None) -> Page:
    return Page(render_traceback(error, scope_of() if scope is None else scope))


def debug_threads() -> list[threading.Thread]:
    """The threads of debug mode that are alive."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("asyncflask-debug")]
