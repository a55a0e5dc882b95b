"""Applications with Flask's extensions, run on asyncflask without a change; ``nox -s extensions``."""
