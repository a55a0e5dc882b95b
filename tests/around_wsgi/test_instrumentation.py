"""What traces Flask applications traces these: under an ASGI server, under WSGI, and by the test client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from textwrap import dedent
from typing import Any

import pytest
from example_server import ROOT

#: A program that prints, as JSON, what has been noted for the same requests made in three ways.
PROGRAM = """
import asyncflask.as_flask
import asyncio, json, logging, sys

sys.path[:0] = ["tests"]
import flask
from lifecycle.server import Server
from werkzeug.test import Client

{setup}

def make_app(instrument=lambda app: None):
    app = flask.Flask("lifecycle", static_folder=None)
    instrument(app)

    @app.get("/user/<int:number>")
    def user(number):
        return str(number)

    @app.get("/async/<int:number>")
    async def async_user(number):
        await asyncio.sleep(0.001)
        return str(number)

    @app.get("/error")
    def error():
        raise ZeroDivisionError

    @app.get("/async-error")
    async def async_error():
        raise ZeroDivisionError

    return app

app = {app}
noted.clear()
found = {{}}
PATHS = ["/user/1", "/async/2", "/error", "/async-error", "/nowhere"]
with Server(app) as server:
    for path in PATHS:
        server.get(path)
found["asgi"] = {found}
noted.clear()
for name, client in (("wsgi", Client(app)), ("client", app.test_client())):
    for path in PATHS:
        client.get(path).close()
    found[name] = {found}
    noted.clear()
print("FOUND", json.dumps(found))
"""

OTEL = """
from opentelemetry import trace
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

noted = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(noted))
trace.set_tracer_provider(provider)
{more}
"""
SPANS = """[
    [span.name, span.attributes.get("http.route"), span.attributes.get("http.status_code"), span.status.is_ok]
    for span in noted.get_finished_spans()
]"""

SENTRY = """
import sentry_sdk
from sentry_sdk.integrations.flask import FlaskIntegration
from sentry_sdk.transport import Transport

noted = []

class Noting(Transport):
    def capture_envelope(self, envelope):
        for item in envelope.items:
            event = item.payload.json
            if event and "transaction" in event:
                status = (event.get("contexts") or {{}}).get("response", {{}}).get("status_code")
                kinds = [value["type"] for value in event.get("exception", {{}}).get("values", [])]
                noted.append([event["transaction"], status, *kinds])

def init(app=None):
    sentry_sdk.init(
        dsn="http://key@localhost/1",
        integrations=[FlaskIntegration()],
        auto_enabling_integrations=False,
        traces_sample_rate=1.0,
        transport=Noting,
    )
{more}
"""

ELASTIC = """
import elasticapm
from elasticapm.contrib.flask import ElasticAPM

noted = []

class Noting(elasticapm.Client):
    def queue(self, event_type, data, flush=False):
        if event_type in ("transaction", "error"):
            noted.append([event_type, data.get("name"), data.get("result")])

client = Noting(
    service_name="tests", disable_send=True, metrics_interval="0ms", central_config=False,
    cloud_provider="none",
)
"""


def found(setup: str, app: str, what: str) -> dict[str, Any]:
    program = PROGRAM.format(setup=dedent(setup), app=app, found=what)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("FOUND")]
    result: dict[str, Any] = json.loads(line.removeprefix("FOUND"))
    return result


@pytest.mark.parametrize(
    ("more", "app"),
    [
        ("FlaskInstrumentor().instrument()", "make_app()"),
        ("", "make_app(FlaskInstrumentor().instrument_app)"),
    ],
)
def test_opentelemetry(more: str, app: str) -> None:
    for spans in found(OTEL.format(more=more), app, SPANS).values():
        assert spans == [
            ["GET /user/<int:number>", "/user/<int:number>", 200, True],
            ["GET /async/<int:number>", "/async/<int:number>", 200, True],
            ["GET /error", "/error", 500, False],
            ["GET /async-error", "/async-error", 500, False],
            ["GET /nowhere", None, 404, True],
        ]


@pytest.mark.parametrize(("more", "app"), [("init()", "make_app()"), ("", "make_app(init)")])
def test_sentry(more: str, app: str) -> None:
    """Set up before the application is made, and after that."""
    for events in found(SENTRY.format(more=more), app, "list(noted)").values():
        assert events == [
            ["user", 200],
            ["async_user", 200],
            ["error", None, "ZeroDivisionError"],
            ["error", 500],
            ["async_error", None, "ZeroDivisionError"],
            ["async_error", 500],
            ["generic WSGI request", 404],
        ]


def test_elastic() -> None:
    for events in found(
        ELASTIC, "make_app(lambda app: ElasticAPM(app, client=client))", "list(noted)"
    ).values():
        assert sorted(map(str, events)) == sorted(
            map(
                str,
                [
                    ["transaction", "GET /user/<int:number>", "HTTP 2xx"],
                    ["transaction", "GET /async/<int:number>", "HTTP 2xx"],
                    ["error", None, None],
                    ["transaction", "GET /error", "HTTP 5xx"],
                    ["error", None, None],
                    ["transaction", "GET /async-error", "HTTP 5xx"],
                    ["transaction", "", "HTTP 4xx"],
                ],
            )
        )
