# SPDX-License-Identifier: Apache-2.0
"""trio: its tasks have lanes of their own, and wait for their turns by its means.

Imported when trio has been (``hooks.py``), and never before.
"""

from __future__ import annotations

import asyncio
import functools
import math
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from typing import Any

import trio
from trio import lowlevel

from enact.calls import rest
from enact.calls.awaiting import awaits
from enact.calls.lanes import CURRENT, Lane, lane_of_thread

_start_soon = trio.Nursery.start_soon
_start = trio.Nursery.start


class TrioLoop(rest.OtherLoop):
    """One run of trio, from within."""

    def __init__(self) -> None:
        self._token = lowlevel.current_trio_token()
        self._resting: list[Callable[[], None]] = []
        self._watch = _Watch(self._look_whether_at_rest)
        self._lookers: list[Callable[[], None]] = []
        self._is_busy = False
        # Tasks that have not begun, in the order in which they were started, and
        # those of them that wait for the ones before.
        self._starting: deque[Work] = deque()
        self._held: list[Future] = []

    def create_future(self) -> Future:
        return Future(self)

    def call_soon_threadsafe(self, run: Callable[..., Any], *args: Any) -> None:
        try:
            self._token.run_sync_soon(run, *args)
        except trio.RunFinishedError:
            pass  # and its tasks with it

    def is_closed(self) -> bool:
        return False  # who calls it finds out

    def when_at_rest(self, then: Callable[[], None]) -> None:
        self._resting.append(then)
        if len(self._resting) == 1:
            lowlevel.add_instrument(self._watch)

    def _look_whether_at_rest(self) -> None:
        if not lowlevel.current_statistics().tasks_runnable:
            lowlevel.remove_instrument(self._watch)
            self._token.run_sync_soon(self._rest)

    def _rest(self) -> None:
        resting, self._resting = self._resting, []
        for then in resting:
            then()

    def look_later(self, seconds: float, look: Callable[[], None]) -> None:
        self._lookers.append(look)
        if len(self._lookers) == 1:
            lowlevel.spawn_system_task(self._look, seconds)

    async def _look(self, seconds: float) -> None:
        """One for all who look: the timers of two would keep each other from it."""
        while self._lookers:
            await trio.sleep(seconds)
            # Tasks of this turn of the loop that have not run yet are not counted.
            rested = trio.Event()
            self.when_at_rest(rested.set)
            with trio.move_on_after(seconds) as scope:
                await rested.wait()
            self._is_busy = scope.cancelled_caught
            lookers = self._lookers[:]
            for look in lookers:
                look()
            del self._lookers[: len(lookers)]

    def has_timer(self) -> bool:
        return lowlevel.current_statistics().seconds_to_next_deadline < math.inf

    def is_idle(self) -> bool:
        statistics = lowlevel.current_statistics()
        if self._is_busy or statistics.tasks_runnable or self.has_timer():
            return False
        files = statistics.io_statistics
        waiting = [
            getattr(files, name)
            for name in dir(files)
            if name.startswith("tasks_waiting")
        ]
        if sum(waiting) > 1:  # one is trio's own wake-up pipe
            return False
        return not waits_for_thread(lowlevel.current_root_task())

    def is_cancelled(self) -> bool:
        return trio.current_effective_deadline() == -math.inf

    def pause(self) -> Generator[Any, Any, None]:
        return lowlevel.cancel_shielded_checkpoint().__await__()

    async def sleep(self, seconds: float, shielded: bool = False) -> None:
        with trio.CancelScope(shield=shielded):
            await trio.sleep(seconds)

    def starting(self, work: Work) -> None:
        """A task is being started."""
        self._starting.append(work)

    def not_started(self, work: Work) -> None:
        """It was not, if it has not begun."""
        if work in self._starting:
            self._starting.remove(work)
            self._go_on()

    async def begin(self, work: Work) -> None:
        """Wait for those that were started before: trio begins tasks in any order."""
        while self._starting[0] is not work:
            held = Future(self)
            self._held.append(held)
            await held
        self._starting.popleft()
        self._go_on()

    def _go_on(self) -> None:
        held, self._held = self._held, []
        for one in held:
            one.set_result(None)


class _Watch(trio.abc.Instrument):
    """Looks at what there is to run when all that there was has run."""

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look

    def before_io_wait(self, timeout: float) -> None:
        self._look()


def waits_for_thread(task: lowlevel.Task | None) -> bool:
    """Whether a task, or one below it, waits for what it has a thread do."""
    tasks = [] if task is None else [task]
    for one in tasks:
        tasks += [child for room in one.child_nurseries for child in room.child_tasks]
        if awaits(one.coro, trio.to_thread.run_sync):
            return True
    return False


class Future:
    """What one task of trio awaits until it is set, whoever cancels meanwhile.

    What the task was woken by has happened: it is cancelled where it waits next.
    """

    def __init__(self, loop: TrioLoop) -> None:
        self._task: lowlevel.Task | None = None
        self._loop = loop
        self._is_done = False
        self._error: BaseException | None = None

    def get_loop(self) -> TrioLoop:
        return self._loop

    def done(self) -> bool:
        return self._is_done

    def set_result(self, result: None) -> None:
        self._is_done = True
        if self._task is not None:
            lowlevel.reschedule(self._task)

    def set_exception(self, error: BaseException) -> None:
        self._error = error
        self.set_result(None)

    def __await__(self) -> Any:
        return self._wait().__await__()

    async def _wait(self) -> None:
        if not self._is_done:
            self._task = lowlevel.current_task()
            await lowlevel.wait_task_rescheduled(_go_on_waiting)
        if self._error is not None:
            raise self._error


def _go_on_waiting(_: object) -> lowlevel.Abort:
    return lowlevel.Abort.FAILED


_loop: lowlevel.RunVar[TrioLoop] = lowlevel.RunVar("enact_loop")


def running_loop() -> rest.Loop | None:
    """The loop that runs in this thread: trio's, or else asyncio's."""
    if not lowlevel.in_trio_task():
        return asyncio._get_running_loop()
    try:
        return _loop.get()
    except LookupError:
        loop = TrioLoop()
        _loop.set(loop)
        return loop


def is_cancellation(error: BaseException) -> bool:
    """Whether an exception is how trio cancels a task, or several at once."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_cancellation, error.exceptions))
    return isinstance(error, trio.Cancelled)


class Work:
    """A task, as far as it concerns the call that starts it.

    Args:
        lane: that starts it.
        async_fn: what it is to run.

    Attributes:
        is_done: it runs nothing any more.
    """

    def __init__(self, lane: Lane, async_fn: Callable[..., Any]) -> None:
        thread = threading.get_ident()
        if lane.thread != thread:
            lane = lane_of_thread(lane, thread)
        with lane.frame.lock:
            self._lane = lane.spawn(thread)
        lane.frame.started(self)
        self._async_fn = async_fn
        self.is_done = False
        # What trio calls for the coroutine; it looks at its name.
        self.begin = functools.update_wrapper(functools.partial(self._begin), async_fn)
        loop = running_loop()
        assert isinstance(loop, TrioLoop)
        self._loop = loop
        loop.starting(self)

    def _begin(self, *args: Any, **kwargs: Any) -> Any:
        body = self._async_fn(*args, **kwargs)
        # Of anything else, trio says what is wrong with it.
        return self._run(body) if isinstance(body, Coroutine) else body

    async def _run(self, body: Coroutine[Any, Any, Any]) -> Any:
        CURRENT.set(self._lane)
        await self._loop.begin(self)
        plan = self._lane.frame.plan
        if plan is not None and plan.turns is not None:
            body = plan.turns.drive(self._lane, body)
        try:
            return await body
        finally:
            self.is_done = True

    def not_started(self) -> None:
        """It has begun, or will never."""
        self._loop.not_started(self)


def _tracked_start_soon(
    self: trio.Nursery, async_fn: Any, *args: Any, name: object = None
) -> None:
    lane = CURRENT.get()
    if lane is None or not callable(async_fn):
        return _start_soon(self, async_fn, *args, name=name)
    work = Work(lane, async_fn)
    try:
        _start_soon(self, work.begin, *args, name=async_fn if name is None else name)
    except BaseException:
        work.not_started()
        raise


async def _tracked_start(
    self: trio.Nursery, async_fn: Any, *args: Any, name: object = None
) -> Any:
    lane = CURRENT.get()
    if lane is None or not callable(async_fn):
        return await _start(self, async_fn, *args, name=name)
    work = Work(lane, async_fn)
    name = async_fn if name is None else name
    try:
        return await _start(self, work.begin, *args, name=name)
    finally:
        work.not_started()


def install() -> None:
    """Put the hooks in place; once."""
    rest.running_loop = running_loop
    rest.other_cancellations.append(is_cancellation)
    trio.Nursery.start_soon = _tracked_start_soon  # type: ignore[method-assign,assignment]  # any arguments
    trio.Nursery.start = _tracked_start  # type: ignore[method-assign]  # any arguments
