# SPDX-License-Identifier: Apache-2.0
"""Late calls: what a replay does while a call takes longer than it did.

Code that runs again may sleep, or wait for a socket, where answers from the record take
no time. In a loop that does not rest the other tasks would go on meanwhile, and note
things that they noted after that call. They wait for it instead, unless it waits for
them: then the event loop has nothing left to do, or nothing moves for a while.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from enact.calls import rest
from enact.calls.stuck import LAST_PATIENCE, LOOK, LOOK_AGAIN, Stillness

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from enact.calls.lanes import Lane


class LateCall:
    """Tasks that wait for a call that is late.

    Args:
        is_held_up: whether a lane still waits for one.
        moved: what is another one when something has moved.

    Attributes:
        is_given_up: it was in vain once, so nobody waits any more.
    """

    __slots__ = ("_is_held_up", "_loop", "_moved", "_quiet", "_still", "_waiting",
                 "is_given_up")  # fmt: skip

    def __init__(
        self, is_held_up: Callable[[Lane], bool], moved: Callable[[], object]
    ) -> None:
        self._is_held_up = is_held_up
        self._moved = moved
        self._waiting: list[tuple[Lane, Any]] = []
        self._quiet = 0
        self.is_given_up = False

    @property
    def is_awaited(self) -> bool:
        """Whether a task waits."""
        return bool(self._waiting)

    def wait(self, lane: Lane, loop: AbstractEventLoop) -> Any:
        """What the task of a lane is to await; the loop is the one that runs here."""
        future = loop.create_future()
        if not self._waiting:
            self._loop = loop
            self._still = Stillness(LOOK)
            self._quiet = 0
            rest.look_later(loop, LOOK_AGAIN, self._look)
        self._waiting.append((lane, future))
        return future

    def release(self) -> bool:
        """Let those go on that wait for it no more; false for none."""
        if not self._waiting:
            return False
        waiting, self._waiting = self._waiting, []
        ready: Any = getattr(self._loop, "_ready", None)
        before = len(ready or ())
        for lane, future in waiting:
            if self._is_held_up(lane):
                self._waiting.append((lane, future))
            else:
                rest.resolve(future)
        if ready is not None:  # they were there before all others
            ready.rotate(len(ready) - before)
        return len(self._waiting) < len(waiting)

    def _look(self) -> None:
        if not self._waiting:
            return
        # Twice in a row: a callback from a thread may just be on its way.
        self._quiet = self._quiet + 1 if rest.is_idle(self._loop) else 0
        if self._quiet > 1 or self._still.look(self._moved()) > LAST_PATIENCE:
            self.is_given_up = True
        self.release()
        if self._waiting:
            rest.look_later(self._loop, LOOK_AGAIN, self._look)
