# SPDX-License-Identifier: Apache-2.0
"""Tidying up a database: a little when it is closed, all of it on request."""

from __future__ import annotations

from typing import Any, NamedTuple

from enact.stores.fold import Archive
from enact.stores.packs import PACK_BYTES, decode_pack

_SMALL = PACK_BYTES // 2
_TOO_MANY = 8
_GAP = 5000  # numbers of blocks that are no more, between packs that become one


class _Unpacked(NamedTuple):
    first: int
    written: float
    blocks: list[bytes]


def compact(archive: Archive) -> None:
    """Makes few large packs of many small ones, few sheets of many, and shrinks.

    Does next to nothing when there is little to gain, so that a program which opens
    a store for a moment does not pay for all that is in it.
    """
    archive.transact(lambda: _merge_packs(archive))
    archive.transact(archive.merge_sheets)
    archive.shrink()


def merge_small_packs(archive: Archive, begin: int, end: int) -> int:
    """Makes one pack of small ones that follow each other; inside a transaction.

    Args:
        archive: the database.
        begin: number of the first block to look at.
        end: number before which the packs to look at begin.

    Returns:
        How many packs there are fewer.
    """
    packs: list[Any] = archive.connection.execute(
        "SELECT id, blocks, size, written FROM packs WHERE id >= ? AND id < ?"
        " ORDER BY id",
        (begin, end),
    ).fetchall()
    fewer = 0
    joined: list[_Unpacked] = []
    room, following = 0, 0
    for first, count, size, written in packs:
        blocks: list[bytes] = []
        if size < _SMALL:
            data: Any = archive.connection.execute(
                "SELECT data FROM packs WHERE id = ?", (first,)
            ).get
            blocks = decode_pack(data, size)
        gap = first - following
        if not 0 <= gap <= _GAP or size > room or len(blocks) != count:
            fewer += _join(archive, joined)
            joined, room = [], PACK_BYTES
        if len(blocks) == count:  # else damaged: what is left of it stays as it is
            joined.append(_Unpacked(first, written, blocks))
            room -= size
            following = first + count
    return fewer + _join(archive, joined)


def _merge_packs(archive: Archive) -> None:
    small = archive.connection.execute(
        "SELECT count(*) FROM packs WHERE size < ?", (_SMALL,)
    ).get
    # Of two copies of a block, one dropped and one new, joining might keep the wrong.
    if small >= _TOO_MANY and not archive.has_dropped():
        merge_small_packs(archive, 0, 1 << 32)


def _join(archive: Archive, packs: list[_Unpacked]) -> int:
    if len(packs) < 2:
        return 0
    # A block that comes again leaves an empty place, to keep the numbers right.
    seen: set[bytes] = set()
    blocks: list[bytes] = []
    for pack in packs:
        blocks += [b""] * (pack.first - packs[0].first - len(blocks))
        blocks += [b"" if block in seen else block for block in pack.blocks]
        seen.update(pack.blocks)
    archive.connection.executemany(
        "DELETE FROM packs WHERE id = ?", ((pack.first,) for pack in packs)
    )
    archive.write_pack(packs[0].first, blocks, max(pack.written for pack in packs))
    return len(packs) - 1
