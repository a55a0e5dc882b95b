"""Check types as users' type checkers do: ``python -m tests.typing``.

mypy, strictly, and pyright, as editors with Pylance do, read the files in ``passes``, where nothing is
to be reported, and in ``reported``, where each line with an ``# error`` is, and no other line.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".mypy_cache"
Reported = dict[tuple[str, int], str]

MYPY_ERROR = re.compile(r"(?P<file>.+?):(?P<line>\d+): error: (?P<text>.*)")


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HERE)
    if done.returncode not in (0, 1):  # 1: there are errors
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def mypy() -> Reported:
    output = run(
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--config-file=",
        f"--cache-dir={CACHE}",
        "--no-error-summary",
        ".",
    )
    found = filter(None, map(MYPY_ERROR.fullmatch, output.splitlines()))
    return {(Path(match["file"]).as_posix(), int(match["line"])): match["text"] for match in found}


def pyright() -> Reported:
    output = run(sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, ".")
    errors = [one for one in json.loads(output)["generalDiagnostics"] if one["severity"] == "error"]
    return {
        (
            Path(error["file"]).relative_to(HERE).as_posix(),
            error["range"]["start"]["line"] + 1,
        ): error["message"]
        for error in errors
    }


def expected() -> Iterator[tuple[str, int]]:
    for path in sorted(HERE.glob("reported/*.py")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if line.endswith("  # error"):
                yield path.relative_to(HERE).as_posix(), number


def differences(name: str, check: Callable[[], Reported]) -> Iterator[str]:
    reported, wanted = check(), set(expected())
    for (file, line), text in sorted(reported.items()):
        if (file, line) not in wanted:
            yield f"{file}:{line}: {name} reports: {text}"
    for file, line in sorted(wanted - reported.keys()):
        yield f"{file}:{line}: {name} does not report this mistake"


def main() -> None:
    wrong = [line for check in (mypy, pyright) for line in differences(check.__name__, check)]
    print("\n".join(wrong) or f"{len(set(expected()))} mistakes are reported, by mypy and by pyright.")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
