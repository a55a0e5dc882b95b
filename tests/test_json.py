"""`asyncflask.json` and `asyncflask.json.provider`: output, errors and settings as in Flask."""

from __future__ import annotations

import dataclasses
import decimal
import gc
import io
import json
import math
import uuid
import weakref
from collections import OrderedDict, namedtuple
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta, timezone
from enum import IntEnum
from typing import Any

import flask
import flask.json.provider
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markupsafe import Markup

import asyncflask
import asyncflask.json.provider
from asyncflask.json.provider import DefaultJSONProvider, JSONProvider

packages = pytest.mark.parametrize("package", [flask, asyncflask], ids=["flask", "asyncflask"])

their_app = flask.Flask("app")
our_app = asyncflask.Flask("app")


class Level(IntEnum):
    LOW = 1


class Html:
    def __html__(self) -> str:
        return "<b>ü</b>"


@dataclasses.dataclass
class Point:
    x: Any
    when: Any = None


Pair = namedtuple("Pair", "a b")

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.uuids()
    | st.decimals()
    | st.dates(date(1000, 1, 1), date(9000, 1, 1))
    | st.datetimes(
        datetime(1000, 1, 1),
        datetime(9000, 1, 1),
        timezones=st.none() | st.builds(timezone, st.timedeltas(timedelta(hours=-23), timedelta(hours=23))),
    )
    | st.builds(Markup, st.text(max_size=5))
    | st.sampled_from([Level.LOW, Html(), Pair(1, "b")])
)
unserializable = st.sampled_from([object(), {1}, 1j, b"bytes", Point, timedelta(1), range(3)])


def containers(leaf: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return (
        st.lists(leaf, max_size=4)
        | st.lists(leaf, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=5), leaf, max_size=4)
        | st.dictionaries(st.text(max_size=5), leaf, max_size=3).map(OrderedDict)
        | st.dictionaries(st.integers() | st.none() | st.booleans() | st.text(max_size=2), leaf, max_size=3)
        | st.builds(Point, leaf, leaf)
    )


values = st.recursive(scalars | unserializable, containers, max_leaves=12)
settings = st.fixed_dictionaries(
    {},
    optional={
        "ensure_ascii": st.booleans(),
        "sort_keys": st.booleans(),
        "default": st.sampled_from([None, str, repr]),
    },
)
arguments = st.sampled_from(
    [
        {},
        {"separators": (",", ":")},
        {"separators": [",", ":"]},
        {"separators": (" , ", " : ")},
        {"indent": 2},
        {"indent": "\t", "separators": (",", ":")},
        {"sort_keys": False, "separators": (",", ":")},
        {"ensure_ascii": False},
        {"default": str},
        {"skipkeys": True},
        {"allow_nan": False},
        {"check_circular": False},
        {"cls": json.JSONEncoder},
        {"no_such_argument": 1},
    ]
)


def outcome(function: Any, *args: Any, **kwargs: Any) -> Any:
    """What the call returns, or the type and message of what it raises."""
    try:
        return function(*args, **kwargs)
    except Exception as error:
        return type(error), str(error)


class TestDumps:
    @given(values, settings, arguments)
    @example({"b": 1, "a": [math.nan, math.inf]}, {}, {})
    @example({"b": 1, None: 2}, {}, {"separators": (",", ":")})
    @example("ü\u2028</script>", {"ensure_ascii": False}, {})
    def test_like_flask(self, value: Any, set_to: dict[str, Any], kwargs: dict[str, Any]) -> None:
        outcomes = []
        for provider in (
            flask.json.provider.DefaultJSONProvider(their_app),
            asyncflask.json.provider.DefaultJSONProvider(our_app),
        ):
            first = outcome(provider.dumps, value, **kwargs)
            for name, setting in set_to.items():
                setattr(provider, name, setting)
            again = outcome(provider.dumps, value, **kwargs)
            for name in set_to:
                delattr(provider, name)
            outcomes.append((first, again, outcome(provider.dumps, value, **kwargs)))
        assert outcomes[1] == outcomes[0]

    @packages
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (datetime(1973, 3, 11, 6, 30, 45), "Sun, 11 Mar 1973 06:30:45 GMT"),
            (date(1975, 1, 5), "Sun, 05 Jan 1975 00:00:00 GMT"),
            (
                datetime(2017, 1, 1, 12, 34, 56, tzinfo=timezone(timedelta(hours=9))),
                "Sun, 01 Jan 2017 03:34:56 GMT",
            ),
            (decimal.Decimal("0.0030"), "0.0030"),
            (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
            (Html(), "<b>ü</b>"),
            (Markup("<b>"), "<b>"),
        ],
    )
    def test_types(self, package: Any, value: Any, text: str) -> None:
        app = package.Flask("app")
        assert json.loads(app.json.dumps(value)) == text
        assert json.loads(package.json.dumps([value])) == [text]

    @packages
    def test_dataclass(self, package: Any) -> None:
        app = package.Flask("app")
        assert app.json.dumps(Point(Point(1), [date(2024, 1, 1)])) == (
            '{"when": ["Mon, 01 Jan 2024 00:00:00 GMT"], "x": {"when": null, "x": 1}}'
        )
        with pytest.raises(TypeError, match="dataclass instances"):
            app.json.dumps(Point)

    @packages
    @pytest.mark.parametrize("separators", [{}, {"separators": (",", ":")}])
    def test_circular(self, package: Any, separators: dict[str, Any]) -> None:
        app = package.Flask("app")
        in_list: list[Any] = []
        in_list.append({"a": in_list})
        for circular in (in_list, in_list[0]):
            with pytest.raises(ValueError, match="Circular reference detected"):
                app.json.dumps(circular, **separators)

        class Node:
            pass

        app.json.default = lambda node: {"parent": node}
        with pytest.raises(ValueError, match="Circular reference detected"):
            app.json.dumps(Node(), **separators)
        # What was noted on the way to an error is forgotten.
        shared = [1]
        assert json.loads(app.json.dumps([shared, shared], **separators)) == [[1], [1]]

    @packages
    def test_too_deep(self, package: Any) -> None:
        deep: list[Any] = []
        for _ in range(100_000):
            deep = [deep]
        with pytest.raises(RecursionError):
            package.Flask("app").json.dumps(deep)
        while deep:
            deep = deep.pop()

    @packages
    def test_error_in_default(self, package: Any) -> None:
        app = package.Flask("app")

        def default(o: Any) -> Any:
            raise ZeroDivisionError

        app.json.default = default
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                app.json.dumps([object()])

    @packages
    def test_default_may_dump(self, package: Any) -> None:
        app = package.Flask("app")
        app.json.default = lambda o: app.json.dumps({"n": 1}) if o == {1} else app.json.dumps([{1}])
        assert app.json.dumps([{2}, {1}]) == json.dumps(['["{\\"n\\": 1}"]', '{"n": 1}'])

    @packages
    def test_changed_settings(self, package: Any) -> None:
        app = package.Flask("app")
        value = {"b": "ü", "a": {1}}
        for kwargs, colon, comma in [({}, ": ", ", "), ({"separators": (",", ":")}, ":", ",")]:
            app.json.default = list
            app.json.sort_keys = app.json.ensure_ascii = True
            assert app.json.dumps(value, **kwargs) == f'{{"a"{colon}[1]{comma}"b"{colon}"\\u00fc"}}'
            app.json.sort_keys = False
            assert app.json.dumps(value, **kwargs) == f'{{"b"{colon}"\\u00fc"{comma}"a"{colon}[1]}}'
            app.json.ensure_ascii = False
            assert app.json.dumps(value, **kwargs) == f'{{"b"{colon}"ü"{comma}"a"{colon}[1]}}'
            app.json.default = str
            assert app.json.dumps(value, **kwargs) == f'{{"b"{colon}"ü"{comma}"a"{colon}"{{1}}"}}'
            app.json.default = None
            with pytest.raises(TypeError, match="Object of type set is not JSON serializable"):
                app.json.dumps(value, **kwargs)

    @packages
    def test_settings_on_a_subclass(self, package: Any) -> None:
        base = package.json.provider.DefaultJSONProvider

        class Provider(base):
            sort_keys = False
            suffix = "?"

            def default(self, o: Any) -> Any:
                return repr(o) + self.suffix if isinstance(o, set) else base.default(o)

        app = package.Flask("app")
        one, two = Provider(app), Provider(app)
        two.suffix = "!"
        for provider, suffix in [(one, "?"), (two, "!"), (one, "?")]:
            assert provider.dumps({"b": {1}, "a": uuid.UUID(int=0)}) == (
                f'{{"b": "{{1}}{suffix}", "a": "00000000-0000-0000-0000-000000000000"}}'
            )
        one.suffix = "."
        assert one.dumps({1}) == '"{1}."'
        Provider.sort_keys = True
        assert one.dumps({"b": 1, "a": 2}) == '{"a": 2, "b": 1}'

    def test_from_many_threads(self) -> None:
        provider = DefaultJSONProvider(our_app)

        def dump(number: int) -> bool:
            value = {"id": uuid.UUID(int=number), "items": [{"n": n} for n in range(number % 50)]}
            return provider.dumps(value) == json.dumps(value, default=str, sort_keys=True)

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(dump, range(2000)))

    @packages
    def test_file(self, package: Any) -> None:
        app = package.Flask("app")
        file = io.StringIO()
        app.json.dump({"b": 1, "a": uuid.UUID(int=0)}, file, indent=1)
        assert file.getvalue() == '{\n "a": "00000000-0000-0000-0000-000000000000",\n "b": 1\n}'


class TestLoads:
    @given(
        st.text('[]{}",:0123456789.eE-+ntfrue\\al \ufeff', max_size=12) | st.binary(max_size=8),
        st.sampled_from([{}, {"parse_int": str}, {"object_hook": list}, {"no_such_argument": 1}]),
    )
    @example("\ufeff1", {})
    @example('"ü"'.encode("utf-16"), {})
    @example(b"\xff", {})
    @example("[" * 100_000, {})
    def test_like_flask(self, text: str | bytes, kwargs: dict[str, Any]) -> None:
        theirs = outcome(their_app.json.loads, text, **kwargs)
        assert repr(outcome(DefaultJSONProvider(our_app).loads, text, **kwargs)) == repr(theirs)

    @packages
    def test_file(self, package: Any) -> None:
        app = package.Flask("app")
        assert app.json.load(io.StringIO('{"a": [1.5]}')) == {"a": [1.5]}
        assert app.json.load(io.BytesIO(b'{"a": "\xc3\xbc"}'), parse_float=str) == {"a": "ü"}


class TestResponse:
    @given(
        st.lists(values, max_size=2),
        st.dictionaries(st.sampled_from(["a", "b", "obj"]), values, max_size=2),
        st.sampled_from([None, True, False, 0]),
        st.booleans(),
    )
    def test_like_flask(self, args: Any, kwargs: Any, compact: bool | None, debug: bool) -> None:
        def response(app: Any) -> Any:
            app.debug, app.json.compact = debug, compact
            response = app.json.response(*args, **kwargs)
            assert isinstance(response, app.response_class)
            return response.data, response.status, response.headers.to_wsgi_list()

        theirs, ours = outcome(response, their_app), outcome(response, our_app)
        if args and kwargs:
            assert theirs[0] is ours[0] is TypeError
        else:
            assert ours == theirs

    @packages
    @pytest.mark.parametrize("debug", [False, True])
    @pytest.mark.parametrize(
        ("args", "kwargs", "value"),
        [
            ((), {}, None),
            ((None,), {}, None),
            (([],), {}, []),
            ((1, "b"), {}, [1, "b"]),
            ((), {"b": 1, "a": 2}, {"a": 2, "b": 1}),
        ],
    )
    def test_body(self, package: Any, debug: bool, args: Any, kwargs: Any, value: Any) -> None:
        app = package.Flask("app")
        app.debug = debug
        response = app.json.response(*args, **kwargs)
        text = json.dumps(value, indent=2) if debug else json.dumps(value, separators=(",", ":"))
        assert response.get_data(as_text=True) == f"{text}\n"
        assert response.content_type == "application/json"

    @packages
    def test_mimetype(self, package: Any) -> None:
        app = package.Flask("app")
        app.json.mimetype = "application/vnd.api+json"
        assert app.json.response(1).mimetype == "application/vnd.api+json"

    @packages
    def test_either_args_or_kwargs(self, package: Any) -> None:
        with pytest.raises(TypeError, match="not both"):
            package.Flask("app").json.response(1, a=2)

    @packages
    def test_overridden_dumps_is_used(self, package: Any) -> None:
        class Provider(package.json.provider.DefaultJSONProvider):
            def dumps(self, obj: Any, **kwargs: Any) -> str:
                return super().dumps({"data": obj, "kwargs": sorted(kwargs)}, **kwargs)

        app = package.Flask("app")
        app.json = Provider(app)
        assert app.json.response(1).data == b'{"data":1,"kwargs":["separators"]}\n'

    @packages
    def test_base_provider(self, package: Any) -> None:
        class Provider(package.json.provider.JSONProvider):
            def dumps(self, obj: Any, **kwargs: Any) -> str:
                return repr((obj, kwargs))

            def loads(self, s: str | bytes, **kwargs: Any) -> Any:
                return s, kwargs

        app = package.Flask("app")
        provider = Provider(app)
        assert provider.response(a=1).data == b"({'a': 1}, {})"
        assert provider.response().content_type == "application/json"
        assert provider.load(io.BytesIO(b"x"), y=1) == (b"x", {"y": 1})
        file = io.StringIO()
        provider.dump(1, file, y=1)
        assert file.getvalue() == "(1, {'y': 1})"


class TestProvider:
    def test_base_class_says_what_to_implement(self) -> None:
        class Provider(JSONProvider):
            pass

        for call, name in [(Provider(our_app).dumps, "dumps"), (Provider(our_app).loads, "loads")]:
            with pytest.raises(NotImplementedError, match=rf"{name}\(\) in Provider"):
                call("1")

    @packages
    def test_app_is_not_kept_alive(self, package: Any) -> None:
        app = package.Flask("app")
        provider = package.json.provider.DefaultJSONProvider(app)
        assert provider._app.name == "app"
        alive = weakref.ref(app)
        del app
        gc.collect()
        assert alive() is None
        with pytest.raises(ReferenceError):
            provider.response(1)

    def test_app_has_it(self) -> None:
        assert type(asyncflask.Flask("app").json) is DefaultJSONProvider


class TestModule:
    @packages
    def test_without_a_context(self, package: Any) -> None:
        assert package.json.dumps({"b": "ü", "a": uuid.UUID(int=0)}) == (
            '{"b": "\\u00fc", "a": "00000000-0000-0000-0000-000000000000"}'
        )
        assert package.json.dumps({1}, default=list, separators=(",", ":")) == "[1]"
        assert package.json.loads(b"[1.5]", parse_float=str) == ["1.5"]
        assert package.json.load(io.StringIO("1")) == 1
        file = io.StringIO()
        package.json.dump([date(2024, 1, 1)], file, indent=0)
        assert file.getvalue() == '[\n"Mon, 01 Jan 2024 00:00:00 GMT"\n]'
        with pytest.raises(TypeError, match="Object of type set is not JSON serializable"):
            package.json.dumps({1})
        with pytest.raises(RuntimeError, match="outside of application context"):
            package.json.jsonify(1)

    @packages
    def test_with_a_context(self, package: Any) -> None:
        class Provider(package.json.provider.DefaultJSONProvider):
            calls: list[str] = []

            def dumps(self, obj: Any, **kwargs: Any) -> str:
                self.calls.append("dumps")
                return super().dumps(obj, **kwargs)

            def dump(self, obj: Any, fp: Any, **kwargs: Any) -> None:
                self.calls.append("dump")
                super().dump(obj, fp, **kwargs)

            def loads(self, s: str | bytes, **kwargs: Any) -> Any:
                self.calls.append("loads")
                return super().loads(s, **kwargs)

            def load(self, fp: Any, **kwargs: Any) -> Any:
                self.calls.append("load")
                return super().load(fp, **kwargs)

            def response(self, *args: Any, **kwargs: Any) -> Any:
                self.calls.append("response")
                return super().response(*args, **kwargs)

        app = package.Flask("app")
        app.json = Provider(app)
        with app.app_context():
            assert package.json.dumps({"b": 1, "a": 2}, indent=None) == '{"a": 2, "b": 1}'
            package.json.dump(1, io.StringIO(), indent=1)
            assert package.json.loads("1.5", parse_float=str) == "1.5"
            assert package.json.load(io.StringIO("1")) == 1
            assert package.json.jsonify(a=1).data == package.jsonify(a=1).data == b'{"a":1}\n'
        assert Provider.calls == [
            "dumps",
            "dump",
            "dumps",
            "loads",
            "load",
            "loads",
            *["response", "dumps"] * 2,
        ]

    @packages
    @pytest.mark.parametrize("is_async", [False, True])
    def test_in_a_request(self, package: Any, is_async: bool) -> None:
        app = package.Flask("app")

        def value() -> Any:
            value = package.request.get_json()
            value["when"] = date(2024, 1, 1)
            return value

        if is_async:

            @app.post("/jsonify")
            async def jsonify() -> Any:
                return package.jsonify(**value())

            @app.post("/dict")
            async def as_dict() -> Any:
                return value()

            @app.post("/list")
            async def as_list() -> Any:
                return [value()], 201

        else:

            @app.post("/jsonify")
            def jsonify() -> Any:
                return package.jsonify(**value())

            @app.post("/dict")
            def as_dict() -> Any:
                return value()

            @app.post("/list")
            def as_list() -> Any:
                return [value()], 201

        client = app.test_client()
        expected = b'{"a":"\\u00fc","when":"Mon, 01 Jan 2024 00:00:00 GMT"}'
        for path, body, status in [
            ("/jsonify", expected + b"\n", 200),
            ("/dict", expected + b"\n", 200),
            ("/list", b"[" + expected + b"]\n", 201),
        ]:
            response = client.post(path, json={"a": "ü"})
            assert (response.data, response.status_code, response.mimetype) == (
                body,
                status,
                "application/json",
            )
        assert client.post("/dict", data="{", content_type="application/json").status_code == 400
        assert client.post("/dict", data="{}", content_type="text/plain").status_code == 415

    def test_too_deep_body(self) -> None:
        app = asyncflask.Flask("app")

        @app.post("/")
        def index() -> Any:
            return asyncflask.jsonify(asyncflask.request.get_json())

        response = app.test_client().post("/", data="[" * 100_000, content_type="application/json")
        assert response.status_code == 400

    @packages
    @pytest.mark.parametrize("how", ["instance", "subclass"])
    def test_default_uses_the_session(self, package: Any, how: str) -> None:
        app = package.Flask("app")
        app.secret_key = "secret"

        class Provider(package.json.provider.DefaultJSONProvider):
            def default(self, o: Any) -> Any:
                return package.session.get("language", "en")

        if how == "subclass":
            app.json = Provider(app)
        else:
            app.json.default = lambda o: package.session.get("language", "en")
        app.get("/")(lambda: {"language": object()})
        response = app.test_client().get("/")
        assert response.json == {"language": "en"}
        assert response.headers["Vary"] == "Cookie"

    @packages
    def test_default_uses_after_this_request(self, package: Any) -> None:
        app = package.Flask("app")

        def default(o: Any) -> str:
            @package.after_this_request
            def add_header(response: Any) -> Any:
                response.headers["X-Seen"] = "yes"
                return response

            return "object"

        app.json.default = default
        app.get("/")(lambda: {"a": object()})
        response = app.test_client().get("/")
        assert response.headers["X-Seen"] == "yes"

    @pytest.mark.parametrize("replaced", [None, "dumps", "response", "_prepare_response_obj"])
    def test_subclasses_whose_dicts_are_answered(self, replaced: str | None) -> None:
        methods: dict[str, Any] = {
            "dumps": lambda self, obj, **kwargs: f"[{DefaultJSONProvider.dumps(self, obj, **kwargs)}]",
            "response": lambda self, *args: asyncflask.Response("own"),
            "_prepare_response_obj": lambda self, args, kwargs: "own",
        }
        attributes = {} if replaced is None else {replaced: methods[replaced]}
        app = asyncflask.Flask("app")
        app.json = type("Provider", (DefaultJSONProvider,), attributes)(app)
        app.get("/")(lambda: {"a": 1})
        expected = {None: b'{"a":1}\n', "dumps": b'[{"a":1}]\n', "response": b"own"}
        assert app.test_client().get("/").data == expected.get(replaced, b'"own"\n')
