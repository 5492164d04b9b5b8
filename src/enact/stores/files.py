# SPDX-License-Identifier: Apache-2.0
"""What a store asks of the file system, and how its failures are told."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from enact.errors import StoreUnavailable

if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    def try_lock(fd: int) -> bool:
        """Locks a file for this process; False when another one holds it."""
        place = os.lseek(fd, 0, os.SEEK_CUR)
        # A byte far beyond the data, since this lock keeps readers out as well.
        os.lseek(fd, 1 << 40, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(fd, place, os.SEEK_SET)
        return True

else:
    import fcntl

    def try_lock(fd: int) -> bool:
        """Locks a file for this process; False when another one holds it."""
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True


def is_at(fd: int, path: str) -> bool:
    """Says whether an open file is still there under its name."""
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except OSError:
        return False


@contextmanager
def exclusive(database: str, patience: float = 0.5) -> Iterator[None]:
    """Lets one at a time take care of a store, for as long as the body runs.

    Args:
        database: path of the store's file.
        patience: seconds to wait for somebody else.

    Raises:
        StoreUnavailable: somebody else does, or the file that says so cannot be made.
    """
    path = f"{database}-care"
    until = time.monotonic() + patience
    while (fd := _lock_at(path)) is None:
        if time.monotonic() > until:
            raise StoreUnavailable(
                f"{database} is being cleaned up or purged by somebody else: try again"
                " when that is done"
            )
        time.sleep(0.01)
    try:
        yield
    finally:
        with suppress(OSError):
            os.unlink(path)
        os.close(fd)


def _lock_at(path: str) -> int | None:
    """Opens and locks the file of a name; None when somebody else has it."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
    except OSError as error:
        raise unavailable(path, "make", error) from error
    if try_lock(fd) and is_at(fd, path):
        return fd
    os.close(fd)
    return None


def _fsync(fd: int) -> None:
    # Looked up at each call, so that a test can make it fail.
    (os.fdatasync if hasattr(os, "fdatasync") else os.fsync)(fd)


def sync_file(fd: int) -> None:
    """Returns when the data of a file is on the disk."""
    if sys.platform == "darwin":  # pragma: no cover
        # fsync leaves the data in the cache of the drive there.
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        _fsync(fd)


def sync_directory(path: str) -> None:
    """Returns when the names in a directory are on the disk."""
    try:
        fd = os.open(path or ".", os.O_RDONLY)
    except OSError:  # not every system can open a directory
        return
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise
    finally:
        os.close(fd)


def sync_log(database: str) -> None:
    """Returns when what SQLite has written ahead of its database is on the disk.

    Raises:
        StoreUnavailable: the disk does not take it.
    """
    path = f"{database}-wal"
    try:
        fd = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        return
    except OSError as error:
        raise unavailable(path, "open", error) from error
    try:
        sync_file(fd)
    except OSError as error:
        raise unavailable(path, "flush", error) from error
    finally:
        os.close(fd)


def make_directories(path: str) -> None:
    """Makes a directory and those above it, so that they survive a loss of power."""
    if not os.path.isdir(path or "."):
        above = os.path.dirname(path)
        make_directories(above)
        with suppress(FileExistsError):
            os.mkdir(path)
        sync_directory(above)


def remove(path: str) -> None:
    """Deletes a file for good: it does not come back after a loss of power.

    Raises:
        StoreUnavailable: it is still there.
    """
    try:
        with suppress(FileNotFoundError):
            os.unlink(path)
        sync_directory(os.path.dirname(path))
    except OSError as error:
        raise unavailable(path, "delete", error) from error


# Some file systems cannot do it for directories.
_CANNOT_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES}

_ADVICE = {
    errno.ENOSPC: "free some space on that disk and try again",
    errno.EDQUOT: "free some space within your quota and try again",
    errno.EACCES: "check the permissions of the file and of its directory",
    errno.EPERM: "check the permissions of the file and of its directory",
    errno.EROFS: "the disk is read-only: choose another place",
    errno.EISDIR: "it is a directory: name a file in it, or use FileStore",
    errno.ENOTDIR: "a part of the path is not a directory",
    errno.EIO: "the disk reports an error: copy the store elsewhere",
    errno.EMFILE: "too many files are open: close some stores",
}


def unavailable(path: str, doing: str, error: OSError) -> StoreUnavailable:
    """Builds the error for a store that cannot be used.

    Args:
        path: of the file.
        doing: what failed, such as ``write to``.
        error: what the system said.
    """
    reason = error.strerror or str(error)
    advice = _ADVICE.get(error.errno or 0, "see the system's message")
    return StoreUnavailable(f"cannot {doing} {path}: {reason}; {advice}")
