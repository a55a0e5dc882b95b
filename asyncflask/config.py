"""Configuration: a dict that fills itself from Python files, objects, other files and the environment."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from types import ModuleType
from typing import IO, Any, Generic, Protocol, Self, TypeVar, overload

from werkzeug.datastructures import ImmutableDict
from werkzeug.utils import import_string

from .observed import changed, observed

T = TypeVar("T")


class _Configured(Protocol):
    @property
    def config(self) -> Config: ...


class ConfigAttribute(Generic[T]):
    """A descriptor: the attribute of an object that is kept in its ``config``.

    :param name: key in the config.
    :param get_converter: applied to the value each time it is read; what is stored stays as it was set.
    """

    def __init__(self, name: str, get_converter: Callable[[Any], T] | None = None) -> None:
        self.__name__ = name
        self.get_converter = get_converter

    @overload
    def __get__(self, obj: None, owner: None) -> Self: ...

    @overload
    def __get__(self, obj: _Configured, owner: type[Any] | None = None) -> T: ...

    @overload
    def __get__(self, obj: None, owner: type[Any]) -> Self: ...

    def __get__(self, obj: _Configured | None, owner: type[Any] | None = None) -> T | Self:
        if obj is None:
            return self
        value = obj.config[self.__name__]
        if self.get_converter is not None:
            return self.get_converter(value)
        return value  # type: ignore[no-any-return]

    def __set__(self, obj: _Configured, value: Any) -> None:
        obj.config[self.__name__] = value


#: The keys that the layers of a request are made from.
_SETUP = frozenset(
    ("DEBUG", "SECRET_KEY", "TRAP_BAD_REQUEST_ERRORS", "TRAP_HTTP_EXCEPTIONS", "TRUSTED_HOSTS")
)


@observed("clear", "pop", "popitem", "setdefault", "update", "__delitem__", "__ior__")
class Config(dict[str, Any]):
    """A dict with methods that load values into it, as ``flask.Config`` has them.

    Where values come from Python code or from a mapping, only uppercase keys
    are options; anything else in the source is its own business.

    :param root_path: directory that relative file names are looked up in.
    :param defaults: the first values.
    """

    def __init__(self, root_path: str | os.PathLike[str], defaults: dict[str, Any] | None = None) -> None:
        super().__init__(defaults or {})
        self.root_path = root_path

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        if key in _SETUP:
            changed()

    def from_object(self, obj: object | str) -> None:
        """Take over the uppercase attributes of an object, usually a module or a class.

        A class is not instantiated, so its properties have no value yet: pass
        an instance if it has some. A dict has its keys not as attributes:
        use `from_mapping`.

        :param obj: the object, or the import path of one (``"package.module"``, ``"package.module:Class"``).
        :raises ImportError: when the import path leads nowhere.
        """
        if isinstance(obj, str):
            obj = import_string(obj)
        for key in dir(obj):
            if key.isupper():
                self[key] = getattr(obj, key)

    def from_pyfile(self, filename: str | os.PathLike[str], silent: bool = False) -> bool:
        """Run a Python file and take over its uppercase names. The name of the file may end in anything.

        :param filename: path, relative to `root_path` or absolute.
        :param silent: return False when there is no such file.
        :returns: whether the file was loaded.
        :raises OSError: when the file cannot be read; the message names it.
        """
        filename = os.path.join(self.root_path, filename)
        module = ModuleType("config")
        module.__file__ = filename
        try:
            with open(filename, mode="rb") as file:
                # Compiled from bytes, so that the file's own coding declaration counts.
                exec(compile(file.read(), filename, "exec"), module.__dict__)
        except OSError as error:
            if silent and error.errno in (errno.ENOENT, errno.EISDIR, errno.ENOTDIR):
                return False
            error.strerror = f"Unable to load configuration file ({error.strerror})"
            raise
        self.from_object(module)
        return True

    def from_envvar(self, variable_name: str, silent: bool = False) -> bool:
        """Load the Python file that an environment variable names; see `from_pyfile`.

        :param variable_name: name of the environment variable.
        :param silent: return False when the variable is unset or empty, or there is no such file.
        :returns: whether a file was loaded.
        :raises RuntimeError: when the variable is unset or empty.
        :raises OSError: when the file cannot be read.
        """
        filename = os.environ.get(variable_name)
        if not filename:
            if silent:
                return False
            raise RuntimeError(
                f"The environment variable {variable_name!r} is not set, so there is no configuration to"
                " load. Set it to the path of a configuration file, or pass silent=True if the file is"
                " optional."
            )
        return self.from_pyfile(filename, silent=silent)

    def from_prefixed_env(self, prefix: str = "FLASK", *, loads: Callable[[str], Any] = json.loads) -> bool:
        """Take over the environment variables that start with a prefix, in sorted order.

        ``FLASK_MAIL_PORT=25`` sets ``config["MAIL_PORT"]`` to ``25``. A double
        underscore reaches into a dict: ``FLASK_MAIL__PORT=25`` sets
        ``config["MAIL"]["PORT"]``, and makes the dict if there is none.

        :param prefix: the prefix, without the underscore that follows it.
        :param loads: turns the text of a variable into a value; where it raises, the text is the value.
        :returns: True.
        :raises TypeError: when a double underscore reaches into a value that is not a dict.
        """
        prefix = f"{prefix}_"
        for name in sorted(os.environ):
            if not name.startswith(prefix):
                continue
            value: Any = os.environ[name]
            with suppress(Exception):  # most strings are not JSON; they mean themselves
                value = loads(value)
            *parents, key = name.removeprefix(prefix).split("__")
            target: Any = self
            try:
                for parent in parents:
                    if parent not in target:
                        target[parent] = {}
                    target = target[parent]
                target[key] = value
            except TypeError as error:
                if target is self:
                    raise
                raise TypeError(
                    f"The environment variable {name!r} sets an item of a dict, but there is a"
                    f" {type(target).__name__} in its place. Rename one of the two."
                ) from error
        return True

    def from_file(
        self,
        filename: str | os.PathLike[str],
        load: Callable[[IO[Any]], Mapping[str, Any]],
        silent: bool = False,
        text: bool = True,
    ) -> bool:
        """Load a file in a format of your choice: ``config.from_file("c.toml", tomllib.load, text=False)``.

        :param filename: path, relative to `root_path` or absolute.
        :param load: reads the open file and returns a mapping, whose uppercase keys are taken over.
        :param silent: return False when there is no such file.
        :param text: open the file as text in the locale's encoding, otherwise as bytes.
        :returns: whether the file was loaded.
        :raises OSError: when the file cannot be read; the message names it.
        """
        filename = os.path.join(self.root_path, filename)
        try:
            with open(filename, "r" if text else "rb") as file:
                mapping = load(file)
        except OSError as error:
            if silent and error.errno in (errno.ENOENT, errno.EISDIR):
                return False
            error.strerror = f"Unable to load configuration file ({error.strerror})"
            raise
        return self.from_mapping(mapping)

    def from_mapping(self, mapping: Mapping[str, Any] | None = None, **kwargs: Any) -> bool:
        """Take over the uppercase keys of a mapping, and of the keyword arguments, which win.

        :param mapping: anything that `dict.update` takes.
        :returns: True.
        """
        values: dict[str, Any] = {}
        if mapping is not None:
            values.update(mapping)
        values.update(kwargs)
        for key, value in values.items():
            if key.isupper():
                self[key] = value
        return True

    def get_namespace(
        self, namespace: str, lowercase: bool = True, trim_namespace: bool = True
    ) -> dict[str, Any]:
        """The options whose keys start with a prefix, in the shape of keyword arguments.

        With ``MAIL_HOST`` and ``MAIL_PORT`` set, ``get_namespace("MAIL_")``
        has the keys ``host`` and ``port``.

        :param namespace: the prefix, with its underscore.
        :param lowercase: make the keys lowercase.
        :param trim_namespace: take the prefix off the keys.
        """
        start = len(namespace) if trim_namespace else 0
        options = ((key[start:], value) for key, value in self.items() if key.startswith(namespace))
        return {key.lower() if lowercase else key: value for key, value in options}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {super().__repr__()}>"


def make_timedelta(value: timedelta | int | None) -> timedelta | None:
    """What is configured as a number of seconds, or as the duration itself."""
    return value if value is None or isinstance(value, timedelta) else timedelta(seconds=value)


#: What an application's configuration begins with.
DEFAULTS: Mapping[str, Any] = ImmutableDict(
    {
        "DEBUG": None,
        "TESTING": False,
        "PROPAGATE_EXCEPTIONS": None,
        "SECRET_KEY": None,
        "SECRET_KEY_FALLBACKS": None,
        "PERMANENT_SESSION_LIFETIME": timedelta(days=31),
        "USE_X_SENDFILE": False,
        "TRUSTED_HOSTS": None,
        "SERVER_NAME": None,
        "APPLICATION_ROOT": "/",
        "SESSION_COOKIE_NAME": "session",
        "SESSION_COOKIE_DOMAIN": None,
        "SESSION_COOKIE_PATH": None,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SECURE": False,
        "SESSION_COOKIE_PARTITIONED": False,
        "SESSION_COOKIE_SAMESITE": None,
        "SESSION_REFRESH_EACH_REQUEST": True,
        "MAX_CONTENT_LENGTH": None,
        "MAX_FORM_MEMORY_SIZE": 500_000,
        "MAX_FORM_PARTS": 1_000,
        "SEND_FILE_MAX_AGE_DEFAULT": None,
        "TRAP_BAD_REQUEST_ERRORS": None,
        "TRAP_HTTP_EXCEPTIONS": False,
        "EXPLAIN_TEMPLATE_LOADING": False,
        "PREFERRED_URL_SCHEME": "http",
        "TEMPLATES_AUTO_RELOAD": None,
        "MAX_COOKIE_SIZE": 4093,
        "PROVIDE_AUTOMATIC_OPTIONS": True,
        # In debug mode: whether an exception that nobody has handled is shown in the browser.
        "DEBUG_PAGE": True,
        # In debug mode: whether code can be run in the frames of a traceback, with the PIN.
        "DEBUG_CONSOLE": True,
        # A URL that opens a file in an editor, such as "vscode://file/{file}:{line}".
        "DEBUG_EDITOR_URL": None,
        # Seconds that the event loop may be held up before it is logged in debug mode, None for any.
        "DEBUG_SLOW_CALLBACK": 0.1,
        # Where channels are: None in the memory of this process, or "redis://...".
        "CHANNELS_URL": None,
        # Whether an async view is cancelled when its client goes away.
        "CANCEL_ON_DISCONNECT": True,
        # Seconds that a client may send nothing of a body.
        "BODY_TIMEOUT": 60.0,
        # Seconds that background tasks may go on when the server ends.
        "BACKGROUND_TASK_SHUTDOWN_TIMEOUT": 5.0,
        # The largest number of threads for sync callables.
        "WORKER_THREADS": 40,
    }
)
