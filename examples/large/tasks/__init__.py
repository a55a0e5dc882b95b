"""The tasks of who is logged in: pages in ``def``, with Flask-SQLAlchemy, and in ``async def``."""

from __future__ import annotations

from flask_login import current_user, login_required
from sqlalchemy import func, select
from werkzeug.exceptions import NotFound

from asyncflask import Blueprint, Flask, flash, redirect, render_template, request, url_for
from asyncflask.typing import ResponseReturnValue

from ..database import async_session
from ..extensions import db
from ..models import Task

tasks = Blueprint("tasks", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(tasks)


@tasks.before_request
@login_required
def only_for_users() -> None:
    """Everything here is for users that are logged in."""


@tasks.get("/")
def index() -> ResponseReturnValue:
    """Sync: Flask-SQLAlchemy, in a worker thread."""
    query = select(Task).filter_by(owner_id=current_user.id).order_by(Task.done, Task.id)
    return render_template("tasks.html", tasks=db.session.scalars(query).all())


@tasks.post("/")
def add() -> ResponseReturnValue:
    text = request.form["text"].strip()
    if text:
        db.session.add(Task(text=text[:200], owner_id=current_user.id))
        db.session.commit()
        flash("Added.")
    return redirect(url_for(".index"))


@tasks.post("/<int:task_id>/done")
async def toggle(task_id: int) -> ResponseReturnValue:
    """Async: the same tables, on the event loop."""
    async with async_session() as session, session.begin():
        task = await session.get(Task, task_id)
        if task is None or task.owner_id != current_user.id:
            raise NotFound
        task.done = not task.done
    return redirect(url_for(".index"))


@tasks.get("/numbers")
async def numbers() -> ResponseReturnValue:
    """How many there are, as JSON."""
    query = select(Task.done, func.count()).filter_by(owner_id=current_user.id).group_by(Task.done)
    async with async_session() as session:
        counted = {row[0]: row[1] for row in await session.execute(query)}
    return {"done": counted.get(True, 0), "open": counted.get(False, 0)}
