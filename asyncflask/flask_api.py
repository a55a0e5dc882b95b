"""Where Flask 3.2 contradicts 3.1: ``app.config["FLASK_API"]`` says which of them to be like.

What it only adds is always there.
"""

from __future__ import annotations

from typing import Any


def is_next(app: Any) -> bool:
    """Whether an application asks for the answers of Flask 3.2 where they contradict those of 3.1."""
    version = app.config["FLASK_API"]
    if version not in ("3.1", "3.2"):
        raise ValueError(f"FLASK_API is {version!r}; it is '3.1' or '3.2', the version of Flask to be like.")
    return bool(version == "3.2")


#: The messages of the groups that `CollectedErrors` raises.
CONTEXT_ERRORS = "Errors during context teardown"
REQUEST_ERRORS = "Errors during request teardown"
APP_ERRORS = "Errors during app teardown"


class CollectedErrors:
    """Lets the blocks of ``with`` go on after an error. Flask 3.2 calls all that is to be called at the end,
    and raises what it has raised as one group.

    :param app: the application; where it is to be like Flask 3.1, errors pass.
    """

    def __init__(self, app: Any) -> None:
        self._is_on = is_next(app)
        self.errors: list[Exception] = []

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not self._is_on or not isinstance(error, Exception):
            return False
        self.errors.append(error)
        return True

    def raise_all(self, message: str) -> None:
        """Raise what was collected, as a group."""
        if self.errors:
            try:
                raise ExceptionGroup(message, self.errors)
            finally:
                self.errors = []  # whose tracebacks refer to the frames of the blocks
