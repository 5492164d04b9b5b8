# SPDX-License-Identifier: Apache-2.0
"""Order: how the starts and ends of overlapping calls get into the journal.

The invocation of a call lists what happened in it, but it is written when the call
ends. Should the process die before, the rows of the calls below tell it piece by
piece: each row has what happened in the parent since the last one. A piece is::

    [first, event, event, ...]

``first`` is the place of the first event. An event is the lane of a call that starts,
as a list; the slot of a call that ends, an integer, followed by the identifier of its
invocation, as bytes, if it was answered from a record (it has no row then); or null
when the event loop came to rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from libipld import decode_dag_cbor, encode_dag_cbor

from enact.calls.layout import REST

if TYPE_CHECKING:
    from enact.calls.lanes import Path


class Teller:
    """Cuts the events of one frame into pieces."""

    __slots__ = ("_events", "_starts", "answered")

    def __init__(self) -> None:
        self._events = 0
        self._starts = 0
        #: Slots of calls that a record answered, with their invocations.
        self.answered: dict[int, bytes] = {}

    def tell(self, events: Sequence[int], lanes: Sequence[Path]) -> bytes:
        """Write the events that were not told yet."""
        piece: list[Any] = [self._events]
        for event in events[self._events :]:
            if event == 0:
                piece.append([*lanes[self._starts]])
                self._starts += 1
            elif event == REST:
                piece.append(None)
            else:
                piece.append(event - 1)
                cid = self.answered.pop(event - 1, None)
                if cid is not None:
                    piece.append(b"\0" + cid)
        self._events = len(events)
        return encode_dag_cbor(piece)


class Start(NamedTuple):
    """A call that started: its place, and what answered it, if a record did."""

    lane: Path
    position: int
    answer: bytes | None


def read_order(pieces: Iterable[bytes]) -> tuple[list[Start], list[int]]:
    """Put the pieces of one frame together.

    Args:
        pieces: in any order.

    Returns:
        The calls in order of start, and the events as in ``layout``.
    """
    lanes: list[Path] = []
    answers: dict[int, bytes] = {}
    events: list[int] = []
    for piece in sorted(map(decode_dag_cbor, pieces), key=lambda piece: piece[0]):
        if piece[0] != len(events):
            break  # the row between was lost with the power
        ended = -1
        for event in piece[1:]:
            if type(event) is list:
                lanes.append(tuple(event))
                events.append(0)
            elif type(event) is bytes:
                answers[ended] = event[1:]
            else:
                ended = REST if event is None else event
                events.append(REST if event is None else event + 1)
    counts: dict[Path, int] = {}
    starts = []
    for slot, lane in enumerate(lanes):
        position = counts[lane] = counts.get(lane, -1) + 1
        starts.append(Start(lane, position, answers.get(slot)))
    return starts, events


def renumbered(events: Iterable[int], place: Mapping[int, int]) -> list[int]:
    """The events of some calls out of many.

    Args:
        events: of all calls, as in ``layout``.
        place: the new index of each call that stays, by its old one.
    """
    kept: list[int] = []
    started = 0
    for event in events:
        if event == 0:
            if started in place:
                kept.append(0)
            started += 1
        elif event == REST:
            kept.append(event)
        elif event - 1 in place:
            kept.append(place[event - 1] + 1)
    return kept
