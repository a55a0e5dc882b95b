"""What unlocks the consoles: a PIN that is on the terminal."""

from __future__ import annotations

import os
import re
import secrets
from functools import cache
from hashlib import sha256
from hmac import compare_digest, new

#: The reloader's child gets it from its parent, so that the PIN stays the same from reload to reload.
SEED = "ASYNCFLASK_DEBUG_SEED"
#: Werkzeug's name, for the PIN of one's choice; "off" for no console at all.
CHOSEN = "WERKZEUG_DEBUG_PIN"

ATTEMPTS = 10


class Pin:
    """A PIN, and the token that a browser gets for it.

    :param seed: random bytes that both are made from.
    :param chosen: a PIN in the place of the one made from the seed.
    """

    def __init__(self, seed: bytes, chosen: str | None = None) -> None:
        number = int.from_bytes(new(seed, b"pin", sha256).digest()) % 10**9
        digits = f"{number:09}"
        #: What is to be typed.
        self.text = chosen or f"{digits[:3]}-{digits[3:6]}-{digits[6:]}"
        self._token = new(seed, b"token" + self.text.encode(), sha256).hexdigest()
        #: How many wrong PINs are still taken. After that the process has to be started again.
        self.attempts_left = ATTEMPTS

    def unlock(self, typed: str) -> str | None:
        """The token, if that is the PIN and there have not been too many others."""
        if self.attempts_left <= 0:
            return None
        self.attempts_left -= 1
        if not compare_digest(_digits(typed), _digits(self.text)):
            return None
        self.attempts_left = ATTEMPTS
        return self._token

    def accepts(self, token: str) -> bool:
        """Whether that is the token."""
        return compare_digest(token.encode(errors="replace"), self._token.encode())


@cache
def process_pin() -> Pin | None:
    """The PIN of this process; None if it is to have no consoles."""
    seed = os.environ.pop(SEED, None)  # it is not for processes that the application starts
    chosen = os.environ.get(CHOSEN, "").strip()
    if chosen == "off":
        return None
    return Pin(bytes.fromhex(seed) if seed else secrets.token_bytes(32), chosen or None)


def new_seed() -> str:
    """For the environment of processes that are to have the same PIN."""
    return secrets.token_hex(32)


def _digits(text: str) -> bytes:
    return re.sub(r"[\s\-]", "", text).encode(errors="replace")
