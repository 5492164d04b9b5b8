# SPDX-License-Identifier: Apache-2.0
"""Blocks that are no more, and are still in packs.

The table ``dropped`` names them by number until the packs have been rewritten, which is
done little by little. A row stands for `SPAN` numbers: one byte each, compressed.
"""

from __future__ import annotations

import zlib
from typing import Any

import apsw

SPAN = 1 << 16
"""Numbers per row; the row's identifier is the first of them, divided by this."""

Dropped = dict[int, bytes]
"""Rows by identifier: a byte that is not zero stands for a block that is no more."""


def read_dropped(connection: apsw.Connection) -> Dropped:
    """Reads which blocks are no more."""
    rows: list[Any] = connection.execute("SELECT id, places FROM dropped").fetchall()
    return {row: unpack_places(places) for row, places in rows}


def is_dropped(dropped: Dropped, number: int) -> bool:
    """Says whether the block of a number is no more."""
    places = dropped.get(number // SPAN)
    return places is not None and places[number % SPAN] != 0


def unpack_places(places: bytes) -> bytes:
    """Reads one row; damage makes it say nothing."""
    try:
        raw = zlib.decompressobj().decompress(places, SPAN)
    except (zlib.error, TypeError):
        raw = b""
    return raw.ljust(SPAN, b"\0")


def write_dropped(connection: apsw.Connection, places: bytes | bytearray) -> None:
    """Adds to the blocks that are no more; inside a transaction.

    Args:
        connection: to the database.
        places: by number, a byte that is not zero for each that is no more.
    """
    for row, begin in enumerate(range(0, len(places), SPAN)):
        some = bytes(places[begin : begin + SPAN]).ljust(SPAN, b"\0")
        if not any(some):
            continue
        before: Any = connection.execute(
            "SELECT places FROM dropped WHERE id = ?", (row,)
        ).get
        if before is not None:
            old = int.from_bytes(unpack_places(before), "little")
            some = (old | int.from_bytes(some, "little")).to_bytes(SPAN, "little")
        connection.execute(
            "INSERT OR REPLACE INTO dropped(id, places) VALUES (?, ?)",
            (row, zlib.compress(some, 1)),
        )
