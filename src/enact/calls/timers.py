# SPDX-License-Identifier: Apache-2.0
"""Timers of an event loop: what ``call_later`` and ``call_at`` leave behind.

Each is a lane from when it is set, so that its calls are told from those of others
whichever goes off first; what a timer or callback sets itself goes on with its lane. In
a replay it may go off before its turn; then it waits.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from enact.calls import rest
from enact.calls.drivers import Turn
from enact.calls.lanes import CURRENT, Lane

if TYPE_CHECKING:
    from enact.calls.session import Session


class Limit:
    """What a timer calls in a replay that ends something that takes long.

    Args:
        session: of the replay.
        callback: of asyncio or anyio.
    """

    def __init__(self, session: Session, callback: Callable[..., object]) -> None:
        self._session = session
        self._callback = callback
        self.__name__: str = callback.__name__

    def __call__(self, *args: Any) -> None:
        self._session.timed_out = True
        self._callback(*args)


# What these set makes no calls.
_OWN = ("asyncio.", "concurrent.", "anyio.", "enact.")


class Timer:
    """What a timer calls in a replay.

    Args:
        lane: of the timer.
        callback: that the program gave.
    """

    def __init__(self, lane: Lane, callback: Callable[..., object]) -> None:
        self._lane = lane
        self._callback = callback

    def __call__(self, *args: Any) -> None:
        plan = self._lane.frame.plan
        turns: Any = None if plan is None else plan.turns
        if turns is None or turns.is_turn(self._lane):
            self._callback(*args)
            return
        path = self._lane.path
        turns._held.add(path)
        turn = turns._turn(path)
        turn.future.add_done_callback(functools.partial(self._again, turns, turn, args))

    def _again(self, turns: Any, turn: Turn, args: Any, _: object) -> None:
        turns._held.discard(self._lane.path)
        turns.goes_on(self._lane)
        if turn.is_released:
            self._callback(*args)
        else:
            self(*args)


def _is_here(lane: Lane) -> bool:
    """Whether a lane runs here; others are named when they make a call."""
    if lane.thread != threading.get_ident():
        return False
    task = rest.current_task()
    if task is None:
        return lane.is_callback
    return not lane.is_callback and lane.task in (0, id(task))


def tracked_call_at(
    original: Callable[..., Any],
    loop: Any,
    when: float,
    callback: Callable[..., object],
    args: tuple[Any, ...],
    options: dict[str, Any],
) -> Any:
    """Set a timer; if a tracked call does, as a lane of that.

    Args:
        original: the method ``call_at`` of event loops.
        loop, when, callback, args, options: its arguments.
    """
    lane = CURRENT.get()
    if lane is not None and lane.frame.plan is not None and rest.is_limit(callback):
        callback = Limit(lane.frame.plan.session, callback)
    module = getattr(callback, "__module__", None)
    if not module or module.startswith(_OWN) or options.get("context") is not None:
        lane = None
    if lane is None or not _is_here(lane):
        return original(loop, when, callback, *args, **options)
    child = lane
    if not lane.is_callback:
        with lane.frame.lock:
            child = lane.spawn_timer()
    if lane.frame.plan is not None:
        callback = Timer(child, callback)
    token = CURRENT.set(child)
    try:
        return original(loop, when, callback, *args, **options)
    finally:
        CURRENT.reset(token)
