"""The quickstart: a guest book that shows the parts a first application needs.

``def`` and ``async def`` are mixed as each part likes: a function that only computes or talks to a
blocking library is ``def``, one that waits for several things at once is ``async def``.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from datetime import UTC, datetime
from typing import Any

from werkzeug.exceptions import HTTPException

from asyncflask import (
    Flask,
    Response,
    abort,
    flash,
    g,
    jsonify,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from asyncflask.typing import ResponseReturnValue

app = Flask(__name__)
# Signs the session cookie. A new key at every start logs everyone out: a real application configures one.
app.config["SECRET_KEY"] = secrets.token_hex()

entries: list[dict[str, str]] = []


@app.before_request
def start_clock() -> None:
    g.started = time.perf_counter()


@app.after_request
async def show_time(response: Response) -> Response:
    elapsed = (time.perf_counter() - g.started) * 1000
    response.headers["Server-Timing"] = f"app;dur={elapsed:.1f}"
    return response


@app.context_processor
def inject_name() -> dict[str, Any]:
    """Every template may greet the visitor."""
    return {"visitor": session.get("name")}


@app.route("/")
def index() -> ResponseReturnValue:
    return render_template("index.html", entries=reversed(entries))


@app.route("/sign", methods=["GET", "POST"])
def sign() -> ResponseReturnValue:
    """Show the form, or take what was filled in: the old idiom, one view for both."""
    if request.method == "POST":
        name, text = request.form["name"].strip(), request.form["text"].strip()
        if name and text:
            session["name"] = name
            entries.append(
                {"name": name, "text": text, "at": datetime.now(UTC).isoformat(timespec="seconds")}
            )
            flash(f"Thank you, {name}!", "success")
            return redirect(url_for("index"))
        flash("Please fill in both your name and a few words.", "error")
    return render_template("sign.html")


@app.post("/forget")
async def forget() -> ResponseReturnValue:
    session.clear()
    flash("Your name is forgotten.")
    return redirect(url_for("index"))


@app.route("/hello/<name>")
async def hello(name: str) -> ResponseReturnValue:
    return render_template("hello.html", name=name)


@app.get("/api/entries")
async def list_entries() -> ResponseReturnValue:
    return entries


@app.post("/api/entries")
async def add_entry() -> ResponseReturnValue:
    """Take an entry as JSON: anything else is answered with a 415, bad JSON with a 400."""
    data = request.get_json()
    if not isinstance(data, dict) or not all(isinstance(data.get(key), str) for key in ("name", "text")):
        abort(400, "An entry is an object with the strings 'name' and 'text'.")
    entry = {
        "name": data["name"],
        "text": data["text"],
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    entries.append(entry)
    return entry, 201, {"Location": url_for("list_entries")}


@app.route("/together")
async def together() -> ResponseReturnValue:
    """Three waits of half a second, side by side: the page takes half a second, and no thread."""

    async def fetch(what: str) -> str:
        await asyncio.sleep(0.5)  # stands for a request to another service
        return f"{what} is here"

    started = time.perf_counter()
    answers = await asyncio.gather(fetch("bread"), fetch("butter"), fetch("tea"))
    return jsonify(answers=answers, seconds=round(time.perf_counter() - started, 2))


@app.errorhandler(HTTPException)
async def error_page(error: HTTPException) -> ResponseReturnValue:
    """Errors look like the rest of the site, and are JSON under ``/api/``."""
    if request.path.startswith("/api/"):
        return {"error": error.name, "description": error.description}, error.code or 500
    return render_template("error.html", error=error), error.code or 500


if __name__ == "__main__":
    app.run(debug=True)
