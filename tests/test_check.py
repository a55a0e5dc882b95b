"""``asyncflask check``: what it finds in code, and what it leaves alone."""

from __future__ import annotations

import ast
import json
import keyword
import os
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

import asyncflask
from asyncflask.check.files import MAX_SIZE, find_files
from asyncflask.check.installed import has_module, has_name
from asyncflask.check.removed import _INSTEAD, APP_ATTRIBUTES, CONFIG_KEYS
from asyncflask.check.report import Report, check_paths, check_source
from asyncflask.check.walk import Walker
from asyncflask.cli import cli
from tests.suites.common import CACHE

ROOT = Path(__file__).resolve().parents[1]


def codes(source: str, path: str = "app.py") -> list[str]:
    """What is found: ``line severity code``, by lines."""
    findings = check_source(textwrap.dedent(source), path)
    return [f"{finding.line} {finding.severity} {finding.code}" for finding in findings]


def write(folder: Path, files: dict[str, str]) -> None:
    """Save files, by their paths in the folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(content), encoding="utf-8")


def found(report: Report) -> list[str]:
    """What is found in all files: ``name:line severity code``."""
    return [
        f"{Path(file.path).name}:{finding.line} {finding.severity} {finding.code}"
        for file in report.files
        for finding in file.findings
    ]


# -- one check after the other: bad code with what is found in it, and good code that looks like it ---------

FLASK = "from flask import Flask, request\napp = Flask(__name__)\n"

BAD = {
    "a syntax error": ("def f(:\n    pass\n", ["1 error AF001"]),
    "Python 2": ('import os\nprint "hello"\n', ["2 error AF001"]),
    "null bytes": ("a = 1\0\n", ["1 error AF001"]),
    "middleware": (f"{FLASK}app.wsgi_app = Prefix(app.wsgi_app, '/x')\n", ["3 error AF101"]),
    "middleware of an extension object": (
        "import flask\n\n\ndef init(self):\n    self.app.wsgi_app = Wrap(self.app.wsgi_app)\n",
        ["5 error AF101"],
    ),
    "middleware put around the app": (
        f"from werkzeug.middleware.dispatcher import DispatcherMiddleware\n{FLASK}"
        "served = DispatcherMiddleware(app, {'/api': other})\n",
        ["4 error AF101"],
    ),
    "wsgi_app set to a function": (f"{FLASK}app.wsgi_app = wrapped\n", ["3 error AF101"]),
    "wsgi_app read": (f"{FLASK}application = app.wsgi_app\n", ["3 error AF102"]),
    "wsgi_app overridden": (
        """\
        from flask import Flask


        class App(Flask):
            def wsgi_app(self, environ, start_response):
                return super().wsgi_app(environ, start_response)
        """,
        ["5 error AF102", "6 error AF102"],
    ),
    "the app called as WSGI": (f"{FLASK}app({{}}, print)\n", ["3 error AF102"]),
    "an imported app called as WSGI": (
        "import shop\nbody = shop.app(environ, lambda *args: None)\n",
        ["2 error AF102"],
    ),
    "Werkzeug's test client": (
        f"from werkzeug.test import Client\n{FLASK}client = Client(app)\n",
        ["4 error AF102"],
    ),
    "a WSGI middleware": (
        """\
        class Prefix:
            def __init__(self, wsgi_app):
                self.wsgi_app = wsgi_app

            def __call__(self, environ, start_response):
                return self.wsgi_app(environ, start_response)
        """,
        ["5 note AF103"],
    ),
    "run_simple": (
        f"from werkzeug.serving import run_simple as serve\n{FLASK}serve('localhost', 80, app)\n",
        ["4 error AF104"],
    ),
    "waitress": ("import waitress\nfrom app import app\nwaitress.serve(app)\n", ["3 error AF104"]),
    "an adapter from WSGI to ASGI": (
        "from asgiref.wsgi import WsgiToAsgi\nfrom app import app\nasgi = WsgiToAsgi(app)\n",
        ["3 error AF104"],
    ),
    "the shutdown of Werkzeug's server": (
        "from flask import request\n\n\ndef stop():\n    request.environ.get('werkzeug.server.shutdown')()\n",
        ["5 error AF105"],
    ),
    "a key of gunicorn's": (
        "import flask\n\n\ndef view():\n    return flask.request.environ['gunicorn.socket']\n",
        ["5 warning AF105"],
    ),
    "gevent's patch": ("from gevent import monkey\nmonkey.patch_all()\n", ["2 error AF201"]),
    "eventlet's patch": ("import eventlet\neventlet.monkey_patch()\n", ["2 error AF201"]),
    "grequests": ("import grequests\n", ["1 error AF201"]),
    "gevent.spawn": ("import gevent\n\n\ndef view():\n    gevent.spawn(work)\n", ["5 warning AF202"]),
    "flask.ext": ("from flask.ext.login import LoginManager\n", ["1 warning AF301"]),
    "flask.ext, the module": ("import flask.ext.sqlalchemy\n", ["1 warning AF301"]),
    "from flask.ext": ("from flask.ext import wtf\n", ["1 warning AF301"]),
    "a deprecated import": ("from flask import Flask, escape\n", ["1 warning AF302"]),
    "a deprecated attribute": ("import flask as f\nf.Markup('<b>')\n", ["2 warning AF302"]),
    "a deprecated name of a submodule": (
        "from flask import json\n\n\nclass Encoder(json.JSONEncoder):\n    pass\n",
        ["4 warning AF302"],
    ),
    "before_first_request": (
        f"{FLASK}\n\n@app.before_first_request\ndef start():\n    pass\n",
        ["5 warning AF302"],
    ),
    "before_app_first_request": (
        "from flask import Blueprint\nbp = Blueprint('a', __name__)\nbp.before_app_first_request(print)\n",
        ["3 warning AF302"],
    ),
    "json_encoder": (f"{FLASK}app.json_encoder = Encoder\n", ["3 warning AF302"]),
    "json_encoder of a class": (
        "from flask import Flask\n\n\nclass App(Flask):\n    json_encoder = Encoder\n",
        ["5 warning AF302"],
    ),
    "a removed import": ("from flask import Module\n", ["1 error AF303"]),
    "a removed module": ("from flask._compat import text_type\n", ["1 error AF303"]),
    "a removed helper": ("from flask.helpers import locked_cached_property\n", ["1 error AF303"]),
    "a removed attribute of a module": (
        "import flask\n\n\ndef f():\n    return flask.json_available\n",
        ["5 error AF303"],
    ),
    "app.env": (f"{FLASK}print(app.env)\n", ["3 error AF304"]),
    "current_app.session_cookie_name": (
        "from flask import current_app\n\n\ndef f():\n    return current_app.session_cookie_name\n",
        ["5 error AF304"],
    ),
    "config.from_json": (
        "from flask import Flask\n\n\ndef create_app():\n    app = Flask(__name__)\n"
        "    app.config.from_json('config.json')\n    return app\n",
        ["6 error AF304"],
    ),
    "config['ENV']": (f"{FLASK}if app.config['ENV'] == 'production':\n    pass\n", ["3 error AF304"]),
    "request.is_xhr": (f"{FLASK}\n\ndef view():\n    return request.is_xhr\n", ["6 error AF304"]),
    "arguments of send_file": (
        "from flask import send_file\n\n\ndef view():\n"
        "    return send_file('a.pdf', attachment_filename='b.pdf', cache_timeout=1)\n",
        ["5 error AF304", "5 error AF304"],
    ),
    "an argument of send_from_directory": (
        "import flask\n\n\ndef view(name):\n    return flask.send_from_directory('d', filename=name)\n",
        ["5 error AF304"],
    ),
    "a configuration key": (f"{FLASK}app.config['JSON_SORT_KEYS'] = False\n", ["3 warning AF305"]),
    "a configuration class": ("class Config:\n    JSON_AS_ASCII = False\n", ["2 warning AF305"]),
    "configuration from_mapping": (
        f"{FLASK}app.config.from_mapping(DEBUG=True, JSONIFY_MIMETYPE='text/json')\n",
        ["3 warning AF305"],
    ),
    "a removed module of Werkzeug": (
        "from werkzeug.contrib.cache import SimpleCache\n",
        ["1 error AF306"],
    ),
    "a removed name of Werkzeug": ("from werkzeug.security import safe_str_cmp\n", ["1 error AF306"]),
    "a name that moved in Werkzeug": ("from werkzeug import secure_filename\n", ["1 error AF306"]),
    "a removed attribute of Jinja": ("import jinja2\nm = jinja2.Markup('')\n", ["2 error AF306"]),
    "time.sleep": ("import time\n\n\nasync def view():\n    time.sleep(1)\n", ["5 warning AF401"]),
    "sleep under another name": (
        "from time import sleep as nap\n\n\nasync def view():\n    nap(1)\n",
        ["5 warning AF401"],
    ),
    "an import inside the function": (
        "async def view():\n    import requests as r\n\n    return r.get('https://a.example').text\n",
        ["4 warning AF401"],
    ),
    "a session of requests": (
        "import requests\n\ns = requests.Session()\n\n\nasync def view():\n    s.post('https://a.example')\n",
        ["7 warning AF401"],
    ),
    "urllib": (
        "import urllib.request\n\n\nasync def view():\n    urllib.request.urlopen('https://a.example')\n",
        ["5 warning AF401"],
    ),
    "subprocess": (
        "import subprocess as sp\n\n\nasync def view():\n    sp.run(['ls'])\n    sp.Popen(['ls']).wait()\n",
        ["5 warning AF401", "6 warning AF401"],
    ),
    "sqlite3 and its cursor": (
        """\
        from sqlite3 import dbapi2 as sqlite


        async def view():
            db = sqlite.connect("a.db")
            cursor = db.cursor()
            cursor.execute("SELECT 1")
            return cursor.fetchall()
        """,
        ["5 warning AF401", "7 warning AF401", "8 warning AF401"],
    ),
    "psycopg2 in a with": (
        """\
        import psycopg2


        async def view():
            with psycopg2.connect("") as db:
                with db.cursor() as cursor:
                    cursor.execute("SELECT 1")
        """,
        ["5 warning AF401", "7 warning AF401"],
    ),
    "a socket": (
        "import socket\n\n\nasync def view():\n    s = socket.socket()\n    s.connect(('a.example', 1))\n",
        ["6 warning AF401"],
    ),
    "redis": (
        "import redis\n\nr = redis.Redis()\n\n\nasync def view():\n    return r.get('key')\n",
        ["7 warning AF401"],
    ),
    "SQLAlchemy's session": (
        """\
        from flask_sqlalchemy import SQLAlchemy

        db = SQLAlchemy()


        class User(db.Model):
            pass


        async def view(id):
            db.session.commit()
            return User.query.get_or_404(id)
        """,
        ["11 warning AF401", "12 warning AF401"],
    ),
    "a method of a class": (
        "import time\n\n\nclass V:\n    async def get(self):\n        time.sleep(1)\n",
        ["6 warning AF401"],
    ),
    "a name that a try imports": (
        "try:\n    import requests\nexcept ImportError:\n    requests = None\n\n\n"
        "async def view():\n    requests.get('https://a.example')\n",
        ["8 warning AF401"],
    ),
    "a function that blocks": (
        """\
        import time


        async def view():
            return outer()


        def outer():
            return inner()


        def inner():
            time.sleep(1)
        """,
        ["5 warning AF402"],
    ),
    "threading.local": ("import threading\n\nstate = threading.local()\n", ["3 note AF403"]),
    "threading.local beside async": (
        "import threading\n\n\nclass State(threading.local):\n    pass\n\n\nasync def view():\n    pass\n",
        ["4 warning AF403"],
    ),
    "asyncio.run in async def": (
        "import asyncio\n\n\nasync def view():\n    asyncio.run(work())\n",
        ["5 error AF404"],
    ),
    "asyncio.run in a view": (
        f"import asyncio\n{FLASK}\n\n@app.get('/')\ndef view():\n    return asyncio.run(work())\n",
        ["8 warning AF404"],
    ),
    "run_until_complete in a class-based view": (
        "import asyncio\nfrom flask.views import MethodView\n\n\nclass V(MethodView):\n    def get(self):\n"
        "        return asyncio.new_event_loop().run_until_complete(work())\n",
        ["7 warning AF404"],
    ),
    "nest_asyncio": ("import nest_asyncio\nnest_asyncio.apply()\n", ["2 error AF404"]),
    "async_to_sync": ("from asgiref.sync import async_to_sync\n", ["1 warning AF405"]),
    "async_to_sync in async def": (
        "import asgiref.sync\n\n\nasync def view():\n    asgiref.sync.async_to_sync(work)()\n",
        ["5 error AF405"],
    ),
    "a file in async def": (
        "from pathlib import Path\n\n\nasync def view():\n    with open('a') as file:\n"
        "        file.read()\n    return Path('a').read_text()\n",
        ["5 note AF406", "7 note AF406"],
    ),
    "an import from Quart": ("from quart import Quart, request as r\n", ["1 error AF501", "1 error AF501"]),
    "Quart, the module": ("import quart\n", ["1 error AF501"]),
    "await request.form": (
        "from asyncflask import request\n\n\nasync def view():\n    return (await request.form)['a']\n",
        ["5 error AF502"],
    ),
    "await render_template": (
        "import flask\n\n\nasync def view():\n    return await flask.render_template('a.html')\n",
        ["5 error AF502"],
    ),
    "await request.get_json()": (
        f"{FLASK}\n\nasync def view():\n    return await request.get_json()\n",
        ["6 error AF502"],
    ),
    "await app.make_response()": (
        f"{FLASK}\n\nasync def f():\n    await app.make_response('')\n",
        ["6 error AF502"],
    ),
    "async for in the body": (
        "from asyncflask import request\n\n\nasync def view():\n"
        "    async for chunk in request.body:\n        pass\n",
        ["5 error AF502"],
    ),
    "an extension of Quart": ("from quart_cors import cors\n", ["1 error AF503"]),
    "a name of Quart alone": ("from quart import no_such_name\n", ["1 error AF503"]),
    "an awaited test client": (
        """\
        from app import app


        async def test_view():
            client = app.test_client()
            response = await client.post("/", form={"a": "b"})
            assert await response.get_json() == {}
        """,
        ["6 error AF504", "6 error AF504", "7 error AF504"],
    ),
    "an awaited fixture": (
        """\
        import pytest


        @pytest.fixture
        def web(app):
            return app.test_client()


        async def test_view(web):
            assert (await web.get("/")).status_code == 200
        """,
        ["10 error AF504"],
    ),
    "Quart's websocket client": (
        "from app import app\n\n\nasync def test():\n"
        "    async with app.test_client().websocket('/ws') as ws:\n"
        "        await ws.receive()\n",
        ["5 error AF504"],
    ),
    "Flask itself beside asyncflask": (
        "from asyncflask import Flask\nfrom flask.logging import default_handler\n",
        ["2 warning AF701"],
    ),
    "an extension beside asyncflask": (
        "from asyncflask import Flask\nfrom flask_login import LoginManager\n",
        ["2 note AF702"],
    ),
    "an extension bound to WSGI": ("from flask_socketio import SocketIO\n", ["1 error AF601"]),
    "instrumentation for WSGI": (
        "from opentelemetry.instrumentation.flask import FlaskInstrumentor\n",
        ["1 error AF602"],
    ),
    "Sentry's integration for WSGI": (
        "import sentry_sdk\nfrom sentry_sdk.integrations.flask import FlaskIntegration\n"
        "sentry_sdk.init(integrations=[FlaskIntegration()])\n",
        ["3 error AF602"],
    ),
    "Sentry, which adds it by itself": (
        f"{FLASK}import sentry_sdk\nsentry_sdk.init('https://...')\n",
        ["4 warning AF602"],
    ),
}

GOOD = {
    "ASGI middleware": f"{FLASK}app.asgi_app = Prefix(app.asgi_app, '/x')\n",
    "an ASGI middleware": (
        "class Prefix:\n    def __init__(self, app):\n        self.app = app\n\n"
        "    async def __call__(self, scope, receive, send):\n        await self.app(scope, receive, send)\n"
    ),
    "ProxyFix for ASGI": (
        "from asyncflask.middleware.proxy_fix import ProxyFix\n"
        f"{FLASK}app.asgi_app = ProxyFix(app.asgi_app)\n"
    ),
    "Sentry without its integration for WSGI": (
        "import sentry_sdk\nfrom sentry_sdk.integrations.flask import FlaskIntegration\n"
        "sentry_sdk.init(disabled_integrations=[FlaskIntegration()])\n"
        "sentry_sdk.init(auto_enabling_integrations=False)\n"
    ),
    "Sentry, which does not take asyncflask for Flask": (
        "from asyncflask import Flask\nimport sentry_sdk\nsentry_sdk.init('https://...')\n"
    ),
    "an application of another framework, mounted": (
        "from a2wsgi import WSGIMiddleware\nfrom asyncflask import Flask\n"
        "from django.core.wsgi import get_wsgi_application\n"
        "app = Flask(__name__)\napp.mount('/old', WSGIMiddleware(get_wsgi_application()))\n"
    ),
    "a websocket": (
        "import asyncflask\nfrom asyncflask import Flask, websocket\n"
        "from asyncflask.websocket import Websocket\napp = Flask(__name__)\n\n"
        "@app.websocket('/')\nasync def chat():\n    await websocket.accept()\n"
        "    await websocket.send(await asyncflask.websocket.receive_json())\n"
    ),
    "the app called as ASGI": (
        f"{FLASK}\n\nasync def f(scope, receive, send):\n    await app(scope, receive, send)\n"
    ),
    "the attribute of something else": (
        "class A:\n    def __init__(self, wsgi_app):\n        self.wsgi_app = wsgi_app\n"
    ),
    "app.run": f"{FLASK}app.run(debug=True, threaded=True)\n",
    "Flask's test client": f"{FLASK}client = app.test_client()\nclient.get('/').get_json()\n",
    "environ of a request": (
        f"{FLASK}\n\ndef view():\n"
        "    return request.environ['REMOTE_ADDR'] + request.environ.get('HTTP_X', '')\n"
    ),
    "a key of Werkzeug's requests": f"{FLASK}\n\ndef view():\n    request.environ['werkzeug.request']\n",
    "Werkzeug's values": (
        "from werkzeug.exceptions import NotFound\nfrom werkzeug.utils import secure_filename\n"
        "from werkzeug.datastructures import FileStorage, MultiDict\n"
        "from werkzeug.security import generate_password_hash\nimport werkzeug.routing\n"
        "converter = werkzeug.routing.BaseConverter\n"
    ),
    "gevent without a patch": "import gevent\nprint(gevent.__version__)\n",
    "an extension by its name": "import flask_login\nfrom flask_sqlalchemy import SQLAlchemy\n",
    "names of Flask": (
        "import flask\nfrom flask import Blueprint, Flask, abort, g, jsonify, json, session, url_for\n"
        "from flask.cli import AppGroup, with_appcontext\nfrom flask.globals import app_ctx, request_ctx\n"
        "from flask.json.provider import DefaultJSONProvider\n"
        "from flask.sessions import SecureCookieSessionInterface\n"
        "from flask.testing import FlaskClient\nfrom flask.typing import ResponseReturnValue\n"
        "from flask.views import MethodView\nx = flask.json.dumps(flask.g.x), flask.views.View\n"
    ),
    "old names with something to fall back to": (
        "try:\n    from flask import escape\nexcept ImportError:\n    from markupsafe import escape\n"
        "try:\n    from markupsafe import Markup\nexcept ImportError:\n    from flask import Markup\n"
        "try:\n    from werkzeug.http import parse_authorization_header\nexcept Exception:\n    pass\n"
    ),
    "old names for type checkers": (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from flask.wrappers import JSONMixin\n"
    ),
    "old names that are asked for": (
        f"{FLASK}if hasattr(app, 'before_first_request'):\n    app.before_first_request(print)\n"
    ),
    "a JSON encoder of something else": (
        "import json\nfrom flask import Flask\n\n\nclass Client:\n    json_encoder = json.JSONEncoder\n\n"
        "    def dump(self, x):\n        return json.dumps(x, cls=self.json_encoder)\n"
    ),
    "env of something else": "import os\nfrom flask import Flask\n\nenv = os.environ\nconfig = sphinx.env\n",
    "arguments of send_file": (
        "from flask import send_file\n\n\ndef view():\n"
        "    return send_file('a', download_name='b', max_age=1)\n"
    ),
    "configuration keys": f"{FLASK}app.config['SECRET_KEY'] = 'x'\napp.config.update(TESTING=True)\n",
    "blocking in def": (
        "import sqlite3, time, requests\n\n\ndef view():\n    time.sleep(1)\n    requests.get('x')\n"
        "    return sqlite3.connect('a').execute('x').fetchall()\n"
    ),
    "waiting in async def": (
        "import asyncio\nimport httpx\n\n\nasync def view():\n    await asyncio.sleep(1)\n"
        "    async with httpx.AsyncClient() as client:\n        return (await client.get('x')).text\n"
    ),
    "handed to a thread": (
        "import asyncio, time, requests\n\n\nasync def view():\n    await asyncio.to_thread(time.sleep, 1)\n"
        "    await asyncio.get_running_loop().run_in_executor(None, requests.get, 'x')\n"
        "    await asyncio.to_thread(lambda: requests.get('x'))\n"
    ),
    "a function inside, for a thread": (
        "import asyncio, time\n\n\nasync def view():\n    def work():\n        time.sleep(1)\n\n"
        "    await asyncio.to_thread(work)\n"
    ),
    "asynchronous libraries of the same names": (
        "import redis.asyncio as redis\nimport aiosqlite as sqlite3\n"
        "from asyncio import subprocess, sleep\n\n\n"
        "async def view():\n    await redis.Redis().get('x')\n    await sleep(1)\n"
        "    async with sqlite3.connect('a') as db:\n        await db.execute('x')\n"
    ),
    "a parameter of that name": (
        "import time\n\n\nasync def view(time, open):\n    time.sleep(1)\n    open('x')\n"
    ),
    "a method of that name": "import requests\n\n\nasync def view(client):\n    client.requests.get('x')\n",
    "an own function of that name": (
        "from time import sleep\n\n\ndef sleep(seconds):\n    return seconds\n\n\n"
        "async def view():\n    sleep(1)\n"
    ),
    "an async test": "import time\n\n\nasync def test_timeout():\n    time.sleep(1)\n",
    "a function that makes a generator": (
        "import time\n\n\ndef ticks():\n    while True:\n        time.sleep(1)\n        yield b'.'\n\n\n"
        "async def view():\n    return ticks()\n"
    ),
    "a decorated function": (
        "import time\n\n\n@in_thread\ndef work():\n    time.sleep(1)\n\n\n"
        "async def view():\n    await work()\n"
    ),
    "asyncio.run of a script": "import asyncio\n\n\ndef main():\n    asyncio.run(work())\n\n\nmain()\n",
    "another query": "async def view(request):\n    return request.query.get('x')\n",
    "render_template": (
        f"{FLASK}\n\nasync def view():\n    return render_template('a.html', **request.form)\n"
    ),
    "what is awaited": (
        "from asyncflask import render_template_async, request\n\n\nasync def view():\n"
        "    body = await request.receive_body()\n"
        "    return await render_template_async('a.html', body=body)\n"
    ),
    "the awaited test client": (
        "async def test_view(app):\n    async with app.test_client() as client:\n"
        "        response = await client.post('/', data={'a': 'b'})\n"
        "        assert response.get_json() == {}\n"
    ),
    "another client": (
        "import pytest\n\n\n@pytest.fixture\ndef client():\n    return httpx.AsyncClient()\n\n\n"
        "async def test(client):\n    await client.get('/')\n"
    ),
    "Flask that is asyncflask": (
        "import asyncflask.as_flask\nfrom flask import Flask\nfrom flask_login import LoginManager\n"
    ),
    "a word of Quart": "quart = 0.946\n\n\ndef litres(quarts):\n    return quarts * quart\n",
}


@pytest.mark.parametrize(("source", "expected"), BAD.values(), ids=BAD)
def test_found(source: str, expected: list[str]) -> None:
    assert codes(source) == expected


@pytest.mark.parametrize("source", GOOD.values(), ids=GOOD)
def test_left_alone(source: str) -> None:
    ast.parse(textwrap.dedent(source))
    assert codes(source) == []


def test_every_code_is_in_the_tables() -> None:
    in_code = {
        word
        for path in (ROOT / "asyncflask" / "check").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(word := node.value, str)
        if word.startswith("AF") and word[2:].isdigit()
    }
    in_tests = {line.split()[-1] for _, lines in BAD.values() for line in lines}
    elsewhere = {"AF002", "AF203", "AF204", "AF205"}  # files and servers, below
    assert in_code == in_tests | elsewhere


# -- what the tables of the check say is true of what is installed -----------------------------------------


@pytest.mark.parametrize("path", _INSTEAD)
def test_names_with_advice_are_gone(path: str) -> None:
    package = path.partition(".")[0]
    module, _, name = path.replace("flask", "asyncflask", 1).rpartition(".")
    if package == "werkzeug" and path.startswith("werkzeug.contrib"):
        assert not has_module(path)
    else:
        assert not has_name(module, name)


@pytest.mark.parametrize("name", APP_ATTRIBUTES)
def test_attributes_of_applications_are_gone(name: str) -> None:
    assert not hasattr(asyncflask.Flask(__name__), name)


@pytest.mark.parametrize("key", CONFIG_KEYS)
def test_configuration_keys_are_gone(key: str) -> None:
    assert key not in asyncflask.Flask(__name__).config


# -- names in other files ------------------------------------------------------------------------------------


def test_functions_of_other_modules(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "shop/db.py": """\
            import sqlite3
            from flask import g

            def get_db():
                if "db" not in g:
                    g.db = sqlite3.connect("a.db")
                return g.db
            """,
            "shop/views.py": """\
            from . import db as database
            from .db import get_db
            from shop.db import get_db as other

            async def one():
                return get_db()

            async def two():
                return database.get_db()

            async def three():
                return other()

            def four():
                return get_db()
            """,
        },
    )
    report = check_paths([tmp_path])
    assert found(report) == [
        "views.py:6 warning AF402",
        "views.py:9 warning AF402",
        "views.py:12 warning AF402",
    ]
    assert "db.get_db() -> sqlite3.connect()" in report.files[1].findings[0].message


def test_objects_of_other_modules(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "shop/__init__.py": "from flask_sqlalchemy import SQLAlchemy\n\ndb = SQLAlchemy()\n",
            "shop/models.py": "from shop import db\n\n\nclass User(db.Model):\n    pass\n",
            "shop/views.py": """\
            from . import db
            from .models import User

            async def view():
                db.session.add(User())
                db.session.commit()
                return User.query.filter_by(name="a").first()
            """,
        },
    )
    assert found(check_paths([tmp_path])) == ["views.py:6 warning AF401", "views.py:7 warning AF401"]


def test_functions_that_two_modules_have(tmp_path: Path) -> None:
    """Which one is meant is not known, so nothing is said."""
    write(
        tmp_path,
        {
            "a/utils.py": "import time\n\n\ndef wait():\n    time.sleep(1)\n",
            "b/utils.py": "def wait():\n    pass\n",
            "view.py": "from b.utils import wait\n\n\nasync def view():\n    wait()\n",
        },
    )
    assert found(check_paths([tmp_path])) == []


def test_functions_that_call_each_other() -> None:
    source = "def a():\n    b()\n\n\ndef b():\n    a()\n\n\nasync def view():\n    a()\n"
    assert codes(source) == []


def test_fixtures_of_other_modules(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "conftest.py": """\
                import pytest

                @pytest.fixture
                def client(app):
                    yield app.test_client()
                """,
            "test_a.py": "async def test_a(client):\n    await client.get('/')\n",
        },
    )
    assert found(check_paths([tmp_path])) == ["test_a.py:2 error AF504"]


# -- servers -------------------------------------------------------------------------------------------------

SERVERS = {
    "gunicorn.conf.py": [
        ("bind = ':80'\nworker_class = 'gevent'\n", ["2 error AF203"]),
        ("bind = ':80'\nworkers = 2\n", ["1 warning AF203"]),
        ("worker_class = 'uvicorn_worker.UvicornWorker'\n", []),
        ("import os\nworker_class = os.environ['WORKER']\nbind = ':80'\n", []),
    ],
    "app.wsgi": [("from app import app as application\n", ["1 error AF204"])],
    "uwsgi.ini": [
        ("[uwsgi]\nhttp = :80\nmodule = app:app\n", ["3 error AF204"]),
        ("[other]\nmodule = app:app\n", []),
    ],
    "site.conf": [
        ("<VirtualHost>\n  WSGIScriptAlias / /srv/app.wsgi\n", ["2 error AF204"]),
        ("location / {\n  uwsgi_pass gunicorn;\n}\n", []),
    ],
    "Procfile": [
        ("web: gunicorn app:app --workers 4\n", ["1 error AF204"]),
        ("web: gunicorn app:app -k uvicorn_worker.UvicornWorker\n", []),
        ("web: uvicorn app:app\n", []),
        ("release: flask --app app db upgrade\n", []),
        ("web: flask --app app run\n", ["1 error AF205"]),
        ("web: quart run --port 80\n", ["1 error AF205"]),
        ("web: asyncflask --app app run\n", []),
    ],
    "Dockerfile": [
        ('FROM python\nCMD ["gunicorn", "-b", ":80", "app:create_app()"]\n', ["2 error AF204"]),
        ("RUN pip install \\\n  flask \\\n  gunicorn\n# CMD gunicorn app:app\n", []),
        ("FROM python\nCMD /venv/bin/waitress-serve \\\n  --port=80 app:app\n", ["2 error AF204"]),
        ('CMD ["python", "-m", "flask", "run"]\n', ["1 error AF205"]),
    ],
    "docker-compose.yml": [
        ("web:\n  command: gunicorn --bind :80 app:app\n", ["2 error AF204"]),
        ("web:\n  container_name: gunicorn\n  command: gunicorn -c conf.py app:app\n", []),
    ],
    "app.service": [
        ("[Service]\nExecStart=/srv/venv/bin/gunicorn app:app\n", ["2 error AF204"]),
        ("[Service]\nExecStart=/srv/venv/bin/uvicorn app:app\nExecStop=pkill gunicorn -x\n", []),
    ],
}


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [(name, text, expected) for name, cases in SERVERS.items() for text, expected in cases],
)
def test_servers(name: str, text: str, expected: list[str], tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    assert found(check_paths([tmp_path])) == [f"{name}:{line}" for line in expected]


# -- files ---------------------------------------------------------------------------------------------------


def names(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in find_files([folder])]


def test_folders_that_are_not_ours(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "app.py": "",
            "pkg/views.py": "",
            "node_modules/a.py": "",
            "__pycache__/a.py": "",
            "env/pyvenv.cfg": "",
            "env/lib/a.py": "",
            "notes.txt": "",
            "data.json": "",
        },
    )
    for hidden in (".git", ".venv"):
        (tmp_path / hidden).mkdir()
        (tmp_path / hidden / "a.py").touch()
    assert names(tmp_path) == ["app.py", "pkg/views.py"]


def test_scripts_without_a_suffix(tmp_path: Path) -> None:
    (tmp_path / "manage").write_text("#!/usr/bin/env python3\n")
    (tmp_path / "LICENSE").write_text("python\n")
    assert names(tmp_path) == ["manage"]


def test_files_are_checked_once(tmp_path: Path) -> None:
    write(tmp_path, {"app.py": ""})
    assert len(list(find_files([tmp_path, tmp_path / "app.py", tmp_path]))) == 1


def test_links_in_a_circle(tmp_path: Path) -> None:
    write(tmp_path, {"a/b/app.py": ""})
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path)
    (tmp_path / "self").symlink_to("self")
    assert names(tmp_path) == ["a/b/app.py"]


def test_deep_folders(tmp_path: Path) -> None:
    folder = tmp_path
    for _ in range(400):
        folder /= "d"
        folder.mkdir()
    (folder / "app.py").touch()
    assert len(names(tmp_path)) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes on this system")
def test_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "gone.py").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "pipe.py")
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "huge.py").open("wb") as file:
        file.truncate(MAX_SIZE + 1)
    report = check_paths([tmp_path])
    assert found(report) == [f"{name}:1 warning AF002" for name in ("gone.py", "huge.py", "pipe.py")]


@pytest.mark.parametrize(
    "source",
    [
        b"\xef\xbb\xbfimport time\n\n\nasync def f():\n    time.sleep(1)\n",
        "# -*- coding: latin-1 -*-\nimport time\nx = 'é'\nasync def f():\n    time.sleep(1)\n".encode(
            "latin-1"
        ),
        b"import time\r\nx = 1\r\n\r\nasync def f():\r\n    time.sleep(1)\r\n",
    ],
    ids=["UTF-8 with a mark", "Latin-1", "Windows lines"],
)
def test_encodings(source: bytes) -> None:
    assert [(finding.line, finding.code) for finding in check_source(source)] == [(5, "AF401")]


@pytest.mark.parametrize(
    "source",
    [
        "x = 'é'\n".encode("latin-1"),
        "x = 1\n".encode("utf-16"),
        b"# coding: no-such-encoding\n",
        b"x = " + b"(" * 5000 + b")" * 5000,
        b"x = " + b"9" * 10000,
        b"\xff\xfe\x00",
    ],
    ids=["not UTF-8", "UTF-16", "unknown encoding", "parentheses", "a long number", "binary"],
)
def test_files_that_python_rejects(source: bytes) -> None:
    assert [finding.code for finding in check_source(source)] == ["AF001"]


@pytest.mark.parametrize(
    "source",
    [
        "x = " + " + ".join(["1"] * 900),
        "x" + ".a()" * 900,
        "async def f():\n    x = " + "[" * 90 + "]" * 90,
        "\n".join("    " * depth + "if x:" for depth in range(90)) + "\n" + "    " * 90 + "pass",
    ],
    ids=["sum", "chain", "lists", "blocks"],
)
def test_nested_code(source: str) -> None:
    assert codes(source) == []


def test_code_that_is_nested_too_deeply() -> None:
    source = "if x:\n    pass\n" + "elif x:\n    pass\n" * 950 + "import time\n"
    tree = ast.parse(source)
    with pytest.raises(RecursionError):
        Walker(Path("app.py"), []).run(tree)
    assert codes(source) == ["1 warning AF002"]


def test_warnings_about_the_code_are_not_ours() -> None:
    assert codes(r"x = '\d'; y = 1 is 1") == []


@settings(deadline=None)  # modules are imported when they are first asked for
@given(st.binary(max_size=300))
def test_any_bytes(source: bytes) -> None:
    for finding in check_source(source):
        assert str(finding)


_WORDS = st.sampled_from(
    [
        *keyword.kwlist,
        *["(", ")", ".", ",", ":", "[", "]", "=", ":=", "*", "**", "@", "'a'", "1", "x", "match", "case"],
        *["flask", "quart", "asyncflask", "request", "app", "wsgi_app", "time", "sleep"],
        "\n",
        "\n    ",
    ]
)


@settings(deadline=None)
@given(st.lists(_WORDS, max_size=60).map(" ".join))
def test_any_words(source: str) -> None:
    """More of these are Python than of any bytes."""
    for finding in check_source(source):
        assert str(finding)


@settings(deadline=None)
@given(st.sampled_from(sorted(path for path in (ROOT / "asyncflask").rglob("*.py"))), st.data())
def test_any_change_to_real_code(path: Path, data: st.DataObject) -> None:
    lines = path.read_bytes().split(b"\n")
    start = data.draw(st.integers(0, len(lines)))
    end = data.draw(st.integers(start, len(lines)))
    check_source(b"\n".join(lines[:start] + lines[end:]), str(path))


# -- comments ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("comment", "silent"),
    [
        ("# noqa", True),
        ("#NOQA: AF401", True),
        ("# noqa: E501, AF401", True),
        ("# noqa: AF402", False),
        ("", False),
    ],
)
def test_noqa(comment: str, silent: bool) -> None:
    source = f"import time\n\n\nasync def f():\n    time.sleep(1)  {comment}\n"
    assert codes(source) == ([] if silent else ["5 warning AF401"])


# -- whole code bases ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["blog", "quickstart"])
def test_our_examples(name: str) -> None:
    report = check_paths([ROOT / "examples" / name])
    assert found(report) == []
    assert len(report.files) > 0


@pytest.mark.skipif(
    not (CACHE / "flask-3.1.3").is_dir(), reason="needs Flask's source distribution, see 'nox -s flask-suite'"
)
def test_examples_of_flask() -> None:
    report = check_paths([CACHE / "flask-3.1.3" / "examples"])
    assert found(report) == []
    assert len(report.files) > 10


def test_an_application_as_they_are_today(tmp_path: Path) -> None:
    """A factory with blueprints, a database, a login and forms: all of it runs as it is."""
    write(
        tmp_path,
        {
            "shop/__init__.py": """\
            import os

            from flask import Flask, render_template
            from flask_login import LoginManager
            from flask_sqlalchemy import SQLAlchemy

            db = SQLAlchemy()
            login = LoginManager()

            def create_app(config=None):
                app = Flask(__name__, instance_relative_config=True)
                app.config.from_prefixed_env()
                app.config.from_mapping(SECRET_KEY="dev", SQLALCHEMY_DATABASE_URI="sqlite://")
                app.config.from_pyfile("config.py", silent=True)
                os.makedirs(app.instance_path, exist_ok=True)
                db.init_app(app)
                login.init_app(app)

                from . import orders

                app.register_blueprint(orders.bp)
                app.add_url_rule("/", endpoint="index")

                @app.errorhandler(404)
                def missing(error):
                    return render_template("404.html"), 404

                return app
            """,
            "shop/orders.py": """\
            import csv
            import functools
            import time

            import requests
            from flask import Blueprint, current_app, flash, g, jsonify, redirect, request, session, url_for
            from werkzeug.utils import secure_filename

            from . import db

            bp = Blueprint("orders", __name__, url_prefix="/orders")

            @bp.before_app_request
            def load_user():
                g.user = session.get("user")

            def login_required(view):
                @functools.wraps(view)
                def wrapped(**kwargs):
                    if g.user is None:
                        return redirect(url_for("auth.login"))
                    return view(**kwargs)
                return wrapped

            @bp.route("/<int:id>", methods=("GET", "POST"))
            @login_required
            def show(id):
                order = db.get_or_404(Order, id)
                if request.method == "POST":
                    file = request.files["file"]
                    file.save(current_app.instance_path + secure_filename(file.filename))
                    db.session.commit()
                    flash("Saved.")
                    time.sleep(0.1)
                rates = requests.get("https://rates.example").json()
                return jsonify(order=order.id, rates=rates, q=request.args.get("q"))
            """,
            "wsgi.py": "from shop import create_app\n\napp = create_app()\n",
            "tests/conftest.py": """\
            import pytest
            from shop import create_app

            @pytest.fixture
            def app():
                yield create_app({"TESTING": True})

            @pytest.fixture
            def client(app):
                return app.test_client()
            """,
            "tests/test_orders.py": """\
            def test_show(client, app):
                with client, app.app_context():
                    response = client.post("/orders/1", data={"a": "b"}, follow_redirects=True)
                    assert response.get_json() == {}
            """,
        },
    )
    report = check_paths([tmp_path])
    assert found(report) == []
    assert len(report.unchanged) == 5


def test_an_application_of_long_ago(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "app.py": """\
            from gevent import monkey; monkey.patch_all()
            from flask import Flask, Markup, escape, request, send_file
            from flask.ext.sqlalchemy import SQLAlchemy
            from werkzeug.contrib.fixers import ProxyFix
            from flask._compat import iteritems

            app = Flask(__name__, static_path="/s")
            app.wsgi_app = ProxyFix(app.wsgi_app)
            app.config["JSON_SORT_KEYS"] = False
            db = SQLAlchemy(app)

            @app.before_first_request
            def create():
                db.create_all()

            @app.route("/stop", methods=["POST"])
            def stop():
                request.environ["werkzeug.server.shutdown"]()

            @app.route("/file")
            def file():
                return send_file("a.pdf", as_attachment=True, attachment_filename="b.pdf")

            if __name__ == "__main__":
                from gevent.pywsgi import WSGIServer
                WSGIServer(("", 80), app).serve_forever()
            """,
            "Procfile": "web: gunicorn -k gevent app:app\n",
        },
    )
    assert found(check_paths([tmp_path])) == [
        "Procfile:1 error AF204",
        "app.py:1 error AF201",
        "app.py:2 warning AF302",
        "app.py:2 warning AF302",
        "app.py:3 warning AF301",
        "app.py:4 error AF306",
        "app.py:5 error AF303",
        "app.py:7 error AF304",
        "app.py:8 error AF101",
        "app.py:9 warning AF305",
        "app.py:12 warning AF302",
        "app.py:18 error AF105",
        "app.py:22 error AF304",
        "app.py:26 error AF104",
    ]


def test_our_own_examples() -> None:
    """One of them mounts an application that is Flask's, by purpose."""
    assert found(check_paths([ROOT / "examples"])) == ["__init__.py:11 warning AF701"]


# -- the command ---------------------------------------------------------------------------------------------


def check(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["check", *arguments])


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where there is no application."""
    monkeypatch.chdir(tmp_path)
    write(
        tmp_path,
        {
            "bad.py": "from flask import Flask\n\napp = Flask(__name__).wsgi_app\n",
            "good.py": "import flask\n",
        },
    )
    result = check(".")
    assert result.output == (
        "bad.py:3:7: error AF102 there is no app.wsgi_app"
        " (app.asgi_app, called with (scope, receive, send); in tests app.test_client())\n"
        "2 files checked: 1 error, 0 warnings, 0 notes.\n"
        "1 file runs as it is.\n"
        "2 files import flask: write 'asyncflask' instead,"
        " or run the application with 'asyncflask run --as-flask'.\n"
    )
    assert result.exit_code == 1


def test_command_names_what_runs(tmp_path: Path) -> None:
    write(tmp_path, {"good.py": ""})
    result = check("--verbose", str(tmp_path))
    assert result.output.splitlines()[0] == f"{tmp_path / 'good.py'}: runs as it is"
    assert result.exit_code == 0


def test_command_exit_codes(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"warning.py": "from flask import escape\n", "note.py": "from threading import local\nx = local()\n"},
    )
    warning, note = str(tmp_path / "warning.py"), str(tmp_path / "note.py")
    assert check(warning).exit_code == 0
    assert check("--strict", warning).exit_code == 1
    assert check("--strict", note).exit_code == 0
    assert check(str(tmp_path / "nothing")).exit_code == 2
    assert check().exit_code == 2


def test_command_json(tmp_path: Path) -> None:
    write(tmp_path, {"app.py": "import flask\nflask.escape\n", "good.py": ""})
    result = check("--format", "json", str(tmp_path))
    bad = {"line": 2, "column": 1, "code": "AF302", "severity": "warning"}
    data = json.loads(result.output)
    assert data["summary"] == {"files": 2, "run_as_they_are": 1, "errors": 0, "warnings": 1, "notes": 0}
    assert data["files"][0]["path"] == str(tmp_path / "app.py")
    assert data["files"][0]["findings"][0].items() >= bad.items()
    assert data["files"][0]["imports"] == ["flask"]
    assert data["files"][1]["runs_as_it_is"] is True


def test_names_of_files_that_are_no_text(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff.py"
    try:
        Path(os.fsdecode(path)).write_text("def\n")
    except OSError:
        pytest.skip("file names are text on this system")
    assert check(str(tmp_path)).exit_code == 1
