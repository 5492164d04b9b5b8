# SPDX-License-Identifier: Apache-2.0
"""Programs of the matrix: what runs beside the code that began it, unawaited."""

from __future__ import annotations

import asyncio

from tests.calls.matrix_programs import branch, leaf, leaf_sync, nap, program, two


@program
async def call_soon():
    order = []
    loop = asyncio.get_running_loop()
    results = []
    for name in "ab":
        loop.call_soon(lambda name=name: results.append(leaf_sync(name)))
    main = await two(order, "main")
    await asyncio.sleep(0)
    return [main, sorted(results)], order


@program
async def call_later():
    """Timers fire while the first call runs, or after it."""
    order = []
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    results = []

    def tick(name, left):
        results.append(leaf_sync(f"{name}{left}"))
        order.append(f"{name}{left}")
        if left:
            loop.call_later(0.0004, tick, name, left - 1)
        elif len(results) == 5:
            over.set()

    loop.call_later(0.0005, tick, "a", 2)
    loop.call_at(loop.time() + 0.0006, tick, "b", 1)
    main = await two(order, "main")
    await over.wait()
    return [main, sorted(results)], order


@program
async def done_callbacks():
    order = []
    results = []

    def done(task):
        results.append(leaf_sync("done", task.result()[0]))
        order.append("done")

    tasks = [asyncio.create_task(two(order, name)) for name in "ab"]
    tasks[1].add_done_callback(done)
    got = [await task for task in tasks]
    await nap("end")
    await asyncio.sleep(0)
    return [got, results], order


@program
async def callback_starts_a_task():
    order = []
    later = asyncio.get_running_loop().create_future()

    def start(task):
        new = asyncio.create_task(two(order, "b"))
        new.add_done_callback(lambda task: later.set_result(task.result()))

    first = asyncio.create_task(two(order, "a"))
    first.add_done_callback(start)
    return [await two(order, "main"), await first, await later], order


@program
async def tasks_made_by_hand():
    """They are known, and so named, from their first calls on."""
    order = []

    async def work(name):
        return [await leaf(f"first {name}"), await two(order, name)]

    tasks = [asyncio.Task(work(name)) for name in "ab"]
    main = await two(order, "main")
    return [main, *[await task for task in tasks]], order


@program
async def fire_and_forget():
    order = []
    results = []

    async def work(name):
        results.append(await two(order, name))

    running = set()
    for name in "ab":
        task = asyncio.create_task(work(name))
        running.add(task)
        task.add_done_callback(running.discard)
    main = await branch("main")
    while running:
        await asyncio.sleep(0.5)
    return [main, sorted(results), await leaf("after")], order
