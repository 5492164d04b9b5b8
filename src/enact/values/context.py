# SPDX-License-Identifier: Apache-2.0
"""The active store: where values are committed to and checked out from."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from enact.errors import NoActiveContext

if TYPE_CHECKING:
    from enact.values.refs import Ref

T = TypeVar("T")


class BlockStore(Protocol):
    """What values need of a store."""

    def load_block(self, cid: bytes, /) -> bytes:
        """Return the bytes of a block, or raise `MissingBlock`."""

    def has_block(self, cid: bytes, /) -> bool:
        """Tell whether the store has a block."""

    def commit(self, value: T, /) -> Ref[T]:
        """Store a value."""

    def checkout(self, ref: Ref[T], /) -> T:
        """Return the value of a ref, fresh every time."""


#: The innermost store that is active here.
ACTIVE: ContextVar[BlockStore | None] = ContextVar("enact_store", default=None)


def active_store() -> BlockStore:
    """Return the store that is active here.

    Returns:
        The innermost.

    Raises:
        NoActiveContext: there is none.

    Example:
        >>> active_store()
        Traceback (most recent call last):
        ...
        enact.errors.NoActiveContext: no store is active: put this inside `with enact.InMemoryStore():`, or `with enact.open_store("runs.db"):` to keep it
    """
    store = ACTIVE.get()
    if store is None:
        raise NoActiveContext(
            "no store is active: put this inside `with enact.InMemoryStore():`, "
            'or `with enact.open_store("runs.db"):` to keep it'
        )
    return store


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
        enact.errors.NoActiveContext: no store is active: put this inside `with enact.InMemoryStore():`, or `with enact.open_store("runs.db"):` to keep it
    """
    return active_store().commit(value)


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
        >>> from enact.values.refs import Ref
        >>> ref = Ref.from_id("bafyreidykglsfhoixmivffc5uwhcgshx4j465xwqntbmu43nb2dzqwfvae")
        >>> checkout(ref)
        Traceback (most recent call last):
        ...
        enact.errors.NoActiveContext: no store is active: put this inside `with enact.InMemoryStore():`, or `with enact.open_store("runs.db"):` to keep it
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
    import asyncio  # slow to import, and needed by asynchronous programs only

    return await asyncio.to_thread(ref.checkout)
