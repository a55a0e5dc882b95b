"""The options ``--cert`` and ``--key``."""

from __future__ import annotations

import importlib
from typing import Any

import click
from werkzeug.utils import import_string


class CertParamType(click.ParamType):  # type: ignore[type-arg]
    """The value of ``--cert``: a file, ``adhoc``, or the import name of an `ssl.SSLContext`."""

    name = "path"

    def __init__(self) -> None:
        self.path_type = click.Path(exists=True, dir_okay=False, resolve_path=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            import ssl  # optional
        except ImportError:
            raise click.BadParameter(
                'Using "--cert" requires Python to be compiled with SSL support.', ctx, param
            ) from None

        try:
            return self.path_type(value, param, ctx)
        except click.BadParameter:
            name = click.STRING(value, param, ctx)
            if name.lower() == "adhoc":
                try:
                    importlib.import_module("cryptography")
                except ImportError:
                    raise click.BadParameter(
                        "Using ad-hoc certificates requires the cryptography library.", ctx, param
                    ) from None
                return "adhoc"
            context = import_string(name, silent=True)
            if isinstance(context, ssl.SSLContext):
                return context
            raise


def _validate_key(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Join ``--key`` to ``--cert``, which needs one exactly if it is a file."""
    cert = ctx.params.get("cert")
    if value is None:
        if isinstance(cert, str) and cert != "adhoc":
            raise click.BadParameter('Required when using "--cert".', ctx, param)
        return None
    if not cert:
        raise click.BadParameter('"--cert" must also be specified.', ctx, param)
    if cert == "adhoc":
        raise click.BadParameter('When "--cert" is "adhoc", "--key" is not used.', ctx, param)
    if not isinstance(cert, str):
        raise click.BadParameter('When "--cert" is an SSLContext object, "--key" is not used.', ctx, param)
    ctx.params["cert"] = cert, value
    return value
