"""Templates: inheritance, includes, macros, filters of our own, and static files beside them."""

import datetime
import sys

from flask import Flask, g, get_template_attribute, render_template, render_template_string, request, session
from markupsafe import Markup

app = Flask(__name__)
app.secret_key = "templates"
app.config["SITE_NAME"] = "The <Corner> Shop"

ITEMS = [
    {"name": "Apples & pears", "price": 2.5, "tags": ["fruit", "fresh"]},
    {"name": "<b>Bread</b>", "price": 3, "tags": []},
    {"name": "Crème brûlée", "price": 4.75, "tags": ["sweet"]},
]


@app.template_filter("reverse_words")
def reverse_words(text):
    return " ".join(reversed(text.split()))


@app.template_filter()
def shout(text):
    return Markup("<strong>{}</strong>").format(text.upper())


def money(value, sign="$"):
    return f"{sign}{value:.2f}"


app.jinja_env.filters["money"] = money


@app.template_test("cheap")
def is_cheap(item):
    return item["price"] < 3


@app.template_global()
def double(number):
    return number * 2


@app.context_processor
def inject_names():
    def discount(price, percent=10):
        return price * (100 - percent) / 100

    return dict(author="Jo & Co", discount=discount, year=datetime.date(2014, 5, 1).year)  # noqa: C408


@app.route("/")
@app.route("/hello/<name>")
def index(name=None):
    return render_template("index.html", name=name, items=ITEMS)


@app.route("/globals")
def template_globals():
    g.user = "g user"
    session["who"] = "session user"
    return render_template("globals.html", title=request.args.get("title"))


@app.route("/plain")
def plain():
    return render_template("notes.txt", name="<plain>"), {"Content-Type": "text/plain; charset=utf-8"}


@app.route("/string")
def string():
    return render_template_string("{{ value }}{{ value|safe }}{{ config.SITE_NAME }}", value="<i>hi</i>")


@app.route("/first-found")
def first_found():
    return render_template(["no_such.html", "first.html", "index.html"])


@app.route("/script")
def script():
    return render_template("script.html", data={"html": "</script><b>", "quote": "it's", "list": [1, None]})


@app.route("/macro")
def macro():
    field = get_template_attribute("_macros.html", "field")
    return field("email", "a<b")


@app.route("/markup")
def markup():
    return Markup("<em>%s</em>") % "<escaped>" + Markup("&amp;").unescape()


@app.route("/missing")
def missing():
    return render_template("no_such.html")


@app.route("/broken")
def broken():
    return render_template("broken.html")


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(sys.argv[1]), debug=False)
