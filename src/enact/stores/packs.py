# SPDX-License-Identifier: Apache-2.0
"""Packs: many blocks in one row of the database, compressed together.

A pack is the raw deflate stream of a count, the length of each block (4 bytes each,
little endian), and the blocks. Identifiers are not in it: reading hashes every
block, which gives the identifiers and is the check at the same time.
"""

from __future__ import annotations

import sys
import threading
import zlib
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise

from enact.stores.backend import Block
from enact.values import cid_of

PACK_BYTES = 128 << 10
"""Blocks are added to a pack until it holds so much; a larger one has its own."""

MAX_BLOCK = 64 << 20
"""A larger block is refused, so that a reader knows what it lets itself in for."""

MAX_RAW = MAX_BLOCK + 2 * PACK_BYTES + (1 << 20)
"""No pack that a store has written unpacks to more bytes than this."""

_CACHE_BYTES = 16 << 20
_RAW_DEFLATE = -15  # no checksum of its own: hashes are the better one


def group(blocks: Sequence[Block]) -> Iterator[Sequence[Block]]:
    """Cuts a series of blocks into portions, each to become a pack."""
    ends = list(accumulate(len(data) + 4 for _, data in blocks))
    begin = size = 0
    while begin < len(blocks):
        end = bisect_left(ends, size + PACK_BYTES) + 1
        yield blocks[begin:end]
        begin, size = end, ends[min(end, len(ends)) - 1]


def encode_pack(blocks: Sequence[bytes]) -> bytes:
    """Packs blocks."""
    lengths = array("I", [len(blocks), *map(len, blocks)])
    if sys.byteorder == "big":  # pragma: no cover
        lengths.byteswap()
    return zlib.compress(lengths.tobytes() + b"".join(blocks), 1, _RAW_DEFLATE)


def decode_pack(data: bytes, size: int) -> dict[bytes, bytes]:
    """Unpacks blocks, as many as the bytes still give.

    Args:
        data: of the pack.
        size: of the blocks together with their lengths, uncompressed.

    Returns:
        Blocks by identifier. A damaged block is in it under an identifier that
        nobody asks for.
    """
    raw = _inflate(data, size)
    lengths = array("I")
    if len(raw) < 4:
        return {}
    count = int.from_bytes(raw[:4], "little")
    begin = 4 * (count + 1)
    if begin > len(raw):
        return {}
    lengths.frombytes(raw[4:begin])
    if sys.byteorder == "big":  # pragma: no cover
        lengths.byteswap()
    blocks = [raw[a:b] for a, b in pairwise(accumulate(lengths, initial=begin))]
    return dict(zip(map(cid_of, blocks), blocks, strict=True))


def raw_size(blocks: Sequence[bytes]) -> int:
    """Tells what `decode_pack` needs to know."""
    return 4 * (len(blocks) + 1) + sum(map(len, blocks))


def _inflate(data: bytes, size: int) -> bytes:
    """Inflates at most ``size`` bytes; what comes before damage is kept."""
    stream = zlib.decompressobj(_RAW_DEFLATE)
    try:
        return stream.decompress(data, size)
    except zlib.error:
        pass
    stream = zlib.decompressobj(_RAW_DEFLATE)
    parts: list[bytes] = []
    try:
        for place in range(0, len(data), 256):
            parts.append(stream.decompress(data[place : place + 256]))
    except zlib.error:
        pass
    return b"".join(parts)[:size]


class PackCache:
    """Unpacked packs that were used last.

    Args:
        fetch: reads the bytes and the size of a pack; None when it is not there.
    """

    def __init__(self, fetch: Callable[[int], tuple[bytes, int] | None]) -> None:
        self._fetch = fetch
        self._packs: OrderedDict[int, tuple[dict[bytes, bytes], int]] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, pack: int) -> dict[bytes, bytes] | None:
        """Unpacks a pack, or finds it unpacked; None when it is not there."""
        with self._lock:
            held = self._packs.get(pack)
            if held is not None:
                self._packs.move_to_end(pack)
                return held[0]
        found = self._fetch(pack)
        if found is None:
            return None
        data, size = found
        blocks = decode_pack(data, size)
        with self._lock:
            if pack not in self._packs:
                self._packs[pack] = (blocks, size)
                self._size += size
            while self._size > _CACHE_BYTES and len(self._packs) > 1:
                self._size -= self._packs.popitem(last=False)[1][1]
        return blocks

    def clear(self) -> None:
        """Forgets all packs: others may have taken their numbers."""
        with self._lock:
            self._packs.clear()
            self._size = 0
