# SPDX-License-Identifier: Apache-2.0
"""Folding: moving what a tail holds into the database, in one transaction."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import apsw

from enact.errors import StoreError
from enact.stores.backend import CallRow, RunRow, latest_runs
from enact.stores.connect import connect, told, transaction
from enact.stores.dropped import is_dropped, read_dropped
from enact.stores.packs import decode_pack, encode_pack, group
from enact.stores.rows import meta_text, run_check
from enact.stores.sheets import (
    DamagedIndex,
    Sheets,
    sorted_entries,
)
from enact.values import cid_of, cid_text

T = TypeVar("T")

CheckedCall = tuple[CallRow, int]
"""A call row and its checksum."""

_MOST_BLOCKS = 1 << 32
_FEW_ENTRIES = 50_000
# Many rows go in with one statement: other threads have the interpreter while a
# statement runs, and getting it back afterwards takes as long as many rows do.
_ROWS_PER_STATEMENT = 1500


def rows_sql(insert: str, columns: int, count: int) -> str:
    """Writes a statement that inserts many rows."""
    row = "(" + ",".join("?" * columns) + ")"
    return f"{insert} VALUES " + ",".join([row] * count)


class Archive:
    """The database, as the one thread that writes it at a time sees it.

    Args:
        path: of the file, which is a store already.

    Attributes:
        connection: to the database.
        blocks: the index of blocks.
        requests: the index of calls by request.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        with told(path, "open"):
            self.connection = connect(path)
        self._sorter = apsw.Connection(":memory:")
        self._names: dict[str | bytes, int] = {}
        self.blocks = Sheets("block", self.connection)
        self.requests = Sheets("request", self.connection)
        self._seen: int | None = None
        self._added_blocks = 0
        self._added_requests = 0

    def fold(
        self,
        held: Mapping[bytes, bytes],
        calls: Sequence[CheckedCall],
        runs: Iterable[RunRow],
    ) -> None:
        """Writes blocks and rows, all or none, to the disk.

        Args:
            held: blocks by identifier.
            calls: rows with their checksums; the last one for a call stands.
            runs: rows; the last one for a run stands.

        Raises:
            StoreUnavailable: the disk does not take them.
        """
        packed = _packed(held)

        def write() -> None:
            left = self._without_purged(held)
            cids, packs = packed if len(left) == len(held) else _packed(left)
            first = self.next_block(len(cids))
            now = time.time()
            for some in batched(packs, _ROWS_PER_STATEMENT):
                self.connection.execute(
                    rows_sql("INSERT INTO packs", 5, len(some)),
                    [
                        value
                        for begin, count, size, data in some
                        for value in (first + begin, count, size, now, data)
                    ],
                )
            numbers = array("I", range(first, first + len(cids)))
            self.blocks.add(sorted_entries(self._sorter, cids, numbers))
            self._write_runs(runs)
            self._write_calls(calls)

        self.transact(write)
        self._added_blocks += len(held)
        self._added_requests += len(calls)

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

    def next_block(self, count: int) -> int:
        """Finds numbers for new blocks; inside a transaction."""
        number: int = (
            self.connection.execute(
                "SELECT id + blocks FROM packs ORDER BY id DESC LIMIT 1"
            ).get
            or 1
        )
        if number + count > _MOST_BLOCKS:
            raise StoreError(f"{self.path} is full: begin a new store")
        return number

    def merge_sheets(self) -> None:
        """Makes one sheet of all, if that is worth its while; in a transaction."""
        for sheets, added in (
            (self.blocks, self._added_blocks),
            (self.requests, self._added_requests),
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
        with transaction(self.connection):
            seen = self.connection.pragma("data_version")
            if seen != self._seen:  # somebody else has written
                self.blocks.load()
                self.requests.load()
                self._seen = seen
            if write != self._rebuild and (
                self.blocks.damaged or self.requests.damaged
            ):
                raise DamagedIndex
            write()

    def write_pack(self, first: int, blocks: Sequence[bytes], written: float) -> None:
        """Writes one pack in the place of others; inside a transaction."""
        size = 4 * (len(blocks) + 1) + sum(map(len, blocks))
        self.connection.execute(
            "INSERT OR REPLACE INTO packs(id, blocks, size, written, data)"
            " VALUES (?, ?, ?, ?, ?)",
            (first, len(blocks), size, written, encode_pack(blocks)),
        )

    def has_dropped(self) -> bool:
        """Says whether there are blocks that shall go and are still in packs."""
        return bool(self.connection.execute("SELECT 1 FROM dropped LIMIT 1").get)

    def _without_purged(self, held: Mapping[bytes, bytes]) -> Mapping[bytes, bytes]:
        """Leaves out blocks that were purged after their writer last looked."""
        keys: list[Any] = self.connection.execute(
            "SELECT key FROM entries WHERE kind = 'tombstone'"
        ).fetchall()
        if not keys:
            return held
        purged = {key for (key,) in keys}
        return {cid: data for cid, data in held.items() if cid_text(cid) not in purged}

    def _write_runs(self, runs: Iterable[RunRow]) -> None:
        self.connection.executemany(
            "INSERT INTO runs(run, name, status, invocation, started, duration,"
            ' derived_from, how, meta, attempt, "check")'
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT(run) DO UPDATE SET name = excluded.name,"
            " status = excluded.status, invocation = excluded.invocation,"
            " started = excluded.started, duration = excluded.duration,"
            " derived_from = excluded.derived_from, how = excluded.how,"
            " meta = excluded.meta, attempt = excluded.attempt,"
            ' "check" = excluded."check"'
            " WHERE excluded.attempt >= coalesce(runs.attempt, 0)",
            (
                (*row[:8], meta_text(row), row.attempt, run_check(row))
                for row in latest_runs(runs).values()
            ),
        )

    def _write_calls(self, calls: Sequence[CheckedCall]) -> None:
        requests: list[bytes] = []
        callers = array("Q")
        runs: dict[str, int] = {}
        for some in batched(calls, _ROWS_PER_STATEMENT):
            values: list[object] = []
            for row, check in some:
                run = runs.get(row.run)
                if run is None:
                    run = runs[row.run] = self._run(row.run)
                call = run << 32 | row.number
                values += self._columns(call, row, check)
                if row.request is not None:
                    requests.append(row.request)
                    callers.append(call)
            sql = rows_sql("INSERT OR REPLACE INTO calls", 17, len(some))
            self.connection.execute(sql, values)
        self.requests.add(sorted_entries(self._sorter, requests, callers))

    def _columns(self, call: int, row: CallRow, check: int) -> tuple[object, ...]:
        lane, code = row.lane, row.code
        return (
            call,
            row.parent,
            ".".join(map(str, lane)) if lane else "",
            row.position,
            row.index,
            self._name(row.invokable),
            row.request,
            row.invocation,
            None if code is None else self._name(code),
            row.status,
            row.started,
            row.duration,
            row.verdict,
            row.replaces,
            row.order,
            row.usage,
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
        cids: list[bytes] = []
        numbers = array("I")
        dropped = read_dropped(self.connection)
        packs: list[Any] = self.connection.execute(
            "SELECT id, size FROM packs"
        ).fetchall()
        for first, size in packs:
            data: Any = self.connection.execute(
                "SELECT data FROM packs WHERE id = ?", (first,)
            ).get
            for number, block in enumerate(decode_pack(data, size), first):
                if block and not is_dropped(dropped, number):
                    cids.append(cid_of(block))
                    numbers.append(number)
        self.blocks.rebuild(sorted_entries(self._sorter, cids, numbers))
        calls: list[Any] = self.connection.execute(
            "SELECT request, id FROM calls WHERE request IS NOT NULL"
        ).fetchall()
        requests = [request for request, _ in calls]
        callers = array("Q", (call for _, call in calls))
        self.requests.rebuild(sorted_entries(self._sorter, requests, callers))


def _packed(
    held: Mapping[bytes, bytes],
) -> tuple[list[bytes], list[tuple[int, int, int, bytes]]]:
    """Makes packs: where each begins, how many blocks it has, its size, its data."""
    blocks = list(held.values())
    packs = [
        (begin, end - begin, size, encode_pack(blocks[begin:end]))
        for begin, end, size in group(blocks)
    ]
    return list(held), packs


def batched(rows: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Cuts a series of rows into pieces of at most ``size``."""
    for place in range(0, len(rows), size):
        yield rows[place : place + size]
