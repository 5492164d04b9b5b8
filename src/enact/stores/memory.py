# SPDX-License-Identifier: Apache-2.0
"""A store that lives as long as its process."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

from enact.errors import RunIsLive
from enact.stores.backend import (
    Block,
    CallFilter,
    CallRow,
    CodeCount,
    RunFilter,
    RunRow,
    newest,
)


class MemoryBackend:
    """Keeps everything in plain dictionaries, and checks no hashes: the bytes
    never leave this process.

    Calls are appended as they come and put in order when somebody asks: recording
    takes no lock, since each step of it is one operation of the interpreter.
    """

    def __init__(self) -> None:
        self._blocks: dict[bytes, bytes] = {}
        self._runs: dict[str, RunRow] = {}
        self._written: list[CallRow] = []
        self._entries: dict[tuple[str, str], str] = {}
        self._claimed: set[str] = set()
        self._lock = threading.Lock()

    def get(self, cids: Iterable[bytes]) -> dict[bytes, bytes]:
        blocks = self._blocks
        return {cid: blocks[cid] for cid in cids if cid in blocks}

    def has(self, cids: Iterable[bytes]) -> set[bytes]:
        blocks = self._blocks
        return {cid for cid in cids if cid in blocks}

    def put(self, blocks: Sequence[Block]) -> None:
        self._blocks.update(blocks)

    def record(self, blocks: Sequence[Block], row: CallRow | None) -> None:
        held = self._blocks
        for cid, data in blocks:  # for a few, this takes less than ``update``
            held[cid] = data
        if row is not None:
            self._written.append(row)

    def begin_run(self, row: RunRow) -> None:
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
        newest_first: bool = False,
        limit: int | None = None,
    ) -> Iterator[CallRow]:
        wanted = CallFilter(run, invokable, status, request, since)
        rows = self._in_order(run, newest_first)
        return islice(filter(wanted.accepts, rows), limit)

    def _in_order(self, run: str | None, newest_first: bool) -> Iterator[CallRow]:
        by_run: dict[str, dict[int, CallRow]] = {}
        for row in list(self._written):
            if run is None or row.run == run:
                by_run.setdefault(row.run, {})[row.number] = row
        step = -1 if newest_first else 1
        for calls in list(by_run.values())[::step]:
            for number in sorted(calls, reverse=newest_first):
                yield calls[number]

    def codes(self) -> list[CodeCount]:
        last = {(row.run, row.number): row for row in list(self._written)}
        counts = Counter(
            (row.invokable, row.code) for row in last.values() if row.code is not None
        )
        return [CodeCount(*key, count) for key, count in counts.items()]

    def entries(self, kind: str, key: str | None = None) -> dict[str, str]:
        return {
            name: value
            for (its_kind, name), value in sorted(self._entries.items())
            if its_kind == kind and key in (None, name)
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

    def flush(self) -> None:
        """Does nothing: memory does not outlive the process."""

    def close(self) -> None:
        """Does nothing: the data goes when nobody refers to it."""
