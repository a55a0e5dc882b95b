"""The development server, as ``app.run()`` and ``asyncflask run`` start it.

uvicorn serves (`server`). Around it are the things a developer expects of Flask's server: options of
Werkzeug's ``run_simple`` (`options`), addresses (`address`) and certificates (`tls`), a start message, an end
without a traceback (`terminal`), and a reloader (`reloader`) that watches the program's files (`sources`).
`run` puts them together.
"""

from __future__ import annotations

from .run import GRACE as GRACE
from .run import RELOAD_GRACE as RELOAD_GRACE
from .run import run as run
from .tls import TLS as TLS
