# SPDX-License-Identifier: Apache-2.0
"""Alarms: timers and time limits that went off have a place in the order of a frame.

In a record an alarm is ``[place, others, *name]``, see ``timers.py``. Among the turns
of a replay it starts and ends like one more child: it goes off, and who waits for it
has begun to react.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from contextvars import Context
from typing import TYPE_CHECKING

from enact.calls.marks import moved

if TYPE_CHECKING:
    from enact.calls.lanes import Path
    from enact.calls.timers import Alarm
    from enact.calls.turns import Turns


def lane_of_alarm(alarm: Sequence[int]) -> Path:
    """The lane that goes on: of who set a limit; a timer has its own."""
    _, _, *name = alarm
    return tuple(name if name[-1] < 0 else name[:-1])


def steps_of(
    alarms: Sequence[list[int]], first: int
) -> list[tuple[int, tuple[int, bool]]]:
    """Starts and ends of alarms with their places, the last one first.

    Args:
        alarms: as in the record.
        first: what the first one is among the children.
    """
    steps = []
    for alarm, (place, others, *_) in enumerate(alarms, first):
        steps.append((place, (alarm, False)))
        steps.append((place + others, (alarm, True)))
    # Those that go off at once do so before anybody reacts.
    steps.sort(key=lambda step: (step[0], step[1][1]))
    return steps[::-1]


def behind(
    marks: Sequence[list[int]] | None, alarms: Sequence[list[int]]
) -> list[list[int]] | None:
    """Marks (see ``marks.py``), where alarms have places among the events as well."""
    if marks is None:
        return None
    places = sorted(p for at, others, *_ in alarms for p in (at, at + others))
    return [[n + bisect_right(places, n), *mark] for n, *mark in marks]


def undisturbed(
    alarms: Iterable[list[int]],
    events: Sequence[int],
    lanes: Sequence[Path],
    kept: Sequence[bool],
) -> list[list[int]]:
    """Alarms that go off again where they did, if only some of the events are left.

    Their lanes, and those that these started, do again all that they did before.

    Args:
        alarms: as records have them.
        events, lanes: of all calls, as in ``layout``.
        kept: of each event, whether it is left.
    """
    gone: list[tuple[int, Path]] = []
    started = 0
    for place, (event, is_kept) in enumerate(zip(events, kept, strict=True)):
        child = started if event == 0 else event - 1
        started += event == 0
        if not is_kept and event >= 0:
            gone.append((place, lanes[child]))

    def goes_off(alarm: list[int]) -> bool:
        lane = lane_of_alarm(alarm)
        return not any(
            at < alarm[0] and other[: len(lane)] == lane for at, other in gone
        )

    return [*filter(goes_off, alarms)]


def alarms_left(
    alarms: Iterable[list[int]] | None,
    events: Sequence[int],
    lanes: Sequence[Path],
    kept: Sequence[bool],
) -> list[list[int]] | None:
    """Alarms where only some of the events are left; see `undisturbed`.

    Returns:
        As records have them; None for none.
    """
    if not alarms:
        return None
    return moved(undisturbed(alarms, events, lanes, kept), kept) or None


class AlarmTurns:
    """The alarms of a replayed frame.

    Args:
        turns: of the frame; their lock is held in all that follows.
        first: what the first alarm is among the children.
        alarms: as in the record.

    Attributes:
        expected: timers and limits that are set, and go off in the record.
    """

    def __init__(self, turns: Turns, first: int, alarms: Sequence[list[int]]) -> None:
        self._turns = turns
        self._first = first
        self._numbers = [(n, alarm[-1]) for n, alarm in enumerate(alarms, first)]
        self._is_going_off = False
        self.expected: dict[int, Alarm] = {}

    def expect(self, alarm: Alarm, path: Path, number: int) -> int | None:
        """A timer or limit is set; gives what it is in the order, if it goes off there.

        Args:
            alarm: what the timer calls.
            path: the lane that it goes off in.
            number: the last of its name.
        """
        for at, (event, last) in enumerate(self._numbers):
            if last == number and self._turns.path_of(event) == path:
                del self._numbers[at]
                self.expected[event] = alarm
                self.look()
                return event
        return None

    def forget(self, event: int) -> None:
        """An alarm goes off out of turn."""
        with self._turns._lock:
            self.expected.pop(event, None)
            self._turns.happened(event, False)

    def look(self) -> None:
        """See whether an alarm comes next that is ready to go off."""
        with self._turns._lock:
            alarm = self._next()
            if alarm is not None and not self._is_going_off:
                self._is_going_off = True
                alarm.loop.call_soon(self._go_off, context=Context())

    def _next(self) -> Alarm | None:
        turns = self._turns
        if not self.expected or turns.used_up():
            return None
        event, what = turns._order[turns.place]
        alarm = None if what else self.expected.get(event)
        return alarm if alarm is not None and alarm.is_ready else None

    def _go_off(self) -> None:
        """All go off that come next, each behind tasks that react before it."""
        going: list[tuple[int, Alarm]] = []
        turns = self._turns
        with turns._lock:
            while (alarm := self._next()) is not None:
                event, _ = turns._order[turns.place]
                going.append((event, self.expected.pop(event)))
                turns.happened(event, False)
            self._is_going_off = False
            place = turns.place
        for event, alarm in going:
            place = self._wake_up_to(place, (event, True))
            alarm.go_off()

    def _wake_up_to(self, place: int, end: tuple[int, int]) -> int:
        """Wake the lanes of calls that come before an event; gives its place."""
        turns = self._turns
        with turns._lock:
            for at in range(place, turns.length):
                child, _ = turns._order[at]
                if child < 0:
                    return at
                if turns._order[at] == end:
                    return at + 1
                if child < self._first:
                    turns._wake(turns.path_of(child))
        return turns.length
