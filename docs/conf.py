"""How Sphinx builds the documentation: ``nox -s docs``."""

from __future__ import annotations

from importlib.metadata import version as installed_version

project = "asyncflask"
author = "The asyncflask maintainers"
copyright = f"2026, {author}"
version = release = installed_version("asyncflask")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
# Headings down to this level can be linked to, as on GitHub: `quickstart.md#routing`.
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]

html_theme = "furo"
html_title = f"asyncflask {release}"
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["docs.css"]

# What is copied is what the reader types: no prompts, and of a console's lines those that have one.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# In docstrings `name` is a name of the reference, or a parameter. The former are links.
default_role = "py:obj"
maximum_signature_line_length = 80  # longer ones have a line for each parameter
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "undoc-members": True, "no-value": True}
# Parameters are no targets of links, nor are the types of other packages and of the framework's inside.
nitpick_ignore_regex = [("py:(obj|class)", r".*"), ("py:.*", r"(?!asyncflask\.).*")]
