"""Hostile requests over raw sockets, to the same site in four frameworks: ``nox -s hold``.

- `cases`: the requests, made up from a seed.
- `sites`: the site in each framework, and the server that runs it.
- `fuzz`: sends them, and judges what comes back.
- ``__main__``: all of it, into `docs/reliability.md`.
"""
