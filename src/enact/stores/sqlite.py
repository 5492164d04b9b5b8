# SPDX-License-Identifier: Apache-2.0
"""A store in one SQLite file; ``docs/storage.md`` describes the file."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import weakref
from _thread import start_new_thread
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from itertools import islice
from zlib import crc32

import apsw

from enact.errors import StoreClosed, StoreError, StoreUnavailable
from enact.stores.backend import (
    Block,
    CallFilter,
    CallRow,
    CodeCount,
    RunFilter,
    RunRow,
)
from enact.stores.backup import backup
from enact.stores.care import Figures, Removed, Report
from enact.stores.check import check
from enact.stores.collect import collect, delete_run
from enact.stores.compact import compact
from enact.stores.compact_all import compact_all
from enact.stores.connect import told
from enact.stores.durability import Policy
from enact.stores.entries import Entries, write_entry
from enact.stores.figures import figures
from enact.stores.fold import Archive
from enact.stores.foreign import ForeignTails, TailContent
from enact.stores.intake import Intake
from enact.stores.journal import Journal
from enact.stores.open_file import open_file
from enact.stores.opened import Opened
from enact.stores.owners import Owner
from enact.stores.purge import finish, purge
from enact.stores.reader import Reader
from enact.stores.rows import call_check, encode_call, encode_run
from enact.stores.tail import BLOCKS, CALL, RUN
from enact.stores.tombstones import KIND as TOMBSTONE
from enact.stores.tombstones import purged_in

_NEVER_FLUSHED = float("-inf")


class SQLiteBackend:
    """Keeps blocks and the journal in a SQLite file.

    Many threads may use one backend, and many processes one file. A backend must
    not be used in a forked child: open the store anew there.

    Args:
        path: of the file; it and its directory are made if need be.
        durability: when what was recorded is forced to the disk, against a loss of
            power (the death of the process loses nothing): ``call``, at each
            record; ``adaptive``, at records of calls that took longer than that
            takes, others within 50 ms; ``end``, when a run ends.
        read_only: only look: nothing is made, changed or tidied up.

    Raises:
        NotAStore: the file is something else.
        StoreVersionError: it was made by a newer enact.
        StoreUnavailable: it cannot be opened, or not be made.

    Example:
        >>> import tempfile, pathlib
        >>> from enact.stores.sqlite import SQLiteBackend
        >>> from enact.values import cid_of
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     backend = SQLiteBackend(pathlib.Path(directory) / "runs.db")
        ...     backend.put([(cid_of(b"abc"), b"abc")])
        ...     backend.get([cid_of(b"abc")])[cid_of(b"abc")]
        ...     backend.close()
        b'abc'
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        durability: str = "adaptive",
        read_only: bool = False,
    ) -> None:
        policy = Policy(durability)
        self.path = os.path.realpath(path)
        self.busy = threading.RLock()
        self._running: set[str] = set()
        self._refusal: str | None = "this store could not be opened"
        self._closing = threading.Lock()
        self.read_only = read_only
        connection, writable = open_file(self.path, read_only)
        self._mode = durability
        with told(self.path, "read"):
            self._store_id = store_id = connection.execute(
                "SELECT value FROM meta WHERE key = 'store'"
            ).get
        self._reader = Reader(self.path, connection)
        self._journal = Journal(self._reader, self.path)
        self._entries = Entries(self._reader, self.path)
        self._owner = Owner(self.path, read_only)
        self._foreign = ForeignTails(self.path, store_id)
        self._foreign_lock = threading.Lock()
        self._intake: Intake | None = None
        self._refusal = None
        try:
            if writable:
                self._intake = Intake(
                    self.path, store_id, policy, self._owner, purged_in(self._entries)
                )
                self._owner.sweep()
                self._take_over(self._intake)
                finish(self._opened(), self._entries.read(TOMBSTONE, None))
        except BaseException:
            self._let_go()
            raise
        _open_backends.add(self)

    def get(self, cids: Iterable[bytes]) -> dict[bytes, bytes]:
        """Reads blocks; see `Backend.get`."""
        self._check()
        find = self._intake.find if self._intake is not None else _nothing
        found: dict[bytes, bytes] = {}
        wanted: list[bytes] = []
        for cid in cids:
            data = find(cid)
            if data is None:
                wanted.append(cid)
            else:
                found[cid] = data
        if wanted:
            found.update(self._reader.get(wanted))
            wanted = [cid for cid in wanted if cid not in found]
        if wanted and (tails := self._read_foreign()):
            for content in tails:
                there = content.blocks
                found.update((cid, there[cid]) for cid in wanted if cid in there)
        if wanted:
            # A tail may have gone into the database since that was asked.
            found.update(self._reader.get(cid for cid in wanted if cid not in found))
        return found

    def between(self, low: bytes, high: bytes, limit: int) -> list[bytes]:
        """Finds blocks by the beginning of their names; see `Backend.between`."""
        self._check()
        found = self._reader.between(low, high, limit)
        for content in self._read_foreign():
            found.update(cid for cid in content.blocks if low <= cid <= high)
        if self._intake is not None:
            found.update(cid for cid in self._intake.cids() if low <= cid <= high)
        return sorted(found)[:limit]

    def has(self, cids: Iterable[bytes]) -> set[bytes]:
        """Says which blocks are here; see `Backend.has`."""
        return set(self.get(cids))

    def keep(self, cids: Iterable[bytes]) -> set[bytes]:
        """Says which blocks are here, and will be; see `Care.keep`."""
        wanted = set(cids)
        intake = self._intake
        if intake is None:
            return self.has(wanted)
        rest = {cid for cid in wanted if intake.find(cid) is None}
        while rest:
            generation = self._owner.generation
            here = self.has(rest)
            intake.pin(here)
            if generation == self._owner.generation and generation % 2 == 0:
                return wanted - rest | here
            # Somebody takes blocks out, or may do so: wait until that is over.
            intake.transact(lambda connection: self._owner.settle())
        return wanted

    def put(self, blocks: Sequence[Block]) -> None:
        """Keeps blocks; see `Backend.put`."""
        self._writer().add(BLOCKS, b"", blocks, 0.0)

    def record(self, blocks: Sequence[Block], row: CallRow | None) -> None:
        """Keeps blocks and the row of a call; see `Backend.record`."""
        intake = self._intake or self._writer()
        if row is None:
            intake.add(BLOCKS, b"", blocks, 0.0)
        else:
            encoded = encode_call(row)
            intake.add(CALL, encoded, blocks, row.duration, (row, crc32(encoded)))

    def flush_is_due(self, seconds: float) -> bool:
        """Say whether a call is worth a flush; see `SharesFlushes.flush_is_due`."""
        return self._intake is not None and self._intake.is_due(seconds)

    def record_unflushed(self, blocks: Sequence[Block], row: CallRow) -> None:
        """Record without a flush; see `SharesFlushes.record_unflushed`."""
        encoded = encode_call(row)
        call = row, crc32(encoded)
        self._writer().add(CALL, encoded, blocks, _NEVER_FLUSHED, call)

    def flush_soon(
        self, begin: Callable[[], None], end: Callable[[Exception | None], None]
    ) -> None:
        """Flush in another thread; see `SharesFlushes.flush_soon`."""
        self._writer().flush_soon(begin, end)

    def begin_run(self, row: RunRow) -> None:
        """Writes the row of a run that starts; see `Backend.begin_run`."""
        writer = self._writer()
        self._running.add(row.id)
        writer.add(RUN, encode_run(row), (), 0.0, run=row)

    def end_run(self, row: RunRow) -> None:
        """Writes the row of a run that ends; see `Backend.end_run`."""
        intake = self._writer()
        intake.add(RUN, encode_run(row), (), row.duration, run=row)
        self._running.discard(row.id)
        if self._mode == "end":
            intake.sync()

    def runs(
        self,
        *,
        run: str | None = None,
        name: str | None = None,
        status: str | None = None,
        since: float | None = None,
        limit: int | None = None,
    ) -> list[RunRow]:
        """Lists runs, newest first; see `Backend.runs`."""
        self._check()
        wanted = RunFilter(run, name, status, since)
        return self._journal.runs(wanted, limit, self._unfolded()[1])

    def calls(
        self,
        *,
        run: str | None = None,
        invokable: str | None = None,
        status: str | None = None,
        request: bytes | None = None,
        since: float | None = None,
        parent: int | None = None,
        number: int | None = None,
        newest_first: bool = False,
        limit: int | None = None,
    ) -> Iterator[CallRow]:
        """Lists calls; see `Backend.calls`."""
        self._check()
        wanted = CallFilter(run, invokable, status, request, since, parent, number)
        unfolded = self._unfolded()[0]
        rows = self._journal.calls(wanted, newest_first, unfolded, limit)
        return islice(rows, limit)

    def codes(self) -> list[CodeCount]:
        """Counts calls by the code that they ran; see `Backend.codes`."""
        self._check()
        return self._journal.codes(self._unfolded()[0])

    def entries(self, kind: str, key: str | None = None) -> dict[str, str]:
        """Reads entries; see `Backend.entries`."""
        self._check()
        return self._entries.read(kind, key)

    def swap(self, kind: str, key: str, old: str | None, new: str | None) -> bool:
        """Changes an entry if nobody else has; see `Backend.swap`."""

        def write(connection: apsw.Connection) -> bool:
            found = connection.execute(
                "SELECT value FROM entries WHERE kind = ? AND key = ?", (kind, key)
            ).get
            if found == old:
                write_entry(connection, kind, key, new)
            return bool(found == old)

        return self._writer().transact(write)

    def write_entries(self, kind: str, entries: Mapping[str, str]) -> None:
        """Writes entries in one transaction; see `Backend.write_entries`."""

        def write(connection: apsw.Connection) -> None:
            for key, new in entries.items():
                write_entry(connection, kind, key, new)

        self._writer().transact(write)

    @property
    def owner(self) -> str:
        """The token of this process; see `Backend.owner`."""
        return self._owner.token

    def find_owner(self, token: str) -> str | None:
        """Says which process has a token; see `Backend.find_owner`."""
        self._check()
        return self._owner.find(token)

    def claim(self, run: str) -> AbstractContextManager[None]:
        """Holds a run; see `Backend.claim`."""
        # What a dead process wrote about the run must not come after what is to come.
        with self._writer().writing() as archive:
            self._take_over_with(archive)
        return self._owner.claim(run)

    def check(self) -> Report:
        """Looks at everything; see `Care.check`."""
        return check(self._opened())

    def figures(self) -> Figures:
        """Counts what is there; see `Care.figures`."""
        return figures(self._opened())

    def collect(self, grace: float) -> Removed:
        """Takes out what nothing needs; see `Care.collect`."""
        return collect(self._opened(), grace)

    def delete_run(self, run: str) -> None:
        """Removes the rows of a run; see `Care.delete_run`."""
        delete_run(self._opened(), run)

    def purge(self, cids: Iterable[bytes], why: str) -> None:
        """Removes blocks for good; see `Care.purge`."""
        purge(self._opened(), cids, why)

    def backup(self, path: str | os.PathLike[str]) -> None:
        """Writes a copy; see `Care.backup`."""
        backup(self._opened(), path)

    def compact(self) -> int:
        """Packs everything anew; see `Care.compact`."""
        return compact_all(self._opened())

    def flush(self) -> None:
        """Forces all that was recorded to the disk; see `Backend.flush`."""
        self._check()
        if self._intake is not None:
            self._intake.sync()

    def close(self) -> None:
        """Folds everything into the file and tidies it up; see `Backend.close`."""
        with self._closing:
            if self._refusal is None:
                self._refusal = "this store was closed: open it again to use it"
                _open_backends.discard(self)
                self._close()

    def __del__(self) -> None:
        # The collector comes at any time: this thread may be in the middle of writing
        # the same file, and closing would wait for that. At the very end threads are
        # frozen, and the names of this module may be gone.
        try:
            if self._refusal is None and not sys.is_finalizing():
                _dropped.add(self)
                start_new_thread(self._close_dropped, ())
        except Exception:  # it was never opened, or there can be no thread any more
            pass

    def _close_dropped(self) -> None:
        try:
            with suppress(StoreError):  # what is left stays in tails
                self.close()
        finally:
            _dropped.discard(self)

    def _let_go(self) -> None:
        """Leaves everything as it is, when it could not be opened."""
        self._refusal = "this store could not be opened"
        if self._intake is not None:
            self._intake.abandon()
        self._owner.disappear()
        with suppress(StoreError):
            self._reader.close()

    def _close(self) -> None:
        archive: Archive | None = None
        try:
            if self._intake is not None:
                archive = self._intake.close()
        finally:
            self._owner.disappear()
            self._reader.close()
        if archive is not None:
            try:
                with suppress(StoreError):  # all the data is in already
                    self._take_over_with(archive)
                    compact(archive)
            finally:
                archive.close()

    def _unfolded(self) -> tuple[list[CallRow], list[RunRow]]:
        calls: list[CallRow] = []
        runs: list[RunRow] = []
        for content in self._read_foreign():
            calls += content.calls
            runs += content.runs
        if self._intake is not None:
            own_calls, own_runs = self._intake.rows()
            calls += own_calls
            runs += own_runs
        return calls, runs

    def _read_foreign(self) -> list[TailContent]:
        with self._foreign_lock:
            own = self._intake.paths() if self._intake is not None else set()
            return self._foreign.read(own)

    def _opened(self) -> Opened:
        self._check()
        intake = self._intake

        def take_over() -> None:
            if intake is not None:
                intake.use(self._take_over_with)

        return Opened(
            self.path, self._store_id, intake, self._owner, self.busy, take_over,
            frozenset(self._running), self.runs,
        )  # fmt: skip

    def _take_over(self, intake: Intake) -> None:
        with self._foreign.take_over() as content:
            if content is None:
                return
            _fold_in(intake.archive(), content)
        self._take_over_with(intake.archive())

    def _take_over_with(self, archive: Archive) -> None:
        content: TailContent | None = TailContent()
        while content is not None:
            with self._foreign.take_over() as content:
                if content is not None:
                    _fold_in(archive, content)

    def _check(self) -> None:
        if self._refusal is not None:
            raise StoreClosed(self._refusal)

    def _writer(self) -> Intake:
        self._check()
        if self.read_only:
            raise StoreUnavailable(f"{self.path} was opened to be looked at only")
        if self._intake is None:
            raise StoreUnavailable(
                f"cannot write to {self.path}: it can only be read; change its"
                " permissions, or copy it to a place of yours"
            )
        return self._intake

    def _forked(self) -> None:
        """Makes this unusable, in a child process, touching neither lock nor file."""
        self._refusal = (
            f"the store {self.path} was opened before this process was forked:"
            " open it again here"
        )
        self._closing = threading.Lock()  # a thread of the parent may hold the old one
        _kept.append(self._reader)
        self._owner.forget()
        if self._intake is not None:
            _kept.append(self._intake.refuse(self._refusal))


def _fold_in(archive: Archive, content: TailContent) -> None:
    calls = [(row, call_check(row)) for row in content.calls]
    archive.fold(content.blocks, calls, content.runs)


def _nothing(cid: bytes) -> None:
    return None


_open_backends: weakref.WeakSet[SQLiteBackend] = weakref.WeakSet()
# Those that nobody refers to any more, while they are being closed.
_dropped: set[SQLiteBackend] = set()
# Never cleaned up: closing a connection of the parent would take away its locks.
_kept: list[object] = []


def _after_fork() -> None:
    for backend in [*_open_backends, *_dropped]:
        backend._forked()
    _open_backends.clear()
    _dropped.clear()


def _at_exit() -> None:
    for backend in [*_open_backends, *_dropped]:
        with suppress(StoreError):  # what is left stays in tails, for the next open
            backend.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
