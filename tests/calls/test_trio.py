# SPDX-License-Identifier: Apache-2.0
"""Under trio: what the matrix does not show."""

from __future__ import annotations

import asyncio
import threading

import anyio
import pytest
import trio
import trio.testing

import enact
from enact.calls import trio_loop
from tests.modules import run_apart

RAN: list[str] = []
STARTS = []
WAITS: list[bool] = []


@enact.register(name="trio/ask")
async def ask(name):
    RAN.append(name)
    await trio.lowlevel.checkpoint()
    return name


@enact.register(name="trio/ask_a_person")
async def ask_a_person(name):
    return enact.request_input(str, for_value=name)


@enact.register(name="trio/pair")
async def pair():
    said = []

    async def one(name):
        said.append(await ask(name))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one, "a")
        nursery.start_soon(one, "b")
    return said


def lanes(inv):
    return inv.response().details.lanes


def test_each_task_has_a_lane():
    with enact.InMemoryStore() as store:
        trio.run(enact.invoke_async, pair)
        calls = store.calls(invokable=ask)
    assert sorted(tuple(call.lane) for call in calls) == [(0,), (1,)]


def test_a_process_that_imports_trio_within_a_call_has_lanes_too():
    out = run_apart("""
        import sys, enact
        with enact.InMemoryStore():
            enact.invoke(enact.register(lambda: 1, name="first"))
        assert "trio" not in sys.modules and "asyncio" in sys.modules
        @enact.register
        async def leaf(n):
            import trio
            await trio.sleep(0)
            return n
        @enact.register
        def main():
            import importlib.util
            assert importlib.util.find_spec("trio")  # which is no import yet
            import trio
            async def both():
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(leaf, 1)
                    nursery.start_soon(leaf, 2)
            trio.run(both)
        with enact.InMemoryStore() as store:
            enact.invoke(main)
            print(sorted(tuple(call.lane) for call in store.calls(invokable=leaf)))
        from enact.calls import imports
        assert "trio" not in imports._waiting
        """)
    assert out == "[(0,), (1,)]\n"


def test_a_pause_finds_all_questions():
    @enact.register(name="trio/two_questions")
    async def two_questions():
        answers = []

        async def one(name):
            answers.append(await ask_a_person(name))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(one, "a")
            nursery.start_soon(one, "b")
        return sorted(answers)

    with enact.InMemoryStore():
        inv = trio.run(enact.invoke_async, two_questions)
        assert inv.status == "paused"
        while inv.status == "paused":
            request = inv.get_raised()
            name = request.for_value()
            inv = trio.run(request.continue_invocation_async, inv, name.upper())
        assert inv.output == ["A", "B"]


def test_a_question_comes_out_of_nurseries_as_it_is():
    @enact.register(name="trio/nested_question")
    async def nested_question():
        async with trio.open_nursery() as outer:
            async with trio.open_nursery() as inner:
                inner.start_soon(ask_a_person, "deep")
            outer.start_soon(ask, "never")

    with enact.InMemoryStore():
        inv = trio.run(enact.invoke_async, nested_question)
        assert isinstance(inv.get_raised(), enact.InputRequest)


def test_a_cancelled_call_is_no_failure():
    @enact.register(name="trio/cancelled")
    async def cancelled():
        with trio.move_on_after(0.01):
            await pair_that_hangs()
        return "on time"

    @enact.register(name="trio/pair_that_hangs")
    async def pair_that_hangs():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            nursery.start_soon(hangs)

    @enact.register(name="trio/hangs")
    async def hangs():
        await trio.sleep_forever()

    with enact.InMemoryStore():
        inv = trio.run(enact.invoke_async, cancelled)
        assert inv.output == "on time"
        assert [view.status for view in inv.walk()][1:] == ["cancelled"] * 2
        assert trio.run(inv.rewind(0).replay_async) == inv


def test_streams():
    @enact.register(name="trio/count")
    async def count(name):
        for number in range(3):
            yield f"{name}{await ask(str(number))}"

    @enact.register(name="trio/read_two")
    async def read_two():
        got = []

        async def read(name):
            async for item in count(name):
                got.append(item)
                await trio.sleep(0)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read, "a")
            nursery.start_soon(read, "b")
        return got

    with enact.InMemoryStore():
        inv = trio.run(enact.invoke_async, read_two)
        RAN.clear()
        assert trio.run(inv.rewind(0).replay_async) == inv
        assert RAN == []


def test_calls_that_are_dear_wait_for_the_disk_together(tmp_path):
    @enact.register(name="trio/payment", retry="never")
    async def pay(name):
        await trio.sleep(0)
        return name

    @enact.register(name="trio/payments")
    async def payments():
        async with trio.open_nursery() as nursery:
            for name in "abc":
                nursery.start_soon(pay, name)

    with enact.SQLiteStore(tmp_path / "runs.db", durability="call") as store:
        inv = trio.run(enact.invoke_async, payments)
        assert len(list(store.calls(invokable=pay))) == 3
        assert trio.run(inv.rewind(0).replay_async) == inv
        store.close()


def test_schedules_choose_the_order():
    @enact.register(name="trio/at_once")
    async def at_once(name):
        return name

    @enact.register(name="trio/scheduled")
    async def scheduled():
        said = []

        async def one(name):
            said.append(await at_once(name))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(one, "a")
            nursery.start_soon(one, "b")
        return said

    with enact.InMemoryStore():
        with enact.testing.schedule(lambda count: count - 1):
            inv = trio.run(enact.invoke_async, scheduled)
        assert inv.output == ["b", "a"]
        assert trio.run(inv.rewind(0).replay_async) == inv


def test_sleep_is_that_of_the_loop():
    @enact.register(name="trio/sleeper")
    async def sleeper():
        await enact.sleep_async(3600)
        return "awake"

    with enact.InMemoryStore():
        clock = trio.testing.MockClock(autojump_threshold=0)
        inv = trio.run(enact.invoke_async, sleeper, clock=clock)
        assert inv.output == "awake"
        assert trio.run(inv.rewind(0).replay_async) == inv  # in no time


def test_values_are_read_in_a_thread():
    async def main():
        with enact.InMemoryStore():
            ref = await enact.commit_async([1, 2])
            return await enact.checkout_async(ref)

    assert trio.run(main) == [1, 2]
    assert asyncio.run(main()) == [1, 2]
    assert anyio.run(main) == [1, 2]


def test_what_trio_says_of_wrong_tasks_stays():
    def plain():
        return 1

    @enact.register(name="trio/wrong_task")
    async def wrong_task():
        async with trio.open_nursery() as nursery:
            STARTS[-1](nursery)

    def message(program, *args):
        found = []
        try:
            program(*args)
        except* TypeError as errors:
            found += map(str, errors.exceptions)
        return found

    for start in (
        lambda nursery: nursery.start_soon(plain),
        lambda nursery: nursery.start_soon(1),
        lambda nursery: nursery.start_soon(ask),
    ):
        STARTS.append(start)
        said = message(trio.run, wrong_task)
        with enact.InMemoryStore():
            assert message(trio.run, enact.invoke_async, wrong_task) == said


def test_a_loop_that_is_not_known_is_an_error():
    with enact.InMemoryStore():
        coroutine = enact.invoke_async(pair)
        with pytest.raises(enact.FrameworkError, match="asyncio, uvloop or trio"):
            coroutine.send(None)


def test_a_replay_can_be_cancelled():
    turns = []

    @enact.register(name="trio/stubborn")
    async def stubborn():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, "a")
            if turns:
                await trio.sleep_forever()
            await ask("main")

    with enact.InMemoryStore():
        inv = trio.run(enact.invoke_async, stubborn)
        turns.append(1)

        async def main():
            with trio.move_on_after(0.05):
                await inv.rewind(0).replay_async(strict=False)
            return "over"

        assert trio.run(main) == "over"


def test_tasks_that_wait_for_threads_are_known():
    release = threading.Event()

    @enact.register(name="trio/step")
    def step():
        return 1

    def in_thread():
        release.wait(5)
        step()

    @enact.register(name="trio/waits_for_a_thread")
    async def waits_for_a_thread():
        async def work():
            await trio.to_thread.run_sync(in_thread)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(work)
            nursery.start_soon(work)
            await trio.testing.wait_all_tasks_blocked()
            root = trio.lowlevel.current_root_task()
            WAITS.append(trio_loop.waits_for_thread(root))
            release.set()

    with enact.InMemoryStore():
        inv = trio.run(enact.invoke_async, waits_for_a_thread)
        release.clear()
        # In a replay, coroutines run below drivers.
        assert trio.run(inv.rewind(0).replay_async) == inv
    assert WAITS == [True, True]


@enact.register(name="trio/answers")
async def answers(name, seconds):
    await trio.sleep(seconds)
    return name


@enact.register(name="trio/first_of_three")
async def first_of_three(kind):
    """Who waits for the first of several looks at what there is then."""
    noted = []
    for n in range(2):
        came, said = trio.Event(), []
        send, receive = trio.open_memory_channel(3)

        async def ask(k, n=n, came=came, said=said, send=send):
            said.append(await answers(f"{n} {k}", 0.02 * k))
            came.set()
            await send.send(k)

        async with trio.open_nursery() as nursery:
            for k in (2, 1, 3):
                nursery.start_soon(ask, k)
            await (came.wait() if kind == "event" else receive.receive())
            noted.append(list(said))
        noted.append(await answers(f"{n} after", 0))
    return noted


@pytest.mark.parametrize("kind", ["event", "channel"])
def test_who_waits_for_the_first_finds_no_others(kind):
    with enact.InMemoryStore():
        inv = trio.run(enact.invoke_async, first_of_three, (kind,))
        assert inv.output == [["0 1"], "0 after", ["1 1"], "1 after"]
        again = trio.run(lambda: inv.rewind(0).replay_async(live="forbid"))
        assert again.output == inv.output
        assert again == inv


@enact.register(name="trio/group_beside")
async def group_beside():
    """Who leaves a task group looks at what others have said by then."""
    said, noted = [], []

    async def ask(k):
        said.append(await answers_anyhow(f"{k}", 0.02 * k))

    async def inner():
        async with anyio.create_task_group() as group:
            group.start_soon(ask, 1)
        noted.append(list(said))
        await anyio.sleep(0.1)
        noted.append(await answers_anyhow("inner", 0))

    async with anyio.create_task_group() as group:
        for k in (2, 3):
            group.start_soon(ask, k)
        group.start_soon(inner)
    return noted


@enact.register(name="trio/answers_anyhow")
async def answers_anyhow(name, seconds):
    await anyio.sleep(seconds)
    return name


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_who_leaves_a_group_finds_what_there_was(backend):
    with enact.InMemoryStore():
        inv = anyio.run(enact.invoke_async, group_beside, (), backend=backend)
        assert inv.output == [["1"], "inner"]
        replay = inv.rewind(0).replay_async
        again = anyio.run(lambda: replay(live="forbid"), backend=backend)
        assert again.output == inv.output
