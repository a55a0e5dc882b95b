"""Streams, uploads, files and the small things, once for each peer that has them.

Every module offers one or more of these functions, each without arguments; a peer takes part in the cases
whose function it has:

``create_streams``: generators, sync and async, a streamed template, server-sent events.
``create_uploads``: a raw body, a file in a form.
``create_files``: static files, and one sent by a view.
``create_answers``: redirects, flashes, errors, JSON, methods.
``create_headers``: five headers that a hook adds.
``create_signals``: receivers of signals that each request sends.
``create_unsent_signals``, ``create_other_signals``: of those that it does not send, of another application's.
``create_websockets``: an echo.
``create_factory``: 50 routes in five blueprints.
``test_client``: makes a function that asks a test client once.
"""
