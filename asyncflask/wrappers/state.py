"""What the lifespan has left for requests."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import State

from ..typing import Scope

_IN_TESTS = (
    "The lifespan has not been run: a test client runs it when it is used as 'with app.test_client() as"
    " client:', or with 'async with'."
)
_SERVED = "The server has not run the lifespan: see its option for that, '--lifespan on' of uvicorn."


class RequestState(State):
    """Lifespan state (https://asgi.readthedocs.io/en/latest/specs/lifespan.html#lifespan-state), as
    attributes or items.

    :param scope: the scope that it is in.
    :param has_lifespan: whether the application has a lifespan, which then should have left something.
    """

    def __init__(self, scope: Scope, has_lifespan: bool) -> None:
        super().__init__(scope.setdefault("state", {}))
        object.__setattr__(self, "_scope", scope)
        object.__setattr__(self, "_has_lifespan", has_lifespan)

    def get(self, key: str, default: Any = None) -> Any:
        """An item, or `default` where there is none."""
        return self._state.get(key, default)

    def __contains__(self, key: object) -> bool:
        return key in self._state

    def __getitem__(self, key: str) -> Any:
        try:
            return self._state[key]
        except KeyError as error:
            self._explain(error)
            raise

    def __getattr__(self, key: str) -> Any:
        try:
            return super().__getattr__(key)
        except AttributeError as error:
            self._explain(error)
            raise

    def _explain(self, error: Exception) -> None:
        if self._has_lifespan and not self._state:
            error.add_note(_IN_TESTS if "asyncflask.client" in self._scope else _SERVED)
