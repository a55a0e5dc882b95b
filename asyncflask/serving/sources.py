"""The files whose change starts the program again."""

from __future__ import annotations

import fnmatch
import os
import sys
import sysconfig
from collections.abc import Iterable

import watchfiles


class Sources:
    """Which files make up the program: Python files outside of installed packages, and those named."""

    ignored = {"__pycache__", "node_modules", "site-packages", "dist-packages"}
    installed = {os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "scripts")}

    def __init__(
        self, extra_files: Iterable[str | os.PathLike[str]], exclude_patterns: Iterable[str]
    ) -> None:
        self.extra = {os.path.abspath(path) for path in extra_files}
        self.exclude = list(exclude_patterns)

    def is_relevant(self, change: watchfiles.Change, path: str) -> bool:
        """Whether a change of a path in a watched folder is to be looked at."""
        name = os.path.basename(path)
        if any(fnmatch.fnmatch(path, pattern) for pattern in self.exclude):
            return False
        if self.is_extra(path):
            return True
        if name.startswith(".") or name in self.ignored:
            return False
        if name.endswith(".py"):
            return True
        return change == watchfiles.Change.added and os.path.isdir(path)

    def is_extra(self, path: str) -> bool:
        return path in self.extra or any(path.startswith(os.path.join(extra, "")) for extra in self.extra)

    def folders(self) -> set[str]:
        """The folders that hold such files now, each to be watched without those below it."""
        modules = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
        roots = {os.path.abspath(path) for path in sys.path}
        roots |= {os.path.dirname(os.path.abspath(path)) for path in modules if isinstance(path, str)}
        found: set[str] = set()
        for root in roots:
            if not self.is_installed(root):
                self.walk(root, found, everything=False)
        for path in self.extra:
            if os.path.isdir(path):
                self.walk(path, found, everything=True)
            else:
                found.add(os.path.dirname(path))
        return {path for path in found if os.path.isdir(path)}

    def is_installed(self, path: str) -> bool:
        parts = path.split(os.sep)
        real = os.path.realpath(path)
        return not self.ignored.isdisjoint(parts) or any(
            real == folder or real.startswith(os.path.join(folder, "")) for folder in self.installed
        )

    def walk(self, root: str, found: set[str], everything: bool) -> None:
        """Add the folders below the root, no further than one without Python files in one without them."""
        pending = [(root, True)]
        while pending:
            folder, worthwhile = pending.pop()
            try:
                entries = list(os.scandir(folder))
            except OSError:
                continue
            has_python = any(entry.name.endswith(".py") for entry in entries)
            if not (worthwhile or has_python or everything):
                continue
            found.add(folder)
            pending += [
                (entry.path, has_python)
                for entry in entries
                if not (entry.name.startswith(".") or entry.name in self.ignored)
                and entry.is_dir(follow_symlinks=False)
                and not os.path.exists(os.path.join(entry.path, "pyvenv.cfg"))
            ]
