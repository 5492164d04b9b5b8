# SPDX-License-Identifier: Apache-2.0
"""One step of a search: a program is replayed from a node, and goes on from there.

A step is a tracked call of the search, so that a search that was cut off answers what
it did from its record, and goes on with what was in flight.
"""

from __future__ import annotations

import contextvars
import dataclasses
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from enact.calls import edits, register
from enact.calls.calling import call
from enact.calls.endings import INTERRUPTS
from enact.calls.execution import Outcome, Task, execute, execute_async, resolve
from enact.calls.lanes import CURRENT
from enact.calls.partial import origin_of
from enact.calls.policy import Policy
from enact.calls.runs import Origin
from enact.calls.sampling import Parked
from enact.calls.targets import Target, add
from enact.errors import ReplayError, Signal
from enact.search.budget import OutOfBudget, Spent
from enact.search.drawing import Drawing, Grounds
from enact.search.earlier import DRAW, STEP, Earlier
from enact.search.marks import Discarded
from enact.search.parking import Lot
from enact.values import Ref, redact

if TYPE_CHECKING:
    import asyncio

    from enact.stores import ValueStore


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
        numbers: of those draws.
        place: in the order in which steps were asked for; None of the first execution.
        first, number: request and number of the draw of a parked node.
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
    numbers: list[int] = dataclasses.field(default_factory=list)
    place: int | None = None
    first: Ref[Any] | None = None
    number: int | None = None


class Job(NamedTuple):
    """What a step is to do.

    Attributes:
        program: what runs, with its arguments.
        start: the invocation to go on from; None to begin.
        at: which call is drawn first.
        number: of that draw.
        draws: how many samples may be drawn; None for all.
        request: of the call that is drawn first.
        place: in the order in which steps are asked for.
    """

    program: tuple[Any, Sequence[Any], dict[str, Any]]
    start: bytes | None
    at: str | None = None
    number: int | None = None
    draws: int | None = 1
    request: bytes | None = None
    place: int | None = None


class Stepper:
    """Makes steps, in any thread.

    Args:
        store: that is recorded into.
        grounds: of the search.
        earlier: what earlier tries of the search did.
        loop: for async programs; None to start one when needed.
        parked: how many executions may stand at their branch points.
        width: how many executions are extended at a time.
    """

    def __init__(
        self,
        store: ValueStore,
        grounds: Grounds,
        earlier: Earlier,
        loop: asyncio.AbstractEventLoop | None = None,
        parked: int = 0,
        width: int = 1,
    ) -> None:
        self._store = store
        self._grounds = grounds
        self._earlier = earlier
        self._loop = loop
        self._own_loop: asyncio.AbstractEventLoop | None = None
        self._jobs: dict[int, Job] = {}
        self._ran: set[int] = set()
        self._target = Target(self._run, STEP, builtin=True)
        self._lock = threading.Lock()
        self._lot = Lot(parked)
        # One at a time draws in the same order each time.
        outlives = getattr(store.backend, "outlives_process", True)
        self._tells_draws = width > 1 and outlives

    def step(self, job: Job) -> Step:
        """Make a step, or take it from the record."""
        lane = CURRENT.get()
        assert lane is not None
        me = threading.get_ident()
        self._jobs[me] = job
        self._ran.discard(me)
        start = None if job.start is None else Ref[Any](job.start, self._store)
        fun, args, kwargs = job.program
        # The number of the draw is no part of it: what others draw at the same time
        # has a say in that.
        given: tuple[Any, ...] = (start, job.at, job.place, job.draws)
        if start is None:
            given = (*given, fun, list(args), kwargs)
        key = (lane.path, lane.position)
        step: Step = call(lane, self._target, None, given, {})
        if me not in self._ran:
            self._grounds.composite.update(step.learned)
            if key not in self._earlier.steps:
                self._remember(step, job)
        return step

    def _remember(self, step: Step, job: Job) -> None:
        """A step was answered from the record: what it did counts all the same."""
        ledger = self._grounds.ledger
        if job.request is not None and job.number is not None:
            ledger.release(job.request, job.number)
        if step.first is not None and step.number is not None:
            ledger.reserve(step.first.cid, step.number)
        for ref, number in zip(step.drawn, step.numbers, strict=True):
            ledger.reserve(ref.cid, number)
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
            tells_draws=self._tells_draws and job.draws is None,
        )  # fmt: skip
        lane = CURRENT.get()
        assert lane is not None
        frame = lane.frame
        key = f"{frame.run.branch}/{frame.key()}"
        first = None
        if job.place is not None:
            request = None if job.request is None else job.request.hex()
            first = {DRAW: [job.place, job.number, request]}
        origin = Origin(job.start, "search", within=key, meta=first)
        cut_off = self._earlier.cut_off.pop(key, None)
        if cut_off is not None:
            recorded = edits.read(cut_off.partial, store)
            drawing.catch_up(cut_off, job.request)
            origin = origin_of(cut_off.row, store)._replace(meta=first)
        policy = Policy(sampler=drawing)
        outcome = None
        if cut_off is None and job.start is not None and job.draws != 0:
            outcome = self._lot.go_on(job.start, drawing, policy, origin)
        if outcome is None:
            fun, args, kwargs = job.program
            task = Task(fun, args, kwargs, recorded, policy, origin)
            outcome = self._execute(task, drawing)
        frame.ran(None, outcome.below)
        return _step_of(outcome, drawing, time.monotonic() - began, job)

    # --- running ----------------------------------------------------------------

    def _execute(self, task: Task, drawing: Drawing) -> Outcome:
        target, _ = resolve(task.fun, tuple(task.args))
        context = contextvars.copy_context()
        context.run(CURRENT.set, None)
        loop = None
        if target.is_async:
            loop = self._loop or self._start_loop()
        if drawing.draws is not None and self._lot.capacity:
            return self._lot.start(task, drawing, context, loop)
        if loop is None:
            outcome: Outcome = context.run(execute, task)
            return outcome
        import asyncio

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
        """Let go of what is parked, and stop the event loop, if one was started."""
        self._lot.close()
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


def _step_of(outcome: Outcome, drawing: Drawing, seconds: float, job: Job) -> Step:
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
    spent = Spent(drawing.calls, seconds, draws=drawing.draws_made)
    for usage in drawing.usage:
        spent.add_usage(usage)
    return Step(
        Ref(outcome.cid, store), ending, at, request, branch,
        [Ref(cid, store) for cid, _ in drawing.drawn], spent, drawing.score,
        drawing.accepted, why, drawing.learned,
        [number for _, number in drawing.drawn], job.place,
        None if job.request is None else Ref(job.request, store), job.number,
    )  # fmt: skip


def _in_order(parked: tuple[str, bytes, str]) -> list[list[int]]:
    """Calls in order of lanes: the keys of calls, as numbers."""
    return [[int(n) for n in step.split(":")] for step in parked[0].split("/")]


add(Target(Stepper.step, STEP, builtin=True))
