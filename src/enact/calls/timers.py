# SPDX-License-Identifier: Apache-2.0
"""Timers of an event loop, and time limits: what goes off when no call ends or starts.

A timer that the program sets (``call_later``, ``call_at``) is a lane from then on, so
that its calls are told from those of others whichever goes off first; what a timer or
callback sets itself goes on with its lane. A limit (``asyncio.timeout``, ``wait`` with
a timeout, ``call_later(1, event.set)``) makes no calls: it is the n-th of its lane.

A record has when each of these went off, among the starts and ends of calls: an
*alarm*, ``[place, others, *name]``. In a replay, where calls take no time, each goes
off then, and those that did not go off before all that is recorded do not. ``others``
is how many starts and ends came before who waited for it: of tasks that the event loop
was about to resume when it went off.
"""

from __future__ import annotations

import contextvars
import functools
import threading
from collections.abc import Callable
from typing import Any

from enact.calls import rest
from enact.calls.drivers import Turn
from enact.calls.lanes import CURRENT, Lane, Path

# What these set makes no calls.
_OWN = ("asyncio.", "concurrent.", "anyio.", "enact.")

# What wakes a program, of a future, an event, a queue, a semaphore or a task.
_WAKES = ("cancel", "put_nowait", "release", "set", "set_exception", "set_result")
_WAKERS = {"_asyncio"} | {
    f"asyncio.{name}" for name in ("events", "futures", "locks", "queues", "tasks")
}

# Event loops are early by less than this, in seconds. A scope of anyio would set one
# more timer then, which no other execution has.
_LATER = 1e-5


class Alarm:
    """What a timer calls.

    Args:
        loop: of the timer.
        lane: that it goes off in: its own, or that of who set a limit.
        name: in the record.
        callback, args: as given.
        may_be_early: it does nothing but what it is to do when it goes off; others may
            look at the time.
    """

    handle: Any
    _context: contextvars.Context

    def __init__(
        self,
        loop: Any,
        lane: Lane,
        name: Path,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        may_be_early: bool,
    ) -> None:
        self.loop = loop
        self._lane = lane
        self._name = name
        self._callback = callback
        self._args = args
        self._event: int | None = None  # in the recorded order
        self._is_over = False
        #: Whether it may go off when the record has it.
        self.is_ready = may_be_early
        # By which limits are told from what sleeps.
        self.__name__ = getattr(callback, "__name__", type(callback).__name__)

    def __call__(self) -> None:
        """The time has come."""
        turns = self._turns
        self.is_ready = True
        if self._is_over:
            return
        if turns is None:
            self.go_off()
        elif self._event is not None:
            turns.alarms.look()
            self._park(turns)  # should nothing move any more, it goes off all the same
        else:
            self._go_off_last(turns)

    def set(self, handle: Any) -> None:
        """The timer is set: if it went off in the record, it is to do so then.

        Args:
            handle: of the timer.
        """
        self.handle = handle
        self._context = contextvars.copy_context()
        turns = self._turns
        if turns is not None:
            self._event = turns.alarms.expect(self, self._lane.path, self._name[-1])

    @property
    def _turns(self) -> Any:
        plan = self._lane.frame.plan
        return None if plan is None or plan.elsewhere is not None else plan.turns

    def _go_off_last(self, turns: Any) -> None:
        """It did not go off before the end of what is recorded, so it does not now."""
        session = self._lane.frame.run.session
        if turns.used_up() or session.changed or session.error is not None:
            self.go_off()
        else:
            self._park(turns)

    def _park(self, turns: Any) -> None:
        turn = turns.park(self._lane.path)
        turn.future.add_done_callback(functools.partial(self._wake, turns, turn))

    def _wake(self, turns: Any, turn: Turn, _: object) -> None:
        turns.goes_on(self._lane)
        if turn.is_released or turns.used_up():
            # The program may be about to do without it.
            rest.when_at_rest(self.loop, self._go_off_unless_over)
        elif not (self._is_over or self.handle.cancelled()):
            self._park(turns)

    def _go_off_unless_over(self) -> None:
        if self._is_over or self.handle.cancelled():
            return
        turns = self._turns  # none, if the call has ended meanwhile
        if self._event is not None and turns is not None:
            turns.alarms.forget(self._event)
        self.go_off()

    def go_off(self) -> None:
        """Do what it is there for."""
        self._is_over = True
        if self.handle.cancelled():
            self._is_seen()
            return
        self.handle.cancel()  # if it is early
        frame = self._lane.frame
        alarm = frame.note_alarm(self._name)
        if self._name[-1] < 0:  # the calls that it makes come after it
            self._is_seen()
            self._context.run(self._callback, *self._args)
            return
        # Tasks that the loop was about to resume come before who waits for it; and who
        # does so reacts before what came next in the record.
        if alarm is not None:
            self.loop.call_soon(frame.note_alarm_seen, alarm)
        self._context.run(self._callback, *self._args)
        self.loop.call_soon(self._is_seen)

    def _is_seen(self) -> None:
        turns = self._turns
        if self._event is not None and turns is not None:
            turns.happened(self._event, True)


def _is_here(lane: Lane) -> bool:
    """Whether a lane runs here; others are named when they make a call."""
    if lane.thread != threading.get_ident():
        return False
    task = rest.current_task()
    if task is None:
        return lane.is_callback
    return not lane.is_callback and lane.task in (0, id(task))


def _is_limit(callback: Any) -> bool:
    """Whether a timer wakes the program, or ends something, and makes no calls."""
    if rest.is_limit(callback):
        return True
    owner = type(getattr(callback, "__self__", None)).__module__
    name = getattr(callback, "__name__", None)
    return name in _WAKES and owner in _WAKERS


def tracked_call_at(
    original: Callable[..., Any],
    loop: Any,
    when: float,
    callback: Callable[..., object],
    args: tuple[Any, ...],
    options: dict[str, Any],
) -> Any:
    """Set a timer; if a tracked call does, as a lane or limit of that.

    Args:
        original: the method ``call_at`` of event loops.
        loop, when, callback, args, options: its arguments.
    """
    lane = CURRENT.get()
    if lane is None or options.get("context") is not None or not _is_here(lane):
        return original(loop, when, callback, *args, **options)
    child = lane
    module = getattr(callback, "__module__", None) or "asyncio."
    if _is_limit(callback):
        name = (*lane.path, lane.limits)
        lane.limits += 1
        if module.startswith("anyio."):
            when += _LATER
    elif module.startswith(_OWN):
        return original(loop, when, callback, *args, **options)
    else:
        if not lane.is_callback:
            with lane.frame.lock:
                child = lane.spawn_timer()
        name = child.path
    may_be_early = name[-1] >= 0 and module.startswith("asyncio.")
    alarm = Alarm(loop, child, name, callback, args, may_be_early)
    token = CURRENT.set(child)
    try:
        handle = original(loop, when, alarm, **options)
        alarm.set(handle)
    finally:
        CURRENT.reset(token)
    return handle
