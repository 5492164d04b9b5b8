# SPDX-License-Identifier: Apache-2.0
"""Laps: rounds of the event loop that went by between what happened in a call.

Where an event loop does not come to rest, what a task does after a call and what the
next call's end brings overlap: a task that needs three more rounds to put its answer
into a list may find that of another there. A record has how many rounds after the end
before it each end came (``layout.Details.laps``), and a replay lets as many go by.

Laps are those of one event loop at a time. Where several run at once, in threads, there
are none.

In a replay the count comes last in each round, behind the tasks that it wakes: as ends
come last in a round, which timers and sockets bring.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Container, Iterator
from typing import TYPE_CHECKING, Any

from enact.calls import rest
from enact.calls.late import LateCall
from enact.calls.thread_turns import AT_REST, nothing

# What tells ``asyncio.shield`` that what it shields is done.
_SHIELDED = "shield.<locals>._inner_done_callback"

if TYPE_CHECKING:
    from enact.calls.lanes import Lane, Path
    from enact.calls.rest import Loop
    from enact.calls.turns import Turns


def shields_of(task: Any) -> Iterator[Any]:
    """The futures that ``asyncio.shield`` made for a task."""
    for callback, _ in getattr(task, "_callbacks", None) or ():
        if getattr(callback, "__qualname__", None) == _SHIELDED:
            names = callback.__code__.co_freevars
            yield callback.__closure__[names.index("outer")].cell_contents


class LapTurns:
    """The laps of a replayed frame.

    Args:
        turns: of the frame; their lock is held in what changes anything here.
        children: how many recorded calls there are.

    Attributes:
        on_laps: told of laps that go by before what comes next.
        given: futures that tasks of the frame have set since then.
        is_recorded: something recorded has happened since the event loop last rested.
    """

    __slots__ = (
        "_arriving",
        "_at_once",
        "_awaits_rest",
        "_children",
        "_count",
        "_early",
        "_end",
        "_ending",
        "_is_counting",
        "_is_early",
        "_is_fresh",
        "_late",
        "_loop",
        "_reach",
        "_rest",
        "_told",
        "_tried",
        "_tried_ahead",
        "_turns",
        "given",
        "is_recorded",
        "laps",
        "on_laps",
    )

    def __init__(self, turns: Turns, children: int) -> None:
        self._turns = turns
        self._children = children
        self.on_laps: Callable[[int], None] = nothing
        # By the place of an end in the order.
        self.laps: dict[int, int] = {}
        # Since the last end, or since what came first after a rest.
        self._count = 0
        self._is_fresh = True
        self._is_counting = False
        # Of a loop that has no laps.
        self._awaits_rest = False
        # The event loop whose laps these are.
        self._loop: Loop | None = None
        self.is_recorded = True
        self.given: set[Any] = set()
        # What tasks wait for the next round, to be counted from there, by their lanes.
        self._arriving: dict[Path, list[Any]] = {}
        # Calls that wait for their ends, and those that the program has cancelled.
        self._ending: set[int] = set()
        self._at_once: set[int] = set()
        # Places for which lanes were woken, the next one and those behind it.
        self._tried = self._tried_ahead = self._early = -1
        # The next end, and up to where lanes were woken with one before.
        self._end = self._reach = 0
        # A lane was woken before one that is late, and is to be woken again.
        self._is_early = False
        self._told = -1
        self._late = LateCall(self.is_held_up, lambda: turns.place)
        # The next rest in the order.
        self._rest = -1

    def add(self, place: int, count: int) -> None:
        """An end comes ``count`` laps after the one before it."""
        self.laps[place] = count

    # --- what happens ---------------------------------------------------------------

    def happened(self, child: int, what: int) -> None:
        """A start or an end has taken place."""
        self.is_recorded = True
        loop = rest.running_loop()
        if isinstance(loop, rest.OtherLoop) and not self._awaits_rest:
            self._awaits_rest = True
            loop.when_at_rest(self._comes_to_rest)
        if (what and child < self._children) or self._is_fresh:
            self._count, self._tried, self._tried_ahead = 0, -1, -1
            if self._is_early:
                self._reach, self._is_early = 0, False
            self._is_fresh = False

    def _comes_to_rest(self) -> None:
        self.is_recorded = self._awaits_rest = False

    def rested(self) -> None:
        """The event loop has come to rest where it was recorded to."""
        self._is_fresh = True
        self._wake(True)
        self.count()

    def tell(self, place: int) -> None:
        """Tell of the laps before what comes next."""
        if place != self._told:
            self._told = place
            if self._late.is_awaited:
                self.count()
            if place in self.laps:
                self.on_laps(self.laps[place])

    def look(self) -> None:
        """Something else comes next."""
        if self._wake(False):
            self.count()

    def awaits_end(self, child: int, at_once: bool) -> None:
        """A call waits for its end.

        Args:
            child: the call.
            at_once: the program has cancelled it.
        """
        if child in self._ending:
            self._is_early = True
        self._ending.add(child)
        self._tried = -1
        if at_once:
            self._at_once.add(child)

    def may_end(self, lane: Lane) -> None:
        """A lane is held back: what comes next may be the end of its last call."""
        if lane.cursor and self.counts():
            self.awaits_end(lane.queue[lane.cursor - 1], False)

    def brings(self, child: int) -> bool:
        """Whether a call waits here for its end; else its lane may be held before."""
        return child in self._ending and self.counts()

    # --- the count ------------------------------------------------------------------

    def counts(self) -> bool:
        """Whether there are laps here: in the event loop that has some."""
        loop = rest.running_loop()
        if loop is self._loop:
            return loop is not None
        if loop is None or isinstance(loop, rest.OtherLoop):
            return False
        if self._loop is not None and not self._loop.is_closed():
            return False
        with self._turns._lock:
            if self._loop is None or self._loop.is_closed():
                self._loop, self._is_counting = loop, False
                self._is_fresh = self.is_recorded = True
            return self._loop is loop

    def count(self) -> None:
        """Count the laps from now on, until the event loop rests."""
        if self._is_counting and self._loop is rest.running_loop():
            return
        if self.counts() and not self._turns.used_up():
            loop = self._loop
            assert loop is not None and not isinstance(loop, rest.OtherLoop)
            self._is_counting = True
            rest.laps_of(loop).follow(self._lap)

    def wakes_last(self) -> bool:
        """Whether those who wait for all the others are woken at the end of a round."""
        return self._is_counting and self.counts()

    def _lap(self, is_at_rest: bool) -> bool:
        turns = self._turns
        with turns._lock:
            self._count += 1
            woke = self._late.release()
            is_at_rest = is_at_rest and not woke
            arriving, self._arriving = self._arriving, {}
            for future in itertools.chain(*arriving.values()):
                rest.resolve(future)
            woke = self._wake(is_at_rest, arriving) or bool(arriving) or woke
            if turns.used_up():
                turns.wake_all()
            if is_at_rest and not (woke or self._late.is_awaited):
                self.is_recorded = False
                self.given.clear()
            self._is_counting = (woke or not is_at_rest) and not turns.used_up()
            return self._is_counting

    def ready(self) -> int:
        """How much the event loop has to run; -1 if that is not known."""
        return len(getattr(self._loop, "_ready", "")) if self.counts() else -1

    def made_ready(self, before: int) -> None:
        """A task has gone on: note which futures it has set.

        Args:
            before: what the event loop had to run before.
        """
        if before < 0:
            return
        ready = getattr(self._loop, "_ready", ())
        for n in range(before, len(ready)):
            handle = ready[n]
            if handle._args:
                self.given.add(handle._args[0])

    def task_ends(self) -> None:
        """The task that runs is about to end."""
        if self.counts():
            self.given.update(shields_of(rest.current_task()))

    def await_late(self, lane: Lane) -> Any:
        """What the task of a lane that is held up is to await."""
        assert self._loop is not None and not isinstance(self._loop, rest.OtherLoop)
        return self._late.wait(lane, self._loop)

    def is_held_up(self, lane: Lane) -> bool:
        """Whether a call that ends before the next one of a lane starts is late.

        What a task does in more rounds of the event loop than there were came after
        that call.
        """
        if self._late.is_given_up:
            return False
        place = -1 if self._is_fresh else self._find_end()
        if place is None or place < 0 or self._count <= self.laps.get(place, 0):
            return False
        turns = self._turns
        following = turns.place_of_next(lane)
        if following is not None and following < place:
            return False
        is_late = lane.path == turns.path_of(turns._order[place][0])
        return not (is_late or turns.is_mine(lane)) and self.counts()

    def arrive(self, lane: Lane, hopped: Callable[[], bool] | None = None) -> Any:
        """What a task is to wait for that comes from elsewhere; None for nothing.

        While nothing is counted, all that it does would be counted one lap late. One
        that others wait for comes last in a round, as all that comes from elsewhere.

        Args:
            lane: of the task.
            hopped: whether it does not come from elsewhere; None for a new task.
        """
        if not self.counts() or self._turns.used_up():
            return None
        is_late = hopped is not None and self._late.is_awaited
        if self._is_counting and not (is_late and hopped and not hopped()):
            return None
        assert self._loop is not None
        future = self._loop.create_future()
        self._arriving.setdefault(lane.path, []).append(future)
        self.count()
        return future

    # --- whose turn it is -----------------------------------------------------------

    def is_due(self) -> bool:
        """Whether as many laps have gone by as come before what is next."""
        due = self.laps.get(self._turns.place, 0)
        return self._count >= due or not self.counts()

    def _wake(self, is_at_rest: bool, arriving: Container[Path] = ()) -> bool:
        """Wake those whose calls end next, and with them in one round.

        If a start is to come before an end, it does so in this round, or who is woken
        waits again.

        Args:
            is_at_rest: the event loop is.
            arriving: lanes that were late, and go on in this round.
        """
        place, first = self._find_end(), self._turns.place
        if place is None or (place != first and (is_at_rest or self._is_fresh)):
            return False
        if is_at_rest:
            self._count = max(self._count, self.laps.get(place, 0))
        if not self._is_due_at(place, self._count):
            return False
        if place == first:
            is_new, self._tried = place != self._tried, place
            if is_new and place == self._early:
                self._reach = place  # those woken with it wait again as well
        else:
            is_new, self._tried_ahead = place > self._tried_ahead, place
            self._early = place
        child, _ = self._turns._order[place]
        if not (self.brings(child) or self._turns.path_of(child) in arriving):
            return False  # its lane is not there yet
        woke = is_new and self._wake_at(place)
        self._reach = max(self._reach, place + 1)
        return self._wake_with_it() or woke

    def _find_end(self) -> int | None:
        """The place of the next end, if no rest and no alarm come before."""
        order = self._turns._order
        place = max(self._end, self._turns.place)
        while place < len(order) and not order[place][1] and self._is_call(place):
            place += 1
        self._end = place
        return place if place < len(order) and self._is_call(place) else None

    def _wake_with_it(self) -> bool:
        """Wake those whose calls end in the same round as one that does now."""
        order, place, woke = self._turns._order, self._reach, False
        while place < len(order) and self._is_call(place):
            if order[place][1]:
                if not self._is_due_at(place, 0):
                    break
                woke = self._wake_at(place) or woke
            place += 1
        self._reach = place
        return woke

    def _wake_at(self, place: int) -> bool:
        turns = self._turns
        child, _ = turns._order[place]
        return child in self._ending and turns.wake_in_time(child)

    def _is_call(self, place: int) -> bool:
        """Whether a call starts or ends there: no rest comes, and no alarm."""
        return 0 <= self._turns._order[place][0] < self._children

    def _is_due_at(self, place: int, count: int) -> bool:
        if count >= self.laps.get(place, 0):
            return True
        return self._turns._order[place][0] in self._at_once

    def comes_before_rest(self, lane: Lane) -> bool:
        """Whether a lane's next call comes before a rest: it waits for no clock."""
        turns = self._turns
        if self._rest < turns.place:
            order, at = turns._order, turns.place
            while at < len(order) and order[at] is not AT_REST:
                at += 1
            self._rest = at
        place = turns.place_of_next(lane)
        return place is None or place < self._rest
