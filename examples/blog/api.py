"""The search, as JSON: an ``async def`` view beside the ``def`` views of the pages."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import Any

from asyncflask import Blueprint, Flask, current_app, request, url_for
from asyncflask.typing import ResponseReturnValue

from .db import connect
from .posts import like, searched_words

DEFAULT_LIMIT = 5
MAX_LIMIT = 50

bp = Blueprint("api", __name__, url_prefix="/api")


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)


@bp.get("/search")
async def search() -> ResponseReturnValue:
    """The posts whose title or text contains ``q``, newest first, at most ``limit`` of them.

    The view runs on the event loop, so the blocking query goes to a thread.
    """
    words = searched_words()
    limit = min(max(request.args.get("limit", DEFAULT_LIMIT, type=int), 1), MAX_LIMIT)
    found = await asyncio.to_thread(find, current_app.config["DATABASE"], words, limit) if words else []
    for post in found:
        post["url"] = url_for("posts.show", post_id=post["id"])
    return {"query": words, "posts": found}


def find(database: str, words: str, limit: int) -> list[dict[str, Any]]:
    """The query itself, with a connection of its own: it runs in another thread than the hooks."""
    with closing(connect(database)) as connection:
        rows = connection.execute(
            "select post.id, title, created, user.name as author from post join user on user.id = author_id"
            " where title like :words escape '!' or body like :words escape '!'"
            " order by created desc, post.id desc limit :limit",
            {"words": like(words), "limit": limit},
        )
        return [dict(row) for row in rows]
