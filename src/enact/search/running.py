# SPDX-License-Identifier: Apache-2.0
"""``enact.search.run``, and going on with a search that was recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from enact.calls import Invocation, invoke, register
from enact.calls.lanes import CURRENT
from enact.calls.targets import target_of
from enact.errors import SearchError
from enact.query import Run, Store
from enact.query import resume as resume_run
from enact.search.budget import Account, Budget
from enact.search.drawing import Grounds
from enact.search.driver import MORE, Driver
from enact.search.earlier import Earlier
from enact.search.judging import Judge, Meter, spent_before
from enact.search.ledger import Ledger
from enact.search.preparing import (
    PARKED,
    SURROUNDINGS,
    Surroundings,
    prepare,
    prepare_call,
    split,
    workers_for,
)
from enact.search.progress import Progress, shown_progress
from enact.search.recorded import recorded_run
from enact.search.result import Result
from enact.search.spec import Found, Search
from enact.search.steps import Stepper
from enact.search.strategy import Strategy
from enact.stores import ValueStore, memory_backend
from enact.values import ACTIVE, active_store

if TYPE_CHECKING:
    pass

SEARCH = "enact/search"


@register(name=SEARCH)
def search_program(search: Search) -> Found:
    """A search as a program: what ``run`` records."""
    lane = CURRENT.get()
    if lane is None:
        raise SearchError("use `enact.search.run(...)`")
    around = SURROUNDINGS.get() or Surroundings()
    frame = lane.frame
    run, store = frame.run, frame.run.store
    bank = (around.bank or store) if search.banked else None
    account = Account(search.budget, around.account)
    ledger = Ledger(store, bank, run.started)
    grounds = Grounds(account, ledger, frozenset(search.branch_on))
    earlier = Earlier(frame, grounds, store)
    stepper = Stepper(
        store, grounds, earlier, around.loop, around.parked, search.width,
        workers_for(around.workers, store, grounds, search.width),
    )  # fmt: skip
    meter = Meter(account, spent_before(run, store))
    judge = Judge(search.score, store, run.id, meter)
    run.sampler = meter
    tell = around.progress
    driver = around.driver = Driver(
        search, store, grounds, stepper, judge, earlier.numbers,
        None if tell is None else lambda driver: tell(Progress(driver)),
    )  # fmt: skip
    around.run = run.id
    try:
        return driver.run()
    finally:
        stepper.close()


# It is part of enact: a search is not tried again since enact has changed.
_target = target_of(search_program)
assert _target is not None
_target.builtin = True


def run(
    program: Any,
    args: Sequence[Any] = (),
    kwargs: dict[str, Any] | None = None,
    *,
    score: Callable[..., Any] | None = None,
    strategy: str | Strategy = "best_of",
    budget: Budget | None = None,
    branch_on: Iterable[Any] = (),
    executor: Any = None,
    seed: int = 0,
    bank: Any = None,
    merge_on: Callable[[Invocation], Any] | None = None,
    progress: Callable[[Progress], None] | bool | None = None,
    parked: int = PARKED,
) -> Result:
    """Search over the executions of a program for a better one.

    The program is any registered callable; nothing in it need change. Each leaf call
    that is not declared deterministic is a place where executions branch: the search
    draws another sample there, and lets the program go on from it. Executions that it
    extends are replayed up to that place, which costs nothing but time.

    The search is recorded in the active store, or in one in memory, and can be resumed.

    Args:
        program: a registered function or method, async or not, or an ``Invokable``.
        args, kwargs: its arguments.
        score: of an output; or of an invocation, if its parameter is annotated so.
            More is better. It may be async, and may ask a person. By default what the
            program tells with ``enact.score``. Equal outputs are scored once.
        strategy: its name, with options as in ``"beam(width=4, expand=3)"``, or a
            ``Strategy``.
        budget: what may be spent; by default no limit.
        branch_on: branch at calls of these functions only, or of these names.
        executor: how many executions are extended at a time: in threads, or, if the
            program is async, as tasks of one event loop. By default one. Or
            ``"processes"`` for as many processes as there are processors, or an
            executor of ``concurrent.futures``.
        seed: of all chance in the strategy.
        bank: a store; samples that were drawn before for the same request, by the same
            code, are used in their order before any call runs. If no store is active,
            the search is recorded in the bank, so what it draws is there for others.
        merge_on: given the invocation of a partial execution, gives its state, a value
            that can be stored; of executions in equal states one goes on.
        progress: is called after each outcome; True for a bar on standard error, False
            for nothing. By default that bar, if standard error is a terminal.
        parked: how many executions may stand at their branch points, each in a thread
            or task of its own, until they are extended; others unwind, and replay.
            What is found is the same.

    Returns:
        The result, with ``best``, ``tree``, ``spent`` and ``stopped``.

    Raises:
        UnknownStrategy: there is no such strategy, or no such option.
        SearchError: an argument makes no sense, or the search would never end.
        NoBranchPoint: nothing in the program can be drawn again.
        NothingFound: no execution came to its end.
        InvalidScore: a score raised, or is not a finite number.
        ReplayError: the program depends on something that is not recorded.

    Example:
        >>> import enact, random
        >>> @enact.register
        ... def throw(sides: int) -> int:
        ...     return random.randint(1, sides)
        >>> @enact.register
        ... def three() -> int:
        ...     return throw(6) + throw(6) + throw(6)
        >>> result = enact.search.run(three, score=float, strategy="best_of(n=50)")
        >>> result.spent.calls, result.best.output >= 12
        (150, True)
    """
    search, around = prepare(
        program, args, kwargs, score, strategy, budget, branch_on, executor, seed,
        bank, merge_on, progress, parked,
    )  # fmt: skip
    return _with_store(bank, lambda: _searched(search, around))


async def run_async(program: Any, *args: Any, **options: Any) -> Result:
    """``run`` within a running event loop, on which an async program runs.

    Args:
        program, args, options: as for ``run``.
    """
    import asyncio

    loop = asyncio.get_running_loop()
    search, around = prepare_call(program, *args, **options)
    around.loop = loop
    return await asyncio.to_thread(
        _with_store, around.bank, lambda: _searched(search, around)
    )


def _with_store(bank: Any, search: Callable[[], Result]) -> Result:
    if ACTIVE.get() is not None:
        return search()
    if isinstance(bank, Store):
        with bank:
            return search()
    with Store(memory_backend()):
        return search()


def _searched(search: Search, around: Surroundings) -> Result:
    return _followed(around, lambda: invoke(search_program, (search,)))


def _followed(around: Surroundings, go: Callable[[], Invocation]) -> Result:
    """Run a search, and put together what came of it."""
    store = _store()
    token = SURROUNDINGS.set(around)
    try:
        invocation = go()
    except KeyboardInterrupt as error:
        if around.run:
            error.add_note(
                "The search is kept as it was. Go on with "
                f"`enact.search.resume({around.run!r})`"
            )
        raise
    finally:
        SURROUNDINGS.reset(token)
        if around.progress is not None and hasattr(around.progress, "close"):
            around.progress.close()
    driver = around.driver
    if driver is None:
        return _result_of(invocation)
    found = invocation.output if invocation.status == "completed" else driver.found
    return Result(
        driver.tree, found, driver.strategy, driver.account.look(), driver.stopped,
        around.run, store, invocation,
    )  # fmt: skip


def _store() -> ValueStore:
    """The active store.

    Raises:
        NoActiveContext: there is none.
        SearchError: it keeps blocks only.
    """
    store = active_store()
    if not isinstance(store, ValueStore):
        raise SearchError(f"a {type(store).__name__} cannot record a search")
    return store


def _result_of(invocation: Invocation) -> Result:
    """The result of a search that is recorded: it is replayed, and runs nothing."""
    around = Surroundings()
    token = CURRENT.set(None)
    try:
        return _followed(around, lambda: invocation.rewind(0).replay(live="forbid"))
    finally:
        CURRENT.reset(token)


def load(run: Run | str) -> Result:
    """The result of a search that was recorded.

    Args:
        run: of the search, or its identifier in the active store.

    Raises:
        SearchError: it is no search, or did not come to its end: ``resume`` it.
    """
    found = recorded_run(run, SEARCH, "a search")
    invocation = found.invocation
    if invocation is None or invocation.status != "completed":
        raise SearchError(
            f"search {found.id} is {found.status}: go on with "
            f"`enact.search.resume({found.id!r})`"
        )
    result = _result_of(invocation)
    result.run = found.id
    return result


def resume(
    run: Run | str,
    *,
    bank: Any = None,
    progress: Callable[[Progress], None] | bool | None = None,
    parked: int = PARKED,
    executor: Any = None,
) -> Result:
    """Go on with a search that was cut off, failed, or waited for a person.

    It goes on as it would have without that, given that its samples are a function of
    request and draw number: the steps that were made are answered from the record.

    Args:
        run: of the search, or its identifier in the active store.
        bank, progress, parked, executor: as for ``run``; how many executions are
            extended at a time stays as it was.

    Raises:
        SearchError: it is no search.
        NotResumable: it came to its end: see ``extend``.
        RunIsLive: somebody executes it.
    """
    found = recorded_run(run, SEARCH, "a search")
    around = Surroundings(bank, None, None, shown_progress(progress), parked=parked,
        workers=split(executor)[1],
    )  # fmt: skip
    return _followed(around, lambda: resume_run(found))


def extend(
    run: Result | Run | str,
    budget: Budget,
    *,
    bank: Any = None,
    progress: Callable[[Progress], None] | bool | None = None,
    parked: int = PARKED,
    executor: Any = None,
) -> Result:
    """Go on with a search that has come to its end, with more to spend.

    Args:
        run: the result of the search, its run, or the identifier of that in the
            active store.
        budget: in addition to what it had.
        bank, progress, parked, executor: as for ``run``; how many executions are
            extended at a time stays as it was.

    Returns:
        The result of a new run, which has all that the first one found.

    Raises:
        SearchError: it is no search, or did not come to its end.

    Example:
        >>> import enact, random
        >>> @enact.register
        ... def digit() -> int:
        ...     return random.randint(0, 9)
        >>> budget = enact.search.Budget(calls=3)
        >>> few = enact.search.run(digit, score=float, budget=budget)
        >>> more = enact.search.extend(few, enact.search.Budget(calls=4))
        >>> few.spent.calls, more.spent.calls, more.best.score >= few.best.score
        (3, 7, True)
    """
    if isinstance(run, Result):
        id, invocation, store = run.run, run.invocation, run.store
    else:
        found = recorded_run(run, SEARCH, "a search")
        id, invocation, store = found.id, found.invocation, _store()
    if invocation is None or invocation.status not in ("completed", "failed"):
        asked = []
    else:
        asked = [view for view in invocation.children if view.name == MORE]
    if invocation is None or not asked:
        raise SearchError(
            f"search {id} did not come to its end: go on with "
            f"`enact.search.resume({id!r})`"
        )
    around = Surroundings(bank, None, None, shown_progress(progress), parked=parked,
        workers=split(executor)[1],
    )  # fmt: skip
    going_on = invocation.edit(asked[-1], output=budget)
    with store:
        return _followed(around, going_on.replay)
