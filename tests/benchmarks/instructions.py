"""CPU instructions per request, counted by Valgrind: ``python -m tests.benchmarks.instructions``.

The ratio of two frameworks without the noise of a clock: two runs differ by less than one in a hundred, also
on a busy machine. It takes half a minute for a case and peer, and says nothing of caches and system calls: it
is for work on one case. The numbers depend on the build of Python and of every library, so they cannot be
recorded for other machines, which is what `guard` is for.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence

import uvloop

from .cases import CASES
from .figures import BASELINE, Figure, Figures, table
from .inprocess import AsgiApplication, verify
from .peers import PEERS, load_peer, load_peers, takes_part
from .servers import PACKAGE, ROOT, CannotMeasure

SECTION = "instructions"
FEW, MANY = 100, 400


def instructions(peer: str, case: str) -> float:
    """Thousands of instructions that a request takes: those of many less those of a few, all else alike."""
    return (collected(peer, case, MANY) - collected(peer, case, FEW)) / (MANY - FEW) / 1e3


def collected(peer: str, case: str, requests: int) -> int:
    """All instructions of a process that makes that many requests.

    :raises CannotMeasure: if Valgrind is missing, or does not report them.
    """
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise CannotMeasure("valgrind is not installed: 'apt-get install valgrind' on Debian and Ubuntu")
    command = [valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    command += [sys.executable, "-m", f"{PACKAGE}.instructions", "--peers", peer, "--cases", case]
    command += ["--requests", str(requests)]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or found is None:
        raise CannotMeasure(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return int(found[1])


async def request(peer: str, name: str, requests: int) -> None:
    """What Valgrind watches: make ``requests`` of ``MANY`` prepared requests, one after the other."""
    case = CASES[name]
    make = getattr(load_peer(peer), case.application)
    app = make() if case.extra_routes is None else make(case.extra_routes)
    async with AsgiApplication(app) as application:
        cookie = await verify(application, case)
        batch = application.requests(case, cookie, MANY)
        for prepared in batch[:requests]:
            await app(prepared.scope, prepared.receive, prepared.send)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.instructions", description=__doc__)
    peers = [peer for peer in PEERS if peer != "flask"]
    parser.add_argument("--cases", nargs="+", choices=CASES, default=["plain"], metavar="CASE")
    parser.add_argument("--peers", nargs="+", choices=peers, default=["asyncflask", BASELINE], metavar="PEER")
    parser.add_argument("--requests", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)

    if options.requests is not None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(request(options.peers[0], options.cases[0], options.requests))
        return 0
    modules = load_peers(options.peers)
    figures = Figures()
    try:
        for case in options.cases:
            for peer, module in modules.items():
                if takes_part(module, CASES[case]):
                    figures.add([Figure(SECTION, case, peer, "1000", (instructions(peer, case),))])
    except CannotMeasure as error:
        print(f"error: {error}")
        return 1
    print(*table(figures, SECTION), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
