"""``ASYNCFLASK_AS_FLASK=1`` for every program: ``import flask`` gives asyncflask.

``asyncflask_as_flask.pth``, which Python reads when it starts, imports this module if the variable is set.
Nothing else is imported until somebody asks for Flask: a program that does not, such as pip, has nothing of
it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType


class FirstImport(MetaPathFinder):
    """Waits for the first import of `flask`, and lets `asyncflask.as_flask` answer it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "asyncflask":
            sys.meta_path.remove(self)  # it looks at the variable itself
        if fullname != "flask":
            return None
        sys.meta_path.remove(self)
        import asyncflask.as_flask  # noqa: F401  # here, since it is what was waited for

        del sys.modules["flask"]  # or it would be what is being imported
        return find_spec("flask")


if os.environ.get("ASYNCFLASK_AS_FLASK", "").lower() not in ("", "0", "false", "no"):
    sys.meta_path.insert(0, FirstImport())
