"""Sessions and flashed messages, down to the bytes of the cookie."""

from __future__ import annotations

import datetime
import uuid

import pytest
from markupsafe import Markup

from . import harness
from .harness import case, clock, framework, get, raised


def session_app(fw, **config):
    app = fw.Flask(__name__)
    app.config.update(SECRET_KEY="secret", **config)
    return app


@case
def test_set_read_change_and_delete(fw):
    app = session_app(fw)

    @app.get("/set/<key>/<value>")
    def set_value(key, value):
        fw.session[key] = value
        return "set"

    @app.get("/get/<key>")
    def get_value(key):
        return repr(fw.session.get(key))

    @app.get("/pop/<key>")
    def pop(key):
        return repr(fw.session.pop(key, None))

    @app.get("/clear")
    def clear():
        fw.session.clear()
        return "cleared"

    @app.get("/untouched")
    def untouched():
        return "untouched"

    @app.get("/nested")
    def nested():
        fw.session.setdefault("list", []).append(1)
        return "nested"

    @app.get("/modified")
    def modified():
        fw.session.setdefault("list", []).append(2)
        fw.session.modified = True
        return repr(fw.session["list"])

    @app.get("/missing")
    def missing():
        return fw.session["absent"]

    return app, [
        "/get/a", "/set/a/1", "/get/a", "/untouched", "/set/b/ü☃", "/set/a/1", "/get/b", "/pop/a", "/pop/zzz",
        "/nested", "/nested", "/modified", "/missing", "/clear", "/clear", "/get/b",
    ]  # fmt: skip


@case
def test_state_attributes(fw):
    app = session_app(fw)

    def state():
        session = fw.session
        return session.new, session.modified, session.accessed, session.permanent

    @app.get("/<operation>")
    def show(operation):
        session = fw.session
        before = state()
        operations = {
            "nothing": lambda: None, "get": lambda: session.get("a"), "contains": lambda: "a" in session,
            "len": lambda: len(session), "iterate": lambda: list(session),
            "set": lambda: session.__setitem__("a", 1), "delete": lambda: session.pop("a", None),
            "setdefault": lambda: session.setdefault("a", 2), "update": lambda: session.update(b=3),
            "clear": session.clear, "permanent": lambda: setattr(session, "permanent", True),
            "temporary": lambda: setattr(session, "permanent", False), "copy": lambda: dict(session),
            "bool": lambda: bool(session), "equal": lambda: session == {},
        }  # fmt: skip
        operations[operation]()
        return repr(
            (before, state(), isinstance(session, dict), type(session._get_current_object()).__name__)
        )

    names = [
        "nothing", "get", "contains", "len", "iterate", "set", "nothing", "setdefault", "update", "permanent",
        "nothing", "temporary", "copy", "bool", "equal", "delete", "clear",
    ]  # fmt: skip
    return app, [f"/{name}" for name in names]


@case
def test_values_of_every_kind(fw):
    app = session_app(fw)
    values = {
        "none": None, "true": True, "int": -5, "float": 1.5, "str": "ü☃\n\x00", "list": [1, [2, None]],
        "tuple": (1, ("a", b"b")), "dict": {"a": {"b": (1,)}}, "bytes": b"\x00\xff",
        "markup": Markup("<b>x</b>"), "empty": {"": ()}, "tag-like": {" t": [1]},
        "uuid": uuid.UUID("0ea8b8e3-3a2d-4f43-a2b2-7a6e1d3a4b5c"), "big": 2**70, "di": {" di": 1, "x": 2},
        "int-key": {1: "a"}, "datetime": datetime.datetime(2024, 2, 29, 12, 30, 15, tzinfo=datetime.UTC),
        "long": "abc" * 200,
    }  # fmt: skip

    @app.get("/set/<key>")
    def set_value(key):
        fw.session.clear()
        fw.session["value"] = values[key]
        return "set"

    @app.get("/get")
    def get_value():
        value = fw.session["value"]
        return f"{value!r} {type(value).__name__}"

    def steps(client):
        for key in values:
            yield client.get(f"/set/{key}")
            yield client.get("/get")

    return app, steps


@case
def test_a_value_that_cannot_be_serialized(fw):
    app = session_app(fw)

    @app.get("/")
    def index():
        fw.session["value"] = object()
        return "index"

    return app, ["/"]


@case
def test_own_tags(fw):
    class Point(tuple):
        pass

    class TagPoint(fw.json.tag.JSONTag):
        __slots__ = ()
        key = " p"

        def check(self, value):
            return isinstance(value, Point)

        def to_json(self, value):
            return self.serializer.tag(list(value))

        def to_python(self, value):
            return Point(value)

    app = session_app(fw)
    interface = fw.sessions.SecureCookieSessionInterface()
    interface.serializer = fw.json.tag.TaggedJSONSerializer()
    interface.serializer.register(TagPoint, index=0)
    app.session_interface = interface

    @app.get("/set")
    def set_value():
        fw.session["point"] = Point((1, 2))
        fw.session["tuple"] = (3, 4)
        return "set"

    @app.get("/get")
    def get_value():
        return f"{type(fw.session['point']).__name__} {fw.session['point']} {fw.session['tuple']}"

    return app, ["/set", "/get"]


# The cookie's attributes

COOKIE_CONFIGS = [
    {"SESSION_COOKIE_NAME": "other"},
    {"SESSION_COOKIE_DOMAIN": "localhost"},
    {"SESSION_COOKIE_DOMAIN": ".example.com", "SERVER_NAME": "example.com"},
    {"SESSION_COOKIE_DOMAIN": False, "SERVER_NAME": "example.com:8080"},
    {"SESSION_COOKIE_PATH": "/sub"},
    {"APPLICATION_ROOT": "/root"},
    {"APPLICATION_ROOT": "/root", "SESSION_COOKIE_PATH": "/"},
    {"SESSION_COOKIE_HTTPONLY": False},
    {"SESSION_COOKIE_SECURE": True},
    {"SESSION_COOKIE_SAMESITE": "Lax"},
    {"SESSION_COOKIE_SAMESITE": "Strict"},
    {"SESSION_COOKIE_SAMESITE": "None", "SESSION_COOKIE_SECURE": True},
    {"SESSION_COOKIE_PARTITIONED": True, "SESSION_COOKIE_SECURE": True},
    {"PERMANENT_SESSION_LIFETIME": 3600},
    {"PERMANENT_SESSION_LIFETIME": datetime.timedelta(days=7)},
    {"SESSION_REFRESH_EACH_REQUEST": False},
    {"SECRET_KEY": b"bytes \xff"},
    {"MAX_COOKIE_SIZE": 0},
]


@case
def test_cookie_attributes(fw):
    app = session_app(fw)

    @app.get("/set")
    def set_value():
        fw.session["a"] = 1
        return "set"

    @app.get("/permanent")
    def permanent():
        fw.session.permanent = True
        return "permanent"

    @app.get("/read")
    def read():
        return repr(fw.session.get("a"))

    @app.get("/untouched")
    def untouched():
        return "untouched"

    @app.get("/delete")
    def delete():
        fw.session.clear()
        return "deleted"

    defaults = dict(app.config)

    def steps(_):
        for config in COOKIE_CONFIGS:
            app.config.update(defaults)
            app.config.update(config)
            client = app.test_client()
            for path in ("/set", "/read", "/permanent", "/untouched", "/read", "/delete", "/read"):
                yield config, path
                yield client.get(path, base_url=f"https://{config.get('SERVER_NAME', 'localhost')}/")

    return app, steps


@case
def test_expiry(fw):
    app = session_app(fw, PERMANENT_SESSION_LIFETIME=60)

    @app.get("/set")
    def set_value():
        fw.session["a"] = 1
        fw.session.permanent = True
        return "set"

    @app.get("/get")
    def get_value():
        return repr(fw.session.get("a"))

    def steps(client):
        yield client.get("/set")
        yield client.get("/get")
        cookie = client.get_cookie("session").value
        for seconds in (59, 1, 1):
            clock.advance(seconds)
            fresh = app.test_client()
            fresh.set_cookie("session", cookie)
            yield fresh.get("/get")

    return app, steps


@case
def test_tampered_cookies(fw):
    app = session_app(fw)

    @app.get("/")
    def show():
        return repr((dict(fw.session), fw.session.new, fw.session.modified))

    def steps(_):
        for cookie in (
            "", "x", "a.b.c", ".", "..", "eyJhIjoxfQ.ZVPxAA.wrong", "eyJhIjoxfQ", "\xff",
            "eyJhIjoxfQ.ZVPxAA.-1QlRaColPEibXlFRFd2EAdBB74", ".eJyrVkpUsjKsBQAIUgIU.ZVPxAA.x", "a" * 3000,
        ):  # fmt: skip
            client = app.test_client()
            client.set_cookie("session", cookie)
            yield client.get("/")

    return app, steps


@case
def test_secret_key_fallbacks(fw):
    app = session_app(fw)

    @app.get("/set")
    def set_value():
        fw.session["a"] = 1
        return "set"

    @app.get("/get")
    def get_value():
        return repr(fw.session.get("a"))

    def steps(client):
        yield client.get("/set")
        app.secret_key = "new"
        yield client.get("/get")
        app.config["SECRET_KEY_FALLBACKS"] = ["secret"]
        yield client.get("/get")
        app.config["SECRET_KEY_FALLBACKS"] = ["older", "secret"]
        yield client.get("/get")
        yield client.get("/set")
        app.config["SECRET_KEY_FALLBACKS"] = None
        yield client.get("/get")

    return app, steps


@case
def test_vary(fw):
    app = session_app(fw)

    @app.get("/<operation>")
    def show(operation):
        response = fw.make_response(operation)
        if operation == "own-vary":
            response.vary.update(["Accept", "Cookie"])
            fw.session.get("a")
        if operation == "other-vary":
            response.vary.add("Accept-Language")
            fw.session["a"] = 1
        if operation == "star":
            response.vary.add("*")
            fw.session.get("a")
        if operation == "get":
            fw.session.get("a")
        if operation == "attribute":
            response.headers["X-Permanent"] = str(fw.session.permanent)
        if operation == "pop-absent":
            fw.session.pop("absent", None)
        return response

    return app, [
        "/nothing", "/get", "/own-vary", "/other-vary", "/nothing", "/get", "/star", "/attribute",
        "/pop-absent", "/missing/page",
    ]  # fmt: skip


# Without a key, and other interfaces


@case
def test_null_session(fw):
    app = fw.Flask(__name__)

    @app.get("/read")
    def read():
        return repr((fw.session.get("a"), "a" in fw.session, len(fw.session), dict(fw.session)))

    @app.get("/write")
    def write():
        fw.session["a"] = 1
        return "never"

    @app.get("/errors")
    def errors():
        session = fw.session
        return "\n".join([
            raised(session.__setitem__, "a", 1, message=True), raised(session.pop, "a"),
            raised(session.clear), raised(session.update, a=1), raised(session.setdefault, "a", 1),
            raised(session.popitem), raised(session.__delitem__, "a"),
            type(session._get_current_object()).__name__,
        ])  # fmt: skip

    @app.get("/flash")
    def flash():
        fw.flash("message")
        return "never"

    return app, ["/read", "/write", "/errors", "/flash"]


@case(asynchronous=["open_session", "save_session"])
def test_own_session_interface(fw):
    store = {}
    log = []

    class Session(dict, fw.sessions.SessionMixin):
        def __init__(self, identifier, *args):
            super().__init__(*args)
            self.identifier = identifier

    class Interface(fw.sessions.SessionInterface):
        def open_session(self, app, request):
            identifier = request.cookies.get("sid") or f"id{len(store)}"
            log.append(f"open {identifier} {request.path}")
            return Session(identifier, store.get(identifier, {}))

        def save_session(self, app, session, response):
            log.append(f"save {session.identifier} {dict(session)}")
            store[session.identifier] = dict(session)
            response.set_cookie("sid", session.identifier)

    app = fw.Flask(__name__)
    app.session_interface = Interface()

    @app.after_request
    def after(response):
        log.append("after")
        return response

    @app.get("/")
    def index():
        fw.session["count"] = fw.session.get("count", 0) + 1
        return f"{fw.session['count']} {fw.session.identifier}"

    return app, ["/", "/", "/missing"], log


@case
def test_interface_that_opens_nothing(fw):
    class Interface(fw.sessions.SessionInterface):
        def open_session(self, app, request):
            return None

    app = fw.Flask(__name__)
    app.session_interface = Interface()

    @app.get("/")
    def index():
        return type(fw.session._get_current_object()).__name__

    @app.get("/write")
    def write():
        fw.session["a"] = 1
        return "never"

    return app, ["/", "/write"]


@case
def test_overridden_cookie_methods(fw):
    class Interface(fw.sessions.SecureCookieSessionInterface):
        salt = "other-salt"
        key_derivation = "django-concat"

        def get_cookie_name(self, app):
            return f"{app.name.rpartition('.')[2]}-session"

        def get_cookie_path(self, app):
            return "/own"

        def get_cookie_domain(self, app):
            return None

        def should_set_cookie(self, app, session):
            return "keep" in session

        def get_expiration_time(self, app, session):
            return datetime.datetime(2040, 1, 1, tzinfo=datetime.UTC)

    app = session_app(fw)
    app.session_interface = Interface()

    @app.get("/own/<key>")
    def index(key):
        fw.session[key] = 1
        return repr(sorted(fw.session))

    return app, ["/own/lose", "/own/keep", "/own/more"]


@case
def test_session_in_hooks_and_handlers(fw):
    app = session_app(fw)

    @app.before_request
    def before():
        fw.session["before"] = fw.session.get("before", 0) + 1

    @app.after_request
    def after(response):
        fw.session["after"] = response.status_code
        return response

    @app.errorhandler(ValueError)
    def handler(error):
        fw.session["handler"] = True
        return repr(sorted(fw.session.items()))

    @app.get("/")
    def index():
        return repr(sorted(fw.session.items()))

    @app.get("/fail")
    def fail():
        raise ValueError

    @app.get("/unhandled")
    def unhandled():
        raise KeyError

    return app, ["/", "/fail", "/missing", "/unhandled", "/"]


@case
def test_session_transaction(fw):
    app = session_app(fw)

    @app.get("/")
    def index():
        return repr(sorted(fw.session.items()))

    @app.get("/add")
    def add():
        fw.session["view"] = 1
        return "added"

    def steps(client):
        with client.session_transaction() as session:
            yield session.new, dict(session)
            session["a"] = (1, b"x")
        yield client.get("/")
        yield client.get("/add")
        with client.session_transaction() as session:
            yield session.new, sorted(session.items())
            del session["a"]
            session.permanent = True
        yield client.get("/")
        with client.session_transaction(path="/sub", base_url="http://localhost/sub") as session:
            session["sub"] = 1
        yield client.get("/")
        with client.session_transaction() as session:
            session.clear()
        yield client.get("/")
        yield client.get_cookie("session")
        with client:
            yield client.get("/add")
            yield fw.session["view"]
            with client.session_transaction() as session:
                session["inside"] = 1
            yield client.get("/")
            yield sorted(fw.session.items())

    return app, steps


@case
def test_session_transaction_misuse(fw):
    app = fw.Flask(__name__)

    def enter(client):
        with client.session_transaction():
            pass

    def write(client):
        with client.session_transaction() as session:
            session["a"] = 1

    def steps(client):
        yield raised(write, client)
        app.secret_key = "k"
        yield raised(enter, app.test_client(use_cookies=False))
        yield raised(enter, client)

    return app, steps


@case
def test_a_session_without_cookie_support(fw):
    app = session_app(fw)

    @app.get("/")
    def index():
        fw.session["n"] = fw.session.get("n", 0) + 1
        return str(fw.session["n"])

    def steps(_):
        client = app.test_client(use_cookies=False)
        yield client.get("/")
        yield client.get("/")

    return app, steps


# Flashed messages


@case
def test_flash(fw):
    app = session_app(fw)

    @app.get("/flash")
    def flash():
        fw.flash("Hello World")
        fw.flash("Hello <b>", "error")
        fw.flash(Markup("<em>Testing</em>"), "warning")
        fw.flash("again", category="error")
        return "flashed"

    @app.get("/plain")
    def plain():
        return repr(fw.get_flashed_messages())

    @app.get("/categories")
    def categories():
        return repr(fw.get_flashed_messages(with_categories=True))

    @app.get("/filter")
    def filtered():
        names = fw.request.args.getlist("c")
        return repr((
            fw.get_flashed_messages(category_filter=names), fw.get_flashed_messages(True, names),
            fw.get_flashed_messages(),
        ))  # fmt: skip

    @app.get("/template")
    def template():
        return fw.render_template_string(
            "{% for category, text in get_flashed_messages(true) %}{{ category }}:{{ text }};{% endfor %}"
        )

    return app, [
        "/plain", "/flash", "/plain", "/plain", "/flash", "/flash", "/categories", "/flash",
        "/filter?c=error&c=warning", "/flash", "/filter?c=none", "/flash", "/template", "/template",
    ]  # fmt: skip


@case
def test_flash_and_redirect(fw):
    app = session_app(fw)

    @app.get("/")
    def index():
        fw.flash("one")
        return fw.redirect(fw.url_for("show"))

    @app.get("/show")
    def show():
        fw.flash("two")
        return repr((fw.get_flashed_messages(), fw.get_flashed_messages()))

    return app, [get("/", follow_redirects=True), "/show", "/show"]


# Cookies that travel between the two frameworks


@pytest.mark.parametrize("change", [{}, {"SECRET_KEY_FALLBACKS": ["older"]}], ids=["same-key", "fallbacks"])
@pytest.mark.parametrize("writer", [harness.ORACLE, harness.SUBJECT])
def test_cookies_travel(writer, change):
    """A cookie written by one framework opens in the other, and is written there again byte for byte."""
    names = {harness.ORACLE, harness.SUBJECT}
    reader = (names - {writer} or names).pop()

    def build(fw):
        app = session_app(fw, **change)

        @app.get("/set")
        def set_value():
            fw.session["user"] = "ü☃"
            fw.session["data"] = {"t": (1, b"2"), "m": Markup("<b>")}
            fw.flash("hello", "greeting")
            return "set"

        @app.get("/get")
        def get_value():
            fw.session.modified = True
            return repr(dict(fw.session))

        return app.test_client()

    with harness.frozen_time():
        ours, theirs = build(framework(writer)), build(framework(reader))
        assert ours.get("/set").status_code == 200
        written = ours.get_cookie("session").value
        theirs.set_cookie("session", written)
        assert theirs.get("/get").get_data() == ours.get("/get").get_data()
        assert theirs.get_cookie("session").value == written


@case
def test_settings_of_the_interface_itself(fw):
    app = fw.Flask(__name__)
    app.secret_key = "secret"
    app.session_interface = fw.sessions.SecureCookieSessionInterface()

    @app.get("/")
    def index():
        fw.session["a"] = fw.session.get("a", 0) + 1
        return repr(fw.session["a"])

    def steps(client):
        yield client.get("/")
        app.session_interface.get_cookie_path = lambda app: "/path"
        app.session_interface.get_cookie_secure = lambda app: fw.request.is_secure
        yield client.get("/")
        yield client.get("/", base_url="https://localhost")
        app.session_interface.salt = "another"
        yield client.get("/")

    return app, steps
