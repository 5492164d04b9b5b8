# SPDX-License-Identifier: Apache-2.0
"""The server of the page: on this machine alone, at a port that is free."""

from __future__ import annotations

import socket

import uvicorn
from starlette.types import ASGIApp


def listen(host: str, port: int) -> socket.socket:
    """Take a port.

    Args:
        host: an address of this machine.
        port: its number; 0 for any that is free.

    Raises:
        OSError: it is taken, or there is no such address here.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


class Server:
    """Answers requests until it is stopped.

    Args:
        app: what answers.
        listener: from `listen`.
    """

    def __init__(self, app: ASGIApp, listener: socket.socket) -> None:
        self._listener = listener
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_level="critical",
                access_log=False,
                server_header=False,
                lifespan="off",
                timeout_graceful_shutdown=1,
                ws="none",
            )
        )

    def run(self) -> None:
        """Answer until Ctrl-C, or until `stop`."""
        self._server.run(sockets=[self._listener])

    def stop(self) -> None:
        """End `run` soon; from any thread."""
        self._server.should_exit = True
