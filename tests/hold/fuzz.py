"""Sends hostile requests, and judges what comes back."""

from __future__ import annotations

import re
import socket
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from urllib.parse import urlsplit

from .cases import HostileRequest, hostile_requests

TIMEOUT = 10.0
THREADS = 8

#: What would be a fault.
FAULTS = ("5xx", "no answer", "hang", "leads elsewhere", "split response")


@dataclass
class Outcome:
    """How often each thing has happened, with the first requests of each fault."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[HostileRequest]] = field(default_factory=dict)

    def note(self, what: str, request: HostileRequest) -> None:
        self.counts[what] += 1
        if what in FAULTS and len(self.examples.setdefault(what, [])) < 5:
            self.examples[what].append(request)

    def add(self, other: Outcome) -> None:
        self.counts += other.counts
        for what, requests in other.examples.items():
            self.examples[what] = [*self.examples.get(what, []), *requests][:5]

    @property
    def faults(self) -> dict[str, int]:
        return {what: self.counts[what] for what in FAULTS if self.counts[what]}


def fuzz(port: int, number: int, seed: int) -> Outcome:
    """Send that many requests to a server on this machine."""
    with ThreadPoolExecutor(THREADS) as pool:
        shares = [number // THREADS + (n < number % THREADS) for n in range(THREADS)]
        outcome = Outcome()
        for each in pool.map(lambda n: _send_all(port, shares[n], seed * 1000 + n), range(THREADS)):
            outcome.add(each)
        return outcome


def _send_all(port: int, number: int, seed: int) -> Outcome:
    outcome = Outcome()
    for request in islice(hostile_requests(number, seed), number):
        for what in judge(request, exchange(port, request.data)):
            outcome.note(what, request)
    return outcome


def exchange(port: int, data: bytes) -> bytes | None:
    """What the server answers; None when it neither answers nor closes the connection."""
    answer = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as client:
            client.sendall(data)
            while chunk := client.recv(65536):
                answer += chunk
    except TimeoutError:
        return answer or None
    except OSError:
        pass  # a reset after the answer
    return answer


def judge(request: HostileRequest, answer: bytes | None) -> Iterable[str]:
    """What has happened, in the words of `FAULTS` and of status codes."""
    if answer is None:
        yield "hang"
        return
    found = re.match(rb"HTTP/1\.[01] (\d)\d\d", answer)
    if found is None:
        yield "no answer"
        return
    yield f"{found[1].decode()}xx"
    head = answer.partition(b"\r\n\r\n")[0].decode("latin-1")
    if re.search(r"^x-injected", head, re.MULTILINE | re.IGNORECASE):
        yield "split response"
    location = re.search(r"^location: *(.*?)\r?$", head, re.MULTILINE | re.IGNORECASE)
    if location is not None and not _stays(request, location[1]):
        yield "leads elsewhere"


def _stays(request: HostileRequest, location: str) -> bool:
    """Whether a redirect leads to the host that was asked for."""
    if location.startswith("/"):
        return not re.match(r"/[/\\]", location)
    try:
        host = urlsplit(location).netloc.lower()
    except ValueError:
        return False
    asked = (request.host or "").lower()
    return host != "" and host in (asked, asked.removesuffix(":80"))
