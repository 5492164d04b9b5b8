# SPDX-License-Identifier: Apache-2.0
"""Queues between threads: each puts and takes in the order that was recorded.

Which thread takes a job is chance, and so is whose result comes first. A frame with
several lanes notes each ``put`` and ``get`` of a ``queue.Queue`` as it comes, one of
the marks of ``marks.py``; in a replay each waits for its turn.
"""

from __future__ import annotations

import functools
import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

from enact.calls import rest
from enact.calls.lanes import CURRENT, Lane
from enact.calls.marks import QUEUE
from enact.calls.work_futures import mark_turns

_get = queue.Queue.get
_put = queue.Queue.put


class _Step:
    """A thread puts into a queue, or takes from it.

    Args:
        lane: of the thread.
    """

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._turns = mark_turns(lane)
        self._is_noted = False

    @classmethod
    def here(cls) -> _Step | None:
        """The step of this thread, if it is one of several lanes of a call."""
        lane = CURRENT.get()
        if lane is None or not lane.frame.spawned or rest.running_loop() is not None:
            return None
        return cls(lane) if lane.thread == threading.get_ident() else None

    def wait_for_turn(self) -> bool:
        """Block until it is due; false if no record says when that is."""
        turns = self._turns
        return turns is not None and bool(turns.wait(QUEUE, self._lane.path))

    def note(self) -> None:
        """It takes place; nobody else is at the queue."""
        if not self._is_noted:
            self._is_noted = True
            frame = self._lane.frame
            frame.tell_marks()
            frame.note_mark(QUEUE, self._lane.path)

    def over(self) -> None:
        """It has taken place."""
        self.note()  # a class of queue may have its own way to put and take
        if self._turns is not None:
            self._turns.happened(QUEUE, self._lane.path)


class _Here(threading.local):
    step: _Step | None = None


_here = _Here()


@functools.wraps(_get)
def get(
    self: queue.Queue[Any], block: bool = True, timeout: float | None = None
) -> Any:
    """In the place of ``Queue.get``."""
    step = _Step.here()
    if step is None:
        return _get(self, block, timeout)
    came = step.wait_for_turn()
    # It may have been empty when this gave up. If not, it holds what was taken.
    waits = block and not (came and timeout is not None)
    _here.step = step
    try:
        return _get(self, waits, timeout)
    except queue.Empty:
        with self.mutex:
            if not self._qsize():
                step.note()
                raise
        return _get(self, False)  # just now
    finally:
        _here.step = None
        step.over()


@functools.wraps(_put)
def put(
    self: queue.Queue[Any], item: Any, block: bool = True, timeout: float | None = None
) -> None:
    """In the place of ``Queue.put``."""
    # What is logged is no work, and may be more or less the next time.
    step = None if isinstance(item, logging.LogRecord) else _Step.here()
    if step is None:
        return _put(self, item, block, timeout)
    came = step.wait_for_turn()
    waits = block and not (came and timeout is not None)
    _here.step = step
    try:
        return _put(self, item, waits, timeout)
    except queue.Full:
        with self.mutex:
            if self._qsize() >= self.maxsize:
                step.note()
                raise
        return _put(self, item, False)
    finally:
        _here.step = None
        step.over()


def _noted(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def noted(self: queue.Queue[Any], *args: Any) -> Any:
        step = _here.step
        if step is not None:
            step.note()
        return method(self, *args)

    return noted


def install() -> None:
    """Put the hooks in place."""
    changed: Any = queue.Queue
    changed.get, changed.put = get, put
    for kind in (queue.Queue, queue.LifoQueue, queue.PriorityQueue):
        of_kind: Any = kind
        of_kind._get = _noted(of_kind._get)
        of_kind._put = _noted(of_kind._put)
