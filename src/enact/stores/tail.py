# SPDX-License-Identifier: Apache-2.0
"""The tail: a file to which a writing process appends what it records.

One write per finished call puts its blocks and its row into the hands of the
kernel, so they survive the death of the process at once, and the disk when the
file is flushed. From time to time the content is folded into the database and the
file goes away. The owner holds a lock on it; a tail without a lock belonged to a
process that died.

Layout: the magic, the identifier of the store (16 bytes), then records::

    length of payload   4 bytes, little endian
    crc32 of payload    4 bytes
    payload:
        kind            1 byte: 0 blocks only, 1 with a call row, 2 with a run row
        length of row   4 bytes
        blocks          4 bytes, how many
        lengths         4 bytes for each block
        row
        blocks

Identifiers of blocks are not written: the reader hashes the blocks anyway.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from itertools import accumulate, pairwise
from struct import Struct
from typing import NamedTuple
from zlib import crc32

from enact.errors import StoreError
from enact.stores.files import (
    remove,
    sync_directory,
    sync_file,
    try_lock,
    unavailable,
)

MAGIC = b"enact tail 1\n\0\0\0"
HEADER_BYTES = len(MAGIC) + 16
MAKING = ".new"
"""Ends the name of a tail until its owner has locked it."""

BLOCKS, CALL, RUN = 0, 1, 2

_FRAME = Struct("<II")
_HEAD = Struct("<BII")
# Formats by the number of blocks: making one costs more than using it.
_HEADS = [Struct(f"<BII{count}I") for count in range(32)]


class Record(NamedTuple):
    """One record of a tail; ``end`` is the place in the file after it."""

    kind: int
    row: bytes
    blocks: list[bytes]
    end: int


def encode_record(kind: int, row: bytes, blocks: Iterable[bytes]) -> bytes:
    """Frames blocks and a row, to be written in one go."""
    data = list(blocks)
    count = len(data)
    heads = _HEADS[count] if count < 32 else Struct(f"<BII{count}I")
    head = heads.pack(kind, len(row), count, *map(len, data))
    payload = b"".join([head, row, *data])
    if len(payload) >> 32:
        raise StoreError("more than 4 GiB in one piece: store it in smaller parts")
    return _FRAME.pack(len(payload), crc32(payload)) + payload


def decode_records(data: bytes, start: int = 0) -> Iterator[Record]:
    """Reads records as far as they are whole.

    What follows the last whole record was being written when its process died, or
    is being written now.

    Args:
        data: bytes of a tail from some record on.
        start: where in the file these bytes begin.
    """
    place = 0
    while place + _FRAME.size <= len(data):
        length, check = _FRAME.unpack_from(data, place)
        begin = place + _FRAME.size
        end = begin + length
        if length < _HEAD.size or end > len(data):
            return
        payload = data[begin:end]
        if crc32(payload) != check:
            return
        record = _decode_payload(payload, start + end)
        if record is None:
            return
        yield record
        place = end


def is_cut_short(data: bytes) -> bool:
    """Says whether bytes after the last whole record are the beginning of another."""
    if len(data) < _FRAME.size:
        return True
    length, _ = _FRAME.unpack_from(data)
    return bool(_FRAME.size + length > len(data))


def _decode_payload(payload: bytes, end: int) -> Record | None:
    kind, row_length, count = _HEAD.unpack_from(payload)
    place = _HEAD.size + 4 * count
    if place > len(payload):
        return None
    lengths = Struct(f"<{count}I").unpack_from(payload, _HEAD.size)
    cuts = list(accumulate((row_length, *lengths), initial=place))
    if cuts[-1] != len(payload):  # its checksum fits, yet its writer was none of ours
        return None
    row, *blocks = (payload[a:b] for a, b in pairwise(cuts))
    return Record(kind, row, blocks, end)


_stamps = threading.Lock()
_last_stamp = 0


def _stamp() -> str:
    """Makes a name that sorts after those made before: the later row stands."""
    global _last_stamp
    with _stamps:
        _last_stamp = max(_last_stamp + 1, time.time_ns())
        return f"{_last_stamp:016x}{secrets.token_hex(4)}"


class TailWriter:
    """The tail of this process.

    Args:
        database: path of the store's file.
        store_id: 16 bytes that the store was given when it was made.

    Attributes:
        size: bytes that hold whole records.
        synced: bytes that are known to be on the disk.
        doubtful: a flush failed. The system may have dropped what it could not
            write, and another flush would not say so.

    Raises:
        StoreUnavailable: the file cannot be made.
    """

    def __init__(self, database: str, store_id: bytes) -> None:
        self.path = f"{database}-tail-{_stamp()}"
        self.size = HEADER_BYTES
        self.synced = 0
        self.doubtful = False
        self._broken = False
        # Made under another name until it is locked: whoever finds a tail without
        # a lock takes its owner for dead.
        making = self.path + MAKING
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND
        try:
            self.fd = os.open(making, flags | getattr(os, "O_BINARY", 0), 0o600)
            try:
                try_lock(self.fd)
                self._write(MAGIC + store_id)
                os.rename(making, self.path)
            except BaseException:
                os.close(self.fd)
                try:
                    os.unlink(making)
                except FileNotFoundError:
                    pass
                raise
        except OSError as error:
            raise unavailable(self.path, "make", error) from error

    def append(self, record: bytes) -> None:
        """Appends one record; when this fails, the tail is as it was.

        Raises:
            StoreUnavailable: the file does not take it.
        """
        try:
            if self._broken:
                self._cut()
            # Until all of it is known to be there: a signal may end this anywhere.
            self._broken = True
            self._write(record)
        except OSError as error:
            try:
                self._cut()
            except OSError:
                pass  # the next append tries again, and readers stop at the tear
            raise unavailable(self.path, "write to", error) from error
        self.size += len(record)
        self._broken = False

    def sync(self) -> None:
        """Returns when all that was appended before is on the disk.

        Raises:
            StoreUnavailable: the disk does not take it.
        """
        size, new = self.size, not self.synced
        try:
            sync_file(self.fd)
            if new:
                sync_directory(os.path.dirname(self.path))
        except OSError as error:
            self.doubtful = True
            raise unavailable(self.path, "flush", error) from error
        self.synced = size

    def remove(self) -> None:
        """Deletes the tail, whose content is elsewhere by now.

        Raises:
            StoreUnavailable: it is still there.
        """
        remove(self.path)
        self.abandon()

    def abandon(self) -> None:
        """Lets go of the file, which stays."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
            self.synced = self.size

    def _write(self, data: bytes) -> None:
        written = os.write(self.fd, data)
        while written < len(data):
            written += os.write(self.fd, data[written:])

    def _cut(self) -> None:
        os.ftruncate(self.fd, self.size)
        self._broken = False
