# SPDX-License-Identifier: Apache-2.0
"""Programs that were written to break the call engine, and did not."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import enact
from enact.human import waiting

LIVE = [0]


@pytest.fixture
def store():
    with enact.InMemoryStore() as store:
        yield store


@enact.register
def draw(x):
    LIVE[0] += 1
    return f"{x}-{random.random()}"


@enact.register
async def adraw(x, delay=0.0):
    LIVE[0] += 1
    await asyncio.sleep(delay)
    return f"{x}-{random.random()}"


@enact.register
async def afail(delay=0.0):
    LIVE[0] += 1
    await asyncio.sleep(delay)
    raise ValueError("afail")


def replayed(invocation, *, is_async=True):
    """Runs the program again; nothing may run live, and all must be the same."""
    partial = invocation.rewind(0)
    LIVE[0] = 0
    again = asyncio.run(partial.replay_async()) if is_async else partial.replay()
    assert LIVE[0] == 0
    assert again == invocation
    return again


@enact.register
async def group_with_a_failing_task():
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(adraw("a", 5))
            group.create_task(afail(0.01))
    except* ValueError:
        pass
    return await adraw("after")


@enact.register
async def shielded_call_outlives_its_timeout():
    task = asyncio.create_task(adraw("s", 0.03))
    try:
        await asyncio.wait_for(asyncio.shield(task), 0.005)
    except TimeoutError:
        pass
    return await task


@enact.register
async def suppresses_its_cancellation():
    try:
        return await adraw("slow", 5)
    except asyncio.CancelledError:
        return await adraw("cleanup")


@enact.register
async def cancels_what_suppresses_it():
    task = asyncio.create_task(suppresses_its_cancellation())
    await asyncio.sleep(0.01)
    task.cancel()
    return await task


@enact.register
async def limited_by_a_semaphore():
    limit, out = asyncio.Semaphore(2), []

    async def work(n):
        async with limit:
            out.append(await adraw(n, 0.002 * (n % 3)))
        out.append(await adraw(out[-1]))

    await asyncio.gather(*(work(n) for n in range(6)))
    return out


@pytest.mark.parametrize(
    "program",
    [
        group_with_a_failing_task,
        shielded_call_outlives_its_timeout,
        cancels_what_suppresses_it,
        limited_by_a_semaphore,
    ],
)
def test_cancellation_and_limits_replay_as_they_ran(store, program):
    replayed(asyncio.run(enact.invoke_async(program)))


@enact.register
def loop_in_another_thread():
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    coroutines = [adraw(n, 0.01 * (3 - n)) for n in range(3)]
    futures = [asyncio.run_coroutine_threadsafe(one, loop) for one in coroutines]
    results = [future.result() for future in futures]
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
    return [*results, draw("m")]


@enact.register
def executors_in_executors():
    def inner(n):
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda k: draw((n, k)), range(3)))

    with ThreadPoolExecutor(3) as pool:
        return list(pool.map(inner, range(3)))


@enact.register
def two_loops_one_after_the_other():
    async def main():
        return await asyncio.gather(adraw(1, 0.01), adraw(2))

    return [asyncio.run(main()), draw(3), asyncio.run(main())]


@pytest.mark.parametrize(
    "program",
    [loop_in_another_thread, executors_in_executors, two_loops_one_after_the_other],
)
def test_loops_and_pools_within_plain_calls_replay_as_they_ran(store, program):
    replayed(enact.invoke(program), is_async=False)


@enact.register
async def ask(n):
    return enact.request_input(str, context=n) + (await adraw(n))[:1]


@enact.register
async def ask_thrice():
    return await asyncio.gather(ask(0), adraw("k"), ask(1), ask(2))


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_questions_may_be_answered_in_any_order(store, order):
    paused = asyncio.run(enact.invoke_async(ask_thrice))
    for n in order:
        questions = [view.get_raised() for view in waiting(paused)]
        (question,) = [one for one in questions if one.context == n]
        paused = asyncio.run(question.continue_invocation_async(paused, f"a{n}"))
    zero, _, one, two = paused.get_output()
    assert [zero, one, two] == ["a00", "a11", "a22"]


def test_one_question_takes_different_answers(store):
    @enact.register(name="review/twice")
    def twice():
        return [enact.request_input(str, context="same") for _ in range(2)]

    paused = enact.invoke(twice)
    for first in "ab":
        then = paused.get_raised().continue_invocation(paused, first)
        assert then.get_raised() == paused.get_raised()
        done = then.get_raised().continue_invocation(then, "z")
        assert done.get_output() == [first, "z"]


@enact.register
@dataclasses.dataclass
class Counter(enact.Invokable[int, int]):
    total: int = 0

    def call(self, x: int) -> int:
        self.total += x
        draw(x)
        return self.total


@enact.register
@dataclasses.dataclass
class Pair(enact.Invokable[int, list]):
    a: Counter
    b: Counter

    def call(self, x: int) -> list:
        return [self.a(x), self.b(x + 1)]


@enact.register
def shares_a_counter():
    counter = Counter()
    pair = Pair(counter, counter)
    results = [pair(1), pair(2), counter(10)]
    return [results, pair.a is counter, counter.total, pair]


@pytest.mark.parametrize("count", range(4))
def test_invokables_that_hold_one_object_twice_share_its_state(store, count):
    invocation = enact.invoke(shares_a_counter)
    again = invocation.rewind(count).replay()
    assert again.get_output() == invocation.get_output()


@enact.register
def tries_out():
    best = enact.invoke(draw, (1,))
    others = [best.rewind(0).replay() for _ in range(2)]
    cleared = [enact.invoke(draw, (2,), commit=False) for _ in range(2)]
    return [one.get_output() for one in [best, *others, *cleared]]


def test_programs_that_invoke_and_replay_are_answered(store):
    replayed(enact.invoke(tries_out), is_async=False)


def test_programs_in_many_tasks_and_threads_keep_to_their_stores():
    stores = [enact.InMemoryStore(), enact.InMemoryStore()]

    async def one(n):
        with stores[n % 2]:
            return await enact.invoke_async(adraw, (n, 0.01))

    async def all_of_them():
        return await asyncio.gather(*map(one, range(4)))

    def plain(n):
        with stores[n % 2]:
            return enact.invoke(draw, (n,))

    made = asyncio.run(all_of_them())
    with ThreadPoolExecutor(4) as pool:
        made += pool.map(plain, range(4))
    assert [stores[0].has(one.ref) for one in made] == [True, False] * 4
