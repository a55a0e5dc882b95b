"""A pytest plugin that writes what became of every test, by node id, into the file ``RECORD_OUTCOMES`` names.

Each line is a JSON array of a node id and an outcome, appended as soon as it is known, so that a
run that crashes or is stopped leaves what it had. JUnit's XML has no node ids and is written at the end only.
"""

from __future__ import annotations

import json
import os

import pytest

NOT_RUN = "not run"


class Recorder:
    """Appends to the file what the tests' reports say."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.outcomes: dict[str, str] = {}

    def record(self, nodeid: str, outcome: str) -> None:
        self.outcomes[nodeid] = outcome
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps([nodeid, outcome]) + "\n")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            self.record(item.nodeid, NOT_RUN)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.record(report.nodeid, "error")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        outcome: str = report.outcome
        if hasattr(report, "wasxfail"):
            outcome = "xfailed" if report.skipped else "xpassed"
        elif report.failed and report.when != "call":
            outcome = "error"
        # A setup that passed says nothing yet, a teardown that passed nothing more.
        if report.when == "call" or outcome != "passed":
            self.record(report.nodeid, outcome)


def pytest_configure(config: pytest.Config) -> None:
    # With pytest-xdist the reports of all workers arrive in the process that started them.
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(os.environ["RECORD_OUTCOMES"]), "record-outcomes")
