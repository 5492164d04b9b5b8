# SPDX-License-Identifier: Apache-2.0
"""The replayer: which recorded call answers the call that the program makes now.

A ``Plan`` belongs to one frame that runs again. It hands out the recorded children of
that frame, lane by lane, as long as the program asks what it asked before.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from enact.calls import layout, lock_points, rest
from enact.calls.alignment import Alignment
from enact.calls.answers import Answer
from enact.calls.divergence import left, missing, out_of_turn
from enact.calls.lane_matching import LaneMatching, next_of, same
from enact.calls.layout import Recorded
from enact.calls.recorded_calls import RecordedCalls
from enact.calls.targets import NAMED
from enact.calls.turns import Turns
from enact.values.cbor import decode_form
from enact.values.cids import CID_PREFIX

if TYPE_CHECKING:
    from enact.calls.frames import Frame
    from enact.calls.inputs import Input
    from enact.calls.lanes import Lane, Path
    from enact.calls.session import Session
    from enact.calls.targets import Target
    from enact.errors import CallError, ReplayError

LAST = -1
"""In the place of a recorded call: all of them."""


class Elsewhere(Protocol):
    """Begins the calls of a frame whose recording is in another process."""

    def begin(self, lane: Lane, call: Input) -> Frame | Answer | Given | None:
        """Begin a call, as ``calling.begin`` does."""


class Plan:
    """The recorded children of one frame, ready to be handed out.

    Args:
        recorded: the recording of this frame.
        session: of the replay.
        source: the store.
        retry: whether what ended the frame is tried again.

    Attributes:
        session: of the replay.
        recorded: the recording of this frame.
        calls: identifiers of the recorded children, and of what lies ahead of them.
        turns: the recorded interleaving, if there was one.
        stands: the recorded outcome is not open: the code runs again for another
            reason, such as a change of it.
    """

    elsewhere: Elsewhere | None = None

    __slots__ = (
        "_alignment",
        "_lanes",
        "_lock",
        "_made",
        "_paths",
        "_recorded",
        "_retry",
        "_source",
        "calls",
        "recorded",
        "session",
        "stands",
        "turns",
    )

    def __init__(
        self, recorded: Recorded, session: Session, source: Any, stands: bool = False
    ) -> None:
        self.session = session
        self.recorded = recorded
        self.stands = stands
        self._source = source
        # Lanes may be threads: each call is to be handed out once.
        self._lock = threading.RLock()
        details = recorded.details
        self.calls: Sequence[bytes] = recorded.children
        if details is not None and details.ahead:
            self.calls = [*recorded.children, *details.ahead]
        self._recorded = RecordedCalls(self.calls, source)
        self._made = len(recorded.children)
        self._alignment: Alignment | None = None
        self._paths: list[Path] | None = None
        self._retry: frozenset[int] = frozenset()
        self._lanes: LaneMatching | None = None
        self.turns: Turns | None = None
        if details is None:
            return
        if details.retry and not stands:
            self._retry = frozenset(details.retry)
        if details.lanes is not None:
            self._paths = paths = [*details.lanes]
            queues: dict[Path, list[int]] = {}
            for index, path in enumerate(paths):
                queues.setdefault(path, []).append(index)
            lanes = {path: tuple(queue) for path, queue in queues.items()}
            events = details.events
            if events is None:  # one call at a time, though in several lanes
                events = [e for n in range(self._made) for e in (0, n + 1)]
            self.turns = Turns(
                events, paths, details.marks, details.alarms, details.laps
            )
            self._lanes = LaneMatching(self, lanes, self.turns)

    def start(self, frame: Frame) -> None:
        """Attach to the frame that runs again."""
        frame.plan = self
        frame.plain = False
        if self._lanes is None:
            frame.queue = range(len(self.calls))
        else:
            self._lanes.start(frame)
            assert self.turns is not None
            self.turns.on_rest = frame.note_rest
            self.turns.on_used_up = frame.follow
            self.turns.laps.on_laps = frame.note_laps
            self.turns.is_alone = self._lanes.is_alone
            self.turns.is_held_up = self._lanes.is_held_up
            self.turns.on_out_of_turn = functools.partial(self._out_of_turn, frame)

    def enlist(self, lane: Lane) -> None:
        """Give a new lane the calls that were recorded under its path."""
        if self._lanes is not None:
            self._lanes.enlist(lane)
            if rest.running_loop() is None:
                lock_points.watch(lane)  # there are two threads now

    def begins(self, lane: Lane) -> None:
        """A thread begins to run a lane: its turn may come later."""
        if self.turns is None:
            return
        if rest.running_loop() is None:
            lock_points.watch_thread(lane)
        if not self.session.changed:
            first = next_of(lane)
            if first is not None:
                self.turns.wait_to_begin(first)

    def wait_before_lock(self, lane: Lane, guards_data: bool) -> None:
        """Block a thread that is about to take a lock until its turn comes.

        What runs, and is no part of the order, comes after all that is recorded; so
        does a lock around it.

        Args:
            lane: that the thread runs.
            guards_data: nothing is called while it has the lock.
        """
        if self.turns is None:
            return
        index = next_of(lane)
        if guards_data:
            if index is not None:
                self.turns.wait_before_lock(lane, False)
            return
        runs = not self._complete() if index is None else self._runs_again(index)
        if runs and index is not None:
            self.drop(index)
        self.turns.wait_before_lock(lane, runs)

    def finished(self, lane: Lane) -> None:
        """A lane has come to its end: it will make no more calls."""
        if self.turns is not None and self._lanes is not None:
            lock_points.leave_thread()
            with self._lock:
                ended = self._lanes.ended(lane)
            for path in ended:
                self.turns.lane_ended(path)

    def has_turns(self) -> bool:
        """Whether recorded starts and ends are still to come."""
        return self.turns is not None and not self.turns.used_up()

    def awaits_cancellation(self) -> bool:
        """Whether a call recorded as cancelled was so by the program's own decision.

        If this frame was cancelled or cut off itself, it was not: it runs again.
        """
        details = self.recorded.details
        return details is None or details.status not in ("incomplete", "cancelled")

    def retried(self, index: int) -> bool:
        """Whether the recorded child ``index`` is part of what ended the frame."""
        return index in self._retry

    def had_begun(self, lane: Lane) -> bool:
        """Whether a lane that is cancelled now had made a call when it was recorded.

        That was cancelled too. In a replay both may come before the lane has begun.
        """
        index = next_of(lane)
        if index is None or self.session.changed:
            return False
        return self.child(index).status == "cancelled"

    def in_flight(self, index: int) -> bool:
        """Whether the recorded child ``index`` ran when the frame was cut off, or
        waited for a person who has answered."""
        return self.child(index).status == "incomplete"

    def _runs_again(self, index: int) -> bool:
        """Whether the recorded child ``index`` is likely not to be answered."""
        if index in self._retry:
            return True
        return self.child(index).status not in ("completed", "failed")

    def _is_empty(self, index: int) -> bool:
        """Whether a recorded child was in flight, and nothing came of it."""
        return index in self._retry and self.child(index).is_in_flight

    def is_free(self, index: int) -> bool:
        """Whether nobody has taken the recorded child ``index`` out of turn."""
        return self._alignment is None or self._alignment.is_free(index)

    def child(self, index: int) -> Recorded:
        """The recorded child ``index``."""
        return self._recorded[index]

    def quick_answer(
        self,
        frame: Frame,
        target: Target,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Given | None:
        """The answer to most calls by far, in few steps; None to take all steps.

        It is for short scalars passed to a function that returned, in a frame that
        does one thing at a time.
        """
        cursor = frame.cursor
        queue = frame.queue
        if cursor >= len(queue) or frame.spawned:
            return None
        if self._alignment is not None:
            return None
        index = queue[cursor]
        calls = self._recorded
        place = index - calls.start
        batch = calls.batch
        if not 0 <= place < len(batch):
            calls[index]
            batch = calls.batch
            place = index - calls.start
        recorded = batch[place]
        if type(recorded) is tuple:
            _, _, invokable, given, _, code, value = recorded
        elif recorded.is_leaf:
            invokable, given, code, value = (
                recorded.invokable, recorded.input, recorded.code, recorded.value,
            )  # fmt: skip
        else:
            return None
        if invokable != target.cid or code != target.code:
            return None
        if invokable not in frame.run.known:
            return None  # its code may have changed since the last run
        data = layout.plain_call_args(args, kwargs)
        if data is None or given != CID_PREFIX + sha256(data).digest():
            return None
        if index in self._retry or frame.unwinding or self.session.error is not None:
            return None
        frame.cursor = cursor + 1
        if not frame.children:
            frame.children = []
        frame.children.append(calls.cids[index])
        frame.position += 1
        if frame.below is None:
            frame.below = {target.version}
        else:
            frame.below.add(target.version)
        return Given(calls.value(recorded) if value is layout.NOT_READ else value)

    def quick_turn(
        self,
        lane: Lane,
        target: Target,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Answer | None:
        """``quick_answer`` for one lane of several: the answer waits for its turns."""
        session = self.session
        lanes = self._lanes
        if lanes is None or session.changed or session.error is not None:
            return None
        if lane.unwinding or target.cid not in lane.frame.run.known:
            return None
        with self._lock:
            if self._alignment is not None or lane.cursor >= len(lane.queue):
                return None
            index = lane.queue[lane.cursor]
            recorded = self._recorded[index]
            if not recorded.is_leaf:
                return None
            if recorded.invokable != target.cid or recorded.code != target.code:
                return None
            if index in self._retry:
                return None
            data = layout.plain_call_args(args, kwargs)
            if data is None or recorded.input != CID_PREFIX + sha256(data).digest():
                return None
            if not lanes.keeps(lane):
                return None
            lane.cursor += 1
            self._recorded.read_scalar(recorded)
        given = args, kwargs or None, data
        return Answer(lane, target, given, recorded, index, self.turns)

    def match(self, lane: Lane, call: Input) -> Match | None:
        """The recorded call that ``call``, made in ``lane``, is; None for a new one.

        Its request is the same, or else it must run again: then what was recorded
        below it may still answer calls that come out the same.

        Raises:
            ReplayError: the program left the record and nothing explains it.
        """
        with self._lock:
            return self._match(lane, call)

    def _match(self, lane: Lane, call: Input) -> Match | None:
        lanes = self._lanes
        if lanes is not None:
            lanes.choose(lane, call)
            index = next_of(lane)
            if not self.session.changed and self._alignment is None:
                if index is None or not same(self._recorded[index], call):
                    lanes.stand_in(lane, call)
        queue = lane.queue
        cursor = lane.cursor
        alignment = self._alignment
        while cursor < len(queue):
            index = queue[cursor]
            if alignment is None or alignment.is_free(index):
                recorded = self._recorded[index]
                is_same = same(recorded, call)
                if not (is_same or self._is_empty(index)):
                    break
                if alignment is not None:
                    alignment.take(index)
                if is_same:
                    lane.cursor = cursor + 1
                    return Match(index, recorded)
                # Nothing came of it that could be lost: it may be another one now.
                self.drop(index)
            cursor += 1
        lane.cursor = cursor
        return self._search(lane, call)

    def early(self, lane: Lane, call: Input, waited: int | None = None) -> int | None:
        """The recorded call that ``call`` is likely to be once its turn has come.

        A task that waited for something untracked comes earlier than it did when that
        takes less time, and objects that it shares with others are not yet as they
        were. Or it has what another one had then.

        Args:
            lane: in which it is made.
            call: the call.
            waited: what this said before, if it is asked again.

        Returns:
            An index, or `LAST` for the end of all that was recorded; None if it need
            not wait.
        """
        turns, lanes = self.turns, self._lanes
        if turns is None or lanes is None or self.session.error is not None:
            return None
        if waited == LAST:
            return None
        with self._lock:
            queue = lane.queue
            free = (n for n in queue[lane.cursor :] if self.is_free(n))
            index = next(free, None)
            waits = index is not None and not turns.is_next(index, False)
            if index is not None and same(recorded := self.child(index), call):
                # An answer waits by itself, running code does not.
                runs = self.session.policy.live == "forbid" and recorded.has_calls
                return index if runs and waits and waited is None else None
            if self.session.changed or lanes.found(lane, call) is not None:
                return None
            can_wait = call.target.is_async or rest.running_loop() is None
            if waited is None:
                other = lanes.elsewhere(lane, call)
                if other is not None:
                    if not can_wait or turns.is_next(other, False):
                        return None
                    lanes.awaits(lane, other)
                    return other
                if index is not None and waits:
                    if self.name_of(index) == call.target.name:
                        return index
            if can_wait and not self._complete() and lanes.may_be_taken(lane):
                return LAST
            return None

    def _search(self, lane: Lane, call: Input) -> Match | None:
        """Look further, by request: the next recorded call is another one."""
        queue = lane.queue
        session = self.session
        if lane.cursor >= len(queue):
            if session.is_exact and self._complete():
                raise session.failed(self._left_at(lane, call, None))
            if not session.changed:
                return None
        elif self._is_exact and queue[lane.cursor] < self._made:
            recorded = self.child(queue[lane.cursor])
            raise session.failed(self._left_at(lane, call, recorded))
        session.changed = True
        return self._aligned(self._align(lane.frame), lane, call)

    @property
    def _is_exact(self) -> bool:
        """Whether a call other than the recorded one is an error.

        A lane may have gone on as one that was like it only at first. Then what is
        recorded answers whoever asks for it.
        """
        if self._lanes is not None and self._lanes.traded and not self._complete():
            return False
        return self.session.is_exact

    def _left_at(
        self, lane: Lane, call: Input, recorded: Recorded | None
    ) -> ReplayError:
        caller = lane.frame.target
        return left(path_of_next(lane), call, recorded, self._source, caller)

    def _align(self, frame: Frame) -> Alignment:
        """From now on recorded calls are found by request."""
        if self._alignment is None:
            self._alignment = Alignment(self, self._left(frame))
        return self._alignment

    def _aligned(self, alignment: Alignment, lane: Lane, call: Input) -> Match | None:
        index = alignment.find(lane, call)
        if index is None:
            base = alignment.find_base(lane, call)
            if base is None:
                return None
            self.drop(base)
            return Match(base, self.child(base))
        queue = lane.queue
        if alignment.is_ahead(lane, index):
            # What is skipped may come later, so it stays free, but out of turn.
            place = queue.index(index)
            for skipped in queue[lane.cursor : place]:
                self.drop(skipped)
            lane.cursor = place + 1
            if self._lanes is not None:
                self._lanes.require(lane)
        else:
            self.drop(index)
        return Match(index, self.child(index))

    def _left(self, frame: Frame) -> list[int]:
        """Indices of the recorded calls that nobody has asked for yet."""
        if self._alignment is not None:
            return sorted(self._alignment.left())
        if self._lanes is None:
            return [*frame.queue[frame.cursor :]]
        return self._lanes.left()

    def cut(self, frame: Frame, index: int) -> None:
        """Forget what was recorded after call ``index``, in its lane: it runs again.

        That was the program's answer to how the call ended, which is open again. What
        is to be retried itself stays, and so does what somebody put in.
        """
        lane = self.lane_of(index)
        alignment = self._align(frame)
        for later in self._left(frame):
            if later > index and later not in self._retry:
                if self.lane_of(later) == lane and not self.child(later).is_given:
                    self.drop(later)
                    alignment.take(later)

    def lane_of(self, index: int) -> Path:
        """The lane of the recorded child ``index``."""
        return () if self._paths is None else self._paths[index]

    def size(self) -> int:
        """How many recorded calls there are."""
        return len(self.calls)

    def name_of(self, index: int) -> str:
        """The name of the invokable of the recorded child ``index``."""
        fields: Any = decode_form(self._source.load_block(self.child(index).invokable))
        kind = fields["$"]
        return str(fields["name"] if kind in NAMED else kind)

    def _complete(self) -> bool:
        return self.stands or self.recorded.status == "completed"

    def _out_of_turn(self, frame: Frame, index: int) -> None:
        session = self.session
        if session.is_exact and session.disorder is None:
            session.disorder = out_of_turn(frame.path_in_tree(), self.name_of(index))

    def drop(self, index: int) -> None:
        """Nobody need wait for the recorded child ``index``."""
        if self.turns is not None:
            self.turns.drop(index)

    def left_over(self, frame: Frame) -> CallError | None:
        """At the end of the frame: the program has not asked for all recorded calls."""
        session = self.session
        if not session.is_exact:
            return session.error
        unasked = [
            index
            for index in self._left(frame)
            if index < self._made and not self._is_empty(index)
        ]
        if not unasked:
            return session.error
        path = frame.path_in_tree()
        return session.failed(
            missing(path, self.child(unasked[0]), self._source, frame.target)
        )

    def ahead(self, frame: Frame) -> tuple[list[bytes], list[Path]]:
        """Recorded calls that were not asked for, with their lanes."""
        left = sorted(
            n for n in self._left(frame)
            if n not in self._retry or self.child(n).is_open
        )  # fmt: skip
        return [self.calls[n] for n in left], [self.lane_of(n) for n in left]

    def ended(self) -> None:
        """The frame has ended; one that had failed may have done other things now."""
        if self.recorded.status == "failed" and not self.stands:
            self.session.explained = True


class Match(NamedTuple):
    """A recorded call that stands for one that the program makes.

    Attributes:
        index: among the recorded children.
        recorded: the call; its request may be another one, see ``same``.
    """

    index: int  # type: ignore[assignment]  # of no use as a method of this tuple
    recorded: Recorded


class Given:
    """The answer to a call that takes no further steps."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class TopPlan(Plan):
    """The plan of a whole replay: its one child is the call at the top."""

    __slots__ = ("_top",)

    def __init__(self, top: Recorded, session: Session, source: Any) -> None:
        super().__init__(top, session, source)
        self._top = top
        retry = top.status == "failed" and not top.is_given
        self._retry = frozenset([0] if retry else [])
        self._recorded = RecordedCalls([top.cid], source)
        self._recorded.batch = [top]
        self._lanes = self._paths = None
        self.turns = None

    def start(self, frame: Frame) -> None:
        frame.plan = self
        frame.plain = False
        frame.queue = range(1)

    def awaits_cancellation(self) -> bool:
        return False

    def _complete(self) -> bool:
        return False

    def _search(self, lane: Lane, call: Input) -> Match | None:
        session = self.session
        if session.policy.strict:
            raise session.failed(left("", call, self._top, self._source, None))
        session.changed = True
        return Match(0, self._top) if self.name_of(0) == call.target.name else None


def path_of_next(lane: Lane) -> str:
    """Where the next call of a lane will be in the tree."""
    frame = lane.frame
    if frame.caller is None:  # the call at the top itself
        return ""
    base = frame.path_in_tree()
    slot = str(len(frame.children))
    return f"{base}/{slot}" if base else slot
