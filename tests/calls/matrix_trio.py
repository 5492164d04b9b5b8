# SPDX-License-Identifier: Apache-2.0
"""Programs of trio and anyio, as those of `matrix_programs`: one for each construct."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

import anyio
import anyio.abc
import anyio.from_thread
import anyio.to_thread
import trio

import enact
from tests.calls.matrix_programs import LIVE, Program, leaf_sync

PROGRAMS: dict[str, Program] = {}


def program(
    fun: Callable[[], Any], *, loop: str = "trio", threads: bool = False
) -> Any:
    """Register a program, and put it into the matrix.

    Args:
        loop: the library that runs it.
        threads: it needs real time.
    """
    name = f"{loop} {fun.__name__}"
    registered = enact.register(fun, name=f"matrix/{name}")
    PROGRAMS[name] = Program(registered, threads, loop)
    return fun


def on_anyio(fun: Callable[[], Any], *, threads: bool = False) -> Any:
    """Register a program of anyio, on both of its backends."""
    for loop in ("anyio-asyncio", "anyio-trio"):
        program(_copy(fun), loop=loop, threads=threads)
    return fun


def _copy(fun: Callable[[], Any]) -> Callable[[], Any]:
    @functools.wraps(fun)
    async def copy():
        return await fun()

    return copy


@enact.register(name="matrix/leaf_trio")
async def leaf(name, given=""):
    LIVE.ran.append(name)
    if name == LIVE.ask:
        return enact.request_input(str, for_value=name)
    pause = LIVE.pause(name)
    if pause is not None:
        await anyio.sleep(pause)
    return LIVE.answer(name, given)


async def nap(name):
    await anyio.sleep(LIVE.pause(f"nap {name}") or 0)


async def two(order, results, name):
    await nap(name)
    first = await leaf(f"{name}1")
    order.append(f"{name}1")
    second = await leaf(f"{name}2", first)
    order.append(f"{name}2")
    results[name] = [first, second]


def two_in_thread(name):
    time.sleep(LIVE.pause(f"nap {name}") or 0)
    first = leaf_sync(f"{name}1")
    return [first, leaf_sync(f"{name}2", first)]


# --- trio -----------------------------------------------------------------------------


@program
async def nursery():
    order, results, began = [], {}, []

    async def work(name):
        began.append(name)
        await two(order, results, name)

    async with trio.open_nursery() as group:
        for name in "abcde":
            group.start_soon(work, name)
    return results, order, began


@program
async def nested_nurseries():
    order, results = [], {}

    async def pair(one, other):
        async with trio.open_nursery() as group:
            group.start_soon(two, order, results, one)
            group.start_soon(two, order, results, other)
        results[one + other] = await leaf(one + other)

    async with trio.open_nursery() as group:
        group.start_soon(pair, "a", "b")
        group.start_soon(pair, "c", "d")
        results["main"] = await leaf("main")
    return sorted(results.items()), order


@program
async def started():
    """`Nursery.start`: the task says when it is ready, and is then moved."""
    order, results = [], {}

    async def serve(name, *, task_status):
        task_status.started(await leaf(f"ready {name}"))
        await two(order, results, name)

    async with trio.open_nursery() as group:
        results["ready"] = [
            await group.start(serve, "a"),
            await group.start(serve, "b"),
        ]
    return sorted(results.items()), order


@program
async def nursery_fails():
    """One fails: the others are cancelled."""

    async def failing():
        await leaf("quick")
        raise ValueError("no")

    said = []
    try:
        async with trio.open_nursery() as group:
            group.start_soon(leaf, "slow a")
            group.start_soon(leaf, "slow b")
            group.start_soon(failing)
    except* ValueError as errors:
        said += [repr(error) for error in errors.exceptions]
    return [said, await leaf("after")], []


@program
async def race():
    """The first one wins, the others are cancelled."""
    won = []

    async def run(name, group):
        won.append(await leaf(name))
        group.cancel_scope.cancel()

    async with trio.open_nursery() as group:
        for name in ("slow a", "slow b", "c"):
            group.start_soon(run, name, group)
    return [won, await leaf("z")], []


@program
async def timeouts():
    order, results = [], {}

    async def work(first, second, limit):
        got = []
        with trio.move_on_after(limit) as scope:
            got.append(await leaf(first))
            order.append(first)
            got.append(await leaf(second))
            order.append(second)
        results[first] = [got, scope.cancelled_caught, await leaf(f"after {first}")]

    async with trio.open_nursery() as group:
        group.start_soon(work, "a1", "a2", 30.0)
        group.start_soon(work, "b1", "slow b2", 0.05)
        group.start_soon(work, "c1", "c2", 30.0)
    return sorted(results.items()), order


@program
async def fail_after():
    said = []
    try:
        with trio.fail_after(0.02):
            await leaf("slow")
    except trio.TooSlowError:
        said.append("too slow")
    return [said, await leaf("after")], []


@program
async def cleaning_up():
    """What is cancelled does something more, where nobody cancels that."""
    order, results = [], {}

    async def work():
        try:
            await leaf("a")
            order.append("a")
            ready.set()
            await leaf("slow")
        finally:
            with trio.CancelScope(shield=True):
                results["cleaned"] = await leaf("cleaned up")

    ready = trio.Event()
    async with trio.open_nursery() as group:
        group.start_soon(work)
        await ready.wait()
        await leaf("before")
        group.cancel_scope.cancel()
    return sorted(results.items()), order


@program
async def channel_one_worker():
    order, results = [], []
    send, receive = trio.open_memory_channel(0)

    async def worker():
        async for job in receive:
            results.append(await leaf(f"did {job}"))
            order.append(f"did {job}")

    async with trio.open_nursery() as group, send:
        group.start_soon(worker)
        for job in "abc":
            await send.send(await leaf(f"made {job}"))
    return results, order


@program
async def channel_workers():
    """Which worker does a job is chance, and in no result."""
    order, results = [], []
    send, receive = trio.open_memory_channel(5)

    async def worker(number):
        async for job in receive:
            results.append(await leaf(job))
            order.append(job)

    async with trio.open_nursery() as group:
        for number in range(2):
            group.start_soon(worker, number)
        async with send:
            for job in "abcde":
                await send.send(job)
    return sorted(results), order


@program
async def limiter():
    order, results = [], {}
    room = trio.CapacityLimiter(2)

    async def work(name):
        async with room:
            await two(order, results, name)

    async with trio.open_nursery() as group:
        for name in "abc":
            group.start_soon(work, name)
    return sorted(results.items()), order


@program
async def lock():
    order, results = [], {}
    one = trio.Lock()

    async def work(name):
        await nap(name)
        async with one:
            await two(order, results, name)

    async with trio.open_nursery() as group:
        for name in "abc":
            group.start_soon(work, name)
    return sorted(results.items()), order


@program
async def event():
    order, results = [], {}
    go = trio.Event()

    async def work(name):
        await go.wait()
        await two(order, results, name)

    async with trio.open_nursery() as group:
        group.start_soon(work, "a")
        group.start_soon(work, "b")
        results["start"] = await leaf("start")
        go.set()
    return sorted(results.items()), order


async def trio_threads():
    order, results = [], {}

    async def work(name):
        results[name] = await trio.to_thread.run_sync(two_in_thread, name)
        results[f"{name} then"] = await leaf(f"{name} then")

    async with trio.open_nursery() as group:
        for name in "abc":
            group.start_soon(work, name)
    return sorted(results.items()), order


program(trio_threads, threads=True)


async def back_from_threads():
    results = {}

    def in_thread(name):
        first = leaf_sync(f"{name}1")
        return [first, trio.from_thread.run(leaf, f"{name}2", first)]

    async def work(name):
        results[name] = await trio.to_thread.run_sync(in_thread, name)

    async with trio.open_nursery() as group:
        for name in "ab":
            group.start_soon(work, name)
    return sorted(results.items()), []


program(back_from_threads, threads=True)


# --- anyio ----------------------------------------------------------------------------


@on_anyio
async def task_group():
    order, results = [], {}
    async with anyio.create_task_group() as group:
        for name in "abc":
            group.start_soon(two, order, results, name)
    with anyio.move_on_after(0.05):
        await leaf("slow")
    async with anyio.create_task_group() as group:
        group.start_soon(leaf, "slow too")
        results["main"] = await leaf("main")
        group.cancel_scope.cancel()
    return sorted(results.items()), order


@on_anyio
async def streams():
    order, results = [], []
    send, receive = anyio.create_memory_object_stream(5)

    async def worker():
        async with receive.clone() as jobs:
            async for job in jobs:
                results.append(await leaf(f"did {job}"))
                order.append(job)

    with receive, send:
        async with anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(worker)
            async with send:
                for job in "abcd":
                    await send.send(await leaf(f"made {job}"))
    return sorted(results), order


@on_anyio
async def task_status():
    order, results = [], {}

    async def serve(name, *, task_status):
        task_status.started(await leaf(f"ready {name}"))
        await two(order, results, name)

    async with anyio.create_task_group() as group:
        results["ready"] = [
            await group.start(serve, "a"),
            await group.start(serve, "b"),
        ]
    return sorted(results.items()), order


@on_anyio
async def group_fails():
    async def failing():
        await leaf("quick")
        raise ValueError("no")

    said = []
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(leaf, "slow a")
            group.start_soon(leaf, "slow b")
            group.start_soon(failing)
    except* ValueError as errors:
        said += [repr(error) for error in errors.exceptions]
    return [said, await leaf("after")], []


async def anyio_threads():
    results = {}

    async def work(name):
        results[name] = await anyio.to_thread.run_sync(two_in_thread, name)
        results[f"{name} then"] = await leaf(f"{name} then")

    async with anyio.create_task_group() as group:
        for name in "abc":
            group.start_soon(work, name)
    return sorted(results.items()), []


on_anyio(anyio_threads, threads=True)


async def anyio_back_from_threads():
    results = {}

    def in_thread(name):
        first = leaf_sync(f"{name}1")
        return [first, anyio.from_thread.run(leaf, f"{name}2", first)]

    async def work(name):
        results[name] = await anyio.to_thread.run_sync(in_thread, name)

    async with anyio.create_task_group() as group:
        for name in "ab":
            group.start_soon(work, name)
    return sorted(results.items()), []


on_anyio(anyio_back_from_threads, threads=True)
