"""The measuring behind servers, with a stand-in for the load generator."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from . import servers
from .cases import CASES, SERVED_CASES, Case, WrongAnswer
from .peers import load_peer
from .servers import CannotMeasure, ask, parse_report, serving

HELLO = Case("hello", "/", b"Hello, World!")

REPORT = """\
Running 3s test @ http://127.0.0.1:8000/plain
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.35ms  310.12us  12.03ms   91.20%
    Req/Sec    27.41k     1.03k   29.10k    83.33%
  Latency Distribution
     50%    2.28ms
     75%    2.41ms
     90%    2.60ms
     99%    {latency}
  81912 requests in 3.00s, 11.87MB read
{problem}Requests/sec:  27290.51
Transfer/sec:      3.96MB
"""

# Makes one request, as a check of what it is told, and reports.
WRK = f"""#!{sys.executable}
import sys, urllib.request
arguments = sys.argv[1:]
headers = [arguments[at + 1].split(": ", 1) for at, name in enumerate(arguments) if name == "--header"]
request = urllib.request.Request(arguments[-1], headers=dict(headers))
assert urllib.request.urlopen(request, timeout=10).status == 200
assert arguments[arguments.index("--connections") + 1] == "64"
print({REPORT.format(latency="3.50ms", problem="")!r})
"""


@pytest.fixture
def wrk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "wrk"
    program.write_text(WRK)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)


@pytest.mark.parametrize(
    ("latency", "milliseconds"), [("3.50ms", 3.5), ("870.00us", 0.87), ("1.65s ", 1650), ("1.02m ", 61200)]
)
def test_a_report_is_read(latency: str, milliseconds: float) -> None:
    rate, p99 = parse_report(HELLO, REPORT.format(latency=latency, problem=""))
    assert rate == 27290.51
    assert p99 == pytest.approx(milliseconds)


@pytest.mark.parametrize(
    "problem",
    ["Socket errors: connect 0, read 3, write 0, timeout 12", "Non-2xx or 3xx responses: 81912"],
)
def test_failed_requests_are_no_rate(problem: str) -> None:
    with pytest.raises(WrongAnswer, match=problem):
        parse_report(HELLO, REPORT.format(latency="3.50ms", problem=f"  {problem}\n"))


def test_another_report_is_refused() -> None:
    with pytest.raises(CannotMeasure, match="something else than expected"):
        parse_report(HELLO, "wrk 5: 12 requests")


def test_without_wrk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(CannotMeasure, match="apt-get install wrk"):
        servers.find_wrk()


@pytest.mark.parametrize(("peer", "package"), [("asyncflask", "uvicorn"), ("flask", "gunicorn")])
def test_a_server_runs_and_is_stopped(peer: str, package: str) -> None:
    pytest.importorskip(package, reason=f"{package} is in the bench group of dependencies")
    module = f"{servers.PACKAGE}.hello.{peer}_app"
    with serving(module, "create_app", wsgi=peer == "flask", core=None) as (port, process):
        answer = ask(port, HELLO)
    assert (answer.status, answer.body) == (200, b"Hello, World!")
    assert process.poll() is not None
    with pytest.raises(OSError):
        ask(port, HELLO)


def test_a_server_that_does_not_start_says_why() -> None:
    with pytest.raises(CannotMeasure, match="no_such_module"):
        with serving("no_such_module", "create_app", wsgi=False, core=None):
            pytest.fail("it runs")


@pytest.mark.usefixtures("wrk")
def test_rates_and_latencies_of_every_round(capsys: pytest.CaptureFixture[str]) -> None:
    assert servers.main(["--peers", "asyncflask", "--served-cases", "full", "--served-rounds", "2"]) == 0
    table = capsys.readouterr().out.splitlines()
    assert ["full", "requests/s", "27291", "27291", "-"] in [line.split() for line in table]
    assert ["full", "p99", "ms", "3.5", "3.5", "-"] in [line.split() for line in table]


@pytest.mark.usefixtures("wrk")
def test_a_wrong_answer_is_no_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case("plain", "/plain", b"Bye")
    with pytest.raises(WrongAnswer, match=r"^asyncflask, plain: .*not b'Bye'"):
        servers.measure({"asyncflask": load_peer("asyncflask")}, [case], rounds=1)


def test_a_served_case_is_the_one_inside() -> None:
    assert {SERVED_CASES[name].path for name in ("plain", "sync", "full")} == {
        CASES[name].path for name in ("plain", "sync", "full")
    }
    assert {case.concurrency for case in SERVED_CASES.values()} == {64, 256}
