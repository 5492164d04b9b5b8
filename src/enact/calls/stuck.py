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
_LOOK_AGAIN = 0.002


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
        self.place = -1
        self.since = time.monotonic()
        self.quiet = 0
        self.again()

    def again(self) -> None:
        look_later(self.loop, _LOOK_AGAIN, self.look)

    def look(self) -> None:
        turns = self.turns
        if not turns._waiting:
            turns._watching.discard(id(self.loop))
            return
        if turns._next != self.place:
            self.place, self.since, self.quiet = turns._next, time.monotonic(), 0
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
            self.since = time.monotonic()
        self.again()

    def _took_long(self, turns: Turns) -> bool:
        quiet = time.monotonic() - self.since
        if turns.waits_for_all():
            return quiet > LAST_PATIENCE
        return quiet > PATIENCE and not has_timer(self.loop)
