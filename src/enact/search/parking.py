# SPDX-License-Identifier: Apache-2.0
"""Parking: executions that stand at their branch points until they are extended.

A plain program stands in a thread of its own, an async one as a task of its loop. What
is extended first goes on where it stands; further extensions of the same node replay
its record, and so do those of a node that had to make room.
"""

from __future__ import annotations

import abc
import contextlib
import contextvars
import ctypes
import queue
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

from enact.calls.execution import Outcome, Task, execute, execute_async

if TYPE_CHECKING:
    import asyncio

    from enact.calls.policy import Policy
    from enact.calls.runs import Origin
    from enact.calls.standing import Standing
    from enact.search.drawing import Drawing

PATIENCE = 2.0
"""Seconds that an execution may take outside of its draws before those that stand make
way: they may hold a lock that it waits for."""

IN_CALL = 60.0
"""Likewise, within a draw."""

_AT_ONCE = 0.1


class _GoOn(NamedTuple):
    policy: Policy
    origin: Origin


class Seat(abc.ABC):
    """Where one execution runs, and stands.

    Attributes:
        is_async: see ``enact.calls.standing.Place``.
        drawing: of the step that is under way, or that came last.
        standing: while it stands.
    """

    is_async = False

    def __init__(self, drawing: Drawing) -> None:
        self.drawing = drawing
        self.standing: Standing | None = None
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    @abc.abstractmethod
    def begin(self, task: Task, context: contextvars.Context) -> None:
        """Let it run to its first branch point, or to its end."""

    def go_on(self, drawing: Drawing, order: _GoOn) -> None:
        """Let it run from where it stands."""
        drawing.accepted = self.drawing.accepted
        self.drawing = drawing
        drawing.place = self
        self.standing = None
        self._send(order)

    def leave(self) -> None:
        """Let it unwind."""
        self.standing = None
        self._send(None)

    @abc.abstractmethod
    def _send(self, order: _GoOn | None) -> None:
        """Tell it to go on; with None, to unwind."""

    def answer(self, seconds: float | None = None) -> Outcome | None:
        """Wait till it stands or has ended; None where it can stand no longer.

        Raises:
            queue.Empty: it took longer.
        """
        answer: Outcome | BaseException | None = self._answers.get(timeout=seconds)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def interrupt(self) -> None:
        """Raise ``KeyboardInterrupt`` in it, once it runs code of Python's."""
        # A task runs in the main thread, where Python raises it by itself.
        return

    async def wait_async(self, standing: Standing) -> None:
        """See ``Place``; only tasks are asked to."""
        raise TypeError("a thread does not wait in an event loop")

    def wait(self, standing: Standing) -> None:
        """See ``Place``; only threads are asked to."""
        raise TypeError("a task does not block its event loop")


class _ThreadSeat(Seat):
    def __init__(self, drawing: Drawing) -> None:
        super().__init__(drawing)
        self._orders: queue.SimpleQueue[Any] = queue.SimpleQueue()
        thread = threading.Thread(target=self._work, name="enact-search", daemon=True)
        self._thread = thread
        # It is no thread of the call that the search is.
        contextvars.Context().run(thread.start)

    def begin(self, task: Task, context: contextvars.Context) -> None:
        self._orders.put((context, task))

    def _work(self) -> None:
        with contextlib.suppress(KeyboardInterrupt):  # which came too late
            self._serve()

    def _serve(self) -> None:
        while True:
            work = self._orders.get()
            if work is None:
                return
            context, task = work
            try:
                self._answers.put(context.run(execute, task))
            except BaseException as error:  # of the framework, not of the program
                self._answers.put(error)
            del work, context, task

    def _send(self, order: _GoOn | None) -> None:
        self._orders.put(order)

    def wait(self, standing: Standing) -> None:
        self.standing = standing
        self._answers.put(standing.outcome)
        order = self._orders.get()
        if order is None:
            raise standing.give_up()
        standing.go_on(*order)

    def interrupt(self) -> None:
        ident = ctypes.c_ulong(self._thread.ident or 0)
        kind = ctypes.py_object(KeyboardInterrupt)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, kind)

    def stop(self) -> None:
        """End the thread, which does nothing."""
        self._orders.put(None)
        self._thread.join(PATIENCE)


class _TaskSeat(Seat):
    is_async = True

    def __init__(self, drawing: Drawing, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(drawing)
        self._loop = loop
        self._order: asyncio.Future[_GoOn | None] | None = None
        self._task: Any = None

    def begin(self, task: Task, context: contextvars.Context) -> None:
        import asyncio

        start = asyncio.run_coroutine_threadsafe
        self._task = context.run(start, self._work(task), self._loop)

    async def _work(self, task: Task) -> None:
        try:
            self._answers.put(await execute_async(task))
        except BaseException as error:  # of the framework, not of the program
            self._answers.put(error)

    def _send(self, order: _GoOn | None) -> None:
        waiting = self._order
        assert waiting is not None
        self._loop.call_soon_threadsafe(self._pass_on, waiting, order)

    def _pass_on(self, waiting: asyncio.Future[Any], order: _GoOn | None) -> None:
        if waiting.done():  # the program has ended it meanwhile, say by a timeout
            self._answers.put(None)
        else:
            waiting.set_result(order)

    async def wait_async(self, standing: Standing) -> None:
        waiting = self._order = self._loop.create_future()
        self.standing = standing
        self._answers.put(standing.outcome)
        try:
            order = await waiting
        except BaseException:
            waiting.cancel()
            self._answers = queue.SimpleQueue()  # nobody waits for what comes of it
            standing.give_up()
            raise
        if order is None:
            raise standing.give_up()
        standing.go_on(*order)


class Lot:
    """The executions of a search that stand; safe for threads.

    Args:
        capacity: how many there may be; 0 for none: all unwind.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._standing: OrderedDict[bytes, list[Seat]] = OrderedDict()
        self._count = 0
        # How many went on where they stood, and how many had to make room: of those
        # some are forgotten in time.
        self._went_on = 0
        self._in_vain = 0.0
        self._idle: list[_ThreadSeat] = []
        self._lock = threading.Lock()

    def is_worth_it(self) -> bool:
        """Whether the next one is to stand; not if most had to make room before."""
        if not self.capacity:
            return False
        if self._in_vain < 8 * self.capacity or self._in_vain < 4 * self._went_on:
            return True
        self._in_vain -= 0.125
        return False

    def start(
        self,
        task: Task,
        drawing: Drawing,
        context: contextvars.Context,
        loop: asyncio.AbstractEventLoop | None,
    ) -> Outcome:
        """Let an execution run to its next branch point, or to its end.

        Args:
            task: what to execute; its policy has ``drawing``.
            drawing: of this step.
            context: to run in.
            loop: for async programs.
        """
        seat: Seat | None = None
        if loop is not None:
            seat = _TaskSeat(drawing, loop)
        else:
            with self._lock:
                seat = self._idle.pop() if self._idle else None
            if seat is None:
                seat = _ThreadSeat(drawing)
            seat.drawing = drawing
        drawing.place = seat
        seat.begin(task, context)
        outcome = self._follow(seat)
        assert outcome is not None
        return outcome

    def go_on(
        self, start: bytes, drawing: Drawing, policy: Policy, origin: Origin
    ) -> Outcome | None:
        """Let an execution go on that stands where ``start`` was recorded.

        Returns:
            None if none does: a replay has to get there.
        """
        with self._lock:
            seats = self._standing.get(start)
            if not seats:
                return None
            seat = seats.pop()
            self._count -= 1
            self._went_on += 1
            if not seats:
                del self._standing[start]
        seat.go_on(drawing, _GoOn(policy, origin))
        return self._follow(seat)

    def _follow(self, seat: Seat) -> Outcome | None:
        """Wait until an execution stands or has ended."""
        outcome = self._await(seat)
        if outcome is None:
            return None
        if seat.standing is None:
            seat.drawing.place = None
            self._set_free(seat)
            return outcome
        assert outcome.cid is not None
        with self._lock:
            self._standing.setdefault(outcome.cid, []).append(seat)
            self._standing.move_to_end(outcome.cid)
            self._count += 1
        self._make_room(self.capacity)
        return outcome

    def _await(self, seat: Seat) -> Outcome | None:
        began = time.monotonic()
        try:
            while True:
                try:
                    return seat.answer(PATIENCE)
                except queue.Empty:
                    took = time.monotonic() - began
                    if self._count and (took > IN_CALL or not seat.drawing.in_call):
                        self._let_pass(seat)
        except KeyboardInterrupt:
            seat.interrupt()
            seat.answer()
            if seat.standing is not None:  # the program went on all the same
                seat.leave()
                seat.answer()
            self._set_free(seat)
            raise

    def _let_pass(self, seat: Seat) -> None:
        """One takes long: it may wait for what others hold while they stand."""
        self._make_room(0)
        try:
            outcome = seat.answer(_AT_ONCE)
        except queue.Empty:
            return
        self.capacity = 0  # so it did, and so will others
        seat._answers.put(outcome)

    def _make_room(self, capacity: int) -> None:
        """Let those unwind that stand the longest."""
        leaving: list[Seat] = []
        with self._lock:
            while self._count > capacity:
                cid, seats = next(iter(self._standing.items()))
                leaving.append(seats.pop(0))
                self._count -= 1
                self._in_vain += 1
                if not seats:
                    del self._standing[cid]
        for seat in leaving:
            seat.leave()
        for seat in leaving:
            try:
                seat.answer(PATIENCE)
            except queue.Empty:  # it ends when it ends
                continue
            self._set_free(seat)

    def _set_free(self, seat: Seat) -> None:
        if isinstance(seat, _ThreadSeat):
            with self._lock:
                self._idle.append(seat)

    def close(self) -> None:
        """Let all unwind, and end their threads."""
        self._make_room(0)
        with self._lock:
            idle, self._idle = self._idle, []
        for seat in idle:
            seat.stop()
