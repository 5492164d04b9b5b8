# SPDX-License-Identifier: Apache-2.0
"""Marks: what has a place in the order of a frame beside the starts and ends of calls.

``concurrent.futures.as_completed`` and ``wait`` tell a program which work items of an
executor are done when they look; so do ``done()``, ``cancel()`` and a ``result()`` with
a timeout. Which thread takes a job from a queue is chance as well. What the program
calls next hangs on that, so a record has the order of all this: a list of marks, each
with how many starts and ends came before it. Where nobody could tell, as nobody looked,
a record does without.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from enact.calls.lanes import CURRENT
from enact.calls.stuck import PATIENCE, Stillness

if TYPE_CHECKING:
    from enact.calls.lanes import Path
    from enact.calls.thread_turns import ThreadTurns

# How long nothing may move before an item is done, or somebody looks, though it is the
# turn of another lane, if that one waits itself; and how often to see whether it does.
_HELD_UP = 0.1
_STEP = 0.0125

END, LOOK, CANCEL, SEEN, BEGIN, QUEUE = range(6)
"""Kinds of marks: an item is done; a lane looks what is; a lane cancels an item, if
that has not begun; an item is seen to be done; an item begins; a lane puts into a queue
or takes from it."""


class Mark(NamedTuple):
    """What has a place in the order.

    Attributes:
        kind: see ``END``.
        path: lane of the item, or of who looks or cancels.
        number: how many of its kind came before it in that lane.
    """

    kind: int
    path: Path
    number: int = 0


# --- in a record: [place, kind, *lane] ------------------------------------------------


def worth_telling(marks: Sequence[list[int]]) -> list[list[int]]:
    """What a record is to have of all marks of a frame."""
    if any(kind == CANCEL for _, kind, *_ in marks):
        return [*marks]
    # When an item begins makes a difference to those alone that would cancel it.
    return [mark for mark in marks if mark[1] != BEGIN]


def moved(
    marks: Iterable[list[int]] | None, kept: Sequence[bool]
) -> list[list[int]] | None:
    """Marks where only some of the events are left; None if none are.

    What came after the last of these, and after others, may not come again.

    Args:
        marks: as records have them; None for none.
        kept: of each event, whether it is left.
    """
    if marks is None or not any(kept):
        return None
    before = [0]
    for is_kept in kept:
        before.append(before[-1] + is_kept)
    last = max((n + 1 for n, is_kept in enumerate(kept) if is_kept), default=0)
    left = []
    for place, *mark in marks:
        if place > last and last < len(kept):
            break
        left.append([before[min(place, len(kept))], *mark])
    return left


# --- in a replay ----------------------------------------------------------------------


class MarkTurns:
    """The recorded order of marks, and how far a replay has come in it.

    What the record does not have comes after all that it has.

    Args:
        turns: of the frame; their lock is held in all that follows.
        marks: as in the record; None if it has none: then nothing waits.
    """

    def __init__(self, turns: ThreadTurns, marks: Sequence[list[int]] | None) -> None:
        self._turns = turns
        self._marks: list[Mark] = []
        self._places: list[int] = []
        counts: Counter[Mark] = Counter()
        for place, kind, *path in marks or ():
            first = Mark(kind, tuple(path))
            self._marks.append(first._replace(number=counts[first]))
            self._places.append(min(place, turns.length))
            counts[first] += 1
        self._numbers = {mark: number for number, mark in enumerate(self._marks)}
        self._holds = marks is not None
        self._has_begins = any(mark.kind == BEGIN for mark in self._marks)
        self._next = 0
        self._come: set[Mark] = set()
        self._counts: Counter[Mark] = Counter()
        # What to do when it is the turn of a mark, and the thread that does it.
        self._steps: dict[Mark, Callable[[], None]] = {}
        self._usher: threading.Thread | None = None
        self._parked = 0
        self._advance()

    # --- whose turn it is -------------------------------------------------------------

    def wait(self, kind: int, path: Path) -> bool:
        """Block a thread until what it does comes next; false if no record has it."""
        with self._turns.changed:
            self._turns.has_reacted(path)
            mark = self._following(kind, path)
            self._wait_until(lambda: self._is_due(mark))
            return mark in self._numbers

    def wait_to_begin(self, path: Path) -> None:
        """Block a worker until its item may begin, or has been cancelled.

        Those that began in the record do so at once: nobody could cancel them.
        """
        if self._has_begins and not self.is_to_begin(path):
            self.wait(BEGIN, path)

    def is_to_begin(self, path: Path) -> bool:
        """Whether the record has it that an item begins."""
        return Mark(BEGIN, path) in self._numbers

    def is_to_be_cancelled(self, path: Path) -> bool:
        """Whether the record has it that an item is cancelled before it begins."""
        if not self._has_begins or self._is_over() or self.is_to_begin(path):
            return False
        return Mark(END, path) in self._numbers

    def wait_to_see(self, path: Path) -> bool:
        """Whether an item may be seen to be done; it blocks if it soon may."""
        mark = Mark(SEEN, path)
        with self._turns.changed:
            number = self._numbers.get(mark)
            if number is None:
                return self._is_over()
            if self._turns.place < self._places[number]:
                return False
        return self.wait(SEEN, path)

    def when_due(self, kind: int, path: Path, step: Callable[[], None]) -> None:
        """Do something when its turn has come: now, or later, in another thread.

        The thread that has done a work item is needed for others.
        """
        mark = Mark(kind, path)
        with self._turns.changed:
            self._turns.has_reacted(path)
            if not self._is_due(mark):
                self._do_later(mark, step)
                return
        step()

    def is_up_to(self, path: Path) -> bool:
        """Whether what comes next is up to a lane, or to those that it starts."""
        at = self._next
        if at >= len(self._marks) or self._turns.place < self._places[at]:
            return False
        return self._marks[at].path[: len(path)] == path

    def when_over(self, step: Callable[[], None]) -> None:
        """Do something, in another thread, when all that is recorded has happened."""
        with self._turns.changed:
            self._parked += 1
            self._do_later(Mark(END, (), -self._parked), step)  # none has that mark

    def happened(self, kind: int, path: Path) -> None:
        """It has taken place."""
        with self._turns.changed:
            self._come.add(self._following(kind, path))
            if kind in (LOOK, CANCEL, QUEUE):
                self._counts[Mark(kind, path)] += 1
            self._advance()
            self._turns.tell_listeners()

    def rename(self, names: dict[Path, Path]) -> None:
        """Lanes have other names from now on."""

        def renamed(mark: Mark) -> Mark:
            return mark._replace(path=names.get(mark.path, mark.path))

        if self._numbers:
            self._marks = [renamed(mark) for mark in self._marks]
            self._come = {renamed(mark) for mark in self._come}
            self._numbers = {mark: number for number, mark in enumerate(self._marks)}

    # --- how it is known --------------------------------------------------------------

    def _following(self, kind: int, path: Path) -> Mark:
        first = Mark(kind, path)
        return first._replace(number=self._counts[first])

    def _advance(self) -> None:
        marks = self._marks
        while self._next < len(marks):
            mark = marks[self._next]
            if mark.kind != BEGIN and mark not in self._come:
                break
            self._next += 1

    def _is_over(self) -> bool:
        """Whether all that the record has has happened."""
        if self._next < len(self._marks):
            return False
        return not self._holds or self._turns.used_up()

    def _is_due(self, mark: Mark) -> bool:
        number = self._numbers.get(mark)
        if number is None:
            return self._is_over()
        return self._next >= number and self._turns.place >= self._places[number]

    def _wait_until(self, is_it: Callable[[], bool]) -> None:
        turns = self._turns
        still = Stillness(_STEP)
        while not (self._is_over() or is_it()):
            if still.look(turns.place, self._next) >= self._patience():
                # The program took another way. All others would wait as long again.
                self._next = len(self._marks)
                self._numbers = {}
                self._holds = False
                turns.tell_listeners()
                return
            turns.wait_for_change(_STEP)

    def _patience(self) -> float:
        """How long nothing may move before what is not due goes on."""
        is_last = self._next == len(self._marks)
        place = self._turns.length if is_last else self._places[self._next]
        if self._turns.place < place:
            return max(_HELD_UP, self._turns.patience_out_of_turn())
        if self._marks[self._next] in self._steps:
            return PATIENCE
        is_held_up = self._turns.is_held_up(self._marks[self._next].path)
        return _HELD_UP if is_held_up else PATIENCE

    def _do_later(self, mark: Mark, step: Callable[[], None]) -> None:
        self._steps[mark] = step
        if self._usher is not None:
            return
        self._usher = threading.Thread(target=self._do_steps)
        token = CURRENT.set(None)  # it is no thread of the program, and has no lane
        try:
            self._usher.start()
        finally:
            CURRENT.reset(token)

    def _do_steps(self) -> None:
        steps = self._steps
        while True:
            with self._turns.changed:
                if not steps:
                    self._usher = None
                    return
                while (mark := self._due_step()) is None:
                    self._wait_until(lambda: self._due_step() is not None)
                step = steps.pop(mark)
            step()

    def _due_step(self) -> Mark | None:
        if self._is_over():
            return next(iter(self._steps))
        if self._next == len(self._marks):
            return None
        mark = self._marks[self._next]
        return mark if mark in self._steps and self._is_due(mark) else None
