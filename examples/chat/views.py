"""The pages, and the websocket of a room."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from werkzeug.routing import BaseConverter

from asyncflask import (
    Blueprint,
    Flask,
    abort,
    current_app,
    flash,
    redirect,
    render_template,
    request,
    session,
    url_for,
    websocket,
)
from asyncflask.typing import ResponseReturnValue

from .messages import MAX_NAME_LENGTH, MAX_TEXT_LENGTH, Pace, Unacceptable, order, take_draft, take_name
from .room import Room, Rooms

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
    rooms: Rooms = current_app.extensions["rooms"]
    after = websocket.args.get("after", "0-0")
    try:
        order(after)
    except ValueError:
        abort(400)
    async with rooms.visit(name, session["name"]) as room:
        await websocket.accept()
        async with asyncio.TaskGroup() as tasks:  # until the visitor leaves: then the view is cancelled
            tasks.create_task(tell(room.news(after)))
            tasks.create_task(listen(rooms, room))


async def tell(news: AsyncIterator[str]) -> None:
    """Send what there is. Who reads slowly is waited for."""
    async for line in news:
        await websocket.send(line)


async def listen(rooms: Rooms, room: Room) -> None:
    """Take what the visitor says."""
    pace = Pace(current_app.config["MESSAGES_PER_SECOND"], current_app.config["BURST"])
    async for data in websocket:
        await pace.wait()
        try:
            await rooms.post(room, take_draft(session["name"], data))
        except Unacceptable as error:
            await websocket.send_json(type="error", text=str(error))
