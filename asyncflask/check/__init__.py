"""Reads a Flask code base and says what to change for asyncflask: ``asyncflask check PATH``.

The code is parsed, not imported. `report` checks files and shows the findings. `walk` reads a module, keeps
what its `names` stand for, and tells the rules in `wsgi`, `removed`, `blocking`, `quart` and `mixed` what it
meets (`rule`); `project` is what modules have to know of each other. `servers` reads configurations.
"""

from __future__ import annotations

import click


@click.command("check", short_help="Say what to change in a Flask code base.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(exists=True))
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text", help="How to report.")
@click.option("--strict", is_flag=True, help="Let warnings fail, too.")
@click.option("--verbose", "-v", is_flag=True, help="Name the files that run as they are.")
@click.pass_context
def check_command(ctx: click.Context, paths: tuple[str, ...], form: str, strict: bool, verbose: bool) -> None:
    """Read files and folders of a Flask or Quart code base, and say what to change for asyncflask.

    Nothing is imported or executed. A line of the report is
    'path:line:column: severity code message (what to do)'. An error does not work under asyncflask, a warning
    should be changed, a note is worth a look. A comment '# noqa' or '# noqa: CODE' at the end of a line
    silences it.

    The exit code is 1 if there are errors, with '--strict' also if there are warnings.
    """
    from .report import check_paths  # the other commands do without

    report = check_paths(paths)
    if form == "json":
        click.echo(report.json())
    else:
        for line in report.text(verbose):
            click.echo(line)
    ctx.exit(1 if report.failed(strict) else 0)
