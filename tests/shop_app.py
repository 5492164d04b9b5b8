# SPDX-License-Identifier: Apache-2.0
"""A program to be recorded, and looked at by commands and on the page.

Tests of looking never import it: its types are not known there.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import os
import random
import sys
from enum import Enum
from typing import Any

import enact

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9"
    "awAAAABJRU5ErkJggg=="
)
HOSTILE = (
    "<script>document.title='ran'</script><img src=x onerror=document.title='ran'>"
)


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
def draws(title: str) -> bytes:
    return enact.request_input(bytes, for_value=PIXEL, context=f"A picture: {title}?")


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


@enact.register
def chat(messages: list[dict[str, str]]) -> dict[str, str]:
    return {"role": "assistant", "content": f"{len(messages)} messages"}


@enact.register
def show(*values: Any) -> Any:
    return values


@enact.register
def nest(depth: int) -> int:
    return depth and nest(depth - 1) + 1


@enact.register
def length(text: str) -> float:
    return float(len(text))


@enact.register
def draw(n: int) -> int:
    return random.randrange(n)


@enact.register
def guess(n: int) -> str:
    return "x" * (draw(n) + draw(n))


@enact.register(name="hostile/" + HOSTILE)
def hostile(text: str) -> str:
    return text + HOSTILE


def record_some(path: str) -> None:
    """Runs of every status, one of each."""
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


def record_all(path: str) -> None:
    """Runs with all kinds of values, and a search."""
    random.seed(2)
    with enact.SQLiteStore(path) as store:
        handled = enact.invoke(handle, (Order(3, "tea"),))
        store.tag("handled", handled)
        handled.replay()
        handled.edit(handled[1], output=70).replay()
        try:
            enact.invoke(broken, (Order(4),))
        except ValueError:
            pass
        asyncio.run(enact.invoke_async(tasks, (3,)))
        store.tag("many", enact.invoke(many, (300,)))
        messages = [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Which sea?\nAnd why?"},
        ]
        store.tag("chat", enact.invoke(chat, (messages,)))
        rows = [{"sea": "North", "depth": 95}, {"sea": "Baltic", "depth": 55}]
        deep: Any = "core"
        for _ in range(60):
            deep = [deep]
        values = (
            "Two\nlines", PIXEL, rows, {"a": [1, 2]}, '{"json": true}',
            enact.Program("def solve(n):\n    return n + 1\n"),
            "api_key=sk-proj-abcdefghijkl1234567890", deep, "y" * 100_000,
        )  # fmt: skip
        store.tag("values", enact.invoke(show, values))
        store.tag("nest", enact.invoke(nest, (30,)))
        store.tag("hostile", enact.invoke(hostile, (f"\x1b[31m{HOSTILE}\u202e",)))
        enact.search.run(guess, (5,), score=length, strategy="best_of(n=3)")
        enact.invoke(asks, (Order(5),))
    store.close()


if __name__ == "__main__":
    record = {"some": record_some, "all": record_all}[sys.argv[1]]
    record(sys.argv[2])
