# SPDX-License-Identifier: Apache-2.0
"""What runs beside the code that began it: callbacks, tasks by hand, odd factories."""

from __future__ import annotations

import asyncio
import functools
import time

import pytest

import enact

RAN = []
LIMIT = [10.0]
TASKS = []


@pytest.fixture(autouse=True)
def _fresh():
    RAN.clear()
    LIMIT[:] = [10.0]
    with enact.InMemoryStore():
        yield


@enact.register(name="callbacks/leaf")
def leaf(x):
    RAN.append(x)
    return x


@enact.register(name="callbacks/aleaf")
async def aleaf(x, pause=0.0):
    RAN.append(x)
    await asyncio.sleep(pause)
    return x


def lanes(inv):
    """Which calls each lane made."""
    found = {}
    paths = inv.response().details["lanes"]
    for view, path in zip(inv.children, paths, strict=True):
        found.setdefault(tuple(path), []).append(view.input.args[0])
    return found


def run(program, *args):
    return asyncio.run(enact.invoke_async(program, args))


def replay(inv, **options):
    RAN.clear()
    return asyncio.run(inv.replay_async(**options))


@enact.register(name="callbacks/beats")
async def beats():
    """A timer fires while a call waits: in a replay that call takes no time."""
    loop = asyncio.get_running_loop()
    got = []

    def beat(left):
        got.append(leaf(left))
        if left:
            loop.call_later(0.005, beat, left - 1)

    loop.call_later(0.005, beat, 2)
    got.append(await aleaf("long", 0.1))
    got.append(await aleaf("next"))
    return got


def test_a_callback_has_a_lane_of_its_own():
    inv = run(beats)
    assert inv.output == [2, 1, 0, "long", "next"]
    assert lanes(inv) == {(): ["long", "next"], (-2,): [2, 1, 0]}
    again = replay(inv.rewind(0), live="forbid")
    assert again.output == inv.output
    assert RAN == []


def test_callbacks_do_not_rename_tasks():
    @enact.register(name="callbacks/both")
    async def both():
        loop = asyncio.get_running_loop()
        over = loop.create_future()
        loop.call_soon(leaf, "soon")
        loop.call_soon(lambda: TASKS.append(asyncio.create_task(aleaf("by callback"))))
        loop.call_later(0.001, lambda: over.set_result(leaf("later")))
        await over
        return [await asyncio.create_task(aleaf("mine")), await TASKS.pop()]

    inv = run(both)
    assert lanes(inv) == {
        (-1,): ["soon"],
        (-2,): ["later"],
        (-3, 0): ["by callback"],
        (0,): ["mine"],
    }
    assert replay(inv.rewind(0), live="forbid").output == inv.output


def test_a_task_made_by_hand_has_a_lane_of_its_own():
    @enact.register(name="callbacks/by_hand")
    async def by_hand():
        tasks = [asyncio.Task(aleaf(k, 0.001 * (3 - k))) for k in range(3)]
        return [await aleaf("main"), *[await task for task in tasks]]

    inv = run(by_hand)
    assert lanes(inv) == {(): ["main"], (0,): [0], (1,): [1], (2,): [2]}
    assert replay(inv, live="forbid") == inv


class Named(asyncio.Future):
    def set_name(self, name):
        """Python 3.13 insists."""


@pytest.mark.parametrize("kind", ["wraps", "gives a future"])
def test_task_factories_that_return_something_else(kind):
    def wraps(loop, coro, **options):
        async def wrapped():
            return await coro

        return asyncio.Task(wrapped(), loop=loop)

    def gives_a_future(loop, coro, **options):
        future = Named(loop=loop)
        task = asyncio.Task(coro, loop=loop)
        task.add_done_callback(lambda task: future.set_result(task.result()))
        TASKS.append(task)
        return future

    @enact.register(name=f"callbacks/factory that {kind}")
    async def factory():
        made = wraps if kind == "wraps" else gives_a_future
        asyncio.get_running_loop().set_task_factory(made)
        return await asyncio.gather(*(aleaf(k, 0.001 * (3 - k)) for k in range(3)))

    inv = run(factory)
    assert inv.output == [0, 1, 2]
    assert sorted(map(len, lanes(inv).values())) == [1, 1, 1]
    assert replay(inv, live="forbid") == inv
    TASKS.clear()


@enact.register(name="callbacks/asks")
async def asks():
    loop = asyncio.get_running_loop()
    answer = loop.create_future()
    loop.call_soon(lambda: answer.set_result(enact.request_input(str, "Well?")))
    return [await aleaf("a", 0.01), await answer]


def test_a_question_in_a_callback_ends_the_call_paused(caplog):
    inv = run(asks)
    assert inv.status == "paused"
    request = inv.get_raised()
    done = asyncio.run(request.continue_invocation_async(inv, "yes"))
    assert done.output == ["a", "yes"]
    assert RAN == ["a"]


def test_a_call_that_waits_for_what_only_an_answer_brings_ends_paused():
    @enact.register(name="callbacks/waits")
    async def waits():
        heard = asyncio.Event()

        async def asks():
            enact.request_input(str, "Well?")
            heard.set()

        task = asyncio.create_task(asks())
        await heard.wait()
        return task.done()

    inv = run(waits)
    assert inv.status == "paused"


@enact.register(name="callbacks/limited")
async def limited():
    async def second():
        await asyncio.sleep(0.03)
        return await aleaf("b")

    try:
        async with asyncio.timeout(LIMIT[0]):
            return await asyncio.gather(aleaf("a", 0.1), second())
    except TimeoutError:
        return "too late"


def test_a_time_limit_goes_off_where_it_did_and_else_comes_last():
    inv = run(limited)
    assert inv.output == ["a", "b"]
    LIMIT[0] = 0.001
    assert replay(inv.rewind(0)) == inv
    late = run(limited)
    assert late.output == "too late"
    LIMIT[0] = 60
    assert replay(late.rewind(0), live="forbid") == late


@enact.register(name="callbacks/cancels")
async def cancels():
    task = asyncio.create_task(aleaf("a", 0.01))
    await asyncio.sleep(0)
    if CANCELS[0]:
        task.cancel()
    try:
        return await task
    except asyncio.CancelledError:
        return "cancelled"


CANCELS = [False]


def test_a_call_that_is_cancelled_though_it_had_returned_leaves_the_record():
    inv = run(cancels)
    assert inv.output == "a"
    CANCELS[0] = True
    with pytest.raises(enact.ReplayError, match=r"'callbacks/aleaf': it is cancelled"):
        replay(inv.rewind(0))
    other = replay(inv.rewind(0), strict=False)
    assert other.output == "cancelled"
    assert [call.status for call in other.children] == ["cancelled"]
    assert replay(other, live="forbid") == other
    CANCELS[0] = False


DELAYS = [0.001, 0.02]


@enact.register(name="callbacks/racing")
async def racing():
    found = []
    loop = asyncio.get_running_loop()
    over = loop.create_future()

    def comes(n):
        found.append(leaf(n))
        if len(found) == 2:
            over.set_result(None)

    for n, delay in enumerate(DELAYS):
        loop.call_later(delay, comes, n)
    await over
    return found


def test_timers_go_off_in_the_recorded_order(monkeypatch):
    with enact.InMemoryStore():
        inv = asyncio.run(enact.invoke_async(racing))
        assert asyncio.run(inv.rewind(0).replay_async()) == inv
        monkeypatch.setattr("tests.calls.test_callbacks.DELAYS", DELAYS[::-1])
        assert asyncio.run(inv.rewind(0).replay_async()) == inv


@enact.register(name="callbacks/racing_futures")
async def racing_futures():
    found = []
    loop = asyncio.get_running_loop()
    over = loop.create_future()

    def comes(n, _):
        found.append(leaf(n))
        if len(found) == 2:
            over.set_result(None)

    for n, delay in enumerate(DELAYS):
        slept = loop.run_in_executor(None, time.sleep, delay)
        slept.add_done_callback(functools.partial(comes, n))
    await over
    return found


def test_callbacks_that_come_in_another_order_are_an_error(monkeypatch):
    with enact.InMemoryStore():
        inv = asyncio.run(enact.invoke_async(racing_futures))
        assert asyncio.run(inv.rewind(0).replay_async()) == inv
        monkeypatch.setattr("tests.calls.test_callbacks.DELAYS", DELAYS[::-1])
        with pytest.raises(enact.ReplayError):
            asyncio.run(inv.rewind(0).replay_async())
        other = asyncio.run(inv.rewind(0).replay_async(strict=False))
        assert other.output == inv.output[::-1]


@enact.register(name="callbacks/odd_timers")
async def odd_timers():
    """A timer that is cancelled, one that calls nothing, one that fails."""
    loop = asyncio.get_running_loop()
    seen, over = [], loop.create_future()
    loop.call_later(0.001, seen.append, "builtin")
    loop.call_later(0.002, lambda: seen.append("nothing"))
    loop.call_later(0.05, leaf, "never").cancel()
    loop.call_later(0.004, functools.partial(over.set_result, None))
    loop.call_later(0.003, lambda: seen.append(leaf("calls")))
    await over
    return [await aleaf("end"), sorted(seen)]


def test_timers_of_all_kinds():
    inv = run(odd_timers)
    assert inv.output == ["end", ["builtin", "calls", "nothing"]]
    for _ in range(3):
        assert replay(inv.rewind(0), live="forbid") == inv
