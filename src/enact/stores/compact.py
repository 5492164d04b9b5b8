# SPDX-License-Identifier: Apache-2.0
"""Tidying up a database when it is closed."""

from __future__ import annotations

from typing import Any

from enact.stores.fold import Archive
from enact.stores.packs import PACK_BYTES, decode_pack

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
    """Rewrites small packs; the numbers that the index has are kept as redirections."""
    small: list[Any] = archive.connection.execute(
        "SELECT id, blocks, size FROM packs WHERE size < ? ORDER BY id", (_SMALL,)
    ).fetchall()
    if len(small) < _TOO_MANY:
        return
    blocks: dict[bytes, bytes] = {}
    joined: list[int] = []
    room = PACK_BYTES
    for pack, count, size in small:
        data = archive.connection.execute(
            "SELECT data FROM packs WHERE id = ?", (pack,)
        ).get
        unpacked = decode_pack(data, size)
        if len(unpacked) != count:
            continue  # damaged: what is left of it stays as it is
        blocks.update(unpacked)
        joined.append(pack)
        room -= size
        if room < 0:
            _replace(archive, joined, blocks)
            blocks, joined, room = {}, [], PACK_BYTES
    if len(joined) > 1:
        _replace(archive, joined, blocks)


def _replace(archive: Archive, old: list[int], blocks: dict[bytes, bytes]) -> None:
    new = archive.next_pack(1)
    archive.insert_packs(new, [list(blocks.values())])
    change = archive.connection.executemany
    change("DELETE FROM packs WHERE id = ?", ((pack,) for pack in old))
    change("UPDATE moved SET pack = ? WHERE pack = ?", ((new, pack) for pack in old))
    change("INSERT INTO moved VALUES (?, ?)", ((pack, new) for pack in old))
