# SPDX-License-Identifier: Apache-2.0
"""Resuming: going on with a run that was cut off, paused or failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain

from enact.calls.divergence import in_doubt
from enact.calls.execution import Task, execute, execute_async
from enact.calls.invocation import (
    RAISED,
    Invocation,
    Keep,
    from_cid,
    program_of,
)
from enact.calls.partial import origin_of, recorded_by
from enact.calls.policy import Policy
from enact.calls.runs import LIVE
from enact.calls.targets import live
from enact.errors import NotFound, NotResumable, RunIsLive
from enact.stores import RunRow, ValueStore

# Called with a run, what it recorded, and the store: what to go on from.
BEFORE_RESUMING: list[Callable[[str, Invocation, ValueStore], Invocation]] = []


def status_of(row: RunRow, store: ValueStore) -> str:
    """The status of a run: ``running`` only while somebody executes it."""
    if row.status == "running" and holder_of(row, store) is None:
        return "interrupted"
    return row.status


def holder_of(row: RunRow, store: ValueStore) -> str | None:
    """Who executes a run, in words; None if nobody does."""
    if row.status != "running":
        return None
    owner = str(row.meta.get("owner"))
    if owner == store.backend.owner and row.id not in LIVE:
        return None
    return store.backend.find_owner(owner)


def resume(
    run: str,
    store: ValueStore,
    *,
    policy: Policy,
    raise_on_errors: tuple[type[BaseException], ...] = RAISED,
    wrap_exceptions: bool = False,
) -> Invocation:
    """Go on with a run; see ``enact.resume``."""
    with _task(run, store, policy) as task:
        return Keep(raise_on_errors, wrap_exceptions)(execute(task))


async def resume_async(
    run: str,
    store: ValueStore,
    *,
    policy: Policy,
    raise_on_errors: tuple[type[BaseException], ...] = RAISED,
    wrap_exceptions: bool = False,
) -> Invocation:
    """``resume`` within a running event loop."""
    with _task(run, store, policy) as task:
        return Keep(raise_on_errors, wrap_exceptions)(await execute_async(task))


@contextmanager
def _task(run: str, store: ValueStore, policy: Policy) -> Iterator[Task]:
    """What is left to do of a run, which nobody else resumes meanwhile.

    Raises:
        NotFound: there is no such run.
        NotResumable: it came to its end, or had not begun.
        RunIsLive: somebody executes it, or is resuming it.
        NotReplayable, UnregisteredType: its program is not known here.
    """
    _find(run, store)  # before anything is locked
    with store.backend.claim(run):
        row = _find(run, store)  # somebody may have come to its end by now
        cid = recorded_by(row, store)
        if cid is None:
            raise NotResumable(
                f"run {run} of {row.name!r} was cut off before its first call began, "
                "so its arguments are not recorded: invoke it again"
            )
        partial = from_cid(cid, store)
        for prepare in BEFORE_RESUMING:
            partial = prepare(run, partial, store)
        if policy.in_doubt == "raise":
            _check_doubt(run, partial, store)
        fun, args, kwargs = program_of(partial)
        origin = origin_of(row, store)
        with store:
            yield Task(fun, args, kwargs, partial._recorded(), policy, origin)


def _check_doubt(run: str, partial: Invocation, store: ValueStore) -> None:
    """See that no call was in flight that must not be tried twice.

    Raises:
        InDoubt: one was. Nothing has run, and the run stays as it is.
    """
    in_flight = chain.from_iterable(
        store.backend.calls(run=run, status=status)
        for status in ("running", "incomplete")  # by a kill, by an interrupt
    )
    if not any(_never_twice(call.invokable) for call in in_flight):
        return
    todo = [partial]
    while todo:
        view = todo.pop()
        if view.status != "incomplete":
            continue
        if _never_twice(view.name):
            path = "/".join(map(str, view.path))
            raise in_doubt(path, f"{view.name!r}, {view.input!r},")
        todo += view.children


def _never_twice(name: str) -> bool:
    return any(target.retry is not None for target in live(name))


def _find(run: str, store: ValueStore) -> RunRow:
    rows = store.backend.runs(run=run)
    if not rows:
        raise NotFound(f"there is no run {run} in this store: `store.runs()` lists all")
    row = rows[0]
    if row.status == "completed":
        raise NotResumable(
            f"run {run} of {row.name!r} came to its end: use `run.invocation.replay()` "
            "to run it again, or `run.invocation.rewind(n).replay()` for a part of it"
        )
    holder = holder_of(row, store)
    if holder is not None:
        raise RunIsLive(
            f"run {run} of {row.name!r} is being executed by {holder}: wait for it, or "
            "end that process first"
        )
    return row
