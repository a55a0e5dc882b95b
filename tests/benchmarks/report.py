"""The figures as a part of the documentation: tables in Markdown and a plot in SVG."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from tests.suites.common import table, write_part

from . import footprint, inprocess, servers
from .figures import RATE, Figure, Figures, Run, describe
from .targets import OURS, Outcome, outcomes

DOCS = Path(__file__).parents[2] / "docs"
DOCUMENT = DOCS / "performance.md"
PLOT = DOCS / "performance.svg"
PART = "figures"

NAMES = {
    "starlette": "Starlette",
    "flask": "Flask",
    "quart": "Quart",
    "fastapi": "FastAPI",
    "litestar": "Litestar",
    "falcon": "Falcon",
    "blacksheep": "BlackSheep",
    "raw": "raw ASGI",
}
BOUND = "raw"  # which is no framework
EQUAL = 0.01  # a smaller difference is none
PLOTTED = {
    "plain": "A line of text",
    "sync": "A line of text from a def view",
    "full": "A page: hooks, session, template",
    "full-sync": "The same page from def functions",
}


def write(run: Run) -> None:
    """Put tables and plot where the documentation has them."""
    PLOT.write_text(plot(run.figures), encoding="utf-8")
    write_part(DOCUMENT, PART, markdown(run))


def name_of(peer: str) -> str:
    return NAMES.get(peer, peer)


def number(value: float) -> str:
    """Three digits that count."""
    if value >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


# Tables


def markdown(run: Run) -> str:
    """The part of the document."""
    figures = run.figures
    about = f"Measured {run.about['date']} on {run.about['machine']}; {run.about['conditions']}."
    parts = [
        f"{about} {describe(run.versions)}.",
        "### Behind a server",
        f"![Requests per second behind a server, for each framework]({PLOT.name})",
        "Requests a second, the best round and in parentheses the median. "
        f"Flask runs under gunicorn with {servers.THREADS} threads, all others under uvicorn, each in one "
        "process. 64 connections; 256 for *wait*, where each view waits for 100 ms, in `async def` or, "
        "*wait-sync*, in `def`. *p99*: 99 of 100 requests take no longer, in ms.",
        by_peer(figures, servers.SECTION),
        "### Inside the process",
        "µs a request without a server, on one core, the best round and in parentheses the median. "
        "*-300*: with 300 more routes; *-64*: with 64 requests under way; *hooks*: two before hooks, one "
        "after hook; *full*: those, a session read and written, a template with a loop of 20 and two "
        "`url_for`.",
        by_case(figures, inprocess.SECTION),
        "### Import and memory",
        "ms to import in a fresh process, and to import the smallest application, make it and answer once; "
        "MiB resident with that application behind its server, for gunicorn those of both its processes.",
        by_case(figures, footprint.SECTION),
        "### What has to be reached",
        "The bounds that the project has set itself, each a figure of asyncflask over that of another "
        "framework in the same run.",
        targets(outcomes(figures)),
        "### Where others are faster",
        losses(figures),
    ]
    return "\n\n".join(parts)


def cell(figure: Figure | None) -> str:
    return "" if figure is None else f"{number(figure.best)} ({number(figure.median)})"


def by_peer(figures: Figures, section: str) -> str:
    cases = figures.cases(section)
    cases = [case for case in cases if not case.endswith("p99") or case.startswith("wait")]
    rows = [
        [name_of(peer), *(cell(figures.get(section, case, peer)) for case in cases)]
        for peer in figures.peers(section)
    ]
    return table(["", *cases], rows)


def by_case(figures: Figures, section: str) -> str:
    peers = figures.peers(section)
    rows = [
        [case, *(cell(figures.get(section, case, peer)) for peer in peers)] for case in figures.cases(section)
    ]
    return table(["", *map(name_of, peers)], rows)


def targets(found: Sequence[Outcome]) -> str:
    rows = []
    for outcome in found:
        target = outcome.target
        what = f"{target.section}: {target.what}"
        verdict = f"**{outcome.verdict}**" if outcome.missed else outcome.verdict
        rows.append(
            [what, target.bound(target.must), target.bound(target.reach), f"{outcome.best:.2f}", verdict]
        )
    return table(["", "must", "reach for", "measured", ""], rows)


def losses(figures: Figures) -> str:
    """Every case in which another framework did better, a line for each."""
    lines = []
    for peer in dict.fromkeys(figure.peer for figure in figures if figure.peer not in (OURS, BOUND)):
        found: dict[str, list[str]] = {}
        for figure in figures:
            ours = figures.get(figure.section, figure.case, OURS)
            if figure.peer != peer or ours is None or is_minor(figure):
                continue
            times = figure.best / ours.best if figure.unit == RATE else ours.best / figure.best
            if times >= 1 + EQUAL:
                found.setdefault(figure.section, []).append(f"{figure.case} {times:.2f}")
        if found:
            sections = "; ".join(f"{section}: {', '.join(cases)}" for section, cases in found.items())
            lines.append(f"- {name_of(peer)}: {sections}.")
    if not lines:
        return "In none of these cases."
    introduction = "And how many times better their figures are than those of asyncflask:"
    return "\n".join([introduction, "", *lines])


def is_minor(figure: Figure) -> bool:
    """Whether another figure says the same."""
    return figure.case == "import, wall" or (figure.case.endswith("p99") and "wait" not in figure.case)


# Plot

WIDTH = 760
LABELS = 110  # the width of the names
NUMBERS = 60
BAR, GAP, HEADING, SPACE = 16, 6, 30, 14
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1f2937}"
    ".heading{font-weight:600}"
    ".bar{fill:#a3b1c2}"
    ".bound{fill:#dde3ea}"
    ".ours{fill:#2563eb}"
)


def plot(figures: Figures) -> str:
    """Bars of requests per second behind a server, a panel for each case."""
    shapes: list[str] = []
    y = SPACE
    for case, heading in PLOTTED.items():
        measured = [figures.get(servers.SECTION, case, peer) for peer in figures.peers(servers.SECTION)]
        rows = sorted((row for row in measured if row is not None), key=lambda row: -row.best)
        if rows:
            shapes += panel(heading, rows, y)
            y += HEADING + len(rows) * (BAR + GAP) + SPACE
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" role="img">',
            "<title>Requests per second behind a server; more is better</title>",
            f"<style>{STYLE}</style>",
            f'<rect width="{WIDTH}" height="{y}" rx="6" fill="#fff"/>',
            *shapes,
            "</svg>\n",
        ]
    )


def panel(heading: str, rows: Iterable[Figure], top: int) -> list[str]:
    rows = list(rows)
    room = WIDTH - LABELS - NUMBERS - 2 * SPACE
    per_request = room / max(row.best for row in rows)
    shapes = [f'<text class="heading" x="{SPACE}" y="{top + 14}">{escape(heading)}, requests/s</text>']
    classes = {OURS: "ours", BOUND: "bound"}
    for position, row in enumerate(rows):
        y = top + HEADING + position * (BAR + GAP)
        width = row.best * per_request
        baseline = y + BAR - 4
        name = escape(name_of(row.peer))
        shapes += [
            f'<text x="{SPACE + LABELS - 8}" y="{baseline}" text-anchor="end">{name}</text>',
            f'<rect class="{classes.get(row.peer, "bar")}" x="{SPACE + LABELS}" y="{y}" width="{width:.1f}"'
            f' height="{BAR}" rx="2"/>',
            f'<text x="{SPACE + LABELS + width + 6:.1f}" y="{baseline}">{number(row.best)}</text>',
        ]
    return shapes
