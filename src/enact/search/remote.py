# SPDX-License-Identifier: Apache-2.0
"""Extending executions in other processes, by any executor of ``concurrent.futures``.

A worker gets the blocks of a partial execution, replays it, makes one draw, goes on to
the next branch point, and gives back what it recorded. Numbers of draws and the budget
stay with the search: each draw is asked for here before it is made there.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from enact.calls import edits, layout
from enact.calls.execution import Task, execute, execute_async, resolve
from enact.calls.lanes import CURRENT
from enact.calls.policy import Policy
from enact.calls.runs import Origin
from enact.errors import EnactError, ReplayError, SearchError
from enact.query import Store
from enact.search.budget import Account, Budget
from enact.search.drawing import Drawing, Grounds
from enact.search.ledger import Ledger
from enact.search.outcome import step_of
from enact.stores import CallRow, RunRow, ValueStore, memory_backend
from enact.stores.closure import copy_closure
from enact.values import Ref

if TYPE_CHECKING:
    from enact.calls.inputs import Input
    from enact.calls.layout import Recorded
    from enact.stores import Backend

Blocks = list[tuple[bytes, bytes]]


class Order(NamedTuple):
    """What a worker is to do; all of it can be pickled.

    Attributes:
        blocks: that the execution, the program and the sample need.
        modules: to import first: they register what the program calls.
        program: identifier of the program with its arguments.
        start: of the execution to go on from; None to begin.
        at, number: of the draw; ``at`` is None to go to the next branch point.
        sample: that the draw gets, if it is known.
        calls: how many calls may run that count.
        fresh: what the program tells on its way there counts, too.
        branch_on, composite, leaves: what is known of functions.
        within, first: of the run.
    """

    blocks: Blocks
    modules: list[str]
    program: bytes
    start: bytes | None
    at: str | None
    number: int | None
    sample: bytes | None
    calls: int
    fresh: bool
    branch_on: frozenset[str]
    composite: frozenset[str]
    leaves: frozenset[str]
    within: str
    first: dict[str, Any] | None


class Reply(NamedTuple):
    """What came of an order.

    Attributes:
        step: identifier of the step; None if it failed for good.
        blocks: that were written.
        runs, calls: rows of the journal.
        drew: whether the draw was made.
        leaves: functions that made no calls.
        error: name of the error and what it says, if it failed.
    """

    step: bytes | None
    blocks: Blocks
    runs: list[RunRow]
    calls: list[CallRow]
    drew: bool
    leaves: frozenset[str]
    error: tuple[str, str] | None = None


class _Sample(Ledger):
    """Knows the one sample that an order came with."""

    def __init__(self, store: ValueStore, sample: bytes | None) -> None:
        super().__init__(store, None, 0.0)
        self._sample = sample

    def sample(self, call: Input, number: int) -> Recorded | None:
        if self._sample is None:
            return None
        return layout.read_calls([self._sample], self._store)[0]


def extend_there(order: Order) -> Reply:
    """Carry out an order: what a worker runs."""
    for module in order.modules:
        if module not in sys.modules:
            importlib.import_module(module)
    store = Store(memory_backend())
    store.backend.put(order.blocks)
    token = CURRENT.set(None)
    try:
        with store:
            return _extended(order, store)
    except EnactError as error:
        name = type(error).__name__
        return Reply(None, [], [], [], False, frozenset(), (name, str(error)))
    finally:
        CURRENT.reset(token)


def _extended(order: Order, store: Store) -> Reply:
    # A limit is above zero: what is above it is taken at once.
    account = Account(Budget(calls=order.calls + 1))
    account.reserve()
    grounds = Grounds(account, _Sample(store, order.sample), order.branch_on)
    grounds.composite |= order.composite
    grounds.leaves |= order.leaves
    drawing = Drawing(
        grounds, order.at, order.number, int(order.at is not None),
        fresh=order.fresh, only_at=True,
    )  # fmt: skip
    fun, args, kwargs = store.checkout(Ref[Any](order.program, store))
    recorded = None if order.start is None else edits.read(order.start, store)
    origin = Origin(order.start, "search", within=order.within, meta=order.first)
    task = Task(fun, args, kwargs, recorded, Policy(sampler=drawing), origin)
    target, _ = resolve(fun, tuple(args))
    if target.is_async:
        import asyncio

        outcome = asyncio.run(execute_async(task))
    else:
        outcome = execute(task)
    step = store.commit(step_of(outcome, drawing, 0.0))
    backend = store.backend
    given = {cid for cid, _ in order.blocks}
    made = [cid for cid in _all_in(backend) if cid not in given]
    runs = list(backend.runs())
    return Reply(
        step.cid, list(backend.get(made).items()), runs,
        [row for run in runs for row in backend.calls(run=run.id)],
        drawing.has_drawn, frozenset(grounds.leaves),
    )  # fmt: skip


def blocks_for(store: ValueStore, roots: list[bytes | None]) -> Blocks:
    """All blocks that some values need."""
    copy = memory_backend()
    for root in roots:
        if root is not None:
            copy_closure(store, copy, root)
    return list(copy.get(_all_in(copy)).items())


def _all_in(backend: Backend) -> list[bytes]:
    return backend.between(b"", b"\xff" * 64, sys.maxsize)


def keep(reply: Reply, store: ValueStore) -> None:
    """Write what a worker recorded, as if it had been recorded here."""
    backend = store.backend
    backend.put(reply.blocks)
    for run in reply.runs:
        backend.begin_run(run._replace(status="running", invocation=None))
    for row in reply.calls:
        backend.record([], row)
    for run in reply.runs:
        backend.end_run(run)


def raise_error(error: tuple[str, str]) -> None:
    """Raise here what went wrong in a worker.

    Raises:
        ReplayError: the program left its record.
        SearchError: whatever else it was.
    """
    name, said = error
    if name == ReplayError.__name__:
        raise ReplayError(said)
    raise SearchError(f"a worker process could not go on: {name}: {said}")
