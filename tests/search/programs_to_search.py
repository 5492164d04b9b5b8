# SPDX-License-Identifier: Apache-2.0
"""Programs that the tests search. Samples are a function of request and draw number."""

from __future__ import annotations

import asyncio
import hashlib
import time
from concurrent.futures import ThreadPoolExecutor

import enact

RAN: list[object] = []
CLOSED: list[str] = []


def sample(*what: object) -> int:
    """A digit that depends on the request and the number of the draw only."""
    draw = enact.current_call().draw
    text = repr((what, draw))
    return hashlib.sha256(text.encode()).digest()[0] % 10


@enact.register(name="search/digit")
def digit(place: int, before: int) -> int:
    RAN.append((place, before))
    return sample(place, before)


@enact.register(name="search/number")
def number(length: int) -> int:
    total = 0
    for place in range(length):
        total += digit(place, total)
        enact.score(total / (place + 1))
    return total


@enact.register(name="search/part")
def part(places: list[int], total: int) -> int:
    for place in places:
        total += digit(place, total)
    return total


@enact.register(name="search/checked", deterministic=True)
def checked(total: int) -> int:
    return total


@enact.register(name="search/nested")
def nested(length: int) -> int:
    total = 0
    for place in range(0, length, 2):
        total = checked(part([place, place + 1], total))
        enact.score(total)
    return total


class Resource:
    def __enter__(self) -> Resource:
        return self

    def __exit__(self, *_: object) -> None:
        CLOSED.append("with")


@enact.register(name="search/careful")
def careful(length: int) -> int:
    total = 0
    with Resource():
        try:
            for place in range(length):
                try:
                    got = digit(place, total)
                    match got:
                        case 0 | 1:
                            raise ValueError("low")
                        case _:
                            total += got
                except Exception:
                    total += 1
        finally:
            CLOSED.append("finally")
    return total


@enact.register(name="search/adigit")
async def adigit(place: int, before: int) -> int:
    await asyncio.sleep(0)
    RAN.append((place, before))
    return sample("async", place, before)


@enact.register(name="search/concurrent")
async def concurrent(length: int) -> int:
    async def lane(start: int) -> int:
        total = 0
        for place in range(length):
            total += await adigit(start + place, total)
        return total

    sums = await asyncio.gather(lane(0), lane(100))
    return sum(sums)


@enact.register(name="search/threaded")
def threaded(length: int) -> int:
    with ThreadPoolExecutor(2) as pool:
        sums = list(
            pool.map(part, [range_list(0, length), range_list(50, length)], [0, 0])
        )
    return sum(sums)


def range_list(start: int, length: int) -> list[int]:
    return list(range(start, start + length))


@enact.register(name="search/slow_digit")
def slow_digit(place: int, before: int) -> int:
    # Later draws are done first: outcomes come in another order than asked for.
    draw = enact.current_call().draw or 0
    time.sleep(0.002 * (3 - draw % 4) / 3)
    return sample("slow", place, before)


@enact.register(name="search/slow_number")
def slow_number(length: int) -> int:
    total = 0
    for place in range(length):
        total += slow_digit(place, total)
        enact.score(total)
    return total


@enact.register(name="search/fickle")
def fickle(length: int) -> int:
    total = 0
    for place in range(length):
        got = digit(place, total)
        if got < 3:
            raise ValueError(f"{got} is low")
        if got == 9:
            enact.discard("too good")
        total += got
    return total
