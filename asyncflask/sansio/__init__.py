"""Flask's names for the parts of it that do no I/O. Here nothing is apart: they are the same classes."""

from __future__ import annotations

from . import app as app
from . import blueprints as blueprints
from . import scaffold as scaffold
