"""Extensions by their names of old tutorials: ``asyncflask.ext.name`` is the module ``flask_name``, or else
``asyncflask_name``, and its submodules are that module's.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

from ..legacy import extension_imported


class ExtensionImporter(MetaPathFinder, Loader):
    """Imports an extension under its own name and lets that module be known by the old one too."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, name = fullname.rpartition(".")
        if package == __name__:
            candidates = [f"flask_{name}", f"asyncflask_{name}"]
        elif package.startswith(f"{__name__}."):
            candidates = [f"{sys.modules[package].__name__}.{name}"]
        else:
            return None
        for candidate in candidates:
            if candidate in sys.modules or find_spec(candidate) is not None:
                return ModuleSpec(fullname, self, loader_state=candidate)
        missing = " or ".join(map(repr, candidates))
        raise ModuleNotFoundError(f"No module named {missing}, for {fullname!r}", name=fullname)

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        assert spec is not None
        # The import takes the module from here afterwards, so there is no second copy of the extension.
        sys.modules[spec.name] = import_module(spec.loader_state)
        extension_imported(spec.name, spec.loader_state)


# First, because submodules could also be found where the extension has them, and would be copies.
sys.meta_path.insert(0, ExtensionImporter())
