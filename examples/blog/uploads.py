"""Pictures of posts: which files are taken, where they are kept, and how they go."""

from __future__ import annotations

import secrets
from pathlib import Path

from werkzeug.datastructures import FileStorage
from werkzeug.utils import secure_filename

from asyncflask import current_app

# The first bytes of the formats that browsers show; what a file calls itself proves nothing.
SIGNATURES = {
    ".png": (b"\x89PNG\r\n\x1a\n",),
    ".jpg": (b"\xff\xd8\xff",),
    ".jpeg": (b"\xff\xd8\xff",),
    ".gif": (b"GIF87a", b"GIF89a"),
}
MAX_STEM_LENGTH = 80


class NotAnImage(ValueError):
    """The file is none of the formats that are taken. Its text is meant for the user."""


def folder() -> Path:
    return Path(current_app.config["UPLOAD_FOLDER"])


def save_image(file: FileStorage) -> str:
    """Keep an uploaded picture under a name that no other has, and return that name.

    :raises NotAnImage: when the name or the content is not that of a picture.
    """
    given = Path(secure_filename(file.filename or ""))
    suffix = given.suffix.lower()
    start = file.stream.read(16)
    file.stream.seek(0)
    if not start.startswith(SIGNATURES.get(suffix, ())):
        raise NotAnImage("A picture is a PNG, JPEG or GIF file.")
    name = f"{secrets.token_hex(8)}-{given.stem[:MAX_STEM_LENGTH]}{suffix}"
    file.save(folder() / name)
    return name


def remove_image(name: str | None) -> None:
    """Delete a picture that no post shows any more."""
    if name:
        (folder() / name).unlink(missing_ok=True)
