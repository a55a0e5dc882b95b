"""An exception as a page to read in a browser, or as plain text for everything else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import groupby, islice
from typing import Any

from jinja2 import Environment, PackageLoader, Template
from markupsafe import escape

from .raised import Chain, Frame, Raised, clean, collect, message, type_name

_MAX_HEADERS = 64
_MAX_HEADER = 1_000  # characters of a header's value, and of the request line

# A header whose name has one of these in it keeps its value to itself.
_SECRET_WORDS = ("authorization", "cookie", "csrf", "key", "password", "secret", "session", "token")
_HIDDEN = "(hidden)"


def render_traceback(error: BaseException, scope: Mapping[str, Any]) -> str:
    """Write an exception as a self-contained HTML page.

    The page has the exception with everything it came from (``__cause__``, ``__context__``, notes, the
    members of exception groups), newest first; for each the frames with their source, those of libraries
    folded; the traceback as text to copy; and the request.  It needs no script and no other file, and
    follows the reader's choice of a light or dark colour scheme.

    :param error: the exception, with its traceback.
    :param scope: the ASGI HTTP connection scope of the request that failed; keys it does not have are left
        out of the page.  Values of headers that carry secrets (``Cookie``, ``Authorization``, tokens, keys)
        are not shown.
    :return: the page, bounded in size, always encodable as UTF-8.  Never raises an :exc:`Exception`: what
        cannot be shown is replaced by a text that says so.
    """
    try:
        return _page(collect(error), scope)
    except Exception as failure:
        return f"<!doctype html><title>Error</title><pre>{escape(_fallback(error, failure))}</pre>"


def render_plain(error: BaseException) -> str:
    """Write an exception as plain text, for a client that does not ask for HTML.

    The text has the form of Python's own traceback, oldest exception first.  It is bounded in size, and
    control characters are written as escapes, because a terminal would obey them.

    :param error: the exception, with its traceback.
    :return: the text, ending in a newline, always encodable as UTF-8.  Never raises an :exc:`Exception`.
    """
    try:
        return _plain(collect(error, context_lines=0))
    except Exception as failure:
        return _fallback(error, failure)


def _fallback(error: BaseException, failure: Exception) -> str:
    return (
        f"{type_name(error)}: {message(error)}\n\n"
        f"Its traceback cannot be shown here ({type_name(failure)}: {message(failure)}).\n"
        "The server's log has it.\n"
    )


def _plain(chain: Chain) -> str:
    parts: list[str] = []
    for link in reversed(chain):
        if isinstance(link, int):
            parts.append(f"[{link} exceptions of the chain left out]\n")
            continue
        parts.append(_plain_raised(link))
        if link.role == "cause":
            parts.append("The exception above was the direct cause of the one below:\n")
        elif link.role == "context":
            parts.append("While the exception above was handled, the one below was raised:\n")
    return "\n".join(parts)


def _plain_raised(raised: Raised) -> str:
    lines = ["Traceback (most recent call last):"] if raised.frames else []
    for frame in raised.frames:
        if isinstance(frame, int):
            lines.append(f"  [{frame} frames left out]")
            continue
        function = f", in {frame.function}" if frame.function else ""
        lines.append(f'  File "{frame.file}", line {frame.line}{function}')
        if frame.failing_line:
            lines.append(f"    {frame.failing_line}")
    lines.append(f"{raised.type}: {raised.message}" if raised.message else raised.type)
    lines.extend(raised.notes)
    total = len(raised.members) + raised.members_left_out
    for number, member in enumerate(raised.members, 1):
        lines.append(f"  {number} of {total} in the group:")
        lines.extend(f"  | {line}".rstrip() for line in _plain(member).splitlines())
    if raised.members_left_out:
        lines.append(f"  [{raised.members_left_out} of {total} in the group left out]")
    return "\n".join(lines) + "\n"


def _page(chain: Chain, scope: Mapping[str, Any]) -> str:
    newest = chain[0]
    assert isinstance(newest, Raised)
    frames = [frame for frame in newest.frames if isinstance(frame, Frame)]
    raised_at = frames[-1] if frames else None
    last_own = next((frame for frame in reversed(frames) if frame.library_path is None), None)
    return _template().render(
        title=f"{newest.type}: {newest.message}".partition("\n")[0] if newest.message else newest.type,
        raised_at=raised_at,
        called_from=None if last_own is raised_at else last_own,
        request_line=_request_line(scope),
        chain=chain,
        plain=_plain(chain),
        headers=list(_headers(scope)),
    )


@cache
def _template() -> Template:
    environment = Environment(loader=PackageLoader(__package__, ""), autoescape=True)
    environment.globals["runs"] = _runs
    return environment.get_template("traceback.html")


@dataclass(frozen=True, slots=True)
class _Run:
    """Frames that follow one another and are shown alike."""

    is_folded: bool
    frames: list[Frame | int]

    @property
    def libraries(self) -> list[str]:
        paths = (frame.library_path or "" for frame in self.frames if isinstance(frame, Frame))
        return list(
            dict.fromkeys(path.replace("\\", "/").partition("/")[0].removesuffix(".py") for path in paths)
        )


def _runs(frames: list[Frame | int]) -> list[_Run]:
    """Fold the frames of libraries; but an exception with no others keeps the one that raised it open."""

    def is_library(frame: Frame | int) -> bool:
        return isinstance(frame, Frame) and frame.library_path is not None

    if frames and all(map(is_library, frames)):
        return [*([_Run(True, frames[:-1])] if frames[:-1] else []), _Run(False, frames[-1:])]
    return [_Run(folded, list(run)) for folded, run in groupby(frames, is_library)]


def _request_line(scope: Mapping[str, Any]) -> str:
    query = scope.get("query_string")
    parts = (scope.get("method", ""), " ", scope.get("path", ""), "?" if query else "", query or "")
    return clean("".join(map(_decoded, parts)).strip(), _MAX_HEADER)


def _headers(scope: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for raw_name, raw_value in islice(scope.get("headers", ()), _MAX_HEADERS):
        name = clean(_decoded(raw_name), _MAX_HEADER)
        is_secret = any(word in name.lower() for word in _SECRET_WORDS)
        yield name, _HIDDEN if is_secret else clean(_decoded(raw_value), _MAX_HEADER)


def _decoded(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
