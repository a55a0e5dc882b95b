"""Signing cookies: itsdangerous's way, with what does not change from one cookie to the next kept."""

from __future__ import annotations

import hashlib
import hmac
import zlib
from binascii import a2b_base64, b2a_base64
from typing import Any, TypeGuard

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
    # What signs now, in the way sessions are signed unless somebody has changed that; then there is none.
    _key: bytes | None = None
    _stamp: tuple[int, bytes] = (-1, b"")

    def make_signer(self, salt: str | bytes | None = None) -> Signer:
        if salt is not None and salt != self.salt:
            return super().make_signer(salt)
        signer = self._own_signer
        if signer is None:
            signer = self._own_signer = super().make_signer(salt)
            if _is_usual(signer) and not self.serializer_kwargs:
                self._key = signer.derive_key()
        return signer

    def dumps(self, obj: Any, salt: str | bytes | None = None) -> str:
        signer: Any = self._own_signer or self.make_signer()
        key = self._key
        if key is None or (salt is not None and salt != self.salt):
            return super().dumps(obj, salt)
        text: bytes = want_bytes(self.serializer.dumps(obj))
        compressed = text if is_dense(text) else compress(text)
        payload = b"." + _encode(compressed) if len(compressed) < len(text) - 1 else _encode(text)
        signed = payload + b"." + self._stamp_of(signer.get_timestamp())
        return (signed + b"." + _signature(key, signed)).decode()

    def _stamp_of(self, now: int) -> bytes:
        """A time as it stands in a cookie."""
        stamp = self._stamp
        if stamp[0] != now:
            stamp = self._stamp = now, _encode(now.to_bytes((now.bit_length() + 7) // 8, "big"))
        return stamp[1]

    def loads(  # type: ignore[override]
        self,
        s: str | bytes,
        max_age: int | None = None,
        return_timestamp: bool = False,
        salt: str | bytes | None = None,
    ) -> Any:
        if max_age is not None and not return_timestamp and salt is None:
            payload = self._payload_of(s.encode() if type(s) is str else want_bytes(s), max_age)
            if payload is not None:
                if payload[:1] == b".":
                    return self.load_payload(payload)
                try:
                    return self.serializer.loads(_decode(payload).decode())
                except Exception:
                    return self.load_payload(payload)  # which says what is wrong
        return super().loads(s, max_age, return_timestamp, salt)

    def _payload_of(self, cookie: bytes, max_age: int) -> bytes | None:
        """The payload of a cookie that is signed with the current key and of an age that is allowed; for any
        other, itsdangerous says what is wrong with it."""
        signer: Any = self._own_signer or self.make_signer()
        key = self._key
        signed, _, signature = cookie.rpartition(b".")
        payload, separator, stamp = signed.rpartition(b".")
        if key is None or not separator or not 0 < len(stamp) <= 8:
            return None
        if not hmac.compare_digest(signature, _signature(key, signed)):
            return None
        age = signer.get_timestamp() - int.from_bytes(_decode(stamp), "big")
        return payload if 0 <= age <= max_age else None


def _signature(key: bytes, signed: bytes) -> bytes:
    """HMAC-SHA1, whose 20 bytes are 27 letters and one of padding."""
    return b2a_base64(hmac.digest(key, signed, "sha1"))[:27].translate(_URL_SAFE)


def _is_usual(signer: Signer) -> TypeGuard[_Signer]:
    """Whether it signs as sessions are signed unless somebody has changed it."""
    return type(signer) is _Signer and type(signer.algorithm) is _HMACSHA1 and signer.sep == b"."


def _encode(data: bytes) -> bytes:
    """URL-safe Base64 without padding (RFC 4648 section 5)."""
    return b2a_base64(data, newline=False).rstrip(b"=").translate(_URL_SAFE)


def _decode(data: bytes) -> bytes:
    """The reverse; ValueError for what is none."""
    return a2b_base64(data.translate(_USUAL) + b"==="[: -len(data) % 4])


def is_dense(text: bytes) -> bool:
    """Whether a short text has so few letters twice that compressing it cannot gain anything: zlib adds six
    bytes and deflate another two, and neither saves on a letter that is new (RFC 1950, RFC 1951)."""
    length = len(text)
    return length <= 32 and length <= len(set(text)) + 8


def compress(text: bytes) -> bytes:
    """`zlib.compress`, with memory for a short text only: 40 KB instead of 256 KB, which the allocator
    takes from the system and gives back each time, at several times the cost of compressing."""
    if len(text) > 700:  # the window reaches back that far
        return zlib.compress(text)
    compressor = zlib.compressobj(wbits=-10, memLevel=_MEMORY_LEVEL)
    deflated = compressor.compress(text) + compressor.flush()
    return b"\x78\x9c" + deflated + zlib.adler32(text).to_bytes(4, "big")


#: With it the output is that of `zlib.compress`; with less, hash collisions now and then hide a match.
_MEMORY_LEVEL = 7

_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_USUAL = bytes.maketrans(b"-_", b"+/")
