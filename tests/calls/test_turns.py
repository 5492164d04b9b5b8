# SPDX-License-Identifier: Apache-2.0
"""Tasks that wait for longer, or not at all, in a replay still see what they saw."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import time

import anyio
import pytest

import enact

ROUNDS = [0]  # of the event loop, that each untracked wait takes


async def wait():
    for _ in range(ROUNDS[0]):
        await asyncio.sleep(0)


@enact.register(name="turns/Counter")
@dataclasses.dataclass
class Counter(enact.AsyncInvokable[int, int]):
    count: int = 0

    async def call(self, step: int) -> int:
        self.count += step
        return self.count


@enact.register(name="turns/instant")
async def instant(value):
    return value


@enact.register(name="turns/waits_before_a_task_begins")
async def waits_before_a_task_begins():
    counter = Counter()
    task = asyncio.create_task(counter(1))
    await wait()
    return [await counter(10), await task]


@enact.register(name="turns/waits_between_tasks")
async def waits_between_tasks():
    seen = []

    async def work():
        seen.append(await instant([*seen]))

    first = asyncio.create_task(work())
    await wait()
    second = asyncio.create_task(work())
    await instant("main")
    await first
    await second
    return seen


@enact.register(name="turns/waits_between_calls")
async def waits_between_calls():
    counter = Counter()

    async def work():
        first = await counter(1)
        await wait()
        return first, await counter(100)

    return await asyncio.gather(work(), counter(10))


@pytest.mark.parametrize("after", [0, 5])
@pytest.mark.parametrize("before", [0, 5])
@pytest.mark.parametrize(
    "program", [waits_before_a_task_begins, waits_between_tasks, waits_between_calls]
)
def test_an_untracked_wait_may_take_another_time(program, before, after):
    with enact.InMemoryStore():
        ROUNDS[0] = before
        inv = asyncio.run(enact.invoke_async(program))
        ROUNDS[0] = after
        again = asyncio.run(inv.rewind(0).replay_async())
        assert again.output == inv.output
        assert again == inv and again.verdicts() in ({}, {"": "resumed"})


# --- threads ------------------------------------------------------------------------


@enact.register(name="turns/Total")
@dataclasses.dataclass
class Total(enact.Invokable[int, int]):
    count: int = 0

    def call(self, step: int) -> int:
        self.count += step
        return self.count


MEETS = [True]  # in the recording; a replay answers at once, and need not meet


@enact.register(name="turns/threads")
def threads():
    total = Total()
    seen = []
    turn = threading.Event()
    again = threading.Event()

    def first():
        seen.append(total(1))
        turn.set()
        if MEETS[0]:
            again.wait(10)
        seen.append(total(100))

    def second():
        turn.wait(10)
        seen.append(total(10))
        again.set()

    workers = [threading.Thread(target=work) for work in (first, second)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return seen


def test_a_thread_that_does_not_wait_this_time_still_calls_what_it_called():
    with enact.InMemoryStore():
        MEETS[0] = True
        inv = enact.invoke(threads)
        assert inv.output == [1, 11, 111]
        MEETS[0] = False
        for _ in range(5):
            again = inv.rewind(0).replay()
            assert again == inv and again.verdicts() in ({}, {"": "resumed"})


PAUSES = [0]


@enact.register(name="turns/alike")
async def alike():
    counter = Counter()
    seen = []

    async def first():
        for _ in range(PAUSES[0]):
            await asyncio.sleep(0)
        seen.append(("first", await counter(1)))

    async def second():
        seen.append(("second", await counter(1)))
        seen.append(("second", await counter(10)))

    await asyncio.gather(first(), second())
    return seen


def test_tasks_that_make_equal_calls_do_not_swap_names():
    with enact.InMemoryStore():
        PAUSES[0] = 0
        inv = asyncio.run(enact.invoke_async(alike))
        assert inv.output == [("first", 1), ("second", 2), ("second", 12)]
        for PAUSES[0] in (0, 1, 2, 5):
            again = asyncio.run(inv.rewind(0).replay_async())
            assert again == inv
    PAUSES[0] = 0


@enact.register(name="turns/alike_on_the_loop")
async def alike_on_the_loop():
    total = Total()
    seen = []

    async def first():
        for _ in range(PAUSES[0]):
            await asyncio.sleep(0)
        seen.append(("first", total(1)))

    async def second():
        seen.append(("second", total(1)))
        seen.append(("second", total(10)))

    await asyncio.gather(first(), second())
    return seen


def test_a_call_that_cannot_wait_on_the_loop_does_not_take_anothers_name():
    with enact.InMemoryStore():
        inv = asyncio.run(enact.invoke_async(alike_on_the_loop))
        assert asyncio.run(inv.rewind(0).replay_async()) == inv
        PAUSES[0] = 2
        with pytest.raises(
            enact.ReplayError, match=r"was Total\(count=1\), and is Total\(count=0\)"
        ):
            asyncio.run(inv.rewind(0).replay_async())
    PAUSES[0] = 0


# --- time limits -------------------------------------------------------------------

HELD_UP = [0.0]  # seconds for which the event loop does nothing else


@enact.register(name="turns/answers_when")
async def answers_when(event_of, value):
    await EVENTS[event_of].wait()
    return value


EVENTS: list[asyncio.Event] = []


@enact.register(name="turns/two_limits")
async def two_limits(library):
    EVENTS[:] = [asyncio.Event(), asyncio.Event()]
    seen = []

    async def within(seconds, call):
        if library == "anyio":
            with anyio.fail_after(seconds):
                return await call
        async with asyncio.timeout(seconds):
            return await call

    async def first():
        try:
            await within(0.05, answers_when(1, "never"))
        except TimeoutError:
            EVENTS[0].set()
            seen.append("first is late")

    async def second():
        seen.append(await within(0.3, answers_when(0, "second")))
        try:  # what came too early for one limit is no reason to end another
            seen.append(await within(0.02, answers_when(1, "never")))
        except TimeoutError:
            seen.append("second is late")

    async def holds_up():
        await asyncio.sleep(0.045)
        time.sleep(HELD_UP[0])

    await asyncio.gather(first(), second(), holds_up())
    return seen


@pytest.mark.parametrize("library", ["asyncio", "anyio"])
def test_a_time_limit_that_runs_out_early_cuts_nothing_short(library):
    with enact.InMemoryStore():
        HELD_UP[0] = 0.0
        inv = asyncio.run(enact.invoke_async(two_limits, (library,)))
        assert inv.output == ["first is late", "second", "second is late"]
        HELD_UP[0] = 0.3  # both limits run out before a task can go on
        again = asyncio.run(inv.rewind(0).replay_async())
    assert again.output == inv.output
    assert again == inv


@enact.register(name="turns/one_limit_for_two")
async def one_limit_for_two():
    """The limit cuts the second call short, after it has come early in a replay."""
    EVENTS[:] = [asyncio.Event(), asyncio.Event()]
    seen = []

    async def first():
        try:
            async with asyncio.timeout(0.05):
                await answers_when(1, "never")
        except TimeoutError:
            EVENTS[0].set()

    async def second():
        try:
            async with asyncio.timeout(0.3):
                seen.append(await answers_when(0, "second"))
                seen.append(await answers_when(1, "never"))
        except TimeoutError:
            seen.append(f"late, cancelled {asyncio.current_task().cancelling()}")
        seen.append(await answers_when(0, "at last"))

    async def holds_up():
        await asyncio.sleep(0.045)
        time.sleep(HELD_UP[0])

    await asyncio.gather(first(), second(), holds_up())
    return seen


def test_a_time_limit_that_ran_out_early_cuts_short_what_it_did():
    with enact.InMemoryStore():
        HELD_UP[0] = 0.0
        inv = asyncio.run(enact.invoke_async(one_limit_for_two))
        assert inv.output == ["second", "late, cancelled 0", "at last"]
        HELD_UP[0] = 0.3
        again = asyncio.run(inv.rewind(0).replay_async())
    assert again.output == inv.output
    assert again == inv


@enact.register(name="turns/asks")
async def asks(name, seconds=0.01):
    await asyncio.sleep(seconds)
    return name


@enact.register(name="turns/own_loop")
def own_loop():
    """In a replay the body is back from its last pause while another one is held."""

    async def early():
        await asyncio.sleep(0.014)
        return await asks("early", 0.0)

    async def late():
        await asks("before")
        await asyncio.sleep(0.006)
        return await asks("late", 0.0)

    async def body():
        tasks = [asyncio.create_task(one()) for one in (early, late)]
        await asks("body")
        await asyncio.sleep(0.008)
        return await asyncio.gather(*tasks)

    return asyncio.run(body())


def test_a_body_whose_loop_does_not_run_yet_stays_behind_others():
    with enact.InMemoryStore():
        inv = enact.invoke(own_loop)
        assert inv.rewind(0).replay(live="forbid") == inv
