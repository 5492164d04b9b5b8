# SPDX-License-Identifier: Apache-2.0
"""Replaying and resuming, whether the program is async or not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from enact.calls import Invocation
from enact.calls.execution import resolve
from enact.calls.invocation import program_of
from enact.query.resume import resume, resume_async

if TYPE_CHECKING:
    from enact.calls.preview import Preview
    from enact.query.store import Store


def is_async(invocation: Invocation) -> bool:
    """Whether the program of an invocation needs an event loop.

    Raises:
        NotReplayable: it was never registered.
        UnregisteredType: it is not known here.
    """
    fun, args, _ = program_of(invocation)
    return bool(resolve(fun, args)[0].is_async)


def preview_now(invocation: Invocation, **options: Any) -> Preview:
    """``Invocation.preview``, outside of any event loop."""
    if is_async(invocation):
        return asyncio.run(invocation.preview_async(**options))
    return invocation.preview(**options)


def replay_now(invocation: Invocation, **options: Any) -> Invocation:
    """``Invocation.replay``, outside of any event loop."""
    if is_async(invocation):
        return asyncio.run(invocation.replay_async(**options))
    return invocation.replay(**options)


def resume_now(store: Store, run: str, **options: Any) -> Invocation:
    """``resume``, outside of any event loop, in the active store."""
    recorded = store.run(run).invocation
    if recorded is not None and is_async(recorded):
        return asyncio.run(resume_async(run, **options))
    return resume(run, **options)
