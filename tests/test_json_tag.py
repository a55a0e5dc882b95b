"""`asyncflask.json.tag`: the same text as Flask's for every value, and the same value for every text."""

from __future__ import annotations

import json
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum
from typing import Any

import flask
import flask.json.tag
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from itsdangerous import URLSafeSerializer
from markupsafe import Markup

import asyncflask
import asyncflask.json.tag
from asyncflask.json.tag import JSONTag, TaggedJSONSerializer

modules = pytest.mark.parametrize(
    "module", [flask.json.tag, asyncflask.json.tag], ids=["flask", "asyncflask"]
)

ours = TaggedJSONSerializer()
theirs = flask.json.tag.TaggedJSONSerializer()
TAGS = list(theirs.tags)
KEYS = [*TAGS, *(f"{tag}__" for tag in TAGS), " x", "", "__", "a", "b"]


class Level(IntEnum):
    LOW = 1


class Text(str):
    __slots__ = ()


class Html:
    def __html__(self) -> str:
        return "<b>"


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(KEYS)
)
tagged = (
    st.binary(max_size=8)
    | st.uuids()
    | st.builds(Markup, st.text(max_size=5))
    | st.datetimes(min_value=datetime(1000, 1, 1), max_value=datetime(9000, 1, 1))
    | st.datetimes(
        min_value=datetime(1000, 1, 1),
        max_value=datetime(9000, 1, 1),
        timezones=st.builds(timezone, st.timedeltas(timedelta(hours=-23), timedelta(hours=23))),
    )
)
odd = st.sampled_from([Level.LOW, Text("text"), Html()])
keys = st.text(max_size=4) | st.sampled_from(KEYS)


def containers(leaf: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return (
        st.lists(leaf, max_size=4)
        | st.lists(leaf, max_size=4).map(tuple)
        | st.dictionaries(keys, leaf, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS), leaf, min_size=1, max_size=1)
        | st.dictionaries(st.integers() | st.none() | st.booleans(), leaf, max_size=3)
        | st.dictionaries(keys, leaf, max_size=3).map(OrderedDict)
    )


values = st.recursive(scalars | tagged | odd, containers, max_leaves=12)
plain_values = st.recursive(
    scalars,
    lambda leaf: st.lists(leaf, max_size=4) | st.dictionaries(keys, leaf, max_size=4),
    max_leaves=15,
)
json_values = st.recursive(
    scalars,
    lambda leaf: (
        st.lists(leaf, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS), leaf, max_size=2)
        | st.dictionaries(st.sampled_from(KEYS), leaf, min_size=1, max_size=1)
    ),
    max_leaves=10,
)


def typed(value: Any) -> Any:
    """The value in a form that is equal only for equal values of the same types in the same order."""
    if isinstance(value, dict):
        return type(value), [(key, typed(item)) for key, item in value.items()]
    if isinstance(value, list | tuple):
        return type(value), [typed(item) for item in value]
    return type(value), repr(value)


def outcome(serializer: Any, text: str) -> Any:
    """What the text is read as; the words of an error are each library's own."""
    try:
        return typed(serializer.loads(text))
    except Exception:
        return "refused"


@contextmanager
def app_contexts(**settings: Any) -> Iterator[None]:
    """Both libraries with an app whose JSON provider has the settings."""
    with ExitStack() as stack:
        for app in (flask.Flask("app"), asyncflask.Flask("app")):
            for name, value in settings.items():
                setattr(app.json, name, value)
            stack.enter_context(app.app_context())
        yield


class TestLikeFlask:
    @given(values)
    @example({" t": (1, 2, 3)})
    @example({" t__": b"a"})
    @example({" di": " di"})
    @example({" di": {" di": {" di__": 1}}})
    @example({"_flashes": [("message", Markup("<b>"))], "user_id": 1})
    def test_dumps(self, value: Any) -> None:
        text = theirs.dumps(value)
        assert ours.dumps(value) == text
        assert typed(ours.loads(text)) == typed(theirs.loads(text))

    @given(plain_values)
    @example({"user_id": 3, "_fresh": True, "_permanent": True, "ids": [1, [2.5, None, {"a": "ü"}]]})
    def test_dumps_of_plain_values(self, value: Any) -> None:
        assert ours.dumps(value) == theirs.dumps(value)
        assert typed(ours.tag(value)) == typed(theirs.tag(value))

    @given(values)
    def test_tag(self, value: Any) -> None:
        assert typed(ours.tag(value)) == typed(theirs.tag(value))

    @given(json_values)
    def test_loads_of_any_json(self, value: Any) -> None:
        """Also of what `dumps` never writes: both refuse it, or both read the same."""
        text = json.dumps(value)
        assert outcome(ours, text) == outcome(theirs, text)

    @given(st.dictionaries(st.text(max_size=5), scalars | tagged, max_size=5), st.booleans(), st.booleans())
    def test_with_the_provider_of_an_app(self, value: Any, sort_keys: bool, ensure_ascii: bool) -> None:
        with app_contexts(sort_keys=sort_keys, ensure_ascii=ensure_ascii):
            text = theirs.dumps(value)
            assert ours.dumps(value) == text
            assert typed(ours.loads(text)) == typed(theirs.loads(text))

    def test_provider_that_makes_other_containers(self) -> None:
        text = '{"b":{" t":[{" di":{" t__":1}}]},"a":[{" u":"%s"}]}' % ("ab" * 16)

        def loads(s: str) -> Any:
            return json.loads(s, object_pairs_hook=OrderedDict)

        with app_contexts(loads=loads):
            assert typed(ours.loads(text)) == typed(theirs.loads(text))

    def test_cookies_open_in_the_other(self) -> None:
        session = {
            "_permanent": True,
            "_flashes": [("message", "Saved"), ("error", Markup("<b>no</b>"))],
            "id": uuid.UUID(int=5),
            "seen": datetime(2024, 2, 29, 12, tzinfo=UTC),
            "blob": b"\x00\xff",
            "tag": {" t": [1]},
        }
        signers = [URLSafeSerializer("key", "cookie-session", serializer=s) for s in (theirs, ours)]
        cookies = [signer.dumps(session) for signer in signers]
        assert cookies[0] == cookies[1]
        assert signers[0].loads(cookies[1]) == signers[1].loads(cookies[0]) == session


class TestValues:
    @modules
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ({"a": (1, 2)}, '{"a":{" t":[1,2]}}'),
            ((), '{" t":[]}'),
            (b"\xff", '{" b":"/w=="}'),
            (Markup("<p>"), '{" m":"<p>"}'),
            (uuid.UUID(int=255), '{" u":"000000000000000000000000000000ff"}'),
            (datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC), '{" d":"Thu, 02 Jan 2020 03:04:05 GMT"}'),
            ({" t": 1}, '{" di":{" t__":1}}'),
            ({" t": 1, "b": 2}, '{" t":1,"b":2}'),
            ({"_other": {" x": 1}}, '{"_other":{" x":1}}'),
            ([1, "ü", None, 1.5, True], '[1,"\\u00fc",null,1.5,true]'),
        ],
    )
    def test_format(self, module: Any, value: Any, text: str) -> None:
        serializer = module.TaggedJSONSerializer()
        assert serializer.dumps(value) == text
        assert typed(serializer.loads(text)) == typed(value)

    @modules
    def test_html_method(self, module: Any) -> None:
        serializer = module.TaggedJSONSerializer()
        assert serializer.loads(serializer.dumps(Html())) == Markup("<b>")

    @modules
    def test_unserializable(self, module: Any) -> None:
        serializer = module.TaggedJSONSerializer()
        for value in (object(), {"a": {1}}, [1j]):
            with pytest.raises(TypeError, match="is not JSON serializable"):
                serializer.dumps(value)

    @modules
    @pytest.mark.parametrize("container", [dict, list])
    def test_circular(self, module: Any, container: type[Any]) -> None:
        value = container()
        value.update(a=value) if container is dict else value.append(value)
        with pytest.raises((RecursionError, ValueError)):
            module.TaggedJSONSerializer().dumps(value)

    @given(values)
    def test_what_is_given_is_left_alone(self, value: Any) -> None:
        before = typed(value)
        ours.dumps(value)
        assert typed(value) == before


class TestHostileText:
    @pytest.mark.parametrize("unit", ["[", '{"a":', '{" t":[', '{" di":{" t__":', '{" di":'])
    @pytest.mark.parametrize("depth", [5_000, 200_000])
    def test_deep_nesting(self, unit: str, depth: int) -> None:
        end = "".join({"[": "]", "{": "}"}.get(char, "") for char in reversed(unit))
        with pytest.raises((RecursionError, ValueError)):
            ours.loads(unit * depth + "1" + end * depth)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "{",
            "nul",
            '{" b":5}',
            '{" b":"a"}',
            '{" t":null}',
            '{" t":5}',
            '{" u":"zz"}',
            '{" u":null}',
            '{" di":{}}',
            '{" di":[]}',
            '{" di":""}',
            '{" di":5}',
            '{" di":"abc"}',
            '{" di":{" t":[0]}}',
            '{"a":' + "9" * 5000 + "}",
        ],
    )
    def test_what_no_tag_wrote(self, text: str) -> None:
        with pytest.raises(Exception) as raised:
            ours.loads(text)
        # In a coroutine StopIteration would end more than this call.
        assert not isinstance(raised.value, StopIteration)

    @modules
    def test_unknown_tags_are_ordinary_objects(self, module: Any) -> None:
        text = '{" zz":[{" t":[1]}],"x":{"":1}}'
        assert module.TaggedJSONSerializer().loads(text) == {" zz": [(1,)], "x": {"": 1}}


class TestTags:
    def test_names_and_order(self) -> None:
        assert [type(tag).__name__ for tag in ours.order] == [type(tag).__name__ for tag in theirs.order]
        assert list(ours.tags) == list(theirs.tags)
        assert [cls.__name__ for cls in TaggedJSONSerializer.default_tags] == [
            cls.__name__ for cls in flask.json.tag.TaggedJSONSerializer.default_tags
        ]

    @modules
    def test_interface(self, module: Any) -> None:
        tag = module.JSONTag(None)
        for method in (tag.check, tag.to_json, tag.to_python, tag.tag):
            with pytest.raises(NotImplementedError):
                method(None)

    @modules
    def test_duplicate(self, module: Any) -> None:
        class TagDay(module.JSONTag):
            key = " d"

        serializer = module.TaggedJSONSerializer()
        with pytest.raises(KeyError, match="registered"):
            serializer.register(TagDay)
        assert len(serializer.order) == 8
        serializer.register(TagDay, force=True, index=0)
        assert isinstance(serializer.tags[" d"], TagDay)
        assert isinstance(serializer.order[0], TagDay)

    @modules
    def test_position(self, module: Any) -> None:
        class Tag1(module.JSONTag):
            key = " 1"

        class Tag2(module.JSONTag):
            key = " 2"

        serializer = module.TaggedJSONSerializer()
        serializer.register(Tag1, index=-1)
        assert isinstance(serializer.order[-2], Tag1)
        serializer.register(Tag2, index=None)
        assert isinstance(serializer.order[-1], Tag2)

    @staticmethod
    def custom(module: Any, name: str) -> type[JSONTag]:
        """Tags for types that the built-in ones leave alone, or that they take for another."""

        class Tag(module.JSONTag):
            __slots__ = ()
            key = f" {name}"

        class TagLevel(Tag):
            def check(self, value: Any) -> bool:
                return isinstance(value, Level)

            def to_json(self, value: Any) -> Any:
                return value.name

            def to_python(self, value: Any) -> Any:
                return Level[value]

        class TagInt(Tag):
            def check(self, value: Any) -> bool:
                return type(value) is int

            def to_json(self, value: Any) -> Any:
                return hex(value)

            def to_python(self, value: Any) -> Any:
                return int(value, 16)

        class TagOrderedDict(Tag):
            def check(self, value: Any) -> bool:
                return isinstance(value, OrderedDict)

            def to_json(self, value: Any) -> Any:
                return [[key, self.serializer.tag(item)] for key, item in value.items()]

            def to_python(self, value: Any) -> Any:
                return OrderedDict(value)

        class TagSortedDict(Tag):
            key = ""

            def check(self, value: Any) -> bool:
                return isinstance(value, dict)

            def tag(self, value: Any) -> Any:
                return {key: self.serializer.tag(value[key]) for key in sorted(value, key=str)}

        return locals()[name]

    @pytest.mark.parametrize("name", ["TagLevel", "TagInt", "TagOrderedDict", "TagSortedDict"])
    @pytest.mark.parametrize("index", [None, 0])
    @given(value=values)
    def test_custom(self, name: str, index: int | None, value: Any) -> None:
        pair = []
        for module in (flask.json.tag, asyncflask.json.tag):
            serializer = module.TaggedJSONSerializer()
            serializer.register(self.custom(module, name), index=index)
            pair.append(serializer)
        text = pair[0].dumps(value)
        assert pair[1].dumps(value) == text
        assert outcome(pair[1], text) == outcome(pair[0], text)

    @modules
    def test_custom_tag_put_into_the_order_by_hand(self, module: Any) -> None:
        serializer = module.TaggedJSONSerializer()
        tag = self.custom(module, "TagInt")(serializer)
        serializer.order.insert(0, tag)
        serializer.tags[tag.key] = tag
        assert serializer.dumps({"a": [255]}) == '{"a":[{" TagInt":"0xff"}]}'
        assert serializer.loads('{"a":[{" TagInt":"0xff"}]}') == {"a": [255]}

    @modules
    def test_subclass_of_the_serializer(self, module: Any) -> None:
        class NoNone(module.TaggedJSONSerializer):
            def tag(self, value: Any) -> Any:
                return "nothing" if value is None else super().tag(value)

        class NoTuples(module.TaggedJSONSerializer):
            default_tags = [module.PassDict, module.PassList]

        assert NoNone().dumps({"a": [None, 1]}) == '{"a":["nothing",1]}'
        assert NoNone().dumps({"a": [None, (None, 1)]}) == '{"a":["nothing",{" t":["nothing",1]}]}'
        assert NoTuples().dumps({"a": [(1, {" t": 2})]}) == '{"a":[[1,{" t":2}]]}'
        assert NoTuples().loads('{" t":[1]}') == {" t": [1]}

    @modules
    def test_changed_built_in_tag(self, module: Any) -> None:
        class TagList(module.PassList):
            def tag(self, value: Any) -> Any:
                return {"list": super().tag(value)}

        serializer = module.TaggedJSONSerializer()
        serializer.register(TagList, index=0)
        assert serializer.dumps({"a": [1, [2]]}) == '{"a":{"list":[1,{"list":[2]}]}}'
