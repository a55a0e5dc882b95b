"""The same site in four frameworks, each on the server that its users have."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[2]

_FLASK = """
from {framework} import {name} as Flask, request, session, jsonify
app = Flask(__name__)
app.secret_key = "not a secret"
app.config["MAX_CONTENT_LENGTH"] = 1_000_000

@app.get("/")
def index(): return "index"

@app.get("/item/<int:number>")
def item(number): return str(number)

@app.get("/dir/")
def dir(): return "dir"

@app.get("/query")
def query(): return str(dict(request.args))

@app.get("/cookie")
def cookie():
    session["seen"] = 1
    return str(dict(request.cookies)) + str(request.authorization) + str(request.accept_languages)
"""
_SYNC = """
@app.post("/json")
def json(): return jsonify(type(request.get_json()).__name__)

@app.post("/form")
def form(): return str(dict(request.form)) + str(sorted(request.files))

@app.post("/data")
def data(): return str(len(request.get_data()))
"""
_QUART = """
@app.post("/json")
async def json(): return jsonify(type(await request.get_json()).__name__)

@app.post("/form")
async def form(): return str(dict(await request.form)) + str(sorted(await request.files))

@app.post("/data")
async def data(): return str(len(await request.get_data()))
"""
_STARLETTE = """
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

async def index(request): return PlainTextResponse("index")
async def item(request): return PlainTextResponse(str(request.path_params["number"]))
async def query(request): return PlainTextResponse(str(dict(request.query_params)))
async def cookie(request):
    request.session["seen"] = 1
    return PlainTextResponse(str(request.cookies))
async def json(request): return JSONResponse(type(await request.json()).__name__)
async def form(request):
    async with request.form() as form: return PlainTextResponse(str(dict(form)))
async def data(request): return PlainTextResponse(str(len(await request.body())))

app = Starlette(routes=[
    Route("/", index), Route("/item/{number:int}", item), Route("/dir/", index), Route("/query", query),
    Route("/cookie", cookie), Route("/json", json, methods=["POST"]), Route("/form", form, methods=["POST"]),
    Route("/data", data, methods=["POST"]),
], middleware=[Middleware(SessionMiddleware, secret_key="not a secret")])
"""
SOURCES = {
    "asyncflask": _FLASK.format(framework="asyncflask", name="Flask") + _SYNC,
    "flask": _FLASK.format(framework="flask", name="Flask") + _SYNC,
    "quart": _FLASK.format(framework="quart", name="Quart") + _QUART,
    "starlette": _STARLETTE,
}
_UVICORN = ["-m", "uvicorn", "hostile_site:app", "--fd", "{fd}", "--log-level", "critical"]
_GUNICORN = [
    *("-m", "gunicorn", "hostile_site:app", "--bind", "fd://{fd}", "--log-level", "critical"),
    *("--worker-class", "gthread", "--threads", "8"),
]


class SiteServer:
    """The site in one framework, in a process of its own, for the length of a ``with`` block."""

    def __init__(self, framework: str, folder: Path) -> None:
        self.framework = framework
        self._folder = folder
        (folder / "hostile_site.py").write_text(SOURCES[framework])

    def __enter__(self) -> Self:
        sock = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.port: int = sock.getsockname()[1]
        command = _GUNICORN if self.framework == "flask" else _UVICORN
        self._log = open(self._folder / "log", "wb")
        self.process = subprocess.Popen(
            [sys.executable, *(part.format(fd=sock.fileno()) for part in command)],
            cwd=self._folder,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{self._folder}"},
            pass_fds=[sock.fileno()],
            stdout=self._log,
            stderr=self._log,
        )
        sock.close()
        end = time.monotonic() + 30
        while not self.is_well():
            if time.monotonic() > end or self.process.poll() is not None:
                raise RuntimeError((self._folder / "log").read_text())
            time.sleep(0.05)
        return self

    def is_well(self) -> bool:
        """Whether it answers a plain request."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                return client.recv(100).startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    def memory(self) -> int:
        """MiB that it takes, with its child processes."""
        pids = [self.process.pid]
        found = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True)
        pids += [int(pid) for pid in found.stdout.split()]
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
        return pages * os.sysconf("SC_PAGE_SIZE") // 2**20

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        finally:
            self.process.kill()
            self._log.close()
