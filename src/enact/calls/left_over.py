# SPDX-License-Identifier: Apache-2.0
"""What a replay that was cut off has left of its recording, with all that has a place.

The order in which calls start and end, marks and alarms: what the rows of the replay
tell of these stands, and what they do not follows as it was recorded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from enact.calls.alarms import undisturbed
from enact.calls.lanes import Path
from enact.calls.layout import REST, Details, item_event, item_of

if TYPE_CHECKING:
    from enact.calls.layout import Recorded

Noted = list[list[int]]
"""Marks, alarms or laps, as in ``layout``: what has a place among the events."""


class Call(NamedTuple):
    """A call below one that was under way.

    Attributes:
        lane: that made it.
        cid: of its invocation.
        ended: whether it came to an end.
    """

    lane: Path
    cid: bytes
    ended: bool = True


def calls_of(base: Recorded) -> list[Call]:
    """The calls below a recorded one, and those ahead of them."""
    details = base.details or Details()
    cids = [*base.children, *(details.ahead or ())]
    lanes = details.lanes or [()] * len(cids)
    return [Call(lane, cid) for lane, cid in zip(lanes, cids, strict=True)]


def retried(base: Recorded) -> set[int]:
    """Which of its calls are part of what ended a recorded one."""
    return set(base.details.retry or ()) if base.details is not None else set()


class LeftOver:
    """What is left of a recording, while it is taken over into another one.

    Args:
        base: what was replayed.
        left: its calls that are not told of, by index; what is taken over is taken out.
        told: of the others, the index among ``calls``.
        calls, events: what is told; they are added to.
    """

    def __init__(
        self,
        base: Recorded,
        left: dict[int, Call],
        told: Mapping[int, int],
        calls: list[Call],
        events: list[int],
    ) -> None:
        self._base = base
        self._left = left
        self._calls = calls
        self._events = events
        self._told = len(events)
        self._order = _order_of(base)
        #: Where each call of the recording is among ``calls``.
        self._place = dict(told)
        #: Where each of its events is among ``events``.
        self._position: dict[int, int] = {}
        #: Of calls that a record answers, and whose end is not told, items that are.
        self._answers: dict[int, int] = {}
        self._find_told()

    def _find_told(self) -> None:
        at: dict[tuple[int, bool], int] = {}
        items: Counter[int] = Counter()
        started = 0
        for position, event in enumerate(self._events):
            if event == 0:
                at[started, False] = position
                started += 1
            elif event > 0:
                at[event - 1, True] = position
            else:
                items[item_of(event)] += 1
        started = 0
        for n, event in enumerate(self._order):
            index = started if event == 0 else event - 1
            started += event == 0
            there = at.get((self._place.get(index, -1), event > 0))
            if event >= 0 and there is not None:
                self._position[n] = there
        for index, place in self._place.items():
            if self._calls[place].ended and (place, True) not in at:
                self._answers[index] = items[place]

    def take(self, wanted: set[int]) -> list[int]:
        """Take over calls, in their order, and what answers still had to do.

        Args:
            wanted: indices of the calls.

        Returns:
            Indices of calls that are still to be retried.
        """
        left, calls, events = self._left, self._calls, self._events
        items = dict(self._answers)
        going_on = {index: self._place[index] for index in items}
        taken: dict[int, int] = {}
        started = 0
        for n, event in enumerate(self._order):
            before = len(events)
            if event == 0:
                if started in wanted and started in left:
                    taken[started] = going_on[started] = len(calls)
                    calls.append(left.pop(started))
                    events.append(0)
                started += 1
            elif event == REST:
                if len(events) > self._told and events[-1] != event:
                    events.append(event)
            elif event < 0:
                items[item_of(event)] = items.get(item_of(event), 0) - 1
                if item_of(event) in going_on and items[item_of(event)] < 0:
                    events.append(item_event(going_on[item_of(event)]))
            elif event - 1 in going_on and calls[going_on[event - 1]].ended:
                events.append(going_on[event - 1] + 1)
            if len(events) > before:
                self._position[n] = before
        for index in sorted(wanted & left.keys()):  # they were ahead, without an order
            taken[index] = len(calls)
            calls.append(left.pop(index))
            events += [0, len(calls)]
        self._place.update(taken)
        return [taken[n] for n in sorted(retried(self._base)) if n in taken]

    def marks(self, told: Noted | None) -> Noted | None:
        """All marks, those that are told first."""
        details = self._base.details
        if details is None or details.marks is None:
            return told
        known = Counter(tuple(mark) for _, *mark in told or ())
        found = list(told or ())
        last = max(self._position, default=-1) + 1
        place_of = self._places()
        for place, *mark in details.marks:
            if place > last and last < len(self._order):
                break  # what came after others may not come again
            if known[tuple(mark)] > 0:
                known[tuple(mark)] -= 1
            else:
                found.append([place_of[min(place, last)], *mark])
        return sorted(found, key=lambda mark: mark[0])

    def alarms(self, told: Noted | None) -> Noted | None:
        """All alarms, those that are told first."""
        details = self._base.details
        if details is None or not details.alarms or details.lanes is None:
            return told
        known = {tuple(name) for _, _, *name in told or ()}
        found = list(told or ())
        place_of = self._places()
        kept = []
        started = 0
        for event in self._order:
            index = started if event == 0 else event - 1
            started += event == 0
            kept.append(event < 0 or index in self._place)
        for alarm in undisturbed(details.alarms, self._order, details.lanes, kept):
            place, others, *name = alarm
            if tuple(name) not in known:
                at = place_of[place]
                found.append([at, place_of[place + others] - at, *name])
        return sorted(found, key=lambda alarm: alarm[0]) or None

    def laps(self, told: Noted | None) -> Noted | None:
        """Rounds of the event loop, those that are told first."""
        details = self._base.details
        if details is None or details.laps is None:
            return told
        places = ((self._position.get(place, -1), n) for place, n in details.laps)
        return [*(told or ()), *([at, n] for at, n in places if at >= self._told)]

    def _places(self) -> list[int]:
        """For each place in the recorded order, the one in the new order."""
        places = [0]
        for n in range(len(self._order)):
            places.append(max(places[-1], self._position.get(n, -1) + 1))
        return places


def _order_of(base: Recorded) -> Sequence[int]:
    told = base.details.events if base.details is not None else None
    if told is None:
        return [e for n in range(len(base.children)) for e in (0, n + 1)]
    return told


__all__ = ["Call", "LeftOver", "calls_of", "retried"]
