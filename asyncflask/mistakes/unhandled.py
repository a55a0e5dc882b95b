"""What is said of exceptions that nobody has handled."""

from __future__ import annotations

from . import awaiting, flask_beside, names

_EXPLANATIONS = (awaiting.explain, names.explain, flask_beside.explain)


def explain(error: BaseException) -> None:
    """Add a note to an exception if there is something to say about it."""
    for explanation in _EXPLANATIONS:
        try:
            note = explanation(error)
        except Exception:  # what it is about has methods of its own; the exception itself matters more
            continue
        if note and note not in getattr(error, "__notes__", ()):
            error.add_note(note)
