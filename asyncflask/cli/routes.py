"""``asyncflask routes``: a table of the application's routes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import click
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import RequestRedirect, WebsocketMismatch

from ..app import Flask
from ..concurrency import is_async
from ..globals import current_app
from ..mistakes.source import place_of, short
from .app_group import with_appcontext
from .options import also_with_application_options

Row = dict[str, str]

_TITLES = {"endpoint": "Endpoint", "methods": "Methods", "rule": "Rule", "view": "View", "where": "Where"}


@also_with_application_options
@click.command("routes", short_help="Show the routes for the app.")
@click.option(
    "--sort",
    "-s",
    type=click.Choice(("endpoint", "methods", "domain", "rule", "match")),
    default="endpoint",
    show_default=True,
    help="What to sort by; 'match' is the order in which rules are matched with a request.",
)
@click.option("--all-methods", is_flag=True, help="Show HEAD and OPTIONS methods.")
@click.option(
    "--match",
    "url",
    metavar="[METHOD] URL",
    help="Show the route of this URL only, or what is wrong with it: '/blog/1', 'POST /blog/1'.",
)
@with_appcontext
def routes_command(sort: str, all_methods: bool, url: str | None) -> None:
    """Show all registered routes with endpoints and methods, and where their views are."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    hidden = set() if all_methods else {"HEAD", "OPTIONS"}
    if url is not None:
        rule, values = _matching(app, url)
        _print_table(app, [_row(app, rule, hidden)], ["endpoint", "methods", "rule"])
        for name, value in values.items():
            click.echo(f"{name} = {value!r}")
        return
    rows = [_row(app, rule, hidden) for rule in app.url_map.iter_rules()]
    if not rows:
        click.echo("No routes were registered.")
        return
    columns = ["endpoint", "methods", "domain", "rule"]
    if not any(row["domain"] for row in rows):
        columns.remove("domain")
    if sort in columns:
        rows.sort(key=lambda row: row[sort])
    _print_table(app, rows, columns)


def _row(app: Flask, rule: Any, hidden: set[str]) -> Row:
    view = app.view_functions.get(rule.endpoint)
    place = None if view is None else place_of(view)
    is_own = rule.endpoint == "static" or rule.endpoint.endswith(".static") or _mounted(app, rule)
    return {
        "endpoint": rule.endpoint,
        "methods": "WS" if rule.websocket else ", ".join(sorted((rule.methods or set()) - hidden)),
        "domain": (rule.host if app.url_map.host_matching else rule.subdomain) or "",
        "rule": rule.rule,
        "view": _kind(app, rule, view),
        "where": f"{short(place[0])}:{place[1]}" if place and not is_own else "",
    }


def _kind(app: Flask, rule: Any, view: Any) -> str:
    if view is None:
        return ""
    if rule.endpoint == "static" or rule.endpoint.endswith(".static"):
        return "static files"
    if _mounted(app, rule):
        return "mount"
    if rule.websocket:
        return "websocket"
    if is_async(view):
        return "async def"
    return "def" if getattr(rule, "blocking", True) else "def, on the loop"


def _mounted(app: Flask, rule: Any) -> bool:
    return any(mount.rule is rule for mount in app.mounts)


def _print_table(app: Flask, rows: list[Row], columns: list[str]) -> None:
    columns = [*columns, *(name for name in ("view", "where") if any(row[name] for row in rows))]
    titles = _TITLES | {"domain": "Host" if app.url_map.host_matching else "Subdomain"}
    widths = {name: max(len(row[name]) for row in (titles, *rows)) for name in columns}
    lines = {name: "-" * width for name, width in widths.items()}
    for row in (titles, lines, *rows):
        line = "  ".join(f"{row[name]:<{width}}" for name, width in widths.items())
        click.echo(line.rstrip() if "view" in columns else line)


# -- the route of a URL -------------------------------------------------------------------------


def _matching(app: Flask, text: str) -> tuple[Any, Mapping[str, Any]]:
    """The rule for a URL, and the values of its variables."""
    method, _, url = text.rpartition(" ")
    method = method.strip().upper() or "GET"
    parts = urlsplit(url)
    if not parts.path.startswith("/"):
        raise click.UsageError(f"A URL begins with a slash, or with 'http://': {url!r} does not.")
    host = parts.netloc or app.config["SERVER_NAME"] or "localhost"
    adapter = app.url_map.bind(host, url_scheme=parts.scheme or "http")
    tries = [False, True] if method in ("GET", "WS") else [False]
    for is_websocket in tries:
        try:
            return adapter.match(
                parts.path, "GET" if method == "WS" else method, return_rule=True, websocket=is_websocket
            )
        except WebsocketMismatch:
            continue
        except RequestRedirect as redirect:
            raise click.ClickException(f"{url} redirects to {redirect.new_url}.") from None
        except HTTPException as error:
            for mount in app.mounts:
                if mount.covers(parts.path):
                    return mount.rule, {"path": parts.path[len(mount.path) :].lstrip("/")}
            raise click.ClickException(" ".join(_why(app, error, method, url))) from None
    raise click.ClickException(f"{url} is for websockets.")


def _why(app: Flask, error: HTTPException, method: str, url: str) -> Iterator[str]:
    if isinstance(error, MethodNotAllowed):
        allowed = ", ".join(sorted(error.valid_methods or ()))
        yield f"{url} does not take {method} (405), but {allowed}."
        return
    yield f"No rule matches {url} (404)."
    from ..debug.near_rules import rule_not_found  # errors

    near = rule_not_found(app, urlsplit(url).path).near
    if near:
        yield f"These come near: {', '.join(rule.rule for rule in near)}."
