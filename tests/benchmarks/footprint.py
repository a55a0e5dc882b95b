"""What it costs to be there: time to import and to the first answer, and memory of the smallest application
behind its server.

``python -m tests.benchmarks.footprint``.  Every value comes from a process of its own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .cases import Case, WrongAnswer, check_answer
from .figures import BASELINE, Figure, Figures, describe, table, versions
from .inprocess import WSGI_PEERS
from .peers import load_peers
from .servers import PACKAGE, ROOT, CannotMeasure, ask, compiling, serving

SECTION = "footprint"
PEERS = ("asyncflask", "starlette", "flask", "quart", "fastapi")

IMPORTS = 30  # processes for each peer
SERVERS = 5
REQUESTS = 100  # before a server's memory is read, so that what is made late is there

HELLO = Case("hello", "/", b"Hello, World!")

# Of the import alone: the interpreter takes the same time for all.
_IMPORT = """
import time
cpu, wall = time.process_time(), time.perf_counter()
import {module}
print(time.process_time() - cpu, time.perf_counter() - wall)
"""
# Importing Starlette's package imports next to nothing; this is what its applications begin with.
MODULES = {"starlette": "starlette.applications"}


def import_once(peer: str) -> tuple[float, float]:
    """CPU and wall time in milliseconds that a fresh interpreter takes to import the peer."""
    cpu, wall = in_fresh_interpreter(peer, "-c", _IMPORT.format(module=MODULES.get(peer, peer)))
    return cpu * 1e3, wall * 1e3


def first_answer_once(peer: str) -> float:
    """CPU time in milliseconds to the first answer of the smallest application, without a server."""
    (cpu,) = in_fresh_interpreter(peer, "-m", f"{PACKAGE}.first_answer", peer)
    return cpu


def in_fresh_interpreter(peer: str, *arguments: str) -> list[float]:
    """The numbers that a program prints."""
    environment = {**compiling(), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise CannotMeasure(f"{peer} cannot be imported:\n{done.stderr}")
    return [float(number) for number in done.stdout.split()]


def resident_once(peer: str) -> float:
    """MiB of memory that a server with the smallest application holds after some requests."""
    module = f"{PACKAGE}.hello.{peer}_app"
    with serving(module, "create_app", wsgi=peer in WSGI_PEERS, core=None) as (port, process):
        try:
            for _ in range(REQUESTS):
                check_answer(HELLO, ask(port, HELLO))
        except WrongAnswer as error:
            raise WrongAnswer(f"{peer}, {error}") from None
        return sum(map(resident_mib, (process.pid, *children(process.pid))))


def resident_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise CannotMeasure(f"/proc/{pid}/status does not say how much memory is resident")


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def measure(peers: Sequence[str], imports: int = IMPORTS, servers: int = SERVERS) -> list[Figure]:
    """Measure all, the peers in turn; without Linux's ``/proc``, the time to import only."""
    cpu_times: dict[str, list[float]] = {peer: [] for peer in peers}
    wall_times: dict[str, list[float]] = {peer: [] for peer in peers}
    answer_times: dict[str, list[float]] = {peer: [] for peer in peers}
    sizes: dict[str, list[float]] = {peer: [] for peer in peers}
    for peer in peers:
        import_once(peer)  # compiles it
        first_answer_once(peer)  # and what it imports late
    for number in range(imports):
        for peer in in_turn(peers, number):
            cpu, wall = import_once(peer)
            cpu_times[peer].append(cpu)
            wall_times[peer].append(wall)
            answer_times[peer].append(first_answer_once(peer))
    if Path("/proc/self/status").exists():
        for number in range(servers):
            for peer in in_turn(peers, number):
                sizes[peer].append(resident_once(peer))
    return [
        Figure(SECTION, case, peer, unit, tuple(values))
        for case, unit, by_peer in (
            ("import, CPU", "ms", cpu_times),
            ("import, wall", "ms", wall_times),
            ("first answer, CPU", "ms", answer_times),
            ("resident", "MiB", sizes),
        )
        for peer, values in by_peer.items()
        if values
    ]


def in_turn(peers: Sequence[str], number: int) -> list[str]:
    """All of them, a different one first in each round."""
    turn = number % max(1, len(peers))
    return [*peers[turn:], *peers[:turn]]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.footprint", description=__doc__)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS), metavar="PEER")
    add_options(parser)
    options = parser.parse_args(arguments)

    peers = list(load_peers(options.peers))
    print(describe(versions([*peers, "uvicorn", "gunicorn"])))
    try:
        figures = measure(peers, options.imports, options.servers)
    except CannotMeasure as error:
        print(f"error: {error}")
        return 1
    print(*table(Figures(figures), SECTION), sep="\n")
    print(f"ratio: the best over that of {BASELINE}; less is better")
    return 0


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that choose how often is measured."""
    parser.add_argument("--imports", type=int, default=IMPORTS, help="of each peer; default: %(default)s")
    parser.add_argument("--servers", type=int, default=SERVERS, help="of each peer; default: %(default)s")


if __name__ == "__main__":
    sys.exit(main())
