"""``asyncflask routes``: a table of the application's routes."""

from __future__ import annotations

import click

from ..globals import current_app
from .app_group import with_appcontext
from .options import also_with_application_options


@also_with_application_options
@click.command("routes", short_help="Show the routes for the app.")
@click.option(
    "--sort",
    "-s",
    type=click.Choice(("endpoint", "methods", "domain", "rule", "match")),
    default="endpoint",
    help="What to sort by; 'match' is the order in which rules are matched with a request.",
)
@click.option("--all-methods", is_flag=True, help="Show HEAD and OPTIONS methods.")
@with_appcontext
def routes_command(sort: str, all_methods: bool) -> None:
    """Show all registered routes with endpoints and methods."""
    url_map = current_app.url_map
    hidden = set() if all_methods else {"HEAD", "OPTIONS"}
    columns = ["endpoint", "methods", "domain", "rule"]
    rows = [
        {
            "endpoint": rule.endpoint,
            "methods": ", ".join(sorted((rule.methods or set()) - hidden)),
            "domain": (rule.host if url_map.host_matching else rule.subdomain) or "",
            "rule": rule.rule,
        }
        for rule in url_map.iter_rules()
    ]
    if not rows:
        click.echo("No routes were registered.")
        return
    if not any(row["domain"] for row in rows):
        columns.remove("domain")
    if sort in columns:
        rows.sort(key=lambda row: row[sort])

    titles = {name: name.title() for name in columns}
    if "domain" in titles:
        titles["domain"] = "Host" if url_map.host_matching else "Subdomain"
    widths = {name: max(len(row[name]) for row in (titles, *rows)) for name in columns}
    lines = {name: "-" * width for name, width in widths.items()}
    for row in (titles, lines, *rows):
        click.echo("  ".join(f"{row[name]:<{width}}" for name, width in widths.items()))
