"""A guest book for several processes: sessions and channels in Redis, health, metrics."""

from __future__ import annotations

import os
from time import perf_counter
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, make_asgi_app
from prometheus_client.multiprocess import MultiProcessCollector

from asyncflask import (
    Flask,
    flash,
    g,
    get_flashed_messages,
    jsonify,
    redirect,
    request,
    session,
    url_for,
)
from asyncflask.channels import pump
from asyncflask.health import Health
from asyncflask.sessions import MemorySessionInterface

app = Flask(__name__)
app.secret_key = os.environ["SECRET_KEY"]
REDIS_URL = os.environ.get("REDIS_URL")
if REDIS_URL:
    from asyncflask.sessions.redis import RedisSessionInterface

    app.config["CHANNELS_URL"] = REDIS_URL
    app.session_interface = RedisSessionInterface(REDIS_URL)
else:
    app.session_interface = MemorySessionInterface()
# Longer than two questions of the load balancer.
health = Health(app, delay=float(os.environ.get("DRAIN_DELAY", "5")))

REQUESTS = Counter("requests", "Answers.", ["rule", "status"])
SECONDS = Histogram("request_seconds", "How long they have taken.", ["rule"])


def metrics() -> Any:
    """The figures of all processes, where PROMETHEUS_MULTIPROC_DIR says that there are several."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return make_asgi_app()
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return make_asgi_app(registry)


app.mount("/metrics", metrics())


@app.before_request
async def begin() -> None:
    g.begun = perf_counter()


@app.after_request
async def count(response: Any) -> Any:
    rule = str(request.url_rule or "none")
    REQUESTS.labels(rule, response.status_code).inc()
    SECONDS.labels(rule).observe(perf_counter() - g.begun)
    return response


@app.get("/")
async def home() -> Any:
    session["visits"] = session.get("visits", 0) + 1
    return jsonify(visits=session["visits"], messages=get_flashed_messages(), process=os.getpid())


@app.post("/sign")
def sign() -> Any:
    name = request.form["name"]
    app.channels.publish("guests", name)
    flash(f"Thank you, {name}!")
    return redirect(url_for("home"))


@app.get("/guests")
async def guests() -> Any:
    return app.channels.event_stream("guests", history=10)


@app.websocket("/guests/live")
async def live() -> None:
    async with app.channels.subscribe("guests") as messages:
        await pump(messages)


@app.get("/seen-as")
async def seen_as() -> Any:
    """How the request looks from here, behind the proxy."""
    return jsonify(url=request.url, address=request.remote_addr, secure=request.is_secure)
