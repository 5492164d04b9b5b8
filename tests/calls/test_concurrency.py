# SPDX-License-Identifier: Apache-2.0
"""Concurrent programs replay exactly, whatever the schedule was."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import enact

SCHEDULES = 100


class Live:
    """Counts what runs; gives each live call another sample and another duration."""

    def __init__(self) -> None:
        self.calls = 0
        self.rng = random.Random(0)

    def pause(self) -> float:
        return self.rng.choice([0, 0, 0.0002, 0.0005, 0.001])


LIVE = Live()


@enact.register
async def sample(prompt):
    LIVE.calls += 1
    await asyncio.sleep(LIVE.pause())
    return f"{prompt}-{LIVE.rng.random():.6f}"


@enact.register
def sample_sync(prompt):
    LIVE.calls += 1
    time.sleep(LIVE.pause())
    return f"{prompt}-{LIVE.rng.random():.6f}"


@enact.register
def instant(prompt):
    LIVE.calls += 1
    return f"{prompt}-{LIVE.rng.random():.6f}"


@enact.register
@dataclasses.dataclass
class Memory(enact.AsyncInvokable[str, int]):
    seen: list[str] = dataclasses.field(default_factory=list)

    async def call(self, word: str) -> int:
        await asyncio.sleep(LIVE.pause())
        self.seen.append(word)
        return len(self.seen)


async def two_calls(n, shared, equal):
    await asyncio.sleep(LIVE.pause())  # an untracked wait
    first = await sample("first" if equal else f"first {n}")
    shared.append((n, 1, first))
    second = await sample("second" if equal else f"second {n}")
    shared.append((n, 2, second))
    return first, second


@enact.register
async def gathering(equal):
    shared = []
    results = await asyncio.gather(*(two_calls(n, shared, equal) for n in range(6)))
    return [results, shared]


@enact.register
async def task_group(equal):
    shared = []
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(two_calls(n, shared, equal)) for n in range(4)]
    return [[task.result() for task in tasks], shared]


@enact.register
async def created_tasks(equal):
    shared = []
    tasks = [asyncio.create_task(two_calls(n, shared, equal)) for n in range(3)]
    shared.append(await sample("main"))
    for task in reversed(tasks):
        await task
    return shared


@enact.register
async def as_completed(equal):
    shared = []
    order = []
    for done in asyncio.as_completed([two_calls(n, shared, equal) for n in range(4)]):
        order.append(await done)
        order.append(await sample("after one"))
    return [order, shared]


@enact.register
async def nested_gathers(equal):
    async def branch(n):
        shared = []
        await asyncio.gather(*(two_calls(m, shared, equal) for m in range(2)))
        return shared

    return await asyncio.gather(*(branch(n) for n in range(3)))


@enact.register
async def depends_on_shared(equal):
    """What a task asks depends on what others did before it."""
    shared = []

    async def work(n):
        await asyncio.sleep(LIVE.pause())
        for _ in range(2):
            answer = await sample(f"{'' if equal else n} after {len(shared)}")
            shared.append(answer)
            shared.append(instant(f"{len(shared)}"))

    await asyncio.gather(*(work(n) for n in range(4)))
    return shared


@enact.register
async def stateful(equal):
    memory = Memory()
    shared = []

    async def work(n):
        await asyncio.sleep(LIVE.pause())
        for step in range(2):
            word = "same" if equal else f"{n}/{step}"
            shared.append((n, await memory(word), list(memory.seen)))

    await asyncio.gather(*(work(n) for n in range(4)))
    return [shared, memory.seen]


@enact.register
async def queue_workers(equal):
    queue = asyncio.Queue()
    results = []

    async def worker(w):
        while True:
            n = await queue.get()
            results.append((w, n, await sample("job" if equal else f"job {n}")))
            queue.task_done()

    workers = [asyncio.create_task(worker(w)) for w in range(3)]
    for n in range(8):
        queue.put_nowait(n)
    await queue.join()
    for one in workers:
        one.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    return results


@enact.register
async def first_completed(equal):
    tasks = {
        asyncio.create_task(sample("same" if equal else f"{n}"), name=str(n))
        for n in range(3)
    }
    order = []
    while tasks:
        done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        order.append(sorted((task.get_name(), task.result()) for task in done))
    return order


@enact.register
async def to_threads(equal):
    shared = []

    def work(n):
        time.sleep(LIVE.pause())
        shared.append(sample_sync("first" if equal else f"first {n}"))
        shared.append(sample_sync("second" if equal else f"second {n}"))

    await asyncio.gather(*(asyncio.to_thread(work, n) for n in range(4)))
    return shared


ASYNC = [
    gathering, task_group, created_tasks, as_completed, nested_gathers,
    depends_on_shared, stateful, queue_workers, to_threads,
]  # fmt: skip


def threads_work(shared, n, equal):
    time.sleep(LIVE.pause())
    shared.append((n, sample_sync("first" if equal else f"first {n}")))
    shared.append((n, sample_sync("second" if equal else f"second {n}")))


@enact.register
def plain_threads(equal):
    shared = []
    threads = [
        threading.Thread(target=threads_work, args=(shared, n, equal)) for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return shared


@enact.register
def executor_map(equal):
    shared = []
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda n: threads_work(shared, n, equal), range(5)))
    return shared


@enact.register
def executor_submit(equal):
    shared = []
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(threads_work, shared, n, equal) for n in range(4)]
        shared.append(instant("main"))
    return [shared, [future.result() for future in futures]]


THREADED = [plain_threads, executor_map, executor_submit]


@pytest.mark.parametrize("equal", [False, True], ids=["distinct", "equal"])
@pytest.mark.parametrize("program", ASYNC, ids=lambda p: p.__name__)
def test_async_programs_replay_exactly(program, equal):
    for seed in range(SCHEDULES):
        LIVE.rng = random.Random(seed)
        with enact.InMemoryStore():
            inv = asyncio.run(enact.invoke_async(program, (equal,)))
            LIVE.rng = random.Random(seed + 10_000)
            live = LIVE.calls
            again = asyncio.run(inv.rewind(0).replay_async())
            assert LIVE.calls == live, "a recorded call ran again"
            assert again.output == inv.output
            assert again == inv


@pytest.mark.parametrize("equal", [False, True], ids=["distinct", "equal"])
@pytest.mark.parametrize("program", THREADED, ids=lambda p: p.__name__)
def test_threaded_programs_replay_exactly(program, equal):
    for seed in range(SCHEDULES):
        LIVE.rng = random.Random(seed)
        with enact.InMemoryStore():
            inv = enact.invoke(program, (equal,))
            LIVE.rng = random.Random(seed + 10_000)
            live = LIVE.calls
            again = inv.rewind(0).replay()
            assert LIVE.calls == live, "a recorded call ran again"
            assert again.output == inv.output
            assert again == inv


@pytest.mark.parametrize("equal", [False, True], ids=["distinct", "equal"])
def test_waiting_for_the_first_replays_without_live_calls(equal):
    # How many tasks are done when `wait` returns is not always the same.
    for seed in range(SCHEDULES):
        LIVE.rng = random.Random(seed)
        with enact.InMemoryStore():
            inv = asyncio.run(enact.invoke_async(first_completed, (equal,)))
            live = LIVE.calls
            again = asyncio.run(inv.rewind(0).replay_async())
            assert LIVE.calls == live
            flat = [one for done in again.output for one in done]
            assert sorted(flat) == sorted(one for done in inv.output for one in done)
