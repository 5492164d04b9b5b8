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
from enact.stores.packs import MAX_RAW, PackCache
from enact.stores.sheets import (
    BLOCK_PREFIX,
    HASH_START,
    REQUEST_PREFIX,
    DamagedIndex,
    Sheets,
)
from enact.values import cid_text


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
        self._moved: dict[int, int] = {}
        self._seen: int | None = None

    def get(self, cids: Iterable[bytes]) -> dict[bytes, bytes]:
        """Reads blocks; those that are not here are absent from the answer.

        Raises:
            CorruptBlock: the index knows a block that its pack does not give back.
        """
        found: dict[bytes, bytes] = {}
        with self.snapshot():
            for cid in cids:
                data = self._get(cid)
                if data is not None:
                    found[cid] = data
        return found

    def callers(self, request: bytes) -> list[int] | None:
        """Lists calls that may have made a request; None: look at all of them."""
        prefix = request[HASH_START : HASH_START + REQUEST_PREFIX]
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
        """Closes the connection."""
        with self._lock:
            self._connection.close()
            self._packs.clear()

    def _refresh(self) -> None:
        self._blocks.load()
        self._requests.load()
        moved: list[Any] = self._connection.execute(
            "SELECT id, pack FROM moved"
        ).fetchall()
        self._moved = dict(moved)
        self._packs.clear()

    def _get(self, cid: bytes) -> bytes | None:
        prefix = cid[HASH_START : HASH_START + BLOCK_PREFIX]
        try:
            if self._blocks.damaged:
                raise DamagedIndex
            candidates = self._blocks.find(prefix)
        except DamagedIndex:
            return self._search(cid)
        lost = False
        for candidate in candidates:
            pack = self._packs.get(self._moved.get(candidate, candidate))
            if pack is not None and cid in pack:
                return pack[cid]
            # Two hashes may begin alike; but then the other block is in the pack.
            lost = lost or not (pack and _holds_prefix(pack, prefix))
        if lost:
            raise self._corrupt(cid)
        return None

    def _search(self, cid: bytes) -> bytes | None:
        """Looks into every pack, since the index is damaged."""
        whole = True
        packs: list[Any] = self._connection.execute(
            "SELECT id, blocks FROM packs ORDER BY id DESC"
        ).fetchall()
        for number, count in packs:
            pack = self._packs.get(number)
            if pack is not None and cid in pack:
                return pack[cid]
            whole = whole and pack is not None and len(pack) == count
        if not whole:
            raise self._corrupt(cid)
        return None

    def _fetch(self, pack: int) -> tuple[bytes, int] | None:
        for data, size in self._connection.execute(
            "SELECT data, size FROM packs WHERE id = ?", (pack,)
        ):
            if type(data) is bytes and type(size) is int and 0 < size <= MAX_RAW:
                return data, size
        return None

    def _corrupt(self, cid: bytes) -> CorruptBlock:
        return CorruptBlock(
            f"block {cid_text(cid)} in {self._path} is damaged: its bytes do not have"
            " this identifier any more; copy it in from another store if you can"
        )


def _holds_prefix(pack: dict[bytes, bytes], prefix: bytes) -> bool:
    end = HASH_START + BLOCK_PREFIX
    return any(cid[HASH_START:end] == prefix for cid in pack)
