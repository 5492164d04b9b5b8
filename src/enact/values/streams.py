# SPDX-License-Identifier: Apache-2.0
"""What is used up by being used has no stored form; each kind says what to do."""

from __future__ import annotations

import contextlib
import types
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from enact.values.coders import Lowerer

_ITEMS = "return a list of the items, or register the generator function itself"
_AWAITED = "await it in an `async def`, and register that"
_BODY = "put `@enact.register` below the decorator that makes it one"

_REASONS: dict[type, str] = {
    types.GeneratorType: f"a generator is used up by reading it; {_ITEMS}",
    types.AsyncGeneratorType: f"an async generator is used up by reading it; {_ITEMS}",
    types.CoroutineType: f"a coroutine is used up by awaiting it; {_AWAITED}",
    # What functions decorated with ``contextlib.contextmanager`` give.
    contextlib._GeneratorContextManagerBase: (
        f"a context manager is used up by entering it; {_BODY}"
    ),
}


def resolve(cls: type) -> Lowerer | str | None:
    """Say why a stream cannot be stored, and what to do.

    Args:
        cls: an exact type.

    Returns:
        The reason; None for other types.

    Example:
        >>> resolve(type(item for item in ""))  # doctest: +ELLIPSIS
        'a generator is used up by reading it; return a list of the items, or ...'
    """
    for kind, reason in _REASONS.items():
        if issubclass(cls, kind):
            return reason
    return None
