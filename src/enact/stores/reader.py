# SPDX-License-Identifier: Apache-2.0
"""Reading blocks from the database."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import apsw

from enact.errors import CorruptBlock
from enact.stores.connect import told
from enact.stores.dropped import is_dropped, read_dropped
from enact.stores.packs import MAX_RAW, Pack, PackCache, decode_pack
from enact.stores.sheets import (
    HASH_START,
    PREFIX_BYTES,
    DamagedIndex,
    Sheets,
)
from enact.values import cid_of, cid_text


class Reader:
    """The database, as readers see it. Any thread may use it.

    Args:
        path: of the file.
        connection: to it, used by nothing else.
    """

    def __init__(self, path: str, connection: apsw.Connection) -> None:
        self._path = path
        self._connection = connection
        self._lock = threading.RLock()
        self._blocks = Sheets("block", connection)
        self._requests = Sheets("request", connection)
        self._packs = PackCache(self._fetch)
        self._seen: int | None = None

    def get(self, cids: Iterable[bytes]) -> dict[bytes, bytes]:
        """Reads blocks; those that are not here are absent from the answer.

        Raises:
            CorruptBlock: the index knows a block that its pack does not give back.
        """
        found: dict[bytes, bytes] = {}
        wanted: list[bytes] = []
        last = self._packs.last
        for cid in cids:
            data = None if last is None else last.find(cid)
            if data is None:
                wanted.append(cid)
            else:
                found[cid] = data
        if wanted:
            with self.snapshot():
                for cid in wanted:
                    data = self._get(cid)
                    if data is not None:
                        found[cid] = data
        return found

    def between(self, low: bytes, high: bytes, limit: int) -> set[bytes]:
        """Finds blocks whose identifiers are in a range; at most ``limit``."""
        start, end = (
            cid[HASH_START : HASH_START + PREFIX_BYTES] for cid in (low, high)
        )
        found: set[bytes] = set()
        with self.snapshot():
            for number in self._numbers(start, end):
                block = self._packs.get(number)
                cid = b"" if not block else cid_of(block)
                if low <= cid <= high:
                    found.add(cid)
                    if len(found) >= limit:
                        break
        return found

    def callers(self, request: bytes) -> list[int] | None:
        """Lists calls that may have made a request; None: look at all of them."""
        prefix = request[HASH_START : HASH_START + PREFIX_BYTES]
        with self.snapshot():
            if self._requests.damaged:
                return None
            try:
                return self._requests.find(prefix)
            except DamagedIndex:
                return None

    @contextmanager
    def snapshot(self) -> Iterator[apsw.Connection]:
        """Gives one consistent view of the database to the body."""
        with self._lock, told(self._path, "read"):
            connection = self._connection
            if connection.in_transaction:
                yield connection
                return
            connection.execute("BEGIN DEFERRED")
            try:
                # The first read settles the view; then it is known to be new or not.
                connection.execute("SELECT 1 FROM meta LIMIT 1").fetchall()
                seen = connection.pragma("data_version")
                if seen != self._seen:
                    self._refresh()
                    self._seen = seen
                yield connection
            finally:
                connection.execute("COMMIT")

    def close(self) -> None:
        """Closes the connection.

        Raises:
            StoreUnavailable: the disk does not take what was to be tidied up.
        """
        with self._lock, told(self._path, "close"):
            self._packs.clear()
            self._connection.close()

    def _refresh(self) -> None:
        self._blocks.load()
        self._requests.load()
        self._packs.clear()

    def _get(self, cid: bytes) -> bytes | None:
        prefix = cid[HASH_START : HASH_START + PREFIX_BYTES]
        try:
            if self._blocks.damaged:
                raise DamagedIndex
            numbers = self._blocks.find(prefix)
        except DamagedIndex:
            return self._search(cid)
        lost = False
        for number in numbers:
            block = self._packs.get(number)
            found = b"" if block is None else cid_of(block)
            if found == cid:
                return block
            # Two hashes may begin alike, and an empty place refers to another one.
            alike = found[HASH_START : HASH_START + PREFIX_BYTES] == prefix
            lost = lost or not alike
        if lost:
            raise self._corrupt(cid)
        return None

    def _numbers(self, start: bytes, end: bytes) -> Iterator[int]:
        """Numbers of blocks whose hashes begin in a range; all, without an index."""
        try:
            if not self._blocks.damaged:
                yield from self._blocks.between(start, end)
                return
        except DamagedIndex:
            pass
        packs: list[Any] = self._connection.execute(
            "SELECT id, blocks FROM packs ORDER BY id DESC"
        ).fetchall()
        dropped = read_dropped(self._connection)
        for first, count in packs:
            for number in range(first, first + count):
                if not is_dropped(dropped, number):
                    yield number

    def _search(self, cid: bytes) -> bytes | None:
        """Looks into every pack, since the index is damaged."""
        packs: list[Any] = self._connection.execute(
            "SELECT id, blocks FROM packs ORDER BY id DESC"
        ).fetchall()
        whole = True
        dropped = read_dropped(self._connection)
        for first, count in packs:
            for number in range(first, first + count):
                if is_dropped(dropped, number):
                    continue
                block = self._packs.get(number)
                if block is not None and cid_of(block) == cid:
                    return block
                whole = whole and block is not None
        if not whole:
            raise self._corrupt(cid)
        return None

    def _fetch(self, number: int) -> Pack | None:
        found: list[Any] = self._connection.execute(
            "SELECT id, size, data FROM packs WHERE id <= ? ORDER BY id DESC LIMIT 1",
            (number,),
        ).fetchall()
        for first, size, data in found:
            if type(data) is bytes and type(size) is int and 0 < size <= MAX_RAW:
                return Pack(first, decode_pack(data, size), size)
        return None

    def _corrupt(self, cid: bytes) -> CorruptBlock:
        return CorruptBlock(
            f"block {cid_text(cid)} in {self._path} is damaged: its bytes do not have"
            " this identifier any more; copy it in from another store if you can"
        )
