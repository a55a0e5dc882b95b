"""An exception as a page and as plain text."""

from __future__ import annotations

import json
import linecache
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from asyncflask.debug import render_plain, render_traceback

from .pages import Page, page_of, raised, scope_of

EVIL = "<script>alert('x')</script><b class=\"y\">&amp;"
BOUND = 2_000_000  # characters; the largest page may have this many


TAGS = {
    *("html", "head", "meta", "link", "title", "style", "body", "header", "main", "footer", "section"),
    *("h1", "h2", "p", "b", "i", "code", "pre", "span", "mark", "details", "summary"),
    *("table", "tr", "th", "td", "button", "script"),
}
ATTRIBUTES = {"lang", "charset", "name", "content", "rel", "href", "class", "open", "title", "scope"}
ATTRIBUTES |= {"nonce", "hidden", "type"}


# The page


def test_head_names_the_exception_and_the_request() -> None:
    scope = scope_of("/posts/1", method="POST", query_string=b"page=2")
    page = page_of(raised(ValueError("no such post\nat all")), scope)
    assert page.texts("title") == ["ValueError: no such post"]
    assert page.texts("h1") == ["ValueError"]
    assert page.texts("p", "message") == ["no such post\nat all"]
    assert page.texts("p", "request") == ["POST /posts/1?page=2"]
    assert str(Path(__file__).with_name("pages.py")) in page.texts("p", "where")[0]


def test_type_is_named_with_its_module() -> None:
    error = raised(lambda: json.loads("{"))
    assert page_of(error).texts("h1") == ["json.decoder.JSONDecodeError"]
    assert "\njson.decoder.JSONDecodeError: Expecting" in render_plain(error)


def test_source_has_five_lines_either_side_and_marks_the_failing_part(tmp_path: Path) -> None:
    lines = [f"# before {number}" for number in range(1, 9)]
    lines += ["values = {'ünï': [1]}; print(values['ünï'][4])"]
    lines += [f"# after {number}" for number in range(1, 9)]
    path = tmp_path / "app.py"
    path.write_text("\n".join(lines), encoding="utf-8")
    error = raised(lambda: exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), {}))

    source = page_of(error).texts("pre")[-2]  # the last is the plain text
    assert source.splitlines() == [f"{number}{lines[number - 1]}" for number in range(4, 15)]
    assert page_of(error).texts("span", "failing")[-1] == f"9{lines[8]}\n"
    assert page_of(error).texts("mark")[-1] == "values['ünï'][4]"


def test_frames_of_the_application_are_open_and_those_of_libraries_folded() -> None:
    page = page_of(raised(lambda: json.loads("{")))
    frames = [attributes for name, attributes, _ in page.elements if name == "details"]
    own = [frame for frame in frames if frame.get("class") == "own"]
    library = [frame for frame in frames if frame.get("class") == "library"]
    assert own
    assert all("open" in frame for frame in own)
    assert len(library) == 3
    assert not any("open" in frame for frame in library)
    assert page.texts("details", "libraries")[0].lstrip().startswith("3 library frames json")


def test_the_raising_frame_is_open_where_all_are_of_libraries() -> None:
    error = raised(lambda: json.loads("{"))
    while error.__traceback__ is not None and "json" not in error.__traceback__.tb_frame.f_code.co_filename:
        error.__traceback__ = error.__traceback__.tb_next
    frames = [
        attributes for _, attributes, _ in page_of(error).elements if attributes.get("class") == "library"
    ]
    assert ["open" in frame for frame in frames] == [False, False, True]


def test_cause_and_context_are_shown_newest_first() -> None:
    def fail() -> None:
        try:
            try:
                {}["key"]  # type: ignore[index]
            except KeyError:
                raise ValueError("in the handler")  # noqa: B904
        except ValueError as error:
            raise RuntimeError("in the end") from error

    error = raised(fail)
    page = page_of(error)
    assert page.texts("h1") == ["RuntimeError"]
    assert page.texts("h2")[:2] == ["ValueError", "KeyError"]
    assert page.texts("p", "role") == ["caused by", "raised while handling"]

    plain = render_plain(error)
    positions = [
        plain.index("KeyError: 'key'"),
        plain.index("While the exception above was handled"),
        plain.index("ValueError: in the handler"),
        plain.index("direct cause"),
        plain.index("RuntimeError: in the end"),
    ]
    assert positions == sorted(positions)


def test_suppressed_context_is_not_shown() -> None:
    def fail() -> None:
        try:
            raise KeyError("hidden one")
        except KeyError:
            raise ValueError("shown") from None

    error = raised(fail)
    assert "KeyError" not in "".join(page_of(error).texts("h2"))
    assert "KeyError: " not in render_plain(error)


def test_a_chain_that_bites_its_tail_ends() -> None:
    first, second = raised(ValueError("first")), raised(KeyError("second"))
    first.__cause__, second.__cause__ = second, first
    assert page_of(first).texts("h2")[:1] == ["KeyError"]
    assert render_plain(first).count("ValueError: first") == 1


def test_groups_show_their_members_with_notes_and_chains() -> None:
    inner = ValueError("of the inner")
    inner.add_note("a note\nof two lines")
    inner.__cause__ = raised(OSError("the cause"))
    error = raised(ExceptionGroup("outer", [KeyError("a"), ExceptionGroup("inner", [inner])]))

    page = page_of(error)
    assert [text.lstrip()[:19] for text in page.texts("details", "member")] == [
        "1 of 2 in the group",
        "2 of 2 in the group",
        "1 of 1 in the group",
    ]
    assert page.texts("h2")[:4] == ["KeyError", "ExceptionGroup", "ValueError", "OSError"]
    assert page.texts("p", "note") == ["a note\nof two lines"]
    plain = render_plain(error)
    assert "  |   | ValueError: of the inner\n  |   | a note\n  |   | of two lines\n" in plain
    assert "OSError: the cause" in plain


def test_an_exception_that_was_never_raised() -> None:
    assert "It has no frames" in page_of(ValueError("x")).texts("p", "cut")[0]
    assert render_plain(ValueError("x")) == "ValueError: x\n"


def test_a_syntax_error_shows_the_line_the_parser_met(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("fine = 1\ndef broken(:\n    pass\n")
    error = raised(lambda: compile(path.read_text(), str(path), "exec"))
    page = page_of(error)
    assert page.texts("span", "failing")[-1] == "2def broken(:\n"
    assert f'File "{path}", line 2\n    def broken(:\n' in render_plain(error)

    error = raised(lambda: compile("also broken", "<nowhere>", "exec"))
    assert page_of(error).texts("span", "failing")[-1] == "1also broken\n"


def test_an_error_in_a_template_shows_the_template(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<p>\n{{ missing.attribute }}\n</p>\n")
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(tmp_path))
    error = raised(lambda: environment.get_template("page.html").render())
    page = page_of(error)
    assert "2{{ missing.attribute }}\n" in page.texts("details", "own")[-1]
    where = page.texts("p", "where")[0]
    assert where.startswith("raised at jinja2/environment.py line")
    assert where.endswith(f"called from {tmp_path / 'page.html'} line 2 in top-level template code")
    assert "in top-level template code" in render_plain(error)


def test_the_page_needs_no_other_file_and_what_a_script_is_for_is_hidden_without_one() -> None:
    html = render_traceback(raised(ValueError("x")), scope_of())
    page = Page(html)
    assert page.tags <= TAGS
    assert page.attributes <= ATTRIBUTES
    assert [attributes for tag, attributes, _ in page.elements if tag == "button"] == [
        {"type": "button", "class": "copy-text"}
    ]
    assert [attributes for tag, attributes, _ in page.elements if attributes.get("class") == "tools"] == [
        {"class": "tools", "hidden": None}
    ]
    assert [attributes["href"] for _, attributes, _ in page.elements if "href" in attributes] == ["data:,"]
    assert "url(" not in html
    assert "prefers-color-scheme: dark" in html


def test_plain_text_on_the_page_is_that_of_render_plain() -> None:
    error = raised(lambda: json.loads("{"))
    assert page_of(error).texts("pre")[-1].strip() == render_plain(error).strip()


# What must not be shown


def test_headers_are_shown_but_for_secrets() -> None:
    page = page_of(
        raised(ValueError("x")),
        scope_of(
            "/",
            (b"host", b"example.org"),
            (b"Cookie", b"session=tell-nobody"),
            (b"authorization", b"Bearer tell-nobody"),
            (b"x-csrf-token", b"tell-nobody"),
        ),
    )
    rows = page.table("Request headers")
    assert rows == {
        "host": "example.org",
        "Cookie": "(hidden)",
        "authorization": "(hidden)",
        "x-csrf-token": "(hidden)",
    }


def test_everything_is_escaped(tmp_path: Path) -> None:
    path = tmp_path / 'a<b>"&.py'
    path.write_text(f"# {EVIL}\nraise error\n")
    error = type(f"Error{EVIL}", (Exception,), {"__module__": EVIL})(EVIL)
    error.add_note(EVIL)
    error.__cause__ = ValueError(Markup(EVIL))  # its str() is a Markup, which claims to be safe
    code = compile(path.read_text(), str(path), "exec").replace(co_name=EVIL)
    raised(lambda: exec(code, {"error": error}))
    scope = scope_of(
        f"/{EVIL}",
        (EVIL.encode(), EVIL.encode()),
        query_string=EVIL.encode(),
        method=EVIL,
    )
    html = render_traceback(error, scope)
    page = Page(html)
    assert page.tags <= TAGS
    assert page.attributes <= ATTRIBUTES
    assert html.count("<script") == len(page.texts("script")) == 1
    assert "alert" not in page.texts("script")[0]
    assert page.texts("p", "message") == [EVIL, EVIL]
    assert page.texts("p", "note") == [EVIL]
    assert page.table("Request headers") == {EVIL: EVIL}
    assert page.texts("p", "request") == [f"{EVIL} /{EVIL}?{EVIL}"]
    assert f"1# {EVIL}\n" in page.texts("span", "line")


@settings(max_examples=100, deadline=None)
@given(text=st.text(), raw=st.binary(max_size=50))
def test_any_text_is_shown_as_text(text: str, raw: bytes) -> None:
    error = ValueError(text)
    error.add_note(text)
    html = render_traceback(error, scope_of(text, (raw, raw), query_string=raw))
    html.encode()
    page = Page(html)
    assert page.tags <= TAGS
    assert page.attributes <= ATTRIBUTES
    plain = render_plain(error)
    plain.encode()
    assert all(character.isprintable() or character in "\t\n" for character in plain)


def test_control_characters_do_not_reach_a_terminal() -> None:
    plain = render_plain(ValueError("\x1b[2J\r\x07 \ud800 \u202e é"))
    assert plain == "ValueError: \\x1b[2J\\r\\x07 \\ud800 \\u202e é\n"


# Exceptions that fight back


class Unprintable(Exception):
    def __init__(self, failure: BaseException) -> None:
        self.failure = failure

    def __str__(self) -> str:
        raise self.failure

    __repr__ = __str__


@pytest.mark.parametrize("failure", [ValueError("x"), SystemExit(3), KeyboardInterrupt(), RecursionError()])
def test_messages_and_notes_that_cannot_be_printed(failure: BaseException) -> None:
    error = raised(Unprintable(failure))
    error.__notes__ = [Unprintable(failure), "a good note"]  # type: ignore[list-item]
    page = page_of(error)
    assert page.texts("p", "message") == ["<no text: __str__ failed>"]
    assert page.texts("p", "note") == ["<no text: __str__ failed>", "a good note"]
    assert page.texts("details", "own")
    assert "a good note" in render_plain(error)


@pytest.mark.parametrize("notes", [None, 7, "text", object(), [None, 7]])
def test_notes_that_are_no_list_of_strings(notes: object) -> None:
    error = raised(ValueError("x"))
    error.__notes__ = notes  # type: ignore[assignment]
    assert str(notes if not isinstance(notes, list) else 7) in page_of(error).texts("p", "note")


class Nameless(type):
    @property
    def __module__(cls) -> str:  # type: ignore[override]
        raise RuntimeError("no module")


def test_a_type_that_will_not_say_its_name() -> None:
    error = raised(Nameless("Odd", (Exception,), {})("message"))
    assert page_of(error).texts("h1") == ["exception without a name"]
    assert "message" in render_plain(error)


def test_source_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "gone.py"
    path.write_text("\n" * 20 + "raise ValueError('x')\n")
    code = compile(path.read_text(), str(path), "exec")
    path.write_text("# shorter now\n")
    for _ in range(2):  # the file shortened, then gone
        page = page_of(raised(lambda: exec(code, {})))
        assert page.texts("p", "nosource") == [f"{path} line 21 in <module> no source"]
        path.unlink(missing_ok=True)
        linecache.clearcache()


def test_a_loader_that_fails() -> None:
    class Loader:
        def get_source(self, name: str) -> str:
            raise RuntimeError("no source from here")

    names = {"__name__": "elsewhere", "__loader__": Loader()}
    error = raised(lambda: exec(compile("raise ValueError('x')", "elsewhere.py", "exec"), names))
    assert page_of(error).texts("p", "nosource") == ["elsewhere.py line 1 in <module> no source"]


def test_group_that_hides_its_members_falls_back() -> None:
    class Odd(ExceptionGroup[Exception]):
        @property
        def exceptions(self) -> Any:
            raise RuntimeError("not for you")

    error = raised(Odd("the message", [ValueError()]))
    for text in (render_traceback(error, scope_of()), render_plain(error)):
        assert "the message" in text
        assert "RuntimeError: not for you" in text


@pytest.mark.parametrize(
    "scope",
    [{}, {"headers": None}, {"headers": [1]}, {"path": None, "query_string": 3}, {"headers": [(b"a",)]}],
)
def test_scopes_that_are_none(scope: dict[str, Any]) -> None:
    assert "ValueError" in render_traceback(raised(ValueError("x")), scope)


# Bounds


def test_deep_recursion_loses_its_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    def down(levels: int) -> None:
        if levels == 0:
            raise ValueError("at the bottom")
        down(levels - 1)

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    try:
        error = raised(lambda: down(5_000))
    finally:
        sys.setrecursionlimit(limit)
    page = page_of(error)
    assert page.texts("p", "cut")[0] == "4963 frames left out"
    assert len(page.texts("details", "own")) == 40
    assert 'raise ValueError("at the bottom")' in page.texts("span", "failing")[-1]
    assert "  [4963 frames left out]\n" in render_plain(error)
    assert len(render_plain(error)) < 10_000


def long_chain() -> BaseException:
    error = raised(ValueError("the root"))
    for number in range(1_000):
        newer = raised(ValueError(f"link {number}"))
        newer.__context__ = error
        error = newer
    return error


def nested_groups() -> BaseException:
    error: Exception = ValueError("innermost")
    for _ in range(200):
        error = ExceptionGroup("level", [error])
    return error


def wide_and_deep() -> BaseException:
    def group(depth: int) -> Exception:
        if depth == 0:
            return ValueError("leaf")
        error = raised(ExceptionGroup("level", [group(depth - 1) for _ in range(12)]))
        assert isinstance(error, Exception)
        error.__cause__ = long_chain()
        return error

    return group(2)


def wide_source() -> BaseException:
    module = ModuleType("wide")
    lines = [f"# {'<' * 10_000}" for _ in range(10)]
    source = "\n".join([*lines, "def f(n): return f(n - 1) if n else 1 / 0", *lines])

    class Loader:
        def get_source(self, name: str) -> str:
            return source

    module.__dict__.update(__name__="wide", __loader__=Loader())
    exec(compile(source, "wide.py", "exec"), module.__dict__)
    return raised(lambda: module.f(200))


def many_notes() -> BaseException:
    error = ValueError("x" * 10_000_000)
    for _ in range(1_000):
        error.add_note("y" * 10_000)
    return error


@pytest.mark.parametrize(
    "make",
    [
        long_chain,
        nested_groups,
        wide_and_deep,
        wide_source,
        many_notes,
        lambda: ExceptionGroup("wide", [ValueError(number) for number in range(10_000)]),
        lambda: type("N" * 100_000, (Exception,), {})(),
    ],
)
def test_size_is_bounded(make: Callable[[], BaseException]) -> None:
    error = make()
    headers = [(b"x" * 10_000, b"y" * 10_000)] * 1_000
    html = render_traceback(error, scope_of("/" + "z" * 1_000_000, *headers))
    assert "cannot be shown here" not in html
    assert len(html) < BOUND
    assert len(render_plain(error)) < BOUND


def test_a_long_chain_keeps_both_its_ends() -> None:
    error = long_chain()
    for text in (render_traceback(error, scope_of()), render_plain(error)):
        assert "the root" in text
        assert "link 999" in text
        assert "989 exceptions of the chain left out" in text


def test_a_wide_group_says_how_many_it_leaves_out() -> None:
    error = ExceptionGroup("wide", [ValueError(number) for number in range(100)])
    assert "88 exceptions of the group left out" in page_of(error).texts("p", "cut")
    assert "[88 of 100 in the group left out]" in render_plain(error)
