# SPDX-License-Identifier: Apache-2.0
"""A store that lives as long as its process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from enact.stores.backend import (
    Block,
    CallFilter,
    CallRow,
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

    def get(self, cids: Iterable[bytes]) -> dict[bytes, bytes]:
        blocks = self._blocks
        return {cid: blocks[cid] for cid in cids if cid in blocks}

    def has(self, cids: Iterable[bytes]) -> set[bytes]:
        blocks = self._blocks
        return {cid for cid in cids if cid in blocks}

    def put(self, blocks: Sequence[Block]) -> None:
        self._blocks.update(blocks)

    def record(self, blocks: Sequence[Block], row: CallRow | None) -> None:
        self._blocks.update(blocks)
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

    def flush(self) -> None:
        """Does nothing: memory does not outlive the process."""

    def close(self) -> None:
        """Does nothing: the data goes when nobody refers to it."""
