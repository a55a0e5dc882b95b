"""CLI: commands beside the application, with arguments, groups and its context."""

import sys

import click
from flask import Blueprint, Flask, current_app, g, url_for
from flask.cli import AppGroup, with_appcontext

app = Flask(__name__)
app.config["DATABASE"] = "shop.db"

users = AppGroup("users", help="Look after the users.")


@app.route("/")
def index():
    return "Hello"


@app.route("/user/<int:user_id>", methods=["GET", "POST"])
def user(user_id):
    return str(user_id)


@app.teardown_appcontext
def close(exception):
    if "opened" in g:
        click.echo(f"closed {g.opened}")


@app.cli.command()
def initdb():
    """Make the tables."""
    g.opened = current_app.config["DATABASE"]
    click.echo(f"Init the db {g.opened}")


@app.cli.command("greet")
@click.argument("name", default="World")
@click.option("--count", default=1, help="How often.")
@click.option("--loud/--quiet", default=False)
def greet(name, count, loud):
    """Say hello to NAME."""
    for _ in range(count):
        text = f"Hello, {name}!"
        click.echo(text.upper() if loud else text)


@app.cli.command("fail")
def fail():
    raise click.ClickException("it did not work")


@app.cli.command("leave")
@click.argument("code", type=int)
def leave(code):
    raise SystemExit(code)


@app.cli.command("bare", with_appcontext=False)
def bare():
    """Needs no application."""
    click.echo(f"context: {bool(current_app)}")


@app.cli.command("address")
def address():
    with current_app.test_request_context():
        click.echo(url_for("user", user_id=7))


@users.command("create")
@click.argument("name")
@click.option("--admin", is_flag=True)
def create_user(name, admin):
    """Make a user called NAME."""
    click.echo("created {} in {}, admin: {}".format(name, current_app.config["DATABASE"], admin))


app.cli.add_command(users)


@click.command("tick")
@with_appcontext
def tick():
    """A command that was made without the application."""
    click.echo("tick {}".format(current_app.config["DATABASE"]))


app.cli.add_command(tick)

news = Blueprint("news", __name__, cli_group="news")


@news.cli.command("send")
@click.argument("address")
def send(address):
    """Send the news to ADDRESS."""
    click.echo(f"sent to {address}")


app.register_blueprint(news)


@app.shell_context_processor
def shell_names():
    return {"answer": 42}


def create_app(database="made.db"):
    """A factory, as later chapters of a tutorial have one."""
    made = Flask(__name__)
    made.config["DATABASE"] = database
    made.cli.add_command(tick)
    return made


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(sys.argv[1]), debug=False)
