"""JSON: a reading list with an API, and the ways a body of JSON can be asked for."""
# ruff: noqa: UP017

import datetime
import decimal
import sys
import uuid

from flask import Flask, Response, abort, json, jsonify, make_response, request, url_for

app = Flask(__name__)

books = [
    {"id": 1, "title": "Invisible Cities", "read": False},
    {"id": 2, "title": "Zażółć gęślą jaźń", "read": True},
]


def public(book):
    """The client gets the address of a book in place of its number."""
    shown = {key: value for key, value in book.items() if key != "id"}
    shown["uri"] = url_for("get_book", book_id=book["id"], _external=True)
    return shown


def find(book_id):
    found = [book for book in books if book["id"] == book_id]
    if not found:
        abort(404)
    return found[0]


@app.errorhandler(404)
def not_found(error):
    return make_response(jsonify({"error": "Not found"}), 404)


@app.route("/api/books", methods=["GET"])
def get_books():
    return jsonify({"books": [public(book) for book in books]})


@app.route("/api/books/<int:book_id>", methods=["GET"])
def get_book(book_id):
    return jsonify({"book": public(find(book_id))})


@app.route("/api/books", methods=["POST"])
def create_book():
    if not request.json or "title" not in request.json:
        abort(400)
    book = {
        "id": books[-1]["id"] + 1,
        "title": request.json["title"],
        "read": request.json.get("read", False),
    }
    books.append(book)
    return jsonify({"book": public(book)}), 201


@app.route("/api/books/<int:book_id>", methods=["PUT"])
def update_book(book_id):
    book = find(book_id)
    payload = request.get_json()
    if type(payload.get("read", False)) is not bool:
        abort(400, description="read is true or false")
    book["title"] = payload.get("title", book["title"])
    book["read"] = payload.get("read", book["read"])
    return jsonify({"book": public(book)})


@app.route("/api/books/<int:book_id>", methods=["DELETE"])
def delete_book(book_id):
    books.remove(find(book_id))
    return jsonify({"result": True})


@app.route("/dict")
def plain_dict():
    return {"b": 1, "a": [1, 2.5, None, True], "text": "<é>"}


@app.route("/list")
def plain_list():
    return [1, "two", {"three": 3}]


@app.route("/values")
def values():
    return jsonify(
        day=datetime.date(2012, 2, 29),
        moment=datetime.datetime(2012, 2, 29, 12, 30, tzinfo=datetime.timezone.utc),
        price=decimal.Decimal("9.90"),
        key=uuid.UUID("12345678-1234-5678-1234-567812345678"),
    )


@app.route("/positional")
def positional():
    return jsonify(1, 2, 3)


@app.route("/by-hand")
def by_hand():
    return Response(json.dumps({"made": "by hand"}), mimetype="application/json")


@app.route("/echo", methods=["POST"])
def echo():
    return jsonify(request.get_json())


@app.route("/echo/force", methods=["POST"])
def echo_force():
    return jsonify(request.get_json(force=True))


@app.route("/echo/silent", methods=["POST"])
def echo_silent():
    return jsonify(got=request.get_json(silent=True))


@app.route("/echo/data", methods=["POST"])
def echo_data():
    return jsonify(json.loads(request.data))


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(sys.argv[1]), debug=False)
