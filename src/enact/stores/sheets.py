# SPDX-License-Identifier: Apache-2.0
"""The index: sorted sheets of entries, never changed, only merged.

An index in the usual form takes one insertion at a random place for each block, and
the larger the store, the more each of them costs. Here each fold writes its entries
as one sorted *sheet*; when several sheets are of about the same size, they are
merged into one (a log-structured merge tree), so an entry is rewritten a few times
in all, however large the store grows. A sheet is cut into segments, one row each.

There are two kinds. ``block`` entries have 8 bytes: the first 4 of the hash of a
block, then its number in 4. ``request`` entries have 12: the first 4 of the hash of
a request, then the identifier of a row in ``calls`` in 8. All are big endian.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple
from zlib import crc32

import apsw

HASH_START = 4
"""Bytes of an identifier before its hash."""

PREFIX_BYTES = 4
"""Bytes of the hash in an entry; readers sort out blocks whose hashes begin alike."""

_WIDTH = {"block": 8, "request": 12}
_SEGMENT_BYTES = 1 << 16
_SLICE_ENTRIES = 1 << 16
_SHEETS_PER_SIZE = 8
_CACHED_SEGMENTS = 1024

# Entries are cut out, joined and sorted by one statement: the interpreter is free
# for other threads while it runs, which it is not while Python sorts.
_SORT = f"""
WITH RECURSIVE n(i) AS (VALUES(0) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1)
SELECT unhex(group_concat(entry, '')) FROM (
    SELECT hex(
        substr(?2, i * 36 + {HASH_START + 1}, {PREFIX_BYTES})
        || substr(?3, i * ?4 + 1, ?4)
    ) AS entry
    FROM n ORDER BY entry
)
"""


def sorted_entries(
    sorter: apsw.Connection, cids: Sequence[bytes], numbers: array[int]
) -> bytes:
    """Makes the entries of a sheet.

    Args:
        sorter: any connection; its database is not touched.
        cids: of blocks, or of requests.
        numbers: of the blocks (type ``I``), or of calls (``Q``); changed in place.
    """
    if not cids:
        return b""
    if sys.byteorder == "little":
        numbers.byteswap()
    values = (len(cids), b"".join(cids), numbers.tobytes(), numbers.itemsize)
    entries = sorter.execute(_SORT, values).get
    assert type(entries) is bytes
    return entries


class DamagedIndex(Exception):
    """Raised inside this layer only: the index can be made anew from the data."""


class Segment(NamedTuple):
    """Where a piece of a sheet is, and its first entry."""

    first: bytes
    id: int
    entries: int
    check: int


class Sheets:
    """All sheets of one kind, as one connection sees them.

    Args:
        kind: ``block`` or ``request``.
        connection: to the database.
    """

    def __init__(self, kind: str, connection: apsw.Connection) -> None:
        self._kind = kind
        self._width = _WIDTH[kind]
        self._connection = connection
        self._sheets: dict[int, list[Segment]] = {}
        self._held: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self.damaged = False

    def load(self) -> None:
        """Reads which segments there are; to be called when others may have written.

        Sets ``damaged`` when some are missing: then the index cannot be trusted to
        know all, and callers look at everything instead.
        """
        self._sheets = {}
        rows: list[tuple[Any, ...]] = self._connection.execute(
            'SELECT sheet, first, id, entries, "check" FROM segments'
            " WHERE kind = ? ORDER BY sheet, first",
            (self._kind,),
        ).fetchall()
        for sheet, *segment in rows:
            self._sheets.setdefault(sheet, []).append(Segment(*segment))
        # The text is checked as a whole, so damage to it shows as well.
        told = self._connection.execute(
            "SELECT value FROM meta WHERE key = ?", (f"entries.{self._kind}",)
        ).get
        try:
            self.damaged = told != self._summary()
        except (AttributeError, OverflowError, TypeError):  # not even of the right type
            self.damaged = True

    def find(self, prefix: bytes) -> list[int]:
        """Lists what the entries with a prefix say: packs, or calls.

        Raises:
            DamagedIndex: a segment is not what it was.
        """
        found: set[int] = set()
        for segments in self._sheets.values():
            place = bisect_right(segments, (prefix,)) - 1
            # Entries with this prefix may begin in one segment and end in others.
            for segment in segments[max(place, 0) :]:
                if segment.first[: len(prefix)] > prefix:
                    break
                found.update(self._find_in(segment, prefix, prefix))
        return sorted(found)

    def between(self, low: bytes, high: bytes) -> Iterator[int]:
        """Reads what the entries with a prefix in a range say, sheet by sheet.

        Raises:
            DamagedIndex: a segment is not what it was.
        """
        for segments in self._sheets.values():
            place = bisect_right(segments, (low,)) - 1
            for segment in segments[max(place, 0) :]:
                if segment.first[:PREFIX_BYTES] > high:
                    break
                yield from self._find_in(segment, low, high)

    def entries(self) -> Iterator[bytes]:
        """Reads all entries, as many at a time as are in a segment.

        Raises:
            DamagedIndex: a segment is not what it was.
        """
        for segments in list(self._sheets.values()):
            for segment in segments:
                yield self._read(segment)

    def keep_only(self, wanted: Callable[[int], bool]) -> None:
        """Leaves out entries; inside a write transaction.

        Args:
            wanted: says of a number in an entry whether the entry stays.

        Raises:
            DamagedIndex: a segment is not what it was.
        """
        width = self._width
        for sheet, segments in list(self._sheets.items()):
            kept: list[Segment] = []
            for segment in segments:
                data = self._read(segment)
                cut = b"".join(
                    data[place : place + width]
                    for place in range(0, len(data), width)
                    if wanted(
                        int.from_bytes(data[place + PREFIX_BYTES : place + width])
                    )
                )
                if len(cut) < len(data):
                    self._rewrite(segment, cut)
                if cut:
                    entries, check = len(cut) // width, crc32(cut)
                    kept.append(Segment(cut[:width], segment.id, entries, check))
            self._sheets[sheet] = kept
            if not kept:
                del self._sheets[sheet]
        self._write_summary()

    def add(self, entries: bytes) -> None:
        """Writes a sheet and merges what is due; inside a write transaction.

        Args:
            entries: as `sorted_entries` makes them.

        Raises:
            DamagedIndex: a segment that was to be merged is not what it was.
        """
        if entries:
            self._write_sheet([entries])
            self._merge_due()
            self._write_summary()

    def merge_all(self) -> bool:
        """Merges all sheets into one; inside a write transaction.

        Returns:
            False when there was nothing to merge.
        """
        if len(self._sheets) < 2:
            return False
        self._merge(list(self._sheets))
        self._write_summary()
        return True

    def rebuild(self, entries: bytes) -> None:
        """Replaces the whole index; inside a write transaction."""
        self._connection.execute("DELETE FROM segments WHERE kind = ?", (self._kind,))
        self._sheets = {}
        self._write_sheet([entries])
        self._write_summary()
        self.damaged = False

    def sizes(self) -> list[int]:
        """Counts the entries of each sheet."""
        return [sum(s.entries for s in segments) for segments in self._sheets.values()]

    def _find_in(self, segment: Segment, first: bytes, last: bytes) -> Iterator[int]:
        data, width = self._read(segment), self._width
        low, high = 0, len(data) // width
        while low < high:
            middle = (low + high) // 2
            if data[middle * width : middle * width + PREFIX_BYTES] < first:
                low = middle + 1
            else:
                high = middle
        place = low * width
        while place < len(data) and data[place : place + PREFIX_BYTES] <= last:
            yield int.from_bytes(data[place + PREFIX_BYTES : place + width], "big")
            place += width

    def _read(self, segment: Segment) -> bytes:
        key = (segment.id, segment.check)
        data = self._held.get(key)
        if data is not None:
            self._held.move_to_end(key)
            return data
        data = self._connection.execute(
            "SELECT data FROM segments WHERE id = ?", (segment.id,)
        ).get
        if type(data) is not bytes or crc32(data) != segment.check:
            self.damaged = True
            raise DamagedIndex
        self._held[key] = data
        if len(self._held) > _CACHED_SEGMENTS:
            self._held.popitem(last=False)
        return data

    def _rewrite(self, segment: Segment, data: bytes) -> None:
        if not data:
            self._connection.execute("DELETE FROM segments WHERE id = ?", (segment.id,))
            return
        self._connection.execute(
            'UPDATE segments SET first = ?, entries = ?, "check" = ?, data = ?'
            " WHERE id = ?",
            (
                data[: self._width],
                len(data) // self._width,
                crc32(data),
                data,
                segment.id,
            ),
        )

    def _merge_due(self) -> None:
        while True:
            by_size: dict[int, list[int]] = {}
            for sheet, segments in self._sheets.items():
                size = sum(segment.entries for segment in segments)
                by_size.setdefault(size.bit_length() // 3, []).append(sheet)
            due = [s for s in by_size.values() if len(s) >= _SHEETS_PER_SIZE]
            if not due:
                return
            self._merge(due[0])

    def _merge(self, sheets: list[int]) -> None:
        """Replaces sheets by one, a slice of all keys at a time to save memory."""
        old = [self._sheets[sheet] for sheet in sheets]
        self._write_sheet(self._slices(old))
        for sheet in sheets:
            del self._sheets[sheet]
        self._connection.executemany(
            "DELETE FROM segments WHERE id = ?",
            ((segment.id,) for segments in old for segment in segments),
        )

    def _slices(self, sheets: list[list[Segment]]) -> Iterator[bytes]:
        width = self._width
        total = sum(segment.entries for segments in sheets for segment in segments)
        count = total // _SLICE_ENTRIES + 1
        waiting = [iter(segments) for segments in sheets]
        left: list[list[bytes]] = [[] for _ in sheets]
        for number in range(1, count + 1):
            bound = None
            if number < count:
                bound = ((1 << 32) * number // count).to_bytes(4, "big")
            taken: list[bytes] = []
            for place, segments in enumerate(waiting):
                entries = left[place]
                while not entries or bound is None or entries[-1] < bound:
                    segment = next(segments, None)
                    if segment is None:
                        break
                    data = self._read(segment)
                    entries += [data[i : i + width] for i in range(0, len(data), width)]
                cut = len(entries) if bound is None else bisect_right(entries, bound)
                taken += entries[:cut]
                left[place] = entries[cut:]
            taken.sort()
            yield b"".join(taken)

    def _write_sheet(self, slices: Iterable[bytes]) -> None:
        connection = self._connection
        sheet = max(self._sheets, default=0) + 1
        written: list[Segment] = []
        for data in _regular(slices, _SEGMENT_BYTES // self._width * self._width):
            first, entries = data[: self._width], len(data) // self._width
            check = crc32(data)
            connection.execute(
                "INSERT INTO segments(kind, sheet, first, entries, data, "
                '"check") VALUES (?, ?, ?, ?, ?, ?)',
                (self._kind, sheet, first, entries, data, check),
            )
            written.append(
                Segment(first, connection.last_insert_rowid(), entries, check)
            )
        if written:
            self._sheets[sheet] = written

    def _write_summary(self) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO meta(key, value) VALUES (?, ?)",
            (f"entries.{self._kind}", self._summary()),
        )

    def _summary(self) -> str | None:
        if not self._sheets:
            return None
        segments = sorted(s for sheet in self._sheets.values() for s in sheet)
        entries = sum(segment.entries for segment in segments)
        check = crc32(b"".join(s.first + s.check.to_bytes(4, "big") for s in segments))
        return f"{entries} entries in {len(segments)} segments, check {check:08x}"


def _regular(slices: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Cuts a series of bytes anew, into pieces of ``size``."""
    rest = b""
    for data in slices:
        rest += data
        whole = len(rest) // size * size
        for place in range(0, whole, size):
            yield rest[place : place + size]
        rest = rest[whole:]
    if rest:
        yield rest
