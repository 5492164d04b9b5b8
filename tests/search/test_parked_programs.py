# SPDX-License-Identifier: Apache-2.0
"""What programs are made of, each for itself, while executions stand and unwind."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import enact
from enact.search import Budget
from tests.search import programs_to_search as programs
from tests.search.programs_to_search import adigit, digit
from tests.search.test_parking import found, names_of_threads

# What was opened and not yet closed.
OPEN: list[str] = []
# What was closed, each time.
CLOSED: list[str] = []


@contextlib.contextmanager
def opened(name: str) -> Iterator[str]:
    OPEN.append(name)
    try:
        yield name
    finally:
        OPEN.remove(name)
        CLOSED.append(name)


@contextlib.asynccontextmanager
async def aopened(name: str) -> AsyncIterator[str]:
    with opened(name):
        await asyncio.sleep(0)
        try:
            yield name
        finally:
            await asyncio.sleep(0)


@enact.register(name="parked/tries")
def tries(length: int) -> int:
    total = 0
    for place in range(length):
        try:
            try:
                OPEN.append("inner")
                got = digit(place, total)
                if got < 3:
                    raise ValueError(got)
                if got > 7:
                    continue
                total += got
            finally:
                OPEN.remove("inner")
                CLOSED.append("inner")
        except ValueError:
            total += digit(place + 20, total)
        else:
            total += 1
    return total


@enact.register(name="parked/withs")
def withs(length: int) -> int:
    total = 0
    with opened("all"), contextlib.ExitStack() as stack:
        for place in range(length):
            stack.enter_context(opened(f"one {place}"))
            with contextlib.suppress(ZeroDivisionError):
                total += 12 // digit(place, total)
    return total


@enact.register(name="parked/matches")
def matches(length: int) -> int:
    total = 0
    for place in range(length):
        with opened("match"):
            match (digit(place, total), digit(place + 20, total)):
                case (0 | 1, _):
                    total += 1
                case (one, other) if one == other:
                    return total
                case (int(one), other) if digit(place + 40, one) > 4:
                    total += one
                case [*_]:
                    total += 2
    return total


def digits(length: int) -> Iterator[int]:
    with opened("generator"):
        for place in range(length):
            yield digit(place, place)


@enact.register(name="parked/generates")
def generates(length: int) -> int:
    with contextlib.closing(digits(length)) as them:
        return sum(got * place for place, got in enumerate(them, 1))


@enact.register(name="parked/groups_of_errors")
def groups_of_errors(length: int) -> int:
    total = 0
    for place in range(length):
        try:
            got = digit(place, total)
            if got % 2:
                raise ExceptionGroup("odd", [ValueError(got)])
            total += got
        except* ValueError:
            total += digit(place + 20, total)
    return total


async def adigits(length: int) -> AsyncIterator[int]:
    async with aopened("generator"):
        for place in range(length):
            yield await adigit(place, place)


@enact.register(name="parked/async_withs")
async def async_withs(length: int) -> int:
    total = 0
    async with aopened("all"), contextlib.aclosing(adigits(length)) as them:
        async for got in them:
            try:
                total += 12 // got
            except ZeroDivisionError:
                async with aopened("again"):
                    total += await adigit(20, total)
            finally:
                await asyncio.sleep(0)
                CLOSED.append("finally")
    return total


@enact.register(name="parked/tasks")
async def tasks(length: int) -> int:
    async with aopened("all"):
        first = await adigit(50, 0)
        async with asyncio.TaskGroup() as group:
            made = [group.create_task(alone(place)) for place in range(length)]
        return first + sum(task.result() for task in made)


async def alone(place: int) -> int:
    async with aopened(f"task {place}"):
        return await adigit(place, place)


@enact.register(name="parked/asides")
async def asides(length: int) -> int:
    total = await adigit(50, 0)
    for place in range(length):
        async with aopened("aside"):
            total += await asyncio.to_thread(digit, place, total)
    return total


@enact.register(name="parked/threads")
def threads(length: int) -> int:
    total = digit(50, 0)
    sums: list[int] = []

    def run(place: int) -> None:
        with opened(f"thread {place}"):
            sums.append(digit(place, place))

    for place in range(length):  # one after another
        thread = threading.Thread(target=run, args=(place,))
        thread.start()
        thread.join()
    return total + sum(sums)


ALL: list[Any] = [
    tries, withs, matches, generates, groups_of_errors, async_withs, tasks, asides,
    threads, programs.careful, programs.threaded,
]  # fmt: skip


@pytest.mark.parametrize(
    "strategy", ["bfs(width=2)", "mcts(iterations=12)", "dfs(width=2)", "best_of(n=4)"]
)
@pytest.mark.parametrize("program", ALL, ids=lambda p: p.__name__)
def test_what_stands_is_found_as_by_replays(program: Any, strategy: str) -> None:
    def search(parked: int) -> list[Any]:
        OPEN.clear()
        result = enact.search.run(
            program, (3,), score=float, strategy=strategy, budget=Budget(calls=50),
            parked=parked,
        )  # fmt: skip
        # All that stood has unwound, and closed what it had opened.
        assert OPEN == []
        assert "enact-search" not in names_of_threads()
        return found(result)

    replayed = search(0)
    assert search(16) == replayed
    assert search(2) == replayed


@pytest.mark.parametrize(
    "program", [tries, withs, matches, generates, async_withs], ids=lambda p: p.__name__
)
def test_what_does_one_thing_at_a_time_stands(program: Any) -> None:
    def closed(parked: int) -> int:
        CLOSED.clear()
        enact.search.run(
            program, (3,), score=float, strategy="dfs(width=1)", parked=parked
        )
        return len(CLOSED)

    # A chain of first samples that stands unwinds once; replays do at each draw.
    assert closed(16) < closed(0)
