"""``python -m examples``: serve the examples on http://127.0.0.1:5000."""

from __future__ import annotations

import argparse

from examples.front import create_app

parser = argparse.ArgumentParser(prog="python -m examples", description="Serve the examples.")
parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
parser.add_argument("--port", default=5000, type=int, help="the port to listen on (default: %(default)s)")
parser.add_argument("--debug", action="store_true", help="reload on changes, show tracebacks")

if __name__ == "__main__":
    options = parser.parse_args()
    create_app().run(host=options.host, port=options.port, debug=options.debug)
