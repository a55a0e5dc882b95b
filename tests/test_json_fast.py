"""`asyncflask.json.fast` does what `DefaultJSONProvider` does, which test_json.py compares with Flask's."""

from __future__ import annotations

import dataclasses
import decimal
import json
import math
import os
import re
import subprocess
import sys
import uuid
from collections import OrderedDict, defaultdict, namedtuple
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from enum import Enum, IntEnum, StrEnum
from importlib.util import find_spec
from typing import Any

import flask
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup
from werkzeug.datastructures import MultiDict

import asyncflask
from asyncflask.json.fast import MsgspecProvider, OrjsonProvider
from asyncflask.json.provider import DefaultJSONProvider, JSONProvider

LIBRARIES = {OrjsonProvider: "orjson", MsgspecProvider: "msgspec"}
COMPACT = {"separators": (",", ":")}


@pytest.fixture(scope="module", params=[OrjsonProvider, MsgspecProvider])
def kind(request: pytest.FixtureRequest) -> Any:
    """One of the two classes, if its library is there."""
    return installed(request.param)


def installed(kind: Any) -> Any:
    name = LIBRARIES[kind]
    if find_spec(name) is None:
        reason = f"{name} is not installed: 'pip install asyncflask[{name}]' does it, 'nox -s tests' has it"
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return kind


class Level(IntEnum):
    LOW = 1


class Name(StrEnum):
    ANN = "ann"


class Odd(StrEnum):
    """Its text is not its value."""

    A = "a", 1

    def __new__(cls, text: str, value: int) -> Odd:
        self = str.__new__(cls, text)
        self._value_ = value
        return self


class Colour(Enum):
    RED = "red"


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "other"


class Number(int):
    def __repr__(self) -> str:
        return "other"


class Real(float):
    def __repr__(self) -> str:
        return "other"


class Items(list[Any]):
    def __iter__(self) -> Iterator[Any]:
        return iter(["other"])


class Pairs(dict[str, Any]):
    def items(self) -> Any:
        return [("b", 1), ("a", 2)]


class Id(uuid.UUID):
    def __str__(self) -> str:
        return "other"


class Html:
    def __html__(self) -> str:
        return "<b>ü</b>"


@dataclasses.dataclass
class Point:
    x: Any
    _hidden: Any = None


Pair = namedtuple("Pair", "a b")

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(2**62, 2**65)
    | st.integers(-(2**65), -(2**62))
    | st.floats()
    | st.text(max_size=8)
    | st.text(st.sampled_from('\\"/u\x00\x1f\x7f\x80é\u2028\ud800\udc00😀'), max_size=6)
    | st.uuids()
    | st.decimals()
    | st.dates(date(1000, 1, 1), date(9000, 1, 1))
    | st.datetimes(
        datetime(1000, 1, 1),
        datetime(9000, 1, 1),
        timezones=st.none() | st.builds(timezone, st.timedeltas(timedelta(hours=-23), timedelta(hours=23))),
    )
    | st.builds(Markup, st.text(max_size=5))
    | st.sampled_from([Level.LOW, Name.ANN, Html(), Pair(1, "b"), Text("text"), Number(3), Real(1.5)])
)
unserializable = st.sampled_from([object(), {1}, frozenset(), 1j, b"bytes", Point, timedelta(1), time(1)])
keys = st.text(max_size=5) | st.text(st.characters(), max_size=2)
odd_keys = st.integers() | st.none() | st.booleans() | st.floats() | st.text(max_size=2) | st.just(Text("k"))


def containers(leaf: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return (
        st.lists(leaf, max_size=4)
        | st.lists(leaf, max_size=3).map(tuple)
        | st.dictionaries(keys, leaf, max_size=4)
        | st.dictionaries(keys, leaf, max_size=3).map(OrderedDict)
        | st.dictionaries(odd_keys, leaf, max_size=3)
        | st.builds(Point, leaf, leaf)
    )


ordinary = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=8),
    lambda leaf: st.lists(leaf, max_size=4) | st.dictionaries(keys, leaf, max_size=4),
    max_leaves=20,
)
values = st.recursive(scalars, containers, max_leaves=12) | st.recursive(
    scalars | unserializable, containers, max_leaves=12
)
settings = st.fixed_dictionaries(
    {},
    optional={
        "ensure_ascii": st.booleans(),
        "sort_keys": st.booleans(),
        "default": st.sampled_from([None, repr, lambda o: {"repr": [repr(o), math.nan]}]),
    },
)
arguments = st.sampled_from(
    [
        {},
        COMPACT,
        COMPACT,
        {"indent": 2},
        {"sort_keys": False, **COMPACT},
        {"default": str},
        {"skipkeys": True},
    ]
)


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


circular: list[Any] = []
circular.append({"a": circular})

#: What one library or the other does in its own way, unless it is kept from it.
ODD: dict[str, Any] = {
    "nan": math.nan,
    "nan beside null": [None, {"a": (math.nan,)}],
    "infinity": {"a": [math.inf, -math.inf, None]},
    "nan in a dataclass": Point({"a": [math.nan]}),
    "nan of another class": [None, Real("nan")],
    "the text null": ["null", None],
    "date": [date(2024, 2, 29), datetime(2024, 2, 29, 12, 30, 15, 999)],
    "aware": datetime(2024, 2, 29, 12, tzinfo=timezone(timedelta(hours=2))),
    "too early a date": date(1, 1, 1),
    "time": time(1, 2),
    "timedelta": timedelta(1),
    "decimal": [decimal.Decimal("1.10"), decimal.Decimal("NaN")],
    "uuid": [uuid.UUID(int=1), Id(int=1)],
    "dataclass": Point(Point(1, [date(2024, 1, 1)]), {"b": 1, "a": uuid.UUID(int=2)}),
    "dataclass class": Point,
    "html": [Html(), Markup("<b>")],
    "named tuple": Pair(1, [Pair(2, 3)]),
    "tuple": ((), (1, (2,))),
    "subclasses": [Text("a"), Number(1), Real(1.5), Items([1]), True],
    "dict whose items are others": Pairs(c=3),
    "form": MultiDict([("a", "1"), ("a", "2")]),
    "defaultdict": defaultdict(int, b=1, a=2),
    "ordered": OrderedDict(b=1, a=OrderedDict(d=1, c=2)),
    "set": {1},
    "frozenset": frozenset([1]),
    "bytes": [b"bytes", bytearray(b"x"), memoryview(b"x")],
    "generator": iter([1]),
    "complex": 1j,
    "int enum": Level.LOW,
    "str enum": [Name.ANN, {"a": Name.ANN}],
    "big int": [2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**100],
    "more digits than Python prints": 10**5000,
    "surrogate": ["\ud800", "\udc00\ud800"],
    "surrogate key": {"\ud800": 1},
    "escapes": "".join(map(chr, range(0x100))) + "\u2028\u2029\uffff😀\U0010ffff",
    "backslashes": ['\\ü"', "\\\\ü", '\\"\\\\"ü', "\\u00fc\\ü", 'ü\\\\\\"', "\x7f"],
    "escapes in keys": {'\\ü"': 1, "\x7f": 2, "\x00": 3},
    "script": "</script>&'",
    "order of keys": {"\uffff": 1, "😀": 2, "é": 3, "z": 4, "Z": 5, "": 6, "zz": 7},
    "int keys": {10: 1, 9: 2, -1: 3},
    "float keys": {1.5: 1, 1e16: 2, math.inf: 3},
    "nan key": {math.nan: None},
    "null key": {None: 1},
    "bool keys": {True: 1, False: 2},
    "mixed keys": {1: "a", "b": 2},
    "int enum key": {Level.LOW: 1},
    "str enum key": {Name.ANN: 1},
    "subclass key": {Text("k"): 1},
    "tuple key": {(1, 2): 1},
    "bytes key": {b"a": 1},
    "date key": {date(2024, 1, 1): 1},
    "uuid key": {uuid.UUID(int=1): 1},
    "big int key": {2**70: 1},
    "zeros": [0, 0.0, -0.0],
    "floats": [0.1, 1 / 3, 1e15, 123456789012345680.0, 5e-324, 1.7976931348623157e308],
    "circular": circular,
    "deep": nested(300),
    "very deep": nested(100_000),
    "empty": [{}, [], (), ""],
}

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?[0-9.]+(?:[eE][-+]?[0-9]+)?')


def same_floats(text: str) -> str:
    """The JSON with floats as Python writes them, which is the one thing that may differ."""

    def rewritten(match: re.Match[str]) -> str:
        token = match[0]
        return repr(float(token)) if token[0] != '"' and re.search("[.eE]", token) else token

    return TOKEN.sub(rewritten, text)


def outcome(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What the call returns, or the type and message of what it raises."""
    try:
        return function(*args, **kwargs)
    except Exception as error:
        return type(error), str(error)


def assert_same(ours: Any, theirs: Any) -> None:
    if ours != theirs:
        assert (type(ours), type(theirs)) == (str, str), (ours, theirs)
        assert same_floats(ours) == same_floats(theirs)


def providers(kind: Any) -> tuple[asyncflask.Flask, DefaultJSONProvider, DefaultJSONProvider]:
    app = asyncflask.Flask("app")
    app.json = kind(app)
    return app, app.json, DefaultJSONProvider(app)


class TestDumps:
    @given(st.data())
    def test_generated(self, kind: Any, data: st.DataObject) -> None:
        _, fast, default = providers(kind)
        value, kwargs = data.draw(values), data.draw(arguments)
        for name, setting in data.draw(settings).items():
            setattr(fast, name, setting)
            setattr(default, name, setting)
        assert_same(outcome(fast.dumps, value, **kwargs), outcome(default.dumps, value, **kwargs))

    @pytest.mark.parametrize("name", ODD)
    @pytest.mark.parametrize("ensure_ascii", [True, False])
    @pytest.mark.parametrize("sort_keys", [True, False])
    def test_odd(self, kind: Any, name: str, ensure_ascii: bool, sort_keys: bool) -> None:
        for value in (ODD[name], [ODD[name], None], {"a": ODD[name]}):
            outcomes = []
            for provider in providers(kind)[1:]:
                provider.ensure_ascii, provider.sort_keys = ensure_ascii, sort_keys
                outcomes.append(outcome(provider.dumps, value, **COMPACT))
            assert_same(*outcomes)

    @pytest.mark.parametrize("name", [*ODD, "enum", "str enum with another value"])
    @pytest.mark.parametrize("replaced", ["instance", "class", "method", "None"])
    def test_another_default(self, kind: Any, name: str, replaced: str) -> None:
        def default(o: Any) -> Any:
            return [type(o).__name__, math.nan, None] if type(o) is not Html else Colour.RED

        odd = {**ODD, "enum": Colour.RED, "str enum with another value": [Odd.A, {"a": Odd.A}]}
        value = [odd[name], uuid.UUID(int=1)] if name != "bytes" else odd[name]
        outcomes = []
        for base in (kind, DefaultJSONProvider):
            attribute: dict[str, Any] = {
                "class": {"default": staticmethod(default)},
                "method": {"default": lambda self, o: default(o)},
                "None": {"default": None},
            }.get(replaced, {})
            provider = type("Provider", (base,), attribute)(asyncflask.Flask("app"))
            if replaced == "instance":
                provider.default = default
            outcomes.append(outcome(provider.dumps, value, **COMPACT))
        assert_same(*outcomes)

    def test_error_in_default(self, kind: Any) -> None:
        _, fast, _ = providers(kind)

        class Broken:
            def __html__(self) -> str:
                raise ZeroDivisionError

        def default(o: Any) -> Any:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fast.dumps([Broken()], **COMPACT)
        fast.default = default
        with pytest.raises(ZeroDivisionError):
            fast.dumps([object()], **COMPACT)

    @given(st.data())
    def test_the_library_is_used(self, kind: Any, data: st.DataObject) -> None:
        _, fast, default = providers(kind)
        value = data.draw(ordinary)
        text = default.dumps(value, **COMPACT)
        if re.search(r"NaN|Infinity|\\ud[89a-f]", text):
            return  # UTF-8 has no lone surrogates: then it is json that writes them
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(DefaultJSONProvider, "dumps_compact", None)
            assert same_floats(fast.dumps(value, **COMPACT)) == same_floats(text)
            assert same_floats(fast.response(value).get_data(as_text=True)) == same_floats(f"{text}\n")

    @pytest.mark.parametrize(
        "value",
        [uuid.UUID(int=1), date(2024, 1, 1), decimal.Decimal(1), Point(1), Html(), [None, uuid.UUID(int=1)]],
    )
    def test_orjson_is_used_for_more(self, monkeypatch: pytest.MonkeyPatch, value: Any) -> None:
        _, fast, default = providers(installed(OrjsonProvider))
        text = default.dumps(value, **COMPACT)
        monkeypatch.setattr(DefaultJSONProvider, "dumps_compact", None)
        assert fast.dumps(value, **COMPACT) == text


class TestDifferences:
    """Those that docs/performance.md tells of."""

    @pytest.mark.parametrize("value", [1e-7, 1e16, 1.5e-5, 1e100, 5e-324])
    def test_notation_of_floats(self, kind: Any, value: float) -> None:
        _, fast, default = providers(kind)
        ours, theirs = fast.dumps(value, **COMPACT), default.dumps(value, **COMPACT)
        assert float(ours) == float(theirs) == value

    def test_enums_by_orjson(self) -> None:
        _, fast, default = providers(installed(OrjsonProvider))
        assert fast.dumps([Colour.RED, Odd.A], **COMPACT) == '["red",1]'
        assert default.dumps(Odd.A, **COMPACT) == '"a"'
        for call in (
            lambda: default.dumps(Colour.RED, **COMPACT),
            lambda: fast.dumps(Colour.RED),  # is json's
            lambda: fast.dumps({Colour.RED: 1}, **COMPACT),
        ):
            with pytest.raises(TypeError):
                call()

    def test_fragments_of_orjson(self) -> None:
        _, fast, default = providers(installed(OrjsonProvider))
        import orjson

        assert fast.dumps([orjson.Fragment(b"[1]")], **COMPACT) == "[[1]]"
        with pytest.raises(TypeError):
            default.dumps([orjson.Fragment(b"[1]")], **COMPACT)


def exact(value: Any) -> str:
    """Tells 1 from 1.0, 0.0 from -0.0, and NaN from nothing."""
    return repr(value)


class TestLoads:
    @given(
        st.data(),
        st.sampled_from([{}, {}, {}, {"parse_int": str}, {"object_hook": list}, {"no_such_argument": 1}]),
    )
    def test_generated(self, kind: Any, data: st.DataObject, kwargs: dict[str, Any]) -> None:
        text = data.draw(
            st.text('[]{}",:0123456789.eE-+ntfrue\\al \ufeff', max_size=12)
            | st.binary(max_size=8)
            | st.from_regex(r"\A\[?-?[0-9]{1,25}(\.[0-9]{1,25})?([eE][-+]?[0-9]{1,3})?\]?\Z")
            | st.builds(json.dumps, ordinary, ensure_ascii=st.booleans(), indent=st.none() | st.just(1))
        )
        _, fast, default = providers(kind)
        theirs = outcome(default.loads, text, **kwargs)
        assert exact(outcome(fast.loads, text, **kwargs)) == exact(theirs)
        if type(text) is str and "\ud800" <= max(text, default="") <= "\udfff":
            return
        for encoding in ("utf-8", "utf-16", "utf-32-be") if type(text) is str else ():
            encoded = text.encode(encoding, "surrogatepass")
            theirs = outcome(default.loads, encoded, **kwargs)
            assert exact(outcome(fast.loads, encoded, **kwargs)) == exact(theirs)

    @pytest.mark.parametrize(
        "text",
        [
            *[
                f"{sign}{number}"
                for sign in ("", "-")
                for number in (2**63 - 1, 2**63, 2**63 + 1, 2**64 - 1, 2**64)
            ],
            "[123456789012345678901234567890]",
            '{"a":-9223372036854775809}',
            "9" * 5000,
            "-0",
            "-0.0",
            "1e400",
            "-1e400",
            "1e-400",
            "2.4703282292062327e-324",
            "1.7976931348623159e308",
            "0.1000000000000000055511151231257827021181583404541015625",
            "NaN",
            "[Infinity,-Infinity]",
            '"\\ud800"',
            '"\ud800"',
            b'"\xed\xa0\x80"',
            b'"\xff"',
            b'{"\xff":1}',
            b"\xef\xbb\xbf[1]",
            "\ufeff[1]",
            '"\\ud83d\\ude00"',
            '{"a":1,"a":2}',
            '"\x01"',
            '"\x7f"',
            "01",
            "[1,]",
            "",
            b"",
            "[1]\x00",
            b"1\x00",
            b"\x001",
            "[]x",
            " \t\r\n[ 1 ] ",
            "\x0c1",
            "'a'",
            "[" * 100_000,
            '{"a":' * 100_000,
            "[" * 600 + "]" * 600,
            bytearray(b"[1]"),
            memoryview(b"[1]"),
            Text("[1]"),
            None,
            1,
        ],
        ids=lambda text: ascii(bytes(text) if isinstance(text, memoryview) else text)[:30],
    )
    def test_odd(self, kind: Any, text: Any) -> None:
        _, fast, default = providers(kind)
        ours, theirs = outcome(fast.loads, text), outcome(default.loads, text)
        assert ours == theirs or exact(ours) == exact(theirs)

    @given(st.data())
    def test_the_library_is_used(self, kind: Any, data: st.DataObject) -> None:
        _, fast, default = providers(kind)
        digits = st.from_regex(r"\A[0-9]{18}\Z") | st.just("")
        text = json.dumps([data.draw(ordinary), data.draw(digits)], ensure_ascii=data.draw(st.booleans()))
        theirs = default.loads(text)
        if re.search(r"NaN|Infinity|\\ud|[\ud800-\udfff]|[0-9]{19}", text):
            return
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(DefaultJSONProvider, "loads", None)
            assert exact(fast.loads(text)) == exact(fast.loads(text.encode())) == exact(theirs)


class TestRequests:
    @given(st.data(), st.sampled_from([None, True, False]), st.booleans(), st.sampled_from(["", "a/b"]))
    def test_responses(
        self, kind: Any, data: st.DataObject, compact: bool | None, debug: bool, mimetype: str
    ) -> None:
        app, fast, default = providers(kind)
        value = data.draw(values)
        app.debug = debug
        outcomes = []
        for provider in (fast, default):
            provider.compact = compact
            provider.mimetype = mimetype or provider.mimetype
            response = outcome(provider.response, value)
            if isinstance(response, asyncflask.Response):
                assert response.headers.to_wsgi_list()[0] == ("Content-Type", mimetype or "application/json")
                response = response.get_data(as_text=True)
            outcomes.append(response)
        assert_same(*outcomes)

    @pytest.mark.parametrize("debug", [False, True])
    def test_answers(self, kind: Any, debug: bool) -> None:
        def answers(provider: type[JSONProvider]) -> list[Any]:
            class App(asyncflask.Flask):
                json_provider_class = provider

            app = App("app")
            app.debug = debug
            app.config["PROPAGATE_EXCEPTIONS"] = False

            @app.post("/echo")
            def echo() -> Any:
                return {"sent": asyncflask.request.get_json()}

            @app.get("/values")
            async def many() -> Any:
                return {"b": date(2024, 1, 1), "a": [uuid.UUID(int=1), math.nan, "ü"], "ids": {2: 1, 1: 2}}

            @app.get("/list")
            def some() -> Any:
                return [1, Point("ü")]

            @app.get("/fails")
            def fails() -> Any:
                return {"a": {1}}

            client = app.test_client()
            responses = [client.get(path) for path in ("/values", "/list", "/fails")]
            for body in (
                b'{"b":1,"a":"\xc3\xbc"}',
                b"[123456789012345678901234567890]",
                '{"a":1}'.encode("utf-16"),
                b"{",
                b"",
                b"\xff",
                b"[" * 100_000,
                b"9" * 5000,
            ):
                responses.append(client.post("/echo", data=body, content_type="application/json"))
            return [(r.status_code, r.content_type, r.get_data(as_text=True)) for r in responses]

        ours, theirs = answers(kind), answers(DefaultJSONProvider)
        assert ours == theirs
        assert [status for status, *_ in ours] == [200, 200, 500, 200, 200, 200, 400, 400, 400, 400, 400]

    def test_subclass(self, kind: Any) -> None:
        class Provider(kind):  # type: ignore[misc]
            def dumps(self, obj: Any, **kwargs: Any) -> str:
                return super().dumps({"data": obj}, **kwargs)  # type: ignore[no-any-return]

            def loads(self, s: str | bytes, **kwargs: Any) -> Any:
                return super().loads(s, **kwargs)["data"]

        app = asyncflask.Flask("app")
        app.json = Provider(app)
        assert app.json.response([1]).data == b'{"data":[1]}\n'
        assert app.json.loads('{"data":[1]}') == [1]
        app.get("/")(lambda: {"a": 1})
        assert app.test_client().get("/").data == b'{"data":{"a":1}}\n'

    def test_sessions(self, kind: Any) -> None:
        contents = {
            "id": uuid.UUID(int=1),
            "pair": (1, "ü", (2.5,)),
            "when": datetime(2024, 2, 29, tzinfo=UTC),
            "bytes": b"\x00\xff",
            "html": Markup("<b>"),
            "nested": [{" t": 1}, {"a": None}],
            "big": 2**70,
            "infinity": math.inf,
            "surrogate": "\ud800",
        }

        def make(package: Any) -> Any:
            app = package.Flask("app")
            app.secret_key = "secret"
            app.post("/", endpoint="write")(lambda: str(package.session.update(contents)))
            app.get("/", endpoint="read")(lambda: str(dict(package.session) == contents))
            return app

        fast, apps = make(asyncflask), [make(asyncflask), make(flask)]
        fast.json = kind(fast)
        for writer, reader in [(fast, fast), *((fast, app) for app in apps), *((app, fast) for app in apps)]:
            writing, reading = writer.test_client(), reader.test_client()
            writing.post("/")
            reading.set_cookie("session", writing.get_cookie("session").value)
            assert reading.get("/").text == "True"


@pytest.mark.parametrize("provider", LIBRARIES)
def test_not_installed(monkeypatch: pytest.MonkeyPatch, provider: type[JSONProvider]) -> None:
    name = LIBRARIES[provider]
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(
        ModuleNotFoundError, match=rf"{provider.__name__} needs {name}: .*asyncflask\[{name}\]"
    ):
        provider(asyncflask.Flask("app"))


def test_imported_when_used(kind: Any) -> None:
    code = f"""
import sys
from asyncflask import Flask
from asyncflask.json.fast import {kind.__name__}
before = {LIBRARIES[kind]!r} in sys.modules
Flask("app").json = {kind.__name__}(Flask("app"))
print(before, {LIBRARIES[kind]!r} in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
