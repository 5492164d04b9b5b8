# SPDX-License-Identifier: Apache-2.0
"""Opening the file of a store, and telling what is wrong with it."""

from __future__ import annotations

import errno
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import quote

import apsw

from enact.errors import (
    CorruptBlock,
    NotAStore,
    StoreError,
    StoreUnavailable,
)
from enact.stores.files import make_directories, unavailable
from enact.stores.schema import version

BUSY_MILLISECONDS = 60_000
_chance = random.Random()  # its own: programs seed the one that all share
_MAGIC = b"SQLite format 3\0"


def prepare(path: str) -> bool:
    """Makes the file and its directory if need be, for the owner's eyes only.

    Returns:
        Whether the file can be written.

    Raises:
        NotAStore: there is a file that is no database.
        StoreUnavailable: there is no file and none can be made, or it cannot be read.
    """
    try:
        if os.path.isdir(path):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not os.path.exists(path):
            make_directories(os.path.dirname(path))
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise unavailable(path, "open", error) from error
    look(path)
    return os.access(path, os.W_OK)


def look(path: str) -> None:
    """Sees that there is a database, without making or changing anything.

    Raises:
        NotAStore: there is a file that is no database.
        StoreUnavailable: there is no file, or it cannot be read.
    """
    if not os.path.exists(path):
        raise StoreUnavailable(f"there is no store at {path}")
    try:
        start = _read_start(path)
    except OSError as error:
        raise unavailable(path, "open", error) from error
    # A file that was being made when the power failed has a journal beside it, from
    # which SQLite mends it.
    if start and start != _MAGIC and not os.path.exists(f"{path}-journal"):
        raise NotAStore(f"{path} is not an enact store: it is no SQLite database")


def _read_start(path: str) -> bytes:
    """Reads the first bytes of a file in which this process may hold locks of SQLite.

    To close a file is to drop all locks that the process has on it, whichever handle
    they were taken through, so it is done by SQLite, which knows (section 2.2 of
    https://sqlite.org/howtocorrupt.html).
    """
    flags = apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READONLY
    try:
        file = apsw.VFSFile("", os.path.abspath(path), [flags, 0])
        try:
            size = min(len(_MAGIC), file.xFileSize())
            return file.xRead(size, 0) if size else b""
        finally:
            file.xClose()
    except apsw.Error as error:
        number = errno.EIO if os.access(path, os.R_OK) else errno.EACCES
        raise OSError(number, str(error)) from error


def connect(path: str, writable: bool = True) -> apsw.Connection:
    """Opens a connection to a file that `prepare` has seen.

    Raises:
        NotAStore: it is a database of another application, and stays as it is.
        StoreVersionError: it was made by a newer enact.
    """
    if writable:
        connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE)
    else:
        # Reading a write-ahead log needs a place to write. Without one, and with
        # no log there, nobody is writing, so the file can be read as it is.
        mode = "mode=ro" if os.path.exists(f"{path}-wal") else "immutable=1"
        connection = apsw.Connection(
            f"file:{quote(os.path.abspath(path))}?{mode}",
            flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI,
        )
    with kept(connection):
        connection.set_busy_handler(_patience())
        connection.transaction_mode = "IMMEDIATE"
        # A file that somebody sent must not run functions of the reader's process.
        connection.pragma("trusted_schema", 0)
        connection.pragma("cache_size", -8000)
        empty = version(connection, path) == 0
        if writable:
            if empty:  # incremental; it has to be said before there is a table
                connection.pragma("auto_vacuum", 2)
            connection.pragma("journal_mode", "wal")
            connection.pragma("synchronous", "FULL")
            connection.pragma("journal_size_limit", 8 << 20)
    return connection


@contextmanager
def kept(connection: apsw.Connection) -> Iterator[apsw.Connection]:
    """Closes a connection if the body fails, else keeps it open."""
    try:
        yield connection
    except BaseException:
        with suppress(apsw.Error):
            connection.close()
        raise


def _patience() -> Callable[[int], bool]:
    """Makes what waits for a lock.

    The timeout that SQLite has waits longer each time, so with many processes the one
    that came last is served first, and some wait for ever. Here all have equal chances.
    """
    until = 0.0

    def wait(count: int) -> bool:
        nonlocal until
        now = time.monotonic()
        if count == 0:
            until = now + BUSY_MILLISECONDS / 1000
        time.sleep(_chance.uniform(0.0005, 0.005))
        return now < until

    return wait


@contextmanager
def transaction(connection: apsw.Connection) -> Iterator[None]:
    """Runs the body in a write transaction.

    As ``with connection``, which holds up all threads while it waits for the lock: also
    the one that has it.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def told(path: str, doing: str) -> Iterator[None]:
    """Turns errors of the database into those of this package.

    Args:
        path: of the file.
        doing: what is tried, such as ``write to``.
    """
    try:
        yield
    except apsw.NotADBError as error:
        raise NotAStore(f"{path} is not an enact store: {error}") from error
    except apsw.CorruptError as error:
        raise CorruptBlock(
            f"{path} is damaged: {error}; copy it, then try the shell command"
            " `sqlite3 FILE .recover`"
        ) from error
    except apsw.FullError as error:
        raise unavailable(
            path, doing, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        ) from error
    except (apsw.ReadOnlyError, apsw.PermissionsError, apsw.AuthError) as error:
        raise unavailable(
            path, doing, OSError(errno.EACCES, "it can only be read")
        ) from error
    except (apsw.CantOpenError, apsw.IOError) as error:
        raise unavailable(path, doing, OSError(errno.EIO, str(error))) from error
    except (apsw.BusyError, apsw.LockedError) as error:
        raise StoreUnavailable(
            f"cannot {doing} {path}: another process has been writing it for more"
            f" than {BUSY_MILLISECONDS // 1000} s; see which, and try again"
        ) from error
    except (apsw.Error, UnicodeDecodeError) as error:
        raise StoreError(f"cannot {doing} {path}: {error}") from error
