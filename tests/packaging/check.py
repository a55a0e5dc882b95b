"""Use an installed asyncflask as a newcomer does: ``python check.py``, where only the wheel is installed.

It needs nothing but the wheel: no pytest, nothing of this folder.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import urllib.error
import urllib.request
from pathlib import Path

HELLO = """
from asyncflask import Flask, render_template_string

app = Flask(__name__)

@app.get("/")
def hello():
    return render_template_string("Hello, {{ name }}!", name="World")

@app.get("/wait")
async def wait():
    return {"waited": 0}

@app.get("/fails")
def fails():
    return 1 / 0
"""


def get(url: str, accept: str = "text/html") -> tuple[int, str]:
    request = urllib.request.Request(url, headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def check_package() -> None:
    import asyncflask

    place = Path(asyncflask.__file__).parent
    assert "site-packages" in place.parts, f"this is not the installed package: {place}"
    assert importlib.metadata.version("asyncflask") == asyncflask.__version__
    assert (place / "py.typed").is_file()
    tops = {Path(file).parts[0] for file in map(str, importlib.metadata.files("asyncflask") or ())}
    beside = {"asyncflask_as_flask.pth", "asyncflask_as_flask.py"}
    meant = {"asyncflask", f"asyncflask-{asyncflask.__version__}.dist-info", *beside}
    assert tops - {"..", "__pycache__"} == meant, tops
    code = "import flask; print(flask.Flask.__module__)"
    environment = {**os.environ, "ASYNCFLASK_AS_FLASK": "1"}
    shown = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert shown.stdout == "asyncflask.app\n", shown.stderr


def check_commands(folder: Path, tool: str) -> None:
    def output(*args: str) -> str:
        return subprocess.run([tool, *args], cwd=folder, capture_output=True, text=True, check=True).stdout

    assert "asyncflask" in output("--version")
    assert "/wait" in output("--app", "hello", "routes")
    assert output("--app", "hello", "check", ".")


def check_server(folder: Path, tool: str) -> None:
    command = [tool, "--app", "hello", "run", "--debug", "--no-reload", "--port", "0"]
    server = subprocess.Popen(
        command, cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    try:
        assert server.stderr is not None
        found = None
        for line in server.stderr:
            found = re.search(r"Running on (http://\S+)", line)
            if found is not None:
                break
        assert found is not None, f"the server has ended with {server.wait()}"
        url = found[1]
        assert get(f"{url}/") == (200, "Hello, World!")
        status, text = get(f"{url}/wait")
        assert (status, json.loads(text)) == (200, {"waited": 0})
        status, page = get(f"{url}/fails")
        assert status == 500
        assert "ZeroDivisionError" in page
        assert "<style" in page
        status, text = get(f"{url}/fails", "*/*")
        assert status == 500
        assert "<" not in text.partition("\n")[0]
    finally:
        server.terminate()
        assert server.wait(20) == 0


def main() -> None:
    tool = os.path.join(os.path.dirname(sys.executable), "asyncflask")
    check_package()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "hello.py").write_text(textwrap.dedent(HELLO))
        check_commands(folder, tool)
        check_server(folder, tool)
    print(f"asyncflask {importlib.metadata.version('asyncflask')} works on {sys.version.split()[0]}")


if __name__ == "__main__":
    main()
