"""`asyncflask.logging` and what goes through ``app.logger``, as in Flask."""

from __future__ import annotations

import asyncio
import io
import logging
import logging.config
import re
import sys
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import flask
import flask.logging
import pytest

import asyncflask
import asyncflask.logging

packages = pytest.mark.parametrize("package", [flask, asyncflask], ids=["flask", "asyncflask"])

# Stands for the root logger, which has handlers of pytest's own.
PARENT = "tests_of_logging"


@pytest.fixture(autouse=True)
def parent() -> Iterator[logging.Logger]:
    """A logger that, like the root logger, has nothing above it; the tests' loggers are below it."""
    logger = logging.getLogger(PARENT)
    above, logger.parent = logger.parent, None
    logger.setLevel(logging.WARNING)  # the root logger's own level, which some library of a test may change
    yield logger
    logger.parent = above
    for name in [PARENT, *logging.root.manager.loggerDict]:
        if name == PARENT or name.startswith(f"{PARENT}."):
            used = logging.getLogger(name)
            used.handlers.clear()
            used.setLevel(logging.NOTSET)
            used.propagate = True


def new_app(package: ModuleType, name: str = "app") -> Any:
    return package.Flask(f"{PARENT}.{name}")


def new_logger(name: str = "logger") -> logging.Logger:
    return logging.getLogger(f"{PARENT}.{name}")


class Records(logging.Handler):
    """Keeps what it is given."""

    def __init__(self, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


# -- the logger ---------------------------------------------------------------------------------


@packages
def test_the_logger_has_the_name_of_the_application(package: ModuleType) -> None:
    app = new_app(package, "named")
    assert app.logger is logging.getLogger(f"{PARENT}.named")
    assert app.logger is app.logger


@packages
def test_without_any_handler_it_gets_the_default_one(package: ModuleType) -> None:
    app = new_app(package)
    assert app.logger.handlers == [package.logging.default_handler]
    assert app.logger.level == logging.NOTSET
    assert app.logger.getEffectiveLevel() == logging.WARNING


@packages
def test_it_is_made_when_it_is_first_used(package: ModuleType) -> None:
    app = new_app(package)
    assert new_logger("app").handlers == []
    assert app.logger.handlers != []


@packages
def test_two_applications_of_one_name_do_not_write_twice(package: ModuleType) -> None:
    assert new_app(package).logger is new_app(package).logger
    assert new_app(package).logger.handlers == [package.logging.default_handler]


@packages
@pytest.mark.parametrize("where", ["logger", "parent"])
def test_a_handler_that_is_there_already_is_enough(
    package: ModuleType, where: str, parent: logging.Logger
) -> None:
    handler = Records()
    (parent if where == "parent" else new_logger("app")).addHandler(handler)
    app = new_app(package)
    assert app.logger.handlers == ([] if where == "parent" else [handler])
    app.logger.warning("taken")
    assert [record.getMessage() for record in handler.records] == ["taken"]


@packages
def test_a_handler_for_higher_levels_only_is_not_enough(package: ModuleType, parent: logging.Logger) -> None:
    parent.addHandler(Records(logging.ERROR))
    assert new_app(package).logger.handlers == [package.logging.default_handler]


@packages
def test_the_default_handler_can_be_removed(package: ModuleType) -> None:
    app = new_app(package)
    app.logger.removeHandler(package.logging.default_handler)
    assert app.logger.handlers == []
    assert app.logger.handlers == []


@packages
def test_in_debug_mode_it_logs_everything(package: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    app = new_app(package)
    app.debug = True
    assert app.logger.level == logging.DEBUG
    app.logger.debug("a detail")
    assert "DEBUG in test_logging: a detail" in capsys.readouterr().err


@packages
def test_in_debug_mode_a_level_that_is_set_stays(package: ModuleType) -> None:
    new_logger("app").setLevel(logging.ERROR)
    app = new_app(package)
    app.debug = True
    assert app.logger.level == logging.ERROR


@packages
def test_without_debug_mode_details_are_left_out(
    package: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    app = new_app(package)
    app.logger.info("a detail")
    app.logger.warning("a warning")
    assert re.sub(r"\d", "0", capsys.readouterr().err) == (
        "[0000-00-00 00:00:00,000] WARNING in test_logging: a warning\n"
    )


@packages
def test_debug_mode_that_is_switched_on_later_changes_no_logger(package: ModuleType) -> None:
    app = new_app(package)
    assert app.logger.level == logging.NOTSET
    app.debug = True
    assert app.logger.level == logging.NOTSET


@packages
def test_it_can_be_replaced(package: ModuleType) -> None:
    app = new_app(package)
    app.logger = mine = new_logger("mine")
    assert app.logger is mine


# -- has_level_handler --------------------------------------------------------------------------


@packages
@pytest.mark.parametrize("handler_level", [logging.NOTSET, logging.INFO, logging.WARNING, logging.ERROR])
@pytest.mark.parametrize("logger_level", [logging.NOTSET, logging.DEBUG, logging.INFO, logging.CRITICAL])
@pytest.mark.parametrize("parent_level", [logging.DEBUG, logging.WARNING])
@pytest.mark.parametrize("on_parent", [False, True])
@pytest.mark.parametrize("propagate", [False, True])
def test_has_level_handler(
    package: ModuleType,
    parent: logging.Logger,
    handler_level: int,
    logger_level: int,
    parent_level: int,
    on_parent: bool,
    propagate: bool,
) -> None:
    logger = new_logger()
    parent.setLevel(parent_level)
    logger.setLevel(logger_level)
    logger.propagate = propagate
    (parent if on_parent else logger).addHandler(Records(handler_level))
    reached = propagate or not on_parent
    expected = reached and handler_level <= (logger_level or parent_level)
    assert package.logging.has_level_handler(logger) is expected


@packages
def test_has_level_handler_looks_all_the_way_up(package: ModuleType, parent: logging.Logger) -> None:
    logger = new_logger("a.b.c")
    assert not package.logging.has_level_handler(logger)
    parent.addHandler(Records(logging.ERROR))
    assert not package.logging.has_level_handler(logger)
    parent.addHandler(Records())
    assert package.logging.has_level_handler(logger)
    new_logger("a").propagate = False
    assert not package.logging.has_level_handler(logger)


# -- the stream ---------------------------------------------------------------------------------


@packages
def test_outside_of_a_request_the_stream_is_stderr_of_the_moment(
    package: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = package.logging.wsgi_errors_stream
    assert stream._get_current_object() is sys.stderr
    other = io.StringIO()
    monkeypatch.setattr(sys, "stderr", other)
    assert stream._get_current_object() is other
    with new_app(package).app_context():
        assert stream._get_current_object() is other


@packages
def test_in_a_request_it_is_the_one_of_the_request(package: ModuleType) -> None:
    errors = io.StringIO()
    stream = package.logging.wsgi_errors_stream
    with new_app(package).test_request_context(errors_stream=errors):
        assert stream._get_current_object() is errors
    assert stream._get_current_object() is sys.stderr


@packages
def test_what_a_view_logs_goes_to_the_stream_of_its_request(
    package: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    app = new_app(package)

    @app.before_request
    async def before() -> None:
        app.logger.error("from the hook")

    @app.route("/")
    def index() -> str:
        app.logger.error("from the view")
        return ""

    errors = io.StringIO()
    app.test_client().get("/", errors_stream=errors)
    app.logger.error("from elsewhere")
    lines = [line.partition("] ")[2] for line in errors.getvalue().splitlines()]
    assert lines == ["ERROR in test_logging: from the hook", "ERROR in test_logging: from the view"]
    assert "from elsewhere" in capsys.readouterr().err


@packages
def test_dict_config_can_name_the_stream(package: ModuleType) -> None:
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"short": {"format": "%(levelname)s: %(message)s"}},
            "handlers": {
                "errors": {
                    "class": "logging.StreamHandler",
                    "stream": f"ext://{package.__name__}.logging.wsgi_errors_stream",
                    "formatter": "short",
                }
            },
            "loggers": {PARENT: {"level": "INFO", "handlers": ["errors"]}},
        }
    )
    app = new_app(package)
    assert app.logger.handlers == []
    errors = io.StringIO()
    with app.test_request_context(errors_stream=errors):
        app.logger.info("configured")
    assert errors.getvalue() == "INFO: configured\n"


def asgi_scope() -> dict[str, Any]:
    """What a server gives, which has no stream for errors."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost")],
        "server": ("localhost", 80),
        "client": ("127.0.0.1", 5000),
    }


def test_in_a_request_from_a_server_it_is_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    app = new_app(asyncflask)

    @app.before_request
    def before() -> None:
        app.logger.error("from the thread")

    @app.route("/")
    async def index() -> str:
        app.logger.error("from the loop")
        return ""

    statuses = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    try:
        asyncio.run(app(asgi_scope(), receive, send))
    finally:
        app.worker_pool.stop(wait=True)
    assert statuses == [200]
    lines = [line.partition("] ")[2] for line in capsys.readouterr().err.splitlines()]
    assert lines == ["ERROR in test_logging: from the thread", "ERROR in test_logging: from the loop"]


def test_requests_at_the_same_time_have_their_own() -> None:
    app = new_app(asyncflask)
    both = threading.Barrier(2, timeout=10)

    @app.route("/<name>")
    def log(name: str) -> str:
        both.wait()
        app.logger.error(name)
        both.wait()
        return name

    streams = {name: io.StringIO() for name in ("one", "two")}
    threads = [
        threading.Thread(target=app.test_client().get, args=(f"/{name}",), kwargs={"errors_stream": stream})
        for name, stream in streams.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    for name, stream in streams.items():
        assert stream.getvalue().splitlines()[0].endswith(f"ERROR in test_logging: {name}")
        assert len(stream.getvalue().splitlines()) == 1


# -- exceptions ---------------------------------------------------------------------------------


def failing_app(package: ModuleType, kind: str = "sync") -> tuple[Any, Records]:
    app = new_app(package)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    handler = Records()
    app.logger.addHandler(handler)
    app.logger.removeHandler(package.logging.default_handler)

    if kind == "sync":

        @app.route("/fail", methods=["GET", "POST"])
        def fail() -> str:
            raise ValueError("it failed")

    else:

        @app.route("/fail", methods=["GET", "POST"])
        async def fail() -> str:
            raise ValueError("it failed")

    app.add_url_rule("/missing", "missing", lambda: package.abort(404))
    return app, handler


# Under Flask, `async def` needs a package that is not installed everywhere.
kinds = pytest.mark.parametrize(
    ("package", "kind"), [(flask, "sync"), (asyncflask, "sync"), (asyncflask, "async")]
)


@kinds
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_exception_that_nobody_handles_is_logged(package: ModuleType, kind: str, method: str) -> None:
    app, handler = failing_app(package, kind)
    assert app.test_client().open("/fail?x=1", method=method).status_code == 500
    (record,) = handler.records
    assert record.levelno == logging.ERROR
    assert record.getMessage() == f"Exception on /fail [{method}]"
    kind_, error, traceback = record.exc_info
    assert kind_ is ValueError
    assert str(error) == "it failed"
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    assert traceback.tb_frame.f_code.co_name == "fail"


@packages
def test_the_default_handler_writes_the_traceback(package: ModuleType) -> None:
    app, _ = failing_app(package)
    app.logger.addHandler(package.logging.default_handler)
    errors = io.StringIO()
    app.test_client().get("/fail", errors_stream=errors)
    first, *rest = errors.getvalue().splitlines()
    assert re.fullmatch(r"\[.*\] ERROR in app: Exception on /fail \[GET\]", first)
    assert rest[0] == "Traceback (most recent call last):"
    assert rest[-1] == "ValueError: it failed"


@kinds
def test_it_is_logged_also_when_the_page_is_made_by_a_handler(package: ModuleType, kind: str) -> None:
    app, handler = failing_app(package, kind)
    app.register_error_handler(500, lambda error: ("sorry", 500))
    assert app.test_client().get("/fail").text == "sorry"
    assert len(handler.records) == 1


@kinds
def test_what_is_handled_or_no_error_is_not_logged(package: ModuleType, kind: str) -> None:
    app, handler = failing_app(package, kind)
    app.register_error_handler(ValueError, lambda error: "handled")
    client = app.test_client()
    assert client.get("/fail").text == "handled"
    assert client.get("/missing").status_code == 404
    assert client.get("/nowhere").status_code == 404
    assert client.delete("/fail").status_code == 405
    assert handler.records == []


@kinds
def test_what_is_propagated_is_not_logged(package: ModuleType, kind: str) -> None:
    app, handler = failing_app(package, kind)
    app.config["PROPAGATE_EXCEPTIONS"] = True
    with pytest.raises(ValueError, match="it failed"):
        app.test_client().get("/fail")
    assert handler.records == []


@packages
def test_an_after_request_function_that_fails_too_is_logged(package: ModuleType) -> None:
    app, handler = failing_app(package)

    @app.after_request
    def after(response: Any) -> Any:
        raise RuntimeError("failed as well")

    assert app.test_client().get("/fail").status_code == 500
    assert [(record.getMessage(), type(record.exc_info[1])) for record in handler.records] == [
        ("Exception on /fail [GET]", ValueError),
        ("Request finalizing failed with an error while handling an error", RuntimeError),
    ]


@kinds
def test_log_exception_can_be_overridden(package: ModuleType, kind: str) -> None:
    app, handler = failing_app(package, kind)
    seen: list[Any] = []
    app.log_exception = seen.append
    assert app.test_client().get("/fail").status_code == 500
    ((error_class, error, traceback),) = seen
    assert (error_class, str(error)) == (ValueError, "it failed")
    assert traceback is error.__traceback__
    assert handler.records == []


@packages
def test_log_exception_can_be_called(package: ModuleType) -> None:
    app, handler = failing_app(package)
    with app.test_request_context("/called", method="PUT"):
        try:
            raise KeyError("x")
        except KeyError:
            app.log_exception(sys.exc_info())
        app.log_exception((None, None, None))
    assert [record.getMessage() for record in handler.records] == ["Exception on /called [PUT]"] * 2
    assert handler.records[0].exc_info[0] is KeyError
    assert handler.records[1].exc_info == (None, None, None)


@packages
def test_log_exception_needs_a_request(package: ModuleType) -> None:
    app, _ = failing_app(package)
    with pytest.raises(RuntimeError, match="request context"):
        app.log_exception((None, None, None))
