# SPDX-License-Identifier: Apache-2.0
"""One step of a search: a program is replayed from a node, and goes on from there.

A step is a tracked call of the search, so that a search that was cut off answers what
it did from its record, and goes on with what was in flight.
"""

from __future__ import annotations

import contextvars
import dataclasses
import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from enact.calls import edits, register
from enact.calls.calling import call
from enact.calls.endings import INTERRUPTS
from enact.calls.execution import Outcome, Task, execute, execute_async, resolve
from enact.calls.lanes import CURRENT
from enact.calls.partial import origin_of, recorded_by
from enact.calls.policy import Policy
from enact.calls.runs import Origin
from enact.calls.sampling import Parked
from enact.calls.targets import Target, add
from enact.errors import ReplayError, Signal
from enact.search.budget import OutOfBudget, Spent
from enact.search.drawing import Drawing, Grounds
from enact.search.marks import Discarded
from enact.search.walk import draws_of
from enact.values import Ref, redact

if TYPE_CHECKING:
    import asyncio

    from enact.calls.layout import Recorded
    from enact.stores import RunRow, ValueStore

STEP = "enact/search/Extend"


@register(name="enact/search/Step")
@dataclasses.dataclass
class Step:
    """What came of extending a node.

    Attributes:
        invocation: the new execution.
        ending: ``parked``, ``completed``, ``failed``, ``discarded``, ``waiting`` or
            ``cut`` (nothing was left to spend).
        at, request, branch: of a parked one, which call is drawn next.
        drawn: requests of the samples drawn, but for the first of a parked node.
        spent: what ran.
        score: that the program told.
        accepted: it said that it is good enough.
        why: of one that failed, was discarded, or was cut.
        learned: functions that were not known to make calls.
    """

    invocation: Ref[Any]
    ending: str
    at: str | None
    request: Ref[Any] | None
    branch: str | None
    drawn: list[Ref[Any]]
    spent: Spent
    score: float | None
    accepted: bool
    why: str | None
    learned: list[str]


class Job(NamedTuple):
    """What a step is to do.

    Attributes:
        program: what runs, with its arguments.
        start: the invocation to go on from; None to begin.
        at: which call is drawn first.
        number: of that draw.
        draws: how many samples may be drawn; None for all.
        request: of the call that is drawn first.
    """

    program: tuple[Any, Sequence[Any], dict[str, Any]]
    start: bytes | None
    at: str | None = None
    number: int | None = None
    draws: int | None = 1
    request: bytes | None = None


class Stepper:
    """Makes steps, in any thread.

    Args:
        store: that is recorded into.
        grounds: of the search.
        unfinished: runs of steps that were cut off, by the key of the step.
        loop: for async programs; None to start one when needed.
    """

    def __init__(
        self,
        store: ValueStore,
        grounds: Grounds,
        unfinished: dict[str, RunRow],
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._store = store
        self._grounds = grounds
        self._unfinished = unfinished
        self._loop = loop
        self._own_loop: asyncio.AbstractEventLoop | None = None
        self._jobs: dict[int, Job] = {}
        self._ran: set[int] = set()
        self._target = Target(self._run, STEP, builtin=True)
        self._lock = threading.Lock()

    def step(self, job: Job) -> Step:
        """Make a step, or take it from the record."""
        lane = CURRENT.get()
        assert lane is not None
        me = threading.get_ident()
        self._jobs[me] = job
        self._ran.discard(me)
        start = None if job.start is None else Ref[Any](job.start, self._store)
        fun, args, kwargs = job.program
        given: tuple[Any, ...] = (start, job.at, job.number, job.draws)
        if start is None:
            given = (*given, fun, list(args), kwargs)
        step: Step = call(lane, self._target, None, given, {})
        if me not in self._ran:
            self._remember(step)
        return step

    def _remember(self, step: Step) -> None:
        """A step was answered from the record: what it did counts all the same."""
        self._grounds.ledger.note_drawn(ref.cid for ref in step.drawn)
        self._grounds.composite.update(step.learned)
        self._grounds.account.remember(step.spent, step.spent.seconds)

    def _run(self, *_: Any) -> Step:
        me = threading.get_ident()
        job = self._jobs.pop(me)
        self._ran.add(me)
        began = time.monotonic()
        store = self._store
        recorded = None if job.start is None else edits.read(job.start, store)
        drawing = Drawing(
            self._grounds, job.at, job.number, job.draws,
            fresh=recorded is None or job.draws == 0,
        )  # fmt: skip
        lane = CURRENT.get()
        assert lane is not None
        frame = lane.frame
        key = f"{frame.run.branch}/{frame.key()}"
        origin = Origin(job.start, "search", within=key)
        cut_off = self._unfinished.pop(key, None)
        if cut_off is not None:
            recorded, origin = self._catch_up(
                drawing, job.request, cut_off, recorded, origin
            )
        policy = Policy(sampler=drawing)
        fun, args, kwargs = job.program
        outcome = self._execute(Task(fun, args, kwargs, recorded, policy, origin))
        frame.ran(None, outcome.below)
        return _step_of(outcome, drawing, time.monotonic() - began)

    def _catch_up(
        self,
        drawing: Drawing,
        first: bytes | None,
        row: RunRow,
        start: Recorded | None,
        origin: Origin,
    ) -> tuple[Recorded | None, Origin]:
        """Go on with a step that was cut off: what it did is in its own journal."""
        store = self._store
        cid = recorded_by(row, store)
        if cid is None:
            return start, origin
        partial = edits.read(cid, store)
        before = Counter(
            draw.call.request for draw in draws_of(start, self._grounds, store)
        )
        drawn: list[bytes] = []
        for draw in draws_of(partial, self._grounds, store):
            if before[draw.call.request]:
                before[draw.call.request] -= 1
            else:
                drawn.append(draw.call.request)
        ran = [
            one
            for one in store.backend.calls(run=row.id)
            if one.status in ("completed", "failed") and one.request in drawn
        ]
        drawing.catch_up(drawn, len(ran), first)
        for one in ran:
            self._grounds.account.reserve()
            if one.usage is not None:
                drawing.usage.append(json.loads(one.usage))
                self._grounds.account.charge(drawing.usage[-1])
        return partial, origin_of(row, store)

    # --- running ----------------------------------------------------------------

    def _execute(self, task: Task) -> Outcome:
        target, _ = resolve(task.fun, tuple(task.args))
        if not target.is_async:
            context = contextvars.copy_context()
            context.run(CURRENT.set, None)
            outcome: Outcome = context.run(execute, task)
            return outcome
        import asyncio

        loop = self._loop or self._start_loop()
        context = contextvars.copy_context()
        context.run(CURRENT.set, None)
        future = context.run(
            asyncio.run_coroutine_threadsafe, execute_async(task), loop
        )
        return future.result()

    def _start_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._own_loop is None:
                import asyncio

                loop = self._own_loop = asyncio.new_event_loop()
                thread = threading.Thread(target=_forever, args=(loop,), daemon=True)
                contextvars.Context().run(thread.start)
            return self._own_loop

    def close(self) -> None:
        """Stop the event loop, if one was started."""
        loop = self._own_loop
        if loop is not None:
            loop.call_soon_threadsafe(loop.stop)


def _forever(loop: asyncio.AbstractEventLoop) -> None:
    import asyncio

    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()


def _step_of(outcome: Outcome, drawing: Drawing, seconds: float) -> Step:
    """What a step ended with.

    Raises:
        ReplayError: the program left its record.
        KeyboardInterrupt, SystemExit: as they came.
    """
    error = outcome.error
    if isinstance(error, (ReplayError, *INTERRUPTS)) or outcome.cid is None:
        assert error is not None
        raise error
    store = outcome.store
    at = request = branch = why = None
    if error is None:
        ending = "completed"
    elif isinstance(error, Discarded):
        ending, why = "discarded", error.why
    elif isinstance(error, (Parked, OutOfBudget)):
        ending = "cut" if isinstance(error, OutOfBudget) else "parked"
        at, cid, branch = min(drawing.parked, key=_in_order)
        request = Ref[Any](cid, store)
    elif isinstance(error, Signal):
        ending = "waiting"
    else:
        ending, why = "failed", redact(f"{type(error).__name__}: {error}")
    spent = Spent(drawing.calls, seconds)
    for usage in drawing.usage:
        spent.add_usage(usage)
    return Step(
        Ref(outcome.cid, store), ending, at, request, branch,
        [Ref(cid, store) for cid in drawing.drawn], spent, drawing.score,
        drawing.accepted, why, drawing.learned,
    )  # fmt: skip


def _in_order(parked: tuple[str, bytes, str]) -> list[list[int]]:
    """Calls in order of lanes: the keys of calls, as numbers."""
    return [[int(n) for n in step.split(":")] for step in parked[0].split("/")]


add(Target(Stepper.step, STEP, builtin=True))
