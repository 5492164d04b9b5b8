# SPDX-License-Identifier: Apache-2.0
"""The active store: where values are committed to and checked out from."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Protocol

from enact.errors import NoActiveContext


class BlockStore(Protocol):
    """What values need of a store."""

    def load_block(self, cid: bytes, /) -> bytes:
        """Return the bytes of a block, or raise `MissingBlock`."""

    def has_block(self, cid: bytes, /) -> bool:
        """Tell whether the store has a block."""

    def commit(self, value: Any, /) -> Any:
        """Store a value, and return a `Ref` to it."""

    def checkout(self, ref: Any, /) -> Any:
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
        enact.errors.NoActiveContext: no store is active: put this inside ...
    """
    store = ACTIVE.get()
    if store is None:
        raise NoActiveContext(
            "no store is active: put this inside `with enact.InMemoryStore():`, "
            'or `with enact.open_store("runs.db"):` to keep it'
        )
    return store
