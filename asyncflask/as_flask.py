"""Run applications and extensions written for Flask, unmodified: ``import asyncflask.as_flask``.

From this import on, ``import flask`` and ``from flask.x import y`` give asyncflask's modules. There
is one module under both names, not a second copy: ``flask is asyncflask`` and
``flask.globals is asyncflask.globals``, so an object that an extension replaces or
compares is the one that the framework uses. It has to come before the first import of
`flask`, in one of these ways:

- as the first line of the module that starts the program: ``import asyncflask.as_flask``;
- ``asyncflask run --as-flask``, and with the other commands;
- ``ASYNCFLASK_AS_FLASK=1`` in the environment, which counts when asyncflask is first imported;
- ``pytest -p asyncflask.as_flask``.

Extensions ask which Flask they run on. ``importlib.metadata.version("flask")`` answers also if Flask is not
installed, and ``flask.__version__`` is the version of Flask's API. As there is one module,
``asyncflask.__version__`` is that, too, from then on; ``importlib.metadata.version("asyncflask")`` is
always asyncflask's own.

:raises RuntimeError: if Flask itself has been imported before. The message says by which module.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.metadata import Distribution, DistributionFinder, MetadataPathFinder
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType, ModuleType

import asyncflask

#: The version of Flask whose API asyncflask has.
FLASK_VERSION = "3.1.3"

_ANY = DistributionFinder.Context()


class AliasFinder(MetaPathFinder, Loader):
    """Finds ``flask.x`` as asyncflask's module ``x``, imported under its own name."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, dot, rest = fullname.partition(".")
        if package != "flask":
            return None
        name = f"{asyncflask.__name__}{dot}{rest}"
        if name not in sys.modules and find_spec(name) is None:
            return None
        return ModuleSpec(fullname, self, loader_state=name)

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        assert spec is not None
        # The import takes the module from here afterwards and drops the empty one that it has made.
        sys.modules[spec.name] = import_module(spec.loader_state)


class FlaskDistribution(Distribution):
    """What `importlib.metadata` says about Flask where only asyncflask is installed."""

    def read_text(self, filename: str) -> str | None:
        if filename != "METADATA":
            return None
        return f"Metadata-Version: 2.1\nName: Flask\nVersion: {FLASK_VERSION}\n"

    def locate_file(self, path: str | os.PathLike[str]) -> Path:
        return Path(asyncflask.__path__[0], path)


class FlaskMetadataFinder(DistributionFinder):
    """Finds the distribution ``flask``, unless it is installed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return None

    def find_distributions(self, context: DistributionFinder.Context = _ANY) -> Iterable[Distribution]:
        if context.name is not None and context.name.lower() != "flask":
            return []
        installed = MetadataPathFinder.find_distributions(
            DistributionFinder.Context(name="flask", path=context.path)
        )
        return [] if any(True for _ in installed) else [FlaskDistribution()]


# -- if Flask is there already ------------------------------------------------------------------


def _is_of_flask(name: str) -> bool:
    return name == "flask" or name.startswith("flask.")


def _objects_of_flask() -> Iterator[object]:
    """Flask's modules, and the classes, functions, proxies and signals in them."""
    for name, module in list(sys.modules.items()):
        if not _is_of_flask(name) or module is None:
            continue
        yield module
        for value in vars(module).values():
            # Asking a proxy anything would ask what it stands for.
            kind = type(value)
            if issubclass(kind, (type, FunctionType)):
                if _is_of_flask(value.__module__):
                    yield value
            elif kind.__name__ in ("LocalProxy", "NamedSignal"):
                yield value


def _importers() -> list[str]:
    """The modules that may have been first to import Flask: mostly one, at most two."""
    flask_ids = {id(value) for value in _objects_of_flask()}
    names = list(sys.modules)
    users = [
        (position, name)
        for position, name in enumerate(names)
        if not _is_of_flask(name)
        and issubclass(type(sys.modules[name]), ModuleType)
        and any(id(value) in flask_ids for value in list(vars(sys.modules[name]).values()))
    ]
    # A module moves to the end of sys.modules when its import is done. So the one that has imported
    # Flask is next to it: behind it, or before it if its own import is still under way.
    flask_position = names.index("flask")
    before = [name for position, name in users if position < flask_position]
    after = [name for position, name in users if position > flask_position]
    return before[-1:] + after[:1]


def _describe(name: str) -> str:
    file = getattr(sys.modules[name], "__file__", None)
    return f"{name!r} ({file})" if file else repr(name)


def _install() -> None:
    # None, which forbids the import, is no module.
    if sys.modules.get("flask") not in (None, asyncflask):
        importers = " or ".join(map(_describe, _importers())) or "a module that has kept nothing of it"
        raise RuntimeError(
            f"Flask itself has been imported already, by {importers}. 'import asyncflask.as_flask' has to"
            " come before that: make it the first line of the module that starts the program, or use"
            " 'asyncflask run --as-flask', in tests 'pytest -p asyncflask.as_flask'."
        )
    for name, module in list(sys.modules.items()):
        package, dot, rest = name.partition(".")
        if package == asyncflask.__name__:
            sys.modules[f"flask{dot}{rest}"] = module
    # First, because the path of the package leads to the files of asyncflask, which would be loaded twice.
    sys.meta_path.insert(0, AliasFinder())
    sys.meta_path.append(FlaskMetadataFinder())
    asyncflask.__version__ = FLASK_VERSION


_install()
