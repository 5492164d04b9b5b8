# SPDX-License-Identifier: Apache-2.0
"""Finding out which blocks of a database are needed, with a byte for each block.

Blocks are known by number. Two whose hashes begin alike count as one, so now and then
something stays that nobody needs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import apsw

from enact.errors import CorruptBlock, EnactError
from enact.stores.catalog import Catalog
from enact.stores.packs import decode_pack
from enact.stores.sheets import Sheets
from enact.values import cid_of, links

_WAITING, _DONE = 1, 2
_FREE = bytes([1]) + bytes(255)  # turns what nobody needs into 1, the rest into 0


class Marks:
    """Which blocks are needed.

    Args:
        path: of the database, for messages.
        connection: in a transaction.
        sheets: the index of blocks, loaded.

    Attributes:
        last: number of the last block that is known here.
    """

    def __init__(self, path: str, connection: apsw.Connection, sheets: Sheets) -> None:
        self._path = path
        self._catalog = Catalog()
        for entries in sheets.entries():
            self._catalog.add_entries(entries)
        self._catalog.sort()
        last = connection.execute("SELECT max(id + blocks) FROM packs").get
        self.last: int = (last or 1) - 1
        self._state = bytearray(self.last + 1)

    def need(self, cids: Iterable[bytes]) -> None:
        """Marks blocks by identifier; those that are not here do not matter."""
        state, last = self._state, self.last
        numbers = self._catalog.numbers
        for cid in cids:
            for number in numbers(cid):
                if number <= last and not state[number]:
                    state[number] = _WAITING

    def need_numbers(self, begin: int, end: int) -> None:
        """Marks blocks by number."""
        for number in range(begin, min(end, self.last + 1)):
            self._state[number] = self._state[number] or _WAITING

    def expand(self, connection: apsw.Connection) -> None:
        """Marks all that marked blocks link to.

        Raises:
            CorruptBlock: a block that is needed cannot be read.
        """
        state = self._state
        place = len(state)
        # Most links go back, to what was there before: one way down finds nearly all.
        while True:
            number = state.rfind(_WAITING, 0, place)
            if number < 0:
                if place == len(state):
                    return
                place = len(state)
                continue
            first = self._expand_pack(connection, number)
            place = max(first, 0)

    def free(self) -> bytearray:
        """Gives a byte for each number: 1 for a block that nobody needs."""
        indexed = bytearray(len(self._state))
        for number in self._catalog.all_numbers():
            if number <= self.last:
                indexed[number] = 1
        free = int.from_bytes(self._state.translate(_FREE), "little")
        both = free & int.from_bytes(indexed, "little")
        return bytearray(both.to_bytes(len(indexed), "little"))

    def _expand_pack(self, connection: apsw.Connection, top: int) -> int:
        rows: list[Any] = connection.execute(
            "SELECT id, size, data FROM packs WHERE id <= ? ORDER BY id DESC LIMIT 1",
            (top,),
        ).fetchall()
        state = self._state
        for first, size, data in rows:
            blocks = decode_pack(data, size)
            for number in range(top, first - 1, -1):
                if state[number] != _WAITING:
                    continue
                state[number] = _DONE
                block = blocks[number - first] if number - first < len(blocks) else None
                if block != b"":  # an empty place: the block is elsewhere
                    self.need(self._links(number, block))
            return int(first)
        state[top] = _DONE
        return top

    def _links(self, number: int, block: bytes | None) -> list[bytes]:
        if block is not None:
            cid = cid_of(block)
            if number in self._catalog.numbers(cid):
                try:
                    return links(block)
                except EnactError:
                    return []  # not of ours: it names nothing that could be followed
        raise CorruptBlock(
            f"a block in {self._path} is damaged, so what it needs cannot be told, and"
            " nothing is removed: see store.check()"
        )
