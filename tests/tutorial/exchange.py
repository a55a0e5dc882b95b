"""What a client says to a chapter, step by step, and what it is told in return."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

import httpx

# The address that a tutorial would be opened at: with it, both servers make the same absolute URLs.
HOST = "localhost:5000"
REQUEST_TIMEOUT = 30.0
SETTLE_TIMEOUT = 5.0

# These describe the server and the moment; the application has no part in them.
IGNORED_HEADERS = frozenset({"server", "date", "connection"})


@dataclass(frozen=True)
class Step:
    """One request, and enough of its answer to know that Flask itself was asked the right thing.

    :param status: the status that both must give.
    :param contains: text that both bodies must contain.
    :param settle: ask again until `contains` is there: for what a server does after it has answered.
    :param fresh_file: the answer is a file written by this very run, so its modification time is its own.
    :param options: what else `httpx` is given: ``data``, ``json``, ``files``, ``content``, ``headers``.
    """

    method: str
    path: str
    status: int = 200
    contains: str = ""
    settle: bool = False
    fresh_file: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def _step(
    method: str,
    path: str,
    status: int = 200,
    contains: str = "",
    *,
    settle: bool = False,
    fresh_file: bool = False,
    **options: Any,
) -> Step:
    return Step(method, path, status, contains, settle, fresh_file, options)


get: Callable[..., Step] = partial(_step, "GET")
head: Callable[..., Step] = partial(_step, "HEAD")
post: Callable[..., Step] = partial(_step, "POST")
put: Callable[..., Step] = partial(_step, "PUT")
patch: Callable[..., Step] = partial(_step, "PATCH")
delete: Callable[..., Step] = partial(_step, "DELETE")
options: Callable[..., Step] = partial(_step, "OPTIONS")


@dataclass(frozen=True)
class Answer:
    """A response without what may differ: header names in lower case, sorted, and moments made relative."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def new_client(url: str) -> httpx.Client:
    """A browser of one person: it keeps cookies and follows nothing by itself."""
    headers = {"Host": HOST, "User-Agent": "tutorial/1.0", "Accept": "*/*", "Accept-Encoding": "identity"}
    return httpx.Client(base_url=url, headers=headers, timeout=REQUEST_TIMEOUT, trust_env=False)


def play(client: httpx.Client, script: Sequence[Step]) -> list[Answer]:
    """Ask every step in order and give the answers."""
    return [ask(client, step) for step in script]


def ask(client: httpx.Client, step: Step) -> Answer:
    """One step; with `settle`, as often as it takes."""
    deadline = time.monotonic() + SETTLE_TIMEOUT
    while True:
        # The target goes as it is written: a client would resolve `..` and double slashes by itself.
        target = {"target": step.path.encode("ascii")}
        response = client.request(step.method, step.path, extensions=target, **_fresh(step.options))
        if not step.settle or step.contains in response.text or time.monotonic() > deadline:
            return Answer(
                response.status_code,
                tuple(sorted(_headers(response, fresh_file=step.fresh_file), key=lambda pair: pair[0])),
                response.content,
            )
        time.sleep(0.02)


def _fresh(options: Mapping[str, Any]) -> dict[str, Any]:
    """A callable as ``content`` makes a new stream for every request, which is then sent in chunks."""
    content = options.get("content")
    return {**options, "content": content()} if callable(content) else dict(options)


def _headers(response: httpx.Response, *, fresh_file: bool) -> Iterator[tuple[str, str]]:
    for raw_name, raw_value in response.headers.raw:
        name, value = raw_name.decode("ascii").lower(), raw_value.decode("latin-1")
        if name in IGNORED_HEADERS:
            continue
        if name == "allow":
            value = ", ".join(sorted(value.split(", ")))  # a set, in no order
        elif name == "set-cookie":
            value = _cookie_without_time(value)
        elif fresh_file and name == "etag":
            value = re.sub(r'^"[\d.]+-(\d+)-\d+"$', r'"time-\1-path"', value)
        elif fresh_file and name == "last-modified":
            value = f"{_minutes_from_now(value)} minutes from now"
        yield name, value


def _cookie_without_time(value: str) -> str:
    """Keep a session's payload, byte for byte, but not its timestamp and signature; make expiry relative."""
    value = re.sub(r"^session=(\.?[\w-]+)\.[\w-]+\.[\w-]+", r"session=\1.time.signature", value)
    expires = re.search(r"Expires=([^;]+)", value)
    if expires and 0 < (minutes := _minutes_from_now(expires[1])) < 60 * 24 * 365:
        value = value.replace(expires[1], f"{minutes} minutes from now")
    return value


def _minutes_from_now(date: str) -> int:
    return round((parsedate_to_datetime(date).timestamp() - time.time()) / 60)


def differences(
    script: Sequence[Step], expected: Sequence[Answer], answers: Sequence[Answer]
) -> Iterator[str]:
    """Every difference between two runs of a script, in words."""
    for step, want, got in zip(script, expected, answers, strict=True):
        if want.status != got.status:
            yield f"{step}: status {got.status} instead of {want.status}; body {got.body[:300]!r}"
        missing = [header for header in want.headers if header not in got.headers]
        extra = [header for header in got.headers if header not in want.headers]
        if missing or extra:
            yield f"{step}: headers {extra} instead of {missing}"
        elif want.headers != got.headers:
            yield f"{step}: headers in another order or number: {got.headers} instead of {want.headers}"
        if want.body != got.body:
            yield f"{step}: body {got.body[:600]!r} instead of {want.body[:600]!r}"


def mistakes(script: Sequence[Step], answers: Sequence[Answer]) -> Iterator[str]:
    """Where answers are not what the script itself states."""
    for step, got in zip(script, answers, strict=True):
        if got.status != step.status:
            yield f"{step}: status {got.status}, the script says {step.status}; body {got.body[:300]!r}"
        if step.contains not in got.body.decode("utf-8", "replace"):
            yield f"{step}: {step.contains!r} is not in the body {got.body[:600]!r}"
