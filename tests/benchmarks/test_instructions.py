"""The counting of instructions, with a stand-in for Valgrind."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from . import instructions

# A million for the process and 2000 for each request.
VALGRIND = f"""#!{sys.executable}
import sys
requests = int(sys.argv[sys.argv.index("--requests") + 1])
print(f"==1== Collected : {{1_000_000 + 2000 * requests}}", file=sys.stderr)
"""


def test_what_the_process_takes_is_taken_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "valgrind"
    program.write_text(VALGRIND)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert instructions.main(["--cases", "plain", "full"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines[2:]] == [["plain", "1000", "2.0"], ["full", "1000", "2.0"]]


@pytest.mark.parametrize("case", ["plain", "full-sync-64"])
def test_what_valgrind_watches(case: str) -> None:
    assert instructions.main(["--peers", "asyncflask", "--cases", case, "--requests", "3"]) == 0


def test_without_valgrind(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "")
    assert instructions.main([]) == 1
    assert "apt-get install valgrind" in capsys.readouterr().out
