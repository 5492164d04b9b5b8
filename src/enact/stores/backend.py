# SPDX-License-Identifier: Apache-2.0
"""What a store needs from whatever keeps its data.

A backend holds two things: *blocks*, immutable bytes by identifier, and the
*journal*, one row per run and one per executed call. It knows nothing of values.
``enact.testing.check_backend`` is the executable form of this page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol, runtime_checkable

Block = tuple[bytes, bytes]
"""An identifier (36 bytes, a CIDv1) and the bytes that it names."""


OUTSIDE = -1
"""In `Backend.calls`, the parent of calls that no other call made."""


class CallRow(NamedTuple):
    """One executed call, as the journal keeps it.

    A row is written again, under the same run and number, when the call goes on:
    the last one written stands.

    Attributes:
        run: identifier of the run.
        number: order of start within the run, from 0; below 2**32.
        parent: number of the call that made this one, None for the first.
        lane: path of tasks, threads or work items within the parent call.
        position: place in the lane.
        index: place among the calls of the parent.
        invokable: registered name of what was called.
        request: identifier of the request block.
        invocation: identifier of the invocation block, None while it has none.
        code: digest of the code that ran.
        status: ``running``, ``completed``, ``failed``, ``paused``, ``incomplete``
            or ``cancelled``.
        started: seconds since the epoch.
        duration: seconds.
        verdict: of a replay, None otherwise.
        replaces: of a replay, the recorded invocation that this call took the place
            of; None if there was none.
        order: what happened in the parent call since its last row was written, where
            its calls overlap; see ``enact.calls.order``.
        usage: what the program told about the call, as JSON text (`enact.annotate`).
    """

    run: str
    number: int
    parent: int | None
    lane: tuple[int, ...]
    position: int
    index: int  # type: ignore[assignment]  # of no use as a method of this tuple
    invokable: str
    request: bytes | None
    invocation: bytes | None
    code: bytes | None
    status: str
    started: float
    duration: float
    verdict: str | None = None
    replaces: bytes | None = None
    order: bytes | None = None
    usage: str | None = None


class CodeCount(NamedTuple):
    """How often a version of an invokable was executed.

    Attributes:
        invokable: its name.
        code: digest of the code.
        calls: how many rows of calls there are.
    """

    invokable: str
    code: bytes
    calls: int


class RunRow(NamedTuple):
    """One run, as the journal keeps it; written again when it goes on.

    Attributes:
        id: lower-case hexadecimal, later runs sort after earlier ones.
        name: of the invokable.
        status: as of a call.
        invocation: identifier of what is recorded, None while there is nothing.
        started: seconds since the epoch.
        duration: seconds.
        derived_from: identifier of the invocation that this run replays.
        how: what was done to it, such as ``rewind``.
        meta: plain data about the process (Python version, platform, ...).
        attempt: how often it was resumed. A row of an earlier attempt, which comes
            late from another process, does not take the place of a later one.
    """

    id: str
    name: str
    status: str
    invocation: bytes | None
    started: float
    duration: float
    derived_from: bytes | None = None
    how: str | None = None
    meta: Mapping[str, Any] = {}
    attempt: int = 0


@runtime_checkable
class Backend(Protocol):
    """Where blocks and the journal live. All methods may be called by any thread."""

    def get(self, cids: Iterable[bytes]) -> dict[bytes, bytes]:
        """Reads blocks; those that are not here are absent from the answer.

        Raises:
            CorruptBlock: stored bytes do not have the identifier asked for.
        """

    def has(self, cids: Iterable[bytes]) -> set[bytes]:
        """Says which of these blocks are here."""

    def between(self, low: bytes, high: bytes, limit: int) -> list[bytes]:
        """Finds blocks by the beginning of their identifiers.

        Args:
            low: the first identifier of the range, 36 bytes.
            high: the last one.
            limit: find at most so many.

        Returns:
            Their identifiers, in order.
        """

    def put(self, blocks: Sequence[Block]) -> None:
        """Keeps blocks, all or none; they can be read when this returns."""

    def record(self, blocks: Sequence[Block], row: CallRow | None) -> None:
        """Keeps the blocks and the journal row of one call, all or none.

        This is the hot path: it runs once for each finished call. When it
        returns, the call survives the death of the process.
        """

    def begin_run(self, row: RunRow) -> None:
        """Writes the row of a run that starts or goes on."""

    def end_run(self, row: RunRow) -> None:
        """Writes the row of a run that ends, for now or for good."""

    def runs(
        self,
        *,
        run: str | None = None,
        name: str | None = None,
        status: str | None = None,
        since: float | None = None,
        limit: int | None = None,
    ) -> list[RunRow]:
        """Lists runs, newest first.

        Args:
            run: only the one with this identifier.
            name: only runs of this invokable.
            status: only runs with this status.
            since: only runs that started then or later (seconds since the epoch).
            limit: at most so many.
        """

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
        """Lists calls, run by run in the order in which runs came in, then by number.

        Args:
            run: only calls of this run.
            invokable: only calls of this name.
            status: only calls with this status.
            request: only calls that made this request.
            since: only calls that started then or later (seconds since the epoch).
            parent: only calls that the call of this number made, or with `OUTSIDE`
                those at the top.
            number: only the call, or the calls, of this number.
            newest_first: the other way round.
            limit: at most so many.
        """

    def codes(self) -> list[CodeCount]:
        """Lists which versions of code the calls here were made by, in any order."""

    def entries(self, kind: str, key: str | None = None) -> dict[str, str]:
        """Reads entries: texts by kind and key, the part of the journal that changes.

        Args:
            kind: such as ``tag``.
            key: only this one.

        Returns:
            The texts, by key, in order of their keys.
        """

    def swap(self, kind: str, key: str, old: str | None, new: str | None) -> bool:
        """Changes an entry, if it is what the caller thinks it is.

        Args:
            kind: of the entry.
            key: of the entry.
            old: the text that is to be there; None, that there is none.
            new: the text to put in its place; None deletes the entry.

        Returns:
            Whether it was so. If not, nothing was changed.
        """

    def write_entries(self, kind: str, entries: Mapping[str, str]) -> None:
        """Writes entries in one step, whatever was there.

        Args:
            kind: of the entries.
            entries: texts by key.
        """

    @property
    def owner(self) -> str:
        """A token for this process, under which it executes runs."""

    def find_owner(self, token: str) -> str | None:
        """Says in words which process has a token; None when it is gone."""

    def claim(self, run: str) -> AbstractContextManager[None]:
        """Holds a run that is to be resumed; nobody else can meanwhile.

        Raises:
            RunIsLive: somebody else holds it.
        """

    def flush(self) -> None:
        """Returns when all that was written survives a loss of power."""

    def close(self) -> None:
        """Lets go of all resources; a second call does nothing."""


@runtime_checkable
class SharesFlushes(Protocol):
    """What a backend can do besides whose flushes take time."""

    def flush_is_due(self, seconds: float) -> bool:
        """Whether a call that took so long is on the disk before it returns."""

    def record_unflushed(self, blocks: Sequence[Block], row: CallRow) -> None:
        """As `Backend.record`, where the caller sees to the flush by `flush_soon`."""

    def flush_soon(
        self, begin: Callable[[], None], end: Callable[[Exception | None], None]
    ) -> None:
        """Flush what was recorded so far, in another thread.

        Args:
            begin: called there before the flush; what is recorded up to then is in it.
            end: called there with None, or with what went wrong.
        """


class CallFilter(NamedTuple):
    """The conditions of `Backend.calls`, for rows that are held in memory."""

    run: str | None = None
    invokable: str | None = None
    status: str | None = None
    request: bytes | None = None
    since: float | None = None
    parent: int | None = None
    number: int | None = None

    def accepts(self, row: CallRow) -> bool:
        """Says whether the row meets all conditions."""
        return (
            (self.run is None or row.run == self.run)
            and (self.invokable is None or row.invokable == self.invokable)
            and (self.status is None or row.status == self.status)
            and (self.request is None or row.request == self.request)
            and (self.parent is None or _number_of(row.parent) == self.parent)
            and (self.number is None or row.number == self.number)
            and (self.since is None or row.started >= self.since)
        )


def _number_of(parent: int | None) -> int:
    return OUTSIDE if parent is None else parent


class RunFilter(NamedTuple):
    """The conditions of `Backend.runs`, for rows that are held in memory."""

    run: str | None = None
    name: str | None = None
    status: str | None = None
    since: float | None = None

    def accepts(self, row: RunRow) -> bool:
        """Says whether the row meets all conditions."""
        return (
            (self.run is None or row.id == self.run)
            and (self.name is None or row.name == self.name)
            and (self.status is None or row.status == self.status)
            and (self.since is None or row.started >= self.since)
        )


def latest_runs(rows: Iterable[RunRow]) -> dict[str, RunRow]:
    """The row that stands for each run: the last one of its last attempt."""
    latest: dict[str, RunRow] = {}
    for row in rows:
        known = latest.get(row.id)
        if known is None or row.attempt >= known.attempt:
            latest[row.id] = row
    return latest


def newest(rows: Iterable[RunRow], limit: int | None) -> list[RunRow]:
    """Sorts runs, newest first, and keeps at most ``limit`` of them."""
    ordered = sorted(rows, key=lambda row: (row.started, row.id), reverse=True)
    return ordered if limit is None else ordered[: max(limit, 0)]
