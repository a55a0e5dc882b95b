"""POST: one view for the form and its answer, raw bodies, and limits on what is taken."""
# ruff: noqa: UP031

import sys

from flask import Flask, request
from markupsafe import escape

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 4096

FORM = """<!doctype html>
<title>Sign up</title>
<form method=post>
  <input name=name><input name=color><input name=color>
  <input type=submit>
</form>
"""


@app.route("/signup", methods=["GET", "POST"])
def signup():
    if request.method == "POST":
        name = request.form["name"]
        colors = request.form.getlist("color")
        age = request.form.get("age", type=int)
        return "<p>%s likes %s, age %s</p>" % (escape(name), escape(" and ".join(colors)), age)
    return FORM


@app.route("/all", methods=["GET", "POST"])
def everything():
    """The order and number of the fields are the client's."""
    lines = ["%s=%s" % pair for pair in request.form.items(multi=True)]
    lines += ["values %s=%s" % pair for pair in sorted(request.values.items(multi=True))]
    return "\n".join(lines), {"Content-Type": "text/plain; charset=utf-8"}


@app.route("/note", methods=["PUT", "PATCH", "DELETE"])
def note():
    return "%s with %d fields" % (request.method, len(request.form))


@app.route("/raw", methods=["POST"])
def raw():
    data = request.data
    return "%d bytes of %s: %s" % (len(data), request.content_type, data[:20].hex())


@app.route("/text", methods=["POST"])
def text():
    return request.get_data(as_text=True).upper()


@app.route("/stream", methods=["POST"])
def stream():
    data = request.stream.read()
    return "%d bytes read, %d fields left" % (len(data), len(request.form))


@app.route("/kept", methods=["POST"])
def kept():
    data = request.get_data()
    return "%d bytes kept, %d fields" % (len(data), len(request.form))


@app.route("/ignored", methods=["POST"])
def ignored():
    return "nobody read the body"


@app.route("/meta", methods=["POST"])
def meta():
    return {
        "content_length": request.content_length,
        "content_type": request.content_type,
        "mimetype": request.mimetype,
        "parameters": request.mimetype_params,
        "is_json": request.is_json,
        "agent": request.headers["User-Agent"],
        "x": request.headers.get("X-Trace", "none"),
    }


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(sys.argv[1]), debug=False, threaded=True)
