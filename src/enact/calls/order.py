# SPDX-License-Identifier: Apache-2.0
"""Order: how the starts and ends of overlapping calls get into the journal.

The invocation of a call lists what happened in it, but it is written when the call
ends. Should the process die before, the rows of the calls below tell it piece by
piece: each row has what happened in the parent since the last one. A piece is::

    [first, event, event, ...]

``first`` is the place of the first event. An event is the lane of a call that starts,
as a list; the slot of a call that ends, an integer; -1 - slot when that call hands out
an item; or null when the event loop came to rest. What no row tells follows in bytes:
behind a call that a record answered, the identifier of its invocation; behind one that
starts and is in flight, that of its request or, where it goes on with a recorded call,
that of the recorded one, or, where a record answers it and its end has not come, that
of the invocation. A byte in front says which: 0, 1, 2, 3. A piece may end with a
map of ``marks``, ``alarms`` and ``laps``, as in ``layout``: those since the last ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from libipld import decode_dag_cbor, encode_dag_cbor

from enact.calls.layout import REST, item_event, item_of

if TYPE_CHECKING:
    from enact.calls.lanes import Path


ANSWERED, ASKED, GOES_ON, ANSWERS = b"\0", b"\1", b"\2", b"\3"

_KINDS = (ANSWERED, ASKED, GOES_ON, ANSWERS)

ITEM = 2
"""What happens to a call, in an order: 0, it starts; 1, it ends; from here on, it hands
out an item of the stream that it is."""


class Teller:
    """Cuts the events of one frame into pieces."""

    __slots__ = ("_alarms", "_events", "_laps", "_marks", "_starts", "answered")

    def __init__(self) -> None:
        self._alarms = 0
        self._laps = 0
        self._marks = -1
        self._events = 0
        self._starts = 0
        #: Slots of calls that a record answered, with their invocations.
        self.answered: dict[int, bytes] = {}

    def tell(
        self,
        events: Sequence[int],
        lanes: Sequence[Path],
        in_flight: Callable[[int], bytes | None],
        marks: Sequence[list[int]] | None = None,
        alarms: Sequence[list[int]] = (),
        laps: Sequence[list[int]] = (),
    ) -> bytes:
        """Write the events that were not told yet.

        Args:
            events: all events so far.
            lanes: of the calls that started.
            in_flight: what to tell of the call in a slot, if it is in flight.
            marks: all so far; None where nobody could tell their order yet.
            alarms, laps: all so far.
        """
        piece: list[Any] = [self._events]
        for event in events[self._events :]:
            if event == 0:
                slot = self._starts
                piece.append([*lanes[slot]])
                told = in_flight(slot)
                if told is not None:
                    piece.append(told)
                self._starts += 1
            elif event == REST:
                piece.append(None)
            elif event < 0:
                piece.append(event + 1)
            else:
                piece.append(event - 1)
                cid = self.answered.pop(event - 1, None)
                if cid is not None:
                    piece.append(ANSWERED + cid)
        self._events = len(events)
        more: dict[str, Any] = {}
        if marks is not None and len(marks) > self._marks:
            more["marks"] = list(marks[max(0, self._marks) :])
            self._marks = len(marks)
        if len(alarms) > self._alarms:
            more["alarms"] = list(alarms[self._alarms :])
            self._alarms = len(alarms)
        if len(laps) > self._laps:
            more["laps"] = list(laps[self._laps :])
            self._laps = len(laps)
        if more:
            piece.append(more)
        return encode_dag_cbor(piece)


class Start(NamedTuple):
    """A call that started.

    Attributes:
        lane, position: its place.
        answer: the invocation that answered it, if a record did.
        request: what it asks, if it was in flight when its start was told.
        base: the recorded call that it goes on with, if it was in flight.
        outcome: the invocation that was to answer it, where its end had not come.
    """

    lane: Path
    position: int
    answer: bytes | None = None
    request: bytes | None = None
    base: bytes | None = None
    outcome: bytes | None = None


class Told(NamedTuple):
    """What the pieces of one frame tell.

    Attributes:
        starts: the calls in order of start.
        events, marks, alarms, laps: as in ``layout``.
    """

    starts: list[Start]
    events: list[int]
    marks: list[list[int]] | None
    alarms: list[list[int]] | None
    laps: list[list[int]] | None


def read_order(pieces: Iterable[bytes]) -> Told:
    """Put the pieces of one frame together.

    Args:
        pieces: in any order.
    """
    lanes: list[Path] = []
    told: dict[tuple[int, bytes], bytes] = {}
    events: list[int] = []
    marks: list[list[int]] | None = None
    alarms: list[list[int]] | None = None
    laps: list[list[int]] | None = None
    for piece in sorted(map(decode_dag_cbor, pieces), key=lambda piece: piece[0]):
        if piece[0] != len(events):
            break  # the row between was lost with the power
        for event in piece[1:]:
            if type(event) is list:
                lanes.append(tuple(event))
                events.append(0)
            elif type(event) is dict:
                if "marks" in event:
                    marks = [*(marks or ()), *event["marks"]]
                if "alarms" in event:
                    alarms = [*(alarms or ()), *event["alarms"]]
                if "laps" in event:
                    laps = [*(laps or ()), *event["laps"]]
            elif type(event) is not bytes:
                events.append(REST if event is None else event + (1, -1)[event < 0])
            else:
                slot = len(lanes) - 1 if events[-1] == 0 else events[-1] - 1
                told[slot, event[:1]] = event[1:]
    counts: dict[Path, int] = {}
    starts = []
    for slot, lane in enumerate(lanes):
        position = counts[lane] = counts.get(lane, -1) + 1
        parts = (told.get((slot, kind)) for kind in _KINDS)
        starts.append(Start(lane, position, *parts))
    return Told(starts, events, marks, alarms, laps)


def stays(events: Iterable[int], place: Mapping[int, int]) -> list[bool]:
    """Of each event, whether it is of a call that stays; see `renumbered`."""
    kept: list[bool] = []
    started = 0
    for event in events:
        if event == 0:
            kept.append(started in place)
            started += 1
        elif event == REST:
            kept.append(True)
        else:
            kept.append((event - 1 if event > 0 else item_of(event)) in place)
    return kept


def renumbered(events: Sequence[int], place: Mapping[int, int]) -> list[int]:
    """The events of some calls out of many.

    Args:
        events: of all calls, as in ``layout``.
        place: the new index of each call that stays, by its old one.
    """
    left: list[int] = []
    for event, is_kept in zip(events, stays(events, place), strict=True):
        if not is_kept:
            continue
        if event in (0, REST):
            left.append(event)
        elif event < 0:
            left.append(item_event(place[item_of(event)]))
        else:
            left.append(place[event - 1] + 1)
    return left
