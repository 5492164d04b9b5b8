# SPDX-License-Identifier: Apache-2.0
"""Event loops that never rest: what tasks do between calls comes in the same order."""

from __future__ import annotations

import asyncio
import random

import pytest

import enact
from enact.calls import awaiting
from enact.calls.drivers import Driver
from enact.calls.marks import moved
from enact.calls.turns import Turns
from tests.calls.test_matrix import cut_after


@enact.register(name="laps/model")
async def model(name):
    RAN.append(name)
    await asyncio.sleep(random.random() * 0.01)
    return name


RAN: list[str] = []


@enact.register(name="laps/agents")
async def agents(count):
    """Agents that need different numbers of rounds for what they do with an answer."""
    said = []
    lock, queue = asyncio.Lock(), asyncio.Queue(2)

    async def at_once(k):
        for n in range(4):
            said.append(await model(f"at_once {k} {n}"))

    async def later(k):
        for n in range(4):
            answer = await model(f"later {k} {n}")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            said.append(answer)

    async def two_at_once(k):
        for n in range(3):
            both = (model(f"two {k} {n} {name}") for name in "ab")
            said.append((await asyncio.gather(*both))[0])

    async def in_tasks(k):
        async def task(n):
            return await asyncio.create_task(model(f"in_tasks {k} {n}"))

        for n in range(4):
            said.append(await asyncio.create_task(task(n)))

    async def in_lock(k):
        for n in range(4):
            answer = await model(f"in_lock {k} {n}")
            async with lock:
                await asyncio.sleep(0)
                said.append(answer)

    async def puts(k):
        for n in range(4):
            await queue.put(await model(f"puts {k} {n}"))

    async def takes(k):
        for _ in range(4):
            said.append(await queue.get())

    kinds = [at_once, later, two_at_once, in_tasks, in_lock, puts, takes]
    await asyncio.gather(*(kinds[k % len(kinds)](k) for k in range(count)))
    return said


@pytest.mark.parametrize("count", [7, 49, 98])
def test_many_agents_come_in_the_recorded_order(count):
    for _ in range(3):
        with enact.InMemoryStore():
            inv = asyncio.run(enact.invoke_async(agents, (count,)))
            assert asyncio.run(inv.rewind(0).replay_async(live="forbid")) == inv


@pytest.mark.soak
@pytest.mark.parametrize("count", [7, 49, 98, 490, 1960])
def test_very_many_agents_come_in_the_recorded_order(count):
    for _ in range(2000 // count):
        with enact.InMemoryStore():
            inv = asyncio.run(enact.invoke_async(agents, (count,)))
            assert asyncio.run(inv.rewind(0).replay_async(live="forbid")) == inv


def test_runs_that_were_cut_go_on():
    """Rewound, their new records replay exactly; after a crash nothing is lost."""
    with enact.InMemoryStore():
        inv = asyncio.run(enact.invoke_async(agents, (49,)))
        count = len(inv.children)
        for back in (1, count // 4, count // 2, count - 1):
            RAN.clear()
            again = asyncio.run(inv.rewind(back).replay_async())
            assert len(RAN) == back and sorted(again.output) == sorted(inv.output)
            assert asyncio.run(again.rewind(0).replay_async(live="forbid")) == again
    for records in (20, 100):
        store = enact.InMemoryStore()
        with store:
            run = cut_after(
                store, records, lambda: asyncio.run(enact.invoke_async(agents, (49,)))
            )
            done = asyncio.run(enact.resume_async(run))
            assert sorted(done.output) == sorted(inv.output)
            again = asyncio.run(done.rewind(0).replay_async(live="forbid"))
            assert sorted(again.output) == sorted(inv.output)


def test_laps_of_calls_that_are_dropped_count_for_the_next_end():
    # Three calls; the first ends two laps after the start, each other one lap later.
    events, laps = [0, 0, 0, 1, 2, -1, 3], [[3, 2], [4, 1], [6, 5]]
    lanes = [(0,), (1,), (2,)]
    assert Turns(events, lanes, laps=laps).laps.laps == {3: 2, 4: 1, 6: 5}
    kept = [False, True, True, False, True, True, True]
    left = moved(laps, kept)
    assert left == [[2, 2], [2, 1], [4, 5]]
    assert Turns([0, 0, 1, -1, 2], lanes[1:], laps=left).laps.laps == {2: 3, 4: 5}


@enact.register(name="laps/polls")
async def polls():
    """How many rounds go by is what it returns."""
    rounds = []

    async def count():
        while len(rounds) < 2:
            seen[0] += 1
            await asyncio.sleep(0)

    async def asks():
        for n in range(2):
            await model(f"poll {n}")
            rounds.append(seen[0])

    seen = [0]
    await asyncio.gather(asks(), count())
    return rounds


def test_a_task_that_never_rests_is_there_as_often_between_calls():
    with enact.InMemoryStore():
        inv = asyncio.run(enact.invoke_async(polls))
        first, second = inv.output
        again = asyncio.run(inv.rewind(0).replay_async(live="forbid"))
        assert again.output[1] - again.output[0] == second - first


def test_frames_of_drivers_are_known_by_name():
    known = (Driver.__module__, Driver.__await__.__qualname__)
    assert known == awaiting._DRIVER
