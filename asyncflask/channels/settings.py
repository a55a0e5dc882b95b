"""The limits, with their keys in the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Settings:
    """How much is kept, and for how long.

    :param history: messages of a name that are kept: ``CHANNELS_HISTORY``.
    :param history_seconds: they are forgotten when nothing has been published under the name for so long:
        ``CHANNELS_HISTORY_SECONDS``.
    :param buffer: messages that a subscription has ready for its reader: ``CHANNELS_BUFFER``.
    :param max_message_size: bytes of a message, encoded: ``CHANNELS_MAX_MESSAGE_SIZE``.
    :param max_names: names that one process listens to, and that it keeps messages of in its memory:
        ``CHANNELS_MAX_NAMES``.
    :param presence_seconds: for how long someone is there without a word from the process, which may have
        crashed: ``CHANNELS_PRESENCE_SECONDS``.
    :param timeout: seconds that Redis may be away before what asks it gives up: ``CHANNELS_TIMEOUT``.
    :param prefix: what keys in Redis begin with: ``CHANNELS_PREFIX``.
    :raises ValueError: for a number that is not positive.
    """

    history: int = 1000
    history_seconds: float = 24 * 60 * 60
    buffer: int = 100
    max_message_size: int = 64 * 1024
    max_names: int = 10_000
    presence_seconds: float = 30
    timeout: float = 5
    prefix: str = "channels"

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name != "prefix" and not value > 0:
                raise ValueError(f"CHANNELS_{name.upper()} is a number greater than 0, not {value!r}.")

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Self:
        """Those of a configuration."""
        return cls(
            **{name: config[key] for name in vars(cls()) if (key := f"CHANNELS_{name.upper()}") in config}
        )
