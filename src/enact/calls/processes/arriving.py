# SPDX-License-Identifier: Apache-2.0
"""Exceptions that come from a child process, in the process that started it."""

from __future__ import annotations

from typing import Any

from enact.calls.exceptions import Failure, rebuild
from enact.values import decode

Failed = tuple[int, bytes]
"""The slot of a call that failed, and its exception as it is stored."""


def arrived(
    error: Exception, number: int, own: Failed | None, others: list[Failed]
) -> Exception:
    """Tie an exception, which was pickled, to the calls that it came out of.

    Args:
        error: as it came.
        number: of the work.
        own: the call that raised it, if it is one that the work made.
        others: calls whose exceptions led to it; it lost them on its way.
    """
    from enact.calls.processes.home import find_work

    work = find_work(number)
    if work is None:
        return error
    frame = work.frame
    failures: list[Failure] = []
    if own is not None:
        failures.append(Failure(error, *own))
    last: BaseException = error
    for slot, cid in others:
        store = frame.run.store
        before = _rebuilt(decode(store.load_block(cid), store))
        last.__context__ = before
        failures.append(Failure(before, slot, cid))
        last = before
    with frame.lock:
        frame.failures = [*(frame.failures or ()), *failures]
    return error


def _rebuilt(raised: Any) -> BaseException:
    try:
        return rebuild(raised)
    except Exception as error:  # its type is not known here: it stands for itself
        return error
