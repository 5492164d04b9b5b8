# SPDX-License-Identifier: Apache-2.0
"""Tidying up a database when it is closed."""

from __future__ import annotations

from typing import Any

from enact.stores.fold import Archive
from enact.stores.packs import PACK_BYTES, decode_pack, encode_pack

_SMALL = PACK_BYTES // 2
_TOO_MANY = 8


def compact(archive: Archive) -> None:
    """Makes few large packs of many small ones, few sheets of many, and shrinks.

    Does next to nothing when there is little to gain, so that a program which opens
    a store for a moment does not pay for all that is in it.
    """
    archive.transact(lambda: _merge_packs(archive))
    archive.transact(archive.merge_sheets)
    archive.shrink()


def _merge_packs(archive: Archive) -> None:
    """Makes one pack of small ones that follow each other."""
    packs: list[Any] = archive.connection.execute(
        "SELECT id, blocks, size FROM packs ORDER BY id"
    ).fetchall()
    if sum(size < _SMALL for _, _, size in packs) < _TOO_MANY:
        return
    joined: list[tuple[int, list[bytes]]] = []
    room, following = 0, 0
    for first, count, size in packs:
        blocks: list[bytes] = []
        if size < _SMALL:
            data: Any = archive.connection.execute(
                "SELECT data FROM packs WHERE id = ?", (first,)
            ).get
            blocks = decode_pack(data, size)
        if first != following or size > room or len(blocks) != count:
            _join(archive, joined)
            joined, room = [], PACK_BYTES
        if len(blocks) == count:  # else damaged: what is left of it stays as it is
            joined.append((first, blocks))
            room -= size
            following = first + count
    _join(archive, joined)


def _join(archive: Archive, packs: list[tuple[int, list[bytes]]]) -> None:
    if len(packs) < 2:
        return
    # A block that comes again leaves an empty place, to keep the numbers right.
    seen: set[bytes] = set()
    blocks: list[bytes] = []
    for _, unpacked in packs:
        blocks += [b"" if block in seen else block for block in unpacked]
        seen.update(unpacked)
    archive.connection.executemany(
        "DELETE FROM packs WHERE id = ?", ((first,) for first, _ in packs)
    )
    size = 4 * (len(blocks) + 1) + sum(map(len, blocks))
    archive.connection.execute(
        "INSERT INTO packs VALUES (?, ?, ?, ?)",
        (packs[0][0], len(blocks), size, encode_pack(blocks)),
    )
