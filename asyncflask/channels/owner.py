"""What groups and presences need of `Channels`, which is above them and makes them."""

from __future__ import annotations

from typing import Any, Protocol

from .backend import Backend
from .loops import PerLoop
from .settings import Settings


class Owner(Protocol):
    """The channels of an application."""

    rounds: PerLoop[Any]
    watches: PerLoop[dict[str, Any]]

    @property
    def backend(self) -> Backend: ...
    @property
    def settings(self) -> Settings: ...
    def dumps(self, value: Any) -> str: ...
    def loads(self, text: str) -> Any: ...
    async def publish(self, name: str, data: Any) -> str: ...
    def call_from_sync(self, function: Any, *args: Any, **kwargs: Any) -> Any: ...
