"""Cookies are itsdangerous's, whichever of the two has signed them."""

from __future__ import annotations

import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer

from asyncflask.json.tag import TaggedJSONSerializer
from asyncflask.signing import CookieSerializer, compress, is_dense, sha1

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner)
)
NOW = 1_700_000_000


def pair(
    monkeypatch: pytest.MonkeyPatch, keys: Any = "key"
) -> tuple[CookieSerializer, URLSafeTimedSerializer]:
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda self: NOW)
    options: dict[str, Any] = {
        "salt": "cookie-session",
        "serializer": TaggedJSONSerializer(),
        "signer_kwargs": {"key_derivation": "hmac", "digest_method": sha1},
    }
    return CookieSerializer(keys, **options), URLSafeTimedSerializer(keys, **options)


@pytest.fixture(scope="module")
def both() -> Any:
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield pair(monkeypatch)


@given(value=values)
def test_the_same_bytes(both: Any, value: Any) -> None:
    ours, theirs = both
    cookie = theirs.dumps(value)
    assert ours.dumps(value) == cookie
    assert ours.loads(cookie, max_age=10) == theirs.loads(cookie, max_age=10)


@given(value=values, at=st.integers(0), change=st.binary(min_size=1, max_size=3))
def test_what_is_no_cookie_raises_what_itsdangerous_raises(
    both: Any, value: Any, at: int, change: bytes
) -> None:
    ours, theirs = both
    cookie = theirs.dumps(value).encode()
    at %= len(cookie)
    changed = cookie[:at] + change + cookie[at + 1 :]
    outcomes = []
    for serializer in (ours, theirs):
        try:
            outcomes.append(repr(serializer.loads(changed, max_age=10)))
        except Exception as error:
            outcomes.append(repr(error))
    assert outcomes[0] == outcomes[1]


def test_age(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pair(monkeypatch)
    cookie = theirs.dumps({"a": 1})
    for age in (-1, 0, 9, 10, 11):
        monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda self, age=age: NOW + age)
        if 0 <= age <= 10:
            assert ours.loads(cookie, max_age=10) == {"a": 1}
        else:
            with pytest.raises(BadData):
                ours.loads(cookie, max_age=10)


def test_rotated_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    old, _ = pair(monkeypatch, "old")
    new, theirs = pair(monkeypatch, ["old", "new"])
    assert new.loads(old.dumps({"a": 1}), max_age=10) == {"a": 1}
    assert new.dumps({"a": 1}) == theirs.dumps({"a": 1})
    with pytest.raises(BadData):
        old.loads(new.dumps({"a": 1}), max_age=10)


texts = st.binary(max_size=800) | st.text('{}":,0123456789abcdef', max_size=800).map(str.encode)


@given(text=texts)
def test_compressing_with_little_memory(text: bytes) -> None:
    assert zlib.decompress(compress(text)) == text
    # A match that a hash collision hides, once in a long while, costs next to nothing.
    assert abs(len(compress(text)) - len(zlib.compress(text))) <= 2


@given(text=texts | st.binary(max_size=40))
def test_what_is_not_compressed_would_not_be_shorter(text: bytes) -> None:
    assert not is_dense(text) or len(zlib.compress(text)) >= len(text) - 1


def test_a_long_session_is_compressed_as_by_itsdangerous(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pair(monkeypatch)
    for size in (1, 5, 20, 60, 200):
        value = {"_user_id": "17", "cart": list(range(size)), "csrf_token": "0123456789abcdef" * 2}
        assert ours.dumps(value) == theirs.dumps(value)
        assert ours.loads(theirs.dumps(value), max_age=10) == value
