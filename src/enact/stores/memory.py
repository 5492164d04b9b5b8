# SPDX-License-Identifier: Apache-2.0
"""A store that lives as long as its process."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice

from enact.errors import NotFound, RunIsLive, StoreError
from enact.stores.backend import (
    Block,
    CallFilter,
    CallRow,
    CodeCount,
    RunFilter,
    RunRow,
    newest,
)
from enact.stores.care import Figures, Removed, Report
from enact.stores.memory_care import check_memory, needed_in_memory
from enact.stores.tombstones import KIND as TOMBSTONE
from enact.stores.tombstones import purged_error, tombstone
from enact.values import cid_text


class MemoryBackend:
    """Keeps everything in plain dictionaries, and checks no hashes: the bytes
    never leave this process.

    Calls are appended as they come and put in order when somebody asks: recording
    takes no lock, since each step of it is one operation of the interpreter.

    Attributes:
        outlives_process: nobody comes back for what a process that died has left here.
    """

    outlives_process = False

    def __init__(self) -> None:
        self._blocks: dict[bytes, bytes] = {}
        self._runs: dict[str, RunRow] = {}
        self._written: list[CallRow] = []
        # The first so many of them, by request.
        self._by_request: dict[bytes, list[CallRow]] = {}
        self._indexed = 0
        self._entries: dict[tuple[str, str], str] = {}
        self._claimed: set[str] = set()
        self._purged: set[bytes] = set()
        # When a block was first found to be garbage.
        self._garbage: dict[bytes, float] = {}
        self._lock = threading.Lock()
        self.busy = threading.RLock()

    def get(self, cids: Iterable[bytes]) -> dict[bytes, bytes]:
        blocks = self._blocks
        return {cid: blocks[cid] for cid in cids if cid in blocks}

    def between(self, low: bytes, high: bytes, limit: int) -> list[bytes]:
        return sorted(cid for cid in list(self._blocks) if low <= cid <= high)[:limit]

    def has(self, cids: Iterable[bytes]) -> set[bytes]:
        blocks = self._blocks
        return {cid for cid in cids if cid in blocks}

    keep = has

    def put(self, blocks: Sequence[Block]) -> None:
        for cid, _ in blocks if self._purged else ():
            if cid in self._purged:
                raise purged_error(cid)
        self._blocks.update(blocks)

    def record(self, blocks: Sequence[Block], row: CallRow | None) -> None:
        if self._purged:
            blocks = [block for block in blocks if block[0] not in self._purged]
        held = self._blocks
        for cid, data in blocks:  # for a few, this takes less than ``update``
            held[cid] = data
        if row is not None:
            self._written.append(row)

    def begin_run(self, row: RunRow) -> None:
        known = self._runs.get(row.id)
        if known is None or row.attempt >= known.attempt:
            self._runs[row.id] = row

    end_run = begin_run

    def runs(
        self,
        *,
        run: str | None = None,
        name: str | None = None,
        status: str | None = None,
        since: float | None = None,
        limit: int | None = None,
    ) -> list[RunRow]:
        wanted = RunFilter(run, name, status, since)
        return newest(filter(wanted.accepts, list(self._runs.values())), limit)

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
        wanted = CallFilter(run, invokable, status, request, since, parent, number)
        written = self._written if request is None else self._asking(request)
        rows = _in_order(written, run, newest_first)
        return islice(filter(wanted.accepts, rows), limit)

    def _asking(self, request: bytes) -> list[CallRow]:
        """Rows with a request; the index is brought up to date when it is needed."""
        with self._lock:
            for row in self._written[self._indexed :]:
                self._indexed += 1
                if row.request is not None:
                    self._by_request.setdefault(row.request, []).append(row)
            return self._by_request.get(request, [])

    def codes(self) -> list[CodeCount]:
        last = {(row.run, row.number): row for row in list(self._written)}
        counts = Counter(
            (row.invokable, row.code) for row in last.values() if row.code is not None
        )
        return [CodeCount(*key, count) for key, count in counts.items()]

    def entries(self, kind: str, key: str | None = None) -> dict[str, str]:
        if key is not None:
            value = self._entries.get((kind, key))
            return {} if value is None else {key: value}
        return {
            name: value
            for (its_kind, name), value in sorted(self._entries.items())
            if its_kind == kind
        }

    def swap(self, kind: str, key: str, old: str | None, new: str | None) -> bool:
        with self._lock:
            if self._entries.get((kind, key)) != old:
                return False
            if new is None:
                self._entries.pop((kind, key), None)
            else:
                self._entries[kind, key] = new
            return True

    def write_entries(self, kind: str, entries: Mapping[str, str]) -> None:
        with self._lock:
            self._entries.update({(kind, key): new for key, new in entries.items()})

    @property
    def owner(self) -> str:
        return "memory"

    def find_owner(self, token: str) -> str | None:
        return f"process {os.getpid()}" if token == self.owner else None

    @contextmanager
    def claim(self, run: str) -> Iterator[None]:
        with self._lock:
            if run in self._claimed:
                raise RunIsLive(f"run {run} is being resumed by another thread")
            self._claimed.add(run)
        try:
            yield
        finally:
            self._claimed.discard(run)

    def check(self) -> Report:
        return check_memory(self._blocks, *self._journal())

    def figures(self) -> Figures:
        return Figures(
            place="memory",
            format=0,
            runs=Counter(run.status for run in list(self._runs.values())),
            calls=len({(row.run, row.number) for row in list(self._written)}),
            blocks=len(self._blocks),
            entries=Counter(kind for kind, _ in list(self._entries)),
        )

    def collect(self, grace: float) -> Removed:
        """As `Care.collect`, but nothing goes while a run goes on: blocks have no age.

        The grace period begins when a block is first found to be garbage.
        """
        if not grace >= 0:
            raise ValueError(f"a grace period is a number of seconds, not {grace!r}")
        with self.busy:
            if any(run.status == "running" for run in self._runs.values()):
                return Removed()
            blocks, now = self._blocks, time.monotonic()
            needed = needed_in_memory(blocks, *self._journal())
            before = self._garbage
            garbage = {c: before.get(c, now) for c in blocks if c not in needed}
            gone = [cid for cid, since in garbage.items() if now - since >= grace]
            removed = Removed(len(gone), sum(len(blocks[cid]) for cid in gone))
            for cid in gone:
                del blocks[cid], garbage[cid]
            self._garbage = garbage
            return removed

    def delete_run(self, run: str) -> None:
        row = self._runs.get(run)
        if row is None and all(call.run != run for call in self._written):
            raise NotFound(f"there is no run {run} in this store")
        if row is not None and row.status == "running":
            raise RunIsLive(
                f"run {run} is being executed: wait until it ends, or stop it"
            )
        self._runs.pop(run, None)
        self._written = [call for call in self._written if call.run != run]
        self._by_request, self._indexed = {}, 0

    def purge(self, cids: Iterable[bytes], why: str) -> None:
        with self.busy:
            wanted = set(cids)
            for cid in wanted - self._purged:
                if cid not in self._blocks:
                    raise NotFound(f"there is no block {cid_text(cid)} in this store")
            for cid in wanted - self._purged:
                text = tombstone(time.time(), why, finished=True)
                self._entries[TOMBSTONE, cid_text(cid)] = text
                self._purged.add(cid)
                del self._blocks[cid]

    def backup(self, path: str | os.PathLike[str]) -> None:
        raise StoreError(
            "a store in memory has no file to copy: commit to a SQLiteStore instead"
        )

    def compact(self) -> int:
        """Does nothing: memory is given back by itself."""
        return 0

    def _journal(
        self,
    ) -> tuple[list[RunRow], list[CallRow], dict[tuple[str, str], str]]:
        calls = list(_in_order(self._written, None, newest_first=False))
        return list(self._runs.values()), calls, dict(self._entries)

    def flush(self) -> None:
        """Does nothing: memory does not outlive the process."""

    def close(self) -> None:
        """Does nothing: the data goes when nobody refers to it."""


def _in_order(
    written: Iterable[CallRow], run: str | None, newest_first: bool
) -> Iterator[CallRow]:
    """The last row of each call, run by run, by number."""
    by_run: dict[str, dict[int, CallRow]] = {}
    for row in list(written):
        if run is None or row.run == run:
            by_run.setdefault(row.run, {})[row.number] = row
    step = -1 if newest_first else 1
    for calls in list(by_run.values())[::step]:
        for number in sorted(calls, reverse=newest_first):
            yield calls[number]
