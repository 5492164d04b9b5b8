# SPDX-License-Identifier: Apache-2.0
"""Packs: many blocks in one row of the database, compressed together.

Blocks are numbered in the order in which they came in, across all packs, and a pack
has the number of its first block. So adjacent packs can be made one, and the index,
which knows the numbers, stays as it is.

A pack is the raw deflate stream of a count, the length of each block (4 bytes each,
little endian), and the blocks. Identifiers are not in it: reading hashes every
block, which gives the identifiers and is the check at the same time.
"""

from __future__ import annotations

import sys
import zlib
from array import array
from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise

from enact.values import cid_of

PACK_BYTES = 128 << 10
"""Blocks are added to a pack until it holds so much; a larger one has its own."""

MAX_BLOCK = 64 << 20
"""A larger block is refused, so that a reader knows what it lets itself in for."""

MAX_RAW = MAX_BLOCK + 2 * PACK_BYTES + (1 << 20)
"""No pack that a store has written unpacks to more bytes than this."""

_CACHE_BYTES = 16 << 20
_RAW_DEFLATE = -15  # no checksum of its own: hashes are the better one


def group(blocks: Sequence[bytes]) -> Iterator[tuple[int, int, int]]:
    """Cuts a series of blocks into portions, each to become a pack.

    Returns:
        For each: where it begins, where it ends, and the size of the pack.
    """
    ends = list(accumulate(map(len, blocks)))
    begin = size = 0
    while begin < len(blocks):
        end = min(bisect_left(ends, size + PACK_BYTES) + 1, len(blocks))
        yield begin, end, 4 * (end - begin + 1) + ends[end - 1] - size
        begin, size = end, ends[end - 1]


def encode_pack(blocks: Sequence[bytes]) -> bytes:
    """Packs blocks."""
    lengths = array("I", [len(blocks), *map(len, blocks)])
    if sys.byteorder == "big":  # pragma: no cover
        lengths.byteswap()
    return zlib.compress(lengths.tobytes() + b"".join(blocks), 1, _RAW_DEFLATE)


def decode_pack(data: bytes, size: int) -> list[bytes]:
    """Unpacks blocks, as many as the bytes still give.

    Args:
        data: of the pack.
        size: of the blocks together with their lengths, uncompressed.
    """
    raw = _inflate(data, size)
    lengths = array("I")
    begin = 4 * (int.from_bytes(raw[:4], "little") + 1)
    if len(raw) < 4 or begin > len(raw):
        return []
    lengths.frombytes(raw[4:begin])
    if sys.byteorder == "big":  # pragma: no cover
        lengths.byteswap()
    return [raw[a:b] for a, b in pairwise(accumulate(lengths, initial=begin))]


def _inflate(data: bytes, size: int) -> bytes:
    """Inflates at most ``size`` bytes; what comes before damage is kept."""
    stream = zlib.decompressobj(_RAW_DEFLATE)
    try:
        return stream.decompress(data, size)
    except zlib.error:
        pass
    stream = zlib.decompressobj(_RAW_DEFLATE)
    parts: list[bytes] = []
    room = size
    try:
        for place in range(0, len(data), 256):
            if room <= 0:
                break
            parts.append(stream.decompress(data[place : place + 256], room))
            room -= len(parts[-1])
    except zlib.error:
        pass
    return b"".join(parts)


class Pack:
    """An unpacked pack.

    Args:
        first: number of its first block.
        blocks: as they are; nobody has looked at their hashes.
        size: in bytes.
    """

    def __init__(self, first: int, blocks: list[bytes], size: int) -> None:
        self.first = first
        self.size = size
        self._blocks = blocks
        self._used = False
        self._by_cid: dict[bytes, bytes] | None = None

    def block(self, number: int) -> bytes | None:
        """Finds a block by its number; empty for one that is also elsewhere."""
        place = number - self.first
        if not 0 <= place < len(self._blocks):
            return None
        if self._used and self._by_cid is None:
            # Used again: neighbours are likely to be wanted as well.
            self._by_cid = {cid_of(block): block for block in self._blocks}
        self._used = True
        return self._blocks[place]

    def find(self, cid: bytes) -> bytes | None:
        """Finds a block by its identifier, if the pack is in frequent use."""
        return None if self._by_cid is None else self._by_cid.get(cid)


class PackCache:
    """Unpacked packs that were used last.

    Args:
        fetch: reads the pack that holds the block with a number.
    """

    def __init__(self, fetch: Callable[[int], Pack | None]) -> None:
        self._fetch = fetch
        self._packs: OrderedDict[int, Pack] = OrderedDict()
        self._firsts: list[int] = []
        self._size = 0
        self.last: Pack | None = None

    def get(self, number: int) -> bytes | None:
        """Finds a block by its number."""
        pack = self.last
        block = None if pack is None else pack.block(number)
        if block is not None:
            return block
        place = bisect_right(self._firsts, number) - 1
        if place >= 0:
            pack = self._packs[self._firsts[place]]
            block = pack.block(number)
            if block is not None:
                self._packs.move_to_end(pack.first)
                self.last = pack
                return block
        pack = self._fetch(number)
        if pack is None:
            return None
        self._keep(pack)
        return pack.block(number)

    def clear(self) -> None:
        """Forgets all packs: they may have been joined to others."""
        self._packs.clear()
        self._firsts.clear()
        self._size = 0
        self.last = None

    def _keep(self, pack: Pack) -> None:
        self.last = pack
        if pack.first in self._packs:
            return
        self._packs[pack.first] = pack
        insort(self._firsts, pack.first)
        self._size += pack.size
        while self._size > _CACHE_BYTES and len(self._packs) > 1:
            first, old = self._packs.popitem(last=False)
            self._firsts.remove(first)
            self._size -= old.size
