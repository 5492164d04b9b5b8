# SPDX-License-Identifier: Apache-2.0
"""Who writes a store: one locked file for each process that does, beside the store.

The lock goes with the process, however it ends, so that others can tell a run that
goes on from one that was interrupted. The file says in words who holds it.

Its last byte is the *generation*: whoever takes blocks out of the database counts it
up before looking for what is needed, and again when done, so it is odd meanwhile. A
process that relied on a block being there looks at its own generation afterwards; it
is mapped into memory, so that costs next to nothing.
"""

from __future__ import annotations

import mmap
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from enact.errors import RunIsLive
from enact.stores.files import is_at, try_lock, unavailable

_FILE_BYTES = 512
GENERATION = _FILE_BYTES - 1
"""Place of the generation in the file."""

# Who looks whether a file is anybody's holds its lock for a moment.
_TRIES = 20
_MOMENT = 0.001

_MAKING = ".new"  # ends the name until the file is locked
_BINARY = getattr(os, "O_BINARY", 0)


class Owner:
    """This process, as one that writes a store.

    Args:
        database: path of the store's file.
        read_only: leave the files of the dead where they are.

    Attributes:
        token: under which this process is known.
        signal: the bytes of the file, as they are now.
    """

    def __init__(self, database: str, read_only: bool = False) -> None:
        self._database = database
        self._read_only = read_only
        self.token = secrets.token_hex(8)
        self._fd = -1
        self.signal: mmap.mmap | bytes = bytes(_FILE_BYTES)
        self._lock = threading.Lock()

    def appear(self) -> None:
        """Makes the file that tells others that this process is there.

        Raises:
            StoreUnavailable: the file cannot be made.
        """
        if self._fd >= 0:
            return
        path = self._path(self.token)
        making = path + _MAKING
        text = f"process {os.getpid()} on {socket.gethostname()}\n".encode()
        # Odd: somebody who did not see this file may be at work, until we know better.
        content = text[:GENERATION].ljust(GENERATION, b"\0") + b"\1"
        with self._lock:
            if self._fd >= 0:
                return
            try:
                fd = os.open(making, os.O_RDWR | os.O_CREAT | _BINARY, 0o600)
                try:
                    try_lock(fd)
                    os.write(fd, content)
                    self.signal = mmap.mmap(fd, _FILE_BYTES, access=mmap.ACCESS_READ)
                    os.rename(making, path)
                except BaseException:
                    os.close(fd)
                    with suppress(OSError):
                        os.unlink(making)
                    raise
            except OSError as error:
                raise unavailable(path, "make", error) from error
            self._fd = fd

    def disappear(self) -> None:
        """Removes the file: this process writes nothing any more."""
        if self._fd >= 0:
            with suppress(OSError):
                os.unlink(self._path(self.token))
            self.forget()

    def forget(self) -> None:
        """Lets go of the file without a trace, in a forked child."""
        if self._fd >= 0:
            if isinstance(self.signal, mmap.mmap):
                self.signal.close()  # it has the file open as well, and so the lock
            self.signal = bytes(_FILE_BYTES)
            os.close(self._fd)
            self._fd = -1

    @property
    def generation(self) -> int:
        """Changes when blocks are taken out; odd while that may be going on."""
        return self.signal[GENERATION]

    def settle(self) -> None:
        """Makes the generation even: the caller holds the database's write lock."""
        if self._fd >= 0 and self.generation % 2:
            _count_up(self._fd, odd=False)

    def find(self, token: str) -> str | None:
        """Says in words which process has this token; None when it is dead."""
        path = self._path(token)
        try:
            fd = os.open(path, os.O_RDWR | _BINARY)
        except FileNotFoundError:
            return None
        except OSError:  # of another user: it cannot be asked
            return "a process of another user"
        try:
            if token == self.token or not try_lock(fd):
                text = os.read(fd, GENERATION).decode("utf-8", "replace")
                return text.strip("\0 \n")
            if not self._read_only:
                with suppress(OSError):
                    os.unlink(path)
            return None
        finally:
            os.close(fd)

    def others(self) -> list[str]:
        """Says in words which other processes write the store, alive as they are."""
        prefix = self._path("")
        tokens = [path[len(prefix) :] for path in owner_files(self._database)]
        found = [self.find(token) for token in tokens if token != self.token]
        return [words for words in found if words is not None]

    def sweep(self) -> None:
        """Removes the files of processes that are dead."""
        self.others()
        for path in owner_files(self._database, making=True):
            with suppress(OSError):
                if time.time() - os.stat(path).st_mtime > 60:
                    os.unlink(path)
        for path in _files(self._database, "claim"):
            with suppress(OSError):
                _remove_if_free(path)

    @contextmanager
    def claim(self, run: str) -> Iterator[None]:
        """Holds a run, so that nobody else goes on with it.

        Raises:
            RunIsLive: somebody else holds it.
            StoreUnavailable: the file that says so cannot be made.
        """
        path = f"{self._database}-claim-{run}"
        try:
            fd = _lock(path)
        except OSError as error:
            raise unavailable(path, "make", error) from error
        if fd is None:
            raise RunIsLive(f"run {run} is being resumed by another process")
        try:
            yield
        finally:
            with suppress(OSError):
                os.unlink(path)
            os.close(fd)

    def _path(self, token: str) -> str:
        return f"{self._database}-owner-{token}"


def owner_files(database: str, making: bool = False) -> list[str]:
    """Lists the files of those who write a store, or of those about to."""
    return [
        path for path in _files(database, "owner") if path.endswith(_MAKING) == making
    ]


@contextmanager
def taking_out(database: str) -> Iterator[None]:
    """Tells all who write a store that blocks go, while the body runs.

    The caller holds the write lock of the database, and has committed when it ends.
    """
    _tell_all(database, odd=True)
    try:
        yield
    finally:
        _tell_all(database, odd=False)


def _tell_all(database: str, *, odd: bool) -> None:
    for path in owner_files(database):
        with suppress(OSError):  # gone by now
            fd = os.open(path, os.O_RDWR | _BINARY)
            try:
                _count_up(fd, odd)
            finally:
                os.close(fd)


def _count_up(fd: int, odd: bool) -> None:
    os.lseek(fd, GENERATION, os.SEEK_SET)
    now = os.read(fd, 1)
    step = 1 if now and now[0] % 2 != odd else 2
    os.lseek(fd, GENERATION, os.SEEK_SET)
    os.write(fd, bytes([(now[0] + step) % 256 if now else odd]))


def _files(database: str, kind: str) -> list[str]:
    directory, name = os.path.split(database)
    with suppress(OSError), os.scandir(directory or ".") as entries:
        return sorted(
            os.path.join(directory, entry.name)
            for entry in entries
            if entry.name.startswith(f"{name}-{kind}-")
        )
    return []


def _lock(path: str) -> int | None:
    """Makes a file, if need be, and locks it; None when somebody else holds it."""
    for _ in range(_TRIES):
        fd = os.open(path, os.O_RDWR | os.O_CREAT | _BINARY, 0o600)
        if try_lock(fd) and is_at(fd, path):
            return fd
        os.close(fd)
        time.sleep(_MOMENT)
    return None


def _remove_if_free(path: str) -> None:
    fd = os.open(path, os.O_RDWR | _BINARY)
    try:
        if try_lock(fd) and is_at(fd, path):
            os.unlink(path)
    finally:
        os.close(fd)
