# SPDX-License-Identifier: Apache-2.0
"""When an event loop has come to rest: nothing is left to run before something new.

There is no public way to ask. What asyncio's own loops have is used where it is there;
of others nothing is assumed.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio


def _no_loop() -> asyncio.AbstractEventLoop | None:
    return None


#: The loop that runs in this thread, if one does. Importing asyncio takes longer than
#: importing all of enact, so ``hooks.py`` puts the real function here when it is time.
running_loop: Callable[[], asyncio.AbstractEventLoop | None] = _no_loop


def _no_task() -> asyncio.Task[Any] | None:
    return None


#: The task that runs in the loop of this thread, if one does; put here in the same way.
current_task: Callable[[], asyncio.Task[Any] | None] = _no_task


def is_cancellation(error: BaseException) -> bool:
    """Whether an exception is how asyncio cancels a task."""
    from asyncio import CancelledError

    return isinstance(error, CancelledError)


def is_cancelled() -> bool:
    """Whether somebody has cancelled the task that runs; true outside of tasks."""
    from asyncio import current_task

    if running_loop() is None:
        return True
    task = current_task()
    return task is None or task.cancelling() > 0


def task_id() -> int:
    """The ``id`` of the task that runs; 0 outside of tasks."""
    task = None if running_loop() is None else current_task()
    return 0 if task is None else id(task)


def cancellation() -> BaseException:
    """What asyncio raises in a cancelled task."""
    from asyncio import CancelledError

    return CancelledError()


async def forever() -> None:
    """Wait until cancelled."""
    from asyncio import get_running_loop

    await get_running_loop().create_future()


_watches: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Watch] = (
    weakref.WeakKeyDictionary()
)


def when_at_rest(loop: asyncio.AbstractEventLoop, then: Callable[[], None]) -> None:
    """Call ``then`` as soon as the loop has nothing more to run, in order of asking.

    Args:
        loop: the one that runs in this thread.
        then: must not raise.
    """
    watch = _watches.get(loop)
    if watch is None:
        watch = _watches[loop] = _Watch(loop)
    watch.add(then)


class _Watch:
    """One for all who ask about a loop: two would keep each other awake."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._waiting: list[Callable[[], None]] = []
        self._context = Context()

    def add(self, then: Callable[[], None]) -> None:
        self._waiting.append(then)
        if len(self._waiting) == 1:
            self._again()

    def _again(self) -> None:
        loop = self._loop()
        if loop is not None:
            loop.call_soon(self._look, context=self._context)

    def _look(self) -> None:
        if getattr(self._loop(), "_ready", None):
            self._again()
            return
        waiting, self._waiting = self._waiting, []
        for then in waiting:
            then()


# Timers of those who look whether a loop is stuck: they do not count as activity.
_lookers: set[asyncio.TimerHandle] = set()


def look_later(
    loop: asyncio.AbstractEventLoop, seconds: float, look: Callable[[], None]
) -> None:
    """Call ``look`` after a while, without keeping the loop from being idle."""

    def run() -> None:
        _lookers.discard(handle)
        look()

    handle = loop.call_later(seconds, run, context=Context())
    _lookers.add(handle)


# Callbacks of timers that only set limits: of asyncio and anyio, in all versions.
_LIMITS = ("_handle_timeout", "_on_timeout", "_release_waiter", "_timeout")


def has_timer(loop: asyncio.AbstractEventLoop, but_timeouts: bool = False) -> bool:
    """Whether something is known to sleep in the loop.

    Args:
        loop: to look at.
        but_timeouts: leave out what is there to end something that takes long.
    """
    return any(
        not (
            timer.cancelled()
            or timer in _lookers
            or (but_timeouts and _name_of(timer) in _LIMITS)
        )
        for timer in getattr(loop, "_scheduled", ())
    )


def _name_of(timer: asyncio.TimerHandle) -> str | None:
    return getattr(getattr(timer, "_callback", None), "__name__", None)


def is_idle(loop: asyncio.AbstractEventLoop, but_timeouts: bool = False) -> bool:
    """Whether a loop has nothing to run and waits for no timer, file or thread.

    Of a loop that is not asyncio's own this is not known: then it is false.

    Args:
        loop: to look at.
        but_timeouts: as for `has_timer`.
    """
    ready = getattr(loop, "_ready", None)
    selector = getattr(loop, "_selector", None)
    if ready is None or selector is None or ready or has_timer(loop, but_timeouts):
        return False
    if len(selector.get_map() or ()) > 1:  # one is the loop's own wake-up pipe
        return False
    executor: Any = getattr(loop, "_default_executor", None)
    return executor is None or (
        executor._work_queue.empty()
        and executor._idle_semaphore._value >= len(executor._threads)
    )
