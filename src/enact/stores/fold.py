# SPDX-License-Identifier: Apache-2.0
"""Folding: moving what a tail holds into the database, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import apsw

from enact.errors import StoreError
from enact.stores.backend import Block, CallRow, RunRow
from enact.stores.connect import connect, told
from enact.stores.packs import decode_pack, encode_pack, group, raw_size
from enact.stores.rows import meta_text, run_check
from enact.stores.sheets import (
    MAX_PACK,
    DamagedIndex,
    Sheets,
    block_entries,
    request_entry,
)

CheckedCall = tuple[CallRow, int]
"""A call row and its checksum."""

_FEW_ENTRIES = 50_000
_COLUMNS = 14
# Many rows go in with one statement: the interpreter is left to other threads only
# while a statement runs, so one statement per row would wait for it at every row.
_ROWS_PER_STATEMENT = (256, 16, 1)
_INSERT_CALLS = {
    count: "INSERT OR REPLACE INTO calls VALUES "
    + ",".join(["(" + ",".join("?" * _COLUMNS) + ")"] * count)
    for count in _ROWS_PER_STATEMENT
}


class Archive:
    """The database, as the one thread that writes it at a time sees it.

    Args:
        path: of the file, which is a store already.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.connection = connect(path)
        self._names: dict[str | bytes, int] = {}
        self._blocks = Sheets("block", self.connection)
        self._requests = Sheets("request", self.connection)
        self._seen: int | None = None
        self._added_blocks = 0
        self._added_requests = 0

    def fold(
        self,
        blocks: Sequence[Block],
        calls: Iterable[CheckedCall],
        runs: Iterable[RunRow],
    ) -> None:
        """Writes blocks and rows, all or none, to the disk.

        Raises:
            StoreUnavailable: the disk does not take them.
        """
        groups = list(group(blocks))
        packs = [_packed([data for _, data in blocks_of]) for blocks_of in groups]
        latest = {(row.run, row.number): (row, check) for row, check in calls}

        def write() -> None:
            first = self.next_pack(len(packs))
            self._insert(first, packs)
            self._blocks.add(
                [
                    entry
                    for pack, blocks_of in enumerate(groups, first)
                    for entry in block_entries((cid for cid, _ in blocks_of), pack)
                ]
            )
            self._write_runs(runs)
            self._write_calls(list(latest.values()))

        self.transact(write)
        self._added_blocks += len(blocks)
        self._added_requests += len(latest)

    def transact(self, write: Callable[[], None]) -> None:
        """Runs a function in a write transaction; mends the index if it must.

        Raises:
            StoreUnavailable: the disk does not take what is written.
        """
        with told(self.path, "write to"):
            try:
                try:
                    self._in_transaction(write)
                except DamagedIndex:
                    self._in_transaction(self._rebuild)
                    self._in_transaction(write)
            except BaseException:
                # What was rolled back must not be remembered.
                self._names.clear()
                self._seen = None
                raise

    def close(self) -> None:
        """Moves the write-ahead log into the file and closes it."""
        with told(self.path, "close"):
            try:
                self.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            except apsw.BusyError:
                pass  # others read: the last one to close does it
            finally:
                self.connection.close()

    def next_pack(self, count: int) -> int:
        """Finds numbers for new packs; inside a transaction."""
        highest: int = self.connection.execute(
            "SELECT max(ifnull((SELECT max(id) FROM packs), 0),"
            " ifnull((SELECT max(id) FROM moved), 0))"
        ).get
        if highest + count > MAX_PACK:
            raise StoreError(f"{self.path} is full: begin a new store")
        return highest + 1

    def insert_packs(self, first: int, packs: list[list[bytes]]) -> None:
        """Writes packs under numbers from ``first`` on; inside a transaction."""
        self._insert(first, [_packed(blocks) for blocks in packs])

    def merge_sheets(self) -> None:
        """Makes one sheet of all, if that is worth its while; in a transaction."""
        for sheets, added in (
            (self._blocks, self._added_blocks),
            (self._requests, self._added_requests),
        ):
            sizes = sheets.sizes()
            total = sum(sizes)
            few = total < _FEW_ENTRIES and len(sizes) >= 4
            if few or added * 8 >= total:
                sheets.merge_all()

    def shrink(self) -> None:
        """Gives free pages back to the file system, when there are many."""
        with told(self.path, "write to"):
            free = self.connection.pragma("freelist_count")
            if free * 16 > self.connection.pragma("page_count"):
                self.connection.execute("PRAGMA incremental_vacuum").fetchall()

    def _in_transaction(self, write: Callable[[], None]) -> None:
        with self.connection:
            seen = self.connection.pragma("data_version")
            if seen != self._seen:  # somebody else has written
                self._blocks.load()
                self._requests.load()
                self._seen = seen
            if write != self._rebuild and (
                self._blocks.damaged or self._requests.damaged
            ):
                raise DamagedIndex
            write()

    def _insert(self, first: int, packs: list[tuple[int, int, bytes]]) -> None:
        self.connection.executemany(
            "INSERT INTO packs VALUES (?, ?, ?, ?)",
            ((first + place, *pack) for place, pack in enumerate(packs)),
        )

    def _write_runs(self, runs: Iterable[RunRow]) -> None:
        self.connection.executemany(
            "INSERT INTO runs(run, name, status, invocation, started, duration,"
            ' derived_from, how, meta, "check") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'
            " ON CONFLICT(run) DO UPDATE SET name = excluded.name,"
            " status = excluded.status, invocation = excluded.invocation,"
            " started = excluded.started, duration = excluded.duration,"
            " derived_from = excluded.derived_from, how = excluded.how,"
            ' meta = excluded.meta, "check" = excluded."check"',
            (
                (*row[:8], meta_text(row), run_check(row))
                for row in {row.id: row for row in runs}.values()
            ),
        )

    def _write_calls(self, calls: list[CheckedCall]) -> None:
        runs = {run: self._run(run) for run in dict.fromkeys(c[0].run for c in calls)}
        calls.sort(key=lambda call: (runs[call[0].run], call[0].number))
        place = 0
        requests: list[bytes] = []
        for count in _ROWS_PER_STATEMENT:
            while len(calls) - place >= count:
                values: list[object] = []
                for row, check in calls[place : place + count]:
                    call = runs[row.run] << 32 | row.number
                    values += self._columns(call, row, check)
                    if row.request is not None:
                        requests.append(request_entry(row.request, call))
                self.connection.execute(_INSERT_CALLS[count], values)
                place += count
        self._requests.add(requests)

    def _columns(self, call: int, row: CallRow, check: int) -> tuple[object, ...]:
        lane = ".".join(map(str, row.lane)) if row.lane else ""
        code = None if row.code is None else self._name(row.code)
        return (
            call,
            row.parent,
            lane,
            row.position,
            row.index,
            self._name(row.invokable),
            row.request,
            row.invocation,
            code,
            row.status,
            row.started,
            row.duration,
            row.verdict,
            check,
        )

    def _run(self, run: str) -> int:
        self.connection.execute("INSERT OR IGNORE INTO runs(run) VALUES (?)", (run,))
        number: int = self.connection.execute(
            "SELECT id FROM runs WHERE run = ?", (run,)
        ).get
        return number

    def _name(self, name: str | bytes) -> int:
        number = self._names.get(name)
        if number is None:
            self.connection.execute(
                "INSERT OR IGNORE INTO names(name) VALUES (?)", (name,)
            )
            number = self.connection.execute(
                "SELECT id FROM names WHERE name = ?", (name,)
            ).get
            assert type(number) is int
            self._names[name] = number
        return number

    def _rebuild(self) -> None:
        execute = self.connection.execute
        entries: list[bytes] = []
        packs: list[Any] = execute("SELECT id, size FROM packs").fetchall()
        for pack, size in packs:
            data = execute("SELECT data FROM packs WHERE id = ?", (pack,)).get
            entries += block_entries(decode_pack(data, size), pack)
        self._blocks.rebuild(entries)
        self._requests.rebuild(
            [
                request_entry(request, call)
                for call, request in execute(
                    "SELECT id, request FROM calls WHERE request IS NOT NULL"
                )
            ]
        )


def _packed(blocks: list[bytes]) -> tuple[int, int, bytes]:
    return len(blocks), raw_size(blocks), encode_pack(blocks)
