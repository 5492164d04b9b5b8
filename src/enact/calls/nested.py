# SPDX-License-Identifier: Apache-2.0
"""Invocations within invocations: ``invoke`` in a tracked call is a call itself."""

from __future__ import annotations

from typing import Any

from enact.calls import edits
from enact.calls.execution import Outcome, Task, resolve
from enact.calls.lanes import CURRENT
from enact.calls.partial import origin_of, recorded_by
from enact.calls.runs import Origin
from enact.calls.verdicts import CODE_CHANGED
from enact.errors import Suspension
from enact.values import Ref, active_store

INVOKE = "enact/invoke"


def as_call(task: Task) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """An invocation within an invocation is a call: these are its arguments."""
    options: dict[str, Any] = {}
    if task.recorded is not None:
        options["replay_from"] = Ref(task.recorded.cid, active_store())
    if task.policy.override is not None:
        options["exception_override"] = task.policy.override
    return (task.fun, list(task.args), task.kwargs), options


def within(task: Task) -> Task:
    """What the call that runs here, an ``invoke`` within an invocation, is to do.

    After a crash it goes on with the run that it had begun. If it runs again since the
    code that it invoked has changed, what that recorded still answers.
    """
    lane = CURRENT.get()
    assert lane is not None
    frame = lane.frame
    run, store = frame.run, frame.run.store
    key = f"{run.branch}/{frame.key()}"
    sampler = run.session.policy.sampler
    if sampler is not None and task.policy.sampler is None and not _is_builtin(task):
        # What a search pays for, it pays for here, too.
        inner = sampler.within(frame)
        task = task._replace(policy=task.policy._replace(sampler=inner))
    origin = (task.origin or Origin())._replace(within=key)
    if run.origin.row is not None:
        for row in store.backend.runs(since=run.started):
            if row.meta.get("within") == key:
                cid = recorded_by(row, store)
                if cid is not None:
                    origin = origin_of(row, store)
                    return task._replace(recorded=edits.read(cid, store), origin=origin)
    if frame.replaces is not None and frame.verdict == CODE_CHANGED:
        output = edits.read(frame.replaces, store).output
        if output is not None:
            policy = task.policy._replace(strict=False)
            recorded = edits.read(output, store)
            return task._replace(recorded=recorded, policy=policy, origin=origin)
    return task._replace(origin=origin)


def _is_builtin(task: Task) -> bool:
    """Whether it is a program of enact's own, as a search is."""
    return task.fun is not None and resolve(task.fun, tuple(task.args))[0].builtin


def noted(outcome: Outcome) -> Outcome:
    """Note what code an ``invoke`` ran within the call that runs here.

    Raises:
        Suspension: what set that aside sets aside what invoked it.
    """
    lane = CURRENT.get()
    assert lane is not None
    lane.frame.ran(None, outcome.below)
    if isinstance(outcome.error, Suspension) and outcome.error.passes_on:
        raise outcome.error
    return outcome
