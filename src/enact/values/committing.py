# SPDX-License-Identifier: Apache-2.0
"""Committing values to the active store, and checking them out."""

from __future__ import annotations

import sys
from typing import Any, TypeVar

from enact.values.context import ACTIVE, active_store
from enact.values.refs import Ref

T = TypeVar("T")


def commit(value: T) -> Ref[T]:
    """Store a value in the active store.

    Args:
        value: any value that can be stored.

    Returns:
        A ref to it. Equal values of equal types have equal refs.

    Raises:
        NoActiveContext: no store is active.
        UnstorableValue: a part cannot be stored; says which and why.
        LimitExceeded: the value is too large.

    Example:
        >>> commit("hello")
        Traceback (most recent call last):
        ...
        enact.errors.NoActiveContext: no store is active: put this inside ...
    """
    ref: Ref[T] = active_store().commit(value)
    return ref


def checkout(ref: Ref[T]) -> T:
    """Return the value that a ref refers to, fresh every time.

    Args:
        ref: the ref.

    Returns:
        The value; changing it changes nothing stored.

    Raises:
        NoActiveContext: no store is active, and the ref came from none.
        MissingBlock: neither the active store nor the one it came from has the block.
        UnregisteredType: a type is not known here.

    Example:
        >>> from enact.values.cids import cid_of
        >>> checkout(Ref(cid_of(b"\\xf6")))
        Traceback (most recent call last):
        ...
        enact.errors.NoActiveContext: no store is active: put this inside ...
    """
    return ref.checkout()


async def commit_async(value: T) -> Ref[T]:
    """Store a value in the active store, as `commit`.

    The value is stored as it is when this is called. A store that waits for something
    offers ``commit_async`` itself.

    Args:
        value: any value that can be stored.

    Returns:
        A ref to it.

    Raises:
        NoActiveContext: no store is active.
        UnstorableValue: a part cannot be stored; says which and why.
        LimitExceeded: the value is too large.
    """
    store: Any = active_store()
    own = getattr(store, "commit_async", None)
    if own is not None:
        return await own(value)  # type: ignore[no-any-return]
    return store.commit(value)  # type: ignore[no-any-return]


async def checkout_async(ref: Ref[T]) -> T:
    """Return the value that a ref refers to, without blocking the event loop.

    Args:
        ref: the ref.

    Returns:
        The value; changing it changes nothing stored.

    Raises:
        NoActiveContext: no store is active, and the ref came from none.
        MissingBlock: neither the active store nor the one it came from has the block.
        UnregisteredType: a type is not known here.
    """
    own = getattr(ACTIVE.get(), "checkout_async", None)
    if own is not None:
        return await own(ref)  # type: ignore[no-any-return]
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_task():
        return await trio.to_thread.run_sync(ref.checkout)  # type: ignore[no-any-return]
    import asyncio  # slow to import, and needed by asynchronous programs only

    return await asyncio.to_thread(ref.checkout)
