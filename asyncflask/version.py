"""The version of asyncflask itself; `as_flask` makes `asyncflask.__version__` that of Flask."""

VERSION = "0.1.0.dev0"
