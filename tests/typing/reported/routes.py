"""Mistakes with views. Each line with an ``# error`` is to be reported, and no other."""

from dataclasses import dataclass

from asyncflask import Blueprint, Flask
from asyncflask.typing import ResponseReturnValue

app = Flask(__name__)
blueprint = Blueprint("blueprint", __name__)


@dataclass
class User:
    name: str


@app.get("/set")  # error
def a_set() -> set[int]:
    return {1}


@app.get("/nothing")  # error
def nothing() -> None: ...


@app.post("/nothing-async")  # error
async def nothing_async() -> None: ...


@app.route("/number")  # error
async def number() -> int:
    return 1


@blueprint.get("/dataclass")  # error
def dataclass_instance() -> User:
    return User("ada")


@app.get("/swapped")  # error
async def swapped() -> tuple[int, str]:
    return 404, "not found"


@app.get("/dict-of-numbers")  # error
def keys() -> dict[int, str]:
    return {1: "a"}


@app.get("/maybe")  # error
def maybe() -> str | None:
    return None


@app.get("/bool")  # error
def in_annotation() -> tuple[str, bool, int]:
    return "a", True, 1


def view_of_nothing() -> None: ...


app.add_url_rule("/added", view_func=view_of_nothing)  # error


def value() -> ResponseReturnValue:
    return 1.5  # error
