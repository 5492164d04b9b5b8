# SPDX-License-Identifier: Apache-2.0
"""Judging: complete executions get their scores, equal outputs once.

A score is a tracked call of the search, as a step is: its record says what it spent.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import threading
import time
from typing import TYPE_CHECKING, Any

from enact.calls import edits, register
from enact.calls.calling import call
from enact.calls.invocation import from_cid
from enact.calls.lanes import CURRENT
from enact.calls.targets import Target, add, live
from enact.errors import EnactError, InvalidScore
from enact.search.budget import Account, Budget, Spent
from enact.search.claims import Claims, Turn
from enact.search.pool import aside
from enact.search.scores import checked, wants_invocation
from enact.values import Ref, redact, shown

if TYPE_CHECKING:
    from enact.calls import Invocation
    from enact.calls.frames import Frame
    from enact.calls.runs import Run
    from enact.search.outcome import Step
    from enact.stores import CallRow, ValueStore

SCORE = "enact/search/Score"

_Key = tuple[tuple[int, ...], int]
"""Lane and position of a call among those of the search."""


@register(name="enact/search/Scored")
@dataclasses.dataclass
class Scored:
    """What came of scoring an output.

    Attributes:
        score: of it.
        spent: by that.
    """

    score: float
    spent: Spent


class Meter:
    """Settles what scores spend, as their calls end; safe for threads.

    It is what a search's own run tells of calls that ended.

    Args:
        account: pays.
        earlier: spent by scores that were cut off, by their place.
    """

    place: None = None  # nothing is parked
    tells_draws = False

    def __init__(self, account: Account, earlier: dict[_Key, Spent]) -> None:
        self._account = account
        self._earlier = earlier
        self._open: dict[int, Spent] = {}
        self._lock = threading.Lock()

    def begin(self, frame: Frame) -> Spent:
        """A score is about to be made in ``frame``; gives what it spends."""
        caller = frame.caller
        earlier = self._earlier.pop((caller.path, frame.position_there), Spent())
        recorded = _completed(frame)
        if recorded is not None:  # calls in it may be answered from the record
            earlier = recorded.output.spent
        spent = self._open[id(frame)] = Spent()
        if earlier != spent:
            spent.add(earlier)
            self._account.remember(earlier, earlier.seconds)
        return spent

    def end(self, frame: Frame) -> None:
        """The score is made, or not."""
        del self._open[id(frame)]

    def remember(self, spent: Spent) -> None:
        """A score was answered from the record: what it spent counts all the same."""
        self._account.remember(spent, spent.seconds)

    def arrive(self, lane: Any, call: Any) -> None:
        """A call is about to run: a score may do what it likes."""

    def ended(self, frame: Frame, status: str) -> None:
        """A call has come to its end."""
        if not self._open:
            return
        spent = self._spent_in(frame.caller.frame)
        if spent is None:
            return  # no part of a score
        self.count(spent, frame, status)

    def count(self, spent: Spent, frame: Frame, status: str) -> None:
        """A call of a score has come to its end."""
        if frame.children and _completed(frame) is not None:
            return  # it told the same when it was recorded
        made = _spent_by(
            bool(frame.children), frame.target.draws and not frame.target.certain,
            status, frame.usage,
        )  # fmt: skip
        self.settle(spent, made)

    def settle(self, spent: Spent, made: Spent) -> None:
        """A score has spent something."""
        with self._lock:
            spent.add(made)
        self._account.spend(made)

    def _spent_in(self, frame: Frame) -> Spent | None:
        """What the score spends that a call is part of; None if it is of none."""
        above = frame
        while id(above) not in self._open:
            if getattr(above, "caller", None) is None:
                return None
            above = above.caller.frame
        return self._open[id(above)]

    def within(self, frame: Frame) -> None:
        """Nobody decides about what a score invokes."""

    def watching(self, frame: Frame) -> _Watcher | None:
        """Counts what an invocation within a score spends."""
        spent = self._spent_in(frame)
        return None if spent is None else _Watcher(self, spent)

    def account_in(self, frame: Frame) -> Account | None:
        """Pays for a search within a score."""
        spent = self._spent_in(frame)
        return None if spent is None else OfScore(self, spent)


class _Watcher:
    def __init__(self, meter: Meter, spent: Spent) -> None:
        self._meter = meter
        self._spent = spent

    def ended(self, frame: Frame, status: str) -> None:
        self._meter.count(self._spent, frame, status)

    def watching(self, frame: Frame) -> _Watcher:
        return self


class OfScore(Account):
    """Pays for a search within a score: its calls are calls of that score.

    Args:
        meter: of the search that is scored.
        score: what the score spends.
    """

    def __init__(self, meter: Meter, score: Spent) -> None:
        super().__init__(Budget())
        self._meter = meter
        self._score = score

    def reserve(self) -> str | None:
        self._meter.settle(self._score, Spent(score_calls=1))
        return None

    def release(self) -> None:
        self._meter.settle(self._score, Spent(score_calls=-1))

    def charge(self, usage: dict[str, Any] | None) -> None:
        made = Spent()
        made.add_usage(usage)
        self._meter.settle(self._score, made)

    def spend(self, spent: Spent) -> None:
        calls = spent.calls + spent.score_calls
        made = Spent(0, 0.0, spent.usd, spent.tokens, calls)
        self._meter.settle(self._score, made)


def _completed(frame: Frame) -> Invocation | None:
    """The recorded call whose place this one takes, if that had come to its end."""
    if frame.replaces is None:
        return None
    recorded = from_cid(frame.replaces, frame.run.store)
    return recorded if recorded.status == "completed" else None


def _spent_by(makes_calls: bool, counts: bool, status: str, usage: Any) -> Spent:
    spent = Spent()
    # One that makes calls and did not return runs again, and tells the same again.
    if status == "completed" or (status == "failed" and not makes_calls):
        spent.add_usage(usage)
        spent.score_calls = int(counts and not makes_calls)
    return spent


def spent_before(run: Run, store: ValueStore) -> dict[_Key, Spent]:
    """What scores spent that an earlier try of a search did not see to their end.

    Args:
        run: of the search.
        store: where it is.
    """
    if run.origin.row is None:
        return {}
    rows = {row.number: row for row in store.backend.calls(run=run.id)}
    parents = {row.parent for row in rows.values()}
    found: dict[_Key, Spent] = {}
    for row in rows.values():
        above: CallRow | None = row
        while above is not None and above.invokable != SCORE:
            above = None if above.parent is None else rows.get(above.parent)
        if above is None or above is row or above.status == "completed":
            continue
        counts = any(one.draws and not one.certain for one in live(row.invokable))
        usage = None if row.usage is None else json.loads(row.usage)
        spent = found.setdefault((above.lane, above.position), Spent())
        spent.add(_spent_by(row.number in parents, counts, row.status, usage))
        if row.parent == above.number:
            spent.seconds += row.duration
    return found


class Judge:
    """Scores executions by the function of a search.

    Args:
        fn: of an output, or of an invocation; async or not; None for no score.
        store: where the executions are.
        run: to go on with, for messages.
        meter: settles what it spends.
    """

    def __init__(self, fn: Any, store: ValueStore, run: str, meter: Meter) -> None:
        self._fn = fn
        self._meter = meter
        self._target = Target(self._run_score, SCORE, builtin=True)
        self._store = store
        self._run = run
        self._of_invocation = fn is not None and wants_invocation(fn)
        self._claims = Claims()
        self._ran: set[int] = set()

    def score(self, step: Step, turn: Turn | None = None) -> tuple[float | None, Spent]:
        """The score of a complete execution, and what it took to make it.

        Args:
            step: that came to its end.
            turn: of its execution; None where they are made one by one.

        Returns:
            The score; None where the program tells none. Nothing is spent for an output
            that was scored before.

        Raises:
            InvalidScore: the function raised, or gave no finite number.
            Signal: a person is asked.
        """
        if self._fn is None:
            return step.score, Spent()
        cid = step.invocation.cid
        output = edits.read(cid, self._store).output
        assert output is not None
        key = cid if self._of_invocation else output
        if turn is not None:
            turn.wait()
        claim, mine = self._claims.take(key)
        if turn is not None:
            turn.end()
        if not mine:
            return claim.result().score, Spent()
        scored: Scored = claim.settle(aside, self._score, Ref[Any](key, self._store))
        return scored.score, scored.spent

    def _score(self, ref: Ref[Any]) -> Scored:
        """Make a score, or take it from the record."""
        lane = CURRENT.get()
        assert lane is not None
        me = threading.get_ident()
        self._ran.discard(me)
        scored: Scored = call(lane, self._target, None, (ref,), {})
        if me not in self._ran:
            self._meter.remember(scored.spent)
        return scored

    def _run_score(self, ref: Ref[Any]) -> Scored:
        lane = CURRENT.get()
        assert lane is not None
        self._ran.add(threading.get_ident())
        frame = lane.frame
        spent = self._meter.begin(frame)
        began = time.monotonic()
        store = self._store
        value = from_cid(ref.cid, store) if self._of_invocation else store.checkout(ref)
        try:
            score = checked(self._call(value), "the score")
        finally:
            self._meter.end(frame)
        spent.seconds += time.monotonic() - began
        return Scored(score, spent)

    def _call(self, value: Any) -> Any:
        """Call the function.

        Raises:
            InvalidScore: it raised.
        """
        try:
            return self._apply(value)
        except EnactError:
            raise
        except Exception as error:
            raise InvalidScore(
                f"the score of {shown(value)} raised "
                f"{redact(f'{type(error).__name__}: {error}')}. Nothing is lost: mend "
                f"it, then go on with `enact.search.resume({self._run!r})`"
            ) from error

    def _apply(self, value: Any) -> Any:
        result = self._fn(value)
        if inspect.iscoroutine(result):
            import asyncio

            return asyncio.run(result)
        return result


add(Target(Judge._run_score, SCORE, builtin=True))
