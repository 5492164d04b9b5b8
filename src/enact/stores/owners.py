# SPDX-License-Identifier: Apache-2.0
"""Who executes a run: one locked file for each process that does, beside the store.

The lock goes with the process, however it ends, so that others can tell a run that
goes on from one that was interrupted. The file says in words who holds it.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from enact.errors import RunIsLive
from enact.stores.files import is_at, try_lock, unavailable


class Owner:
    """This process, as one that executes runs of a store.

    Args:
        database: path of the store's file.
    """

    def __init__(self, database: str) -> None:
        self._database = database
        self.token = secrets.token_hex(8)
        self._fd = -1

    def appear(self) -> None:
        """Makes the file that tells others that this process is there.

        Raises:
            StoreUnavailable: the file cannot be made.
        """
        if self._fd >= 0:
            return
        path = self._path(self.token)
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
        try:
            fd = os.open(path, flags, 0o600)
            try_lock(fd)
            os.write(fd, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        except OSError as error:
            raise unavailable(path, "make", error) from error
        self._fd = fd

    def disappear(self) -> None:
        """Removes the file: this process executes nothing any more."""
        if self._fd >= 0:
            with suppress(OSError):
                os.unlink(self._path(self.token))
            self.forget()

    def forget(self) -> None:
        """Lets go of the file without a trace, in a forked child."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def find(self, token: str) -> str | None:
        """Says in words which process has this token; None when it is dead."""
        path = self._path(token)
        try:
            fd = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
        except FileNotFoundError:
            return None
        except OSError:  # of another user: it cannot be asked
            return "a process of another user"
        try:
            if token == self.token or not try_lock(fd):
                return os.read(fd, 300).decode("utf-8", "replace").strip()
            with suppress(OSError):
                os.unlink(path)
            return None
        finally:
            os.close(fd)

    @contextmanager
    def claim(self, run: str) -> Iterator[None]:
        """Holds a run, so that nobody else goes on with it.

        Raises:
            RunIsLive: somebody else holds it.
            StoreUnavailable: the file that says so cannot be made.
        """
        path = f"{self._database}-claim-{run}"
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise unavailable(path, "make", error) from error
        try:
            if not try_lock(fd) or not is_at(fd, path):
                raise RunIsLive(f"run {run} is being resumed by another process")
            try:
                yield
            finally:
                with suppress(OSError):
                    os.unlink(path)
        finally:
            os.close(fd)

    def _path(self, token: str) -> str:
        return f"{self._database}-owner-{token}"
