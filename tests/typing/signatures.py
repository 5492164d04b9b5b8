# SPDX-License-Identifier: Apache-2.0
"""What type checkers see; ``mypy`` checks this file, nothing runs it.

``@enact.register`` keeps the signature of what it decorates. A line with
``type: ignore`` is a mistake that the checker must find: an ignore that is not needed
is an error.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, assert_type

import enact


@enact.register
def draft(topic: str, *, words: int = 10) -> list[str]:
    return [topic] * words


@enact.register(name="shop/price")
def price(cents: int) -> float:
    return cents / 100


@enact.register
async def fetch(url: str) -> bytes:
    return url.encode()


@enact.register
@dataclasses.dataclass
class Writer(enact.Invokable[str, int]):
    prompt: str = ""

    def call(self, topic: str) -> int:
        return len(topic)


@enact.register
@dataclasses.dataclass
class Order(enact.Resource):
    amount: int

    @enact.register
    def total(self, tax: float) -> float:
        return self.amount * tax


def functions_keep_their_signature() -> None:
    assert_type(draft("sea", words=2), list[str])
    price_function: Callable[[int], float] = price
    assert_type(price_function(1), float)
    draft(1)  # type: ignore[arg-type]
    draft("sea", 2)  # type: ignore[call-arg]
    price("1")  # type: ignore[arg-type]


async def async_functions_keep_their_signature() -> None:
    coroutine: Coroutine[Any, Any, bytes] = fetch("x")
    assert_type(await coroutine, bytes)
    await fetch(1)  # type: ignore[arg-type]


def classes_and_methods_keep_theirs() -> None:
    assert_type(Writer("p"), Writer)
    assert_type(Writer("p")("sea"), int)
    assert_type(Order(3).total(1.19), float)
    Order("3")  # type: ignore[arg-type]


def refs_know_what_they_name() -> None:
    ref = enact.commit(Order(3))
    assert_type(ref, enact.Ref[Order])
    assert_type(ref.checkout(), Order)
    assert_type(ref(), Order)


class Chunks:
    def __enter__(self) -> Chunks:
        return self

    def __exit__(self, *error: object) -> None: ...

    def __iter__(self) -> Iterator[str]:
        return iter(())


class Client:
    def stream(self, prompt: str) -> Chunks:
        return Chunks()

    async def stream_async(self, prompt: str) -> AsyncIterator[str]:
        raise NotImplementedError


stream = enact.register(Client().stream, name="client/stream", stream=True)
lines = enact.register(Client().stream, name="client/lines", stream="lines()")
stream_async = enact.register(Client().stream_async, name="client/a", stream=True)


async def streams_of_clients_keep_theirs() -> None:
    with stream("sea") as chunks:
        assert_type(chunks, Chunks)
        assert_type(list(chunks), list[str])
    assert_type(lines("sea"), Chunks)
    async for item in await stream_async("sea"):
        assert_type(item, str)
    stream(1)  # type: ignore[arg-type]
