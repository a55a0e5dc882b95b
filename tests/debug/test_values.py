"""Local values on the page: what they are, bounded in size and time, secrets left out."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

import jinja2
import pytest
from werkzeug.datastructures import Headers, MultiDict

from asyncflask import Flask
from asyncflask.config import Config
from asyncflask.debug import render_plain

from .pages import debug_threads, page_of, raised


def shown(**values: Any) -> dict[str, str]:
    """What the page shows for variables of those names and values."""

    def fail() -> NoReturn:
        raise ValueError

    source = "def fail(values):\n" + "".join(f"    {name} = values[{name!r}]\n" for name in values)
    source += "    del values\n    raise ValueError\n"
    names: dict[str, Any] = {}
    exec(compile(source, "/somewhere/app.py", "exec"), names)
    error = raised(lambda: names["fail"](values))
    assert error.__traceback__ is not None
    while error.__traceback__.tb_next is not None:
        error.__traceback__ = error.__traceback__.tb_next
    page = page_of(error)
    rows = list(zip(page.texts("th"), page.texts("td"), strict=True))
    return {name: text for name, text in rows if name in values or name == "…"}


@dataclass
class Account:
    name: str
    password: str


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (True, "True"),
        (17, "17"),
        ("text", "'text'"),
        (b"bytes", "b'bytes'"),
        (Decimal("1.5"), "Decimal('1.5')"),
        ((1,), "(1,)"),
        ((), "()"),
        ([1, "a", None], "[1, 'a', None]"),
        ({"a": {1}, "b": set()}, "{'a': {1}, 'b': set()}"),
        (frozenset({1}), "frozenset({1})"),
        (OrderedDict(a=1), "OrderedDict({'a': 1})"),
        (defaultdict(list, a=[1]), "defaultdict({'a': [1]})"),
        (deque([1]), "deque([1])"),
        (MultiDict([("a", "1"), ("a", "2")]), "MultiDict({'a': ['1', '2']})"),
        (Path("/x"), "PosixPath('/x')"),
        (ValueError("x"), "ValueError('x')"),
    ],
)
def test_values_look_as_in_python(value: object, text: str) -> None:
    assert shown(value=value)["value"].replace("WindowsPath", "PosixPath") == text


def test_values_are_those_of_the_applications_frames_only() -> None:
    def fail() -> None:
        local = "of the application"
        jinja2.Template("{{ value.x.y }}").render(value=local)

    page = page_of(raised(fail))
    values = zip(page.texts("th"), page.texts("td"), strict=True)
    assert sorted((name, text) for name, text in values if "of the app" in text) == [
        ("local", "'of the application'"),
        ("value", "'of the application'"),  # the template's
    ]
    assert "'of the app" not in render_plain(raised(fail))


def test_the_variables_of_a_template_are_shown() -> None:
    page = page_of(raised(lambda: jinja2.Template("{{ user.name.first }}").render(user={"age": 7})))
    assert "{'age': 7}" in page.texts("td")


# Size


class Wide:
    def __repr__(self) -> str:
        return "x" * 100_000_000


class TextOfItsOwn(str):
    def __repr__(self) -> str:
        return "y" * 10_000_000


@pytest.mark.parametrize(
    "make",
    [
        lambda: "x" * 50_000_000,
        lambda: b"x" * 50_000_000,
        lambda: range(10**9),
        lambda: list(range(5_000_000)),
        lambda: {number: number for number in range(1_000_000)},
        lambda: set(range(1_000_000)),
        lambda: 10**1_000_000,
        lambda: [[[[["x" * 10_000] * 50] * 50] * 50] * 50] * 50,
        lambda: {"x" * 1_000_000: "y" * 1_000_000},
        Wide,
        lambda: [Wide() for _ in range(3)],
        lambda: TextOfItsOwn("z" * 10_000_000),
    ],
)
def test_a_large_value_is_shortened_at_once(make: Callable[[], Any]) -> None:
    value = make()
    start = time.monotonic()
    text = shown(value=value)["value"]
    assert len(text) < 1_100
    assert time.monotonic() - start < 3


def test_many_variables_are_shortened() -> None:
    rows = shown(**{f"name{number}": "x" * 1_000 for number in range(300)})
    assert len(rows) == 41
    assert rows["…"] == "more than 40: the others are left out"


def test_what_contains_itself_ends() -> None:
    value: list[Any] = [1]
    value.append({"again": value})
    assert shown(value=value)["value"].startswith("[1, {'again': [1, {'again': […]}]}]")


# Classes that fight back


class Raises:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __repr__(self) -> str:
        raise self.error


class Recursive:
    def __repr__(self) -> str:
        return repr([self])


class NoText:
    def __repr__(self) -> str:
        return 17  # type: ignore[return-value]


class Liar:
    @property
    def __class__(self) -> Any:  # type: ignore[override]
        raise SystemExit(3)


class Meta(type):
    def __eq__(cls, other: object) -> bool:
        raise SystemExit(3)

    __hash__ = type.__hash__


class Odd(metaclass=Meta):
    pass


class OddDict(dict[str, Any]):
    def items(self) -> Any:
        raise SystemExit(3)

    def __len__(self) -> int:
        raise SystemExit(3)


@pytest.mark.parametrize("error", [ValueError(), SystemExit(1), KeyboardInterrupt(), RecursionError()])
def test_a_repr_that_raises(error: BaseException) -> None:
    rows = shown(before=1, value=Raises(error), after=2)
    assert rows == {
        "before": "1",
        "value": f"<Raises: its __repr__ raised {type(error).__name__}>",
        "after": "2",
    }


def test_classes_that_are_not_what_they_say() -> None:
    rows = shown(a=Recursive(), b=NoText(), c=Liar(), d=Odd(), e=OddDict(x=1))
    assert rows["a"] == "<Recursive: its __repr__ raised RecursionError>"
    assert rows["b"] == "<NoText: its __repr__ raised TypeError>"
    assert "Liar" in rows["c"]
    assert "Odd object" in rows["d"]
    assert rows["e"] == "OddDict({'x': 1})"


class Spins:
    def __repr__(self) -> str:
        while True:
            pass


class Waits:
    event = threading.Event()

    def __repr__(self) -> str:
        self.event.wait(60)
        return "at last"


class Slow:
    def __repr__(self) -> str:
        time.sleep(0.2)
        return "slow"


def test_a_repr_without_end() -> None:
    start = time.monotonic()
    rows = shown(first=Spins(), second=Waits(), third=17, fourth="good")
    assert time.monotonic() - start < 3
    assert rows == {
        "first": "<Spins: no time for its __repr__>",
        "second": "<Waits: no time for its __repr__>",
        "third": "17",
        "fourth": "'good'",
    }
    Waits.event.set()
    for thread in debug_threads():
        thread.join(10)  # what spins is interrupted, what waits ends by itself
    assert not debug_threads()


def test_many_slow_ones_do_not_add_up() -> None:
    start = time.monotonic()
    rows = shown(**{f"name{number}": Slow() for number in range(40)})
    assert time.monotonic() - start < 3
    assert rows["name0"] == "slow"
    assert rows["name39"] == "<Slow: no time for its __repr__>"


# Secrets


@pytest.mark.parametrize(
    "name",
    [
        *("password", "PASSWORD", "user_password", "passwd", "passphrase", "db_pass", "dbPass", "pwd"),
        *("secret", "client_secret", "SECRET_KEY", "token", "accessToken", "csrf_token", "jwt"),
        *("key", "api_key", "apikey", "private_key", "signature", "salt", "credentials"),
        *("authorization", "auth", "cookie", "cookies", "pin"),
    ],
)
def test_secrets_are_hidden_by_their_names(name: str) -> None:
    assert shown(**{name: "tell-nobody"}) == {name: "(hidden)"}
    nested = shown(value={"a": [{name: "tell-nobody", "b": 1}]})["value"]
    assert nested == f"{{'a': [{{{name!r}: (hidden), 'b': 1}}]}}"


@pytest.mark.parametrize("name", ["author", "authors", "monkey", "keyboard", "passenger", "spin", "compass"])
def test_names_that_are_none_of_a_secret(name: str) -> None:
    assert shown(**{name: "told"}) == {name: "'told'"}


def test_none_and_booleans_are_no_secrets() -> None:
    assert shown(token=None, has_key=True) == {"token": "None", "has_key": "True"}


@pytest.mark.parametrize(
    "value",
    [
        Account("joe", "tell-nobody"),
        [Account("joe", "tell-nobody")],
        Headers([("Authorization", "Bearer tell-nobody"), ("X-Api-Key", "tell-nobody")]),
        "postgresql://joe:tell-nobody@localhost/db",
        "token=tell-nobody&page=2",
        {"url": "https://joe:tell-nobody@example.org/"},
        "Authorization: Bearer tell-nobody",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ0ZWxsLW5vYm9keSJ9.tell-nobody",
        Config("/", {"SECRET_KEY": "tell-nobody", "MAIL_PASSWORD": b"tell-nobody"}),
        ValueError({"password": "tell-nobody"}),
    ],
)
def test_secrets_within_other_values_are_hidden(value: object) -> None:
    text = shown(value=value)["value"]
    assert "tell" not in text
    assert "(hidden)" in text


def test_a_secret_is_hidden_where_it_has_another_name_too() -> None:
    def check(text: str) -> None:
        raise ValueError("no")

    def fail() -> None:
        password = "".join(["tell-", "nobody"])
        check(password)

    page = page_of(raised(fail))
    rows = dict(zip(page.texts("th"), page.texts("td"), strict=True))
    assert rows["password"] == "(hidden)"
    assert rows["text"] == "'(hidden)'"


def test_the_session_and_configuration_of_an_application() -> None:
    app = Flask("values")
    app.secret_key = "tell-nobody"
    text = shown(app=app, config=app.config)
    assert "tell-nobody" not in str(text)
    assert "'DEBUG': False" in text["config"]
