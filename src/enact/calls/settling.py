# SPDX-License-Identifier: Apache-2.0
"""Below a pause: let what a frame started finish, or pause too.

So all questions are found at once, and nothing that was paid for is cut off.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from enact.calls.rest import is_idle

if TYPE_CHECKING:
    from enact.calls.frames import Frame

_LOOK_AGAIN = 0.005


def settle(frame: Frame) -> None:
    """Wait for the threads and work items that the frame started."""
    from concurrent.futures import Future, wait  # as slow to import as asyncio

    here = threading.current_thread()
    for work in list(frame.started_work or ()):
        if isinstance(work, Future):
            wait([work])
        elif isinstance(work, threading.Thread) and work is not here:
            if not work.daemon:
                work.join()


async def settle_async(frame: Frame) -> None:
    """Wait for the tasks that the frame started, then for threads."""
    import asyncio

    loop = asyncio.get_running_loop()
    here = asyncio.current_task()
    quiet = 0
    while quiet < 2:
        tasks = [
            work
            for work in frame.started_work or ()
            if isinstance(work, asyncio.Task) and work is not here and not work.done()
        ]
        if not tasks:
            break
        await asyncio.wait(tasks, timeout=_LOOK_AGAIN)
        # Workers that wait for more from a queue will never end by themselves.
        quiet = quiet + 1 if is_idle(loop) else 0
    settle(frame)
