# SPDX-License-Identifier: Apache-2.0
"""Time limits and timers that end no call have a place in the record all the same."""

from __future__ import annotations

import asyncio
import random

import pytest

import enact
from enact.calls import settling
from enact.calls.alarms import alarms_left
from tests.calls.test_matrix import cut_after

RAN: list[str] = []


@enact.register(name="alarms/model")
async def model(question):
    RAN.append(question)
    # Never about when a limit runs out: what comes first then may be a matter of turns
    # of the event loop, which are in no record.
    await asyncio.sleep(random.choice([0.004, 0.024, 0.044]))
    return f"{question}: {random.randrange(1000)}"


@enact.register(name="alarms/waits_a_while")
async def waits_a_while():
    """What is done in time decides on what comes next."""
    seen = []
    pending = {asyncio.create_task(model(f"q{k}")) for k in range(5)}
    while pending:
        done, pending = await asyncio.wait(pending, timeout=0.017)
        seen.append(sorted(task.result() for task in done))
    return seen


@enact.register(name="alarms/shields")
async def shields():
    seen = []

    async def one(k):
        task = asyncio.create_task(model(f"q{k}"))
        try:
            async with asyncio.timeout(0.014):
                seen.append(await asyncio.shield(task))
        except TimeoutError:
            seen.append(f"{k} is late")
            seen.append(await task)

    await asyncio.gather(*map(one, range(5)))
    return seen


@enact.register(name="alarms/hedges")
async def hedges():
    """A second call where the first one takes long; the other one is cancelled."""
    seen = []
    for k in range(5):
        first = asyncio.create_task(model(f"q{k}"))
        done, pending = await asyncio.wait({first}, timeout=0.014)
        if not done:
            second = asyncio.create_task(model(f"q{k}, again"))
            done, pending = await asyncio.wait(
                {first, second}, return_when=asyncio.FIRST_COMPLETED
            )
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        seen.append(sorted(task.result() for task in done))
    return seen


@enact.register(name="alarms/stops_at_a_flag")
async def stops_at_a_flag():
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, stop.set)
    seen = []
    while not stop.is_set():
        seen.append(await model(f"q{len(seen)}"))
    return seen


@enact.register(name="alarms/ticks")
async def ticks():
    """A timer of the program's that makes no calls, and sets itself again."""
    loop = asyncio.get_running_loop()
    seen = []

    def tick():
        seen.append("tick")
        if len(seen) < 8:
            loop.call_later(0.005, tick)

    loop.call_later(0.005, tick)
    while len(seen) < 8:
        seen.append(await model(f"q{len(seen)}"))
    return seen


@enact.register(name="alarms/tries_again")
async def tries_again():
    async def one(k):
        for n in range(3):
            try:
                return n, await asyncio.wait_for(model(f"q{k}, {n}"), 0.014)
            except TimeoutError:
                await asyncio.sleep(0.001)
        return None

    return await asyncio.gather(*map(one, range(5)))


PROGRAMS = [waits_a_while, shields, hedges, stops_at_a_flag, ticks, tries_again]


def recorded_and_replayed(program):
    """An execution, of which a replay is the same and runs nothing."""
    inv = asyncio.run(enact.invoke_async(program))
    RAN.clear()
    again = asyncio.run(inv.rewind(0).replay_async())
    assert (again.output, RAN) == (inv.output, [])
    assert again == inv
    return inv


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_goes_off_goes_off_again_where_it_did(program):
    for _ in range(5):
        with enact.InMemoryStore():
            recorded_and_replayed(program)


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("program", PROGRAMS)
def test_it_does_so_always(program):
    for _ in range(100):
        with enact.InMemoryStore():
            inv = recorded_and_replayed(program)
            for count in range(1, len(inv.children), 3):
                asyncio.run(inv.rewind(count).replay_async())


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_that_is_cut_off_goes_on(program):
    """What was recorded before does not run again."""
    with enact.InMemoryStore():
        inv = asyncio.run(enact.invoke_async(program))
        for count in range(1, len(inv.children)):
            kept = inv.rewind(count)
            RAN.clear()
            asyncio.run(kept.replay_async())
            ended = {c.input.args[0] for c in kept.children if c.status == "completed"}
            assert not ended & set(RAN)


def test_a_call_alone_has_no_alarms_in_its_record():
    @enact.register(name="alarms/waits_alone")
    async def waits_alone():
        try:
            await asyncio.wait_for(asyncio.sleep(10), 0.001)
        except TimeoutError:
            return "late"

    with enact.InMemoryStore():
        inv = asyncio.run(enact.invoke_async(waits_alone))
        assert inv.output == "late"
        assert inv.response().details is None


def test_alarms_of_lanes_that_do_other_things_are_not_kept():
    events = [0, 0, 1, 2, -1, 0, 3]
    lanes = [(0,), (1,), (0,)]
    alarms = [[3, 0, 0, 0], [5, 0, 1, 0], [5, 0, -2]]
    everything = [True] * len(events)
    assert alarms_left(alarms, events, lanes, everything) == alarms
    # The first call of lane (0,) is gone, and with it what its limit did.
    kept = [False, True, False, True, True, True, True]
    assert alarms_left(alarms, events, lanes, kept) == [[3, 0, 1, 0], [3, 0, -2]]
    assert alarms_left(None, events, lanes, kept) is None


def two_limits(other):
    """Tasks at which limits run out; of the first one a call is cancelled for it."""

    @enact.register(name="alarms/two_limits")
    async def program():
        seen = []

        async def cut_off():
            try:
                async with asyncio.timeout(0.02):
                    seen.append(await never("first"))
            except TimeoutError:
                seen.append("first is late")

        async def waits():
            task = asyncio.create_task(never("second"))
            done, _ = await asyncio.wait({task}, timeout=other)
            seen.append(len(done))
            task.cancel()

        await asyncio.gather(cut_off(), waits())
        return seen

    return program


@enact.register(name="alarms/never")
async def never(name):
    await asyncio.sleep(60)


def test_an_outcome_that_is_put_in_outlasts_its_limit_and_no_other():
    program = two_limits(0.01)  # while the first call is in flight
    with enact.InMemoryStore():
        inv = asyncio.run(enact.invoke_async(program))
        assert inv.output == [0, "first is late"]
        edited = inv.edit(inv[0], output="in time")
        (other,) = edited.response().details["alarms"]
        assert other[2:] == [1, 0]  # of the second task
        assert sorted(map(str, asyncio.run(edited.replay_async()).output)) == [
            "0",
            "in time",
        ]


@enact.register(name="alarms/each_in_time")
async def each_in_time():
    async def worker(name):
        got = []
        for n in range(2):
            got.append(await steps(f"{name}{n}"))
            try:
                await asyncio.wait_for(too_long(n), 0.02)
            except TimeoutError:
                got.append(await steps(f"{name}{n} instead"))
        return got

    return await asyncio.gather(*map(worker, "ab"))


@enact.register(name="alarms/steps")
async def steps(name):
    await asyncio.sleep(0.001 * (name[0] == "b"))
    return name


@enact.register(name="alarms/too_long")
async def too_long(n):
    await asyncio.sleep(1)


@pytest.mark.parametrize("records", range(4, 13))
def test_limits_hold_though_the_process_dies_twice(records):
    store = enact.InMemoryStore()
    with store:
        run = cut_after(
            store, records, lambda: asyncio.run(enact.invoke_async(each_in_time))
        )
        run = cut_after(store, 2, lambda: asyncio.run(enact.resume_async(run)))
        inv = asyncio.run(enact.resume_async(run))
        assert inv.output == [
            [f"{name}{n}{more}" for n in range(2) for more in ("", " instead")]
            for name in "ab"
        ]


@pytest.mark.timeout(20)
def test_the_look_for_others_below_a_pause_is_no_timer_of_the_program(monkeypatch):
    monkeypatch.setattr(settling, "_GRACE", 60)  # nothing runs: it is not waited for

    @enact.register
    async def meet() -> list[str]:
        barrier = asyncio.Barrier(2)

        async def work(name: str) -> str:
            said = enact.request_input(str, for_value=name) if name == "a" else name
            await barrier.wait()
            return said

        return await asyncio.gather(work("a"), work("b"))

    with enact.InMemoryStore():
        assert asyncio.run(enact.invoke_async(meet)).status == "paused"
