"""Where asyncflask answers otherwise than Flask, on purpose. Each test states both answers.

What only asyncflask offers (WebSockets, lifespan, mounting ...) has its tests elsewhere: here are the places
that a Flask application can reach.
"""

from __future__ import annotations

from contextvars import ContextVar

import pytest
from itsdangerous import URLSafeTimedSerializer
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import PlainTextResponse, StreamingResponse

from .harness import ORACLE, SUBJECT, framework, raised

pytestmark = pytest.mark.skipif(SUBJECT == ORACLE, reason="compares Flask with itself, which cannot differ")

THEIRS = pytest.param(ORACLE, id="flask")
OURS = pytest.param(SUBJECT, id="asyncflask")


@pytest.fixture(params=[THEIRS, OURS])
def fw(request):
    return framework(request.param)


def expect(fw, *, flask, asyncflask):
    """The answer that is right for this framework."""
    return flask if fw.__name__ == ORACLE else asyncflask


# Malformed bodies


MULTIPART = {
    "garbage": (b"garbage", "multipart/form-data; boundary=xyz"),
    "no boundary in the header": (b"--xyz\r\n", "multipart/form-data"),
    "no end": (
        b'--xyz\r\nContent-Disposition: form-data; name="a"\r\n\r\n1',
        "multipart/form-data; boundary=xyz",
    ),
    "other boundary": (
        b'--abc\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--abc--\r\n',
        "multipart/form-data; boundary=xyz",
    ),
    "ends in the headers": (b"--xyz\r\nContent-Disposition: form-da", "multipart/form-data; boundary=xyz"),
}


@pytest.mark.parametrize("case", MULTIPART)
def test_malformed_multipart(fw, case):
    """Flask hands the view an empty form; a client that sent something broken is told so here."""
    app = fw.Flask(__name__)

    @app.post("/")
    def index():
        return repr(sorted(fw.request.form))

    body, content_type = MULTIPART[case]
    response = app.test_client().post("/", data=body, content_type=content_type)
    assert response.status_code == expect(fw, flask=200, asyncflask=400)


def test_form_that_is_not_utf8(fw):
    app = fw.Flask(__name__)

    @app.post("/")
    def index():
        return repr(sorted(fw.request.form))

    body = {"data": b"a=\xff", "content_type": "application/x-www-form-urlencoded"}
    assert app.test_client().post("/", **body).status_code == expect(fw, flask=200, asyncflask=400)


def test_missing_header(fw):
    """Like a missing form field: the client did not send what the view needs."""
    app = fw.Flask(__name__)

    @app.get("/")
    def index():
        return fw.request.headers["X-Absent"]

    assert app.test_client().get("/").status_code == expect(fw, flask=500, asyncflask=400)


def test_json_that_is_nested_too_deep(fw):
    """Python's parser gives up with a RecursionError: an error of the client, not of the server."""
    app = fw.Flask(__name__)

    @app.post("/")
    def index():
        return fw.jsonify(fw.request.json)

    response = app.test_client().post("/", data=b"[" * 100_000, content_type="application/json")
    assert response.status_code == expect(fw, flask=500, asyncflask=400)


@pytest.mark.parametrize("payload", [[1, 2], "text", 5, True])
def test_session_cookie_that_is_no_object(fw, payload):
    """Validly signed, by another application with the same key, but not a session: it is taken as empty."""
    app = fw.Flask(__name__)
    app.secret_key = "secret"

    @app.get("/")
    def index():
        return repr(dict(fw.session))

    signer = app.session_interface.get_signing_serializer(app)
    assert isinstance(signer, URLSafeTimedSerializer)
    client = app.test_client()
    client.set_cookie("session", signer.dumps(payload))
    response = client.get("/")
    assert response.status_code == expect(fw, flask=500, asyncflask=200)
    assert response.text == "{}" or fw.__name__ == ORACLE


# Return values


def test_async_generator_as_a_return_value(fw):
    app = fw.Flask(__name__)

    async def chunks():
        yield "a"
        yield b"b"

    @app.get("/view")
    def view():
        return chunks(), 203, {"X-A": "1"}

    @app.get("/async-view")
    async def async_view():
        return chunks()

    client = app.test_client()
    assert client.get("/view").status_code == expect(fw, flask=500, asyncflask=203)
    assert client.get("/async-view").status_code == expect(fw, flask=500, asyncflask=200)
    if fw.__name__ != ORACLE:
        assert client.get("/view").data == client.get("/async-view").data == b"ab"


def test_starlette_responses_and_asgi_apps(fw):
    app = fw.Flask(__name__)

    async def asgi(scope, receive, send):
        await send(
            {"type": "http.response.start", "status": 299, "headers": [(b"x-path", scope["path"].encode())]}
        )
        await send({"type": "http.response.body", "body": b"asgi"})

    async def numbers():
        for number in range(3):
            yield str(number)

    @app.get("/starlette")
    def starlette():
        return PlainTextResponse("plain", status_code=201, headers={"X-A": "1"})

    @app.get("/stream")
    async def stream():
        return StreamingResponse(numbers())

    @app.get("/asgi")
    def application():
        return asgi

    client = app.test_client()

    def answer(path):
        response = client.get(path)
        return response.status_code, response.data

    assert answer("/starlette")[0] == expect(fw, flask=500, asyncflask=201)
    assert answer("/stream")[0] == expect(fw, flask=500, asyncflask=200)
    assert answer("/asgi")[0] == expect(fw, flask=500, asyncflask=299)
    if fw.__name__ != ORACLE:
        assert answer("/starlette") == (201, b"plain")
        assert client.get("/starlette").headers["X-A"] == "1"
        assert answer("/stream") == (200, b"012")
        assert answer("/asgi") == (299, b"asgi")
        assert client.get("/asgi").headers["X-Path"] == "/asgi"


# Errors


def test_starlette_http_exceptions(fw):
    """Raised by a Starlette dependency of a view, they mean what ``abort`` means."""
    app = fw.Flask(__name__)

    @app.errorhandler(404)
    def not_found(error):
        return f"handled {error.code}", 404

    @app.get("/<int:code>")
    def show(code):
        raise StarletteHTTPException(code, detail="why")

    client = app.test_client()
    assert client.get("/404").status_code == expect(fw, flask=500, asyncflask=404)
    assert client.get("/409").status_code == expect(fw, flask=500, asyncflask=409)
    if fw.__name__ != ORACLE:
        assert client.get("/404").text == "handled 404"
        assert "why" in client.get("/409").text


@pytest.mark.parametrize("where", ["view", "before"])
def test_stop_iteration(fw, where):
    """A coroutine cannot end with this exception: Python makes it a RuntimeError."""
    app = fw.Flask(__name__)
    log = []

    @app.before_request
    def before():
        if where == "before":
            raise StopIteration

    @app.get("/")
    def view():
        raise StopIteration

    @app.teardown_request
    def teardown(error):
        log.append(type(error))

    assert app.test_client().get("/").status_code == 500
    assert log == [expect(fw, flask=StopIteration, asyncflask=RuntimeError)]


# Contexts and teardown


def test_every_teardown_function_runs(fw):
    """One that fails does not keep the others from cleaning up."""
    app = fw.Flask(__name__)
    log = []

    @app.teardown_request
    def last(error):
        log.append("last")

    @app.teardown_request
    def failing(error):
        raise LookupError("teardown")

    @app.get("/")
    def index():
        return "index"

    assert raised(app.test_client().get, "/") == "raised LookupError"
    assert log == expect(fw, flask=[], asyncflask=["last"])


def test_context_variables_stay_in_their_request(fw):
    """Under WSGI, what a view sets is still there for the next request of the same thread."""
    variable = ContextVar("variable", default="unset")
    app = fw.Flask(__name__)

    @app.get("/<value>")
    def show(value):
        previous = variable.get()
        variable.set(value)
        return previous

    client = app.test_client()
    assert client.get("/one").text == "unset"
    assert client.get("/two").text == expect(fw, flask="one", asyncflask="unset")


def test_a_redirect_to_what_a_client_sent_cannot_fail():
    """Flask answers with a 500 when there is a line break in it; here it is percent-encoded."""
    fw = framework(SUBJECT)
    app = fw.Flask(__name__)

    @app.get("/")
    def index():
        return fw.redirect(fw.request.args["next"])

    response = app.test_client().get("/?next=/a%0d%0aX-Evil:1")
    assert response.status_code == expect(fw, flask=500, asyncflask=302)
    assert response.headers.get("Location") == expect(fw, flask=None, asyncflask="/a%0D%0AX-Evil:1")
    assert "X-Evil" not in response.headers


# Async functions where Flask knows none


def test_async_context_processor_and_url_processors():
    fw = framework(SUBJECT)
    app = fw.Flask(__name__)

    @app.url_value_preprocessor
    async def pull(endpoint, values):
        fw.g.lang = values.pop("lang")

    @app.context_processor
    async def inject():
        return {"lang": fw.g.lang}

    @app.get("/<lang>/sync")
    def sync():
        return fw.render_template_string("{{ lang }}")

    client = app.test_client()
    assert client.get("/de/sync").text == "de"


def test_render_template_async():
    fw = framework(SUBJECT)
    app = fw.Flask(__name__)

    @app.context_processor
    async def inject():
        return {"user": "ann"}

    @app.get("/")
    async def index():
        return await fw.render_template_async("nested/part.html")

    assert app.test_client().get("/").text == '<part user="ann" path="/">'
