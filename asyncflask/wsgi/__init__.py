"""The application as a WSGI one (PEP 3333): for middleware around it, and for servers that speak WSGI.

- `environ`: the environ that a middleware gets, and the scope of what it makes of it.
- `input`: ``wsgi.input``, and bodies that are read from one.
- `start_response`: what a middleware calls to begin its response.
- `call`: one call of the application, by a thread that waits for it; `body` is the iterable that it gives.
- `server`: an application that a WSGI server calls; `startup` is its lifespan.

With an ASGI server around both, `asyncflask.middleware.wsgi` calls the middleware.
"""
