# SPDX-License-Identifier: Apache-2.0
"""Time and chance as calls: what a program draws from them is in its record.

A program that asks the clock or throws dice cannot be replayed exactly: its next calls
may depend on what it got. These functions do the same as those of the standard library,
and are recorded like any call. Outside of an invocation they just run.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from enact.calls import rest
from enact.calls.registration import wrapped
from enact.calls.targets import Target, add

if TYPE_CHECKING:
    import random as random_module
    import uuid

F = TypeVar("F", bound=Callable[..., Any])


def _recorded(name: str, *, deterministic: bool) -> Callable[[F], F]:
    """Make a function of this module a registered one.

    Args:
        name: in stored data.
        deterministic: search need not branch on it.
    """

    def decorate(fn: F) -> F:
        target = Target(fn, name, builtin=True)
        target.draws = True
        target.deterministic = deterministic
        target.wrapper = wrapped(target)
        add(target)
        return target.wrapper  # type: ignore[return-value]  # the same signature

    return decorate


@_recorded("enact/now", deterministic=True)
def now(tz: datetime.tzinfo = datetime.UTC) -> datetime.datetime:
    """The time, as ``datetime.datetime.now`` tells it; in a replay, the recorded one.

    Args:
        tz: the time zone of the result.

    Returns:
        The time, which knows its zone.

    Example:
        >>> import enact
        >>> @enact.register
        ... def stamped(text): return f"{enact.now():%H:%M:%S.%f} {text}"
        >>> with enact.InMemoryStore():
        ...     inv = enact.invoke(stamped, ("hi",))
        ...     inv.rewind(0).replay().output == inv.output
        True
    """
    return datetime.datetime.now(tz)


def random() -> random_module.Random:
    """A generator of random numbers, seeded by chance; in a replay, as it was seeded.

    The seed is what is recorded, so numbers cost nothing more. Search may branch here.

    Returns:
        A ``random.Random`` of its own.

    Example:
        >>> import enact
        >>> @enact.register
        ... def roll(): return enact.random().randint(1, 6)
        >>> with enact.InMemoryStore():
        ...     inv = enact.invoke(roll)
        ...     inv.rewind(0).replay().output == inv.output
        True
    """
    from random import Random

    return Random(_seed())


@_recorded("enact/random", deterministic=False)
def _seed() -> int:
    from secrets import randbits

    return randbits(63)


@_recorded("enact/uuid4", deterministic=False)
def uuid4() -> uuid.UUID:
    """A random UUID, as ``uuid.uuid4`` makes it; in a replay, the recorded one.

    Returns:
        The UUID.

    Example:
        >>> import enact
        >>> enact.uuid4().version
        4
    """
    from uuid import uuid4

    return uuid4()


@_recorded("enact/sleep", deterministic=True)
def sleep(seconds: float) -> None:
    """Wait, as ``time.sleep`` does; a replay does not wait.

    Args:
        seconds: how long.

    Example:
        >>> import enact
        >>> enact.sleep(0.001)
    """
    time.sleep(seconds)


@_recorded("enact/sleep_async", deterministic=True)
async def sleep_async(seconds: float) -> None:
    """Wait, as ``asyncio.sleep`` or ``trio.sleep`` does; a replay waits its turn only.

    Tasks that sleep this way are replayed in their order, whatever else they do.

    Args:
        seconds: how long.

    Example:
        >>> import asyncio, enact
        >>> asyncio.run(enact.sleep_async(0.001))
    """
    await rest.sleep(seconds)


__all__ = ["now", "random", "sleep", "sleep_async", "uuid4"]
