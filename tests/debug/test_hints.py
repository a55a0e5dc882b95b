"""What is added to the message of an exception: the name that was meant, the folders that were searched."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import pytest

from asyncflask import Flask, render_template, render_template_string, request
from tests.debug.pages import Page, page_of, raised
from tests.lifecycle.server import APP_NAME, Server

MODULE = """
import math
import json
import os

settings = {"colour": 1, "size": 2}
several_names = 1

class Thing:
    known = 1
    def __init__(self):
        self.table = {"first": 1}
    def method(self):
        return known
    def key(self):
        return self.table["frist"]

def failing():
    first_name = "x"
    numbers = {"one": 1, 2: 2}
    thing = Thing()
    %s
"""


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("frst_name", "Did you mean 'first_name'?"),
        ("First_Name", "Did you mean 'first_name'?"),
        ("severalnames", "Did you mean 'several_names'?"),
        ("pritn()", "Did you mean 'print'?"),
        ("fractions.Fraction(1)", "Did you forget to import 'fractions'?"),
        ("severalnames, jsonn", "Did you mean 'several_names'?"),
        ("thing.method()", "Did you mean 'self.known'?"),
        ("nothing_like_it_at_all", ""),
        ("thing.knwn", "Did you mean 'known'?"),
        ("'text'.uper()", "Did you mean 'upper'?"),
        ("math.sqr(4)", "Did you mean 'sqrt'?"),
        ("thing.zzzzz", ""),
        ("from math import sqrrt", "Did you mean 'sqrt'?"),
        ("from json import dmps", "Did you mean 'dumps'?"),
        ("import jsno", "Did you mean 'json'?"),
        ("import json.decodr", "Did you mean 'decoder'?"),
        ("import nothing_like_it_at_all", ""),
        ("numbers['oen']", "Did you mean 'one'?"),
        ("settings['color']", "Did you mean 'colour'?"),
        ("thing.key()", "Did you mean 'first'?"),
        ("os.environ['PAHT']", "Did you mean 'PATH'?"),
        ("numbers[3]", ""),
        ("{'one': 1}.pop('oen')", ""),  # of which nobody knows where it came from
        ("1 / 0", ""),
    ],
)
def test_the_name_that_was_meant(code: str, hint: str, tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(MODULE % code)
    names: dict[str, Any] = {"__name__": "module"}
    exec(compile(path.read_text(), path, "exec"), names)
    page = page_of(raised(names["failing"]))
    assert page.texts("p", "hint") == ([hint] if hint else [])
    text = page.texts("pre")[-1]
    assert text.rstrip().endswith(f"\n{hint}" if hint else "Error" + text.rstrip().rpartition("Error")[2])


def test_objects_that_will_not_tell_their_names() -> None:
    class Silent:
        def __dir__(self) -> Any:
            raise SystemExit(3)

    class Endless:
        def __dir__(self) -> Any:
            while True:
                pass

    for thing in (Silent(), Endless()):
        assert page_of(raised(lambda thing=thing: thing.name)).texts("p", "hint") == []  # type: ignore[misc]


def test_a_variable_that_a_template_does_not_have() -> None:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    error = raised(lambda: environment.from_string("{{ usr }}").render(user="joe"))
    assert page_of(error).texts("p", "hint") == ["Did you mean 'user'?"]


def test_names_of_many_objects_do_not_take_long() -> None:
    names = SimpleNamespace(**{f"name{number}" * 20: 1 for number in range(50_000)})
    error = raised(lambda: names.nam3)
    assert page_of(error).texts("h1") == ["AttributeError"]


# Those that need the application


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    (tmp_path / "templates" / "users").mkdir(parents=True)
    (tmp_path / "templates" / "index.html").write_text("{{ usr.name }}")
    (tmp_path / "templates" / "users" / "profile.html").write_text("x")
    app = Flask(APP_NAME, root_path=str(tmp_path))
    app.debug = True
    app.add_url_rule("/template", view_func=lambda: render_template(request.args["name"]), endpoint="t")
    app.add_url_rule(
        "/templates", view_func=lambda: render_template(["one.html", "indx.html"]), endpoint="several"
    )
    app.add_url_rule("/form", view_func=lambda: request.form["naem"], methods=["POST"], endpoint="form")
    return app


def hints(app: Flask, method: str, path: str, **options: Any) -> str:
    with Server(app) as server:
        headers = {"Accept": "text/html", **options.pop("headers", {})}
        response = server.request(method, path, headers=headers, **options)
    assert response.status == 500
    return "\n".join(Page(response.body.decode()).texts("p", "hint"))


def test_a_template_that_is_not_there(app: Flask) -> None:
    folder = os.path.join(app.root_path, "templates")
    searched = f"It was looked for in:\n  {folder}  ({APP_NAME})"
    assert hints(app, "GET", "/template?name=indx.html") == f"Did you mean 'index.html'?\n{searched}"
    assert hints(app, "GET", "/template?name=profile.html") == (
        f"Did you mean 'users/profile.html'?\n{searched}"
    )
    assert hints(app, "GET", "/template?name=zzz") == searched
    assert hints(app, "GET", "/templates") == f"Did you mean 'index.html'?\n{searched}"


def test_a_loader_that_does_not_know_what_it_has(app: Flask) -> None:
    app.jinja_loader = jinja2.FunctionLoader(lambda name: None)  # type: ignore[misc]
    assert hints(app, "GET", "/template?name=x") == f"It was looked for in:\n  FunctionLoader  ({APP_NAME})"


def test_a_folder_of_templates_that_is_not_there(app: Flask, tmp_path: Path) -> None:
    empty = Flask(APP_NAME, root_path=str(tmp_path / "elsewhere"))
    empty.debug = True
    empty.add_url_rule("/", view_func=lambda: render_template("index.html"), endpoint="index")
    found = hints(empty, "GET", "/")
    assert str(tmp_path / "elsewhere" / "templates") in found
    assert found.endswith("There are no templates in them.")


def test_a_value_that_the_client_has_not_sent(app: Flask) -> None:
    form = {"headers": {"Content-Type": "application/x-www-form-urlencoded"}, "body": b"name=x&age=7"}
    assert hints(app, "POST", "/form", **form) == ("Did you mean 'name'? The client has sent: 'name', 'age'.")
    assert hints(app, "POST", "/form") == "The client has sent no such values at all."


def test_an_undefined_variable_of_a_view(app: Flask) -> None:
    @app.get("/strict")
    def strict() -> str:
        app.jinja_env.undefined = jinja2.StrictUndefined
        return render_template_string("{{ usr }}", user="joe")

    assert hints(app, "GET", "/strict") == "Did you mean 'user'?"


def test_json_has_the_hint_too(app: Flask) -> None:
    with Server(app) as server:
        response = server.get("/template?name=indx.html", headers={"Accept": "application/json"})
    error = json.loads(response.body)["error"]
    assert error["type"] == "jinja2.exceptions.TemplateNotFound"
    assert error["hint"].startswith("Did you mean 'index.html'?")
