# SPDX-License-Identifier: Apache-2.0
"""Programs of the matrix: streams, and what else is not one call that ends."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import enact
from tests.calls.matrix_programs import (
    leaf,
    leaf_sync,
    nap,
    program,
    two,
    with_threads,
)


@enact.register(name="matrix/stream")
def stream(name: str, count: int = 3) -> Iterator[str]:
    for k in range(count):
        yield leaf_sync(f"{name}{k}")


@enact.register(name="matrix/astream")
async def astream(name: str, count: int = 3) -> AsyncIterator[str]:
    for k in range(count):
        yield await leaf(f"{name}{k}")
        await nap(f"{name}{k}")


@enact.register(name="matrix/echo")
def echo(name: str) -> Iterator[Any]:
    got: Any = name
    number = 0
    while True:
        try:
            got = yield leaf_sync(f"{name}{number}", got)
        except ValueError as error:
            got = leaf_sync(f"caught {name}", str(error))
        number += 1


@enact.register(name="matrix/breaking")
def breaking(name: str) -> Iterator[str]:
    yield leaf_sync(f"{name}0")
    raise LookupError(leaf_sync(f"{name}1"))


async def read(order: list[str], name: str, count: int = 3) -> list[str]:
    got = []
    async for item in astream(name, count):
        got.append(item)
        order.append(item)
    return got


# --- one after the other --------------------------------------------------------------


@program
def stream_with_calls():
    got = [[item, leaf_sync(f"after {item}")] for item in stream("a")]
    return got, []


@program
def streams_at_once():
    both = zip(stream("a"), stream("b"), strict=True)
    return [[one, other, leaf_sync(f"{one}{other}")] for one, other in both], []


@program
def stream_closed_early():
    with contextlib.closing(stream("a", 5)) as items:
        first = [next(items), leaf_sync("between"), next(items)]
    return [first, leaf_sync("after")], []


@program
def stream_dropped():
    for item in stream("a", 5):
        if item.startswith("a1"):
            break
    return [item, leaf_sync("after")], []


@program
def stream_sent_to():
    with contextlib.closing(echo("a")) as items:
        got = [next(items), items.send("one"), leaf_sync("between")]
        got += [items.throw(ValueError("no")), items.send([1])]
    return got, []


@program
def stream_fails():
    got = []
    try:
        for item in breaking("a"):
            got.append([item, leaf_sync("between")])
    except LookupError as error:
        got.append(str(error))
    return [got, leaf_sync("after")], []


@contextlib.contextmanager
@enact.register(name="matrix/opened")
def opened(name: str) -> Iterator[str]:
    try:
        yield leaf_sync(f"opens {name}")
    except KeyError:
        leaf_sync(f"mends {name}")
    finally:
        leaf_sync(f"closes {name}")


@program
def context_manager():
    got = []
    with opened("a") as a, opened("b") as b:
        got.append([a, b, leaf_sync("within")])
    with opened("c"):
        raise KeyError(leaf_sync("wrong"))
    return [got, leaf_sync("after")], []


@program
def time_and_chance():
    names = ["a", "b", "c"]
    enact.random().shuffle(names)
    enact.sleep(0.0001)
    results = {name: leaf_sync(name) for name in names}
    stamps = [enact.now(), enact.uuid4()]
    return [sorted(results.items()), [type(one).__name__ for one in stamps]], []


# --- under tasks and threads ----------------------------------------------------------


@program
async def astream_with_calls():
    return [[item, await leaf(f"after {item}")] async for item in astream("a")], []


@program
async def astreams_gather():
    order = []
    results = await asyncio.gather(*(read(order, name) for name in "abc"))
    return [*results, await leaf("after")], order


@program
async def astreams_task_group():
    """Two tasks of their own, and the items of a third between two calls."""
    order = []
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(read(order, name, 2)) for name in "ab"]
        tasks.append(group.create_task(two(order, "c")))
        mine = [[item, await leaf(f"m {item}")] async for item in astream("main", 2)]
    return [mine, *(task.result() for task in tasks)], order


@program
async def astream_closed_early():
    order = []

    async def some(name):
        async with contextlib.aclosing(astream(name, 5)) as items:
            async for item in items:
                order.append(item)
                if item.startswith(f"{name}1"):
                    return [item, await leaf(f"within {name}")]

    return await asyncio.gather(some("a"), some("b")), order


@program
async def astream_times_out():
    got = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.05):
            async for item in astream("a", 2):
                got.append(item)
            async for item in astream("slow"):
                got.append(item)
    return [got, await leaf("after")], []


@contextlib.asynccontextmanager
@enact.register(name="matrix/aopened")
async def aopened(name: str) -> AsyncIterator[str]:
    opens = await leaf(f"opens {name}")
    try:
        yield opens
    finally:
        await leaf(f"closes {name}")


@program
async def async_context_managers():
    order = []

    async def work(name):
        async with aopened(name) as opens:
            got = await leaf(f"within {name}", opens)
            order.append(name)
        return got

    return await asyncio.gather(*map(work, "abc")), order


@program
async def streams_of_tasks():
    """A plain stream is read in a task, while others make calls."""
    order = []

    async def items(name):
        got = []
        for item in stream(name, 2):
            got.append([item, await leaf(f"after {name} {len(got)}")])
        return got

    return await asyncio.gather(items("a"), two(order, "b"), items("c")), order


@with_threads
def streams_in_threads():
    results = {}

    def work(name):
        results[name] = [*stream(name, 2), leaf_sync(f"after {name}")]

    started = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    return sorted(results.items()), []


@with_threads
def stream_through_a_thread():
    """Begun here, read to its end there."""
    items, got = stream("a", 4), []
    got.append(next(items))
    thread = threading.Thread(target=lambda: got.extend(items))
    thread.start()
    thread.join()
    return [got, leaf_sync("after")], []
