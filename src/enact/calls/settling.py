# SPDX-License-Identifier: Apache-2.0
"""Below a pause: let what a frame started finish, or pause too.

So all questions are found at once, and nothing that was paid for is cut off.
"""

from __future__ import annotations

import functools
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from enact.calls import rest
from enact.calls.rest import is_idle, look_later

if TYPE_CHECKING:
    import asyncio

    from enact.calls.frames import Frame

_LOOK_AGAIN = 0.005
# Seconds without a tracked call after which what still runs is left to itself.
_GRACE = 1.0
# How often in a row nothing is to be done until a frame is known to be stuck.
_QUIET = 4


def settle(frame: Frame) -> None:
    """Wait for the threads, processes and work items that the frame started."""
    patience = _Patience(frame)
    here = threading.current_thread()
    while True:
        busy = [work for work in list(frame.started_work or ()) if _is_busy(work)]
        if not any(work is not here for work in busy) or patience.is_over():
            return
        time.sleep(_LOOK_AGAIN)


def _is_busy(work: Any) -> bool:
    if hasattr(work, "is_alive"):  # a thread or a process
        return bool(work.is_alive())
    if hasattr(work, "done"):  # an item of work for an executor, or a task
        return isinstance(work, Future) and not work.done()
    ready = getattr(work, "ready", None)  # or for a pool of processes
    return ready is not None and not ready()


async def settle_async(frame: Frame) -> None:
    """Wait for the tasks that the frame started, then for threads."""
    loop = rest.running_loop()
    patience = _Patience(frame)
    if isinstance(loop, rest.OtherLoop):
        await _settle_other(frame, loop, patience)
        settle(frame)
        return
    import asyncio

    assert loop is not None
    here = asyncio.current_task()
    quiet = 0
    while quiet < 2:
        tasks = [
            work
            for work in frame.started_work or ()
            if isinstance(work, asyncio.Task) and work is not here and not work.done()
        ]
        if not tasks or patience.is_over():
            break
        await _a_moment(loop)
        # Workers that wait for more from a queue will never end by themselves.
        quiet = quiet + 1 if is_idle(loop) else 0
    settle(frame)


async def _a_moment(loop: asyncio.AbstractEventLoop) -> None:
    # A timer of the program's would be in the record.
    future = loop.create_future()
    look_later(loop, _LOOK_AGAIN, functools.partial(rest.resolve, future))
    await future


async def _settle_other(
    frame: Frame, loop: rest.OtherLoop, patience: _Patience
) -> None:
    """Wait for tasks that have been started where others wait for them (trio)."""
    quiet = 0
    while quiet < 2 and not patience.is_over():
        works = [getattr(work, "is_done", True) for work in frame.started_work or ()]
        if all(works):
            break
        await loop.sleep(_LOOK_AGAIN, shielded=True)
        quiet = quiet + 1 if is_idle(loop) else 0


def end_if_stuck(frame: Frame) -> None:
    """See that a frame ends that waits for what only a person's answer would bring.

    The signal may not come out of where the question was asked: nobody awaits a
    callback, or the task waits for an event that the one that asked would have set.
    When nothing is left to run, the task of the frame is cancelled.
    """
    import asyncio

    loop = rest.running_loop()
    if loop is None or isinstance(loop, rest.OtherLoop):
        return  # there whoever starts a task waits for it, and gets the signal
    tasks = [task for task in asyncio.all_tasks(loop) if id(task) == frame.task]
    if frame.ends_if_stuck or not tasks:
        return
    frame.ends_if_stuck = True
    (task,) = tasks
    quiet = 0

    def look() -> None:
        nonlocal quiet
        if frame.closed or task.done():
            return
        quiet = quiet + 1 if is_idle(loop) else 0
        if quiet == _QUIET:
            frame.stuck_task = task
            task.cancel()
        look_later(loop, _LOOK_AGAIN, look)

    look_later(loop, _LOOK_AGAIN, look)


class _Patience:
    """Waits while tracked calls are under way, and a little longer.

    A heartbeat, or a thread that waits for what comes after the answer, never ends.
    """

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._until = time.monotonic() + _GRACE

    def is_over(self) -> bool:
        now = time.monotonic()
        if any(type(child) is not bytes for child in self._frame.children):
            self._until = now + _GRACE
        return now > self._until
