# SPDX-License-Identifier: Apache-2.0
"""Hops: what a task waits for that other tasks give it, or the event loop at once.

A replayed task that wakes from something untracked, such as a sleep, may be early:
calls take no time any more. One that waits for a lock, a queue or a task, or lets
others go first (``sleep(0)``), is where it was when it was recorded, if those that it
waits for are; to hold it back would make it late.
"""

from __future__ import annotations

import asyncio
import dis
import enum
import functools
import types
from typing import Any

from enact.calls.awaiting import frames_of

# Modules whose coroutines wait for what other tasks do.
_WAIT_FOR_TASKS = ("asyncio.locks", "asyncio.queues", "asyncio.taskgroups")

# The same for trio, and what of its nurseries.
_OF_TRIO = ("trio._sync", "trio._channel", "trio._core._parking_lot")
_NURSERIES = ("NurseryManager.", "Nursery.", "checkpoint")

# Instructions that bring a number.
_LOADS = ("LOAD_CONST", "LOAD_SMALL_INT")

# What stands between the arguments of a call and the call.
_BEFORE_CALL = ("KW_NAMES", "PRECALL")


class Wait(enum.Enum):
    """What a suspended task waits for."""

    TASKS = enum.auto()  # or for nothing: it lets others go first
    NO_TIME = enum.auto()  # now, and perhaps not so when it was recorded
    ELSEWHERE = enum.auto()


def wait_of(coro: Any, yielded: Any) -> Wait:
    """What a coroutine waits for.

    Args:
        coro: that has been suspended.
        yielded: what it gave to the event loop.
    """
    frames = list(frames_of(coro))
    if yielded is None:
        return Wait.NO_TIME if _sleeps_as_computed(frames) else Wait.TASKS
    if isinstance(yielded, asyncio.Task) or _is_gathering(yielded):
        return Wait.TASKS
    if not frames:
        return Wait.ELSEWHERE
    inner = frames[-1]
    module = _module_of(inner)
    if module.startswith("trio."):
        return _wait_in_trio(frames)
    if module == "asyncio.tasks":  # `wait`, `wait_for` and such
        return Wait.ELSEWHERE if inner.f_code.co_name == "sleep" else Wait.TASKS
    if module == "anyio._backends._asyncio":
        is_for_tasks = inner.f_code.co_qualname.startswith("TaskGroup.")
    else:
        is_for_tasks = module in _WAIT_FOR_TASKS or module.startswith("enact.")
    return Wait.TASKS if is_for_tasks else Wait.ELSEWHERE


def awaits_turn(coro: Any) -> bool:
    """Whether a coroutine waits for its turn: it looks itself whether that has come."""
    frames = list(frames_of(coro))
    return bool(frames) and _module_of(frames[-1]) == "enact.calls.turns"


def _module_of(frame: types.FrameType) -> str:
    return str(frame.f_globals.get("__name__"))


def _wait_in_trio(frames: list[types.FrameType]) -> Wait:
    if any(_module_of(frame) == "anyio.streams.memory" for frame in frames):
        return Wait.ELSEWHERE  # which of several gets an item is chance
    first = next(frame for frame in frames if _module_of(frame).startswith("trio."))
    name = first.f_code.co_qualname
    is_nursery = _module_of(first) == "trio._core._run" and name.startswith(_NURSERIES)
    is_for_tasks = is_nursery or _module_of(first) in _OF_TRIO
    return Wait.TASKS if is_for_tasks else Wait.ELSEWHERE


def _is_gathering(yielded: Any) -> bool:
    return type(yielded).__name__ == "_GatheringFuture"


def _sleeps_as_computed(frames: list[types.FrameType]) -> bool:
    """Whether somebody sleeps for no time, and this stands not so in the code."""
    for n, frame in enumerate(frames):
        if frame.f_code is asyncio.sleep.__code__:
            caller = frames[n - 1] if n else None
            return caller is None or not _gives_constant(caller.f_code, caller.f_lasti)
    return False


@functools.lru_cache(4096)
def _gives_constant(code: types.CodeType, offset: int) -> bool:
    """Whether what is awaited at ``offset`` was called with a number in the code."""
    before = [i for i in dis.get_instructions(code) if i.offset < offset]
    while before and not before[-1].opname.startswith("CALL"):
        before.pop()
    if not before:
        return False
    # Behind the numbers; where others jump to, they may have brought other ones.
    call = before.pop()
    behind = [call]
    if call.opname == "CALL_KW":
        behind.append(before.pop())  # the names
    while before and before[-1].opname in _BEFORE_CALL:
        behind.append(before.pop())
    if any(instruction.is_jump_target for instruction in behind):
        return False
    given = before[-(call.arg or 1) :]
    return bool(given) and all(each.opname in _LOADS for each in given)
