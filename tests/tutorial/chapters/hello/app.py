"""Hello: the smallest application, and what a server says to other methods and paths."""

import sys

from flask import Flask

app = Flask(__name__)


@app.route("/")
def hello_world():
    return "Hello World!"


@app.route("/index")
@app.route("/index.html")
def index():
    return "<h1>Index page</h1>"


@app.route("/projects/")
def projects():
    return "The project page, with a slash at the end"


@app.route("/about")
def about():
    return "The about page, without one"


@app.route("/grüße")
def greetings():
    return "Grüße, κόσμε, 世界 👋"


@app.route("/bytes")
def raw():
    return b"\x00\x01plain bytes"


@app.route("/created")
def created():
    return "made", 201


@app.route("/headers")
def headers():
    return "with a header", {"X-Tutorial": "one", "Content-Type": "text/plain"}


@app.route("/all")
def everything():
    return "all three", 202, [("X-Tutorial", "one"), ("X-Tutorial", "two")]


@app.route("/empty")
def empty():
    return "", 204


@app.route("/beast")
def beast():
    return "The number of the beast", 666


@app.route("/teapot-of-our-own")
def odd_reason():
    return "A code with words of its own", "999 Out Of Numbers"


def contact():
    return "Write to us"


app.add_url_rule("/contact", "contact", contact)
app.add_url_rule("/write", view_func=contact, methods=["GET", "POST"], endpoint="write")

if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(sys.argv[1]))
