# SPDX-License-Identifier: Apache-2.0
"""Turns of threads: each blocks until what it does comes next in the recorded order."""

from __future__ import annotations

import abc
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from enact.calls import rest
from enact.calls.marks import MarkTurns
from enact.calls.stuck import LAST_PATIENCE, PATIENCE, Stillness

if TYPE_CHECKING:
    from enact.calls.lanes import Lane, Path

# How long a thread is given to react to an outcome, before others go on: until it is
# at its next call or its end, if it takes no longer than the first; and a bit.
_REACTION_MOST = 0.005
_REACTION_STEP = 0.001
_REACTION = 0.0001

# How long nothing may move before a thread that waits for all others goes on, though
# others wait for their turns.
_STALL = 0.25

# The same for what comes after a wait of PATIENCE in which nothing moved, as long as
# nothing has moved since: it would only take as long again, at each call.
_AGAIN = 0.01

# How long nothing may move before a thread begins though its first call comes later.
_BEGIN = 0.05

# How often to look whether something has moved; the same for who waits for all others.
_STEP = 0.0125
_LAST_STEP = 0.05

AT_REST = (-1, False)
"""In an order: the event loop comes to rest."""


class ThreadTurns(abc.ABC):
    """The order of events within a frame, as threads see it.

    Args:
        order: calls, and what happens to them: see ``order.ITEM``.
        paths: lanes of the calls.
        marks: what else has a place in the order; see ``marks.py``.
    """

    __slots__ = (
        "_before_locks",
        "_letting",
        "_listeners",
        "_lock",
        "_next",
        "_order",
        "_paths",
        "_reacted",
        "_reacting",
        "_stalled",
        "_threads",
        "changed",
        "hurries",
        "is_alone",
        "is_held_up",
        "on_out_of_turn",
        "marks",
    )

    def __init__(
        self,
        order: list[tuple[int, int]],
        paths: list[Path],
        marks: Sequence[list[int]] | None = None,
    ) -> None:
        self._order = order
        self._paths = paths
        self._next = 0
        #: Whether no thread but this one could make what comes next happen.
        self.is_alone: Callable[[], bool | None] = _nobody_knows
        #: Whether the thread of a lane waits for another one, or there is none; None
        #: if it is not known.
        self.is_held_up: Callable[[Path], bool | None] = _nobody_knows
        #: Told of a recorded call that comes before its turn, and cannot wait.
        self.on_out_of_turn: Callable[[int], None] = nothing
        #: Nobody waits for all others any more: one of them needs what that one does.
        self.hurries = False
        self._lock = threading.RLock()
        #: Held to look at what is here; told whenever something has moved.
        self.changed = threading.Condition(self._lock)
        self._listeners = 0
        #: What else has a place in the order.
        self.marks = MarkTurns(self, marks)
        # The lane that has just got an outcome, if a thread runs it.
        self._reacting: Path | None = None
        # Lanes of threads that wait before they take a lock.
        self._before_locks: list[Lane] = []
        # How many threads whose turn it is let others react.
        self._letting = 0
        self._reacted = threading.Condition(self._lock)
        # Threads that wait for an event, each under that.
        self._threads: dict[tuple[int, int], threading.Condition] = {}
        # Where in the order a thread has waited for as long as it does.
        self._stalled = -1

    @abc.abstractmethod
    def used_up(self) -> bool:
        """Whether all that was recorded has happened."""

    @abc.abstractmethod
    def is_next(self, child: int, what: int) -> bool:
        """Whether this very event comes next, or has no place in the order."""

    @abc.abstractmethod
    def may_take_lock(self, lane: Lane, runs: bool) -> bool:
        """Whether what ``lane`` does next with a lock is in nobody's way."""

    @abc.abstractmethod
    def has_come(self, child: int, what: int) -> bool:
        """Whether an event comes next, or is a start that has come."""

    @abc.abstractmethod
    def _is_up_to_last(self, child: int) -> bool:
        """Whether it is the turn of those that wait for all the others."""

    @property
    def place(self) -> int:
        """How much of the order has happened."""
        return self._next

    @property
    def length(self) -> int:
        """How much there is in the order."""
        return len(self._order)

    # --- waiting --------------------------------------------------------------------

    def wait_in_thread(self, child: int, what: int) -> bool:
        """Block this thread until the event comes next; false if it does not.

        In the thread of a running event loop it does not block: the call is not
        awaited, so nothing else could go on meanwhile.
        """
        if rest.running_loop() is not None:
            if not self._is_next_but_for_rest(child, what):
                self.on_out_of_turn(child)
            return True
        with self._lock:
            self.has_reacted(self._paths[child])
            still = Stillness(_STALL / 2)
            still.look(self._next)
            while not self.has_come(child, what):
                patience = _AGAIN if self._stalled == self._next else PATIENCE
                self._wait_for((child, what), min(patience, _STALL / 2))
                if self._is_over(still.look(self._next), patience):
                    self._stalled = self._next
                    return False
            follows = self._order[self._next - 1] if self._next else AT_REST
            if not follows[1] or self._paths[follows[0]] == self._paths[child]:
                return True
            self._letting += 1
        # Another thread has just got an outcome. What it does with it before its next
        # call came before this.
        try:
            self._let_react(self._paths[follows[0]])
        finally:
            with self._lock:
                self._letting -= 1
        return True

    def is_up_to_thread(self) -> bool:
        """Whether a thread waits for what comes next, or is just about to do it."""
        place = self._next
        if self._letting:
            return True
        return place < len(self._order) and self._order[place] in self._threads

    def wait_to_begin(self, child: int) -> None:
        """Block a thread that has made no call until its first one comes next.

        What it does before that, such as taking a lock, may be in the way of others.
        So may it be that it has not begun: it does once nothing moves for a moment.
        """
        if rest.running_loop() is not None:
            return
        with self._lock:
            still, path = Stillness(_STEP), self._paths[child]
            while not (self.has_come(child, False) or self.marks.is_up_to(path)):
                if still.look(self._next) >= _BEGIN:
                    return
                self._wait_for((child, False), _STEP)

    def wait_before_lock(self, lane: Lane, runs: bool) -> None:
        """Block a thread that is about to take a lock until its turn comes.

        Not for long if the one whose turn it is waits itself, maybe for what this one
        does with the lock.

        Args:
            lane: that the thread runs.
            runs: its next call is none that a record answers.
        """
        if rest.running_loop() is not None:
            return
        with self._lock:
            self.has_reacted(lane.path)
            self._before_locks.append(lane)
            try:
                self._wait_before_lock(lane, runs)
            finally:
                self._before_locks.remove(lane)
                self.tell_listeners()

    def _wait_before_lock(self, lane: Lane, runs: bool) -> None:
        still = Stillness(_STEP)
        while not self.may_take_lock(lane, runs):
            first = self._before_locks[0]
            # One at a time: those that come later may need what it does.
            patience = self.patience_out_of_turn() if lane is first else PATIENCE
            if still.look(self._next, first.path) >= patience:
                return
            self.wait_for_change(_STEP)

    def patience_out_of_turn(self) -> float:
        """How long nothing may move before a thread takes a lock before its turn."""
        child, _ = self._order[self._next]
        if self.is_up_to_thread():
            return PATIENCE
        is_held_up = child < 0 or self.is_held_up(self._paths[child])
        if is_held_up is None:
            return LAST_PATIENCE
        return _BEGIN if is_held_up else PATIENCE

    def has_reacted(self, path: Path) -> None:
        if self._reacting == path:
            self._reacting = None
            self._reacted.notify_all()

    def _let_react(self, path: Path) -> None:
        still = Stillness(_REACTION_STEP)
        with self._lock:
            while self._reacting == path and still.look() < _REACTION_MOST:
                self._reacted.wait(_REACTION_STEP)
        time.sleep(_REACTION)

    def _is_over(self, waited: float, patience: float) -> bool:
        """Whether a thread has waited long enough for something to move."""
        return waited >= patience or (waited >= _STALL and bool(self.is_alone()))

    def _wait_for(self, event: tuple[int, int], timeout: float) -> None:
        waiting = self._threads.get(event)
        if waiting is None:
            waiting = self._threads[event] = threading.Condition(self._lock)
        waiting.wait(timeout)
        self._threads.pop(event, None)

    def wait_for_rest_of_order_in_thread(self, child: int = -1) -> None:
        """Block this thread until all that was recorded has happened, or nothing does.

        In the thread of a running event loop it does not block.

        Args:
            child: as for `wait_for_rest_of_order`.
        """
        if rest.running_loop() is not None:
            return
        with self._lock:
            still = Stillness(_LAST_STEP)
            still.look(self._next)
            while not self._is_up_to_last(child):
                # Others may need what only this thread can free, such as its place
                # in a pool: one that asked a person had freed it.
                patience = _STALL if self._threads else LAST_PATIENCE
                if self._is_over(still.look(self._next), patience):
                    self.hurries = True
                    return
                self.wait_for_change(_LAST_STEP)

    def _is_next_but_for_rest(self, child: int, what: int) -> bool:
        """``is_next``, where the loop need not have come to rest before."""
        if self.is_next(child, what):
            return True
        following = (event for event in self._order[self._next :] if event != AT_REST)
        return next(following, None) == (child, what)

    def wait_for_change(self, timeout: float) -> None:
        """Block until something has moved, or for some seconds; holds the lock."""
        self._listeners += 1
        try:
            self.changed.wait(timeout)
        finally:
            self._listeners -= 1

    # --- what happens ---------------------------------------------------------------

    def tell_listeners(self) -> None:
        """Something has moved."""
        if self._listeners:
            self.changed.notify_all()

    def _is_reacting(self, path: Path) -> None:
        if rest.running_loop() is None:
            self._reacting = path

    def _wake_thread(self) -> None:
        """Wake the thread whose turn it is; to wake all each time would take long."""
        if self._next < len(self._order):
            waiting = self._threads.get(self._order[self._next])
            if waiting is not None:
                waiting.notify_all()
            return
        for waiting in self._threads.values():
            waiting.notify_all()

    def _wake_threads_of(self, child: int) -> None:
        for event, waiting in self._threads.items():
            if event[0] == child:
                waiting.notify_all()


def nothing(*_: object) -> None:
    """In the place of a function that nobody has put in."""


def _nobody_knows(*_: object) -> None:
    return None
