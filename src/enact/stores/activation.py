# SPDX-License-Identifier: Apache-2.0
"""Which store is active, for each thread and each task."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from enact.values import ACTIVE

# Tokens of ContextVar.set are of no use here: a store may be entered in one task
# and left in another that began as a copy of it, where resetting a token fails.
_ENTERED: ContextVar[tuple[tuple[Any, Any], ...]] = ContextVar("entered", default=())


def enter(store: Any) -> None:
    """Makes a store the active one, in this context."""
    _ENTERED.set((*_ENTERED.get(), (store, ACTIVE.get(None))))
    ACTIVE.set(store)


def leave(store: Any) -> None:
    """Makes active again what was so before this store was entered.

    Raises:
        RuntimeError: the store was not entered in this context.
    """
    entered = _ENTERED.get()
    for place in range(len(entered) - 1, -1, -1):
        if entered[place][0] is store:
            break
    else:
        raise RuntimeError("leaving a store that was not entered in this context")
    if place == len(entered) - 1:
        ACTIVE.set(entered[place][1])
        _ENTERED.set(entered[:place])
        return
    # Left out of order: the store above must not bring this one back.
    above, (inner, _) = place + 1, entered[place + 1]
    mended = (inner, entered[place][1])
    _ENTERED.set((*entered[:place], mended, *entered[above + 1 :]))
