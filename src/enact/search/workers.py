# SPDX-License-Identifier: Apache-2.0
"""Steps that worker processes make, draw by draw: the side of the search."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from concurrent.futures import BrokenExecutor, Executor
from typing import TYPE_CHECKING, Any, NamedTuple

from enact.calls.execution import resolve
from enact.calls.lanes import CURRENT
from enact.calls.targets import NAMED, live
from enact.errors import SearchError
from enact.search.budget import Spent
from enact.search.modules import Modules
from enact.search.remote import (
    Blocks,
    Order,
    Reply,
    blocks_for,
    extend_there,
    keep,
    raise_error,
)
from enact.values import Ref
from enact.values.cbor import decode_form

if TYPE_CHECKING:
    from enact.calls.targets import Target
    from enact.search.drawing import Grounds
    from enact.search.outcome import Step
    from enact.search.steps import Job
    from enact.stores import ValueStore

PROCESSES = "processes"

# What Dask and Ray raise when workers died of a task, also when they tried it again.
_DIED = frozenset({"KilledWorker", "WorkerCrashedError"})


class WorkerDied(Exception):
    """A worker process ended in the midst of its work, also when it tried again."""


class _Asked(NamedTuple):
    """A call that is about to be drawn, as far as a ledger wants to know."""

    target: Target
    cid: bytes
    opaque: bool = False

    def request(self) -> bytes:
        return self.cid


class Workers:
    """Extends executions by an executor.

    Args:
        store: that is recorded into.
        grounds: of the search.
        executor: has ``submit``; or ``"processes"``, to start processes when needed.
        width: how many, then.

    Attributes:
        modules: that worker processes have to import.
    """

    def __init__(
        self, store: ValueStore, grounds: Grounds, executor: Any, width: int
    ) -> None:
        self._store = store
        self._grounds = grounds
        self._given: Executor | None = None if executor == PROCESSES else executor
        self._own: Executor | None = None
        self._width = width
        self.modules = Modules()
        self._lock = threading.Lock()

    def step(self, job: Job, within: str, first: dict[str, Any] | None) -> Step | None:
        """Make a step; None if nothing is left to spend before it begins.

        Raises:
            ReplayError: the program left its record.
            SearchError: a worker could not even begin.
        """
        return _Trips(self, job, within, first).go()

    def send(self, order: Order) -> Reply:
        """Have an order carried out.

        Raises:
            WorkerDied: its process ended, and that of the second try, which had one
                of its own, or which the executor made by itself.
        """
        executor = self._executor()
        try:
            return _result(executor, order)
        except BrokenExecutor:
            self._let_go(executor)
        except Exception as error:
            if type(error).__name__ not in _DIED:
                raise
            raise WorkerDied(str(error)) from error
        alone = _processes(1)
        try:
            return _result(alone, order)
        except BrokenExecutor as error:
            raise WorkerDied(str(error)) from error
        finally:
            alone.shutdown()

    def _executor(self) -> Executor:
        with self._lock:
            if self._given is not None:
                return self._given
            if self._own is None:
                self._own = _processes(self._width)
            return self._own

    def _let_go(self, broken: Executor) -> None:
        """A pool that lost a process is of no more use: another takes its place."""
        with self._lock:
            if self._given is broken:
                self._given = None
            elif self._own is broken:
                self._own = None

    def close(self) -> None:
        """End the processes that were started here."""
        if self._own is not None:
            self._own.shutdown(wait=True, cancel_futures=True)


def _processes(width: int) -> Executor:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    # Threads run already: a copy of the process might hold their locks for ever.
    return ProcessPoolExecutor(width, multiprocessing.get_context("spawn"))


def _result(executor: Executor, order: Order) -> Reply:
    token = CURRENT.set(None)  # it is no work of the call that the search is
    try:
        future = executor.submit(extend_there, order)
    finally:
        CURRENT.reset(token)
    reply: Reply = future.result()
    return reply


class _Trips:
    """One step: as many orders as it takes."""

    def __init__(
        self, workers: Workers, job: Job, within: str, first: dict[str, Any] | None
    ) -> None:
        self._workers = workers
        self._job = job
        self._within = within
        self._first = first
        self._store = workers._store
        self._grounds = workers._grounds
        fun, args, kwargs = job.program
        self._program = self._store.commit([fun, list(args), kwargs]).cid
        self._start = job.start
        self._at, self._request, self._number = job.at, job.request, job.number
        self._fresh = job.start is None or job.draws == 0
        self._made = 0
        self._drawn: list[tuple[bytes, int]] = []
        self._spent = Spent()
        self._score: float | None = None
        self._learned: list[str] = []
        self._last: Step | None = None

    def go(self) -> Step | None:
        account = self._grounds.account
        wants = 0
        while True:
            sample = self._sample()
            if self._at is not None and sample is None:
                wants = 1
            counts = self._counts()
            if counts and account.draw() is not None:
                return self._cut()
            if wants and account.reserve() is not None:
                if counts:
                    account.undraw()
                return self._cut()
            made = self._made
            try:
                step = self._trip(sample, wants)
            except WorkerDied as error:
                return self._dead(error)
            finally:
                if counts and self._made == made:
                    account.undraw()
                elif counts:
                    self._spent.draws += 1
            wants = int(step.ending == "cut")
            if wants:
                self._fresh = self._fresh or self._at is None
                continue
            if step.ending != "parked" or self._is_done():
                return self._whole(step)
            assert step.request is not None
            self._at, self._request = step.at, step.request.cid
            self._number = self._grounds.ledger.next_number(self._request)
            self._fresh = False

    def _counts(self) -> bool:
        """Whether the draw that comes is one that counts."""
        if self._at is None or self._request is None or self._number is None:
            return False
        return not self._grounds.ledger.is_spare(self._request, self._number)

    def _is_done(self) -> bool:
        draws = self._job.draws
        return draws is not None and self._made >= draws

    def _trip(self, sample: bytes | None, calls: int) -> Step:
        grounds, store = self._grounds, self._store
        blocks = blocks_for(store, [self._program, self._start, sample])
        order = Order(
            blocks, self._modules(blocks), self._program, self._start, self._at,
            self._number, sample, calls, self._fresh, grounds.branch_on,
            frozenset(grounds.composite), frozenset(grounds.leaves), self._within,
            self._first,
        )  # fmt: skip
        reply = self._workers.send(order)
        if reply.error is not None or reply.step is None:
            raise_error(reply.error or ("Error", "no step"))
        assert reply.step is not None
        keep(reply, store)
        step: Step = store.checkout(Ref[Any](reply.step, store))
        self._settle(step, reply, calls)
        return step

    def _modules(self, blocks: Blocks) -> list[str]:
        grounds = self._grounds
        fun, args, _ = self._job.program
        target, _ = resolve(fun, tuple(args))
        functions = {target.name, *grounds.composite, *grounds.leaves}
        return self._workers.modules.needed(functions, blocks)

    def _settle(self, step: Step, reply: Reply, calls: int) -> None:
        grounds = self._grounds
        grounds.composite.update(step.learned)
        grounds.leaves.update(reply.leaves - grounds.composite)
        self._learned += step.learned
        for _ in range(calls - step.spent.calls):
            grounds.account.release()
        told = Spent(0, 0.0, step.spent.usd, step.spent.tokens)
        grounds.account.spend(told)
        step.spent.draws = 0  # which of them count is known here
        self._spent.add(step.spent)
        if step.score is not None:
            self._score = step.score
        self._start = step.invocation.cid
        self._last = step
        if reply.drew and self._at is not None:
            assert self._request is not None and self._number is not None
            if (self._at, self._number) != (self._job.at, self._job.number):
                self._drawn.append((self._request, self._number))
            self._made += 1
            self._at = None

    def _sample(self) -> bytes | None:
        """The sample that the next draw gets, if it is known."""
        if self._at is None or self._request is None or self._number is None:
            return None
        store = self._store
        fields: Any = decode_form(store.load_block(self._request))
        invokable: Any = decode_form(store.load_block(fields["invokable"]))
        kind = invokable["$"]
        targets = live(invokable["name"] if kind in NAMED else kind)
        if not targets:
            return None
        asked: Any = _Asked(targets[0], self._request)
        known = self._grounds.ledger.sample(asked, self._number)
        if known is None or (known.has_calls and not self._grounds.branch_on):
            return None
        return known.cid

    def _whole(self, step: Step) -> Step:
        store = self._store
        step.drawn = [Ref(cid, store) for cid, _ in self._drawn]
        step.numbers = [number for _, number in self._drawn]
        step.spent, step.score, step.learned = self._spent, self._score, self._learned
        return step

    def _cut(self) -> Step | None:
        """Nothing is left to spend."""
        step = self._last
        if step is None:
            return None
        step.ending = "cut"
        return self._whole(step)

    def _dead(self, error: WorkerDied) -> Step:
        from enact.search.outcome import Step

        if self._start is None:
            raise SearchError(
                f"a worker process died when it ran the program: {error}"
            ) from error
        why = f"WorkerDied: {error}"
        start: Ref[Any] = Ref(self._start, self._store)
        return self._whole(
            Step(start, "failed", None, None, None, [], Spent(), None, False, why, [])
        )


def width_of(executor: Any) -> int:
    """How many executions an executor can extend at a time."""
    width = getattr(executor, "_max_workers", None)
    if width is None:  # of Dask: as many as the threads of its workers
        count = getattr(getattr(executor, "_client", None), "nthreads", None)
        threads = count() if callable(count) else None
        width = sum(threads.values()) if isinstance(threads, Mapping) else None
    return width if type(width) is int and width > 0 else os.cpu_count() or 1


__all__ = ["PROCESSES", "Workers", "width_of"]
