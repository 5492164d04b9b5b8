# SPDX-License-Identifier: Apache-2.0
"""Futures of the work items that a tracked call submits, and who looks at them.

The end of an item is noted, and who waits for it is told, in one step; so is each look
at what is done. In a replay both wait for their turn: see ``work_ends.py``.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, _base, thread
from queue import Empty
from typing import Any, TypeVar

from enact.calls import rest
from enact.calls.lanes import CURRENT, Lane, own_lane
from enact.calls.work_ends import BEGIN, CANCEL, END, LOOK, SEEN

R = TypeVar("R")

# What happens comes one at a time, so that it is noted as it came.
_one_at_a_time = threading.Lock()

_Acquire: Any = _base._AcquireFutures
_install_waiters = _base._create_and_install_waiters  # type: ignore[attr-defined]
_shutdown = ThreadPoolExecutor.shutdown

# Those that a worker has taken from its queue and not begun.
_taken: set[WorkFuture] = set()


class WorkFuture(Future):  # type: ignore[type-arg]
    """A future of tracked work.

    Its hash is a number and no address: ``as_completed`` and ``wait`` hand out those
    that are done already in the order of a set, that is of hashes.

    Attributes:
        lane: of the work.
        executor: that it was submitted to, as a weak reference.
    """

    lane: Lane
    executor: weakref.ref[Any]
    _is_seen = False
    _is_changing = False

    def __hash__(self) -> int:
        return self.lane.path[-1]

    def __eq__(self, other: object) -> bool:
        return self is other

    # --- what becomes of it -----------------------------------------------------------

    def set_running_or_notify_cancel(self) -> bool:
        """The work begins, or those who wait are told that it was cancelled."""
        lane = self.lane
        turns = _work_turns(lane)
        if turns is not None:
            _taken.add(self)
            turns.wait_to_begin(lane.path)
        with _one_at_a_time:
            _taken.discard(self)
            begins = super().set_running_or_notify_cancel()
            lane.frame.note_work(BEGIN if begins else END, lane.path)
        if turns is not None:
            turns.happened(BEGIN if begins else END, lane.path)
        return begins

    def set_result(self, result: Any) -> None:
        """The work is done, and gave ``result``."""
        self._end(super().set_result, result)

    def set_exception(self, exception: BaseException | None) -> None:
        """The work is done, and raised ``exception``."""
        self._end(super().set_exception, exception)

    def _end(self, setter: Callable[[Any], None], outcome: Any) -> None:
        turns = _work_turns(self.lane)

        def end() -> None:
            self._change(END, setter, outcome)
            if turns is not None:
                turns.happened(END, self.lane.path)
            # These may make calls, which wait for their turns.
            if turns is not None and self._done_callbacks:  # type: ignore[attr-defined]
                threading.Thread(target=self._invoke_callbacks).start()
            else:
                self._invoke_callbacks()

        if turns is None:
            end()
        else:
            turns.when_due(END, self.lane.path, end)

    def cancel(self) -> bool:
        """Cancel the work, if it has not begun."""
        is_known = self._is_seen or super().cancelled()
        look = None if is_known else _Look.at([self])
        if look is None:
            return super().cancel()
        look.wait_for_turn(CANCEL)
        cancelled = bool(self._change(CANCEL, super().cancel, lane=look.lane))
        look.over(CANCEL)
        if cancelled:
            self._invoke_callbacks()
        return cancelled

    def _change(
        self, kind: int, change: Callable[..., R], *args: Any, lane: Lane | None = None
    ) -> R:
        """Change, and note it; callbacks are to be called when that is done."""
        lane = lane or self.lane
        self._is_changing = True
        try:
            with _one_at_a_time:
                lane.frame.note_work(kind, lane.path)
                return change(*args)
        finally:
            self._is_changing = False

    def _invoke_callbacks(self) -> None:
        if not self._is_changing:
            super()._invoke_callbacks()  # type: ignore[misc]

    # --- who looks at it --------------------------------------------------------------

    def done(self) -> bool:
        """Whether the work is done."""
        lane = self.lane
        if self._is_seen or _Look.at([self]) is None:
            return super().done()
        turns = _work_turns(lane)
        if turns is not None and not turns.wait_to_see(lane.path):
            return False
        with _one_at_a_time:
            if super().done():
                lane.frame.note_work(SEEN, lane.path)
                self._is_seen = True
        if turns is not None and self._is_seen:
            turns.happened(SEEN, lane.path)
        return self._is_seen

    def result(self, timeout: float | None = None) -> Any:
        """What the work gave; see ``Future.result``."""
        return self._outcome(super().result, timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """What the work raised, or None; see ``Future.exception``."""
        return self._outcome(super().exception, timeout)

    def _outcome(self, get: Callable[[float | None], R], timeout: float | None) -> R:
        look = None
        if timeout is not None and not self._is_seen:
            look = _Look.at([self])
        if look is None:
            try:
                return get(timeout)
            finally:
                self._is_seen = super().done()
        if not look.wait_for_turn():
            with self._condition:
                self._condition.wait_for(super().done, timeout)
        try:
            with _one_at_a_time:
                look.note()
                return get(0)
        finally:
            look.over()


class _Submitted(threading.local):
    lane: Lane | None = None
    executor: Any = None


_submitted = _Submitted()


@contextlib.contextmanager
def submitting(lane: Lane, executor: Any) -> Iterator[None]:
    """What this thread submits to an executor here is the work of ``lane``."""
    _submitted.lane, _submitted.executor = lane, executor
    try:
        yield
    finally:
        _submitted.lane = _submitted.executor = None


class _Item:
    """Beside the class of a module of executors: what stands in the queue of one."""

    def __init__(self, future: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(future, *args, **kwargs)  # type: ignore[call-arg]
        lane = _submitted.lane
        if lane is not None and type(future) is Future:
            future.__class__ = WorkFuture
            future.lane = lane  # type: ignore[attr-defined]
            future.executor = weakref.ref(_submitted.executor)  # type: ignore[attr-defined]
            _submitted.lane = None


def cover(module: Any) -> None:
    """Let the futures that a module of executors makes be ours from the beginning."""
    original = getattr(module, "_WorkItem", None)
    if original is not None and not issubclass(original, _Item):
        module._WorkItem = type(original.__name__, (_Item, original), {})


class _Look:
    """A look at what is done.

    Args:
        lane: that looks.
    """

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self._turns = _work_turns(lane)

    @classmethod
    def at(cls, futures: Iterable[Any]) -> _Look | None:
        """A look of what runs here, if futures are of work of its own call."""
        lane = CURRENT.get()
        if lane is None or rest.running_loop() is not None:
            return None
        lane = own_lane(lane)
        for future in futures:
            if type(future) is WorkFuture and future.lane.frame is lane.frame:
                lane.frame.looks_at_work()
                return cls(lane)
        return None

    def again(self) -> _Look:
        """The next look of the same lane."""
        return _Look(self.lane)

    def wait_for_turn(self, kind: int = LOOK) -> bool:
        """Block until it is due; false if no record says when that is."""
        turns = self._turns
        return turns is not None and bool(turns.wait(kind, self.lane.path))

    def note(self, kind: int = LOOK) -> None:
        """It has begun; no item ends until it is over."""
        self.lane.frame.note_work(kind, self.lane.path)

    def over(self, kind: int = LOOK) -> None:
        """Other items may end."""
        if self._turns is not None:
            self._turns.happened(kind, self.lane.path)


# --- as_completed and wait ------------------------------------------------------------


class AcquireFutures(_Acquire):  # type: ignore[misc]
    """Holds futures while ``as_completed`` or ``wait`` looks for the first time."""

    def __enter__(self) -> None:
        self._look = look = _Look.at(self.futures)
        if look is None:
            super().__enter__()
            return
        look.wait_for_turn()
        with _one_at_a_time:
            super().__enter__()
            look.note()

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        if self._look is not None:
            self._look.over()


def install_waiters(fs: Any, return_when: Any) -> Any:
    """In the place of what makes ``as_completed`` and ``wait`` be told of ends."""
    waiter = _install_waiters(fs, return_when)
    look = _Look.at(fs)
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

    def __init__(self, waiter: Any, look: _Look) -> None:
        super().__init__()
        self._waiter = waiter
        self._look = look.again()

    def wait(self, timeout: float | None = None) -> bool:
        look = self._look
        if not (look.wait_for_turn() and timeout is not None):
            super().wait(timeout)
        with _one_at_a_time:
            self._waiter.finished_futures = _Seen(self._waiter.finished_futures)
            look.note()
        look.over()
        return self.is_set()


class _Seen(list):  # type: ignore[type-arg]
    """Futures that were done when somebody looked; what is done later is not added."""

    def append(self, future: Any) -> None:
        pass


def shutdown(
    self: ThreadPoolExecutor, wait: bool = True, *, cancel_futures: bool = False
) -> None:
    """In the place of ``ThreadPoolExecutor.shutdown``: cancels what has not begun."""
    lane = CURRENT.get() if cancel_futures else None
    if lane is not None and lane.frame.spawned and rest.running_loop() is None:
        lane = own_lane(lane)
        lane.frame.looks_at_work()
        look = _Look(lane)
        look.wait_for_turn(CANCEL)
        with _one_at_a_time:
            look.note(CANCEL)
        look.over(CANCEL)
        cancel_futures = not _cancel_but_those_that_began(self, _work_turns(lane))
    _shutdown(self, wait, cancel_futures=cancel_futures)


def _cancel_but_those_that_began(executor: ThreadPoolExecutor, turns: Any) -> bool:
    """Cancel what has not begun, now or in the record; whether any is to begin.

    A worker may have been about to begin one as the others were cancelled.
    """
    queue: Any = executor._work_queue
    items: list[Any] = []
    with contextlib.suppress(Empty):
        while True:
            items.append(queue.get_nowait())
    taken = [future for future in _taken if future.executor() is executor]
    queued = [item.future for item in items if item is not None]

    def is_to_begin(future: Any) -> bool:
        return bool(turns and type(future) is WorkFuture) and bool(
            turns.is_to_begin(future.lane.path)
        )

    for future in (*taken, *queued):
        if not is_to_begin(future):
            future.cancel()
    left = [item for item in items if item is None or is_to_begin(item.future)]
    for item in left:
        queue.put(item)
    return any(left)


def _work_turns(lane: Lane) -> Any:
    plan = lane.frame.plan
    return None if plan is None or plan.turns is None else plan.turns.work


def install() -> None:
    """Put the hooks in place."""
    machinery: Any = _base
    machinery._AcquireFutures = AcquireFutures
    machinery._create_and_install_waiters = install_waiters
    cover(thread)
    ThreadPoolExecutor.shutdown = shutdown  # type: ignore[method-assign, assignment]
