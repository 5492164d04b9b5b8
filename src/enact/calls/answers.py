# SPDX-License-Identifier: Apache-2.0
"""Calls that a record answers: they wait for their turns and give what it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from enact.calls.exceptions import Failure, rebuild
from enact.calls.inputs import Input
from enact.calls.layout import NOT_READ
from enact.calls.rest import cancellation
from enact.errors import ReplayError
from enact.values import decode

if TYPE_CHECKING:
    from enact.calls.inputs import PlainInput
    from enact.calls.lanes import Lane
    from enact.calls.layout import Recorded
    from enact.calls.targets import Target
    from enact.calls.turns import Turns


class Answer:
    """A call that the record answers.

    Args:
        lane: in which it is made.
        target: what is called.
        given: the input.
        recorded: the call in the record.
        index: of that among the recorded children.
        turns: the recorded order, if it has a place there.
    """

    __slots__ = ("given", "index", "lane", "recorded", "slot", "target", "turns")

    def __init__(
        self,
        lane: Lane,
        target: Target,
        given: Input | PlainInput,
        recorded: Recorded,
        index: int = -1,
        turns: Turns | None = None,
    ) -> None:
        self.lane = lane
        self.target = target
        self.given = given
        self.index = index
        self.recorded = recorded
        self.turns = turns
        self.slot = -1

    unended: None = None

    def begin(self) -> None:
        """The start of the call has come."""
        frame = self.lane.frame
        self.slot = frame.enter(self.lane, self)
        recorded = self.recorded
        target = self.target
        version = target.version
        if version is not None and recorded.code != target.code:
            version = None if recorded.code is None else (target.name, recorded.code)
        if recorded.subtree is None:
            frame.ran(version, ())
        else:
            below = frame.run.session.versions.below(recorded.subtree)
            frame.ran(version, below)
        if self.index >= 0 and recorded.details is not None:
            if recorded.details.origin is not None:
                frame.run.session.explain(self.path(), recorded.details.origin)
        if self.turns is not None:
            self.turns.happened(self.index, False)

    def end(self) -> None:
        """The end of the call has come."""
        self.lane.frame.leave(self.slot, self.recorded.cid)
        if self.turns is not None:
            self.turns.happened(self.index, True)

    def wait_in_thread(self, turns: Turns, what: int) -> None:
        """Block until this comes next: see ``order.ITEM``.

        Raises:
            ReplayError: it does not, and nothing explains that.
        """
        if turns.wait_in_thread(self.index, what):
            return
        plan = self.lane.frame.plan
        assert plan is not None
        session = plan.session
        if session.is_exact:
            error = ReplayError(
                f"replay of call {self.path()} of {self.target.name!r} stands still: "
                "recorded calls of other threads come before it, and they are not "
                "made. Threads that wait long for something untracked, or for each "
                "other, cannot be replayed in their order. Replay with "
                "`strict=False` to let it go on out of turn",
                self.path(),
            )
            if self.slot >= 0:
                self.end()
            raise session.failed(error)

    @property
    def comes_last(self) -> bool:
        """Whether it has just been answered: all else that was recorded came before."""
        turns = self.turns
        return (
            turns is not None and self.recorded.is_given and turns.is_last(self.index)
        )

    @property
    def call_input(self) -> Input:
        """The invokable and the input."""
        made = self.given = Input.of(self.target, self.given)
        return made

    def path(self) -> str:
        """Where the call is in the tree."""
        frame = self.lane.frame
        if frame.caller is None:
            return ""
        base = frame.path_in_tree()
        slot = len(frame.children) if self.slot < 0 else self.slot
        return f"{base}/{slot}" if base else str(slot)

    def give(self) -> Any:
        """End the call: its recorded outcome takes place.

        The end is noted last. It lets other threads go on, and what the program does
        with the outcome should come before what they do.
        """
        try:
            return self._outcome()
        finally:
            self.end()

    def _outcome(self) -> Any:
        recorded = self.recorded
        if recorded.value is not NOT_READ:
            return recorded.value
        frame = self.lane.frame
        store = frame.run.store
        call_input = self.call_input
        details = recorded.details
        if recorded.after != recorded.invokable:
            after = call_input.load(recorded.after, store)
            call_input.restore(after, details.rebound if details is not None else None)
        if recorded.raised is not None:
            error = rebuild(decode(store.load_block(recorded.raised), store))
            self.failed_with(error)
            raise error
        if recorded.output is None:
            raise cancellation()
        if details is not None and details.returned is not None:
            return call_input.named(details.returned)
        return decode(store.load_block(recorded.output), store)

    def failed_with(self, error: BaseException) -> None:
        """``error`` is what the recorded call raised, as its caller gets it."""
        frame, recorded = self.lane.frame, self.recorded
        if recorded.raised is None:
            return  # it was cancelled
        if frame.failures is None:
            frame.failures = []
        frame.failures.append(
            Failure(error, self.slot, recorded.raised, recorded.is_given)
        )


__all__ = ["Answer"]
