"""Run one application with an extension under Flask and under asyncflask, and compare what a client sees.

A case is one of `tests.differential.harness`. The extension imports `flask`, which is a different package in
the two runs, so each has a process of its own. A case therefore imports extensions in its body, and
`fw` is `flask`, whatever that resolves to::

    @case
    def test_hello(fw):
        from flask_cors import CORS

        app = fw.Flask(__name__)
        CORS(app)
        ...
        return app, ["/"]
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest

from tests.differential.harness import ORACLE, Build, compare, load, transcript, variants

ROOT = Path(__file__).parents[2]
TIMEOUT = 60

Transcripts = dict[str, list[str]]


def case(
    build: Build | None = None,
    *,
    each: Collection[str] = ("",),
    sync: Collection[str] = (),
    asynchronous: Collection[str] = (),
) -> Callable[..., Any]:
    """Make a test of a function that builds an application; see `tests.differential.harness.case`.

    Under Flask it runs as it is written, under asyncflask in every variant of ``def`` and ``async def``.

    :param each: a test is made for each of these, which `build` takes as its second parameter.
    """
    if build is None:
        return functools.partial(case, each=each, sync=sync, asynchronous=asynchronous)

    codes = variants(build, sync, asynchronous)
    expected = functools.cache(lambda argument: run(build, argument, as_flask=False))
    actual = functools.cache(lambda argument: run(build, argument, as_flask=True))

    both = [(argument, variant) for argument in each for variant in codes]

    @pytest.mark.parametrize(("argument", "variant"), both, ids=["-".join(filter(None, ids)) for ids in both])
    def test(argument: str, variant: str) -> None:
        title = " ".join([build.__name__, argument, variant])
        compare(expected(argument)["sync"], actual(argument)[variant], title)

    test.__name__, test.__doc__, test.__module__ = build.__name__, build.__doc__, build.__module__
    test.load = lambda: {variant: load(build, code) for variant, code in codes.items()}  # type: ignore[attr-defined]
    return test


def run(build: Build, argument: str = "", *, as_flask: bool) -> Transcripts:
    """The transcripts of a case, by variant: as it is written for Flask, all for asyncflask."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "ASYNCFLASK_AS_FLASK": str(int(as_flask))}
        module = ".".join(Path(build.__code__.co_filename).relative_to(ROOT).with_suffix("").parts)
        command = [sys.executable, "-m", "tests.extensions.differential", module, build.__name__, argument]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    if done.returncode:
        pytest.fail(f"{'asyncflask' if as_flask else 'Flask'}:\n{done.stderr}", pytrace=False)
    transcripts: Transcripts = json.loads(done.stdout)
    return transcripts


def main(module: str, name: str, argument: str) -> None:
    """Run a case in this process, in an empty folder, and print its transcripts."""
    as_flask = os.environ["ASYNCFLASK_AS_FLASK"] == "1"
    if as_flask:
        importlib.import_module("asyncflask.as_flask")
    builds: dict[str, Build] = getattr(importlib.import_module(module), name).load()
    package = importlib.import_module("flask").__name__
    assert package == ("asyncflask" if as_flask else "flask"), package
    chosen = builds if as_flask else {"sync": builds["sync"]}
    arguments = [argument] if argument else []
    transcripts = {
        variant: transcript(lambda fw, build=build: build(fw, *arguments), ORACLE)
        for variant, build in chosen.items()
    }
    print(json.dumps(transcripts))


if __name__ == "__main__":
    main(*sys.argv[1:])
