"""How Sphinx builds the documentation: ``nox -s docs``."""

from __future__ import annotations

from importlib.metadata import version as installed_version

project = "asyncflask"
author = "The asyncflask maintainers"
copyright = f"2026, {author}"
version = release = installed_version("asyncflask")

extensions = ["myst_parser"]
# Headings down to this level can be linked to, as on GitHub: `quickstart.md#routing`.
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"asyncflask {release}"
html_copy_source = False
