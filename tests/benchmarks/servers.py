"""Requests per second behind real servers, under the load of wrk: ``python -m tests.benchmarks.servers``.

ASGI applications run under uvicorn (uvloop, httptools, one process), Flask under gunicorn with 16 threads,
each on one core, and the load generator on another. Every measurement has a server of its own, started for it
and warmed up.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from types import ModuleType

from .cases import SERVED_CASES, Answer, Case, WrongAnswer, check_answer, session_cookie
from .figures import BASELINE, RATE, Figure, Figures, describe, table, versions
from .inprocess import WSGI_PEERS
from .peers import PEERS, load_peers, takes_part

SECTION = "served"
LIBRARIES = ("uvicorn", "uvloop", "httptools", "gunicorn")
ROOT = Path(__file__).parents[2]
PACKAGE = "tests.benchmarks"  # as seen from there

ROUNDS = 5
ROUND_SECONDS = 3
WARM_UP_SECONDS = 1
THREADS = 16  # of gunicorn

#: Where all are alike but for their own overhead, a few peers say enough.
FEW = ("asyncflask", "starlette", "flask", "quart")
PEERS_OF = {"wait": FEW, "wait-sync": FEW}

START_SECONDS = 30.0  # for a server to listen
ANSWER_SECONDS = 10.0  # for a request, also under load
STOP_SECONDS = 5.0


class CannotMeasure(Exception):
    """Something that measuring needs is missing or does not work; the message says what to do."""


# Servers


def cores() -> tuple[str, str] | None:
    """The core for the server, and those for the load, or None when they cannot be kept apart."""
    if shutil.which("taskset") is None or not hasattr(os, "sched_getaffinity"):
        return None
    available = sorted(os.sched_getaffinity(0))
    if len(available) < 2:
        return None
    return str(available[0]), ",".join(map(str, available[1:]))


def pinned(core: str | None) -> list[str]:
    return [] if core is None else ["taskset", "--cpu-list", core]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def server_command(module: str, application: str, port: int, *, wsgi: bool) -> list[str]:
    """The command that serves what the function ``application`` of a module makes."""
    if wsgi:
        command = ["gunicorn", "--worker-class", "gthread", "--threads", str(THREADS), "--workers", "1"]
        if Path("/dev/shm").is_dir():  # as gunicorn's documentation recommends: no heartbeat meets a disk
            command += ["--worker-tmp-dir", "/dev/shm"]
        command += ["--log-level", "error", "--bind", f"127.0.0.1:{port}", f"{module}:{application}()"]
    else:
        command = ["uvicorn", "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--workers", "1"]
        command += ["--log-level", "error", "--host", "127.0.0.1", "--port", str(port)]
        command += ["--factory", f"{module}:{application}"]
    return [sys.executable, "-m", *command]


def compiling() -> dict[str, str]:
    """The environment for measured processes: modules are compiled once, as after an installation, whatever
    the own process does."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@contextmanager
def serving(
    module: str, application: str, *, wsgi: bool, core: str | None
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run a server for a while; gives its port and its process.

    :raises CannotMeasure: if it ends before, or does not listen in time.
    """
    port = free_port()
    command = [*pinned(core), *server_command(module, application, port, wsgi=wsgi)]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            env=compiling(),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # gunicorn has children; all of them are to be stopped
        )
        try:
            wait_until_listening(process, port, log.fileno(), command)
            yield port, process
        finally:
            stop(process)


def wait_until_listening(
    process: subprocess.Popen[bytes], port: int, log: int, command: Sequence[str]
) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            ended = process.poll() is not None
            if ended or time.monotonic() > deadline:
                said = os.pread(log, 100_000, 0).decode(errors="replace").strip()
                what = "ended" if ended else f"does not listen after {START_SECONDS:.0f} s"
                raise CannotMeasure(f"the server {what}: {' '.join(command)}\n{said}") from None
        time.sleep(0.02)


def stop(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def ask(port: int, case: Case, cookie: str | None = None) -> Answer:
    """Make one request of a server."""
    connection = HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    try:
        connection.request(case.method, case.path, case.body or None, dict(case.headers(cookie)))
        response = connection.getresponse()
        headers = [(name.lower(), value) for name, value in response.getheaders()]
        return Answer(response.status, headers, response.read())
    finally:
        connection.close()


# Load


def find_wrk() -> str:
    """The path of the load generator.

    :raises CannotMeasure: if it is not installed.
    """
    path = shutil.which("wrk")
    if path is None:
        raise CannotMeasure(
            "wrk is not installed: 'apt-get install wrk' on Debian and Ubuntu, 'brew install wrk' on macOS;"
            " or leave this part out: --only in-process footprint"
        )
    return path


def load(wrk: str, url: str, case: Case, cookie: str | None, seconds: int, core: str | None) -> str:
    """Have wrk make the requests of a case, as fast as they are answered; return what it reports."""
    command = [*pinned(core), wrk, "--threads", "1", "--connections", str(case.concurrency)]
    command += ["--duration", f"{seconds}s", "--timeout", f"{ANSWER_SECONDS:.0f}s", "--latency"]
    for name, value in case.headers(cookie):
        if name != "host":
            command += ["--header", f"{name}: {value}"]
    limit = seconds + 2 * ANSWER_SECONDS
    done = subprocess.run([*command, url], capture_output=True, text=True, timeout=limit, check=False)
    if done.returncode:
        raise CannotMeasure(f"wrk failed: {done.stdout}{done.stderr}")
    return done.stdout


#: In milliseconds.
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 60e3}


def parse_report(case: Case, report: str) -> tuple[float, float]:
    """Requests per second, and the 99th percentile of the latency in milliseconds.

    :raises WrongAnswer: if requests failed, or were not answered as they should.
    """
    for problem in re.findall(r"^ *((?:Socket errors|Non-2xx or 3xx responses): .*)$", report, re.MULTILINE):
        raise WrongAnswer(f"{case.name}: under load: {problem}")
    rate = re.search(r"^Requests/sec: +([\d.]+)$", report, re.MULTILINE)
    latency = re.search(r"^ *99% +([\d.]+)(us|ms|s|m) *$", report, re.MULTILINE)
    if rate is None or latency is None:
        raise CannotMeasure(f"wrk reports something else than expected:\n{report}")
    return float(rate[1]), float(latency[1]) * UNITS[latency[2]]


# Measuring


def measure_once(peer: str, case: Case, wrk: str, seconds: int) -> tuple[float, float]:
    """Start a server, check its answer, warm it up, load it: see `parse_report`."""
    server_core, load_cores = cores() or (None, None)
    module = f"{PACKAGE}.peers.{peer}_app"
    with serving(module, case.application, wsgi=peer in WSGI_PEERS, core=server_core) as (port, _):
        url = f"http://127.0.0.1:{port}{case.path}"
        try:
            cookie = session_cookie(case, ask(port, case)) if case.in_session else None
            check_answer(case, ask(port, case, cookie))
            load(wrk, url, case, cookie, WARM_UP_SECONDS, load_cores)
            # Answered when the requests are that wrk has left behind.
            check_answer(case, ask(port, case, cookie))
            return parse_report(case, load(wrk, url, case, cookie, seconds, load_cores))
        except WrongAnswer as error:
            raise WrongAnswer(f"{peer}, {error}") from None


def measure(
    modules: dict[str, ModuleType],
    cases: Sequence[Case],
    rounds: int = ROUNDS,
    round_seconds: int = ROUND_SECONDS,
) -> list[Figure]:
    """Measure every case with every peer: a round goes once through all, the peers taking turns at being
    first."""
    wrk = find_wrk()
    values: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for number in range(rounds):
        print(f"{SECTION}: round {number + 1} of {rounds}", flush=True)
        for case in cases:
            peers = [
                name
                for name, module in modules.items()
                if takes_part(module, case) and name in PEERS_OF.get(case.name, PEERS)
            ]
            turn = number % max(1, len(peers))
            for name in peers[turn:] + peers[:turn]:
                measured = measure_once(name, case, wrk, round_seconds)
                values.setdefault((case.name, name), []).append(measured)
    figures = []
    for (case_name, peer), measured_rounds in values.items():
        rates, latencies = zip(*measured_rounds, strict=True)
        figures.append(Figure(SECTION, case_name, peer, RATE, rates))
        figures.append(Figure(SECTION, f"{case_name} p99", peer, "ms", latencies))
    return sorted(figures, key=lambda figure: figure.unit, reverse=True)


def conditions() -> str:
    """How the processes are kept apart, in words."""
    if (pair := cores()) is None:
        return "server and load generator share the cores"
    return f"server on core {pair[0]}, load generator on {pair[1]}"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that choose what is measured, and how long."""
    parser.add_argument(
        "--served-cases", nargs="+", choices=SERVED_CASES, default=list(SERVED_CASES), metavar="CASE"
    )
    parser.add_argument("--served-rounds", type=int, default=ROUNDS, help="default: %(default)s")
    parser.add_argument(
        "--served-seconds",
        type=int,
        default=ROUND_SECONDS,
        help="of load in a round, for a case and peer; default: %(default)s",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.servers", description=__doc__)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS), metavar="PEER")
    add_options(parser)
    options = parser.parse_args(arguments)

    modules = load_peers(options.peers)
    print(describe(versions([*(name for name in modules if name != "raw"), *LIBRARIES])))
    print(
        f"{options.served_rounds} rounds, each of {options.served_seconds} s a case and peer; {conditions()}"
    )
    cases = [SERVED_CASES[name] for name in options.served_cases]
    try:
        figures = measure(modules, cases, options.served_rounds, options.served_seconds)
    except CannotMeasure as error:
        print(f"error: {error}")
        return 1
    print(*table(Figures(figures), SECTION), sep="\n")
    print(f"ratio: the best round over that of {BASELINE}; of requests/s more is better, of p99 less")
    return 0


if __name__ == "__main__":
    sys.exit(main())
