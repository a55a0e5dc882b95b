"""An exception as a page to read in a browser."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, Template
from markupsafe import Markup

from .raised import Chain, Frame, Raised
from .request import Section
from .source import library_name
from .traceback_text import plain_text


@dataclass(frozen=True, slots=True)
class Page:
    """What is on a page beside the exception.

    :param nonce: what lets the page's own style and script through its Content-Security-Policy.
    :param request_line: method, path and query.
    :param sections: tables about the request and the application.
    :param editor_url: a URL with ``{file}`` and ``{line}`` in it, that opens a file in an editor.
    :param console_url: where the consoles are; empty if there are none.
    :param secret: what names this page there.
    """

    nonce: str = ""
    request_line: str = ""
    sections: tuple[Section, ...] = ()
    editor_url: str | None = None
    console_url: str = ""
    secret: str = ""


def html_page(chain: Chain, page: Page) -> str:
    """The chain and what is beside it, as a self-contained document."""
    newest = chain[0]
    assert isinstance(newest, Raised)
    frames = [frame for frame in newest.frames if isinstance(frame, Frame)]
    raised_at = next((frame for frame in reversed(frames) if not frame.why), None)
    last_own = next((frame for frame in reversed(frames) if frame.library_path is None), None)
    return _template().render(
        title=f"{newest.type}: {newest.message}".partition("\n")[0] if newest.message else newest.type,
        raised_at=raised_at,
        called_from=None if last_own is raised_at else last_own,
        chain=chain,
        last_own=last_own,
        plain=plain_text(chain),
        page=page,
        editor=lambda frame: _editor_link(page.editor_url, frame),
    )


@cache
def _template() -> Template:
    environment = Environment(loader=PackageLoader(__package__, ""), autoescape=True)
    environment.globals["runs"] = _runs
    for name in ("traceback.css", "traceback.js"):
        text = Path(__file__).with_name(name).read_text(encoding="utf-8")
        environment.globals[name.partition(".")[2]] = Markup(text)  # the package's own
    return environment.get_template("traceback.html")


@dataclass(frozen=True, slots=True)
class _Run:
    """Frames that follow one another and are shown alike."""

    is_folded: bool
    frames: list[Frame | int]

    @property
    def libraries(self) -> list[str]:
        paths = (frame.library_path or "" for frame in self.frames if isinstance(frame, Frame))
        return list(dict.fromkeys(map(library_name, paths)))


def _runs(frames: list[Frame | int]) -> list[_Run]:
    """Fold the frames of libraries; but an exception with no others keeps the one that raised it open."""

    def is_library(frame: Frame | int) -> bool:
        return isinstance(frame, Frame) and frame.library_path is not None

    if frames and all(map(is_library, frames)):
        return [*([_Run(True, frames[:-1])] if frames[:-1] else []), _Run(False, frames[-1:])]
    return [_Run(folded, list(run)) for folded, run in groupby(frames, is_library)]


def _editor_link(url: str | None, frame: Frame) -> str:
    """The URL that opens a frame's file in an editor; empty if there is no such file."""
    if not url or not isinstance(url, str) or frame.file.startswith("<") or not frame.source:
        return ""
    return url.replace("{file}", quote(frame.file, safe="/:\\")).replace("{line}", str(frame.line))
