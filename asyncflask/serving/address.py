"""Where the server listens, and what is said of that."""

from __future__ import annotations

import errno
import os
import socket
import stat
import sys
from contextlib import suppress

import click

from .terminal import say


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; exits with one line on stderr if there cannot be one."""
    if not 0 <= port <= 65535:
        raise ValueError(f"A port is a number from 0 to 65535, not {port}.")
    try:
        if host.startswith("unix://"):
            path = _unix_path(host)
            with suppress(FileNotFoundError):
                if stat.S_ISSOCK(os.stat(path).st_mode):
                    os.unlink(path)
            return socket.create_server(path, family=socket.AF_UNIX)
        if ":" in host:
            both = host == "::" and socket.has_dualstack_ipv6()
            return socket.create_server((host, port), family=socket.AF_INET6, dualstack_ipv6=both)
        return socket.create_server((host, port))
    except OSError as error:
        if host.startswith("unix://"):
            message = f"Cannot listen on {host}: {error.strerror or error}."
        elif error.errno == errno.EADDRINUSE:
            other = port + 1 if port < 65535 else port - 1
            message = (
                f"Port {port} is in use by another program. Stop that program, or choose another port:"
                f" '--port {other}' or 'app.run(port={other})'."
            )
            if sys.platform == "darwin" and port == 5000:
                message += " On macOS it may be 'AirPlay Receiver' in the system settings."
        elif error.errno == errno.EACCES:
            message = (
                f"No permission to listen on {host}:{port}. Choose a port above 1023, such as '--port 5000'."
            )
        else:
            reason = str(error.strerror or error).partition(" (while attempting")[0]
            message = f"Cannot listen on {host}:{port}: {reason}."
        say(f"Error: {message}")
        sys.exit(1)


def clean_up(host: str) -> None:
    """Remove what a closed socket leaves behind: that of ``unix://`` is a file."""
    if host.startswith("unix://"):
        with suppress(FileNotFoundError):
            os.unlink(_unix_path(host))


def _unix_path(host: str) -> str:
    return os.path.abspath(host.removeprefix("unix://"))


def announce(host: str, sock: socket.socket, scheme: str) -> None:
    """Say under which addresses the application is reached."""
    if host.startswith("unix://"):
        places = [host]
    else:
        hosts = [f"[{host}]" if ":" in host else host]
        if host in ("0.0.0.0", "::"):
            say(f" * Running on all addresses ({host})")
            hosts = ["127.0.0.1", _outside_address("10.255.255.255", socket.AF_INET)]
            if host == "::":
                hosts = ["[::1]", f"[{_outside_address('fd00::1', socket.AF_INET6)}]"]
        port = sock.getsockname()[1]
        places = [f"{scheme}://{name}:{port}" for name in dict.fromkeys(hosts)]
    for place in places:
        say(f" * Running on {place}")
    say(click.style("Press CTRL+C to quit", fg="yellow"))


def _outside_address(destination: str, family: socket.AddressFamily) -> str:
    """This machine's address as others see it; connecting a UDP socket picks it, and sends nothing."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((destination, 9))
        except OSError:
            return "127.0.0.1" if family == socket.AF_INET else "::1"
        return str(probe.getsockname()[0])
