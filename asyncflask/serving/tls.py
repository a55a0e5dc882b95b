"""How to serve HTTPS."""

from __future__ import annotations

import errno
import importlib.util
import os
import ssl
from collections.abc import Sequence
from typing import Literal

TLS = ssl.SSLContext | Sequence[str | os.PathLike[str]] | Literal["adhoc"]


def tls_context(value: TLS | None) -> ssl.SSLContext | None:
    """The context that `run`'s parameter ``ssl_context`` stands for."""
    if value is None or isinstance(value, ssl.SSLContext):
        return value
    if value == "adhoc":
        if importlib.util.find_spec("cryptography") is None:
            raise RuntimeError("ssl_context='adhoc' needs the cryptography library: pip install cryptography")
        from werkzeug.serving import generate_adhoc_ssl_context  # few want one

        return generate_adhoc_ssl_context()
    if isinstance(value, str) or not 1 <= len(value) <= 2:
        raise TypeError(
            f"ssl_context is an ssl.SSLContext, a tuple (certfile, keyfile), or 'adhoc', not {value!r}."
        )
    for path in value:
        if not os.path.exists(path):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certfile, *rest = value
    context.load_cert_chain(certfile, rest[0] if rest else None)
    return context
