"""The URL that the consoles of a page talk to."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any, cast

from ..environ import route_path
from ..serving.terminal import say
from ..typing import Receive, Scope, Send
from .access import is_of_the_page
from .console import Console, Result
from .kept import KeptTracebacks
from .pin import process_pin

PATH = "/__debugger__"
MAX_BODY = 200_000  # bytes

Answer = tuple[int, dict[str, Any]]

_GONE = "The server has forgotten this traceback, or was started again: reload the page."
_LOCKED = "There were too many wrong PINs: start the server again."


class ConsoleEndpoint:
    """Answers the page's script: unlocks consoles with the PIN, runs code in them.

    Who asks must know the secret of a page, besides what `access` wants; for running code also the token
    that is given for the PIN.

    :param kept: the tracebacks whose frames have consoles.
    """

    def __init__(self, kept: KeptTracebacks) -> None:
        self.kept = kept

    def is_meant(self, scope: Scope) -> bool:
        """Whether a request is for this."""
        return (
            scope["type"] == "http"
            and scope["method"] == "POST"
            and route_path(scope).endswith(PATH)
            and is_of_the_page(scope)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        if body is None:
            return  # the client has gone
        headers = dict(scope["headers"])
        token = headers.get(b"x-debugger-token", b"").decode("latin-1")
        status, answer = await self._answer(body, token, receive)
        content = json.dumps(answer).encode()
        start = {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", b"%d" % len(content)),
                (b"cache-control", b"no-store"),
            ],
        }
        await send(start)
        await send({"type": "http.response.body", "body": content})

    async def _answer(self, body: bytes, token: str, receive: Receive) -> Answer:
        try:
            message = json.loads(body)
            page, action = message["page"], message["action"]
        except (ValueError, TypeError, KeyError, RecursionError):
            return 400, {"error": "This is for the page's script."}
        pin = process_pin()
        kept = self.kept.get(page)
        if kept is None or pin is None:
            return 404, {"error": _GONE}
        if action == "pin":
            say(f" * Debugger PIN: {pin.text}")
            return 200, {}
        if action == "unlock":
            typed = message.get("pin")
            found = pin.unlock(typed) if isinstance(typed, str) else None
            if found is not None:
                return 200, {"token": found}
            return 403, {"error": "This is not the PIN." if pin.attempts_left > 0 else _LOCKED}
        if not pin.accepts(token):
            return 403, {"error": "Type the PIN again: the server was started with another one."}
        console, code = kept.console(message.get("frame")), message.get("code")
        if action != "run" or console is None or not isinstance(code, str):
            return 400, {"error": "This is for the page's script."}
        result = await _run(console, code, receive)
        return 200, {"output": result.output, "failed": result.failed, "more": result.more}


async def _run(console: Console, code: str, receive: Receive) -> Result:
    """Run the code, as long as somebody waits for what comes of it."""
    running = asyncio.create_task(console.run(code))
    gone = asyncio.create_task(_gone(receive))
    try:
        await asyncio.wait({running, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            running.cancel()
            with suppress(asyncio.CancelledError):
                return await running
            return Result("Stopped.\n", failed=True)
        return running.result()
    finally:
        for task in (running, gone):
            task.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _body(receive: Receive) -> bytes | None:
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += cast(bytes, message.get("body", b""))
        if len(body) > MAX_BODY:
            return b""
        if not message.get("more_body"):
            return body
