"""Signing cookies: itsdangerous's way, with what does not change from one cookie to the next kept."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from itsdangerous import Signer, TimestampSigner, URLSafeTimedSerializer
from itsdangerous.encoding import want_bytes
from itsdangerous.signer import HMACAlgorithm


def sha1(string: bytes = b"") -> Any:
    """The hash that Flask signs sessions with."""
    return hashlib.sha1(string)


class _HMACSHA1(HMACAlgorithm):
    def get_signature(self, key: bytes, value: bytes) -> bytes:
        return hmac.digest(key, value, "sha1")  # in one call, without an object


class _Signer(TimestampSigner):
    """Derives each key once."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if kwargs.get("digest_method") is sha1:
            kwargs["algorithm"] = _HMACSHA1(sha1)
        super().__init__(*args, **kwargs)
        self._keys: dict[bytes | None, bytes] = {}

    def derive_key(self, secret_key: str | bytes | None = None) -> bytes:
        secret = None if secret_key is None else want_bytes(secret_key)
        key = self._keys.get(secret)
        if key is None:
            key = self._keys[secret] = super().derive_key(secret_key)
        return key


class CookieSerializer(URLSafeTimedSerializer):
    """`URLSafeTimedSerializer` for many short values that are signed with the same keys."""

    default_signer = _Signer

    _own_signer: Signer | None = None

    def make_signer(self, salt: str | bytes | None = None) -> Signer:
        if salt is not None and salt != self.salt:
            return super().make_signer(salt)
        signer = self._own_signer
        if signer is None:
            signer = self._own_signer = super().make_signer(salt)
        return signer
