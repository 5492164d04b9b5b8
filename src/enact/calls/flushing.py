# SPDX-License-Identifier: Apache-2.0
"""Calls that are awaited return when what they gave is on the disk, many at a time.

A flush takes milliseconds, in which an event loop should do other things. So the end
of a dear call has two parts where it is awaited: its row is written, which the death
of the process cannot undo, and once a flush has come after that, the call returns.
Calls that end while a flush is under way share the next one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from enact.calls import rest
from enact.calls.endings import interrupt
from enact.calls.rest import is_cancellation
from enact.calls.writing import leave

if TYPE_CHECKING:
    import asyncio

    from enact.calls.frames import Frame
    from enact.calls.rest import Loop
    from enact.calls.runs import Run


class Group:
    """Calls that wait for one flush.

    Attributes:
        is_closed: the flush has begun: what is written now comes too late for it.
    """

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.is_closed = False
        self._waiting: list[asyncio.Future[None]] = []

    def begin(self) -> None:
        """The flush begins; called by the thread that does it."""
        self.is_closed = True

    def end(self, error: Exception | None) -> None:
        """The flush has ended; called by the same thread."""
        if not self.loop.is_closed():
            try:
                self.loop.call_soon_threadsafe(self._release, error)
            except RuntimeError:  # it was closed just now, and its tasks with it
                pass

    def _release(self, error: Exception | None) -> None:
        for future in self._waiting:
            if not future.done():
                if error is None:
                    future.set_result(None)
                else:
                    future.set_exception(error)

    def join(self) -> asyncio.Future[None]:
        """What is done when the flush is."""
        future = self.loop.create_future()
        self._waiting.append(future)
        return future


async def flushed(frame: Frame) -> None:
    """Wait until the call is on the disk, and end it.

    Raises:
        StoreUnavailable: the disk does not take it.
    """
    try:
        await _group(frame.run).join()
    except BaseException as error:
        if isinstance(error, Exception):  # it is written, if not on the disk
            leave(frame)
        else:  # to the program, it never returned
            frame.closed = frame.may_wait = False
            frame.unended = None
            interrupt(frame, "cancelled" if is_cancellation(error) else "incomplete")
        raise
    leave(frame)


def _group(run: Run) -> Group:
    loop = rest.running_loop()
    assert loop is not None
    group = run.group
    if group is None or group.is_closed or group.loop is not loop:
        group = run.group = Group(loop)
        assert run.flusher is not None
        run.flusher.flush_soon(group.begin, group.end)
    return group


__all__ = ["flushed"]
