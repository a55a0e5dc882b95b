"""The development server, each time as a process of its own, the way a person starts it."""

from __future__ import annotations

import errno
import http.client
import importlib.util
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

import asyncflask
from asyncflask import serving
from asyncflask.serving.options import uvicorn_settings
from asyncflask.serving.sources import Sources
from asyncflask.serving.terminal import restore_echo

ROOT = Path(asyncflask.__file__).parent.parent
SECONDS = 30  # far more than anything here takes on an idle machine

# A certificate for localhost that no one trusts.
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBmjCCAUGgAwIBAgIUBgqCbMRV/Wdhph20oIsyoY+wGkEwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMDE4MTczMloYDzIxMjYxMDI3
MTgxNzMyWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASW8ACaCXbL4bvnwR4kx24PLPViJHHc6QIbMO2uZlJsarBHoCGrVl6Q
Z7fox+Hu+WnLGDKJ5x1CRrOeX7PmQCIto28wbTAdBgNVHQ4EFgQUvPUkwLo83bRy
I+/EJrhD3UnfRTYwHwYDVR0jBBgwFoAUvPUkwLo83bRyI+/EJrhD3UnfRTYwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDRwAwRAIgOv1iN4qVtG5bp/QE/2O5ywRBi+9yZ8hNZcErrRnSB0kCIDcW
uKr1sxT8sDq19l5hXhd9i8K184yi0kEXAR4LdC8X
-----END CERTIFICATE-----
"""
KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgNv9FYrGlshrxni6w
EQVn5CUoGTI2schkAnCB+w+ChcihRANCAASW8ACaCXbL4bvnwR4kx24PLPViJHHc
6QIbMO2uZlJsarBHoCGrVl6QZ7fox+Hu+WnLGDKJ5x1CRrOeX7PmQCIt
-----END PRIVATE KEY-----
"""

APP = """\
import atexit, os, sys, time
from asyncflask import Flask, request

app = Flask(__name__)

@app.get("/")
def index():
    return "one"

@app.get("/pid")
async def pid():
    return f"{os.getpid()} {os.getppid()}"

@app.get("/seen")
def seen():
    return {
        "argv": sys.argv[1:],
        "main": os.environ.get("WERKZEUG_RUN_MAIN"),
        "fd": os.environ.get("WERKZEUG_SERVER_FD"),
        "scheme": request.scheme,
        "remote_addr": request.remote_addr,
    }

@app.get("/stream")
async def stream():
    import asyncio

    async def chunks():
        while True:
            yield "x"
            await asyncio.sleep(0.05)

    return chunks()

@app.get("/stuck")
def stuck():
    print("stuck now", file=sys.stderr, flush=True)
    time.sleep(300)
    return "never"
"""


class Program:
    """A running Python program, in a session of its own as in a terminal, with its output line by line."""

    def __init__(self, folder: Path, *args: str, **environment: str) -> None:
        env = {
            name: value for name, value in os.environ.items() if not name.startswith(("FLASK_", "WERKZEUG_"))
        }
        env |= {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "FLASK_SKIP_DOTENV": "1"} | environment
        self.process = subprocess.Popen(
            [sys.executable, *args],
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.out: list[str] = []
        self.err: list[str] = []
        self._news = threading.Condition()
        self._readers = [
            threading.Thread(target=self._read, args=(stream, lines), daemon=True)
            for stream, lines in ((self.process.stdout, self.out), (self.process.stderr, self.err))
        ]
        for reader in self._readers:
            reader.start()
        self._url: str | None = None

    def _read(self, stream, lines: list[str]) -> None:
        with stream:
            for line in stream:
                with self._news:
                    lines.append(line.rstrip("\n"))
                    self._news.notify_all()

    @property
    def output(self) -> str:
        return "\n".join([*self.out, "--- stderr", *self.err])

    def wait_for(self, pattern: str, count: int = 1) -> re.Match[str]:
        """The last of so many lines that match."""

        def matches() -> list[re.Match[str]]:
            return [match for line in (*self.out, *self.err) if (match := re.search(pattern, line))]

        with self._news:
            assert self._news.wait_for(lambda: len(matches()) >= count, SECONDS), self.output
            return matches()[count - 1]

    @property
    def url(self) -> str:
        if self._url is None:
            self._url = self.wait_for(r"^ \* Running on (http\S+)$")[1]
        return self._url

    def connect(self) -> http.client.HTTPConnection:
        scheme, _, address = self.url.partition("://")
        if scheme == "https":
            unverified = ssl.create_default_context()
            unverified.check_hostname = False
            unverified.verify_mode = ssl.CERT_NONE
            return http.client.HTTPSConnection(address, timeout=SECONDS, context=unverified)
        return http.client.HTTPConnection(address, timeout=SECONDS)

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        connection = self.connect()
        try:
            connection.request("GET", path, headers={"Connection": "close", **headers})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def comes_to_serve(self, text: str) -> bool:
        def condition() -> bool:
            try:
                return self.get("/") == (200, text)
            except ConnectionResetError:  # accepted, but not read, by a child that is about to end
                return False

        return eventually(condition)

    @contextmanager
    def asking(self, path: str) -> Iterator[http.client.HTTPConnection]:
        """A connection over which a request has been sent."""
        connection = self.connect()
        try:
            connection.request("GET", path)
            yield connection
        finally:
            connection.close()

    def press_ctrl_c(self) -> None:
        """A terminal sends the signal to all processes of the group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def wait(self, seconds: float = SECONDS) -> int:
        code = self.process.wait(seconds)
        for reader in self._readers:  # they end with the last process that holds the pipe
            reader.join(SECONDS)
            assert not reader.is_alive(), f"something is still running\n{self.output}"
        return code

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(SECONDS)


@pytest.fixture
def start(tmp_path):
    programs: list[Program] = []

    def start(*args: str, **environment: str) -> Program:
        programs.append(Program(tmp_path, *args, **environment))
        return programs[-1]

    yield start
    for program in programs:
        program.kill()


@pytest.fixture
def script(tmp_path, start):
    """Start ``app.py``: an application, and how it is run."""

    def script(run: str, *args: str, before: str = "", **environment: str) -> Program:
        (tmp_path / "app.py").write_text(f"{before}{APP}\nif __name__ == '__main__':\n    {run}\n")
        return start("app.py", *args, **environment)

    return script


@pytest.fixture
def taken_port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock.getsockname()[1]


def is_free(url: str) -> bool:
    port = int(url.rpartition(":")[2])
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError as error:
            return error.errno != errno.EADDRINUSE
    return True


def eventually(condition) -> bool:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


class TestServe:
    def test_start_and_ctrl_c(self, script):
        program = script("app.run(port=0); print('after run')")
        assert program.get("/") == (200, "one")
        program.press_ctrl_c()
        assert program.wait() == 0
        port = program.url.rpartition(":")[2]
        assert program.err == [f" * Running on http://127.0.0.1:{port}", "Press CTRL+C to quit"]
        assert program.out[:2] == [" * Serving Flask app 'app'", " * Debug mode: off"]
        assert re.fullmatch(r'INFO:\s+127\.0\.0\.1:\d+ - "GET / HTTP/1\.1" 200 OK', program.out[2])
        assert program.out[3:] == ["after run"]
        assert is_free(program.url)

    def test_given_port(self, script):
        with socket.create_server(("127.0.0.1", 0)) as sock:
            port = sock.getsockname()[1]
        program = script(f"app.run('localhost', {port})")
        assert program.url == f"http://localhost:{port}"
        assert program.get("/") == (200, "one")

    def test_sigterm(self, script):
        program = script("atexit.register(print, 'at exit'); app.run(port=0); print('after run')")
        assert program.get("/") == (200, "one")
        program.process.terminate()
        assert program.wait() == 0
        assert program.out[-1] == "at exit"
        assert "after run" not in program.out
        assert "Traceback" not in program.output

    def test_own_handler_of_sigterm(self, script):
        program = script(
            "app.run(port=0); print('after run')",
            before="import signal\nsignal.signal(signal.SIGTERM, lambda *args: print('mine'))\n",
        )
        assert program.get("/") == (200, "one")
        program.process.terminate()
        assert program.wait() == 0
        assert program.out[-2:] == ["mine", "after run"]

    def test_idle_connection_does_not_delay(self, script):
        program = script("app.run(port=0)")
        with program.asking("/") as connection:
            assert connection.getresponse().read() == b"one"
            program.press_ctrl_c()
            assert program.wait(serving.GRACE) == 0

    def test_endless_response_ends(self, script):
        program = script("app.run(port=0, timeout_graceful_shutdown=1)")
        with program.asking("/stream") as connection:
            assert connection.getresponse().read(3) == b"xxx"
            program.press_ctrl_c()
            assert program.wait() == 0
            assert "Traceback" not in program.output

    def test_busy_view_has_limited_time(self, script):
        program = script("app.run(port=0, timeout_graceful_shutdown=1)")
        with program.asking("/stuck"):
            program.wait_for("stuck now")
            program.press_ctrl_c()
            assert program.wait() == 0
            assert "Traceback" not in program.output

    def test_second_ctrl_c_is_immediate(self, script):
        program = script("app.run(port=0, timeout_graceful_shutdown=100)")
        with program.asking("/stuck"):
            program.wait_for("stuck now")
            program.press_ctrl_c()
            with pytest.raises(subprocess.TimeoutExpired):
                program.process.wait(1)
            program.press_ctrl_c()
            assert program.wait() == 130
            assert "Traceback" not in program.output

    def test_ipv6(self, script):
        program = script("app.run('::1', 0)")
        assert program.url.startswith("http://[::1]:")
        assert program.get("/") == (200, "one")

    def test_all_addresses(self, script):
        program = script("app.run('0.0.0.0', 0)")
        assert program.get("/") == (200, "one")
        assert program.err[0] == " * Running on all addresses (0.0.0.0)"
        assert program.err[1].startswith(" * Running on http://127.0.0.1:")

    def test_unix_socket(self, script, tmp_path):
        path = tmp_path / "s"
        for _ in range(2):  # the second time, there is one left behind
            with socket.socket(socket.AF_UNIX) as stale:
                stale.bind(str(path))
            program = script("app.run('unix://s')")
            program.wait_for(r"^ \* Running on unix://s$")
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
                client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                answer = b"".join(iter(lambda: client.recv(4096), b""))
            assert answer.startswith(b"HTTP/1.1 200 OK")
            assert answer.endswith(b"one")
            program.press_ctrl_c()
            assert program.wait() == 0
            assert not path.exists()

    @pytest.mark.parametrize(
        "options",
        [
            "ssl_context=('cert.pem', 'key.pem')",
            "certfile='cert.pem', keyfile='key.pem'",
            "ssl_certfile='cert.pem', ssl_keyfile='key.pem'",
            "ssl_context=context",
            "certfile='both.pem'",
        ],
    )
    def test_https(self, script, tmp_path, options):
        (tmp_path / "cert.pem").write_text(CERTIFICATE)
        (tmp_path / "key.pem").write_text(KEY)
        (tmp_path / "both.pem").write_text(CERTIFICATE + KEY)
        program = script(
            f"app.run(port=0, {options})",
            before=(
                "import ssl; context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER);"
                " context.load_cert_chain('cert.pem', 'key.pem')\n"
            ),
        )
        assert program.url.startswith("https://127.0.0.1:")
        status, body = program.get("/seen")
        assert status == 200
        assert '"scheme":"https"' in body.replace(" ", "")

    def test_forwarded_headers_are_not_trusted(self, script):
        program = script("app.run(port=0)")
        _, body = program.get("/seen", **{"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https"})
        assert '"remote_addr":"127.0.0.1"' in body.replace(" ", "")
        assert '"scheme":"http"' in body.replace(" ", "")

    def test_request_log_is_silenced_like_werkzeugs(self, script):
        program = script(
            "app.run(port=0)",
            before="import logging; logging.getLogger('werkzeug').setLevel(logging.ERROR)\n",
        )
        assert program.get("/") == (200, "one")
        program.press_ctrl_c()
        assert program.wait() == 0
        assert len(program.out) == 2

    def test_in_a_thread(self, script):
        program = script(
            "import threading; threading.Thread(target=app.run, kwargs={'port': 0}, daemon=True).start();"
            " sys.stdin.read(); time.sleep(60)"
        )
        assert program.get("/") == (200, "one")

    def test_import_string(self, start, tmp_path):
        (tmp_path / "plain.py").write_text(
            "async def app(scope, receive, send):\n"
            "    if scope['type'] == 'http':\n"
            "        await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
            "        await send({'type': 'http.response.body', 'body': b'plain'})\n"
        )
        program = start("-c", "from asyncflask.serving import run; run('plain:app', port=0)")
        assert program.get("/") == (200, "plain")

    def test_failed_startup(self, start):
        program = start(
            "-c",
            "from asyncflask.serving import run\n"
            "async def app(scope, receive, send):\n"
            "    await receive()\n"
            "    await send({'type': 'lifespan.startup.failed', 'message': 'no database'})\n"
            "run(app, port=0)\n",
        )
        assert program.wait() == 3
        assert "no database" in program.output
        assert "Running on" not in program.output


class TestTakenPort:
    def check(self, program: Program, port: int) -> None:
        assert program.wait() == 1
        assert len(program.err) == 1
        assert re.match(rf"Error: Port {port} is in use by another program\..*--port", program.err[0])

    def test_script(self, script, taken_port):
        self.check(script(f"app.run(port={taken_port})"), taken_port)

    def test_script_with_reloader(self, script, taken_port):
        self.check(script(f"app.run(port={taken_port}, debug=True)"), taken_port)

    def test_command(self, script, start, taken_port):
        script("pass").wait()
        self.check(start("-m", "asyncflask", "run", "--port", str(taken_port)), taken_port)

    def test_other_errors(self, script):
        program = script("app.run('no.such.host.invalid', 0)")
        assert program.wait() == 1
        assert len(program.err) == 1
        assert program.err[0].startswith("Error: Cannot listen on no.such.host.invalid:0: ")


class TestReloader:
    def edit(self, program: Program, path: Path, old: str, new: str) -> None:
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def test_change(self, script, tmp_path):
        program = script("print('run', flush=True); app.run(port=0, debug=True)", "--flag", "value")
        assert program.get("/") == (200, "one")
        _, seen = program.get("/seen")
        seen = seen.replace(" ", "").replace("\n", "")
        assert '"argv":["--flag","value"]' in seen
        assert '"main":"true"' in seen
        assert '"fd":null' in seen
        child, parent = map(int, program.get("/pid")[1].split())
        assert parent == program.process.pid

        for round, (old, new) in enumerate([("one", "two"), ("two", "three")], start=1):
            self.edit(program, tmp_path / "app.py", f'"{old}"', f'"{new}"')
            program.wait_for(rf"^ \* Detected change in '{tmp_path}/app\.py', reloading$", round)
            assert program.comes_to_serve(new), program.output
        assert int(program.get("/pid")[1].split()[0]) != child

        program.press_ctrl_c()
        assert program.wait() == 0
        assert "Traceback" not in program.output
        assert program.output.count("Running on") == program.output.count("Serving Flask app") == 1
        assert program.out.count("run") >= 4  # the parent and three children
        assert is_free(program.url)

    def test_no_request_is_refused(self, script, tmp_path):
        program = script("app.run(port=0, use_reloader=True)")
        assert program.get("/") == (200, "one")
        answers: list[tuple[int, str]] = []
        failures: list[Exception] = []
        done = threading.Event()

        def ask() -> None:
            while not done.is_set():
                try:
                    answers.append(program.get("/"))
                except ConnectionRefusedError as error:
                    failures.append(error)
                except ConnectionResetError:
                    pass  # accepted, but not read, by the child that was about to end
                time.sleep(0.01)

        client = threading.Thread(target=ask)
        client.start()
        try:
            self.edit(program, tmp_path / "app.py", '"one"', '"two"')
            assert eventually(lambda: (200, "two") in answers), program.output
        finally:
            done.set()
            client.join(SECONDS)
        assert failures == []
        assert set(answers) == {(200, "one"), (200, "two")}

    def test_error_in_the_source(self, script, tmp_path):
        program = script("app.run(port=0, debug=True)")
        assert program.get("/") == (200, "one")
        self.edit(program, tmp_path / "app.py", "def index():", "def index(:")
        program.wait_for("SyntaxError")
        program.wait_for(r"^ \* The application ended with code 1; it starts again after the next change$")
        status, body = program.get("/x")
        assert status == 500
        assert "def index(:" in body
        assert "SyntaxError: " in body
        assert program.process.poll() is None
        self.edit(program, tmp_path / "app.py", "def index(:", "def index():")
        assert program.comes_to_serve("one"), program.output
        self.edit(program, tmp_path / "app.py", "app = ", "1 / 0; app = ")
        program.wait_for("ZeroDivisionError")
        program.press_ctrl_c()
        assert program.wait() == 0
        assert is_free(program.url)

    def test_module(self, start, tmp_path):
        (tmp_path / "package").mkdir()
        (tmp_path / "package" / "__init__.py").write_text("")
        (tmp_path / "package" / "text.py").write_text("TEXT = 'one'\n")
        (tmp_path / "package" / "__main__.py").write_text(
            "from asyncflask import Flask\n"
            "from .text import TEXT\n"
            "app = Flask(__name__)\n"
            "app.add_url_rule('/', view_func=lambda: TEXT)\n"
            "app.run(port=0, debug=True)\n"
        )
        program = start("-m", "package")
        assert program.get("/") == (200, "one")
        self.edit(program, tmp_path / "package" / "text.py", "one", "two")
        program.wait_for("Detected change")
        assert program.comes_to_serve("two"), program.output

    def test_command(self, script, start, tmp_path):
        script("pass").wait()
        program = start("-m", "asyncflask", "run", "--reload", "--port", "0")
        assert program.get("/") == (200, "one")
        self.edit(program, tmp_path / "app.py", '"one"', '"two"')
        program.wait_for("Detected change")
        assert program.comes_to_serve("two"), program.output
        self.edit(program, tmp_path / "app.py", "app = ", "app = = ")
        program.wait_for("SyntaxError")
        program.wait_for("The application ended")
        status, body = program.get("/")
        assert (status, body.count("\n")) == (500, 1)
        assert "terminal" in body  # debug mode is off: nobody is shown the source
        self.edit(program, tmp_path / "app.py", "app = = ", "app = ")
        assert program.comes_to_serve("two"), program.output
        program.press_ctrl_c()
        assert program.wait() == 0

    def test_new_package_and_extra_file(self, script, tmp_path):
        (tmp_path / "settings").mkdir()
        program = script("app.run(port=0, debug=True, extra_files=['settings/site.ini'])")
        child = program.get("/pid")[1]

        (tmp_path / "notes.txt").write_text("of no interest")
        (tmp_path / "package").mkdir()
        time.sleep(1)  # for the reloader to look into the new folder
        (tmp_path / "package" / "__init__.py").write_text("TEXT = 'new'\n")
        program.wait_for("Detected change in '.*/package/__init__.py'")
        assert eventually(lambda: program.get("/pid")[1] != child), program.output
        (tmp_path / "settings" / "site.ini").write_text("[site]")
        program.wait_for("Detected change in '.*/settings/site.ini'")
        assert "notes.txt" not in program.output

    def test_ctrl_c_while_the_child_imports(self, script):
        program = script(
            "app.run(port=0, debug=True)",
            before=(
                "import os, time\n"
                "if 'WERKZEUG_RUN_MAIN' in os.environ:\n    print('importing', flush=True); time.sleep(60)\n"
            ),
        )
        program.wait_for("^importing$")
        program.press_ctrl_c()
        assert program.wait() == 0
        assert "Traceback" not in program.output

    def test_ctrl_c_right_after_the_start(self, script):
        program = script("app.run(port=0, debug=True)")
        program.wait_for("Running on")
        program.press_ctrl_c()
        assert program.wait() == 0
        assert "Traceback" not in program.output

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_signal_to_the_parent_alone(self, script, number):
        program = script("app.run(port=0, debug=True)")
        child = int(program.get("/pid")[1].split()[0])
        program.process.send_signal(number)
        assert program.wait() == 0
        assert not Path(f"/proc/{child}").exists()
        assert "Traceback" not in program.output
        assert is_free(program.url)

    def test_killed_parent_takes_the_child_along(self, script):
        program = script("app.run(port=0, debug=True)")
        assert program.get("/") == (200, "one")
        program.process.kill()
        assert program.wait() == -signal.SIGKILL  # which waits for the child, too: it holds the pipes
        assert is_free(program.url)

    def test_child_that_stops_by_itself(self, script):
        program = script("app.run(port=0, debug=True)")
        child = int(program.get("/pid")[1].split()[0])
        os.kill(child, signal.SIGINT)
        assert program.wait() == 0

    def test_busy_child_is_replaced(self, script, tmp_path):
        program = script("app.run(port=0, debug=True, timeout_graceful_shutdown=0)")
        with program.asking("/stuck"):
            program.wait_for("stuck now")
            self.edit(program, tmp_path / "app.py", '"one"', '"two"')
            program.wait_for("Detected change")
            assert program.comes_to_serve("two"), program.output


def test_terminal_is_restored(monkeypatch):
    """After a child that was ended while a debugger's prompt had switched the echo off."""
    import termios

    parent, child = os.openpty()
    with open(child, "r+b", buffering=0) as terminal, open(parent, "r+b", buffering=0):
        attributes = termios.tcgetattr(terminal)
        attributes[3] &= ~termios.ECHO
        termios.tcsetattr(terminal, termios.TCSANOW, attributes)
        monkeypatch.setattr(sys, "stdin", terminal)
        restore_echo()
        assert termios.tcgetattr(terminal)[3] & termios.ECHO


class TestSources:
    """What the reloader watches."""

    @pytest.fixture
    def project(self, tmp_path, monkeypatch):
        for name in (
            "app.py",
            "package/__init__.py",
            "package/data/levels/deep.txt",
            "package/sub/code.py",
            "package/__pycache__/code.cpython-311.py",
            "venv/pyvenv.cfg",
            "venv/lib/module.py",
            ".git/hook.py",
            "node_modules/gyp.py",
            "lib/site-packages/installed.py",
        ):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")
        monkeypatch.setattr(sys, "path", [str(tmp_path), str(tmp_path / "lib" / "site-packages")])
        return tmp_path

    def folders(self, project: Path, *extra: str) -> set[str]:
        found = Sources([project / name for name in extra], []).folders()
        return {
            os.path.relpath(path, project)
            for path in found
            if path.startswith(str(project)) and os.path.isdir(path)
        }

    def test_folders(self, project):
        # One folder without Python files is looked at, in case it gets some; those below it are not.
        assert self.folders(project) == {".", "lib", "package", "package/data", "package/sub"}

    def test_extra_folders(self, project):
        assert self.folders(project, "package/data", "venv/pyvenv.cfg") == {
            ".",
            "lib",
            "package",
            "package/data",
            "package/data/levels",
            "package/sub",
            "venv",
        }

    def test_installed_packages(self):
        folders = Sources([], []).folders()
        assert os.path.dirname(os.__file__) not in folders
        assert not any("site-packages" in path.split(os.sep) for path in folders)

    def test_files(self, project):
        from watchfiles import Change

        sources = Sources([project / "extra.ini", project / "texts"], ["*/check_*.py", "*/texts/old/*"])

        def relevant(name: str, change: Change = Change.modified) -> bool:
            return sources.is_relevant(change, str(project / name))

        assert relevant("app.py")
        assert relevant("app.py", Change.deleted)
        assert relevant("extra.ini")
        assert relevant("texts/new/a.html")
        assert not relevant("check_app.py")
        assert not relevant("texts/old/a.html")
        assert not relevant(".#app.py")
        assert not relevant("app.pyc")
        assert not relevant("other.ini")
        assert relevant("package", Change.added)
        assert not relevant("package")
        assert not relevant(".git", Change.added)
        assert not relevant("node_modules", Change.added)


async def asgi_app(scope, receive, send) -> None:
    raise AssertionError("not to be called")


class TestMisuse:
    @pytest.mark.parametrize(
        ("option", "hint"),
        [
            ("nonsense", "uvicorn.Config"),
            ("reload", "use_reloader"),
            ("workers", "--workers"),
            ("static_files", "static_folder"),
            ("fd", "uvicorn"),
        ],
    )
    def test_unknown_option(self, option, hint):
        with pytest.raises(TypeError, match=f"unexpected option '{option}'.*{hint}"):
            serving.run(asgi_app, port=0, **{option: 1})

    def test_options_of_werkzeug(self):
        settings = uvicorn_settings(
            {
                "threaded": True,
                "processes": 3,
                "use_debugger": True,
                "use_evalex": True,
                "passthrough_errors": True,
                "reloader_type": "stat",
                "reloader_interval": 1,
                "request_handler": None,
                "timeout_keep_alive": 7,
                "proxy_headers": True,
            }
        )
        assert settings == {
            "log_config": None,
            "proxy_headers": True,
            "timeout_keep_alive": 7,
        }

    def test_port(self):
        with pytest.raises(ValueError, match="0 to 65535, not 70000"):
            serving.run(asgi_app, port=70000)

    def test_reloader_outside_of_the_main_thread(self):
        errors: list[BaseException] = []

        def run() -> None:
            try:
                serving.run(asgi_app, port=0, use_reloader=True)
            except RuntimeError as error:
                errors.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join(SECONDS)
        assert "use_reloader=False" in str(errors[0])

    def test_reloader_in_an_interactive_session(self, monkeypatch):
        monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
        with pytest.raises(RuntimeError, match="use_reloader=False"):
            serving.run(asgi_app, port=0, use_reloader=True)

    def test_running_loop(self):
        import asyncio

        async def main() -> None:
            serving.run(asgi_app, port=0)

        with pytest.raises(RuntimeError, match=r"await uvicorn\.Server"):
            asyncio.run(main())

    def test_certificates(self, monkeypatch, tmp_path):
        (tmp_path / "cert.pem").write_text(CERTIFICATE)
        with pytest.raises(FileNotFoundError, match=r"no-such\.pem"):
            serving.run(asgi_app, port=0, ssl_context=(tmp_path / "cert.pem", "no-such.pem"))
        with pytest.raises(TypeError, match="Give either"):
            serving.run(asgi_app, port=0, ssl_context="adhoc", certfile="x.pem")
        with pytest.raises(TypeError, match="Give either"):
            serving.run(asgi_app, port=0, keyfile="x.pem")
        with pytest.raises(TypeError, match=r"'cert\.pem'"):
            serving.run(asgi_app, port=0, ssl_context="cert.pem")
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(RuntimeError, match="pip install cryptography"):
            serving.run(asgi_app, port=0, ssl_context="adhoc")
