"""JSON: the provider, the module's functions, and requests and responses that use them."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import io
import json as standard_json
import uuid

from markupsafe import Markup

from .harness import case, post, raised


@dataclasses.dataclass
class Point:
    x: int
    y: float
    tags: list[str] = dataclasses.field(default_factory=list)


class Colour(enum.Enum):
    RED = 1


class Html:
    def __html__(self):
        return "<em>html</em>"


ZONE = datetime.timezone(datetime.timedelta(hours=2))
VALUES = {
    "datetime": datetime.datetime(2024, 2, 29, 12, 30, 15),
    "aware": datetime.datetime(2024, 2, 29, 12, 30, 15, tzinfo=ZONE),
    "date": datetime.date(2024, 2, 29),
    "uuid": uuid.UUID("0ea8b8e3-3a2d-4f43-a2b2-7a6e1d3a4b5c"),
    "decimal": decimal.Decimal("1.10"),
    "dataclass": Point(1, 2.5, ["a"]),
    "nested": {"points": [Point(0, 0.0)], "when": [datetime.date(2000, 1, 1)]},
    "html": Html(),
    "markup": Markup("<b>"),
    "unicode": "ü☃\u2028</script>",
    "float": 0.1,
    "nan": float("nan"),
    "int-keys": {3: "c", 1: "a", 2: "b"},
    "unsorted": {"b": 1, "a": {"d": 1, "c": 2}},
    "tuple": (1, (2,)),
    "bool-key": {True: 1},
    "none-key": {None: 1},
    "mixed-keys": {1: "a", "b": 2},
    "set": {1},
    "bytes": b"bytes",
    "enum": Colour.RED,
    "time": datetime.time(1, 2),
    "timedelta": datetime.timedelta(1),
    "complex": 1j,
    "class": Point,
}


@case
def test_values(fw):
    app = fw.Flask(__name__)

    @app.get("/<name>")
    def show(name):
        return fw.jsonify(VALUES[name])

    @app.get("/dict/<name>")
    def in_dict(name):
        return {"value": VALUES[name]}

    return app, [f"{prefix}{name}" for name in VALUES for prefix in ("/", "/dict/")]


@case
def test_module_functions(fw):
    app = fw.Flask(__name__)
    json = fw.json

    def steps(_):
        for context in (app.app_context(), None):
            if context:
                context.push()
            for value in (
                {"b": 1, "a": "ü<"},
                [datetime.date(2024, 1, 2)],
                uuid.UUID(int=1),
                Point(1, 2.0),
                decimal.Decimal("1.5"),
            ):
                yield raised(json.dumps, value)
            yield (
                json.loads('{"a": [1.5, null]}'),
                json.loads(b'"\xc3\xbc"'),
                raised(json.loads, "{"),
                raised(json.loads, ""),
            )
            yield (
                json.dumps({"b": 1, "a": 2}, sort_keys=False),
                json.dumps([1], indent=1),
                json.dumps("ü", ensure_ascii=False),
            )
            stream = io.StringIO()
            json.dump({"k": "v"}, stream)
            stream.seek(0)
            yield stream.getvalue(), json.load(stream), json.load(io.BytesIO(b"[1]"))
            yield json.loads("1.5", parse_float=decimal.Decimal)
            if context:
                context.pop()
        yield raised(json.jsonify, 1)

    return app, steps


@case
def test_provider_options(fw):
    app = fw.Flask(__name__)

    @app.get("/")
    def index():
        return {"b": "ü", "a": [1, {"z": 1, "y": 2}]}

    def steps(client):
        yield client.get("/")
        app.json.sort_keys = False
        yield client.get("/")
        app.json.ensure_ascii = False
        yield client.get("/")
        app.json.compact = False
        yield client.get("/")
        app.json.compact = None
        app.debug = True
        yield client.get("/")
        app.json.compact = True
        yield client.get("/")
        app.json.mimetype = "application/vnd.own+json"
        yield client.get("/")
        app.json.default = str
        with app.app_context():
            yield fw.json.dumps([1j])

    return app, steps


@case
def test_own_provider(fw):
    class Provider(fw.json.provider.JSONProvider):
        def dumps(self, obj, **kwargs):
            return "own " + standard_json.dumps(obj, **kwargs)

        def loads(self, s, **kwargs):
            return {"own": standard_json.loads(s, **kwargs)}

    class App(fw.Flask):
        json_provider_class = Provider

    app = App(__name__)

    @app.post("/")
    def index():
        return fw.jsonify(fw.request.get_json())

    @app.post("/dict")
    def returned():
        return {"value": fw.request.json}

    @app.get("/template")
    def template():
        return fw.render_template_string("{{ {'a': 1}|tojson }}")

    def steps(client):
        yield client.post("/", data=b"[1]", content_type="application/json")
        yield client.post("/dict", json={"sent": 1})
        yield client.post("/dict", data=b"2", content_type="application/json").get_data()
        yield client.get("/template")
        with app.app_context():
            yield fw.json.dumps([1]), fw.json.loads("1"), app.json is fw.current_app.json

    return app, steps


@case
def test_provider_with_a_response_of_its_own(fw):
    class Provider(fw.json.provider.DefaultJSONProvider):
        def response(self, *args, **kwargs):
            response = super().response(*args, **kwargs)
            response.headers["X-Provider"] = "own"
            return response

        @staticmethod
        def default(value):
            if isinstance(value, set):
                return sorted(value)
            return fw.json.provider.DefaultJSONProvider.default(value)

    app = fw.Flask(__name__)
    app.json = Provider(app)

    @app.get("/dict")
    def as_dict():
        return {"set": {2, 1}, "date": datetime.date(2024, 1, 1)}

    @app.get("/list")
    def as_list():
        return [{3}]

    @app.get("/jsonify")
    def jsonified():
        return fw.jsonify(a={1})

    return app, ["/dict", "/list", "/jsonify"]


@case
def test_client_and_response_json(fw):
    app = fw.Flask(__name__)

    @app.route("/echo", methods=["POST", "PUT", "GET", "DELETE"])
    def echo():
        return fw.jsonify(
            json=fw.request.json, type=fw.request.content_type, data=fw.request.get_data(as_text=True)
        )

    @app.get("/text")
    def text():
        return '{"a": 1}'

    @app.get("/broken")
    def broken():
        return fw.Response("{", mimetype="application/json")

    def steps(client):
        for value in (
            {"b": 1, "a": "ü"},
            [1, None],
            "text",
            0,
            None,
            datetime.date(2024, 1, 1),
            uuid.UUID(int=1),
        ):
            yield client.post("/echo", json=value).json
        yield (
            client.put("/echo", json={}).get_json(),
            client.get("/echo", json=1).json,
            client.delete("/echo", json=[]).json,
        )
        yield client.post("/echo", json={"x": 1}, content_type="application/vnd.api+json").json
        yield raised(client.post, "/echo", json={}, data={})
        response = client.get("/text")
        yield (
            raised(lambda: response.json),
            response.get_json(force=True),
            response.is_json,
            response.get_json(silent=True),
        )
        response = client.get("/broken")
        yield raised(lambda: response.json), response.get_json(silent=True)

    return app, steps


@case
def test_odd_json_bodies(fw):
    app = fw.Flask(__name__)

    @app.post("/")
    def index():
        return fw.jsonify(type=type(fw.request.json).__name__)

    bodies = [
        b'{"a":' * 20 + b"1" + b"}" * 20,
        b'"' + b"x" * 10000 + b'"',
        b"1" * 1000,
        b"-",
        b"[1 2]",
        b"'a'",
        b'{"a": 01}',
        b"\x00",
        b"true",
    ]
    return app, [post("/", data=body, content_type="application/json") for body in bodies]


@case
def test_methods_replaced_on_the_provider_itself(fw):
    app = fw.Flask(__name__)
    app.secret_key = "secret"

    @app.route("/", methods=["GET", "POST"])
    def index():
        return {"a": fw.request.get_json(silent=True)}

    @app.get("/session")
    def session():
        fw.session["a"] = fw.session.get("a", 0) + 1
        return fw.jsonify(fw.session["a"])

    def steps(client):
        yield client.get("/")
        dumps, loads = app.json.dumps, app.json.loads
        app.json.dumps = lambda value, **options: dumps(value, **{**options, "separators": (" , ", " : ")})
        yield client.get("/")
        yield client.get("/session")
        client.delete_cookie("session")
        app.json.loads = lambda text, **options: [loads(text, **options)]
        yield client.post("/", json=[1])
        app.json.response = lambda *args: fw.Response(f"response {args}")
        yield client.get("/")

    return app, steps
