"""A 404 that names the rules which the URL may have been meant for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import islice, zip_longest
from time import monotonic
from typing import TYPE_CHECKING, Any

from markupsafe import escape
from werkzeug.exceptions import NotFound
from werkzeug.routing import Rule

from .text import clean

if TYPE_CHECKING:
    from ..protocols import Application

MAX_SHOWN = 6
MAX_RULES = 1_000  # that are compared
MAX_PATH = 200  # characters
SECONDS = 0.05  # that comparing may take: nothing else runs meanwhile
MAX_PARTS = 30  # between the slashes of a path
CUTOFF = 0.6  # of 1.0, for a path that is the same

_VARIABLE = re.compile(r"<(?:(?P<converter>[^<>:(]+)(?:\([^<>]*\))?:)?[^<>:]+>")


@dataclass(frozen=True, slots=True)
class NearRule:
    """A rule, and what keeps a path from it."""

    methods: str
    rule: str
    endpoint: str
    reason: str


class RuleNotFound(NotFound):
    """There is no rule for a URL. Its page names those that come near, or some of those there are.

    :param path: the path that was asked for.
    :param near: the rules that come near, the nearest first.
    :param others: rules to name when none comes near.
    :param count: how many there are in all.
    """

    def __init__(self, path: str, near: list[NearRule], others: list[NearRule], count: int) -> None:
        super().__init__()
        self.path = path
        self.near = near
        self.others = others
        self.count = count

    def get_description(self, *args: Any, **kwargs: Any) -> str:
        """The usual text and the rules, as HTML."""
        rules = self.near or self.others
        lines = [super().get_description(*args, **kwargs)]
        path = escape(clean(self.path, MAX_PATH))
        if self.near:
            lines.append(f"<p>No rule matches <code>{path}</code>. These come near:</p>")
        elif rules:
            lines.append(f"<p>No rule comes near <code>{path}</code>. The application has these:</p>")
        else:
            lines.append("<p>The application has no rules.</p>")
        if rules:
            lines += ["<ul>", *map(_item, rules), "</ul>"]
        if not self.near and self.count > len(rules):
            lines.append(f"<p>There are {self.count} in all: <code>asyncflask routes</code> lists them.</p>")
        lines.append("<p><small>The rules are shown because debug is on.</small></p>")
        return "\n".join(lines)


def rule_not_found(app: Application, path: str) -> RuleNotFound:
    """The exception for a path that no rule of the application matches."""
    rules = [rule for rule in islice(app.url_map.iter_rules(), MAX_RULES) if not rule.build_only]
    found = sorted(_near(path[:MAX_PATH], rules), key=lambda pair: -pair[0])
    near = [rule for _, rule in found[:MAX_SHOWN]]
    own = [rule for rule in rules if rule.endpoint.rpartition(".")[2] != "static"]
    others = [] if near else [_described(rule, "") for rule in own[:MAX_SHOWN]]
    return RuleNotFound(path, near, others, len(own))


def _near(path: str, rules: Iterable[Rule]) -> Iterator[tuple[float, NearRule]]:
    parts = path.lstrip("/").split("/")
    end = monotonic() + SECONDS
    for rule in rules:
        if monotonic() > end:
            return
        segments = rule.rule.lstrip("/").split("/")[:MAX_PARTS]
        score = _likeness(segments, parts[:MAX_PARTS])
        if score >= CUTOFF:
            yield score, _described(rule, _reason(rule, "/" + "/".join(_filled(segments, parts)), path))


def _likeness(segments: list[str], parts: list[str]) -> float:
    """How much the fixed parts of a rule and those of a path at their places are alike, from 0 to 1."""
    scores = []
    for segment, part in zip_longest(segments, parts):
        variable = segment and _VARIABLE.search(segment)
        if segment is None or part is None:
            scores.append(0.5 if variable else 0.0)
        elif not variable:
            scores.append(_ratio(segment, part))
        elif variable["converter"] == "path":
            break  # it takes the rest
    likeness = sum(scores) / len(scores) if scores else 1.0
    if "<" not in "".join(segments):
        likeness = max(
            likeness, _ratio("/".join(segments), "/".join(parts)) - 0.2
        )  # a slash too few, perhaps
    return likeness


@lru_cache(5_000)
def _ratio(one: str, other: str) -> float:
    matcher = SequenceMatcher(None, one.lower()[:MAX_PATH], other.lower()[:MAX_PATH], autojunk=False)
    if min(matcher.real_quick_ratio(), matcher.quick_ratio()) < CUTOFF:
        return 0.0
    return matcher.ratio()


def _filled(segments: list[str], parts: list[str]) -> list[str]:
    """The segments of a rule with the path's own parts for its variables."""
    filled: list[str] = []
    for index, segment in enumerate(segments):
        variable = _VARIABLE.search(segment)
        if variable and variable["converter"] == "path":
            return [*filled, *parts[index:]]
        filled.append(parts[index] if variable and index < len(parts) else segment)
    return filled


def _reason(rule: Rule, candidate: str, path: str) -> str:
    if candidate == path:
        if rule.subdomain or rule.host:
            return f"for {rule.host or rule.subdomain}"
        return "a part of the path is not what its variable takes"
    if candidate.rstrip("/") == path.rstrip("/"):
        return "without a slash at its end" if path.endswith("/") else "with a slash at its end"
    if candidate.lower() == path.lower():
        return "upper and lower case make a difference"
    return ""


def _described(rule: Rule, reason: str) -> NearRule:
    methods = ", ".join(sorted((rule.methods or {"any method"}) - {"HEAD", "OPTIONS"}))
    if rule.websocket:
        methods = "websocket"
    return NearRule(methods, clean(rule.rule, MAX_PATH), clean(str(rule.endpoint), MAX_PATH), reason)


def _item(rule: NearRule) -> str:
    reason = f": {escape(rule.reason)}" if rule.reason else ""
    endpoint = escape(rule.endpoint)
    return f"<li><code>{escape(rule.methods)} {escape(rule.rule)}</code> <small>({endpoint})</small>{reason}"
