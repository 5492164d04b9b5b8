# SPDX-License-Identifier: Apache-2.0
"""Orders as samples: a search looks for the order of calls in which a program fails."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from enact.calls import Invocation, invoke_async, register
from enact.testing.scheduling import schedule


@register(name="enact/testing/choice")
def choice(step: int) -> float:
    """Which of the calls that wait ends next, the ``step``-th time that several do.

    Returns:
        A number from 0 to 1, as large a part of those that wait comes before it.
    """
    return random.random()


@register(name="enact/testing/in_some_order")
async def in_some_order(
    program: Any, args: Sequence[Any] = (), choices: int = 16
) -> Invocation:
    """Runs an async program with its calls ending in an order that is drawn.

    Each choice is a sample, and so a place where a search branches: see
    ``enact.search.run``. The program itself is run as a whole, by ``invoke_async``.

    Args:
        program: a registered async function.
        args: for it.
        choices: how many are drawn. After these, who came first goes first.

    Returns:
        The invocation; a program that fails gives one that carries its exception.

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
        ...     found = enact.search.run(
        ...         enact.testing.in_some_order,
        ...         args=(add_twice, (), 2),
        ...         score=lambda inv: float(inv.output != 2),  # is there a surprise?
        ...         strategy="best_of(n=16)",
        ...     )
        >>> found.best.output.output
        1
    """
    drawn = [choice(step) for step in range(choices)]
    taken = 0

    def choose(waiting: int) -> int:
        nonlocal taken
        part = drawn[taken] if taken < choices else 0.0
        taken += 1
        return int(part * waiting)

    with schedule(choose):
        return await invoke_async(program, args, wrap_exceptions=True)
