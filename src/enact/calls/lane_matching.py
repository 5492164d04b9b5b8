# SPDX-License-Identifier: Apache-2.0
"""Which recorded lane each live one goes on with.

Where the program itself fixes in which order it starts tasks and threads, their names
are the same in each run. Where it does not, requests decide: of tasks that may be
missing or extra, a lane begins as its record does; of workers that take jobs as they
come, the one that makes a call goes on as the one that is recorded to have made it.
"""

from __future__ import annotations

import itertools
import threading
import warnings
from collections import Counter
from typing import TYPE_CHECKING

from enact.calls.callers import stacklevel
from enact.calls.layout import Recorded
from enact.calls.lock_points import is_at_one

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from enact.calls.inputs import Input
    from enact.calls.lanes import Lane, Path
    from enact.calls.replayer import Plan
    from enact.calls.turns import Turns


class AmbiguousWorkerWarning(UserWarning):
    """No record says which of several tasks or threads was to make a call."""


# Of calls that had workers of which that was said.
_warned: set[str] = set()

# What makes up the place of a lane, but for who runs it.
_PLACE = (
    "path", "position", "cursor", "queue", "spawned", "callbacks", "timers", "limits",
)  # fmt: skip


class LaneMatching:
    """Gives live lanes of one frame what is recorded of its lanes.

    Args:
        plan: of the frame.
        lanes: indices of recorded calls, by lane.
        turns: the recorded order.

    Attributes:
        traded: a lane has gone on as another one.
    """

    def __init__(
        self, plan: Plan, lanes: Mapping[Path, Sequence[int]], turns: Turns
    ) -> None:
        self._plan = plan
        self._turns = turns
        self._body = lanes.get((), ())
        # Recorded lanes that nobody has come for, and live ones that have one.
        self._unclaimed = dict(lanes)
        self._unclaimed.pop((), None)
        self._claimed: set[Path] = {()}
        self._live: dict[Path, Lane] = {}
        self._by_request: dict[tuple[bytes, bytes], list[int]] | None = None
        # Lanes that wait for calls that are recorded in others.
        self._awaits: dict[int, Lane] = {}
        # How many lanes are beside each other, and those of them that are at their ends
        # and have left calls that others may make.
        self._alive: Counter[Path | None] = Counter()
        self._gone: dict[Path | None, list[Lane]] = {}
        # The same, where all that is recorded need not come again, by their next calls.
        self._over: dict[int, Lane] = {}
        self.traded = False

    def start(self, frame: Lane) -> None:
        """The frame itself runs again: its body is the lane that is always there."""
        self._live[()] = frame
        self._alive[None] += 1
        frame.queue = self._body

    def enlist(self, lane: Lane) -> None:
        """Give a new lane the calls that were recorded under its path."""
        lane.queue = self._unclaimed.get(lane.path, ())
        self._live[lane.path] = lane
        if not lane.is_callback:  # these do not trade, and nobody hears of their ends
            self._alive[_beside(lane)] += 1
        self._turns.begun(lane.path)

    def left(self) -> list[int]:
        """Indices of the recorded calls that no lane has come to."""
        left = [index for queue in self._unclaimed.values() for index in queue]
        for path, lane in [*self._live.items()]:  # others may begin meanwhile
            if path in self._claimed:
                left += lane.queue[lane.cursor :]
        return left

    def is_alone(self) -> bool:
        """Whether all lanes that have not ended run in this thread."""
        here = threading.get_ident()
        return all(
            lane.thread == here or self._turns.has_ended(path)
            for path, lane in [*self._live.items()]  # others may begin meanwhile
        )

    def is_held_up(self, path: Path) -> bool | None:
        """Whether the thread of a lane waits for another one, or there is none.

        It is not known of other processes.
        """
        lane = self._live.get(path)
        if lane is not None and lane.is_away:
            return None
        return lane is None or is_at_one(lane.thread)

    # --- lanes that begin -------------------------------------------------------------

    def choose(self, lane: Lane, call: Input) -> None:
        """Find the recorded lane for a new one: its own, or one that begins alike.

        Tasks that make no tracked call may be missing or extra in a replay, as
        ``asyncio.wait_for`` makes one on Python 3.11 and none on 3.12.
        """
        path = self.found(lane, call) if self._unclaimed else None
        if path is not None:
            self.claim(lane, path)

    def found(self, lane: Lane, call: Input) -> Path | None:
        """The recorded lane that a lane without one is to have."""
        if lane.path in self._claimed:
            return None
        plan = self._plan
        for path in itertools.chain((lane.path,), self._unclaimed):
            for index in self._unclaimed.get(path, ()):
                if plan.is_free(index):
                    recorded = plan.child(index)
                    if same(recorded, call):
                        return path
                    if path == lane.path and self._is_but_for_object(index, call):
                        return None
                    break
        return None

    def keeps(self, lane: Lane) -> bool:
        """Whether a lane goes on with what is recorded of itself, from now on."""
        path = lane.path
        if path in self._claimed:
            return True
        if self._unclaimed.get(path) is not lane.queue:
            return False
        del self._unclaimed[path]
        self._claimed.add(path)
        return True

    def claim(self, lane: Lane, path: Path) -> None:
        """A lane goes on with what was recorded in lane ``path``."""
        if path != lane.path and not self._plan.session.rewritten:
            other = self._live.get(path)
            if other is not None and self._may_trade(lane, other):
                self._trade(lane, other)
        if lane.path in self._claimed:
            return
        queue = self._unclaimed.pop(path)
        self._claimed.add(lane.path)
        if path == lane.path:
            return
        other = self._live.get(path)
        if other is not None and path not in self._claimed:
            other.queue = ()
        lane.queue, lane.cursor = queue, 0
        self._turns.rename(queue[0], lane.path)

    def require(self, lane: Lane) -> None:
        """A lane without a recorded one has its own."""
        if lane.path not in self._claimed:
            self.claim(lane, lane.path)

    # --- lanes that go on as others ---------------------------------------------------

    def elsewhere(self, lane: Lane, call: Input) -> int | None:
        """A call like this one that is recorded in a lane beside this, and to come."""
        turns = self._turns
        if not lane.path or lane.in_flight or turns.used_up():
            return None
        own = next_of(lane)
        if own is not None and self._is_but_for_object(own, call):
            return None
        if self._by_request is None:
            self._by_request = by_request(self._plan, range(self._plan.size()))
        for invokable in (call.invokable, *call.target.former):
            for index in self._by_request.get((invokable, call.cid), ()):
                other = self._live.get(turns.path_of(index))
                if other is None or not self._may_trade(lane, other):
                    continue
                if self._plan.is_free(index) and not turns.has_started(index):
                    return index
        return None

    def stand_in(self, lane: Lane, call: Input) -> bool:
        """Let a lane go on as the one whose call comes next, if it makes that call.

        That one does nothing: all that it did before has happened.
        """
        index = self.elsewhere(lane, call)
        if index is None:
            return self._take_left(lane, call)
        other = self._live[self._turns.path_of(index)]
        if next_of(other) != index or not self._turns.is_next(index, False):
            return False
        self._trade(lane, other)
        if lane.path in self._unclaimed:
            self.claim(lane, lane.path)
        return True

    def _take_left(self, lane: Lane, call: Input) -> bool:
        """Go on as a lane that is over and has not made the call; out of turn."""
        for index, other in self._over.items():
            if lane.in_flight or _beside(other) != _beside(lane):
                continue
            if self._plan.is_free(index) and same(self._plan.child(index), call):
                del self._over[index]
                self._turns.revive(other.path)
                self._plan.drop(index)
                self._trade(lane, other)
                self._turns.lane_ended(other.path)
                return True
        return False

    def may_be_taken(self, lane: Lane) -> bool:
        """Whether another lane may yet make the call that is recorded next in this."""
        if next_of(lane) is None or lane.in_flight:
            return False
        above = lane.path[:-1]
        return any(
            path != lane.path and path[:-1] == above and self._may_trade(lane, other)
            for path, other in [*self._live.items()]
        )

    def awaits(self, lane: Lane, index: int) -> None:
        """A lane waits for the turn of a call that is recorded in another one."""
        self._awaits[index] = lane

    def ended(self, lane: Lane) -> list[Path]:
        """A lane is at its end; gives those whose recorded calls nobody will make.

        If another one has its next call, that goes on in its place; or may do so yet.
        """
        index = next_of(lane)
        if index is not None and self._plan.session.is_exact:
            other = self._awaits.pop(index, None)
            if other is not None and self._may_trade(lane, other):
                self._trade(lane, other)
        beside = _beside(lane)
        gone = self._gone.setdefault(beside, [])
        self._alive[beside] -= 1
        if not self._alive[beside]:
            del self._gone[beside]
            return [lane.path, *(one.path for one in gone)]
        index = next_of(lane)
        if index is not None and self._plan.session.is_exact:
            gone.append(lane)
            return []
        if index is not None:
            self._over[index] = lane
        return [lane.path]

    def _is_but_for_object(self, index: int, call: Input) -> bool:
        """Whether only the object that is called is not as it was.

        What another lane recorded may be the same by chance.
        """
        if self._plan.child(index).input != call.cid:
            return False
        return self._plan.name_of(index) == call.target.name

    def _may_trade(self, lane: Lane, other: Lane) -> bool:
        """Whether two lanes may go on as each other: the same one has started both."""
        if lane is other or not lane.path or not other.path:
            return False
        if lane.path[:-1] != other.path[:-1] or lane.is_callback or other.is_callback:
            return False
        if lane.unwinding or other.unwinding or lane.is_away or other.is_away:
            return False
        return not self._turns.has_ended(other.path)

    def _trade(self, lane: Lane, other: Lane) -> None:
        if self._plan.session.is_exact:
            _warn_once(lane)
        self.traded = True
        with lane.frame.lock:
            for name in _PLACE:
                mine, its = getattr(lane, name), getattr(other, name)
                setattr(lane, name, its)
                setattr(other, name, mine)
            self._live[lane.path], self._live[other.path] = lane, other
        self._turns.trade(lane.path, other.path)
        gone = self._gone.get(_beside(other), [])
        if other in gone:
            gone.remove(other)
            self._turns.lane_ended(other.path)


def _warn_once(lane: Lane) -> None:
    name = str(lane.frame.target.name)
    if name in _warned:
        return
    _warned.add(name)
    warnings.warn(
        f"tasks or threads of {name!r} make each other's calls in this replay: it is "
        "chance which of them takes a job, and in no record, so requests decide. What "
        "the program makes of that may differ from what was recorded. Threads that "
        "take jobs from a `queue.Queue` do so in the recorded order",
        AmbiguousWorkerWarning,
        stacklevel=stacklevel(),
    )


def _beside(lane: Lane) -> Path | None:
    """The name of all that the same lane has started; None for the body of the call."""
    return lane.path[:-1] if lane.path else None


def next_of(lane: Lane) -> int | None:
    """The recorded call that comes next in a lane."""
    return lane.queue[lane.cursor] if lane.cursor < len(lane.queue) else None


def by_request(
    plan: Plan, indices: Sequence[int]
) -> dict[tuple[bytes, bytes], list[int]]:
    """Indices of recorded calls, by what was called with what."""
    found: dict[tuple[bytes, bytes], list[int]] = {}
    for index in indices:
        recorded = plan.child(index)
        found.setdefault((recorded.invokable, recorded.input), []).append(index)
    return found


def same(recorded: Recorded, call: Input) -> bool:
    """Whether a recorded call made the request of ``call``."""
    if recorded.input != call.cid:
        return False
    return recorded.invokable == call.invokable or (
        recorded.invokable in call.target.former
    )
