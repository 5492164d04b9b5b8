# SPDX-License-Identifier: Apache-2.0
"""The end in the child process: the frame that started it, as it is seen from here."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from enact.calls import lock_points
from enact.calls.answers import Answer
from enact.calls.edits import read
from enact.calls.frames import Frame, clock
from enact.calls.lanes import CURRENT, Lane, Path
from enact.calls.listing import SourceKeeper
from enact.calls.processes.backend import AwayBackend
from enact.calls.processes.channel import Channel, portable
from enact.calls.processes.messages import CHILDS, FIRST, Answered, Order, Place, called
from enact.calls.replayer import Given, Plan
from enact.calls.runs import Origin, Run
from enact.calls.session import Session
from enact.errors import CallError
from enact.stores import Block, CallRow, ValueStore

if TYPE_CHECKING:
    from enact.calls.inputs import Input


class Away(Frame):
    """The frame that started this process, seen from here."""

    announced = True
    number = FIRST
    plan: AwayPlan

    def __init__(self, place: Place, channel: Channel) -> None:
        self.frame = self
        self.work = place.work
        self.channel = channel
        self.children: Any = {}  # the others are at home
        # Of calls that are just beginning, as home has told them.
        self._slots: dict[Lane, int] = {}
        self.caller = None
        above: Frame | None = None
        for call in place.above:
            frame = self if call is place.above[-1] else Frame.__new__(Frame)
            frame.caller = None if above is None else Lane(above, call.lane)
            frame.slot, frame.position_there = call.slot, call.position
            frame.target = _Named(call.name) if call.name else None
            above = frame
        self.run = AwayRun(self, place)
        self.plan = AwayPlan(self, place.in_turn)
        self.lane = Lane(self, place.path)

    def ask(self, what: str, *args: Any) -> Any:
        """The answer from home to a question about this work."""
        return self.channel.ask(self.work, what, *args)

    def enter(self, lane: Lane, child: Frame | Answer) -> int:
        lane.position += 1
        return self._slots.pop(lane)

    def ending(self, slot: int, blocks: Any, is_end: bool = True) -> bytes | None:
        return None

    def ended_as(self, slot: int, cid: bytes, order: bytes | None) -> None:
        self.children.pop(slot, None)

    def handed_out(self, slot: int) -> None:
        self.ask("handed_out", slot)

    def note_alarm(self, name: Path) -> None:
        return None  # timers go off when it is time

    def note_mark(self, kind: int, path: Path) -> None:
        self.ask("note_mark", kind, path)

    def tell_marks(self) -> None:
        if not self.tells_marks:
            self.ask("tell_marks")
            self.tells_marks = True

    def told(self) -> dict[str, Any]:
        """What is to be known at home of how it went so far."""
        session = self.run.session
        return {
            "explained": session.explained,
            "changed": session.changed,
            "verdicts": session.verdicts,
            "error": None if session.error is None else portable(session.error),
            "below": self.below or (),
        }

    def begin(self, lane: Lane, call: Input) -> Frame | Answer | Given | None:
        """Begin a call; see ``calling.begin``."""
        order = self.ask("begin", lane.path, called(call))
        run = self.run
        if isinstance(order, Answered):
            return AwayAnswer(self, lane, call, order)
        if not isinstance(order, Order):
            return order  # type: ignore[no-any-return]  # Given, or None
        session = run.session
        session.explained = session.explained or order.explained
        session.changed = session.changed or order.changed
        recorded = None
        if order.recorded is not None:
            recorded = read(order.recorded, run.store)
        lane.in_flight = order.in_flight
        self._slots[lane] = order.slot
        frame = Frame(lane, call.target, call, order.verdict, recorded)
        frame.number = order.number
        frame.position_there = order.position
        frame.turn = order.turn
        if order.draw is not None:
            frame.draw = order.draw
        if recorded is not None and order.stands is not None:
            Plan(recorded, session, run.store, order.stands).start(frame)
        return frame

    def over(self) -> None:
        """The work has ended."""
        run = self.run
        run.sources.write()
        if self.plan.turns is not None or run.session.error is not None:
            self.ask("over", None, self.told())


class _Named:
    """A target of which only the name is known."""

    def __init__(self, name: str) -> None:
        self.name = name


class AwayAnswer(Answer):
    """A call that a record answers; its place is at home."""

    __slots__ = ("_away", "_key")

    def __init__(self, away: Away, lane: Lane, call: Input, answered: Answered) -> None:
        recorded = read(answered.recorded, away.run.store)
        turns: Any = away.plan.turns if answered.in_turn else None
        super().__init__(lane, call.target, call, recorded, answered.index, turns)
        self._away = away
        self._key = answered.key

    def begin(self) -> None:
        self.slot = self._away.ask("begin_answer", self._key)
        self.lane.position += 1

    def end(self) -> None:
        self._away.ask("end_answer", self._key)


class AwayMarks:
    """The recorded order of marks of the frame at home."""

    def __init__(self, away: Away) -> None:
        self._away = away

    def wait(self, kind: int, path: Path) -> bool:
        """See ``MarkTurns.wait``; so with all here."""
        return bool(self._away.ask("marks", "wait", kind, path))

    def wait_to_begin(self, path: Path) -> None:
        self._away.ask("marks", "wait_to_begin", path)

    def is_to_begin(self, path: Path) -> bool:
        return bool(self._away.ask("marks", "is_to_begin", path))

    def is_to_be_cancelled(self, path: Path) -> bool:
        return False  # nothing is left out here

    def wait_to_see(self, path: Path) -> bool:
        return bool(self._away.ask("marks", "wait_to_see", path))

    def when_due(self, kind: int, path: Path, step: Callable[[], None]) -> None:
        self._away.ask("marks", "wait", kind, path)
        step()

    def happened(self, kind: int, path: Path) -> None:
        self._away.ask("marks", "happened", kind, path)


class AwayTurns:
    """The recorded order of the frame at home."""

    def __init__(self, away: Away) -> None:
        self._away = away
        self.marks = AwayMarks(away)

    def wait_in_thread(self, index: int, what: int) -> bool:
        """See ``Turns.wait_in_thread``; so with all here."""
        if asyncio._get_running_loop() is not None:
            return True
        return bool(self._away.ask("wait", index, int(what)))

    def has_come(self, index: int, what: int) -> bool:
        return False  # that is known at home

    async def wait(self, index: int, what: int) -> None:
        await self._elsewhere("wait", index, int(what))

    def wait_for_rest_of_order_in_thread(self, child: int = -1) -> None:
        if asyncio._get_running_loop() is None:
            self._away.ask("wait_for_rest", child)

    async def wait_for_rest_of_order(self, lane: Lane, child: int = -1) -> None:
        await self._elsewhere("wait_for_rest", child)

    def is_last(self, child: int) -> bool:
        return bool(self._away.ask("is_last", child))

    async def _elsewhere(self, *question: Any) -> None:
        """Ask in another thread: the answer may hang on what this event loop does."""
        token = CURRENT.set(None)
        try:
            asked = asyncio.to_thread(self._away.ask, *question)
        finally:
            CURRENT.reset(token)
        await _untracked(asked)

    def happened(self, index: int, what: int) -> None:
        if what:  # that it starts is known at home
            self._away.ask("happened", index, int(what))

    def items_of(self, index: int) -> int:
        found: int = self._away.ask("items_of", index)
        return found

    def awaits_cancellation(self, index: int) -> None:
        self._away.ask("awaits_cancellation", index)

    def is_turn(self, lane: Lane) -> bool:
        return True

    def drive(self, lane: Lane, coro: Any) -> Any:
        return coro


async def _untracked(coro: Any) -> Any:
    token = CURRENT.set(None)
    try:
        return await coro
    finally:
        CURRENT.reset(token)


class AwayPlan(Plan):
    """The recorded calls of the frame at home."""

    def __init__(self, away: Away, in_turn: bool) -> None:
        self._away = away
        self.elsewhere = away
        self.session = away.run.session
        turns: Any = AwayTurns(away) if in_turn else None
        self.turns = turns

    def quick_answer(self, *_: Any) -> None:
        return None

    def quick_turn(self, *_: Any) -> None:
        return None

    def early(self, lane: Lane, call: Input, waited: int | None = None) -> int | None:
        found: int | None = self._away.ask("early", lane.path, called(call), waited)
        return found

    def enlist(self, lane: Lane) -> None:
        pass

    def begins(self, lane: Lane) -> None:
        if self.turns is not None and asyncio._get_running_loop() is None:
            lock_points.watch_thread(lane)

    def wait_before_lock(self, lane: Lane, guards_data: bool) -> None:
        if self.turns is not None:
            self._away.ask("wait_before_lock", lane.path, guards_data)

    def finished(self, lane: Lane) -> None:
        if self.turns is not None:
            lock_points.leave_thread()
            self._away.ask("over", lane.path, {})

    def has_turns(self) -> bool:
        return False


class AwayRun(Run):
    """The run at home: what is recorded here goes there."""

    __slots__ = ()

    def __init__(self, away: Away, place: Place) -> None:
        policy = place.policy
        if place.lacks is not None:
            lacking: Any = Lacking(place.lacks)
            policy = policy._replace(sampler=lacking)
        self.store = ValueStore(AwayBackend(away.ask))
        self.id, self.branch, self.attempt = place.run
        if self.id not in _known:
            _known.clear()  # the worker of a pool sees one run after the other
        self.store.sources, self.known = _known.setdefault(self.id, (set(), set()))
        self.session = Session(policy, self.store)
        self.origin = Origin()
        self.cautious = policy.memoize or policy.live == "forbid"
        self.cautious = self.cautious or policy.sampler is not None
        self.sampler = None
        self.flusher = self.group = self.schedule = None
        self.tells_order = place.tells_order
        self.withheld = set()
        self.sources = SourceKeeper(self.store)
        self._subtrees = {}
        self.next_number = itertools.count(CHILDS).__next__
        self.started = time.time()
        self.epoch = self.started - clock()
        self.on_unstorable = place.on_unstorable
        self.attended = place.attended
        self._meta = {}

        def record(blocks: Sequence[Block], row: CallRow | None) -> None:
            if row is not None and row.parent == FIRST:
                away.ask("record", blocks, row, away.told())
            else:
                away.ask("record", blocks, row)

        self.record = record


# Of the last run: digests of code, and invokables, that are known to be in its store.
_known: dict[str, tuple[set[str], set[bytes]]] = {}


class Lacking:
    """Stands for a part of a policy that stays at home.

    Args:
        what: in words.
    """

    def __init__(self, what: str) -> None:
        self._what = what

    def arrive(self, lane: Lane, call: Input) -> None:
        """A call comes that no record answers.

        Raises:
            CallError: always.
        """
        if call.target.builtin:
            return
        raise CallError(
            f"{self._what} cannot look below calls in child processes, and "
            f"{lane.frame.target.name!r} calls {call.target.name!r} there. Next: use "
            "threads or tasks, or register the function that the process runs as one "
            "that calls no other"
        )

    def ended(self, frame: Frame, status: str) -> None:
        """See ``Sampler``."""
