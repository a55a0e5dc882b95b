"""What those are told who write what would be right elsewhere.

An exception that nobody has handled is asked about here, and gets a note (PEP 678) where the mistake behind
it is known: what happened, and what to write instead. Notes are in every traceback, on the debug page too.
Nothing of this costs anything while all goes well.

`unhandled` asks about exceptions. `awaiting` is about what needs no ``await`` here and what was left without
one, `names` about those of other frameworks, `returned` about values that are no response, `flask_beside`
about Flask itself in the same process. `setup` looks at an application before its first request, in debug
mode at its `rules`; `never_awaited` looks at websockets.
"""
