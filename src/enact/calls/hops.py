# SPDX-License-Identifier: Apache-2.0
"""Hops: what a task waits for that other tasks give it, or the event loop at once.

A replayed task that wakes from something untracked, such as a sleep, may be early:
calls take no time any more. One that waits for a lock, a queue or a task, or lets
others go first (``sleep(0)``), is where it was when it was recorded, if those that it
waits for are; to hold it back would make it late.
"""

from __future__ import annotations

import asyncio
from typing import Any

# Modules whose coroutines wait for what other tasks do.
_WAIT_FOR_TASKS = ("asyncio.locks", "asyncio.queues", "asyncio.taskgroups")

# Attributes that have the frame of a coroutine, and what it awaits.
_FRAMES = ("cr_frame", "gi_frame", "ag_frame")
_AWAITS = ("cr_await", "gi_yieldfrom", "ag_await")


def hops(coro: Any, yielded: Any) -> bool:
    """Whether what a coroutine waits for comes from other tasks.

    Args:
        coro: that has been suspended.
        yielded: what it gave to the event loop.
    """
    if yielded is None or isinstance(yielded, asyncio.Task):
        return True
    inner = _innermost(coro)
    frame = _first(inner, _FRAMES)
    if frame is None:
        return False
    module = str(frame.f_globals.get("__name__"))
    if module == "asyncio.tasks":
        return bool(frame.f_code.co_name != "sleep")  # `wait`, `wait_for` and such
    if module in _WAIT_FOR_TASKS or module.startswith("enact."):
        return True
    return type(yielded).__name__ == "_GatheringFuture"


def _innermost(coro: Any) -> Any:
    while True:
        below = _first(coro, _AWAITS)
        if below is None or not any(hasattr(below, name) for name in _FRAMES):
            return coro
        coro = below


def _first(coro: Any, names: tuple[str, ...]) -> Any:
    for name in names:
        found = getattr(coro, name, None)
        if found is not None:
            return found
    return None
