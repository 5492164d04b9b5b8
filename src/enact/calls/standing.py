# SPDX-License-Identifier: Apache-2.0
"""Executions that stand before a call, written down as if they had unwound there.

What a ``Sampler`` parks ends by a signal, and is replayed when somebody goes on with
it. That takes time for each call before. An execution that does one thing at a time
can wait instead, in its own thread or task. What is recorded is the same: its frames
are written as paused, and are those of the next run when it goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from enact.calls import edits, layout
from enact.calls.endings import tell_caller_pending
from enact.calls.exceptions import capture
from enact.calls.frames import Frame, clock
from enact.calls.replayer import Plan, TopPlan
from enact.calls.runs import Origin, Run
from enact.calls.session import Session
from enact.calls.verdicts import RESUMED
from enact.calls.writing import announce, write
from enact.errors import Suspension
from enact.values import cid_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from enact.calls.layout import Blocks
    from enact.calls.policy import Policy
    from enact.stores import CallRow


class Place(Protocol):
    """Where an execution may stand.

    Attributes:
        is_async: it is a task of an event loop, else a thread.
    """

    is_async: bool

    def wait(self, standing: Standing) -> None:
        """Wait in the thread until somebody goes on, or gives it up."""

    async def wait_async(self, standing: Standing) -> None:
        """Likewise in a task."""


def can_stand(frame: Frame, place: Place) -> bool:
    """Whether the execution does nothing but the call that ``frame`` is about to be."""
    if frame.target.is_async != place.is_async or frame.target.is_stream:
        return False
    if frame.run.session.error is not None:
        return False
    first = True
    while True:
        above = frame.caller
        if above is not above.frame or above.spawned or above.lanes is not None:
            return False
        if above.caller is None:
            return not first
        first = False
        if above.unwinding or above.pending or above.streams or above.player:
            return False
        if above.cleanup_from is not None or above.turn >= 0:
            return False
        # Plain code that blocks an event loop cannot wait there for others.
        if above.target.is_async != place.is_async:
            return False
        frame = above


class Standing:
    """An execution that stands before a call.

    Args:
        leaf: that call, which has just begun.
        signal: what would be raised in its place.
        place: where it waits.

    Attributes:
        outcome: of the execution so far, as if the signal had ended it.
    """

    def __init__(self, leaf: Frame, signal: Suspension, place: Place) -> None:
        self.place = place
        self._signal = signal
        self._leaf = leaf
        self._frames: list[Frame] = []
        frame = leaf.caller
        while frame.caller is not None:
            self._frames.append(frame)
            frame = frame.caller
        self._top = frame
        self._execution = frame.execution
        blocks = leaf.call_input.blocks
        data, _ = capture(signal, leaf.run, blocks, leaf)
        self._raised = cid_of(data)
        blocks.append((self._raised, data))
        self._write(leaf, here=True)
        self._cids = [self._photograph(frame) for frame in self._frames]
        for frame in self._frames:
            frame.caller.children[frame.slot] = frame
        self.outcome = self._execution.stand(signal, self._cids[-1])

    def _write(self, frame: Frame, here: bool) -> None:
        details = layout.Details()
        details.status = "paused"
        duration = clock() - frame.begun
        write(frame, details, duration, None, self._raised, here, "paused")

    def _photograph(self, frame: Frame) -> bytes:
        """Write a frame as it is, and let it run all the same."""
        kept = frame.failures, frame.started_work, frame.plan
        self._write(frame, here=False)
        frame.failures, frame.started_work, frame.plan = kept
        frame.frame = frame
        frame.closed = False
        frame.children = [*frame.children]  # the store keeps what was written
        frame.call_input.blocks = []
        cid: bytes = frame.caller.children[frame.slot]
        return cid

    def go_on(self, policy: Policy, origin: Origin) -> None:
        """The frames are those of another run now, which replays what was written.

        Called in the thread or task that stands; the call comes again then.
        """
        execution, top = self._execution, self._top
        store = execution.store
        session = Session(policy, store)
        session.explained = session.changed = origin.changed
        run = Run(store, session, origin)
        run.withheld |= top.run.withheld
        execution.session, execution.run = session, run
        top.run, top.below = run, None
        top.closed = False
        read = edits.read
        TopPlan(read(self._cids[-1], store), session, store).start(top)
        top.cursor = 1
        run.begin(execution.name)
        for frame, cid in zip(self._frames[::-1], self._cids[::-1], strict=True):
            frame.run = run
            frame.number = run.next_number()
            frame.begun = clock()
            frame.announced = False
            frame.asked = None
            frame.verdict, frame.replaces = RESUMED, cid
            if frame.usage is not None:
                frame.usage.pop("score", None)
                frame.usage = frame.usage or None
            Plan(read(cid, store), session, store).start(frame)
            frame.cursor = len(frame.queue)
        parent = self._leaf.caller
        parent.children.pop()
        parent.position -= 1
        parent.cursor -= 1
        announce(self._frames[-1])

    def give_up(self) -> BaseException:
        """What to raise, so that it unwinds; the record is written already."""
        run = self._top.run
        self._execution.is_written = True
        run.record = _Unwinding(run.record, [frame.number for frame in self._frames])
        tell_caller_pending(self._leaf, self._raised, self._signal)
        return self._signal


class _Unwinding:
    """Writes calls that are made while an execution unwinds, not what is unwound."""

    def __init__(self, record: Any, numbers: Sequence[int]) -> None:
        self._record = record
        self._numbers = frozenset(numbers)

    def __call__(self, blocks: Blocks, row: CallRow | None) -> None:
        if row is not None and row.number not in self._numbers:
            self._record(blocks, row)


__all__ = ["Place", "Standing", "can_stand"]
