# SPDX-License-Identifier: Apache-2.0
"""Looking at everything in a SQLite store, and telling all that is wrong.

Nothing is written. Of each block 16 bytes and of each call 8 are held in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import apsw

from enact.errors import CorruptBlock, EnactError
from enact.stores.care import Report
from enact.stores.catalog import Catalog, prefix_of
from enact.stores.check_tails import check_tails
from enact.stores.dropped import Dropped, is_dropped, read_dropped
from enact.stores.entries import entry_check
from enact.stores.journal import Journal
from enact.stores.opened import Cut, Opened, cut
from enact.stores.packs import MAX_RAW, decode_pack
from enact.stores.reader import Reader
from enact.stores.roots import cids_in, of_call, of_run
from enact.stores.sheets import HASH_START, PREFIX_BYTES, DamagedIndex, Sheets
from enact.stores.tombstones import KIND as TOMBSTONE
from enact.stores.tombstones import read_tombstone
from enact.values import check_block, cid_from_text, cid_of, cid_text, links

_MOST_MESSAGES = 1000


def check(store: Opened) -> Report:
    """Looks at everything; see `Care.check`."""
    report = Report(store.path)
    try:
        with cut(store) as found:
            _Check(report, found, store.path).run()
    except EnactError as error:
        report.add("database", store.path, str(error))
    check_tails(store, report)
    return report


class _Check:
    """One check, in the order of its methods.

    Args:
        report: takes the faults.
        found: the store as of one moment.
        path: of the file.
    """

    def __init__(self, report: Report, found: Cut, path: str) -> None:
        self._report = report
        self._cut = found
        self._connection = found.connection
        self._path = path
        # What is there: 8 bytes of each hash, which is enough to tell what is not.
        self._here = Catalog()
        self._purged: set[bytes] = set()
        self._missing: set[bytes] = set()
        self._dropped: Dropped = {}

    def run(self) -> None:
        """Looks at one thing after the other, whatever the ones before were like."""
        for part, look in (
            ("the file", self._database),
            ("entries", self._read_tombstones),
            ("packs", self._packs),
            ("tails", self._blocks_in_tails),
            ("links", self._links),
            ("runs", self._runs),
            ("calls", self._calls),
            ("entries", self._entries),
        ):
            try:
                look()
            except (apsw.Error, EnactError, UnicodeDecodeError) as error:
                self._report.add("database", part, f"cannot be read: {error}")

    def _database(self) -> None:
        for (message,) in self._connection.execute(
            f"PRAGMA integrity_check({_MOST_MESSAGES})"
        ):
            if message != "ok":
                self._report.add("database", self._path, str(message))

    def _read_tombstones(self) -> None:
        self._dropped = read_dropped(self._connection)
        for key, text in self._connection.execute(
            "SELECT key, value FROM entries WHERE kind = ?", (TOMBSTONE,)
        ):
            try:
                self._purged.add(cid_from_text(key))
            except ValueError:
                self._report.add("entry", f"{TOMBSTONE} {key}", "names no block")
            if read_tombstone(text).get("finished") is False:
                self._report.add("purge", key, "may have left bytes in the file")

    def _packs(self) -> None:
        index = self._index("block")
        entries = Catalog()
        indexed = bytearray()
        if index is not None:
            for some in index:
                entries.add_entries(some)
            entries.sort()
            for number in entries.all_numbers():
                if number >= len(indexed):
                    indexed.extend(bytes(number + 1 - len(indexed) + (1 << 16)))
                indexed[number] = 1
        for number, block in self._each_block(tell=True):
            cid = cid_of(block)
            self._here.add((_key(cid),))
            self._report.blocks += 1
            if index is None:
                continue
            if prefix_of(cid) << 32 | number in entries:
                indexed[number] = 2
            elif number < len(indexed) and indexed[number]:
                indexed[number] = 2
                self._report.add(
                    "block", f"number {number}", "its bytes do not have its hash"
                )
            else:
                self._report.add("index", cid_text(cid), "is not in the index")
        self._here.sort()
        lost = self._without_empty_places(indexed)
        if lost:
            self._report.add(
                "pack", f"of block {lost[0]}", f"{len(lost)} blocks cannot be read"
            )

    def _without_empty_places(self, indexed: bytearray) -> list[int]:
        """Lists numbers that the index knows, and where no pack has any place."""
        for first, blocks in self._each_pack(tell=False):
            for number, block in enumerate(blocks, first):
                if not block and number < len(indexed):
                    indexed[number] = 0
        lost = []
        number = indexed.find(1)
        while number >= 0:
            lost.append(number)
            number = indexed.find(1, number + 1)
        return lost

    def _blocks_in_tails(self) -> None:
        self._report.blocks += len(self._cut.blocks)

    def _links(self) -> None:
        tails = ((-1, block) for block in self._cut.blocks.values())
        for sources in (self._each_block(tell=False), tails):
            for _, block in sources:
                try:
                    check_block(block)
                    found = links(block)
                except EnactError as error:
                    self._report.add("block", cid_text(cid_of(block)), str(error))
                    continue
                if found:
                    self._need(found, block)

    def _runs(self) -> None:
        journal = Journal(Reader(self._path, self._connection), self._path)
        again = {row.id for row in self._cut.runs}
        self._report.runs += len(again)
        for row in (*self._told(journal.each_run(), "run"), *self._cut.runs):
            self._report.runs += row.id not in again
            self._need(of_run(row), f"run {row.id}")

    def _calls(self) -> None:
        journal = Journal(Reader(self._path, self._connection), self._path)
        index = self._index("request")
        entries = Catalog()
        for some in index or ():
            width = PREFIX_BYTES + 8
            entries.add(
                hash(some[place : place + width]) & 0xFFFFFFFFFFFFFFFF
                for place in range(0, len(some), width)
            )
        entries.sort()
        again = {(row.run, row.number) for row in self._cut.calls}
        self._report.calls += len(again)
        for place, row in self._told(journal.each_call(), "call"):
            self._report.calls += (row.run, row.number) not in again
            where = f"call {row.number} of run {row.run}"
            self._need(of_call(row), where)
            if row.request is not None and index is not None:
                start = row.request[HASH_START : HASH_START + PREFIX_BYTES]
                call = place[0] << 32 | place[1]
                key = hash(start + call.to_bytes(8, "big")) & 0xFFFFFFFFFFFFFFFF
                if key not in entries:
                    self._report.add("index", where, "is not in the index of requests")
        for row in self._cut.calls:
            self._need(of_call(row), f"call {row.number} of run {row.run}")

    def _entries(self) -> None:
        for kind, key, value, check in self._connection.execute(
            'SELECT kind, key, value, "check" FROM entries ORDER BY kind, key'
        ):
            self._report.entries += 1
            where = f"{kind} {key}"
            if entry_check(kind, key, value) != check:
                self._report.add("entry", where, "does not have its checksum any more")
            elif kind != TOMBSTONE:
                self._need(cids_in(value), f"entry {where}")

    def _told(self, rows: Iterable[Any], kind: str) -> Iterator[Any]:
        """Passes rows on, and notes those that are damaged."""
        for row in rows:
            if isinstance(row, CorruptBlock):
                self._report.add(kind, str(row).partition(" in ")[0], str(row))
            else:
                yield row

    def _need(self, cids: Iterable[bytes], who: str | bytes) -> None:
        """Notes what is missing; who needs it is told in words, or is a block."""
        for cid in cids:
            if _key(cid) in self._here or cid in self._cut.blocks:
                continue
            if cid not in self._purged and cid not in self._missing:
                self._missing.add(cid)
                if isinstance(who, bytes):
                    who = f"block {cid_text(cid_of(who))}"
                self._report.add("missing", cid_text(cid), f"{who} needs it")

    def _index(self, kind: str) -> list[bytes] | None:
        """Reads an index; None when it is damaged."""
        sheets = Sheets(kind, self._connection)
        try:
            sheets.load()
            if not sheets.damaged:
                return list(sheets.entries())
        except DamagedIndex:
            pass
        self._report.add("index", f"of {kind}s", "does not have its checksums any more")
        return None

    def _each_block(self, *, tell: bool) -> Iterator[tuple[int, bytes]]:
        for first, blocks in self._each_pack(tell=tell):
            for number, block in enumerate(blocks, first):
                if block and not is_dropped(self._dropped, number):
                    yield number, block

    def _each_pack(self, *, tell: bool) -> Iterator[tuple[int, list[bytes]]]:
        packs: list[Any] = self._connection.execute(
            "SELECT id, blocks, size FROM packs ORDER BY id"
        ).fetchall()
        following = 0
        for first, count, size in packs:
            fault = "begins before the one before it ends" if first < following else ""
            blocks: list[bytes] = []
            try:
                data: Any = self._connection.execute(
                    "SELECT data FROM packs WHERE id = ?", (first,)
                ).get
                if type(data) is bytes and type(size) is int and 0 < size <= MAX_RAW:
                    blocks = decode_pack(data, size)
            except apsw.Error as error:
                fault = str(error)
            if len(blocks) != count:
                fault = fault or f"has {len(blocks)} blocks of {count}"
            if fault and tell:
                self._report.add("pack", str(first), fault)
            following = first + count if type(count) is int else first
            yield first, blocks


def _key(cid: bytes) -> int:
    return int.from_bytes(cid[HASH_START : HASH_START + 8], "big")
