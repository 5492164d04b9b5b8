# SPDX-License-Identifier: Apache-2.0
"""When a replay stands still: nothing moves, and lanes wait for their turns."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from enact.calls.awaiting import awaits
from enact.calls.rest import OtherLoop, has_timer, is_idle, look_later

if TYPE_CHECKING:
    from enact.calls.rest import Loop
    from enact.calls.turns import Turns

# How long nothing may move before a lane goes on out of turn: what it waits for may
# hang on something that cannot be seen from here, such as a socket or a sleeping
# thread. An event loop that has nothing left to do is known to be stuck at once.
PATIENCE = 5.0
# The same for a lane that waits for all others, whatever sleeps: that one of them polls
# for what it would do is likelier than that one sleeps for longer.
LAST_PATIENCE = 1.0
LOOK_AGAIN = 0.002

# What one look at an event loop counts for at most.
LOOK = 0.02


class Stillness:
    """For how long nothing has moved, as far as this process ran meanwhile.

    The clock goes on while a machine is too busy to run it, or has stopped it. Who is
    awaited was not there to move then either; so it is the looks that count.

    Args:
        step: how often it is looked at, in seconds: what one look counts for, at most.

    Attributes:
        seconds: how long nothing has moved.
    """

    __slots__ = ("_last", "_seen", "_step", "seconds")

    def __init__(self, step: float) -> None:
        self._step = step
        self._seen: object = None
        self._last = time.monotonic()
        self.seconds = 0.0

    def look(self, *state: object) -> float:
        """See whether something has moved.

        Args:
            state: what would be another one then.

        Returns:
            `seconds`.
        """
        now = time.monotonic()
        if state == self._seen:
            self.seconds += min(now - self._last, self._step)
        else:
            self.seconds = 0.0
        self._seen, self._last = state, now
        return self.seconds


def awaits_thread(loop: Loop) -> bool:
    """Whether a task of an asyncio loop waits for what it has a thread of anyio do."""
    to_thread = sys.modules.get("anyio.to_thread")
    if to_thread is None or isinstance(loop, OtherLoop):
        return False
    from asyncio import all_tasks

    return any(awaits(task.get_coro(), to_thread.run_sync) for task in all_tasks(loop))


class Watch:
    """Looks whether an event loop is stuck while lanes wait for their turns."""

    def __init__(self, turns: Turns, loop: Loop) -> None:
        self.turns = turns
        self.loop = loop
        self.still = Stillness(LOOK)
        self.quiet = 0
        self.again()

    def again(self) -> None:
        look_later(self.loop, LOOK_AGAIN, self.look)

    def look(self) -> None:
        turns = self.turns
        if not turns._waiting:
            turns._watching.discard(id(self.loop))
            return
        if not self.still.look(turns._next):
            self.quiet = 0
        elif turns.is_up_to_thread() or awaits_thread(self.loop):
            self.quiet = 0
        elif is_idle(self.loop, but_timeouts=turns.waits_for_all()):
            # Twice in a row: a callback from a thread may just be on its way.
            self.quiet += 1
            if self.quiet > 1:
                turns.release_first()
                self.quiet = 0
        elif self._took_long(turns):
            turns.hurries = True  # it would only take as long again
            turns.release_first()
            self.still = Stillness(LOOK)
        self.again()

    def _took_long(self, turns: Turns) -> bool:
        if turns.waits_for_all():
            return self.still.seconds > LAST_PATIENCE
        return self.still.seconds > PATIENCE and not has_timer(self.loop)
