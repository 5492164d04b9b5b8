# SPDX-License-Identifier: Apache-2.0
"""What earlier tries of a search did: known before the first step of the next one.

With several executions at a time, those that were cut off go on before all others are
answered from the record. They must not spend what those have spent, nor draw samples
with the numbers that those have.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from enact.calls import edits
from enact.calls.invocation import from_cid
from enact.calls.partial import recorded_by
from enact.calls.verdicts import BANKED
from enact.search.walk import draws_of

if TYPE_CHECKING:
    from enact.calls.frames import Frame
    from enact.search.drawing import Grounds
    from enact.stores import CallRow, RunRow, ValueStore

STEP = "enact/search/Extend"

DRAW = "draw"
"""What a run notes of its first draw: place of the step, number and request of it."""

Key = tuple[tuple[int, ...], int]
"""Lane and position of a call among those of the search."""


class CutOff(NamedTuple):
    """A step that was under way.

    Attributes:
        row: of its run.
        partial: what is recorded of it.
        drawn: requests of the samples that it drew.
        calls: how many calls ran.
        usage: what they told.
        numbers: of draws that came to their end, as far as the journal tells, in their
            order, by request.
        promised: of draws that were under way, by key.
        rows: of its calls.
    """

    row: RunRow
    partial: bytes
    drawn: list[bytes]
    calls: int
    usage: list[dict[str, Any]]
    numbers: dict[bytes, list[int]]
    promised: dict[str, int]
    rows: list[CallRow]


class Earlier:
    """What was done; nothing in a search that begins.

    Args:
        frame: of the search.
        grounds: of it: its account pays for what was done, its ledger notes it.
        store: where it is.

    Attributes:
        steps: keys of those that came to their end.
        numbers: of their first draws, by the place in the order they were asked in.
        cut_off: the others, by the key of the step.
    """

    def __init__(self, frame: Frame, grounds: Grounds, store: ValueStore) -> None:
        self.steps: set[Key] = set()
        self.numbers: dict[int, int] = {}
        self.cut_off: dict[str, CutOff] = {}
        run = frame.run
        if run.origin.row is None:
            return
        done: set[str] = set()
        for row in store.backend.calls(run=run.id):
            if row.invokable == STEP and row.status == "completed" and row.invocation:
                self._note(row.invocation, grounds, store)
                self.steps.add((row.lane, row.position))
                done.add(_within(frame, row))
        for unfinished in store.backend.runs(since=run.started):
            within = unfinished.meta.get("within")
            # Also one that had just ended, before that was written as a step.
            if within and within not in done and unfinished.status in _GOES_ON:
                found = _cut_off(unfinished, grounds, store)
                if found is None:
                    continue
                self.cut_off[str(within)] = found
                self._reserve(found, grounds)
                for _ in range(found.calls):
                    grounds.account.reserve()
                for usage in found.usage:
                    grounds.account.charge(usage)

    def _reserve(self, cut_off: CutOff, grounds: Grounds) -> None:
        """No other draw gets the numbers of what was cut off."""
        first = cut_off.row.meta.get(DRAW)
        if first is None:
            return  # the first execution: its samples are drawn again
        place, number, request = first
        if request is not None:
            self.numbers[place] = number
            grounds.ledger.reserve(bytes.fromhex(request), number)
        for row in cut_off.rows:
            number = _number_of(row)
            if number is not None and row.request is not None:
                grounds.ledger.reserve(row.request, number)

    def _note(self, cid: bytes, grounds: Grounds, store: ValueStore) -> None:
        step = from_cid(cid, store).output
        grounds.account.remember(step.spent, step.spent.seconds)
        if step.place is None:
            return  # the first execution: its samples are drawn again
        if step.number is not None:
            self.numbers[step.place] = step.number
            grounds.ledger.reserve(step.first.cid, step.number)
        for ref, number in zip(step.drawn, step.numbers, strict=True):
            grounds.ledger.reserve(ref.cid, number)


_GOES_ON = ("running", "interrupted", "parked", "completed")


def _within(frame: Frame, row: CallRow) -> str:
    """What the run of a step names as the call that it is made in."""
    step = ":".join(map(str, (*row.lane, row.position)))
    above = frame.key()
    return (
        f"{frame.run.branch}/{above}/{step}" if above else f"{frame.run.branch}/{step}"
    )


def _cut_off(row: RunRow, grounds: Grounds, store: ValueStore) -> CutOff | None:
    cid = recorded_by(row, store)
    if cid is None:
        return None  # another run may have taken its place
    start = None if row.derived_from is None else edits.read(row.derived_from, store)
    before = Counter(draw.call.request for draw in draws_of(start, grounds, store))
    drawn: list[bytes] = []
    for draw in draws_of(edits.read(cid, store), grounds, store):
        if before[draw.call.request]:
            before[draw.call.request] -= 1
        else:
            drawn.append(draw.call.request)
    rows = sorted(store.backend.calls(run=row.id), key=lambda one: one.number)
    ended = [
        one
        for one in rows
        if one.status in ("completed", "failed") and one.request in drawn
    ]
    ran = [one for one in ended if one.verdict != BANKED]
    usage = [json.loads(one.usage) for one in ran if one.usage is not None]
    numbers: dict[bytes, list[int]] = {}
    promised: dict[str, int] = {}
    by_number = {one.number: one for one in rows}
    for one in rows:
        number = _number_of(one)
        if number is not None and one.request is not None:
            if one.status == "running":
                promised[_key_of(one, by_number)] = number
            elif one in ended:
                numbers.setdefault(one.request, []).append(number)
    return CutOff(row, cid, drawn, len(ran), usage, numbers, promised, rows)


def _number_of(row: CallRow) -> int | None:
    """The number of a draw, if the journal was told."""
    if row.usage is None:
        return None
    number = json.loads(row.usage).get(DRAW)
    return number if type(number) is int else None


def _key_of(row: CallRow, by_number: dict[int, CallRow]) -> str:
    """Names a call in the same way as ``Frame.key``."""
    steps: list[str] = []
    one: CallRow | None = row
    while one is not None:
        steps.append(":".join(map(str, (*one.lane, one.position))))
        one = None if one.parent is None else by_number[one.parent]
    return "/".join(reversed(steps))
