"""Flask itself beside asyncflask, in one code base (AF7)."""

from __future__ import annotations

import ast

from .project import Check

_AS_FLASK = "'asyncflask run --as-flask', or 'import asyncflask.as_flask' before everything else"
_OURS = ("asyncflask.as_flask", "asyncflask.middleware", "asyncflask.sse")


class MixedCheck(Check):
    """Imports of Flask, and of extensions that import it, where the rest is asyncflask's already."""

    def imported(self, node: ast.alias, module: str, name: str | None) -> None:
        package = module.partition(".")[0]
        if package == "asyncflask":
            # What Flask does not have is imported from asyncflask in code for Flask, too.
            self.project.uses_asyncflask |= not module.startswith(_OURS)
            if "as_flask" in (module.rpartition(".")[2], name):
                self.project.uses_as_flask = True
        self.project.uses_flask |= package == "flask"
        if package == "flask" or package.startswith("flask_") or package == "flasgger":
            self.project.later.append(lambda: self._beside(node, package))

    def _beside(self, node: ast.alias, package: str) -> None:
        if not self.project.uses_asyncflask or self.project.uses_as_flask:
            return
        if package == "flask":
            self.warning(
                node,
                "AF701",
                "flask is imported beside asyncflask",
                f"import asyncflask here, too; or {_AS_FLASK}",
            )
        else:
            self.note(node, "AF702", f"{package} imports flask, not asyncflask", _AS_FLASK)
