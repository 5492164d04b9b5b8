# SPDX-License-Identifier: Apache-2.0
"""``enact.resume``: going on with a run of a store."""

from __future__ import annotations

from enact.calls import Invocation, resuming
from enact.calls.invocation import RAISED
from enact.calls.policy import Override, Policy
from enact.query.records import Run
from enact.query.store import Store
from enact.stores import ValueStore
from enact.values import active_store


def resume(
    run: Run | str,
    *,
    strict: bool = True,
    exception_override: Override | None = None,
    on_code_change: str = "rerun",
    in_doubt: str = "raise",
    raise_on_errors: tuple[type[BaseException], ...] = RAISED,
    wrap_exceptions: bool = False,
) -> Invocation:
    """Go on with a run that was cut off, by ``kill -9`` for instance.

    The program runs again from its start. Calls that had returned are answered from
    the record, also those of other tasks and threads and those inside of calls that
    had not returned; calls that were in flight run again. The run keeps its identity.
    A run that failed is tried again where it failed; one that is paused goes on with
    the answers that are there.

    Args:
        run: as ``store.runs()`` gives it, or its identifier, in the active store.
        strict, exception_override, on_code_change: as for ``enact.invoke``.
        in_doubt: ``"retry"`` to try calls again that are registered with
            ``retry="never"`` and were in flight; ``"raise"`` to stop at them.
        raise_on_errors, wrap_exceptions: as for ``enact.invoke``.

    Returns:
        The invocation, as from ``enact.invoke``.

    Raises:
        NotFound: there is no such run.
        NotResumable: it came to its end already, or had not begun.
        RunIsLive: another process or thread executes it, or is resuming it.
        InDoubt: a call that must not be tried twice was in flight.
        UnregisteredType: its program is not known here, or has another name now.

    Example:
        >>> import enact
        >>> @enact.register
        ... def plan(n):
        ...     if n > limit[0]:
        ...         raise KeyboardInterrupt
        ...     return n
        >>> @enact.register
        ... def work():
        ...     return [plan(n) for n in range(4)]
        >>> limit = [2]
        >>> with enact.InMemoryStore() as store:
        ...     try:
        ...         inv = enact.invoke(work)
        ...     except KeyboardInterrupt:
        ...         limit[0] = 9
        ...     run = store.runs()[0]
        ...     run.status, len(run.invocation.children), enact.resume(run).output
        ('interrupted', 4, [0, 1, 2, 3])
    """
    id, store = _find(run)
    policy = Policy(strict, exception_override, on_code_change, in_doubt=in_doubt)
    return resuming.resume(
        id,
        store,
        policy=policy.check(),
        raise_on_errors=raise_on_errors,
        wrap_exceptions=wrap_exceptions,
    )


async def resume_async(
    run: Run | str,
    *,
    strict: bool = True,
    exception_override: Override | None = None,
    on_code_change: str = "rerun",
    in_doubt: str = "raise",
    raise_on_errors: tuple[type[BaseException], ...] = RAISED,
    wrap_exceptions: bool = False,
) -> Invocation:
    """``resume`` for async programs, within a running event loop."""
    id, store = _find(run)
    policy = Policy(strict, exception_override, on_code_change, in_doubt=in_doubt)
    return await resuming.resume_async(
        id,
        store,
        policy=policy.check(),
        raise_on_errors=raise_on_errors,
        wrap_exceptions=wrap_exceptions,
    )


def _find(run: Run | str) -> tuple[str, ValueStore]:
    if isinstance(run, Run):
        return run.id, run._store
    store = active_store()
    assert isinstance(store, ValueStore)
    return (store.run(run).id if isinstance(store, Store) else run), store
