"""What to add to the message of an exception: the name that was meant, the folders that were searched.

Python names the nearest name itself from 3.12 on, in its own tracebacks only; here it is the same for every
version, and for more exceptions.
"""

from __future__ import annotations

import ast
import builtins
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from itertools import islice
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

from jinja2 import TemplateNotFound, TemplatesNotFound, UndefinedError
from werkzeug.exceptions import BadRequestKeyError

from .aside import Aside
from .raised import walk
from .source import columns_of, source_lines
from .text import MAX_MESSAGE, clean

if TYPE_CHECKING:
    from ..protocols import Application
    from ..wrappers import Request

T = TypeVar("T")

MAX_CANDIDATES = 2_000
MAX_FOLDERS = 20
MAX_CALLS = 3  # between a subscript and the KeyError


class Hints:
    """Finds hints.

    :param app: whose templates may be meant.
    :param request: whose form may be meant.
    :param aside: where methods of the objects concerned are called.
    """

    def __init__(self, app: Application | None, request: Request | None, aside: Aside) -> None:
        self.app = app
        self.request = request
        self._aside = aside

    def __call__(self, error: BaseException, frame: FrameType | None) -> str:
        """A sentence or some lines for an exception, empty if there is nothing to say.

        :param frame: the one that it was raised in.
        """
        if isinstance(error, TemplateNotFound):
            return clean(self._template_hint(error), MAX_MESSAGE)
        return clean(self._try(lambda: self._hint(error, frame)) or "", MAX_MESSAGE)

    def _try(self, func: Callable[[], T]) -> T | None:
        try:
            return self._aside.call(func)
        except BaseException:  # what it is about has methods of its own; a hint is not worth an error
            return None

    def _hint(self, error: BaseException, frame: FrameType | None) -> str:
        if isinstance(error, NameError):
            return _name_hint(error, frame)
        if isinstance(error, AttributeError):
            return did_you_mean(error.name, dir(error.obj)) if isinstance(error.name, str) else ""
        if isinstance(error, ImportError):
            return _import_hint(error)
        if isinstance(error, BadRequestKeyError):
            return self._form_hint(error)
        if isinstance(error, KeyError):
            return _key_hint(error)
        if isinstance(error, UndefinedError):
            return _undefined_hint(error)
        return ""

    def _form_hint(self, error: BadRequestKeyError) -> str:
        """For a key that the client has not sent: those that it has."""
        if self.request is None or not error.args:
            return ""
        sent = self.request.__dict__
        names = [name for part in ("args", "form", "files") for name in sent.get(part) or ()]
        if not names:
            return "The client has sent no such values at all."
        listed = ", ".join(map(repr, dict.fromkeys(names[:20])))
        return f"{did_you_mean(error.args[0], names)} The client has sent: {listed}.".lstrip()

    def _template_hint(self, error: TemplateNotFound) -> str:
        """For a template: the name that comes nearest, and the folders that were searched."""
        if self.app is None:
            return ""
        names = error.templates if isinstance(error, TemplatesNotFound) else [error.name]
        loader: Any = self.app.jinja_env.loader
        # There may be many, and not every loader knows all that it has.
        known = self._try(lambda: list(islice(loader.list_templates(), MAX_CANDIDATES)))
        lines = self._try(lambda: _nearest_templates(names, known or [])) or []
        folders = self._try(lambda: _searched(loader))
        if folders:
            lines += ["It was looked for in:", *(f"  {folder}" for folder in folders)]
        if known == []:
            lines.append("There are no templates in them.")
        return "\n".join(lines)


def did_you_mean(name: str, names: Iterable[Any]) -> str:
    """``Did you mean 'name'?`` with the nearest of the names, or nothing."""
    nearest = nearest_name(name, names)
    return "" if nearest is None else f"Did you mean {nearest!r}?"


def nearest_name(name: Any, names: Iterable[Any]) -> str | None:
    """The name that one may have meant; None if no name comes near."""
    if not isinstance(name, str) or not 0 < len(name) <= 200:
        return None
    candidates = {
        candidate: None
        for candidate in islice(names, MAX_CANDIDATES)
        if isinstance(candidate, str)
        and len(candidate) <= 200
        and candidate != name
        # As in Python, an underscore at the beginning is not offered to who wrote none.
        and (name.startswith("_") or not candidate.startswith("_"))
    }
    for candidate in candidates:
        if candidate.lower() == name.lower():
            return candidate
    return next(iter(get_close_matches(name, candidates, 1, 0.66)), None)


def _name_hint(error: NameError, frame: FrameType | None) -> str:
    name = error.name
    if name is None or frame is None:
        return ""
    names = frame.f_locals
    instance = names.get("self")
    if instance is not None and name in dir(instance):
        return f"Did you mean 'self.{name}'?"
    hint = did_you_mean(name, [*names, *frame.f_globals, *dir(builtins)])
    if name in sys.stdlib_module_names:
        forgotten = f"Did you forget to import '{name}'?"
        return forgotten if not hint else f"{hint[:-1]}, or did you forget to import '{name}'?"
    return hint


def _import_hint(error: ImportError) -> str:
    if isinstance(error, ModuleNotFoundError):
        name = error.name or ""
        parent, _, last = name.rpartition(".")
        if parent:
            return did_you_mean(last, dir(sys.modules.get(parent)))
        loaded = {module.partition(".")[0] for module in list(sys.modules)}
        return did_you_mean(name, sorted({*sys.stdlib_module_names, *loaded}))
    found = _CANNOT_IMPORT.match(str(error))
    if found is None:
        return ""
    return did_you_mean(found[1], dir(sys.modules.get(found[2])))


_CANNOT_IMPORT = re.compile(r"cannot import name '([^']+)' from (?:partially initialized module )?'([^']+)'")


def _undefined_hint(error: UndefinedError) -> str:
    """For a variable that a template does not have: those that it has."""
    found = re.match(r"'([^']+)' is undefined", str(error))
    traceback, names = error.__traceback__, set[str]()
    while traceback is not None:
        if "__jinja_exception__" in traceback.tb_frame.f_globals:  # a template, as Jinja shows it
            names.update(traceback.tb_frame.f_locals)
        traceback = traceback.tb_next
    return did_you_mean(found[1], sorted(names)) if found is not None else ""


def _key_hint(error: KeyError) -> str:
    """For a key that is not there: the nearest one of the dictionary, where the source names it."""
    if len(error.args) != 1:
        return ""
    # A class may raise it in a method of its own, as that of `os.environ` does.
    for frame, line, instruction in list(walk(error.__traceback__))[: -MAX_CALLS - 1 : -1]:
        mapping = _subscripted(frame, line, instruction)
        if mapping is not None:
            return did_you_mean(error.args[0], mapping)
    return ""


def _subscripted(frame: FrameType, line: int, instruction: int) -> Mapping[Any, Any] | None:
    """What was subscripted: the value of ``name``, or of attributes of it, in ``name[key]``."""
    columns = columns_of(frame.f_code, line, instruction)
    source = source_lines(frame.f_code.co_filename, line, line, columns, frame.f_globals, 0)
    if columns is None or not source or not source[0].mark:
        return None
    start, end = source[0].mark
    text = source[0].text[start:end] if end else source[0].text
    try:
        expression: Any = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        return None
    if not isinstance(expression, ast.Subscript):
        return None
    names = []
    expression = expression.value
    while isinstance(expression, ast.Attribute):
        names.append(expression.attr)
        expression = expression.value
    if not isinstance(expression, ast.Name):
        return None
    value = frame.f_locals.get(expression.id, frame.f_globals.get(expression.id))
    for name in reversed(names):
        value = getattr(value, name)
    return value if isinstance(value, Mapping) else None


def _nearest_templates(names: Iterable[Any], known: list[str]) -> list[str]:
    """For names of templates: those that come near, or are in another folder."""
    wanted = [name for name in names if isinstance(name, str)]
    near = {did_you_mean(name, known): None for name in wanted}
    lines = [hint for hint in near if hint]
    for name in wanted if not lines else ():
        last = name.rpartition("/")[2]
        elsewhere = next((template for template in known if template.rpartition("/")[2] == last), None)
        if elsewhere is not None:
            return [f"Did you mean {elsewhere!r}?"]
    return lines


def _searched(loader: Any) -> list[str]:
    """The folders, or descriptions of the loaders, that a loader looks into."""
    owners = getattr(loader, "_loaders", None)
    loaders = [(owner, one) for owner, one in owners()] if owners is not None else [(None, loader)]
    lines = []
    for owner, one in loaders[:MAX_FOLDERS]:
        of = "" if owner is None or not hasattr(owner, "import_name") else f"  ({owner.import_name})"
        for nested in getattr(one, "loaders", [one]):
            folders = getattr(nested, "searchpath", None)
            lines += [f"{folder}{of}" for folder in folders or [type(nested).__name__]]
    return lines[:MAX_FOLDERS]
