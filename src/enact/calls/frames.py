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
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from enact.calls import layout, rest
from enact.calls.credentials import look_for_live
from enact.calls.exceptions import Failure, capture, reachable
from enact.calls.inputs import Input, PlainInput
from enact.calls.lanes import Lane, Path
from enact.calls.layout import plain_scalar
from enact.calls.order import ASKED, GOES_ON, Teller
from enact.calls.verdicts import RESUMED, RETRIED
from enact.calls.writing import announce, write, write_leaf
from enact.errors import (
    IncompleteSubinvocationError,
    InputChanged,
    Signal,
)
from enact.values import ATOMIC, LIVE, cid_of, decode, redact, redacted_form

if TYPE_CHECKING:
    from enact.calls.calling import Answer
    from enact.calls.layout import Recorded
    from enact.calls.replayer import Plan
    from enact.calls.runs import Run
    from enact.calls.targets import Target
    from enact.calls.versions import Version

clock = time.perf_counter
_get_ident = threading.get_ident

# Raised through a call, these say nothing about it: it just did not finish.
INTERRUPTS = (KeyboardInterrupt, SystemExit, GeneratorExit)


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
        teller: tells the journal of events, once there is more than one lane.
        pending: calls below which a person's answer is missing: lane, slot, identifier
            of the signal, signal.
        failures: exceptions that came out of children.
        plan: what is known from a recording (replay).
        usage: what the program told about this call (``annotate``).
        replaces: the recorded call whose place this one takes (replay).
        below: versions of the code that ran below.
    """

    # Stands for the frame of those who have ended; set below.
    ended: ClassVar[Frame]

    run: Run
    given: Input | PlainInput

    # One lock for all: it is held for a few list operations at most.
    lock = threading.Lock()

    # Most frames are leaves that never touch these: defaults save the setting.
    lanes: list[Path] | None = None
    events: list[int] | None = None
    teller: Teller | None = None
    pending: list[tuple[Path, int, bytes, Signal]] | None = None
    failures: list[Failure] | None = None
    started_work: list[Any] | None = None
    unwound: list[bytes] | None = None
    plan: Plan | None = None
    below: set[Any] | None = None
    origin: str | None = None
    verdict: str | None = None
    replaces: bytes | None = None
    closed = False
    announced = False
    watched = False
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
    # Which sample of its request it draws, in a search.
    draw: int | None = None

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
        self.children: list[Any] = []
        parent = caller.frame
        self.run = run = parent.run
        if verdict is not None:
            self.verdict = verdict
        if recorded is not None:
            self.replaces = recorded.cid
        if caller is parent and not (caller.spawned or caller.unwinding):
            # As ``enter`` does, for most calls by far.
            siblings = parent.children
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

    @property
    def call_input(self) -> Input:
        """The invokable and the input, as they were when it started.

        Most calls come to their end without: see ``write_leaf``.
        """
        made = self.given = Input.of(self.target, self.given)
        return made

    # --- children ---------------------------------------------------------------

    def enter(self, lane: Lane, child: Frame | Answer) -> int:
        """Note that a call starts in ``lane``; gives its slot."""
        children = self.children
        if lane is self and not self.spawned:
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
            if not self.watched:
                self._watch()
            return slot

    def _become_concurrent(self, slot: int) -> tuple[list[Path], list[int]]:
        """Start to keep lanes and events: what was before was one call at a time."""
        lanes: list[Path] = [()] * slot
        events: list[int] = []
        self.teller = teller = Teller()
        for index, child in enumerate(self.children[:slot]):
            events.append(0)
            if type(child) is bytes:
                events.append(index + 1)
                teller.answered[index] = child
        self.lanes = lanes
        self.events = events
        return lanes, events

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

    def ending(self, slot: int, blocks: layout.Blocks) -> bytes | None:
        """The call in ``slot``, which ran, ends: what its row is to tell of the order.

        None while one call is made at a time.

        Args:
            slot: of the call.
            blocks: that are written with the row; those of what is told are added.
        """
        if self.events is None:
            return None

        def in_flight(slot: int) -> bytes | None:
            child = self.children[slot]
            if type(child) is not Frame or child.closed or child.announced:
                return None
            if child.replaces is not None:
                goes_on = child.verdict in (RESUMED, RETRIED)
                return GOES_ON + child.replaces if goes_on else None
            asked = Input.of(child.target, child.given).in_flight()
            blocks.extend(asked)
            return ASKED + asked[-1][0]

        with self.lock:
            self._note(slot + 1)
            assert self.teller is not None and self.lanes is not None
            return self.teller.tell(self.events, self.lanes, in_flight)

    def ended_as(self, slot: int, cid: bytes, order: bytes | None) -> None:
        """The call in ``slot`` is written; ``order`` is what ``ending`` gave."""
        if order is not None or (self.lanes is None and not self.spawned):
            self.children[slot] = cid
            return
        with self.lock:
            self.children[slot] = cid
            if self.events is not None:  # calls began to overlap just now
                self._note(slot + 1)

    def _note(self, event: int) -> None:
        assert self.events is not None
        self.events.append(event)
        if not self.watched:
            self._watch()

    def _watch(self) -> None:
        """Note when all that can react to the event just noted has done so."""
        if self.plan is not None and self.plan.has_turns():
            return  # what is replayed rests where it was recorded to rest
        loop = rest.running_loop()
        if loop is not None:
            self.watched = True
            rest.when_at_rest(loop, self._rested)

    def _rested(self) -> None:
        self.watched = False
        self.note_rest()

    def note_rest(self) -> None:
        """All that could react to the last event has done so."""
        if self.events is not None and not self.closed:
            self.events.append(layout.REST)

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

    # --- ends -------------------------------------------------------------------

    def complete(self, output: Any) -> Any:
        """The call returned ``output``; gives what its caller gets."""
        if self.closed:
            return output
        duration = clock() - self.begun
        given = self.given
        if type(given) is tuple and self.plain and not self.children:
            data = plain_scalar(output)
            if data is not None:
                if LIVE:
                    look_for_live(self.target, data, [], "output")
                write_leaf(self, given[2], output, data, duration)
                return output
        call_input = self.call_input
        target = self.target
        if self.pending:
            raise self.pause(duration)
        wrong: BaseException | None = self._running_children() or self._changed_input()
        if wrong is None and self.plan is not None:
            wrong = self.plan.left_over(self)
        if wrong is not None:
            raise self.fail(wrong)
        if target.check_output is not None:
            try:
                target.check_output(output)
            except Exception as error:
                raise self.fail(error) from None
        details = None
        kind = type(output)
        if kind not in ATOMIC:
            returned = call_input.alias(output)
            if returned is not None:
                details = layout.Details()
                details.returned = returned
        blocks = call_input.blocks
        # What is returned because it came in is not taken from the record.
        withheld: list[object] | None = None if details is None else []
        chunks: layout.Blocks = []
        data, opaque = self.run.encode(output, chunks, self, "output", withheld)
        if LIVE:
            look_for_live(target, data, chunks, "output")
        blocks += chunks
        output_cid = cid_of(data)
        blocks.append((output_cid, data))
        if opaque or call_input.opaque:
            details = details or layout.Details()
            details.opaque = True
        write(self, details, duration, output_cid, None, False, "completed")
        return output

    def settle(self, output: bytes, origin: str) -> Any:
        """End with an outcome that somebody gave; its value."""
        self.origin = origin
        write(self, None, clock() - self.begun, output, None, False, "completed")
        store = self.run.store
        return decode(store.load_block(output), store)

    def fail(self, error: BaseException) -> BaseException:
        """The call raised ``error``; gives what its caller is to see."""
        if self.closed:
            return error
        duration = clock() - self.begun
        call_input = self.call_input
        if isinstance(error, INTERRUPTS):
            self.interrupt("incomplete", duration)
            return error
        if isinstance(error, Signal) and not self.pending:
            # Raised by this very call: it is the one that asks.
            return self._ask(error, duration)
        if self.pending:
            return self.pause(duration)
        if rest.is_cancellation(error) and (rest.is_cancelled() or self._pausing()):
            self.interrupt("cancelled", duration)
            return error
        if not isinstance(error, (InputChanged, IncompleteSubinvocationError)):
            changed = self._changed_input()
            if changed is not None:
                changed.__cause__ = error
                error = changed
        self._abandon_children()
        details = None
        raised_cid, here, opaque = self._raised(error)
        retry = reachable(error, self.failures)
        if retry or opaque or call_input.opaque:
            details = layout.Details()
            details.retry = retry or None
            details.opaque = True if opaque or call_input.opaque else None
        write(self, details, duration, None, raised_cid, here, "failed")
        self._tell_caller(error, raised_cid)
        return error

    def pause(self, duration: float) -> BaseException:
        """End paused: below this call a person's answer is missing."""
        pending = self.pending
        assert pending is not None
        self._abandon_children()
        pending.sort(key=lambda entry: (entry[0], entry[1]))
        _, _, raised_cid, signal = pending[0]
        details = layout.Details()
        details.status = "paused"
        write(self, details, duration, None, raised_cid, False, "paused")
        self._tell_caller_pending(raised_cid, signal)
        return signal

    def interrupt(self, status: str, duration: float | None = None) -> None:
        """End without an outcome: interrupted, cancelled, or cut off."""
        if self.closed:
            return
        if duration is None:
            duration = clock() - self.begun
        self._abandon_children()
        caller = self.caller
        if status == "cancelled" and self._pausing():
            # Not the program's own decision: a pause takes the tasks down.
            status = "incomplete"
        details = layout.Details()
        details.status = status
        self._set_aside_cleanup()
        write(self, details, duration, None, None, False, status)
        if status == "incomplete" and caller.frame.cleanup_from is None:
            caller.frame.cleanup_from = len(caller.frame.children)

    def _set_aside_cleanup(self) -> None:
        """Calls made after an interrupt went through are no part of what is replayed.

        Had the program gone on from the interrupt, they would be.
        """
        start = self.cleanup_from
        if start is None or self.lanes is not None:
            return
        self.unwound = [*(self.unwound or ()), *self.children[start:]] or None
        del self.children[start:]

    def _pausing(self) -> bool:
        frame: Frame | None = self
        while frame is not None:
            if frame.pending:
                return True
            frame = frame.caller.frame if frame.caller is not None else None
        return False

    def _ask(self, signal: Signal, duration: float) -> BaseException:
        raised_cid, _, _ = self._raised(signal)
        details = layout.Details()
        details.status = "paused"
        write(self, details, duration, None, raised_cid, True, "paused")
        self._tell_caller_pending(raised_cid, signal)
        return signal

    def _tell_caller(self, error: BaseException, raised_cid: bytes) -> None:
        caller = self.caller
        if caller is not None and self.slot >= 0:
            frame = caller.frame
            if frame.failures is None:
                frame.failures = []
            frame.failures.append(Failure(error, self.slot, raised_cid))

    def _tell_caller_pending(self, raised_cid: bytes, signal: Signal) -> None:
        caller = self.caller
        caller.unwinding = True
        frame = caller.frame
        frame.plain = False
        if self.slot >= 0:
            if frame.pending is None:
                frame.pending = []
            frame.pending.append((caller.path, self.slot, raised_cid, signal))

    def _raised(self, error: BaseException) -> tuple[bytes, bool, bool]:
        """Identifier of what was raised, whether here, whether it lacks a part."""
        withheld = self.run.withheld
        for known, _, cid, _ in self.failures or ():
            if known is error:
                return cid, False, cid in withheld
        blocks = self.call_input.blocks
        data, opaque = capture(error, self.run, blocks, self)
        cid = cid_of(data)
        blocks.append((cid, data))
        if opaque:
            withheld.add(cid)
        return cid, True, opaque

    def _name(self) -> str:
        return f"{self.path_in_tree() or 'at the top'} of {self.target.name!r}"

    def _running_children(self) -> IncompleteSubinvocationError | None:
        if self.lanes is None:
            return None
        running = [c for c in self.children if type(c) is not bytes]
        if not running:
            return None
        names = ", ".join(sorted({c.target.name for c in running}))
        return IncompleteSubinvocationError(
            f"call {self._name()} returned while calls of {names} still run: await "
            "or join what it starts before it returns"
        )

    def _abandon_children(self) -> None:
        """Write down, as incomplete, the children that still run."""
        for slot, child in enumerate(list(self.children)):
            if type(child) is not bytes:
                child.interrupt("incomplete")
                if type(child) is Frame:
                    self._await_written(slot, child)

    def _await_written(self, slot: int, child: Frame) -> None:
        """See that a child is written whose end another thread, or an error, broke."""
        patience = time.monotonic() + 1.0
        while self.children[slot] is child:
            if child.thread == _get_ident() or time.monotonic() > patience:
                # It was being written when Python ran out of stack or memory.
                child.closed = False
                child.interrupt("incomplete")
                return
            time.sleep(0.0001)

    def _changed_input(self) -> InputChanged | None:
        call_input = self.call_input
        if call_input.receiver is not None:
            try:
                call_input.require_restorable(self.run)
            except InputChanged as error:
                return error
        path = None if call_input.fixed else call_input.changed(self.run)
        if path is None:
            return None
        return InputChanged(
            f"call {self._name()} changed its argument in place at {path}: work on a "
            "copy (`enact.deepcopy`), or return what is new"
        )


class Top(Frame):
    """The frame above the first call: it neither runs nor ends."""

    announced = True  # there is nothing to announce

    def __init__(self, run: Run) -> None:
        self.frame = self
        self.thread = _get_ident()
        self.run = run
        self.target = self.caller = None
        self.children = []


class _Ended(Frame):
    """Stands for the frame of lanes whose call has ended."""

    def __init__(self) -> None:
        self.frame = self
        self.closed = True


Frame.ended = _Ended()


__all__ = ["INTERRUPTS", "Frame", "Top", "clock"]
