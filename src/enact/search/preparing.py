# SPDX-License-Identifier: Apache-2.0
"""What a search is asked to do, put together and looked at before anything runs."""

from __future__ import annotations

import contextvars
import dataclasses
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from enact.calls.lanes import CURRENT
from enact.errors import SearchError
from enact.search.budget import Account, Budget
from enact.search.drawing import Drawing, Grounds
from enact.search.driver import Driver
from enact.search.judging import Meter, OfScore
from enact.search.parse import strategy_of
from enact.search.progress import Progress, shown_progress
from enact.search.registered import (
    registered_function,
    registered_name,
    require_registered,
)
from enact.search.spec import Search
from enact.stores import ValueStore

if TYPE_CHECKING:
    import asyncio

    from enact.search.workers import Workers

PARKED = 16
"""How many executions stand at their branch points, unless told otherwise."""


@dataclasses.dataclass
class Surroundings:
    """What a search needs that is no part of what it is asked to do.

    Attributes:
        bank: where earlier samples are.
        account: of the search that this one is part of.
        loop: for async programs.
        progress: is told of each outcome.
        driver: of the search, once it runs.
        run: identifier of the search, once it runs.
        parked: how many executions may stand at their branch points.
        workers: an executor that makes the steps, or ``"processes"``.
    """

    bank: ValueStore | None = None
    account: Account | None = None
    loop: asyncio.AbstractEventLoop | None = None
    progress: Callable[[Progress], None] | None = None
    driver: Driver | None = None
    run: str = ""
    parked: int = PARKED
    workers: Any = None


SURROUNDINGS: contextvars.ContextVar[Surroundings | None] = contextvars.ContextVar(
    "enact_search", default=None
)


def workers_for(
    executor: Any, store: ValueStore, grounds: Grounds, width: int
) -> Workers | None:
    """What makes the steps of a search, if it is not the search itself."""
    if executor is None:
        return None
    from enact.search.workers import Workers  # few need it

    return Workers(store, grounds, executor, width)


def split(executor: Any) -> tuple[int, Any]:
    """How many executions are extended at a time, and by what other than threads.

    Raises:
        SearchError: it is no executor.
    """
    if executor is None:
        return 1, None
    if executor == "processes":
        return os.cpu_count() or 1, executor
    if type(executor) is int and executor >= 1:
        return executor, None
    if callable(getattr(executor, "submit", None)):
        from concurrent.futures import ThreadPoolExecutor

        from enact.search.workers import width_of

        if isinstance(executor, ThreadPoolExecutor):
            return width_of(executor), None
        return width_of(executor), executor
    raise SearchError(
        f"executor={executor!r}: give the number of executions that are to run at "
        "a time, 1 or more; or 'processes'; or an executor of concurrent.futures"
    )


def prepare_call(
    program: Any, args: Sequence[Any] = (), kwargs: Any = None, **options: Any
) -> tuple[Search, Surroundings]:
    given: dict[str, Any] = {
        "score": None, "strategy": "best_of", "budget": None, "branch_on": (),
        "executor": None, "seed": 0, "bank": None, "merge_on": None, "progress": None,
        "parked": PARKED,
    }  # fmt: skip
    unknown = set(options) - set(given)
    if unknown:
        raise TypeError(f"run_async has no option {', '.join(sorted(unknown))}")
    given.update(options)
    return prepare(program, args, kwargs, **given)


def prepare(
    program: Any, args: Sequence[Any], kwargs: dict[str, Any] | None, score: Any,
    strategy: Any, budget: Budget | None, branch_on: Any, executor: Any, seed: int,
    bank: Any, merge_on: Any, progress: Any, parked: Any,
) -> tuple[Search, Surroundings]:  # fmt: skip
    chosen = strategy_of(strategy)
    budget = Budget() if budget is None else budget
    if not isinstance(budget, Budget):
        raise SearchError(
            f"budget is a Budget, as in Budget(calls=100), not {budget!r}"
        )
    width, workers = split(executor)
    if type(parked) is not int or parked < 0:
        raise SearchError(
            f"parked={parked!r}: give the number of executions that may stand at their "
            "branch points, 0 or more"
        )
    lane = CURRENT.get()
    sampler = None if lane is None else lane.frame.run.sampler
    account = None
    if isinstance(sampler, Drawing):
        account = sampler.account
    elif lane is not None and isinstance(sampler, Meter):
        account = sampler.account_in(lane.frame)
    limited = account is not None and not isinstance(account, OfScore)
    if chosen.is_endless and budget == Budget() and not limited:
        raise SearchError(
            f"{type(chosen).__name__} goes on for as long as there is something to "
            "spend, and no budget is given. Next: give one, as in "
            "`budget=enact.search.Budget(calls=100)`"
        )
    require_registered(program)
    chosen.require(program)
    search = Search(
        program, list(args), dict(kwargs or {}), registered_function(score), chosen,
        budget, [registered_name(one) for one in branch_on], width, seed,
        bank is not None, registered_function(merge_on),
    )  # fmt: skip
    shown = shown_progress(progress, budget.calls)
    return search, Surroundings(
        bank, account, None, shown, parked=parked, workers=workers
    )
