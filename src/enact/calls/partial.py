# SPDX-License-Identifier: Apache-2.0
"""Partial invocations, put together from the journal of a run that did not end.

What a process wrote before it died is enough to go on: the request of each call that
was under way, the invocation of each that had ended, and how they overlapped. The
result is an invocation like any other that did not come to its end. A call that was
replayed itself also has what its recording still holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from enact.calls import layout
from enact.calls.edits import read
from enact.calls.lanes import Path
from enact.calls.layout import Details, Recorded
from enact.calls.order import Start, read_order
from enact.calls.runs import Origin
from enact.calls.verdicts import CODE_CHANGED, RESUMED, RETRIED
from enact.stores import CallRow, RunRow, ValueStore
from enact.values import cid_of


def partial_invocation(rows: Sequence[CallRow], store: ValueStore) -> bytes | None:
    """Put together what the rows of a run tell, and write it.

    Args:
        rows: all calls of the run.
        store: where their blocks are.

    Returns:
        The identifier; None if the run was cut off before it began.

    Raises:
        MissingBlock: a block that a row needs is not there.
    """
    by_parent: dict[int | None, list[CallRow]] = {}
    for row in rows:
        by_parent.setdefault(row.parent, []).append(row)
    tops = by_parent.get(None)
    if not tops:
        return None
    # Each try of the run has a call at the top; it refers to the one before.
    last = max(tops, key=lambda row: row.number)
    return _Rebuild(by_parent, store).call(last).cid


def recorded_by(row: RunRow, store: ValueStore) -> bytes | None:
    """What a run recorded so far, complete or partial; None if nothing began.

    Args:
        row: of the run.
        store: where it is.
    """
    if row.invocation is not None and row.status != "running":
        return row.invocation
    return partial_invocation(list(store.backend.calls(run=row.id)), store)


def origin_of(row: RunRow, store: ValueStore) -> Origin:
    """How the next try of a run goes on with it."""
    rows = store.backend.calls(run=row.id, newest_first=True, limit=1)
    following = max((call.number + 1 for call in rows), default=0)
    return Origin(
        row.derived_from, row.how, row.meta.get("branch"), row.meta.get("within"),
        row, following,
    )  # fmt: skip


class _Call(NamedTuple):
    """A call below one that was under way."""

    lane: Path
    cid: bytes
    ended: bool = True


class _Rebuild:
    def __init__(
        self, by_parent: dict[int | None, list[CallRow]], store: ValueStore
    ) -> None:
        self._by_parent = by_parent
        self._store = store

    def call(self, row: CallRow) -> _Call:
        """One call; its invocation is put together if it was not written."""
        if row.invocation is not None:
            return _Call(row.lane, row.invocation, row.status != "incomplete")
        rows = _latest(self._by_parent.get(row.number, ()))
        base = None if row.replaces is None else read(row.replaces, self._store)
        if base is not None and not rows and row.verdict == RESUMED:
            return _Call(row.lane, base.cid, ended=False)
        starts, told = read_order(one.order for one in rows if one.order is not None)
        calls, events = self._calls(rows, starts, told)
        details = Details()
        details.status = "incomplete"
        ahead: list[_Call] = []
        if base is not None:
            left = _left(base, rows, calls, bool(starts))
            if not starts:
                events = [e for n, one in enumerate(calls) for e in _alone(n, one)]
            if row.verdict == RESUMED:
                details.retry = _take_over(base, left, calls, events) or None
            ahead = [left[n] for n in sorted(left) if n not in _retry(base)]
        details.ahead = [one.cid for one in ahead] or None
        if any(one.lane for one in (*calls, *ahead)):
            details.lanes = [[*one.lane] for one in (*calls, *ahead)]
            details.events = events
        return _Call(row.lane, self._write(row, calls, details), ended=False)

    def _calls(
        self, rows: list[CallRow], starts: list[Start], told: list[int]
    ) -> tuple[list[_Call], list[int]]:
        """The calls that are known, and the events that are theirs."""
        by_place = {(row.lane, row.position): row for row in rows}
        calls: list[_Call] = []
        index_of: dict[int, int] = {}
        for slot, start in enumerate(starts):
            row = by_place.pop((start.lane, start.position), None)
            if row is None and start.answer is None:
                continue  # it was in flight, and nothing of it is left
            index_of[slot] = len(calls)
            if row is not None:
                calls.append(self.call(row))
            else:
                assert start.answer is not None
                calls.append(_Call(start.lane, start.answer))
        events: list[int] = []
        started = 0
        for event in told:
            if event == 0:
                if started in index_of:
                    events.append(0)
                started += 1
            elif event == layout.REST:
                events.append(event)
            elif event - 1 in index_of and calls[index_of[event - 1]].ended:
                events.append(index_of[event - 1] + 1)
        for row in sorted(by_place.values(), key=lambda row: row.number):
            calls.append(self.call(row))
            events += [0, len(calls)] if calls[-1].ended else [0]
        return calls, events

    def _write(
        self,
        row: CallRow,
        calls: list[_Call],
        details: Details,
    ) -> bytes:
        assert row.request is not None
        request = layout.read_fields(
            self._store.load_block(row.request), layout.REQUEST, row.request
        )
        blocks: layout.Blocks = []
        code = None if row.code is None else row.code.hex()
        data = layout.response(
            request["invokable"], None, None, False, [one.cid for one in calls],
            code, None, details, blocks,
        )  # fmt: skip
        response = cid_of(data)
        blocks.append((response, data))
        data = layout.invocation(row.request, response)
        cid = cid_of(data)
        blocks.append((cid, data))
        self._store.backend.put(blocks)
        return cid


# Verdicts on a call that failed and is tried again.
_AGAIN = (CODE_CHANGED, RESUMED, RETRIED)


def _latest(rows: Sequence[CallRow]) -> list[CallRow]:
    """One row for each place, in order of start."""
    by_place: dict[tuple[Path, int], CallRow] = {}
    for row in sorted(rows, key=lambda row: row.number):
        if row.index >= 0:  # else it was made after a pause or interrupt
            by_place[row.lane, row.position] = row
    return sorted(by_place.values(), key=lambda row: row.number)


def _left(
    base: Recorded, rows: list[CallRow], calls: list[_Call], told: bool
) -> dict[int, _Call]:
    """What a replay had not come to, by index in its recording.

    Args:
        base: what was replayed.
        rows: of the calls that ran.
        calls: what the replay came to; where it did not tell the order, the calls that
            were answered are put in between.
        told: whether it told the order.
    """
    recorded = _calls_of(base)
    left = dict(enumerate(recorded))
    retry = _retry(base)

    def claim(cid: bytes | None) -> int | None:
        index = next((n for n, known in left.items() if known.cid == cid), None)
        if index is not None:
            del left[index]
        return index

    for row in rows:
        index = None if row.replaces is None else claim(row.replaces)
        if index is not None and index in retry and row.verdict in _AGAIN:
            # What followed its failure is dropped when it is retried.
            for later in [n for n in left if n > index and n not in retry]:
                if left[later].lane == recorded[index].lane:
                    del left[later]
    if told:
        ran = {row.invocation for row in rows}
        for call in calls:
            if call.cid not in ran:
                claim(call.cid)
    else:
        _fill_gaps(calls, rows, left)
    return left


def _take_over(
    base: Recorded, left: dict[int, _Call], calls: list[_Call], events: list[int]
) -> list[int]:
    """Go on with the calls of an earlier try that this one had not come to.

    Args:
        base: the earlier try.
        left: what is left of it; what is taken over is taken out.
        calls, events: of this one; are added to.

    Returns:
        Indices of calls that are still to be retried.
    """
    made = len(base.children)
    place: dict[int, int] = {}
    for index in sorted(n for n in left if n < made):
        place[index] = len(calls)
        calls.append(left.pop(index))
    told = base.details.events if base.details is not None else None
    if told is None:
        told = [event for n in range(made) for event in (0, n + 1)]
    started = 0
    for event in told:
        if event == 0:
            if started in place:
                events.append(0)
            started += 1
        elif event > 0 and event - 1 in place:
            events.append(place[event - 1] + 1)
    return [place[n] for n in sorted(_retry(base)) if n in place]


def _retry(base: Recorded) -> set[int]:
    return set(base.details.retry or ()) if base.details is not None else set()


def _alone(index: int, call: _Call) -> tuple[int, ...]:
    return (0, index + 1) if call.ended else (0,)


def _calls_of(base: Recorded) -> list[_Call]:
    details = base.details or Details()
    cids = [*base.children, *(details.ahead or ())]
    lanes = details.lanes or [[]] * len(cids)
    return [_Call(tuple(lane), cid) for lane, cid in zip(lanes, cids, strict=True)]


def _fill_gaps(calls: list[_Call], rows: list[CallRow], left: dict[int, _Call]) -> None:
    """Put recorded calls where the replay, one call at a time, was answered by them."""
    ran = dict(zip([row.position for row in rows], calls, strict=True))
    filled: list[_Call] = []
    for position in range(max(ran, default=-1) + 1):
        if position in ran:
            filled.append(ran[position])
        elif left:
            filled.append(left.pop(min(left)))
    calls[:] = filled
