# SPDX-License-Identifier: Apache-2.0
"""Below a pause: let what a frame started finish, or pause too.

So all questions are found at once, and nothing that was paid for is cut off.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from enact.calls import rest
from enact.calls.rest import is_idle

if TYPE_CHECKING:
    from enact.calls.frames import Frame

_LOOK_AGAIN = 0.005
# Seconds without a tracked call after which what still runs is left to itself.
_GRACE = 1.0


def settle(frame: Frame) -> None:
    """Wait for the threads and work items that the frame started."""
    from concurrent.futures import Future

    patience = _Patience(frame)
    here = threading.current_thread()
    while True:
        busy = [
            work
            for work in list(frame.started_work or ())
            if (isinstance(work, Future) and not work.done())
            or (isinstance(work, threading.Thread) and work.is_alive())
        ]
        if not any(work is not here for work in busy) or patience.is_over():
            return
        time.sleep(_LOOK_AGAIN)


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
        await asyncio.wait(tasks, timeout=_LOOK_AGAIN)
        # Workers that wait for more from a queue will never end by themselves.
        quiet = quiet + 1 if is_idle(loop) else 0
    settle(frame)


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
