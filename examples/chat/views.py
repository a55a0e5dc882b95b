"""The pages, and the websocket of a room."""

from __future__ import annotations

import asyncio
import re
from functools import lru_cache
from urllib.parse import urlsplit

from werkzeug.routing import BaseConverter

from asyncflask import (
    Blueprint,
    Flask,
    abort,
    current_app,
    flash,
    json,
    redirect,
    render_template,
    request,
    session,
    url_for,
    websocket,
)
from asyncflask.channels import Message, pump
from asyncflask.typing import ResponseReturnValue

from .messages import MAX_NAME_LENGTH, MAX_TEXT_LENGTH, Pace, Unacceptable, take_message, take_name

#: The people of a room whose names are told; of more only the number is.
MAX_NAMES = 100

bp = Blueprint("chat", __name__)


class RoomConverter(BaseConverter):
    """The name of a room, in a URL."""

    regex = r"[\w-]{1,30}"


def init_app(app: Flask) -> None:
    app.url_map.converters["room"] = RoomConverter
    app.register_blueprint(bp)


@bp.route("/", methods=["GET", "POST"])
def enter() -> ResponseReturnValue:
    """Ask for a name and a room."""
    if request.method == "POST":
        try:
            room = take_room(request.form["room"])
            session["name"] = take_name(request.form["name"])
            return redirect(url_for("chat.room", name=room))
        except Unacceptable as error:
            flash(str(error))
    return render_template("enter.html", max_name_length=MAX_NAME_LENGTH)


def take_room(name: str) -> str:
    """The name of a room, spaces become dashes.

    :raises Unacceptable: when it is none.
    """
    name = "-".join(name.split())
    if not re.fullmatch(RoomConverter.regex, name):
        raise Unacceptable("The name of a room has 1 to 30 letters, digits and dashes.")
    return name


@bp.get("/rooms/<room:name>")
def room(name: str) -> ResponseReturnValue:
    """The page of a room. Its messages come by the websocket."""
    if "name" not in session:
        return redirect(url_for("chat.enter", room=name))
    return render_template("room.html", name=name, max_text_length=MAX_TEXT_LENGTH)


@bp.before_websocket
def check_origin() -> None:
    """Refuse the pages of other sites: a browser lets them connect, and sends our cookie along."""
    if websocket.origin and urlsplit(websocket.origin).netloc != websocket.host:
        abort(403)


@bp.websocket("/rooms/<room:name>/messages")
async def messages(name: str) -> None:
    """A visit to a room. ``after`` in the query is the id of the last message that the browser has."""
    if "name" not in session:
        abort(403)
    channels, visitor = current_app.channels, session["name"]
    pace = Pace(current_app.config["MESSAGES_PER_SECOND"], current_app.config["BURST"])

    async def take(data: str | bytes) -> None:
        await pace.wait()
        try:
            await channels.publish(name, take_message(visitor, data))
        except Unacceptable as error:
            await websocket.send_json(type="error", text=str(error))

    async with channels.presence(name).track(visitor):
        last = await replay(name, websocket.args.get("after", "0"))
        async with channels.subscribe(name, after=last) as news, asyncio.TaskGroup() as tasks:
            people = tasks.create_task(tell_people(name))
            await pump(news, take, line)
            people.cancel()


async def replay(name: str, after: str) -> str:
    """Send what has been said in a room after a message, and "ready" when that is all; the id of the last."""
    while old := await current_app.channels.history(name, after=after):
        for message in old:
            await websocket.send(line(message))
        after = old[-1].id
    await websocket.send_json(type="ready")
    return after


@lru_cache(maxsize=100)
def line(message: Message) -> str:
    """What browsers are sent of a message; made once for all of them."""
    return json.dumps({**message.data, "id": message.id})


async def tell_people(name: str) -> None:
    """Send who is in a room, whenever that has changed."""
    names: list[str] | None = None
    async for people in current_app.channels.presence(name).watch():
        if names != sorted(people, key=str.casefold):
            names = sorted(people, key=str.casefold)
            await websocket.send_json(type="people", names=names[:MAX_NAMES], count=len(names))
