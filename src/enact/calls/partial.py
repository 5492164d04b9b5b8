# SPDX-License-Identifier: Apache-2.0
"""Partial invocations, put together from the journal of a run that did not end.

What a process wrote before it died is enough to go on: the request of each call that
was under way, the invocation of each that had ended, and how they overlapped. The
result is an invocation like any other that did not come to its end. A call that was
replayed itself also has what its recording still holds.
"""

from __future__ import annotations

from collections.abc import Sequence

from enact.calls import layout
from enact.calls.alarms import alarms_left
from enact.calls.edits import read
from enact.calls.lanes import Path
from enact.calls.layout import Details, Recorded
from enact.calls.left_over import Call, LeftOver, calls_of, retried
from enact.calls.marks import moved, worth_telling
from enact.calls.order import Start, read_order, renumbered, stays
from enact.calls.runs import Origin
from enact.calls.verdicts import (
    CHANGES,
    CODE_CHANGED,
    REQUEST_CHANGED,
    RESUMED,
    RETRIED,
)
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


def below(store: ValueStore, run: str, number: int) -> tuple[CallRow, bytes]:
    """What a call that was cut off recorded so far.

    Args:
        store: where the run is.
        run: that it is part of.
        number: of the call in it.

    Returns:
        Its row, and its invocation, put together from the rows of what it called.
    """
    by_parent: dict[int | None, list[CallRow]] = {}
    (row,) = store.journal.calls(run=run, number=number)
    todo = [row]
    while todo:
        parent = todo.pop().number
        made = list(store.journal.calls(run=run, parent=parent))
        by_parent[parent] = made
        todo += [one for one in made if one.invocation is None]
    return row, _Rebuild(by_parent, store).call(row).cid


def recorded_by(row: RunRow, store: ValueStore) -> bytes | None:
    """What a run recorded so far, complete or partial; None if nothing began.

    Args:
        row: of the run.
        store: where it is.
    """
    if row.invocation is not None and row.status != "running":
        return row.invocation
    return partial_invocation(list(store.journal.calls(run=row.id)), store)


def origin_of(row: RunRow, store: ValueStore) -> Origin:
    """How the next try of a run goes on with it."""
    following, changed = 0, False
    for call in store.backend.calls(run=row.id):
        following = max(following, call.number + 1)
        changed = changed or call.verdict in CHANGES
    if row.derived_from is not None and not changed:
        changed = _was_edited(read(row.derived_from, store), store)
    return Origin(
        row.derived_from, row.how, row.meta.get("branch"), row.meta.get("within"),
        row, following, changed,
    )  # fmt: skip


def _was_edited(recorded: Recorded, store: ValueStore) -> bool:
    """Whether somebody put in an outcome; the calls above it have none then."""
    if recorded.is_given:
        return True
    if recorded.output is not None or recorded.raised is not None:
        return False
    children = layout.read_calls(recorded.children, store)
    return any(_was_edited(child, store) for child in children)


_Place = tuple[Path, int]
"""A lane, and the position in it."""


class _Rebuild:
    def __init__(
        self, by_parent: dict[int | None, list[CallRow]], store: ValueStore
    ) -> None:
        self._by_parent = by_parent
        self._store = store

    def call(self, row: CallRow) -> Call:
        """One call; its invocation is put together if it was not written."""
        if row.invocation is not None:
            return Call(row.lane, row.invocation, row.status != "incomplete")
        rows = _latest(self._by_parent.get(row.number, ()))
        base = None if row.replaces is None else read(row.replaces, self._store)
        if base is not None and not rows and row.verdict == RESUMED:
            return Call(row.lane, base.cid, ended=False)
        pieces = (one.order for one in rows if one.order is not None)
        starts, told, all_marks, all_alarms, all_laps = read_order(pieces)
        left: dict[int, Call] = {}
        place_of: dict[int, int] = {}
        claimed: dict[int, _Place] = {}
        if base is not None:
            left, place_of, claimed = self._left(base, rows, starts)
        calls, events, untold, kept, index_of = self._told(rows, starts, told)
        marks = moved(None if all_marks is None else worth_telling(all_marks), kept)
        lanes = [start.lane for start in starts]
        alarms = alarms_left(all_alarms, told, lanes, kept)
        laps = moved(all_laps, kept)
        goes_on = row.verdict == RESUMED

        def answered_before(row: CallRow) -> list[int]:
            known = sum(call.lane == row.lane for call in calls)
            here = [n for n in sorted(left) if left[n].lane == row.lane]
            return here[: max(0, row.position - known)]

        # Behind a call that runs there is none in its lane, but if it is a stream.
        last = {one.lane: one.number for one in untold}
        answers: set[int] = set()
        running: list[CallRow] = []
        for one in untold:
            before = answered_before(one)
            if one.invocation is None and one.number == last[one.lane]:
                answers.update(before)
                running.append(one)
                continue
            for index in before:
                calls.append(left.pop(index))
                events += [0, len(calls)]
            index_of[one.lane, one.position] = len(calls)
            calls.append(self.call(one))
            events += [0, len(calls)] if calls[-1].ended else [0]
        if goes_on:
            # What goes on with a recorded call keeps its place.
            for one in running:
                if one.number in place_of:
                    left[place_of[one.number]] = self.call(one)
            running = [one for one in running if one.number not in place_of]
        ahead: list[Call] = []
        retry: list[int] = []
        if base is not None:
            if goes_on:
                answers.update(n for n in left if n < len(base.children))
            told_of = {
                n: index_of[place] for n, place in claimed.items() if place in index_of
            }
            left_over = LeftOver(base, left, told_of, calls, events)
            again = left_over.take(answers)
            retry = again if goes_on else []
            marks, alarms = left_over.marks(marks), left_over.alarms(alarms)
            laps = left_over.laps(laps)
            ahead = [
                left[n] for n in sorted(left)
                if n not in retried(base) or self._read(left[n]).is_open
            ]  # fmt: skip
        for one in running:
            calls.append(self.call(one))
            events.append(0)
        # What ran when the process died ends after all that is told.
        open_ones = (n for n, one in enumerate(calls) if not one.ended)
        retry = sorted({*retry, *open_ones})
        details = Details()
        details.status = "incomplete"
        details.retry = retry or None
        details.ahead = [one.cid for one in ahead] or None
        several = any(one.lane for one in (*calls, *ahead))
        if several or marks is not None or alarms is not None:
            details.lanes = [one.lane for one in (*calls, *ahead)]
            details.events = events
            details.marks = marks
            details.alarms = alarms
            details.laps = laps or None
        assert row.request is not None
        code = None if row.code is None else row.code.hex()
        cids = [one.cid for one in calls]
        cid = self._open(row.request, code, cids, details)
        return Call(row.lane, cid, ended=False)

    def _told(
        self, rows: list[CallRow], starts: list[Start], told: list[int]
    ) -> tuple[list[Call], list[int], list[CallRow], list[bool], dict[_Place, int]]:
        """The calls that the order tells of, their events, and the rows of others.

        Returns:
            Also which of the events that are told these are, and the index of each
            call.
        """
        by_place = {(row.lane, row.position): row for row in rows}
        calls: list[Call] = []
        index_of: dict[int, int] = {}
        written: list[tuple[float, int]] = []
        for slot, start in enumerate(starts):
            row = by_place.pop((start.lane, start.position), None)
            if row is not None:
                call = self.call(row)
                if call.ended:
                    written.append((row.started + row.duration, len(calls)))
            elif start.answer is not None or start.outcome is not None:
                call = Call(start.lane, start.answer or start.outcome or b"")
            else:
                cid = self._was_in_flight(start)
                if cid is None:
                    continue  # nothing is told, or its row was lost with the power
                call = Call(start.lane, cid, ended=False)
            index_of[slot] = len(calls)
            calls.append(call)
        kept = [
            is_left and (event <= 0 or calls[index_of[event - 1]].ended)
            for event, is_left in zip(told, stays(told, index_of), strict=True)
        ]
        events = [
            event
            for event in renumbered(told, index_of)
            if event <= 0 or calls[event - 1].ended
        ]
        # They were written, and no row came after that which tells that they returned.
        told_ends = set(events)
        written = sorted(one for one in written if one[1] + 1 not in told_ends)
        events += [place + 1 for _, place in written]
        untold = sorted(by_place.values(), key=lambda row: row.number)
        places = {
            (start.lane, start.position): index_of[slot]
            for slot, start in enumerate(starts)
            if slot in index_of
        }
        return calls, events, untold, kept, places

    def _left(
        self, base: Recorded, rows: list[CallRow], starts: list[Start]
    ) -> tuple[dict[int, Call], dict[int, int], dict[int, _Place]]:
        """What a replay is not known to have come to, by index in its recording.

        Args:
            base: what was replayed.
            rows: of the calls that ran.
            starts: what is told of the order of all calls.

        Returns:
            Also the index of what each row took the place of, and the place of each
            call that it is known to have come to.
        """
        recorded = calls_of(base)
        left = dict(enumerate(recorded))
        retry = retried(base)

        claimed: dict[int, _Place] = {}

        def claim(cid: bytes, place: _Place) -> int | None:
            lane, _ = place
            found = [n for n, known in left.items() if known.cid == cid]
            index = min(found, key=lambda n: (left[n].lane != lane, n), default=None)
            if index is not None:
                del left[index]
                claimed[index] = place
            return index

        place_of: dict[int, int] = {}
        for row in rows:
            index = None
            if row.replaces is not None:
                index = claim(row.replaces, (row.lane, row.position))
            if index is not None:
                place_of[row.number] = index
            if index is not None and row.verdict == REQUEST_CHANGED:
                # It may still answer a call of its own, but stands behind all others.
                left[index + len(recorded)] = recorded[index]
            elif index is not None and index in retry and row.verdict in _AGAIN:
                if self._read(recorded[index]).status == "incomplete":
                    continue
                # What followed its failure is dropped when it is retried.
                for later in [n for n in left if n > index and n not in retry]:
                    one = left[later]
                    if one.lane == recorded[index].lane:
                        if not self._read(one).is_given:
                            del left[later]
        ran = {(row.lane, row.position) for row in rows}
        for start in starts:
            if (start.lane, start.position) in ran:
                continue
            cid = start.answer or start.outcome or self._was_in_flight(start)
            if cid is not None:
                claim(cid, (start.lane, start.position))
        return left, place_of, claimed

    def _read(self, call: Call) -> Recorded:
        return read(call.cid, self._store)

    def _was_in_flight(self, start: Start) -> bytes | None:
        """What is to go on of a call that was in flight, as far as that is told."""
        if start.base is not None:
            is_open = read(start.base, self._store).status == "incomplete"
            return start.base if is_open else None
        if start.request is None:
            return None
        details = Details()
        details.status = "incomplete"
        return self._open(start.request, None, [], details)

    def _open(
        self, request: bytes, code: str | None, children: list[bytes], details: Details
    ) -> bytes:
        """Write the invocation of a call that did not come to its end."""
        fields = layout.read_fields(
            self._store.load_block(request), layout.REQUEST, request
        )
        blocks: layout.Blocks = []
        data = layout.response(
            fields["invokable"], None, None, False, children, code, None, details,
            blocks,
        )  # fmt: skip
        response = cid_of(data)
        blocks.append((response, data))
        data = layout.invocation(request, response)
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
