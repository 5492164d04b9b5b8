# SPDX-License-Identifier: Apache-2.0
"""Millions of numbers in sorted order, for looking things up by how they begin."""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator

from enact.stores.sheets import HASH_START, PREFIX_BYTES

_BUCKETS = 256
_SHIFT = 56


class Catalog:
    """A set of integers of 64 bits, 8 bytes each.

    For blocks: the first 4 bytes of a hash, then the number of the block; as entries
    of the index are. Call `sort` between adding and looking.
    """

    def __init__(self) -> None:
        self._buckets = [array("Q") for _ in range(_BUCKETS)]

    def __len__(self) -> int:
        return sum(map(len, self._buckets))

    def add(self, keys: Iterable[int]) -> None:
        """Adds integers."""
        buckets = self._buckets
        for key in keys:
            buckets[key >> _SHIFT].append(key)

    def add_entries(self, entries: bytes) -> None:
        """Adds entries of the index of blocks, which are sorted."""
        keys = array("Q")
        keys.frombytes(entries)
        if sys.byteorder == "little":
            keys.byteswap()
        low = 0
        while low < len(keys):
            bucket = keys[low] >> _SHIFT
            high = (
                bisect_left(keys, (bucket + 1) << _SHIFT, low)
                if bucket < 255
                else (len(keys))
            )
            if high == low:  # not sorted, so damaged: one by one
                high = low + 1
            self._buckets[bucket].extend(keys[low:high])
            low = high

    def sort(self) -> None:
        """Puts everything in order, and each integer once."""
        for place, bucket in enumerate(self._buckets):
            self._buckets[place] = array("Q", sorted(set(bucket)))

    def __contains__(self, key: int) -> bool:
        bucket = self._buckets[key >> _SHIFT]
        place = bisect_left(bucket, key)
        return place < len(bucket) and bucket[place] == key

    def all_numbers(self) -> Iterator[int]:
        """Lists the numbers of all blocks."""
        for bucket in self._buckets:
            for key in bucket:
                yield key & 0xFFFFFFFF

    def numbers(self, cid: bytes) -> list[int]:
        """Lists the blocks whose hashes begin as that of an identifier does."""
        prefix = prefix_of(cid)
        bucket = self._buckets[prefix >> 24]
        place = bisect_left(bucket, prefix << 32)
        found = []
        while place < len(bucket) and bucket[place] >> 32 == prefix:
            found.append(bucket[place] & 0xFFFFFFFF)
            place += 1
        return found


def prefix_of(cid: bytes) -> int:
    """Gives the first 4 bytes of the hash in an identifier."""
    return int.from_bytes(cid[HASH_START : HASH_START + PREFIX_BYTES], "big")
