# SPDX-License-Identifier: Apache-2.0
"""Recorded invocations, changed: calls cut off, outcomes dropped or replaced.

All of these write new blocks and leave the old ones alone. What comes out is a partial
invocation; replay goes on from there.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from enact.calls import layout
from enact.calls.alarms import alarms_left, lane_of_alarm
from enact.calls.layout import Details, Recorded
from enact.calls.marks import moved
from enact.calls.order import renumbered, stays
from enact.errors import NoSuchCall
from enact.stores import ValueStore
from enact.values import cid_of

Path = tuple[int, ...]


class Change:
    """A recorded call that is being changed; ``write`` gives the new invocation."""

    def __init__(self, recorded: Recorded, store: ValueStore) -> None:
        self.store = store
        self.recorded = recorded
        self.children = list(recorded.children)
        old = recorded.details
        self.details = Details(
            None if old is None else {n: getattr(old, n) for n in layout.FIELDS}
        )
        self.after = recorded.after
        self.output = recorded.output
        self.raised = recorded.raised
        self.raised_here = recorded.raised_here

    def drop_outcome(self) -> None:
        """The call has not ended yet."""
        self.after = self.recorded.invokable
        self.output = self.raised = None
        self.raised_here = False
        details = self.details
        details.returned = details.unwinding = details.rebound = None
        details.opaque = details.origin = details.items = None
        # That it was cut short from outside still tells how its calls ended.
        if details.status not in ("incomplete", "cancelled"):
            details.status = None

    def keep(self, count: int) -> None:
        """Keep the first ``count`` calls made here, drop the others."""
        self.details.ahead = None
        self.keep_only(range(min(count, len(self.children))))

    def keep_only(self, indices: Sequence[int]) -> None:
        """Keep these calls; the places of the others close up."""
        place = {old: new for new, old in enumerate(indices)}
        details = self.details
        if details.lanes is not None:
            events, lanes = self._events(), details.lanes
            behind = lanes[len(self.children) :] if details.ahead else []
            details.lanes = [lanes[index] for index in indices] + behind
            kept = stays(events, place)
            details.marks = moved(details.marks, kept)
            details.laps = moved(details.laps, kept)
            details.alarms = alarms_left(details.alarms, events, lanes, kept)
            if details.events is not None:
                details.events = renumbered(details.events, place)
            # Where somebody looked, no marks at all say that nothing was done by then.
            has_order = details.alarms or any(details.lanes)
            if details.marks is None and not has_order:
                details.lanes = details.events = None
                details.alarms = details.laps = None
        self.children = [self.children[index] for index in indices]
        if details.retry is not None:
            retry = [place[index] for index in details.retry if index in place]
            details.retry = retry or None

    def reopen(self, index: int, child: bytes) -> None:
        """Put in a child that has not ended yet."""
        self.children[index] = child
        details = self.details
        if details.lanes is not None:
            events = self._events()
            others = [event for event in events if event != index + 1]
            kept = [event != index + 1 for event in events]
            details.marks = moved(details.marks, kept)
            details.laps = moved(details.laps, kept)
            lanes = details.lanes or ()
            details.alarms = alarms_left(details.alarms, events, lanes, kept)
            details.events = others

    def _events(self) -> list[int]:
        if self.details.events is not None:
            return self.details.events
        # One call at a time, though in several lanes.
        return [event for n in range(len(self.children)) for event in (0, n + 1)]

    def replace(self, index: int, child: bytes) -> None:
        """Put in a child that has ended, so that nothing about it is retried."""
        self.children[index] = child
        details = self.details
        if details.retry is not None:
            details.retry = [i for i in details.retry if i != index] or None

    def outlasts_alarms(self, index: int) -> None:
        """No time limit that ran out while a child was in flight ends it any more."""
        details = self.details
        if details.alarms is None or details.lanes is None:
            return
        events, path = self._events(), details.lanes[index]
        starts = (n for n, event in enumerate(events) if event == 0)
        start = next(itertools.islice(starts, index, None))
        end = events.index(index + 1) if index + 1 in events else len(events)

        def may_have_ended_it(alarm: list[int]) -> bool:
            lane = lane_of_alarm(alarm)
            return start < alarm[0] <= end and path[: len(lane)] == lane

        left = [alarm for alarm in details.alarms if not may_have_ended_it(alarm)]
        details.alarms = left or None

    def comes_last(self, index: int, is_open: bool) -> None:
        """A child that waited for a person ends after all that others did meanwhile.

        Args:
            index: of the child.
            is_open: its code goes on; else the answer is its outcome.
        """
        details = self.details
        if is_open:
            details.retry = sorted({index, *(details.retry or ())})
        events = details.events
        if events is not None:
            others = [event for event in events if event != index + 1]
            if others[-1:] != [layout.REST]:  # they have reacted to each other
                others.append(layout.REST)
            kept = [event != index + 1 for event in events]
            details.marks = moved(details.marks, kept)
            details.laps = moved(details.laps, kept)
            lanes = details.lanes or ()
            details.alarms = alarms_left(details.alarms, events, lanes, kept)
            details.events = [*others, index + 1] if index + 1 in events else others

    def drop_after(self, index: int) -> int:
        """Drop what the lane of child ``index`` did after it; its new index."""
        lanes = self.details.lanes
        if lanes is None:
            self.keep_only(range(index + 1))
            return index
        lane = lanes[index]
        all_of_them = range(len(self.children))
        kept = [i for i in all_of_them if i <= index or lanes[i] != lane]
        self.keep_only(kept)
        return kept.index(index)

    def write(self) -> bytes:
        """Write the new invocation; gives its identifier."""
        blocks: layout.Blocks = []
        recorded = self.recorded
        fields = self.details.as_map()
        data = layout.response(
            self.after, self.output, self.raised, self.raised_here, self.children,
            recorded.code, recorded.subtree,
            None if fields is None else self.details, blocks,
        )  # fmt: skip
        response = cid_of(data)
        if 0 < len(self.children) <= layout.READY_CHILDREN:
            self.store.ready[response] = self.children
        blocks.append((response, data))
        data = layout.invocation(recorded.request, response)
        cid = cid_of(data)
        blocks.append((cid, data))
        self.store.backend.put(blocks)
        return cid


def read(cid: bytes, store: ValueStore) -> Recorded:
    """One recorded invocation."""
    return layout.read_calls([cid], store)[0]


def child_of(recorded: Recorded, index: int, path: Path) -> bytes:
    """The identifier of a child.

    Raises:
        NoSuchCall: there are fewer.
    """
    children = recorded.children
    if not 0 <= index < len(children):
        where = "/".join(map(str, path)) or "the call at the top"
        raise NoSuchCall(
            f"no call {index} in {where}: it has {len(children)} "
            f"call{'' if len(children) == 1 else 's'}"
        )
    return children[index]


def rewound(recorded: Recorded, store: ValueStore, num_calls: int) -> bytes:
    """Drop the outcome and the last ``num_calls`` calls."""
    change = Change(recorded, store)
    change.drop_outcome()
    if num_calls:
        change.keep(len(change.children) - num_calls)
    return change.write()


def rewound_to(recorded: Recorded, store: ValueStore, path: Path) -> bytes:
    """Cut the call at ``path`` off, and what began after it at every level above."""
    change = Change(recorded, store)
    change.drop_outcome()
    if not path:
        change.keep(0)
        return change.write()
    first, rest = path[0], path[1:]
    child = child_of(recorded, first, ())
    if rest:
        change.keep(first + 1)
        change.reopen(first, rewound_to(read(child, store), store, rest))
    else:
        change.keep(first)
    return change.write()


def cancelled(recorded: Recorded, store: ValueStore) -> bytes:
    """Drop the outcome: the call was cancelled before it came."""
    change = Change(recorded, store)
    change.drop_outcome()
    change.details.status = "cancelled"
    return change.write()


def closed_early(recorded: Recorded, store: ValueStore, output: bytes) -> bytes:
    """A stream that was left after some of its items: they are what it gave then.

    The code that gave them, and that somebody put them in, is as it was.
    """
    change = Change(recorded, store)
    origin = change.details.origin
    change.drop_outcome()
    change.keep(0)
    change.details.status, change.details.origin = None, origin
    change.output = output
    return change.write()


def given(
    recorded: Recorded,
    store: ValueStore,
    path: Path,
    *,
    output: bytes | None,
    raised: bytes | None,
    origin: str,
    drop_rest: bool,
) -> bytes:
    """Replace the outcome of the call at ``path``; those above have not ended yet.

    Args:
        output, raised: the new outcome, one of them.
        origin: ``"edited"`` or ``"answered"``.
        drop_rest: also drop what the lanes on the way did afterwards.
    """
    change = Change(recorded, store)
    change.drop_outcome()
    if not path:
        change.output, change.raised = output, raised
        change.raised_here = raised is not None
        change.details.origin = origin
        change.details.retry = change.details.status = None
        return change.write()
    first, rest = path[0], path[1:]
    child = read(child_of(recorded, first, ()), store)
    new = given(
        child, store, rest,
        output=output, raised=raised, origin=origin, drop_rest=drop_rest,
    )  # fmt: skip
    # What its reader did while a stream was open came before it asked.
    comes_last = drop_rest and not child.is_open_stream
    if comes_last:
        first = change.drop_after(first)
    if child.status == "cancelled":
        change.outlasts_alarms(first)
    if rest:
        change.reopen(first, new)
    change.replace(first, new)
    if comes_last:
        change.comes_last(first, bool(rest))
    return change.write()
