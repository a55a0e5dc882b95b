"""What subclasses and requests may change, compared with Flask."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import flask
import pytest

import asyncflask

BOTH = pytest.mark.parametrize("fw", [flask, asyncflask], ids=["flask", "asyncflask"])


@BOTH
def test_trusted_hosts_of_a_request_class(fw: Any) -> None:
    class Request(fw.Request):
        trusted_hosts = ["good.com"]

    app = fw.Flask(__name__, static_folder=None)
    app.request_class = Request
    app.add_url_rule("/", "index", lambda: "x")
    client = app.test_client()
    assert client.get("/", base_url="http://evil.com").status_code == 400
    assert client.get("/", base_url="http://good.com").status_code == 200


@BOTH
def test_a_raised_limit(fw: Any) -> None:
    app = fw.Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = 10

    @app.post("/sync")
    def sync() -> Any:
        fw.request.max_content_length = 100
        return fw.request.get_data()

    @app.post("/async")
    async def asynchronous() -> Any:
        await asyncio.sleep(0)
        fw.request.max_content_length = 100
        return fw.request.get_data()

    for path in ("/sync", "/async"):
        assert app.test_client().post(path, data=b"z" * 20).data == b"z" * 20
        assert app.test_client().post(path, data=b"z" * 101).status_code == 413


@BOTH
def test_a_form_of_another_type_over_the_limit(fw: Any) -> None:
    app = fw.Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = 10
    app.add_url_rule("/", "index", lambda: str(len(fw.request.form)), methods=["POST"])
    assert app.test_client().post("/", data=b"z" * 20, content_type="text/plain").status_code == 413


@BOTH
def test_methods_of_a_response_class(fw: Any) -> None:
    calls = []

    class Response(fw.Response):
        autocorrect_location_header = True

        def get_wsgi_headers(self, environ: Any) -> Any:
            headers = super().get_wsgi_headers(environ)
            headers["X-Own"] = environ["PATH_INFO"]
            return headers

        def close(self) -> None:
            calls.append("close")
            super().close()

    app = fw.Flask(__name__, static_folder=None)
    app.response_class = Response

    @app.get("/")
    def index() -> Any:
        response = app.redirect("/next")
        response.call_on_close(lambda: calls.append("on close"))
        return response

    with app.test_client().get("/") as response:
        assert (response.headers["X-Own"], response.headers["Location"]) == ("/", "http://localhost/next")
    assert set(calls) == {"close", "on close"}  # the client's response is of this class too


@BOTH
def test_a_place_of_its_own_for_uploads(fw: Any) -> None:
    class Request(fw.Request):
        def _get_file_stream(
            self,
            total_content_length: Any,
            content_type: Any,
            filename: Any = None,
            content_length: Any = None,
        ) -> Any:
            stream = io.BytesIO()
            self.noted = (filename, content_type)
            return stream

    app = fw.Flask(__name__, static_folder=None)
    app.request_class = Request

    @app.post("/")
    def index() -> str:
        return f"{len(fw.request.files['f'].read())} {fw.request.noted}"

    for size in (10, 700_000):
        head = b'--b\r\nContent-Disposition: form-data; name="f"; filename="a.txt"'
        body = head + b"\r\nContent-Type: text/plain\r\n\r\n" + b"x" * size + b"\r\n--b--\r\n"
        response = app.test_client().post("/", data=body, content_type="multipart/form-data; boundary=b")
        assert response.text == f"{size} ('a.txt', 'text/plain')"


@BOTH
def test_methods_of_an_application_class(fw: Any) -> None:
    class Application(fw.Flask):
        def inject_url_defaults(self, endpoint: str, values: dict[str, Any]) -> None:
            values["z"] = 1

        def finalize_request(self, rv: Any, from_error_handler: bool = False) -> Any:
            response = super().finalize_request(rv, from_error_handler)
            response.headers["X-Final"] = "1"
            return response

    app = Application(__name__, static_folder=None)
    app.add_url_rule("/", "index", lambda: fw.url_for("index"))
    response = app.test_client().get("/")
    assert (response.text, response.headers["X-Final"]) == ("/?z=1", "1")


@pytest.mark.parametrize("result", [None])
def test_an_after_request_function_that_returns_nothing(result: Any) -> None:
    app = asyncflask.Flask(__name__, static_folder=None)
    app.testing = True
    app.add_url_rule("/", "index", lambda: "x")

    @app.after_request
    def forgetful(response: Any) -> Any:
        return result

    with pytest.raises(TypeError, match=r"(?s)forgetful.*returns the response"):
        app.test_client().get("/")


def test_async_teardown_with_the_awaited_client() -> None:
    app = asyncflask.Flask(__name__, static_folder=None)
    ended = []

    @app.teardown_request
    async def teardown(error: BaseException | None) -> None:
        await asyncio.sleep(0)
        ended.append(error)

    app.add_url_rule("/", "index", lambda: "x")

    async def main() -> None:
        async with app.test_client() as client:
            assert (await client.get("/")).text == "x"
            assert (await client.get("/")).text == "x"
            assert asyncflask.request.path == "/"

    asyncio.run(main())
    assert ended == [None] * 4  # as in Flask: when the response is sent, and when the context is left
