"""The long description of the package: the README without what leads into the repository.

On a package index the folders of the repository are not there, so a relative link, or a picture, would lead
nowhere. Its text stays.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_RELATIVE = re.compile(r"(?P<picture>!?)\[(?P<text>[^\]]*)\]\((?!https?://|#)[^)]*\)")


def long_description(readme: str) -> str:
    """The README with relative links turned into their text, and without pictures of the repository."""
    text = _RELATIVE.sub(lambda found: "" if found["picture"] else found["text"], readme)
    return re.sub(r"\n{3,}", "\n\n", text)


class Readme(MetadataHookInterface):
    def update(self, metadata: dict[str, Any]) -> None:
        readme = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": long_description(readme)}
