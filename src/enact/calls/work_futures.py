# SPDX-License-Identifier: Apache-2.0
"""Futures of the work items that a tracked call submits, and looks at them.

The end of an item is noted, and who waits for it is told, in one step; so is each look
at what is done. In a replay both wait for their turn: see ``marks.py``. Those of
``as_completed`` and ``wait`` are in ``work_waits.py``.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, thread
from typing import Any, TypeVar

from enact.calls import rest
from enact.calls.lanes import CURRENT, Lane, own_lane
from enact.calls.marks import BEGIN, CANCEL, END, LOOK, SEEN
from enact.errors import ReplayError

R = TypeVar("R")

_ThreadItem: Any = thread._WorkItem  # before ``cover``

ONE_AT_A_TIME = threading.Lock()
"""Held while something happens, so that it is noted as it came."""

TAKEN: set[WorkFuture] = set()
"""Those that a worker has taken from its queue, and that may be cancelled (replay)."""


class WorkFuture(Future):  # type: ignore[type-arg]  # of any result
    """A future of tracked work.

    Its hash is a number and no address: ``as_completed`` and ``wait`` hand out those
    that are done already in the order of a set, that is of hashes.

    Attributes:
        lane: of the work.
        executor: that it was submitted to, as a weak reference.
        item: of its queue, as a weak reference.
    """

    lane: Lane
    executor: weakref.ref[Any]
    item: weakref.ref[Any]
    _is_seen = False
    # Those who wait for it are told that it was cancelled, or will be in their turn.
    _is_told = False
    _changer = 0  # the thread that changes it

    def __hash__(self) -> int:
        return self.lane.path[-1]

    def __eq__(self, other: object) -> bool:
        return self is other

    # --- what becomes of it -----------------------------------------------------------

    def set_running_or_notify_cancel(self) -> bool:
        """The work begins, or those who wait are told that it was cancelled."""
        lane = self.lane
        turns = mark_turns(lane)
        if turns is not None and not super().cancelled():
            if turns.is_to_be_cancelled(lane.path):
                self._park(turns)
                return False
            self._wait_to_begin(turns)
        if self._is_told:
            return False
        if not super().cancelled():
            with ONE_AT_A_TIME:
                begins = super().set_running_or_notify_cancel()
                lane.frame.note_mark(BEGIN if begins else END, lane.path)
            if turns is not None:
                turns.happened(BEGIN if begins else END, lane.path)
            return begins
        self._end(super().set_running_or_notify_cancel)
        return False

    def _wait_to_begin(self, turns: Any) -> None:
        if not self.lane.is_away:  # else this thread brings the results of others
            TAKEN.add(self)
            turns.wait_to_begin(self.lane.path)
            TAKEN.discard(self)

    def _park(self, turns: Any) -> None:
        """Leave it until the program cancels it, and the worker to others.

        If the program does not, it is put back into the queue.
        """
        item, executor = self.item(), self.executor()

        def unpark() -> None:
            TAKEN.discard(self)
            if not super(WorkFuture, self).cancelled():
                requeue(executor, item)

        TAKEN.add(self)
        turns.when_over(unpark)

    def set_result(self, result: Any) -> None:
        """The work is done, and gave ``result``."""
        self._end(functools.partial(super().set_result, result))

    def set_exception(self, exception: BaseException | None) -> None:
        """The work is done, and raised ``exception``."""
        self._end(functools.partial(super().set_exception, exception))

    def _end(self, change: Callable[[], object]) -> None:
        turns = mark_turns(self.lane)

        def end() -> None:
            with self._changing():
                self.lane.frame.note_mark(END, self.lane.path)
                change()
            if turns is not None:
                turns.happened(END, self.lane.path)
            if super(WorkFuture, self).cancelled():
                return  # they have been called
            # These may make calls, which wait for their turns.
            if turns is not None and self._done_callbacks:  # type: ignore[attr-defined]  # in no stub
                threading.Thread(target=self._invoke_callbacks).start()
            else:
                self._invoke_callbacks()

        if turns is None:
            end()
        else:
            turns.when_due(END, self.lane.path, end)

    def cancel(self) -> bool:
        """Cancel the work, if it has not begun."""
        # What a program cancels since a question is open it does not once that is not.
        is_open = self._is_seen or bool(self.lane.frame.pending)
        return self.cancel_in(None if is_open else Look.at([self]))

    def cancel_in(self, look: Look | None) -> bool:
        """Cancel the work as it is looked at; None for a look at others, too."""
        if look is not None:
            look.wait_for_turn(CANCEL)
        turns = mark_turns(self.lane)
        # Workers may be held up, and later than they were.
        begins = turns is not None and turns.is_to_begin(self.lane.path)
        was_cancelled = super().cancelled()
        cancelled = self._cancel(look, begins)
        if look is not None:
            look.over(CANCEL)
        if turns is not None and turns.is_to_be_cancelled(self.lane.path):
            if cancelled and not self._is_told:
                self._is_told = True
                self._end(super().set_running_or_notify_cancel)
        TAKEN.discard(self)
        if cancelled and not was_cancelled:
            self._invoke_callbacks()
        return cancelled

    def _cancel(self, look: Look | None = None, begins: bool = False) -> bool:
        with self._changing():
            if look is not None:
                look.note(CANCEL)
            return not begins and super().cancel()

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """What this thread changes is noted as it comes; then callbacks are called."""
        with ONE_AT_A_TIME:
            self._changer = threading.get_ident()
            try:
                yield
            finally:
                self._changer = 0

    def _invoke_callbacks(self) -> None:
        if self._changer != threading.get_ident():
            super()._invoke_callbacks()  # type: ignore[misc]  # in no stub

    # --- who looks at it --------------------------------------------------------------

    def done(self) -> bool:
        """Whether the work is done."""
        lane = self.lane
        if self._is_seen or Look.at([self]) is None:
            return super().done()
        turns = mark_turns(lane)
        if turns is not None and not turns.wait_to_see(lane.path):
            return False
        with ONE_AT_A_TIME:
            if super().done():
                lane.frame.note_mark(SEEN, lane.path)
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
        lane = None if self._is_seen else _looker([self])
        if lane is None:
            return get(timeout)
        if timeout is None:
            try:
                return get(None)
            finally:
                self._is_seen = super().done()
        look = Look(lane)
        if not look.wait_for_turn():
            with self._condition:
                self._condition.wait_for(super().done, timeout)
        try:
            with ONE_AT_A_TIME:
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
        super().__init__(future, *args, **kwargs)  # type: ignore[call-arg]  # beside another
        if _submitted.lane is not None and type(future) is Future:
            ours: Any = future
            ours.__class__ = WorkFuture
            ours.lane = _submitted.lane
            ours.executor = weakref.ref(_submitted.executor)
            ours.item = weakref.ref(self)
            _submitted.lane = None


def requeue(executor: Any, item: Any) -> None:
    """Let an executor do what it has left out; a pool of our own, if it is closed."""
    future = item.future
    of_threads = isinstance(item, _ThreadItem)
    if of_threads and executor is not None and not executor._shutdown:
        executor._work_queue.put(item)
        return
    if not future.set_running_or_notify_cancel():
        return
    pool = ThreadPoolExecutor(1) if of_threads or executor is None else executor
    try:
        again = pool.submit(item.fn, *item.args, **item.kwargs)
    except RuntimeError as error:  # a pool of processes that is closed, or broken
        future.set_exception(
            ReplayError(
                "work that was cancelled in the record, and is not now, has no process "
                f"to run in ({error}). Next: take its result before the pool is closed"
            )
        )
        return

    def done(again: Future[Any]) -> None:
        error = again.exception()
        if error is None:
            future.set_result(again.result())
        else:
            future.set_exception(error)

    again.add_done_callback(done)
    if pool is not executor:
        pool.shutdown(wait=False)


def cover(module: Any) -> None:
    """Let the futures that a module of executors makes be ours from the beginning."""
    original = getattr(module, "_WorkItem", None)
    if original is not None and not issubclass(original, _Item):
        module._WorkItem = type(original.__name__, (_Item, original), {})


class Look:
    """A look at what is done.

    Args:
        lane: that looks.
    """

    def __init__(self, lane: Lane) -> None:
        lane.frame.tell_marks()
        self.lane = lane
        self._turns = mark_turns(lane)

    @classmethod
    def at(cls, futures: Iterable[Any]) -> Look | None:
        """A look of what runs here, if futures are of work of its own call."""
        lane = _looker(futures)
        return None if lane is None else cls(lane)

    def again(self) -> Look:
        """The next look of the same lane."""
        return Look(self.lane)

    def wait_for_turn(self, kind: int = LOOK) -> bool:
        """Block until it is due; false if no record says when that is."""
        turns = self._turns
        return turns is not None and bool(turns.wait(kind, self.lane.path))

    def note(self, kind: int = LOOK) -> None:
        """It takes place."""
        self.lane.frame.note_mark(kind, self.lane.path)

    def over(self, kind: int = LOOK) -> None:
        """Other items may end."""
        if self._turns is not None:
            self._turns.happened(kind, self.lane.path)


def _looker(futures: Iterable[Any]) -> Lane | None:
    """The lane that runs here, if futures are of work of its own call."""
    lane = CURRENT.get()
    if lane is None or rest.running_loop() is not None:
        return None
    lane = own_lane(lane)
    for future in futures:
        if type(future) is WorkFuture and future.lane.frame is lane.frame:
            return lane
    return None


def mark_turns(lane: Lane) -> Any:
    """The recorded order of what becomes of work, if ``lane`` is replayed."""
    plan = lane.frame.plan
    return None if plan is None or plan.turns is None else plan.turns.marks
