# SPDX-License-Identifier: Apache-2.0
"""One step of a search: a program is replayed from a node, and goes on from there.

A step is a tracked call of the search, so that a search that was cut off answers what
it did from its record, and goes on with what was in flight.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from enact.calls import edits
from enact.calls.calling import call
from enact.calls.execution import Outcome, Task, execute, execute_async, resolve
from enact.calls.lanes import CURRENT
from enact.calls.partial import origin_of
from enact.calls.policy import Policy
from enact.calls.runs import Origin
from enact.calls.targets import Target, add
from enact.search.drawing import Drawing, Grounds
from enact.search.earlier import DRAW, STEP, Earlier
from enact.search.outcome import Step, step_of
from enact.search.parking import Lot
from enact.search.walk import name_of
from enact.values import Ref

if TYPE_CHECKING:
    import asyncio

    from enact.calls.frames import Frame
    from enact.search.workers import Workers
    from enact.stores import ValueStore


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
        workers: make steps in other processes; None to make them here.
    """

    def __init__(
        self,
        store: ValueStore,
        grounds: Grounds,
        earlier: Earlier,
        loop: asyncio.AbstractEventLoop | None = None,
        parked: int = 0,
        width: int = 1,
        workers: Workers | None = None,
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
        self._workers = workers
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
        if self._workers is not None and cut_off is None:
            step = self._workers.step(job, key, first)
            if step is not None:
                self._note_code(frame, step)
                step.spent.seconds = time.monotonic() - began
                return self._named(step, job)
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
        step = step_of(outcome, drawing, time.monotonic() - began)
        return self._named(step, job)

    def _note_code(self, frame: Frame, step: Step) -> None:
        """Note what code ran in another process."""
        recorded = edits.read(step.invocation.cid, self._store)
        version = None
        if recorded.code is not None:
            version = name_of(recorded, self._store), recorded.code
        frame.ran(version, frame.run.session.versions.below(recorded.subtree))

    def _named(self, step: Step, job: Job) -> Step:
        """A step with what it was asked for."""
        step.place, step.number = job.place, job.number
        step.first = None if job.request is None else Ref(job.request, self._store)
        return step

    # --- running ----------------------------------------------------------------

    def _execute(self, task: Task, drawing: Drawing) -> Outcome:
        target, _ = resolve(task.fun, tuple(task.args))
        context = contextvars.copy_context()
        context.run(CURRENT.set, None)
        loop = None
        if target.is_async:
            loop = self._loop or self._start_loop()
        if drawing.draws is not None and self._lot.is_worth_it():
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
        if self._workers is not None:
            self._workers.close()
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


add(Target(Stepper.step, STEP, builtin=True))
