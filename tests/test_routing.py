"""The quick ways to match and to build give what Werkzeug gives."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import BuildError, MapAdapter, RequestRedirect

from asyncflask import Flask
from asyncflask.routing import NOWHERE, Map, RouteMatcher, Rule, UrlBuilder, convert

PARTS = [
    "a",
    "b",
    "c",
    "",
    "<x>",
    "<int:n>",
    "<path:p>",
    "<float:f>",
    "a<int:n>",
    "<x>-b",
    "<any(a,b):y>",
    "<x>-<int:n>",
]
METHODS = [None, ["GET"], ["POST"], ["GET", "POST"], ["DELETE"]]
TEXTS = ["a", "b", "c", "d", "1", "23", "1.5", "a1", "x-b", "é", "a b", "", "-1", "9" * 30]

rules = st.lists(
    st.builds(
        lambda parts, slash, methods, defaults, strict, websocket: {
            "string": "/" + "/".join(parts) + ("/" if slash and parts and parts[-1] else ""),
            "methods": ["GET"] if websocket and methods else methods if not websocket else None,
            "defaults": defaults,
            "strict_slashes": strict,
            "websocket": websocket,
        },
        st.lists(st.sampled_from(PARTS), max_size=3),
        st.booleans(),
        st.sampled_from(METHODS),
        st.sampled_from([None, None, None, {"d": 1}]),
        st.sampled_from([None, True, False]),
        st.sampled_from([False, False, False, True]),
    ),
    max_size=6,
)
paths = st.lists(st.sampled_from(TEXTS), max_size=4).map(lambda parts: "/" + "/".join(parts))


def make(rules: list[dict[str, Any]]) -> Map | None:
    url_map = Map()
    for number, options in enumerate(rules):
        names = [part for part in ("x", "n", "p", "f", "y") if options["string"].count(f"{part}>") > 1]
        if names:
            return None  # a name may stand in a rule once
        url_map.add(Rule(endpoint=f"e{number}", **options))
    return url_map


@settings(max_examples=400, deadline=None)
@given(rules=rules, path=paths, method=st.sampled_from(["GET", "HEAD", "POST", "DELETE", "OPTIONS"]))
def test_matching(rules: list[dict[str, Any]], path: str, method: str) -> None:
    url_map = make(rules)
    if url_map is None:
        return
    adapter = url_map.bind("localhost", path_info=path, default_method=method)
    try:
        expected: Any = adapter.match(return_rule=True)
    except HTTPException as error:
        expected = error
    found = RouteMatcher(url_map, subdomains=False).match(path, method)
    if found is None:
        return  # it does not say, and Werkzeug is asked
    if found is NOWHERE:
        assert type(expected) is NotFound
        return
    target, texts = found
    values = convert(target, texts)
    if values is None:
        return
    assert not isinstance(expected, HTTPException), (expected, getattr(expected, "new_url", None))
    assert (target.rule, values) == (expected[0], dict(expected[1]))


@settings(max_examples=300, deadline=None)
@given(
    rules=rules,
    values=st.dictionaries(
        st.sampled_from(["x", "n", "p", "f", "y", "q", "d"]),
        st.none() | st.integers(0, 50) | st.text(max_size=4) | st.sampled_from(["a", "b", 1.5]),
        max_size=4,
    ),
    number=st.integers(0, 6),
)
def test_building(rules: list[dict[str, Any]], values: dict[str, Any], number: int) -> None:
    url_map = make(rules)
    if url_map is None:
        return
    adapter = url_map.bind("localhost", script_name="/root")
    endpoint = f"e{number}"
    try:
        expected = adapter.build(endpoint, dict(values))
    except (BuildError, ValueError, TypeError, AttributeError) as error:
        expected = error
    try:
        path = UrlBuilder(url_map).build(endpoint, values)
        built: Any = None if path is None else f"/root/{path}"
    except (BuildError, ValueError, TypeError, AttributeError) as error:
        built = type(error)
        expected = type(expected)
    assert built is None or built == expected


def test_most_is_answered_the_quick_way() -> None:
    """Or the comparisons above would prove little."""
    url_map = Map()
    for rule in ("/", "/a", "/a/<int:n>", "/b/<x>/c", "/p/<path:p>"):
        url_map.add(Rule(rule, endpoint=rule, methods=["GET"]))
    builder = UrlBuilder(url_map)
    matcher = RouteMatcher(url_map, subdomains=False)
    for path in ("/", "/a", "/a/1", "/b/x/c", "/p/x/y"):
        assert matcher.match(path, "GET") is not None
    assert matcher.match("/nowhere", "GET") is NOWHERE
    assert matcher.match("/a", "POST") is None
    assert [builder.build("/", {}), builder.build("/a/<int:n>", {"n": 1})] == ["", "a/1"]


@pytest.mark.parametrize("added", ["/late", "/late/<int:n>"])
def test_rules_that_are_added_later(added: str) -> None:
    url_map = Map([Rule("/", endpoint="index")])
    builder = UrlBuilder(url_map)
    path = added.replace("<int:n>", "1")
    assert builder.build("late", {"n": 1}) is None
    url_map.add(Rule(added, endpoint="late"))
    assert RouteMatcher(url_map, subdomains=False).match(path, "GET")[0].rule.endpoint == "late"
    assert builder.build("late", {"n": 1} if "<" in added else {}) == path[1:]


def test_a_redirect_is_left_to_werkzeug() -> None:
    url_map = Map([Rule("/a/", endpoint="a")])
    assert RouteMatcher(url_map, subdomains=False).match("/a", "GET") is None
    with pytest.raises(RequestRedirect):
        url_map.bind("localhost", path_info="/a").match()


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "POST"])
@pytest.mark.parametrize("options", [{}, {"data": b"x"}], ids=["no body", "body"])
def test_a_request_that_simply_matches_is_not_matched_by_werkzeug(
    monkeypatch: pytest.MonkeyPatch, method: str, options: dict[str, Any]
) -> None:
    app = Flask(__name__)

    @app.route("/<int:number>", methods=["GET", "POST", "DELETE"])
    def view(number: int) -> str:
        return str(number)

    monkeypatch.setattr(MapAdapter, "match", None)
    assert app.test_client().open("/5", method=method, **options).status_code == 200
