# SPDX-License-Identifier: Apache-2.0
"""Schedules: the same program, with its calls ending in other orders.

Tasks that share something may be right in the order in which a model happens to answer,
and wrong in another one. Here awaited calls end in an order that is chosen: systematic,
so that all orders are tried where there are few, or by chance.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from enact.calls import SCHEDULE, Invocation, invoke_async, rest
from enact.calls.rest import is_idle, look_later, when_at_rest
from enact.errors import CallError

if TYPE_CHECKING:
    from enact.calls.rest import Loop

_LOOK_AGAIN = 0.001


class Schedule:
    """Holds each awaited call back when it is about to end, and chooses who goes on.

    Args:
        choose: given how many calls wait, says which one ends, from 0, in the order in
            which they came to their end.
        patience: seconds for which calls that still run are waited for. An event loop
            that has nothing else to do is not waited for.
    """

    def __init__(self, choose: Callable[[int], int], patience: float = 0.02) -> None:
        self._choose = choose
        self._patience = patience
        self._waiting: list[Any] = []  # futures
        self._since = 0.0
        self._loop: Loop | None = None

    async def hold(self) -> None:
        """Wait to be chosen."""
        loop = rest.running_loop()
        assert loop is not None
        if self._loop is not loop:  # of another one, nobody waits any more
            self._waiting.clear()
        future = loop.create_future()
        self._waiting.append(future)
        self._since = time.monotonic()
        if self._loop is not loop:
            self._loop = loop
            when_at_rest(loop, self._look)
        try:
            await future
        finally:
            if future in self._waiting:  # cancelled
                self._waiting.remove(future)

    def _look(self) -> None:
        count = len(self._waiting)
        loop = self._loop
        if not count or loop is None:
            self._loop = None
            return
        if not is_idle(loop) and time.monotonic() < self._since + self._patience:
            look_later(loop, _LOOK_AGAIN, lambda: when_at_rest(loop, self._look))
            return
        try:
            place = self._choose(count) if count > 1 else 0
            if not 0 <= place < count:
                raise CallError(f"a schedule chose call {place} out of {count}")
            chosen = self._waiting.pop(place)
            if not chosen.done():  # it may have been cancelled just now
                chosen.set_result(None)
        except Exception as error:  # of whoever chooses: all calls fail with it
            for future in self._waiting:
                if not future.done():
                    future.set_exception(error)
            self._waiting.clear()
        when_at_rest(loop, self._look)


@contextmanager
def schedule(choose: Callable[[int], int], patience: float = 0.02) -> Iterator[None]:
    """Chooses the order in which awaited calls end, for what is invoked in the body.

    A replay keeps to its recorded order; what runs in it ends as chosen.

    Args:
        choose, patience: see `Schedule`.

    Example:
        >>> import asyncio, enact
        >>> @enact.register
        ... async def ask(name: str) -> str:
        ...     return name
        >>> @enact.register
        ... async def race() -> list[str]:
        ...     order = []
        ...     async def one(name):
        ...         order.append(await ask(name))
        ...     await asyncio.gather(one("a"), one("b"))
        ...     return order
        >>> with enact.InMemoryStore(), enact.testing.schedule(lambda count: count - 1):
        ...     asyncio.run(enact.invoke_async(race)).get_output()
        ['b', 'a']
    """
    token = SCHEDULE.set(Schedule(choose, patience))
    try:
        yield
    finally:
        SCHEDULE.reset(token)


def schedules(
    program: Any,
    args: Sequence[Any] = (),
    *,
    count: int = 100,
    seed: int | None = None,
    patience: float = 0.02,
    **options: Any,
) -> Iterator[Invocation]:
    """Runs an async program under one schedule after the other.

    Each is recorded in the active store, so one that fails can be looked at, and
    replays in exactly that order.

    Args:
        program: a registered async function.
        args: for it.
        count: how many schedules at most.
        seed: choose by chance, beginning with this; without, all orders are gone
            through, the last choice first, until there are no more.
        patience: see `Schedule`.
        options: for ``enact.invoke_async``. Functions registered with
            ``memoize=True`` are asked once, and the answer serves in all schedules.

    Yields:
        The invocations; a program that fails gives one that carries its exception.

    Example:
        >>> import asyncio, enact
        >>> @enact.register
        ... async def read(balance: int) -> int:
        ...     return balance
        >>> @enact.register
        ... async def add_twice() -> int:
        ...     balance = 0
        ...     async def add(amount):
        ...         nonlocal balance
        ...         balance = await read(balance) + amount
        ...     await asyncio.gather(add(1), add(2))
        ...     return balance
        >>> with enact.InMemoryStore():
        ...     found = [inv.output for inv in enact.testing.schedules(add_twice)]
        >>> found
        [2, 1]
    """
    chance = None if seed is None else random.Random(seed)
    prefix: list[int] = []
    for _ in range(count):
        taken: list[tuple[int, int]] = []

        def choose(
            waiting: int,
            prefix: list[int] = prefix,
            taken: list[tuple[int, int]] = taken,
        ) -> int:
            if chance is not None:
                place = chance.randrange(waiting)
            else:
                known = prefix[len(taken)] if len(taken) < len(prefix) else 0
                place = min(known, waiting - 1)
            taken.append((place, waiting))
            return place

        with schedule(choose, patience):
            run = invoke_async(program, args, wrap_exceptions=True, **options)
            invocation = asyncio.run(run)
        yield invocation
        if chance is not None:
            continue
        while taken and taken[-1][0] + 1 == taken[-1][1]:
            taken.pop()
        if not taken:
            return
        prefix = [place for place, _ in taken[:-1]] + [taken[-1][0] + 1]
