# SPDX-License-Identifier: Apache-2.0
"""The recorder: what a call is while it runs, and what of it is written down.

A ``Frame`` is made when a registered callable starts inside a recorded execution and
is written when it ends: input, output, request, response and invocation go to the
store in one step, with the row of the journal. Frames are mutable and private; what
leaves them are blocks.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from enact.calls import layout, rest
from enact.calls.exceptions import Failure
from enact.calls.inputs import Input, PlainInput
from enact.calls.lanes import Lane, Path
from enact.calls.order import ANSWERS, ASKED, GOES_ON, Teller
from enact.calls.verdicts import RESUMED, RETRIED
from enact.calls.writing import announce, ask
from enact.errors import (
    Signal,
)
from enact.values import redact, redacted_form

if TYPE_CHECKING:
    from enact.calls.answers import Answer
    from enact.calls.layout import Recorded
    from enact.calls.processes.home import Work
    from enact.calls.replayer import Plan
    from enact.calls.runs import Run
    from enact.calls.targets import Target
    from enact.calls.versions import Version

clock = time.perf_counter
_get_ident = threading.get_ident


class Frame(Lane):
    """A call that is running; also the first lane within itself.

    Attributes:
        run: the execution that it is part of.
        target: what runs.
        caller: the lane that made the call.
        slot: index among the children of the calling frame; -1 while unwinding.
        number: order of start within the run.
        given: the input; see ``call_input``.
        children: of each call made here, in order of start, its identifier, or the
            frame while it runs.
        lanes: the lane of each child, once there is more than one lane.
        events: starts and ends of children, once there is more than one lane.
        marks: what else has a place in the order; see ``marks.py``.
        tells_marks: somebody may have seen in which order these came.
        alarms: what timers did, among the events; see ``timers.py``.
        teller: tells the journal of events, once there is more than one lane.
        pending: calls below which a person's answer is missing: lane, slot, identifier
            of the signal, signal.
        failures: exceptions that came out of children.
        plan: what is known from a recording (replay).
        usage: what the program told about this call (``annotate``).
        replaces: the recorded call whose place this one takes (replay).
        below: versions of the code that ran below.
        cut_short: calls that were cancelled, though the record has outcomes (replay).
    """

    # Stands for the frame of those who have ended; set below.
    ended: ClassVar[Frame]

    run: Run
    given: Input | PlainInput

    # Most calls make no others, so the list comes with the first.
    children: list[Any] = cast("list[Any]", ())

    # One lock for all: it is held for a few list operations at most.
    lock = threading.Lock()

    # Most frames are leaves that never touch these: defaults save the setting.
    lanes: list[Path] | None = None
    events: list[int] | None = None
    teller: Teller | None = None
    marks: list[list[int]] | None = None
    tells_marks = False
    alarms: list[list[int]] | None = None
    laps: list[list[int]] | None = None
    # The event loop whose rounds are noted, what counts them, how many there were up to
    # the last event.
    loop: rest.Loop | None = None
    lap_clock: rest.Laps | None = None
    lap = 0
    pending: list[tuple[Path, int, bytes, Signal]] | None = None
    failures: list[Failure] | None = None
    started_work: list[Any] | None = None
    unwound: list[bytes] | None = None
    plan: Plan | None = None
    below: set[Any] | None = None
    cut_short: list[Answer] | None = None
    origin: str | None = None
    verdict: str | None = None
    replaces: bytes | None = None
    closed = False
    announced = False
    # The event loop that is to tell when it rests.
    watched: rest.Loop | None = None
    slot = -1
    # Index of the first call after an interrupt went through this frame.
    cleanup_from: int | None = None
    # Nothing has happened that the shortest way of writing does not cover.
    plain = True
    usage: dict[str, Any] | None = None
    # Its position in the lane that made it.
    position_there = 0
    number: Any = None  # an int but for the frame above the first call
    begun = 0.0
    # Index of the recorded call whose place in the order it has (replay).
    turn = -1
    # Blocks of the input and the request, if those were told while it ran.
    asked: Sequence[layout.Block] | None = None
    # Which sample of its request it draws, in a search.
    draw: int | None = None
    # It is awaited, so it may wait for a flush that others share; once it is written
    # and does so, what it is written as.
    may_wait = False
    unended: bytes | None = None
    # What runs it in another process.
    elsewhere: Work | None = None
    # Streams that were begun here and have not ended; who runs this one, if it is one.
    streams: set[Any] | None = None
    # Ends of streams, while there is one lane, by the last call that had begun: all
    # other calls end before the next begins.
    ended_late: dict[int, list[int]] | None = None
    # Below it a person is asked, and it is watched lest it waits for ever; its task,
    # if that has been cancelled for it.
    ends_if_stuck = False
    stuck_task: Any = None
    player: Any = None

    def __init__(
        self,
        caller: Lane,
        target: Target,
        given: Input | PlainInput,
        verdict: str | None = None,
        recorded: Recorded | None = None,
    ) -> None:
        self.frame = self
        self.thread = caller.thread  # it makes the call
        self.caller: Any = caller
        self.target: Any = target
        self.given = given
        parent = caller.frame
        self.run = run = parent.run
        if verdict is not None:
            self.verdict = verdict
        if recorded is not None:
            self.replaces = recorded.cid
        if (
            caller is parent
            and parent.lanes is None
            and not (caller.spawned or caller.unwinding)
        ):
            # As ``enter`` does, for most calls by far.
            siblings = parent.children
            if not siblings:
                siblings = parent.children = []
            self.slot = len(siblings)
            siblings.append(self)
            caller.position += 1
        elif caller.unwinding:
            caller.position += 1
            self.plain = False
        else:
            self.slot = parent.enter(caller, self)
        self.position_there = caller.position - 1
        self.number = run.next_number()
        self.begun = clock()
        if target.retry is not None or parent.target is None:
            announce(self)
            if target.retry is not None:
                run.store.backend.flush()

    @classmethod
    def instead_of(cls, answer: Answer, verdict: str) -> Frame:
        """A call that a record has answered up to here, and does not any more."""
        self = cls.__new__(cls)
        lane = answer.lane
        parent = lane.frame
        self.frame = self
        self.thread = lane.thread
        self.caller = lane
        self.target = answer.target
        self.given = answer.call_input
        self.run = run = parent.run
        self.verdict = verdict
        self.replaces = answer.recorded.cid
        self.slot = slot = answer.slot
        lanes = parent.lanes
        self.position_there = slot if lanes is None else lanes[:slot].count(lane.path)
        self.number = run.next_number()
        self.begun = clock()
        parent.children[slot] = self
        return self

    @property
    def call_input(self) -> Input:
        """The invokable and the input, as they were when it started.

        Most calls come to their end without: see ``write_leaf``.
        """
        made = self.given = Input.of(self.target, self.given)
        return made

    def spawn(self, thread: int = 0) -> Lane:
        """The lane of the next task, thread or work item that this one starts."""
        lane = super().spawn(thread)
        if self.closed:  # so that calls made there can say what they outlived
            lane.frame = _Ended(self.target)
        return lane

    # --- children ---------------------------------------------------------------

    def enter(self, lane: Lane, child: Frame | Answer) -> int:
        """Note that a call starts in ``lane``; gives its slot."""
        children = self.children
        if not children:
            children = self.children = []
        if lane is self and self.lanes is None and not self.spawned:
            slot = len(children)
            children.append(child)
            lane.position += 1
            return slot
        with self.lock:
            slot = len(children)
            children.append(child)
            lane.position += 1
            if self.lanes is None or self.events is None:
                if lane is self:
                    return slot
                lanes, events = self._become_concurrent(slot)
            else:
                lanes, events = self.lanes, self.events
            lanes.append(lane.path)
            events.append(0)
            if self.watched is None or self.watched.is_closed():
                self._watch()
            return slot

    def _become_concurrent(self, slot: int) -> tuple[list[Path], list[int]]:
        """Start to keep lanes and events: what was before was one call at a time."""
        lanes: list[Path] = [()] * slot
        events: list[int] = []
        self.teller = teller = Teller()
        late = self.ended_late or {}
        all_late = {event for ends in late.values() for event in ends}
        for index, child in enumerate(self.children[:slot]):
            events.append(0)
            if type(child) is bytes:
                if index + 1 not in all_late:
                    events.append(index + 1)
                teller.answered[index] = child
            events += late.get(index, ())
        self.lanes = lanes
        self.events = events
        return lanes, events

    def note_mark(self, kind: int, path: Path) -> None:
        """Note something that has a place in the order; see ``marks.END``."""
        with self.lock:
            if self.closed:
                return
            if self.events is None:
                self._become_concurrent(len(self.children))
            if self.marks is None:
                self.marks = []
            self.marks.append([len(self.events or ()), kind, *path])

    def note_alarm(self, name: Path) -> list[int] | None:
        """Note that a timer, or a time limit, goes off; see ``timers.py``."""
        with self.lock:
            if self.closed:
                return None
            if self.events is None:
                self._become_concurrent(len(self.children))
            if self.alarms is None:
                self.alarms = []
            alarm = [len(self.events or ()), 0, *name]
            self.alarms.append(alarm)
            if self.watched is None or self.watched.is_closed():
                self._watch()
            return alarm

    def note_alarm_seen(self, alarm: list[int]) -> None:
        """Note that who waits for an alarm is about to react."""
        alarm[1] = len(self.events or ()) - alarm[0]

    def tell_marks(self) -> None:
        """From now on the program can tell in which order marks come."""
        self.tells_marks = True

    def stream_ended(self, slot: int) -> None:
        """The stream in ``slot`` ends: where calls were made meanwhile, note when."""
        last = len(self.children) - 1
        if self.lanes is not None or slot < 0:
            return
        if self.ended_late is None:
            self.ended_late = {}
        if slot < last or last in self.ended_late:
            self.ended_late.setdefault(last, []).append(slot + 1)

    def leave(self, slot: int, cid: bytes) -> None:
        """Note that the call in ``slot`` has ended, as the invocation ``cid``.

        It was answered from a record; a call that ran is noted by ``ending`` first.
        """
        if self.lanes is None and not self.spawned:
            self.children[slot] = cid
            return
        with self.lock:
            self.children[slot] = cid
            if self.events is not None:
                self._note(slot + 1)
                assert self.teller is not None
                self.teller.answered[slot] = cid

    def ending(
        self, slot: int, blocks: layout.Blocks, is_end: bool = True
    ) -> bytes | None:
        """The call in ``slot``, which ran, ends: what its row is to tell of the order.

        None while one call is made at a time, and where nobody will read it.

        Args:
            slot: of the call.
            blocks: that are written with the row; those of what is told are added.
            is_end: it ends now, and not a little later, when its row is on the disk.
        """
        if self.events is None or not self.run.tells_order:
            return None

        def in_flight(slot: int) -> bytes | None:
            child = self.children[slot]
            if type(child) is bytes:
                return None
            if not isinstance(child, Frame):
                return ANSWERS + cast("Answer", child).recorded.cid
            if type(child) is not Frame or child.closed or child.announced:
                return None
            if child.replaces is not None:
                goes_on = child.verdict in (RESUMED, RETRIED)
                return GOES_ON + child.replaces if goes_on else None
            given = child.given
            asked: Sequence[layout.Block]
            if isinstance(given, tuple):
                asked = child.asked = ask(child.target, given[2])
            else:
                asked = given.in_flight()
            blocks.extend(asked)
            return ASKED + asked[-1][0]

        with self.lock:
            if is_end:
                self._note(slot + 1)
            assert self.teller is not None and self.lanes is not None
            marks = (self.marks or ()) if self.tells_marks else None
            return self.teller.tell(
                self.events, self.lanes, in_flight, marks, self.alarms or (),
                self.laps or (),
            )  # fmt: skip

    def ended_as(self, slot: int, cid: bytes, order: bytes | None) -> None:
        """The call in ``slot`` is written; ``order`` is what ``ending`` gave."""
        if order is not None or (self.lanes is None and not self.spawned):
            self.children[slot] = cid
            return
        with self.lock:
            self.children[slot] = cid
            if self.events is not None:  # calls began to overlap just now
                self._note(slot + 1)

    def handed_out(self, slot: int) -> None:
        """The stream in ``slot`` hands out an item."""
        if self.events is not None and slot >= 0:
            with self.lock:
                self._note(layout.item_event(slot))

    def _note(self, event: int) -> None:
        assert self.events is not None
        watched = self.watched
        if watched is None:
            self.events.append(event)
            self._watch()
            return
        clock, loop = self.lap_clock, rest.running_loop()
        if clock is not None and clock.count != self.lap:
            if loop is not self.loop:
                if event:  # laps go from end to end, whoever made them
                    self.lap = clock.count
            else:
                if self.events[-1:] != [layout.REST]:  # else it came after a rest
                    self.note_laps(clock.count - self.lap)
                self.lap = clock.count
        self.events.append(event)
        if loop is not watched and loop is not None and watched.is_closed():
            self._watch()

    def note_laps(self, count: int) -> None:
        """What happens next does so that many rounds of the event loop later."""
        if self.laps is None:
            self.laps = []
        self.laps.append([len(self.events or ()), count])

    def _watch(self) -> None:
        """Note when all that can react to the event just noted has done so."""
        if self.plan is not None and self.plan.has_turns():
            return  # what is replayed rests where it was recorded to rest
        loop = rest.running_loop()
        if loop is not None:
            self.watched = loop
            if self.loop is None or self.loop.is_closed():
                self.loop = loop
                self.lap_clock = None
                if not isinstance(loop, rest.OtherLoop):
                    self.lap_clock = rest.laps_of(loop)
            if self.lap_clock is not None and loop is self.loop:
                self.lap = self.lap_clock.count
            rest.when_at_rest(loop, self._rested)

    def follow(self) -> None:
        """From now on nothing is replayed: note what the event loop does."""
        if self.events and self.watched is None and not self.closed:
            self._watch()

    def _rested(self) -> None:
        self.watched = None
        self.note_rest()

    def note_rest(self) -> None:
        """All that could react to the last event has done so."""
        if self.events is not None and not self.closed:
            self.events.append(layout.REST)

    def was_cut_short(self, answer: Answer) -> None:
        """The program cancels a call before the record gives its outcome."""
        self.plain = False
        self.cut_short = [*(self.cut_short or ()), answer]

    def ran(self, version: Version | None, below: Iterable[Version | None]) -> None:
        """Note the version of a call made here, and of what ran below that call."""
        if self.below is None:
            self.below = set()
        self.below.add(version)
        self.below.update(below)

    def started(self, work: Any) -> None:
        """Keep hold of a task, thread or future that was started here."""
        self.plain = False
        if self.started_work is None:
            self.started_work = []
        self.started_work.append(work)

    def usage_text(self) -> str | None:
        """What the program told about this call, as JSON."""
        if self.usage is None:
            return None
        # It is for people to look at: no replay needs a credential in it.
        usage = redacted_form(self.usage, redact)
        return json.dumps(usage, sort_keys=True, separators=(",", ":"))

    def key(self) -> str:
        """Names the call within its run in the same way in every try."""
        steps: list[str] = []
        frame: Frame = self
        while frame.caller is not None:
            lane = frame.caller
            # The body of the call is one lane; its last call is the one that runs.
            steps.append(":".join(map(str, (*lane.path, frame.position_there))))
            frame = lane.frame
        return "/".join(reversed(steps))

    def path_in_tree(self) -> str:
        """Where the call is in the tree, as in ``1/0``; empty for the first call."""
        slots: list[str] = []
        frame: Frame = self
        while frame.caller is not None and frame.caller.frame.caller is not None:
            slots.append(str(frame.slot) if frame.slot >= 0 else "unwinding")
            frame = frame.caller.frame
        return "/".join(reversed(slots))

    def args(self) -> tuple[Any, ...]:
        """The arguments behind the receiver."""
        args: tuple[Any, ...] = self.call_input.args
        return args


class Top(Frame):
    """The frame above the first call: it neither runs nor ends.

    Attributes:
        execution: that it is the top of.
    """

    announced = True  # there is nothing to announce
    execution: Any = None

    def __init__(self, run: Run) -> None:
        self.frame = self
        self.thread = _get_ident()
        self.run = run
        self.target = self.caller = None


class _Ended(Frame):
    """Stands for the frame of lanes whose call has ended."""

    def __init__(self, target: Target | None = None) -> None:
        self.frame = self
        self.closed = True
        self.target = target


Frame.ended = _Ended()

# What frames of many calls at once set. CPython keeps the attributes of objects in an
# array, not in a dict each, if the first object of a class has set all of their names.
_OFTEN = (
    "frame", "thread", "caller", "target", "given", "run", "slot", "position_there",
    "number", "begun", "in_loop", "task", "closed", "asked", "may_wait", "unended",
    "children", "position", "below", "plain", "failures", "pending", "started_work",
    "plan", "verdict", "replaces",
)  # fmt: skip


def _share_keys() -> None:
    first = Frame.__new__(Frame)
    for name in _OFTEN:
        setattr(first, name, None)


_share_keys()


def ended_lane(target: Target) -> Lane:
    """The lane of code that goes on when its call has ended."""
    lane = _Ended(target)
    lane.thread = _get_ident()
    return lane


__all__ = ["Frame", "Top", "clock", "ended_lane"]
