# SPDX-License-Identifier: Apache-2.0
"""A program to be recorded, and looked at by commands; tests never import it."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sys
from enum import Enum

import enact


class Tone(Enum):
    DRY = "dry"
    WARM = "warm"


@enact.register
@dataclasses.dataclass
class Order:
    amount: int
    note: str = ""


@enact.register
def price(amount: int) -> int:
    enact.annotate(usd=0.5, model="m-1")
    return 2 * amount


@enact.register
def refuse(order: Order) -> str:
    raise ValueError(f"no {order.note}\nfor {order.amount}")


@enact.register
def handle(order: Order) -> str:
    """Two calls, one of which fails; control characters in what it returns."""
    try:
        refuse(order)
    except ValueError:
        pass
    return f"done\x1b[31m for {price(order.amount)}"


@enact.register
def broken(order: Order) -> str:
    price(order.amount)
    return refuse(order)


@enact.register
def asks(order: Order) -> str:
    title = enact.request_input(str, for_value=order, context="Title?")
    tone = enact.request_input(Tone, for_value=title, context="Which tone?")
    return f"{title}, {tone.value}"


@enact.register
async def part(n: int) -> int:
    await asyncio.sleep(0)
    return n


@enact.register
async def tasks(n: int) -> int:
    return sum(await asyncio.gather(*map(part, range(n))))


@enact.register
def many(n: int) -> int:
    return sum(price(i % 7) for i in range(n))


@enact.register
def cut(n: int) -> int:
    total = 0
    for i in range(n):
        if i == 2 and not os.path.exists("go-on"):
            raise KeyboardInterrupt
        total += price(i)
    return total


@enact.register
def login(name: str) -> dict[str, str]:
    return {"name": name, "api_key": "sk-proj-abcdefghijkl1234567890"}


def record(path: str) -> None:
    with enact.SQLiteStore(path) as store:
        handled = enact.invoke(handle, (Order(3, "tea"),))
        store.tag("handled", handled)
        handled.replay()
        handled.edit(handled[1], output=70).replay()
        for program, argument in ((broken, Order(4)), (cut, 5)):
            try:
                enact.invoke(program, (argument,))
            except (ValueError, KeyboardInterrupt):
                pass
        asyncio.run(enact.invoke_async(tasks, (3,)))
        store.tag("many", enact.invoke(many, (300,)))
        enact.invoke(login, ("Ada",))
        store.tag("text", "Two\nlines\x07")
        enact.invoke(asks, (Order(5),))
    store.close()


if __name__ == "__main__":
    record(sys.argv[1])
