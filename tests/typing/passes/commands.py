"""Commands of an application."""

import click

from asyncflask import Blueprint, Flask
from asyncflask.cli import AppGroup, FlaskGroup, with_appcontext

app = Flask(__name__)
blueprint = Blueprint("blueprint", __name__)


@app.cli.command()
def plain() -> None: ...


@app.cli.command
async def bare() -> None: ...


@app.cli.command("named", with_appcontext=False)
@click.argument("name")
async def named(name: str) -> None: ...


@blueprint.cli.group()
def users() -> None: ...


@users.command("add")
@click.option("--admin", is_flag=True)
def add_user(admin: bool) -> None: ...


@click.command()
@with_appcontext
def own() -> None: ...


app.cli.add_command(own)
app.cli.add_command(AppGroup("more"))
command: click.Command = named
group: AppGroup = users
program = FlaskGroup(create_app=lambda: app)
