"""Why an application did not start: told by the process that tried to the one that answers in its place.

The reloader's parent gives its child a file. What ends the child, it writes there as a page and as text, and
the parent shows that until the application is started again.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from tempfile import TemporaryFile

import click

from ..typing import Receive, Scope, Send
from .negotiation import form_for, send_document
from .pin import SEED, new_seed
from .report import Report

#: The number of the open file, in the child's environment.
FILE = "ASYNCFLASK_DEBUG_STARTUP"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an application did not start, in each of the forms that a client may want."""

    html: str
    plain: str
    json: str
    #: What lets the page's style and script through its Content-Security-Policy.
    nonce: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request in the place of the application."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1011})
            return
        form = form_for(scope["headers"])
        await send_document(scope, send, form, getattr(self, form.name), self.nonce)


_SAYS = "The application failed to start. The error is in the terminal; saving a file starts it again."
UNKNOWN = Failure(
    f"<!doctype html><title>The application failed to start</title><p>{_SAYS}",
    f"{_SAYS}\n",
    json.dumps({"error": _SAYS}) + "\n",
)


def failure(error: BaseException) -> Failure:
    """The exception that has kept an application from starting."""
    nonce = os.urandom(16).hex()
    report = Report(error, {})
    return Failure(report.html(nonce=nonce), report.plain(), report.json(), nonce)


class StartupFile:
    """The parent's side.

    :param is_shown: whether clients may see what went wrong, as in debug mode; else the file stays empty.
    """

    def __init__(self, is_shown: bool) -> None:
        self._file = TemporaryFile() if is_shown else None  # noqa: SIM115  # for as long as there are children
        self._seed = new_seed()

    def environment(self) -> Mapping[str, str]:
        """What the next child needs in its environment."""
        if self._file is None:
            return {}
        self._file.seek(0)
        self._file.truncate()
        return {FILE: str(self._file.fileno()), SEED: self._seed}

    @contextmanager
    def inherited(self) -> Iterator[None]:
        """Let processes started inside have the file."""
        if self._file is None:
            yield
            return
        os.set_inheritable(self._file.fileno(), True)
        try:
            yield
        finally:
            os.set_inheritable(self._file.fileno(), False)

    def failure(self) -> Failure:
        """Why the child has ended, as far as that is known and may be shown."""
        if self._file is None:
            return UNKNOWN
        self._file.seek(0)
        content = self._file.read()
        if content:
            with suppress(ValueError, TypeError):  # it was ended while it wrote
                return Failure(**json.loads(content))
        return _unparsed_main() or UNKNOWN

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _unparsed_main() -> Failure | None:
    """The error of a program that Python does not understand, which then had no chance to tell."""
    path = getattr(sys.modules["__main__"], "__file__", None)
    if path is None:
        return None
    try:
        with open(path, "rb") as file:
            compile(file.read(), path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        return failure(error.with_traceback(None))
    except OSError:
        pass
    return None


def report_startup() -> None:
    """The child's side: from now on tell the parent what ends this program. Without a parent, do nothing."""
    number = os.environ.pop(FILE, None)
    if number is None:
        return
    global _file_number
    with suppress(OSError, ValueError):
        os.set_inheritable(int(number), False)
        _file_number = int(number)
        hook = sys.excepthook

        def excepthook(kind: type[BaseException], error: BaseException, traceback: object) -> None:
            report(error)
            hook(kind, error, traceback)  # type: ignore[arg-type]

        sys.excepthook = excepthook


_file_number: int | None = None


def report(error: BaseException) -> None:
    """Tell the parent, if there is one, what ends this program; what is told first counts."""
    global _file_number
    if _file_number is None or isinstance(error, KeyboardInterrupt):
        return
    if isinstance(error, click.ClickException) and error.__context__ is not None:
        error = error.__context__  # it is what the message for the terminal was made of
    number, _file_number = _file_number, None
    with suppress(OSError), open(number, "wb") as file:
        file.write(json.dumps(asdict(failure(error))).encode())


@contextmanager
def reported() -> Iterator[None]:
    """Tell the parent, if there is one, of an exception that comes out of the block."""
    try:
        yield
    except Exception as error:
        report(error)
        raise
