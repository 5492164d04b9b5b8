# SPDX-License-Identifier: Apache-2.0
"""Faults that a review found, each as a small program."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

import enact
from enact.calls import thread_turns

RAN: list[object] = []
# What programs depend on without a record of it.
SEEN: list[object] = []


@pytest.fixture(autouse=True)
def store():
    RAN.clear()
    with enact.InMemoryStore() as store:
        yield store


@enact.register
def leaf(x):
    RAN.append(x)
    return f"{x}:{len(RAN)}"


@enact.register
async def aleaf(x):
    await asyncio.sleep(0.001)
    return leaf(x)


def replayed(program, *args):
    """What the program gives live, and when all its calls are answered."""
    inv = enact.invoke(program, args)
    live = len(RAN)
    again = inv.rewind(0).replay()
    assert len(RAN) == live
    assert again == inv
    return inv.output


@enact.register
@dataclasses.dataclass
class Pair(enact.Invokable[int, None]):
    a: list
    b: list

    def call(self, n: int) -> None:
        self.a = [*self.a, n]


@enact.register
@dataclasses.dataclass
class History(enact.Invokable[str, list]):
    items: list = dataclasses.field(default_factory=list)

    def call(self, word: str) -> list:
        if word:
            self.items = [*self.items, word]
        return self.items


def test_a_rebound_attribute_leaves_what_others_hold():
    @enact.register(name="edges/rebound")
    def program():
        shared = []
        pair = Pair(shared, shared)
        pair(1)
        history = History()
        before = history.items
        history("a")
        return [pair.a, pair.b, before, history.items]

    assert replayed(program) == [[1], [], [], ["a"]]


def test_an_output_that_is_part_of_an_argument_stays_so():
    @enact.register(name="edges/pick")
    def pick(options, *, key):
        return options[key]

    @enact.register(name="edges/aliased")
    def program():
        history = History(["a"])
        history("").append("b")
        options = {"x": [1], "y": [2]}
        return [history.items == ["a", "b"], pick(options, key="y") is options["y"]]

    assert replayed(program) == [True, True]


def make(k):
    @enact.register
    def add(x):
        return leaf(10 * k + x)

    return add


@enact.register(name="edges/apply")
def apply(fn, x):
    return fn(x)


@pytest.mark.filterwarnings("ignore::enact.AmbiguousNameWarning")
def test_closures_given_as_arguments_are_found_again():
    closures = [make(k) for k in range(3)]
    inv = enact.invoke(apply, (closures[0], 2))
    assert inv.rewind(1).replay().output.startswith("2:")


def test_causes_of_handled_exceptions_come_back():
    @enact.register(name="edges/raises_from")
    def raises():
        try:
            raise ValueError("low")
        except ValueError as error:
            raise KeyError("high") from error

    @enact.register(name="edges/reads_cause")
    def program():
        try:
            raises()
        except KeyError as error:
            return [type(error.__cause__).__name__, str(error.__cause__)]

    assert replayed(program) == ["ValueError", "low"]


def test_a_task_that_makes_fewer_calls_is_an_error():
    SEEN[:] = [2]

    async def work(n):
        return [await aleaf(f"{n}/{i}") for i in range(SEEN[0])]

    @enact.register(name="edges/fewer")
    async def program():
        return await asyncio.gather(work(0), work(1))

    inv = asyncio.run(enact.invoke_async(program))
    SEEN[:] = [1]
    with pytest.raises(enact.ReplayError, match="was not made"):
        asyncio.run(inv.rewind(0).replay_async())


def test_an_attended_program_asks_from_threads_too():
    @enact.register(name="edges/asks_in_thread")
    def program():
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(enact.request_input, str, default="nobody").result()

    gen = enact.InvocationGenerator.from_callable(program)
    for _ in gen:
        gen.set_input("somebody")
    assert gen.invocation.output == "somebody"


def test_the_call_at_the_top_can_be_edited_to_raise():
    inv = enact.invoke(leaf, (1,)).edit(raises=KeyError("x"))
    with pytest.raises(KeyError):
        inv.replay()
    assert RAN == [1]


def test_calls_after_a_caught_exit_are_part_of_the_record():
    @enact.register(name="edges/exits")
    def exits():
        sys.exit(3)

    @enact.register(name="edges/catches_exit")
    def program():
        try:
            exits()
        except SystemExit:
            pass
        return leaf("after")

    inv = enact.invoke(program)
    assert [view.status for view in inv.children] == ["incomplete", "completed"]
    assert inv.rewind(0).replay().output == inv.output and RAN == ["after"]


def test_calls_on_the_way_out_of_an_interrupt_are_set_aside(store):
    @enact.register(name="edges/interrupted")
    def program(now):
        try:
            leaf("work")
            if not RAN[1:]:
                stop()
        finally:
            leaf("clean up")

    @enact.register(name="edges/stop")
    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        enact.invoke(program, (1,))
    inv = store.runs()[0].invocation
    assert len(inv.children) == 2
    assert len(inv.response().details["unwinding"]) == 1


def test_a_cancelled_execution_goes_on_when_replayed(store):
    @enact.register(name="edges/slow")
    async def slow(x):
        await asyncio.sleep(0.2 if not RAN[1:] else 0)
        return leaf(x)

    @enact.register(name="edges/long")
    async def program():
        return [await aleaf("first"), await slow("second")]

    async def cut():
        await asyncio.wait_for(enact.invoke_async(program), 0.05)

    with pytest.raises(TimeoutError):
        asyncio.run(cut())
    run = store.runs()[0]
    assert run.status == "interrupted"
    RAN.append("patience")
    again = asyncio.run(asyncio.wait_for(run.invocation.replay_async(), 5))
    assert [text.partition(":")[0] for text in again.output] == ["first", "second"]


def test_a_call_that_the_program_cancels_is_cancelled_again():
    @enact.register(name="edges/forever")
    async def forever():
        await asyncio.sleep(60)

    @enact.register(name="edges/timeout")
    async def program():
        try:
            async with asyncio.timeout(0.02):
                await forever()
        except TimeoutError:
            return await aleaf("too slow")

    inv = asyncio.run(enact.invoke_async(program))
    assert inv[0].status == "cancelled"
    again = asyncio.run(asyncio.wait_for(inv.rewind(0).replay_async(), 5))
    assert again.output == inv.output and len(RAN) == 1


def test_a_call_that_raises_cancelled_error_itself_is_data():
    @enact.register(name="edges/raises_cancelled")
    async def raises():
        task = asyncio.ensure_future(asyncio.sleep(5))
        await asyncio.sleep(0)
        task.cancel()
        await task

    @enact.register(name="edges/handles_cancelled")
    async def program():
        try:
            await raises()
        except asyncio.CancelledError:
            return "handled"

    inv = asyncio.run(enact.invoke_async(program))
    again = asyncio.run(asyncio.wait_for(inv.rewind(0).replay_async(), 5))
    assert again.output == inv.output == "handled"


def test_a_pause_does_not_wait_for_a_heartbeat():
    @enact.register(name="edges/heartbeat")
    async def program():
        async def beat():
            while True:
                await asyncio.sleep(0.02)

        task = asyncio.create_task(beat())
        answer = enact.request_input(str)
        task.cancel()
        return answer

    async def run():
        inv = await enact.invoke_async(program)
        return await inv.get_raised().continue_invocation_async(inv, "yes")

    assert asyncio.run(asyncio.wait_for(run(), 20)).output == "yes"


DEEP = """
import enact
@enact.register(name="edges/recursive")
def recursive(n): return recursive(n + 1)
with enact.InMemoryStore() as store:
    try:
        enact.invoke(recursive, (0,))
    except RecursionError:
        print(store.runs()[0].status)
"""


def test_deep_recursion_ends_with_pythons_own_error():
    # In a process of its own: at the limit, whatever else runs may fail as well.
    run = [sys.executable, "-c", DEEP]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert done.stdout == "failed\n"


class Thing:
    """Not storable; its repr has an address."""


def test_what_cannot_be_stored_does_not_stop_a_replay():
    @enact.register(name="edges/takes")
    def takes(thing, x):
        return leaf(x)

    @enact.register(name="edges/gives")
    def program():
        return [takes(Thing(), 1), leaf(2)]

    with pytest.warns(enact.UnstorableWarning):
        inv = enact.invoke(program)
    again = inv.rewind(0).replay()
    assert again.output == inv.output and RAN == [1, 2]
    assert again.verdicts() == {"0": "rerun: not stored"}


def test_a_program_cannot_swallow_that_its_replay_failed():
    SEEN[:] = ["a"]

    @enact.register(name="edges/swallows")
    def program():
        try:
            return leaf(SEEN[-1])
        except Exception:
            return "fallback"

    inv = enact.invoke(program)
    SEEN.append("b")
    with pytest.raises(enact.ReplayError, match="'b'"):
        inv.rewind(0).replay()


def test_a_changed_argument_is_named_to_the_depth_of_the_change():
    @enact.register(name="edges/deep_change")
    def changes(value):
        value["k"][1]["m"].append(1)

    with pytest.raises(enact.InputChanged, match=r"\$\.args\[0\]\['k'\]\[1\]\['m'\]"):
        enact.invoke(changes, ({"k": [0, {"m": []}]},))


@enact.register(name="edges/joins_first")
def joins_first():
    began = threading.Event()

    def work():
        began.wait()
        for number in range(20):
            SEEN.append(kept(number))

    worker = threading.Thread(target=work)
    worker.start()
    if not SWAPPED:
        kept(-1)
    began.set()
    worker.join()
    if SWAPPED:
        kept(-1)


SWAPPED: list[bool] = []


@enact.register(name="edges/kept")
def kept(number):
    return number


def test_threads_wait_once_for_another_that_goes_another_way(monkeypatch):
    monkeypatch.setattr(thread_turns, "PATIENCE", 1.0)
    waits = []
    wait_for = thread_turns.ThreadTurns._wait_for
    monkeypatch.setattr(
        thread_turns.ThreadTurns,
        "_wait_for",
        lambda self, event, timeout: (
            waits.append(timeout),
            wait_for(self, event, timeout),
        ),
    )
    SWAPPED.clear()
    with enact.InMemoryStore():
        inv = enact.invoke(joins_first)
        SWAPPED.append(True)
        SEEN.clear()
        inv.rewind(0).replay(strict=False)
    assert list(range(20)) == SEEN
    assert 1 <= sum(waits) < 3  # seconds


@enact.register
def one_after_the_other():
    return [leaf(n) for n in range(3)]


@enact.register
async def at_once():
    return await asyncio.gather(*map(aleaf, range(3)))


@enact.register
def in_threads():
    with ThreadPoolExecutor(2) as pool:
        return [*pool.map(leaf, range(3))]


def run_and_replay(program):
    """What would keep a store in memory."""
    store = enact.InMemoryStore()
    with store:
        if program is at_once:
            inv = asyncio.run(enact.invoke_async(program))
            asyncio.run(inv.rewind(1).replay_async())
        else:
            enact.invoke(program).rewind(1).replay()
    return weakref.ref(store.backend)


@pytest.mark.parametrize("program", [one_after_the_other, at_once, in_threads])
def test_a_store_that_nobody_has_any_more_is_gone(program):
    backend = run_and_replay(program)
    gc.collect()
    assert backend() is None
