# SPDX-License-Identifier: Apache-2.0
"""Looks at many futures of work at once: ``as_completed``, ``wait`` and ``shutdown``.

Programs import these functions by name, often before enact, so what takes part is
what they use.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, _base, thread
from queue import Empty
from typing import Any

from enact.calls import rest, work_futures
from enact.calls.lanes import CURRENT, own_lane
from enact.calls.marks import CANCEL
from enact.calls.work_futures import (
    TAKEN,
    Look,
    WorkFuture,
    cover,
    mark_turns,
)

_Acquire: Any = _base._AcquireFutures
_create_waiters = _base._create_and_install_waiters  # type: ignore[attr-defined]  # in no stub
_shutdown = ThreadPoolExecutor.shutdown


class AcquireFutures(_Acquire):  # type: ignore[misc]  # in no stub
    """Holds futures while ``as_completed`` or ``wait`` looks for the first time."""

    def __enter__(self) -> None:
        self._look = look = Look.at(self.futures)
        if look is None:
            super().__enter__()
            return
        look.wait_for_turn()
        with work_futures.ONE_AT_A_TIME:
            super().__enter__()
            look.note()

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        if self._look is not None:
            self._look.over()


def install_waiters(fs: Any, return_when: Any) -> Any:
    """In the place of what makes ``as_completed`` and ``wait`` be told of ends."""
    waiter = _create_waiters(fs, return_when)
    look = Look.at(fs)
    # The former hands out one future after another, as they ended.
    if look is not None and return_when in _LOOKS_AGAIN:
        waiter.event = _Woken(waiter, look)
    return waiter


_LOOKS_AGAIN = (_base.FIRST_COMPLETED, _base.FIRST_EXCEPTION, _base.ALL_COMPLETED)


class _Woken(threading.Event):
    """What ``wait`` blocks on; then it looks again.

    Args:
        waiter: that has the event.
        look: the first one.
    """

    def __init__(self, waiter: Any, look: Look) -> None:
        super().__init__()
        self._waiter = waiter
        self._look = look.again()

    def wait(self, timeout: float | None = None) -> bool:
        look = self._look
        if not (look.wait_for_turn() and timeout is not None):
            super().wait(timeout)
        with work_futures.ONE_AT_A_TIME:
            self._waiter.finished_futures = _Seen(self._waiter.finished_futures)
            look.note()
        look.over()
        return self.is_set()


class _Seen(list):  # type: ignore[type-arg]  # of futures of any result
    """Futures that were done when somebody looked; what is done later is not added."""

    def append(self, future: Any) -> None:
        pass


@functools.wraps(_shutdown)
def shutdown(
    self: ThreadPoolExecutor, wait: bool = True, *, cancel_futures: bool = False
) -> None:
    """In the place of ``ThreadPoolExecutor.shutdown``."""
    if cancel_futures and (look := _look_at_all()) is not None:
        cancel_futures = not _cancel_queued(self, look)
        look.over(CANCEL)
    _shutdown(self, wait, cancel_futures=cancel_futures)


def shutdown_of_processes(
    original: Callable[..., None],
    self: Any,
    wait: bool = True,
    *,
    cancel_futures: bool = False,
) -> None:
    """In the place of ``ProcessPoolExecutor.shutdown``."""
    if cancel_futures and (look := _look_at_all()) is not None:
        items = (self._pending_work_items or {}).values()
        _cancel(self, [item.future for item in [*items]])
        look.over(CANCEL)
        cancel_futures = False  # it would not tell who waits for them
    original(self, wait, cancel_futures=cancel_futures)


def _look_at_all() -> Look | None:
    """A look at what has not begun, to cancel it."""
    lane = CURRENT.get()
    if lane is None or not lane.frame.spawned or rest.running_loop() is not None:
        return None
    if lane.frame.pending:
        return None
    look = Look(own_lane(lane))
    look.wait_for_turn(CANCEL)
    with work_futures.ONE_AT_A_TIME:
        look.note(CANCEL)
    return look


def _cancel_queued(executor: ThreadPoolExecutor, look: Look) -> bool:
    """Cancel what no worker has begun; whether any is to begin all the same."""
    queue: Any = executor._work_queue
    items: list[Any] = []
    with contextlib.suppress(Empty):
        while True:
            items.append(queue.get_nowait())
    _cancel(executor, [item.future for item in items if item is not None])
    left = [item for item in items if item is None or _is_to_begin(item.future, look)]
    for item in left:
        queue.put(item)
    return any(left)


def _cancel(executor: Any, queued: Iterable[Any]) -> None:
    taken = [future for future in [*TAKEN] if future.executor() is executor]
    for future in (*taken, *queued):
        if type(future) is WorkFuture:
            future.cancel_in(None)
        else:
            future.cancel()


def _is_to_begin(future: Any, look: Look) -> bool:
    """Whether the record has it that an item begins.

    A worker may have been about to begin it when the others were cancelled.
    """
    turns = mark_turns(look.lane)
    if turns is None or type(future) is not WorkFuture:
        return False
    return bool(turns.is_to_begin(future.lane.path))


def install() -> None:
    """Put the hooks in place."""
    machinery: Any = _base
    machinery._AcquireFutures = AcquireFutures
    machinery._create_and_install_waiters = install_waiters
    cover(thread)
    ThreadPoolExecutor.shutdown = shutdown  # type: ignore[method-assign, assignment]  # same signature
