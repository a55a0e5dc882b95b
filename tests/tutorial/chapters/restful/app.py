"""RESTful URLs: converters of our own, one address with many methods, and class-based views."""
# ruff: noqa: UP008, UP031

import sys

from flask import Flask, abort, jsonify, request, url_for
from flask.views import MethodView, View
from werkzeug.routing import BaseConverter, ValidationError

app = Flask(__name__)


class ListConverter(BaseConverter):
    """Several words in one segment, joined by a plus sign."""

    def __init__(self, url_map, separator="+"):
        super(ListConverter, self).__init__(url_map)
        self.separator = separator

    def to_python(self, value):
        return value.split(self.separator)

    def to_url(self, values):
        return self.separator.join(super(ListConverter, self).to_url(value) for value in values)


class RegexConverter(BaseConverter):
    """A segment that matches a regular expression given in the rule."""

    def __init__(self, url_map, *items):
        super(RegexConverter, self).__init__(url_map)
        self.regex = items[0]


class EvenConverter(BaseConverter):
    """A number that must be even: any other is no page at all."""

    regex = r"\d+"

    def to_python(self, value):
        number = int(value)
        if number % 2:
            raise ValidationError()
        return number


app.url_map.converters["list"] = ListConverter
app.url_map.converters["regex"] = RegexConverter
app.url_map.converters["even"] = EvenConverter

users = {1: {"name": "Ada"}, 2: {"name": "Grace"}}


@app.route("/topics/<list:names>")
def topics(names):
    return "Topics: %s; at %s" % (", ".join(names), url_for("topics", names=names))


@app.route("/tags/<list(separator=','):names>")
def tags(names):
    return "Tags: %d; at %s" % (len(names), url_for("tags", names=[*names, "a b"]))


@app.route('/phone/<regex("[0-9]{3}-[0-9]{4}"):number>')
def phone(number):
    return "Phone %s" % number


@app.route("/even/<even:number>")
def even(number):
    return "Half of it is %d" % (number // 2)


@app.route("/notes/<int:note_id>", methods=["GET"])
def read_note(note_id):
    return "read %d" % note_id


@app.route("/notes/<int:note_id>", methods=["PUT"])
def write_note(note_id):
    return "write %d: %s" % (note_id, request.form["text"])


@app.route("/notes/<int:note_id>", methods=["DELETE"])
def drop_note(note_id):
    return "", 204


class UserAPI(MethodView):
    """All methods of a resource in one class."""

    def get(self, user_id):
        if user_id is None:
            return jsonify(users=[dict(id=key, **user) for key, user in sorted(users.items())])
        if user_id not in users:
            abort(404)
        return jsonify(id=user_id, **users[user_id])

    def post(self):
        user_id = max(users) + 1
        users[user_id] = {"name": request.form["name"]}
        return jsonify(id=user_id), 201, {"Location": url_for("user_api", user_id=user_id)}

    def delete(self, user_id):
        users.pop(user_id, None)
        return "", 204

    def put(self, user_id):
        users[user_id]["name"] = request.form["name"]
        return jsonify(id=user_id, **users[user_id])


user_view = UserAPI.as_view("user_api")
app.add_url_rule("/users/", defaults={"user_id": None}, view_func=user_view, methods=["GET"])
app.add_url_rule("/users/", view_func=user_view, methods=["POST"])
app.add_url_rule("/users/<int:user_id>", view_func=user_view, methods=["GET", "PUT", "DELETE"])


class CountView(View):
    """A view that is a class, given its words when it is registered."""

    methods = ["GET", "POST"]

    def __init__(self, what):
        self.what = what

    def dispatch_request(self):
        return "%s: %d %s" % (request.method, len(users), self.what)


app.add_url_rule("/count", view_func=CountView.as_view("count", what="users"))

if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(sys.argv[1]), use_reloader=False)
