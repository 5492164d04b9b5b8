# SPDX-License-Identifier: Apache-2.0
"""The writing side of a SQLite store: memory and tail first, the database later."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from typing import TypeVar

import apsw

from enact.errors import EnactError, StoreClosed, StoreError, StoreUnavailable
from enact.stores.backend import Block, CallRow, RunRow
from enact.stores.batch import Batch
from enact.stores.durability import WINDOW_SECONDS, Policy
from enact.stores.fold import Archive, batched
from enact.stores.owners import GENERATION, Owner
from enact.stores.packs import MAX_BLOCK
from enact.stores.tail import BLOCKS, TailWriter, encode_record
from enact.stores.tombstones import purged_error
from enact.stores.worker import Worker
from enact.values import cid_of, encode_form

T = TypeVar("T")

_Waiter = tuple[Callable[[], None], Callable[[Exception | None], None]]

FOLD_BYTES = 4 << 20
"""A tail of this size is folded into the database."""

_MOST_BYTES = 16 * FOLD_BYTES
_HOT_BLOCKS = 50_000
_RETRY_SECONDS = 1.0
_LINKS_PER_PIN = 500


class Intake:
    """Takes in what is recorded.

    A record is appended to the tail and held in memory; a full batch is handed to
    a thread that folds it. Recording waits when that thread is two batches behind, so
    memory stays bounded.

    Args:
        path: of the database.
        store_id: 16 bytes, written into each tail.
        policy: when to force data to the disk.
        owner: this process, as others see it.
        purged: reads which blocks must not come back.
    """

    def __init__(
        self,
        path: str,
        store_id: bytes,
        policy: Policy,
        owner: Owner,
        purged: Callable[[], set[bytes]],
    ) -> None:
        self._path = path
        self._store_id = store_id
        self._policy = policy
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._fold_lock = threading.Lock()
        self._sync_lock = threading.Lock()
        self._current: Batch | None = None
        self._folding: Batch | None = None
        self._old: dict[bytes, bytes] = {}
        # Blocks that came again while they were held: they come in every batch,
        # so they are remembered once they are in the database.
        self._again: set[bytes] = set()
        self._hot: set[bytes] = set()
        # Which is true until somebody takes blocks out of the database.
        self._owner = owner
        self._signal = owner.signal
        self._generation = owner.generation
        self._read_purged = purged
        self._purged = purged()
        self._archive: Archive | None = None
        self._failure: Exception | None = None
        self._failed_at = 0.0
        self._dirty = False
        self._trouble: Exception | None = None
        self._folder = Worker(self._fold_quietly, 0.0, "enact-fold")
        self._flusher = Worker(self._flush_quietly, WINDOW_SECONDS, "enact-flush")
        self._sharing = Worker(self._flush_for_others, 0.0, "enact-flush-shared")
        self._waiting: list[_Waiter] = []

    def add(
        self,
        kind: int,
        encoded: bytes,
        blocks: Sequence[Block],
        seconds: float,
        call: tuple[CallRow, int] | None = None,
        run: RunRow | None = None,
    ) -> None:
        """Takes in blocks and at most one row, all or none.

        Args:
            kind: of the record in the tail.
            encoded: the row.
            blocks: those that are here already are left out.
            seconds: what doing this again would take.
            call: the row and its checksum.
            run: the row.

        Raises:
            StoreUnavailable: the disk does not take it.
            StoreClosed: the store was closed.
            Purged: one of the blocks was purged, and no call needs it.
        """
        if self._trouble is not None:
            self._complain()
        if not encoded:
            self._look()
        if self._purged:
            blocks = self._without_purged(blocks, refuse=not encoded)
        with self._lock:
            batch = self._current or self._begin()
            if batch.tail.size > FOLD_BYTES:
                batch = self._hand_over()
            new = self._unknown(batch, blocks)
            if not encoded:
                # No row leads to what is left out here, so it might be taken for
                # garbage before something else refers to it.
                new.update(self._pins(batch, blocks, new))
                if not new:
                    return
            record = encode_record(kind, encoded, new.values())
            if len(record) > MAX_BLOCK:
                _check_sizes(blocks)
            tail = batch.tail
            tail.append(record)
            batch.blocks.update(new)
            if call is not None:
                batch.calls.append(call)
            elif run is not None:
                batch.runs.append(run)
            if self._signal[GENERATION] != self._generation:
                self._renew(batch, blocks)
            end = tail.size
        if seconds > self._policy.threshold:
            self.sync(batch, end)
        elif not self._dirty and self._policy.mode == "adaptive":
            self._dirty = True
            if not self._flusher.ask():
                self.sync()

    def pin(self, cids: Collection[bytes]) -> None:
        """Makes blocks of the database count as needed, as if written now.

        A block with links to them does it, until it is as old as garbage gets.
        """
        for some in batched(sorted(cids), _LINKS_PER_PIN):
            self.add(BLOCKS, b"", [_pin(some)], 0.0)

    def find(self, cid: bytes) -> bytes | None:
        """Looks for a block that is not in the database yet."""
        # In this order: a batch moves from the one place to the other.
        batch = self._current
        if batch is not None and cid in batch.blocks:
            return batch.blocks[cid]
        return self._old.get(cid)

    def cids(self) -> list[bytes]:
        """Lists the blocks that are not in the database yet."""
        with self._lock:
            batches = [b for b in (self._folding, self._current) if b is not None]
            return [cid for batch in batches for cid in batch.blocks]

    def rows(self) -> tuple[list[CallRow], list[RunRow]]:
        """Copies the rows that are not in the database yet, oldest first."""
        with self._lock:
            batches = [b for b in (self._folding, self._current) if b is not None]
            calls = [row for batch in batches for row, _ in batch.calls]
            return calls, [row for batch in batches for row in batch.runs]

    def paths(self) -> set[str]:
        """Names the tails of this process."""
        with self._lock:
            batches = (self._folding, self._current)
            return {batch.tail.path for batch in batches if batch is not None}

    def sync(self, batch: Batch | None = None, end: int = 0) -> None:
        """Forces to the disk what was taken in before.

        Threads that come while a flush is under way share the next one.

        Args:
            batch: only this matters to the caller, up to ``end``.

        Raises:
            StoreUnavailable: the disk does not take it.
        """
        with self._sync_lock:
            if batch is not None and batch.tail.synced >= end:
                return
            self._dirty = False
            with self._lock:
                batches = [b for b in (self._folding, self._current) if b is not None]
            for batch in [b for b in batches if b.tail.synced < b.tail.size]:
                begin = time.perf_counter()
                # Nothing may be appended to a tail that another takes the place of.
                with self._lock if batch.tail.doubtful else nullcontext():
                    batch.sync(self._make_tail)
                self._policy.measured(time.perf_counter() - begin)

    def is_due(self, seconds: float) -> bool:
        """Whether a record of what took so long is worth a flush of its own."""
        return seconds > self._policy.threshold

    def flush_soon(
        self, begin: Callable[[], None], end: Callable[[Exception | None], None]
    ) -> None:
        """Flush what was taken in so far, in another thread; see ``SQLiteBackend``."""
        self._waiting.append((begin, end))
        if not self._sharing.ask():  # the interpreter shuts down
            self._flush_for_others()

    def _flush_for_others(self) -> None:
        waiting = self._waiting[:]
        del self._waiting[: len(waiting)]
        for begin, _ in waiting:
            begin()
        failure: Exception | None = None
        try:
            self.sync()
        except EnactError as error:
            failure = error
        for _, end in waiting:
            end(failure)

    def archive(self) -> Archive:
        """The database, opened for writing when it is first needed."""
        if self._archive is None:
            self._archive = Archive(self._path)
        return self._archive

    @contextmanager
    def writing(self) -> Iterator[Archive]:
        """Hands out the database; nothing else in this process writes it meanwhile."""
        with self._fold_lock:
            yield self.archive()

    def transact(self, write: Callable[[apsw.Connection], T]) -> T:
        """Changes the database itself; gives what the function gives.

        Raises:
            StoreUnavailable: the disk does not take it.
            StoreClosed: the store was closed.
        """
        if self._trouble is not None:
            self._complain()
        self.sync()  # what is written now may refer to what was recorded before
        return self.change(lambda archive: write(archive.connection))

    def change(self, write: Callable[[Archive], T]) -> T:
        """As `transact`, for functions that change packs or the index."""

        def transact(archive: Archive) -> T:
            found: list[T] = []

            def run() -> None:
                found[:] = [write(archive)]

            archive.transact(run)
            return found[0]

        return self.use(transact)

    def use(self, job: Callable[[Archive], T]) -> T:
        """Lends the database to a function, which makes its own transactions."""
        if self._trouble is not None:
            self._complain()
        with self.writing() as archive:
            return job(archive)

    def fold_now(self) -> None:
        """Folds all that was taken in before this was called.

        Raises:
            StoreUnavailable: the disk does not take it.
        """
        with self._fold_lock:
            self._fold_one()
            with self._lock:
                self._start_folding()
            self._fold_one()

    def close(self) -> Archive | None:
        """Takes in no more and folds all that there is.

        Returns:
            The database, for tidying up; None when it was never written.

        Raises:
            StoreUnavailable: the disk does not take it; tails stay, for the next open.
        """
        with self._lock:
            self._trouble = StoreClosed("this store was closed: open it again")
            self._changed.notify_all()
        self._folder.stop()
        self._flusher.stop()
        self._sharing.stop()
        self._flush_for_others()
        try:
            self.fold_now()
        except BaseException:
            self.abandon()
            raise
        return self._archive

    def abandon(self) -> None:
        """Lets go of all files; tails stay, for the next one who opens the store."""
        self._abandon_tails()
        if self._archive is not None:
            with suppress(StoreError):
                self._archive.close()

    def _abandon_tails(self) -> None:
        for batch in (self._folding, self._current):
            if batch is not None:
                batch.tail.abandon()

    def refuse(self, reason: str) -> list[object]:
        """Takes in nothing more; called in a forked child, where no lock is safe.

        Returns:
            What must not be cleaned up in this process.
        """
        self._trouble = StoreClosed(reason)
        self._abandon_tails()
        return [self._archive, self._folding, self._current]

    def _begin(self) -> Batch:
        if isinstance(self._trouble, StoreClosed):
            self._complain()
        self._owner.appear()
        self._signal = self._owner.signal
        self._current = Batch(self._make_tail())
        return self._current

    def _make_tail(self) -> TailWriter:
        return TailWriter(self._path, self._store_id)

    def _unknown(self, batch: Batch, blocks: Sequence[Block]) -> dict[bytes, bytes]:
        held, old, hot = batch.blocks, self._old, self._hot
        new = {
            cid: data
            for cid, data in blocks
            if cid not in held and cid not in old and cid not in hot
        }
        if len(new) < len(blocks):
            self._again.update(cid for cid, _ in blocks if cid not in new)
        return new

    def _pins(
        self, batch: Batch, blocks: Sequence[Block], new: dict[bytes, bytes]
    ) -> list[Block]:
        """Makes pins for the blocks that were left out and are in no tail."""
        held, old = batch.blocks, self._old
        out = [c for c, _ in blocks if c not in new and c not in held and c not in old]
        pins = [_pin(some) for some in batched(out, _LINKS_PER_PIN)]
        return [(cid, data) for cid, data in pins if cid not in held]

    def _renew(self, batch: Batch, blocks: Sequence[Block]) -> None:
        """Writes what was left out, since blocks were taken out of the database."""
        self._learn()
        new = self._unknown(batch, blocks)
        if new:
            batch.tail.append(encode_record(BLOCKS, b"", new.values()))
            batch.blocks.update(new)

    def _look(self) -> None:
        """Learns of purges before something is taken in that no call needs."""
        if isinstance(self._trouble, StoreClosed):
            self._complain()
        self._owner.appear()
        self._signal = self._owner.signal
        if self._signal[GENERATION] != self._generation:
            with self._lock:
                self._learn()

    def _learn(self) -> None:
        self._generation = self._signal[GENERATION]
        self._hot.clear()
        with suppress(StoreError):  # folding looks again
            self._purged = self._read_purged()

    def _without_purged(
        self, blocks: Sequence[Block], *, refuse: bool
    ) -> Sequence[Block]:
        """Leaves out purged blocks: of a call, what is left is still worth keeping."""
        purged = self._purged
        left = [block for block in blocks if block[0] not in purged]
        if refuse and len(left) < len(blocks):
            raise purged_error(next(cid for cid, _ in blocks if cid in purged))
        return left

    def _hand_over(self) -> Batch:
        """Gives a full batch to the folding thread, and waits while it is busy."""
        while self._folding and not self._failure and not self._trouble:
            batch = self._current
            if batch is not None and batch.tail.size <= 2 * FOLD_BYTES:
                return batch
            self._changed.wait()
        batch = self._current
        if batch is None:
            return self._begin()
        if batch.tail.size <= FOLD_BYTES:
            return batch  # a new one: another thread has been here meanwhile
        if self._folding is None:
            # The next tail must not outlive this one: its rows may need these blocks.
            if batch.tail.synced < batch.tail.size:
                batch.sync(self._make_tail)
            self._start_folding()
            self._ask_folder()
            return self._begin()
        # The database does not take data: hold more of it for a while.
        failure = self._failure
        if time.monotonic() > self._failed_at + _RETRY_SECONDS:
            self._failure = None
            self._ask_folder()
        if batch.tail.size > _MOST_BYTES:
            raise StoreUnavailable(
                f"{self._path} has not taken any data for a while, and"
                f" {batch.tail.size} bytes wait for it: {failure}"
            ) from failure
        return batch

    def _ask_folder(self) -> None:
        if not self._folder.ask():
            self._failure = StoreError("the interpreter is shutting down")
            self._failed_at = time.monotonic()

    def _start_folding(self) -> None:
        if self._folding is None and self._current is not None:
            self._folding = self._current
            self._old = self._current.blocks
            self._current = None

    def _fold_quietly(self) -> None:
        with self._fold_lock:
            try:
                self._fold_one()
            except Exception as error:  # told to whoever records next
                with self._lock:
                    self._failure = error
                    self._failed_at = time.monotonic()
                    self._changed.notify_all()

    def _fold_one(self) -> None:
        batch = self._folding
        if batch is None:
            return
        generation = self._owner.generation
        self.archive().fold(batch.blocks, batch.calls, batch.runs)
        with self._lock:
            again = {cid for cid in self._again if cid in batch.blocks}
            if generation == self._owner.generation and len(self._hot) < _HOT_BLOCKS:
                self._hot |= again
            self._again -= again
            # Before the tail goes: what is left out because it is in there must be
            # seen there by whoever looks for garbage.
            self._old = {}
        with self._sync_lock:
            batch.tail.remove()
        with self._lock:
            self._folding = None
            self._failure = None
            self._changed.notify_all()

    def _flush_quietly(self) -> None:
        try:
            self.sync()
        except EnactError as error:
            self._trouble = self._trouble or error

    def _complain(self) -> None:
        """Raises what went wrong: once, or always when the store is closed."""
        trouble = self._trouble
        if isinstance(trouble, StoreClosed):
            raise StoreClosed(*trouble.args)
        if trouble is not None:
            self._trouble = None
            raise trouble


def _pin(cids: Sequence[bytes]) -> Block:
    data = encode_form(list(cids))
    return cid_of(data), data


def _check_sizes(blocks: Sequence[Block]) -> None:
    for _, data in blocks:
        if len(data) > MAX_BLOCK:
            raise StoreError(
                f"a block of {len(data)} bytes: at most {MAX_BLOCK} can be stored"
            )
