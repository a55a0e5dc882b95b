"""Three applications with one login: asyncflask in front, FastAPI below ``/api``, a legacy Flask behind.

It is the middle of a migration. The legacy application, on WSGI, still answers whatever nobody else does;
views move from it to the front one by one, and what is new is made where it belongs. Each part is a module
that can be read alone: ``front`` (puts them together; the start page and a websocket), ``login`` (one for
all), ``api`` (FastAPI), ``legacy`` (Flask, as it was), ``orders`` (the data).

The way there, step by step; the README has the code:

1. An asyncflask application with nothing in it but ``app.mount("/", WSGIMiddleware(legacy_app))``. It is
   served by uvicorn, and everything is as before.
2. Both get the same ``SECRET_KEY``: their session cookies are the same, byte for byte.
3. The login moves to the front. ``before_request`` guards what is mounted as it guards views; the legacy
   application finds the user in the session, as before.
4. A view moves: it is copied to the front, where ``from flask import`` becomes ``from asyncflask import``.
   Rules go before mounts, so the new one answers from now on; then the old one is deleted.
5. What is new begins in the front: ``async def`` views, websockets; an API in FastAPI, mounted.
6. When the legacy application is empty, its mount goes.
"""

from __future__ import annotations

from .front import create_app

__all__ = ["app", "create_app"]

app = create_app()
