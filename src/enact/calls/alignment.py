# SPDX-License-Identifier: Apache-2.0
"""Alignment: recorded calls found by request, once a replay left their order.

A call or task that was inserted, removed or moved does not disturb the others: each
call is answered by a recorded one with the same request that nobody has taken, the
next one in its own lane first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from enact.calls.inputs import Input
    from enact.calls.lanes import Lane
    from enact.calls.replayer import Plan


class Alignment:
    """The recorded calls of one frame that were not taken yet, by request.

    Args:
        plan: of the frame.
        free: indices of the calls that are left.
    """

    __slots__ = ("_based", "_by_request", "_free", "_plan")

    def __init__(self, plan: Plan, free: Iterable[int]) -> None:
        self._plan = plan
        self._free = set(free)
        # Calls that stand for one with another request: what they called may answer.
        self._based: set[int] = set()
        self._by_request: dict[tuple[bytes, bytes], list[int]] = {}
        for index in sorted(self._free):
            recorded = plan.child(index)
            key = recorded.invokable, recorded.input
            self._by_request.setdefault(key, []).append(index)

    def is_free(self, index: int) -> bool:
        """Whether nobody has taken the recorded call ``index``."""
        return index in self._free

    def left(self) -> set[int]:
        """Indices of the calls that nobody has taken."""
        return self._free

    def take(self, index: int) -> None:
        """Somebody takes a recorded call, or it is not to be used."""
        self._free.discard(index)

    def find(self, lane: Lane, call: Input) -> int | None:
        """A recorded call with the request of ``call``, the nearest one; takes it."""
        found: list[int] = []
        for invokable in (call.invokable, *call.target.former):
            found += self._by_request.get((invokable, call.cid), ())

        def distance(index: int) -> tuple[bool, bool, int]:
            own = self._is_own(lane, index)
            return not own, own and not self.is_ahead(lane, index), index

        best = min(
            (index for index in found if index in self._free),
            key=distance,
            default=None,
        )
        if best is not None:
            self._free.discard(best)
        return best

    def find_base(self, lane: Lane, call: Input) -> int | None:
        """The next recorded call of the same invokable in this lane.

        It was made with another input, so it does not answer ``call``, but what was
        recorded below it may answer calls that come out the same.
        """
        for index in lane.queue[lane.cursor :]:
            if index in self._free and index not in self._based:
                if self._plan.name_of(index) == call.target.name:
                    self._based.add(index)
                    return index
        return None

    def is_ahead(self, lane: Lane, index: int) -> bool:
        """Whether a recorded call is in the lane, and not behind where that is."""
        queue, cursor = lane.queue, lane.cursor
        if cursor >= len(queue) or index < queue[cursor]:
            return False
        return self._is_own(lane, index)

    def _is_own(self, lane: Lane, index: int) -> bool:
        """Whether a recorded call is in what was recorded for the lane."""
        lane_of = self._plan.lane_of
        return bool(lane.queue) and lane_of(index) == lane_of(lane.queue[0])
