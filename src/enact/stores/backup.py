# SPDX-License-Identifier: Apache-2.0
"""Copying a SQLite store while others write it."""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import closing, suppress

import apsw

from enact.errors import StoreUnavailable
from enact.stores.connect import told
from enact.stores.files import sync_directory, sync_file, unavailable
from enact.stores.fold import Archive
from enact.stores.opened import Cut, Opened, cut
from enact.stores.rows import call_check

_PAGES_PER_STEP = 2000


def backup(store: Opened, path: str | os.PathLike[str]) -> None:
    """Writes a copy as of one moment to a new file; see `Care.backup`."""
    target = os.path.realpath(path)
    if os.path.lexists(target):
        raise _taken(target)
    part = f"{target}.part-{secrets.token_hex(4)}"
    try:
        try:
            os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except OSError as error:
            raise unavailable(part, "make", error) from error
        with cut(store) as found:
            _copy(found, part)
        _add_tails(found, part)
        _publish(part, target)
    finally:
        for left in (part, f"{part}-wal", f"{part}-shm"):
            with suppress(OSError):
                os.unlink(left)


def _copy(found: Cut, part: str) -> None:
    with (
        told(part, "write to"),
        closing(apsw.Connection(part)) as copy,
        copy.backup("main", found.connection, "main") as pages,
    ):
        while not pages.done:
            pages.step(_PAGES_PER_STEP)


def _add_tails(found: Cut, part: str) -> None:
    with closing(Archive(part)) as archive:
        calls = [(row, call_check(row)) for row in found.calls]
        archive.fold(found.blocks, calls, found.runs)


def _publish(part: str, target: str) -> None:
    """Gives a finished file its name, unless another one has it by now."""
    try:
        fd = os.open(part, os.O_RDWR)
        try:
            sync_file(fd)
        finally:
            os.close(fd)
        try:
            os.link(part, target)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            if os.path.lexists(target):
                raise FileExistsError from None
            os.rename(part, target)
    except FileExistsError:
        raise _taken(target) from None
    except OSError as error:
        raise unavailable(target, "make", error) from error
    sync_directory(os.path.dirname(target) or ".")


def _taken(target: str) -> StoreUnavailable:
    reason = os.strerror(errno.EEXIST)
    return StoreUnavailable(
        f"cannot make {target}: {reason}; name a file that does not exist yet"
    )
