"""The pages of the blog: the list, a post, and the forms that write, change and delete one."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from werkzeug.datastructures import FileStorage

from asyncflask import (
    Blueprint,
    Flask,
    abort,
    current_app,
    flash,
    g,
    redirect,
    render_template,
    request,
    send_from_directory,
    url_for,
)
from asyncflask.typing import ResponseReturnValue

from .auth import login_required
from .db import get_db, now
from .uploads import NotAnImage, remove_image, save_image

MAX_TITLE_LENGTH = 120
COLUMNS = "post.*, user.name as author"
MAX_SEARCH_LENGTH = 100
ONE_YEAR = 365 * 24 * 60 * 60
POST_PATH = f"/<int(max={2**63 - 1}):post_id>"  # SQLite's largest integer: a larger one is no post

bp = Blueprint("posts", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)


@dataclass(frozen=True)
class Post:
    """A row of the table with its author's name, and its moments as moments."""

    id: int
    author_id: int
    author: str
    title: str
    body: str
    created: datetime
    updated: datetime | None
    image: str | None

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Post:
        fields: dict[str, Any] = dict(row)
        fields["created"] = datetime.fromisoformat(fields["created"])
        if fields["updated"]:
            fields["updated"] = datetime.fromisoformat(fields["updated"])
        return cls(**fields)


@dataclass(frozen=True)
class Page:
    """One page of a longer list. Pages are counted from 1."""

    posts: list[Post]
    number: int
    total: int

    @property
    def previous(self) -> int | None:
        return self.number - 1 if self.number > 1 else None

    @property
    def next(self) -> int | None:
        return self.number + 1 if self.number < self.total else None


def searched_words() -> str:
    """What is searched for by the query string of this request; empty for nothing."""
    return request.args.get("q", "").strip()[:MAX_SEARCH_LENGTH]


def like(words: str) -> str:
    """A pattern for SQL's LIKE (with ``escape '!'``) that finds `words` anywhere, as they are."""
    for special in "!%_":
        words = words.replace(special, "!" + special)
    return f"%{words}%"


def load_page(number: int, words: str) -> Page:
    """The posts that contain `words`, newest first; a page that does not exist is a 404."""
    db, size = get_db(), current_app.config["POSTS_PER_PAGE"]
    where = "where title like :words escape '!' or body like :words escape '!'" if words else ""
    values = {"words": like(words), "limit": size, "offset": (number - 1) * size}
    count = db.execute(f"select count(*) from post {where}", values).fetchone()[0]
    total = max(1, -(-count // size))
    if not 1 <= number <= total:
        abort(404)
    rows = db.execute(
        f"select {COLUMNS} from post join user on user.id = author_id {where}"
        " order by created desc, post.id desc limit :limit offset :offset",
        values,
    )
    return Page([Post.from_row(row) for row in rows], number, total)


def load_post(post_id: int, *, to_change: bool = False) -> Post:
    """One post; a 404 if there is none, with `to_change` a 403 for everyone but its author."""
    row = (
        get_db()
        .execute(f"select {COLUMNS} from post join user on user.id = author_id where post.id = ?", (post_id,))
        .fetchone()
    )
    if row is None:
        abort(404, "There is no such post.")
    post = Post.from_row(row)
    if to_change and post.author_id != g.user["id"]:
        abort(403, "Only its author can change a post.")
    return post


@bp.route("/")
def index() -> ResponseReturnValue:
    words = searched_words()
    page = load_page(request.args.get("page", 1, type=int), words)
    return render_template("posts/index.html", page=page, words=words)


@bp.route(POST_PATH)
def show(post_id: int) -> ResponseReturnValue:
    return render_template("posts/show.html", post=load_post(post_id))


@bp.route("/images/<name>")
def image(name: str) -> ResponseReturnValue:
    """A picture from the instance folder. Its name is never used again, so browsers may keep it."""
    return send_from_directory(current_app.config["UPLOAD_FOLDER"], name, max_age=ONE_YEAR)


@bp.route("/write", methods=["GET", "POST"])
@login_required
def create() -> ResponseReturnValue:
    if request.method == "POST":
        title, body = request.form["title"].strip(), request.form["body"].strip()
        saved = take_image(request.files.get("image"))
        if problem := problem_with(title, body) or saved.problem:
            remove_image(saved.name)
            flash(problem, "error")
        else:
            db = get_db()
            cursor = db.execute(
                "insert into post (author_id, created, title, body, image) values (?, ?, ?, ?, ?)",
                (g.user["id"], now(), title, body, saved.name),
            )
            db.commit()
            flash("Published.", "success")
            return redirect(url_for("posts.show", post_id=cursor.lastrowid))
    return render_template("posts/edit.html", post=None, max_title_length=MAX_TITLE_LENGTH)


@bp.route(f"{POST_PATH}/edit", methods=["GET", "POST"])
@login_required
def update(post_id: int) -> ResponseReturnValue:
    post = load_post(post_id, to_change=True)
    if request.method == "POST":
        title, body = request.form["title"].strip(), request.form["body"].strip()
        saved = take_image(request.files.get("image"))
        if problem := problem_with(title, body) or saved.problem:
            remove_image(saved.name)
            flash(problem, "error")
        else:
            changed = saved.name is not None or "remove_image" in request.form
            db = get_db()
            db.execute(
                "update post set title = ?, body = ?, image = ?, updated = ? where id = ?",
                (title, body, saved.name if changed else post.image, now(), post_id),
            )
            db.commit()
            if changed:
                remove_image(post.image)
            flash("Saved.", "success")
            return redirect(url_for("posts.show", post_id=post_id))
    return render_template("posts/edit.html", post=post, max_title_length=MAX_TITLE_LENGTH)


@bp.post(f"{POST_PATH}/delete")
@login_required
def delete(post_id: int) -> ResponseReturnValue:
    post = load_post(post_id, to_change=True)
    db = get_db()
    db.execute("delete from post where id = ?", (post_id,))
    db.commit()
    remove_image(post.image)
    flash(f"“{post.title}” is deleted.")
    return redirect(url_for("posts.index"))


@dataclass(frozen=True)
class Saved:
    """What became of the file field of a form: the name it is kept under, or why it is not."""

    name: str | None = None
    problem: str | None = None


def take_image(file: FileStorage | None) -> Saved:
    if file is None or not file.filename:
        return Saved()
    try:
        return Saved(name=save_image(file))
    except NotAnImage as error:
        return Saved(problem=str(error))


def problem_with(title: str, body: str) -> str | None:
    """What is wrong with a post, in words for its author; None if nothing is."""
    if not title:
        return "A post needs a title."
    if len(title) > MAX_TITLE_LENGTH:
        return f"A title has at most {MAX_TITLE_LENGTH} characters."
    if not body:
        return "A post needs some text."
    return None
