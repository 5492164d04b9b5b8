# SPDX-License-Identifier: Apache-2.0
"""Turns: replayed lanes start and end their calls in the order that was recorded.

Answers from a record take no time, so the tasks of a replayed program would overtake
each other. Here each start and end of a recorded call waits until all that came before
it has happened. A task that wakes from something untracked, such as a sleep, is held
back in the same way, since the code up to its next call may look at what others did.

An event that can no longer happen (its lane has ended, or the program took another
way) is skipped. Where that cannot be known, it shows: nothing moves any more. Then the
lane whose turn would come first goes on.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from enact.calls import rest
from enact.calls.alarms import AlarmTurns, behind, lane_of_alarm, steps_of
from enact.calls.drivers import Driver, Turn
from enact.calls.laps import LapTurns
from enact.calls.layout import REST, item_of
from enact.calls.order import ITEM
from enact.calls.rest import when_at_rest
from enact.calls.stuck import Watch
from enact.calls.thread_turns import AT_REST, ThreadTurns, nothing

if TYPE_CHECKING:
    from enact.calls.lanes import Lane, Path
    from enact.calls.rest import Loop


class Turns(ThreadTurns):
    """The order of starts and ends within one replayed frame."""

    __slots__ = (
        "_ancestors",
        "_beginning",
        "_begun",
        "_cut",
        "_done",
        "_dropped",
        "_ended",
        "_ends",
        "_held",
        "_items",
        "_last",
        "_places",
        "_rested",
        "_resting",
        "_waiting",
        "_watching",
        "_woken",
        "alarms",
        "laps",
        "on_rest",
        "on_used_up",
    )

    def __init__(
        self,
        events: Sequence[int],
        paths: list[Path],
        marks: Sequence[list[int]] | None = None,
        alarms: Sequence[list[int]] | None = None,
        laps: Sequence[list[int]] | None = None,
    ) -> None:
        # An event is a child and what happens to it: see ``order.ITEM``.
        order: list[tuple[int, int]] = []
        started = 0
        self._items: dict[int, int] = {}
        children = len(paths)
        #: Timers and limits that are to go off.
        self.alarms = AlarmTurns(self, children, alarms or ())
        due = steps_of(alarms or (), children)
        if alarms:
            paths = [*paths, *map(lane_of_alarm, alarms)]
            marks = behind(marks, alarms)
        #: Rounds of the event loop that are to go by.
        self.laps = LapTurns(self, children)
        rounds = 0
        # Callbacks cannot wait: what comes before them is not to come late.
        has_callbacks = any(n < 0 and n % 2 for path in paths for n in path)
        left = [] if has_callbacks else [*(laps or ())][::-1]
        for place, event in enumerate(events):
            while due and due[-1][0] <= place:
                order.append(due.pop()[1])
            while left and left[-1][0] <= place:
                rounds += left.pop()[1]
            if event == REST:
                rounds = 0
            elif event and rounds:  # since the end before this one
                self.laps.add(len(order), rounds)
                rounds = 0
            if event == REST:
                order.append(AT_REST)
            elif event == 0:
                order.append((started, False))
                started += 1
            elif event < 0:
                child = item_of(event)
                count = self._items[child] = self._items.get(child, 0) + 1
                order.append((child, ITEM + count - 1))
            else:
                order.append((event - 1, True))
        order += [step for _, step in reversed(due)]
        super().__init__(order, paths, marks)
        self._done: set[tuple[int, int]] = set()
        # Those that may come, but have no place in the order.
        self._dropped = set(range(started, children))
        # Of starts and ends, for those who ask.
        self._places: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self._ancestors = {path[:n] for path in set(paths) for n in range(len(path))}
        self._resting = self._rested = -1
        #: Told when a recorded rest has come again.
        self.on_rest: Callable[[], None] = nothing
        #: Told when all that was recorded has happened.
        self.on_used_up: Callable[[], None] = nothing
        self._waiting: dict[Path, list[Turn]] = {}
        self._begun: set[Path] = {()}
        self._ended: set[Path] = set()
        self._cut: set[int] = set()
        # Lanes that were woken, and held back.
        self._held: set[Path] = set()
        # Lanes that wait for all the others.
        self._last: set[Path] = set()
        self._watching: set[int] = set()
        # Lanes whose turn has come and that have not gone on yet, each with its event
        # loop; tasks that are to begin after them.
        self._woken: dict[Path, Loop] = {}
        self._beginning: list[Driver] = []

    def used_up(self) -> bool:
        """Whether all that was recorded has happened."""
        return self._next >= len(self._order)

    def items_of(self, child: int) -> int:
        """How many items of a recorded stream have a place in the order."""
        return self._items.get(child, 0)

    # --- what happens -------------------------------------------------------------

    def begun(self, path: Path) -> None:
        """A lane exists."""
        self._begun.add(path)

    def happened(self, child: int, what: int) -> None:
        """The start or end of a recorded call, or an item of it, has taken place."""
        with self._lock:
            self._done.add((child, what))
            self.laps.happened(child, what)
            if what:
                self._is_reacting(self._paths[child])
            self._advance()

    def drop(self, child: int) -> None:
        """A recorded call has no place in the order any more."""
        with self._lock:
            self._dropped.add(child)
            self.laps.happened(child, False)
            self._done.add((child, False))
            self._done.add((child, True))
            self._advance()
            self._wake_threads_of(child)

    def awaits_cancellation(self, child: int) -> None:
        """A recorded call ends next, as soon as another lane cancels it."""
        with self._lock:
            self._cut.add(child)
            self._advance()

    def lane_ended(self, path: Path) -> None:
        """A lane is over, and so is what only it could have started."""
        with self._lock:
            self._ended.add(path)
            self.has_reacted(path)
            if self._may_concern(path):
                self._advance()
            else:
                self.tell_listeners()

    def revive(self, path: Path) -> None:
        """A lane that was over goes on."""
        with self._lock:
            self._ended.discard(path)

    def path_of(self, child: int) -> Path:
        """The lane of a recorded call, as the live one is named."""
        return self._paths[child]

    def has_started(self, child: int) -> bool:
        """Whether a recorded call has started, or has no place in the order."""
        if not self._places:
            order = enumerate(self._order)
            self._places = {event[0]: n for n, event in order if event[1] is False}
        place = self._places.get(child, -1)
        return place < self._next or child in self._dropped or (child, 0) in self._done

    def has_ended(self, path: Path) -> bool:
        """Whether a lane is over."""
        return path in self._ended

    def rename(self, child: int, live: Path) -> None:
        """The lane in which ``child`` was recorded runs as another; they swap names."""
        with self._lock:
            recorded = self._paths[child]
            names = {recorded: live, live: recorded}
            self._paths = [names.get(path, path) for path in self._paths]
            self.marks.rename(names)
            self._advance()

    def trade(self, one: Path, other: Path) -> None:
        """Two live lanes have each other's names from now on."""
        names = {one: other, other: one}
        with self._lock:
            for paths in (self._held, self._last):
                both = paths & names.keys()
                paths -= both
                paths |= {names[path] for path in both}
            waiting, woken = self._waiting, self._woken
            turns = {
                names[path]: waiting.pop(path) for path in names if path in waiting
            }
            waiting.update(turns)
            loops = {names[path]: woken.pop(path) for path in names if path in woken}
            woken.update(loops)
            self._advance()

    def _advance(self) -> None:
        order, done, place = self._order, self._done, self._next
        while place < len(order):
            event = order[place]
            if event is AT_REST:
                if self._must_rest(place):
                    break
                self.on_rest()
            elif event in done:
                done.discard(event)
            elif event[1] >= ITEM and event[0] in self._dropped:
                pass
            elif not self._lost(event):
                break
            place += 1
        is_over = self._next < place == len(order)
        self._next = place
        self.laps.tell(place)
        if is_over:
            self.on_used_up()
        self.tell_listeners()
        if self.alarms.expected:
            self.alarms.look()
        if self._threads:
            self._wake_thread()
        waiting = self._waiting
        if not waiting:
            return
        if place >= len(order):
            if not self.laps.wakes_last():
                self.wake_all()
            return
        event = order[place]
        if event is AT_REST:
            return
        self.laps.look()
        turn = self._paths[event[0]]
        if turn in waiting and not (event[1] and self.laps.brings(event[0])):
            self._wake(turn)
        if self._up_to_others(event):
            for length in range(len(turn)):
                # One whose call is to end first can start nothing.
                if any(not one.is_for_end for one in waiting.get(turn[:length], ())):
                    self._wake(turn[:length])
            for path in self._last & waiting.keys():
                self._wake(path)

    def _may_concern(self, path: Path) -> bool:
        """Whether what comes next is up to a lane, or to those that it starts."""
        if self._next >= len(self._order):
            return False
        event = self._order[self._next]
        if event is AT_REST:
            return True
        return self._paths[event[0]][: len(path)] == path

    def _must_rest(self, place: int) -> bool:
        """Whether a rest in the order is still to come."""
        if self._rested == place:
            return False
        loop = rest.running_loop()
        if loop is None:
            return False
        if self._resting != place:
            self._resting = place
            when_at_rest(loop, functools.partial(self._rest, place))
        return True

    def _rests_next(self) -> bool:
        place = self._next
        return place < len(self._order) and self._order[place] is AT_REST

    def _rest(self, place: int) -> None:
        with self._lock:
            self._rested = place
            self._advance()
            self.laps.rested()

    def _lost(self, event: tuple[int, int]) -> bool:
        """Whether the lane of an event is over, or can no longer come to be."""
        path = self._paths[event[0]]
        if path in self._begun:
            return path in self._ended
        return any(path[:length] in self._ended for length in range(1, len(path)))

    def wake_all(self) -> None:
        """Wake all who wait: nothing recorded is left to wait for."""
        for path in list(self._waiting):
            self._wake(path)

    def wake_in_time(self, child: int) -> bool:
        """Wake the lane of a call that ends next; false if it does not wait."""
        path = self._paths[child]
        if path not in self._waiting:
            return False
        self._wake(path, is_late=False)
        return True

    def _wake(self, path: Path, is_late: bool = True) -> None:
        for turn in self._waiting.pop(path, ()):
            loop = turn.loop
            if loop is rest.running_loop():
                if not turn.future.done():
                    turn.future.set_result(None)
                    if is_late:
                        self._woken[path] = loop
            elif not loop.is_closed():
                loop.call_soon_threadsafe(rest.resolve, turn.future)

    # --- whose turn it is -----------------------------------------------------------

    def _mine(self, path: Path) -> bool:
        if self._next >= len(self._order):
            return True
        event = self._order[self._next]
        if event is AT_REST:
            return False
        turn = self._paths[event[0]]
        if turn == path:
            return True
        return self._up_to_others(event) and turn[: len(path)] == path

    def _up_to_others(self, event: tuple[int, int]) -> bool:
        """Whether an ancestor is to start the lane of an event, or to cancel it."""
        child, what = event
        return self._paths[child] not in self._begun or (
            what == 1 and child in self._cut
        )

    def is_mine(self, lane: Lane) -> bool:
        """Whether what comes next is up to ``lane``, or to those that it starts."""
        return self._mine(lane.path)

    def is_turn(self, lane: Lane) -> bool:
        """Whether what ``lane`` does next comes next, or nobody waits for it."""
        return self._mine(lane.path) or self._free(lane)

    def is_turn_of_task(self, lane: Lane) -> bool:
        """The same for a task: it also waits while its last call is to end later."""
        if self._mine(lane.path):
            return True
        return self._free(lane) and not (self.laps.counts() and self._is_within(lane))

    def _is_within(self, lane: Lane) -> bool:
        """Whether the last call that a lane has made ends later in the order."""
        if not lane.cursor:
            return False
        child = lane.queue[lane.cursor - 1]
        if not self._ends:
            order = enumerate(self._order)
            self._ends = {event[0]: n for n, event in order if event[1] is True}
        if child in self._dropped or (child, True) in self._done:
            return False
        return self._ends.get(child, -1) >= self._next

    def _free(self, lane: Lane) -> bool:
        """A lane without recorded calls left has no place in the order."""
        left = lane.queue[lane.cursor :]
        if any(child not in self._dropped for child in left):
            return False
        if lane.path not in self._ancestors:
            return True
        return not any(
            path[: len(lane.path)] == lane.path and path not in self._begun
            for child, _ in self._order[self._next :]
            if child >= 0
            for path in (self._paths[child],)
        )

    def may_take_lock(self, lane: Lane, runs: bool) -> bool:
        """Whether what ``lane`` does next with a lock is in nobody's way."""
        if not runs:
            return self.is_turn(lane)
        return self._is_up_to_last(-1) or self._mine(lane.path)

    def is_next(self, child: int, what: int) -> bool:
        """Whether this very event comes next, or has no place in the order."""
        place = self._next
        if place >= len(self._order) or child in self._dropped:
            return True
        return self._order[place] == (child, what)

    def place_of_next(self, lane: Lane) -> int | None:
        """Where the next call of a lane starts, in the order; None if it has none."""
        for n in range(lane.cursor, len(lane.queue)):
            child = lane.queue[n]
            if child not in self._dropped:
                self.has_started(child)  # from then on the places are known
                return self._places.get(child, -1)
        return None

    def lets_pass(self, lane: Lane) -> bool:
        """Whether a lane that comes to no more recorded calls stays behind others.

        They have been held back, and may take what it would take now.
        """
        return bool(lane.cursor and self._held) and not self._mine(lane.path)

    def stay_behind(self, turn: Turn) -> None:
        """Let a lane go on once the others have, as far as they can."""

        seen = -1

        def look() -> None:
            nonlocal seen
            place, was = self._next, seen
            seen = place
            if self._held and (place != was or self._rests_next()):
                when_at_rest(turn.loop, look)  # they may have gone on, or will
            else:
                rest.resolve(turn.future)

        when_at_rest(turn.loop, look)

    def is_last(self, child: int) -> bool:
        """Whether a call ends after the last rest, where nothing else but ends is."""
        for event in reversed(self._order):
            if event == (child, True):
                return True
            if event[1] is not True:
                return False
        return False

    # --- waiting --------------------------------------------------------------------

    async def wait(self, child: int, what: int, is_cancelled: bool = False) -> None:
        """Wait in a task until the event comes next, or a start has come.

        Args:
            child, what: the event.
            is_cancelled: the program has cancelled the call, and knows when.
        """
        at_once = is_cancelled or not what
        while not (self.has_come(child, what) and (at_once or self.laps.is_due())):
            if what:
                self.laps.awaits_end(child, is_cancelled)
            # As ``_park`` does, with one coroutine less for each call in flight.
            path = self._paths[child]
            turn = self.park(path)
            turn.is_for_end = bool(what)
            try:
                await turn.future
            finally:
                self._woken.pop(path, None)
            if turn.is_released:
                return

    def has_come(self, child: int, what: int) -> bool:
        if self.is_next(child, what):
            return True
        return what is False and self.has_started(child)  # in another lane

    async def wait_for_rest_of_order(self, lane: Lane, child: int = -1) -> None:
        """Wait in a task until all that was recorded has happened.

        Args:
            lane: in which the task is.
            child: recorded call that is to end; it is there when only that is left.
        """
        self._last.add(lane.path)
        try:
            while not self._is_up_to_last(child):
                if child >= 0:
                    self.laps.awaits_end(child, False)
                if await self._park(lane.path):
                    return
        finally:
            self._last.discard(lane.path)

    def _is_up_to_last(self, child: int) -> bool:
        """Whether it is the turn of those that wait for all the others.

        What is to be cancelled next may be so by what they do.
        """
        if self.hurries or self.used_up() or self.is_next(child, True):
            return True
        following, what = self._order[self._next]
        return what == 1 and following in self._cut

    async def _park(self, path: Path) -> bool:
        turn = self.park(path)
        try:
            await turn.future
        finally:
            self._woken.pop(path, None)
        return turn.is_released

    def park(self, path: Path) -> Turn:
        loop = rest.running_loop()
        assert loop is not None
        turn = Turn(loop)
        self.laps.count()
        with self._lock:
            self._waiting.setdefault(path, []).append(turn)
        if id(loop) not in self._watching:
            self._watching.add(id(loop))
            Watch(self, loop)
        return turn

    def goes_on(self, lane: Lane) -> None:
        """A lane that was held back is resumed."""
        self._woken.pop(lane.path, None)

    def may_begin(self, driver: Driver) -> bool:
        """Whether a task may begin that the event loop would begin now.

        Those whose turn has just come go first. Had they not been held back, they
        would have gone on before.
        """
        if not (self._woken or self._beginning):
            return True
        loop = rest.running_loop()
        if loop in self._woken.values():
            return False
        first = next((d for d in self._beginning if d.loop is loop), driver)
        return first is driver

    def waits_for_all(self) -> bool:
        """Whether a lane waits for all the others."""
        return any(path in self._last for path in self._waiting)

    def release_first(self) -> None:
        """Nothing moves: the waiting lane whose turn would come first goes on."""
        with self._lock:
            if not self._waiting:
                return
            # One that comes after all the others may be what they wait for.
            first = next((path for path in self._waiting if path in self._last), None)
            if first is None:
                first = next(iter(self._waiting))
                for child, _ in self._order[self._next :]:
                    if child >= 0 and self._paths[child] in self._waiting:
                        first = self._paths[child]
                        break
            for turn in self._waiting[first]:
                turn.is_released = True
            self._wake(first)

    def drive(self, lane: Lane, coro: Coroutine[Any, Any, Any]) -> Driver:
        """Run ``coro`` so that it wakes only in its turn."""
        return Driver(self, lane, coro)
