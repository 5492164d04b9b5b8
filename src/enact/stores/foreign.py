# SPDX-License-Identifier: Apache-2.0
"""Tails of other processes: reading live ones, taking over those of the dead."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from enact.stores.backend import CallRow, RunRow
from enact.stores.files import is_at, remove, try_lock
from enact.stores.rows import decode_call, decode_run
from enact.stores.tail import (
    CALL,
    HEADER_BYTES,
    MAGIC,
    MAKING,
    RUN,
    decode_records,
)
from enact.values import cid_of


class TailContent:
    """What has been read of one tail.

    Attributes:
        blocks: by identifier, which is computed from the bytes.
        calls: call rows in the order in which they were written.
        runs: run rows, likewise.
    """

    def __init__(self) -> None:
        self.blocks: dict[bytes, bytes] = {}
        self.calls: list[CallRow] = []
        self.runs: list[RunRow] = []
        self._end = 0

    def read_on(self, fd: int, store_id: bytes) -> None:
        """Reads what was appended since, as far as it is whole."""
        if not self._end:
            if _read(fd, HEADER_BYTES, 0) != MAGIC + store_id:
                return  # of another store that once had this name
            self._end = HEADER_BYTES
        size = os.fstat(fd).st_size
        if size <= self._end:
            return
        for record in decode_records(_read(fd, size - self._end, self._end), self._end):
            self.blocks.update((cid_of(data), data) for data in record.blocks)
            if record.kind == CALL:
                self.calls.append(decode_call(record.row))
            elif record.kind == RUN:
                self.runs.append(decode_run(record.row))
            self._end = record.end


class ForeignTails:
    """The tails beside a database that this process does not write.

    Args:
        database: path of the store's file.
        store_id: 16 bytes; tails of another store are left alone.
    """

    def __init__(self, database: str, store_id: bytes) -> None:
        self._directory, name = os.path.split(database)
        self._prefix = f"{name}-tail-"
        self._store_id = store_id
        self._known: dict[str, TailContent] = {}

    def read(self, own: set[str]) -> list[TailContent]:
        """Reads all that the tails hold now.

        Args:
            own: paths of the tails of this process.
        """
        known: dict[str, TailContent] = {}
        for path in self._paths():
            if path in own:
                continue
            content = self._known.get(path) or TailContent()
            with _opened(path, os.O_RDONLY) as fd:
                if fd is not None:
                    content.read_on(fd, self._store_id)
                    known[path] = content
        self._known = known
        return list(known.values())

    def read_all(self) -> list[TailContent]:
        """Reads all tails, also one that takes the place of another meanwhile."""
        before: list[str] | None = None
        while True:
            found = self.read(set())
            if before == list(self._known):
                return found
            before = list(self._known)

    @contextmanager
    def take_over(self) -> Iterator[TailContent | None]:
        """Hands out the content of one tail whose owner is dead, under its lock.

        The file is deleted when the body ends without an error. None: no such tail.

        Raises:
            StoreUnavailable: it cannot be deleted.
        """
        for path in self._paths(left_over=True):
            with _opened(path, os.O_RDWR) as fd:
                if fd is None or not try_lock(fd) or not is_at(fd, path):
                    continue
                content = TailContent()
                if not path.endswith(MAKING):
                    head = _read(fd, HEADER_BYTES, 0)
                    if head != MAGIC + self._store_id and any(head):
                        continue
                    # Zeros: nothing of it was on the disk when the power failed.
                    content.read_on(fd, self._store_id)
                yield content
                remove(path)
                return
        yield None

    def _paths(self, left_over: bool = False) -> list[str]:
        """Lists tails, with ``left_over`` also those that were never finished."""
        with suppress(OSError), os.scandir(self._directory or ".") as entries:
            return sorted(
                os.path.join(self._directory, entry.name)
                for entry in entries
                if entry.name.startswith(self._prefix)
                and (
                    not entry.name.endswith(MAKING)
                    or (left_over and time.time() - entry.stat().st_mtime > 60)
                )
            )
        return []


@contextmanager
def _opened(path: str, flags: int) -> Iterator[int | None]:
    try:
        fd = os.open(path, flags | getattr(os, "O_BINARY", 0))
    except OSError:  # folded in and gone by now, or of another user
        yield None
        return
    try:
        yield fd
    finally:
        os.close(fd)


def _read(fd: int, size: int, place: int) -> bytes:
    os.lseek(fd, place, os.SEEK_SET)
    parts = []
    while size and (part := os.read(fd, size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
