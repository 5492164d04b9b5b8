# SPDX-License-Identifier: Apache-2.0
"""Random agents that share data, locks, queues and futures replay in the same order."""

from __future__ import annotations

import asyncio
import random
import threading

import pytest

import enact

STEPS = [
    "call", "call", "call", "call", "hop", "hop", "note", "note", "note", "gather",
    "in_tasks", "in_group", "beside", "in_lock", "call_in_lock", "semaphore", "queue",
    "event", "nested", "first", "as_completed", "shield", "timeout", "ask_actor",
    "batch", "future", "below",
]  # fmt: skip
WITH_STEPS = ("below", "beside", "in_tasks", "in_group")


@enact.register(name="agents/model")
async def model(name):
    await asyncio.sleep(random.random() * 0.01)
    return name


@enact.register(name="agents/nested")
async def nested(name):
    return await model(f"{await model(name)}'")


def plan_of(rng, depth=0):
    """What an agent does: kinds of steps, each with a number and steps of its own."""
    steps = []
    for _ in range(rng.randint(1, 5)):
        kind = rng.choice(STEPS)
        has_steps = kind in WITH_STEPS and depth < 2
        below = plan_of(rng, depth + 1) if has_steps else []
        steps.append((kind, rng.randint(1, 3), below))
    return steps


class World:
    """What agents share."""

    def __init__(self):
        self.noted = []
        self.lock, self.event = asyncio.Lock(), asyncio.Event()
        self.semaphore = asyncio.Semaphore(2)
        self.queue, self.inbox = asyncio.Queue(), asyncio.Queue()
        self.batch = []

    async def act(self):
        while True:
            name, answer = await self.inbox.get()
            if answer is None:
                return
            answer.set_result(await model(f"actor {name}"))

    async def ask_actor(self, name):
        answer = asyncio.get_running_loop().create_future()
        self.inbox.put_nowait((name, answer))
        return await answer

    async def in_batch(self, name):
        """Calls of agents that come at about the same time are made as one."""
        answer = asyncio.get_running_loop().create_future()
        self.batch.append((name, answer))
        if len(self.batch) == 1:
            for _ in range(3):
                await asyncio.sleep(0)
            batch, self.batch = self.batch, []
            said = await model(" ".join(name for name, _ in batch))
            for _, one in batch:
                one.set_result(said)
        return await answer

    async def run(self, me, steps, rounds=2):
        last = me
        for r in range(rounds):
            for n, (kind, count, below) in enumerate(steps):
                name = f"{me}/{r}.{n}"
                last = await self.step(name, kind, count, below, last) or last

    async def step(self, name, kind, count, below, last):
        note = self.noted.append
        names = [f"{name}:{n}" for n in range(count)]
        match kind:
            case "call":
                return await model(name)
            case "nested":
                return await nested(name)
            case "hop":
                for _ in range(count):
                    await asyncio.sleep(0)
            case "note":
                note((name, last))
            case "gather":
                return await asyncio.gather(*map(model, names))
            case "in_tasks":
                await asyncio.gather(*(self.run(one, below, 1) for one in names))
            case "in_group":
                async with asyncio.TaskGroup() as group:
                    for one in names:
                        group.create_task(self.run(one, below, 1))
            case "beside":
                task = asyncio.create_task(self.run(name, below, 1))
                last = await model(name)
                await task
                return last
            case "below":
                await self.run(name, below, 1)
            case "in_lock":
                async with self.lock:
                    await asyncio.sleep(0)
                    note(name)
            case "call_in_lock":
                async with self.lock:
                    note(await model(name))
            case "semaphore":
                async with self.semaphore:
                    return await model(name)
            case "queue":
                self.queue.put_nowait(name)
                await asyncio.sleep(0)
                note(await self.queue.get())
            case "event":
                self.event.set()
                await self.event.wait()
                self.event.clear()
            case "first":
                tasks = [asyncio.create_task(model(one)) for one in names]
                first = asyncio.FIRST_COMPLETED
                done, _ = await asyncio.wait(tasks, return_when=first)
                note((name, len(done)))
                await asyncio.gather(*tasks)
            case "as_completed":
                for one in asyncio.as_completed(list(map(model, names))):
                    note(await one)
            case "shield":
                return await asyncio.shield(model(name))
            case "timeout":
                async with asyncio.timeout(60):
                    return await model(name)
            case "ask_actor":
                return await self.ask_actor(name)
            case "batch":
                return await self.in_batch(name)
            case "future":
                answer = asyncio.get_running_loop().create_future()

                async def give():
                    answer.set_result(await model(name))
                    await asyncio.sleep(0)
                    note(f"{name} given")

                task = asyncio.ensure_future(give())
                note(await answer)
                await task


async def program(seed, count):
    rng = random.Random(seed)
    world = World()
    actors = [asyncio.create_task(world.act()) for _ in range(2)]
    plans = [plan_of(rng) for _ in range(count)]
    await asyncio.gather(*(world.run(str(n), plan) for n, plan in enumerate(plans)))
    for _ in actors:
        world.inbox.put_nowait((None, None))
    await asyncio.gather(*actors)
    return world.noted


@enact.register(name="agents/in_loop")
async def in_loop(seed, count):
    return await program(seed, count)


@enact.register(name="agents/in_two_loops")
def in_two_loops(seed, count):
    return [asyncio.run(program(seed + n, count)) for n in range(2)]


@enact.register(name="agents/in_thread")
def in_thread(seed, count):
    noted = []
    thread = threading.Thread(
        target=lambda: noted.append(asyncio.run(program(seed, count)))
    )
    thread.start()
    thread.join()
    return noted


def check(function, seed, count):
    with enact.InMemoryStore():
        if function is in_loop:
            inv = asyncio.run(enact.invoke_async(function, (seed, count)))
        else:
            inv = enact.invoke(function, (seed, count))
        if not inv.children:
            return
        if function is in_loop:
            again = asyncio.run(inv.rewind(0).replay_async(live="forbid"))
        else:
            again = inv.rewind(0).replay(live="forbid")
        assert inv.successful and again.output == inv.output
        assert again == inv


@pytest.mark.parametrize("count", [3, 10, 40])
@pytest.mark.parametrize("function", [in_loop, in_two_loops, in_thread])
def test_random_agents(function, count):
    for seed in range(40 // count + 1):
        check(function, seed, count)


@pytest.mark.soak
@pytest.mark.parametrize("count", [2, 3, 5, 10, 30, 100])
@pytest.mark.parametrize("function", [in_loop, in_two_loops, in_thread])
def test_very_many_random_agents(function, count):
    for seed in range(1000 // count):
        check(function, 1000 + seed, count)
