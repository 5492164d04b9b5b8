# SPDX-License-Identifier: Apache-2.0
"""Schedules: programs whose calls end in chosen orders."""

from __future__ import annotations

import asyncio
import itertools
import random

import pytest

import enact
from enact.testing import schedule, schedules

ASKED = []


@pytest.fixture(autouse=True)
def store():
    ASKED.clear()
    with enact.InMemoryStore() as store:
        yield store


@enact.register(name="schedules/ask")
async def ask(name, seconds=0.0):
    ASKED.append(name)
    await asyncio.sleep(seconds)
    if name == "no":
        raise ValueError(name)
    return name


@enact.register(name="schedules/race")
async def race(names):
    order = []

    async def one(name):
        try:
            order.append(await ask(name))
        except ValueError:
            order.append("failed")

    await asyncio.gather(*map(one, names))
    return order


@enact.register(name="schedules/transfer")
async def transfer():
    """Two agents that both read, then write: right only one after the other."""
    account = {"balance": 10}

    async def agent(name, amount):
        seen = account["balance"]
        await ask(name)
        account["balance"] = seen + amount

    first = asyncio.create_task(agent("a", 1))
    second = asyncio.create_task(agent("b", 5))
    await asyncio.gather(first, second)
    assert account["balance"] == 15, account
    return account["balance"]


@enact.register(name="schedules/hurries")
async def hurries():
    try:
        async with asyncio.timeout(0.05):
            await asyncio.gather(ask("a"), ask("b"))
    except TimeoutError:
        return "late"
    return "in time"


def test_all_orders_are_tried():
    found = [inv.output for inv in schedules(race, (["a", "b", "c"],))]
    assert sorted(found) == sorted(map(list, itertools.permutations("abc")))


def test_a_race_is_found_and_replays():
    found = list(schedules(transfer))
    assert [inv.successful() for inv in found] == [True, False]
    wrong = found[1]
    with pytest.raises(AssertionError, match="11"):
        asyncio.run(wrong.rewind(0).replay_async())


def test_each_schedule_replays_in_its_order():
    for inv in schedules(race, (["a", "b", "no"],)):
        assert asyncio.run(inv.rewind(0).replay_async()) == inv
        assert asyncio.run(inv.rewind(0).replay_async(live="forbid")) == inv


def test_orders_by_chance_are_the_same_for_the_same_seed():
    def orders(seed):
        names = (["a", "b", "c", "d"],)
        return [inv.output for inv in schedules(race, names, count=5, seed=seed)]

    assert orders(1) == orders(1) != orders(2)


def test_answers_of_the_store_serve_in_all_orders():
    @enact.register(name="schedules/asked_once", memoize=True)
    async def asked_once(name):
        return await ask(name)

    @enact.register(name="schedules/race_of_known")
    async def race_of_known():
        order = []

        async def one(name):
            order.append(await asked_once(name))

        await asyncio.gather(one("a"), one("b"))
        return order

    found = {tuple(inv.output) for inv in schedules(race_of_known)}
    assert found == {("a", "b"), ("b", "a")}
    assert ASKED == ["a", "b"]


def test_calls_that_still_run_are_waited_for():
    @enact.register(name="schedules/slow_and_quick")
    async def slow_and_quick():
        order = []

        async def one(name, seconds):
            order.append(await ask(name, seconds))

        await asyncio.gather(one("slow", 0.01), one("quick", 0.0))
        return order

    with schedule(lambda count: count - 1, patience=5.0):
        inv = asyncio.run(enact.invoke_async(slow_and_quick))
    assert inv.output == ["slow", "quick"]


def test_a_call_may_be_cancelled_while_it_is_held(store):
    calls = itertools.count()

    def choose(count):
        next(calls)
        return 0

    with schedule(choose, patience=60.0):
        inv = asyncio.run(enact.invoke_async(hurries))
    assert inv.output == "late"
    assert [call.status for call in inv.children] == ["cancelled", "cancelled"]
    assert next(calls) == 0
    assert asyncio.run(inv.rewind(0).replay_async()) == inv


def test_a_choice_that_is_none_is_an_error():
    with schedule(lambda count: count), pytest.raises(enact.CallError, match="chose"):
        asyncio.run(asyncio.wait_for(enact.invoke_async(race, (["a", "b"],)), 5))


def test_one_schedule_serves_several_loops():
    with schedule(lambda count: count - 1):
        for _ in range(3):
            inv = asyncio.run(enact.invoke_async(race, (["a", "b"],)))
            assert inv.output == ["b", "a"]


def test_nothing_is_scheduled_between_the_runs():
    from enact.calls import SCHEDULE

    for _ in schedules(race, (["a", "b"],)):
        assert SCHEDULE.get() is None


@enact.register(name="schedules/spends")
async def spends(agents):
    """The first forgets what others have spent before it ends."""
    left = 10

    async def agent(n):
        nonlocal left
        before = left
        await ask(n)
        if n == 0:
            left = before - 7  # it forgets what all others spent
        else:
            left -= 1

    await asyncio.gather(*(agent(n) for n in range(agents)))
    return left


@pytest.mark.parametrize("strategy", ["best_of", "dfs(width=4)", "mcts"])
def test_a_search_finds_the_order_in_which_a_program_goes_wrong(strategy, store):
    random.seed(2)  # which the choices are drawn from
    found = enact.search.run(
        enact.testing.in_some_order,
        args=(spends, (4,), 4),
        score=lambda inv: float(inv.output),
        strategy=strategy,
        budget=enact.search.Budget(calls=150),
        seed=0,
    )
    wrong = found.best.output
    assert wrong.output == 3  # it ends last, and all others were forgotten
    assert len(wrong.find(ask)) == 4
    assert asyncio.run(wrong.replay_async(live="forbid")).output == wrong.output
