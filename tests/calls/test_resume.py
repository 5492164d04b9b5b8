# SPDX-License-Identifier: Apache-2.0
"""Resuming runs that were cut off, in this process and after ``kill -9``."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import random
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import enact
from enact.calls import runs
from enact.stores import intake
from enact.values.cbor import links

RAN: list[object] = []
CUT: list[object] = []


class Cut(BaseException):
    """Stands for the death of the process: nothing after it is written."""


@pytest.fixture(autouse=True)
def start_afresh():
    RAN.clear()
    CUT.clear()


@enact.register(name="resume/leaf")
def leaf(x):
    RAN.append(x)
    if x in CUT:
        raise Cut
    return f"{x}!"


@enact.register(name="resume/aleaf")
async def aleaf(x, seconds=0.0):
    RAN.append(x)
    await asyncio.sleep(seconds)
    if x in CUT:
        raise Cut
    return f"{x}!"


@enact.register(name="resume/branch")
def branch(x):
    return [leaf(f"{x}{n}") for n in range(3)]


@enact.register(name="resume/program")
def program():
    return [branch("a"), leaf("b"), branch("c")]


class DyingBackend:
    """A backend of a process that dies: from some moment on nothing is written."""

    outlives_process = True

    def __init__(self, backend):
        self._backend = backend
        self.dead = False

    def __getattr__(self, name):
        return getattr(self._backend, name)

    def record(self, blocks, row):
        if not self.dead:
            self._backend.record(blocks, row)

    def put(self, blocks):
        if not self.dead:
            self._backend.put(blocks)

    def end_run(self, row):
        if not self.dead:
            self._backend.end_run(row)


def run(fun):
    """Invokes a program, async or not."""
    if asyncio.iscoroutinefunction(fun.__wrapped__):
        return asyncio.run(enact.invoke_async(fun))
    return enact.invoke(fun)


def die_at(calls, fun, store):
    """Runs a program until one of the calls, where its process dies."""
    backend = store.backend
    dying = DyingBackend(backend)
    store.backend = dying
    CUT[:] = calls
    record = dying._backend.record

    def watch(blocks, row):
        # The row that tells of the cut call itself is the first that is lost.
        if RAN and RAN[-1] in CUT:
            dying.dead = True
        if not dying.dead:
            record(blocks, row)

    dying.record = watch
    try:
        with store, pytest.raises(BaseException):  # noqa: B017  # Cut, or a group
            run(fun)
    finally:
        store.backend = backend
        CUT.clear()
    runs.LIVE.clear()
    return store.runs()[0]


@pytest.mark.parametrize("at", ["a0", "a1", "a2", "b", "c0", "c2"])
def test_what_returned_is_not_run_again(at):
    store = enact.InMemoryStore()
    run = die_at([at], program, store)
    assert run.status == "interrupted"
    before = list(RAN)
    inv = enact.resume(run)
    assert inv.output == [["a0!", "a1!", "a2!"], "b!", ["c0!", "c1!", "c2!"]]
    assert before[-1] == RAN[len(before)] == at
    assert sorted(RAN) == sorted(["a0", "a1", "a2", "b", "c0", "c1", "c2", at])
    assert store.runs()[0] == run and store.runs()[0].status == "completed"
    assert store.runs()[0].invocation == inv
    with store:
        assert enact.invoke(program) == inv


def test_a_run_that_is_cut_off_several_times_comes_to_its_end():
    store = enact.InMemoryStore()
    run = die_at(["a1"], program, store)
    for at in ("a2", "b", "c1"):
        backend = store.backend
        dying = store.backend = DyingBackend(backend)
        CUT[:] = [at]
        record = backend.record

        def watch(blocks, row, dying=dying, record=record):
            if RAN and RAN[-1] in CUT:
                dying.dead = True
            if not dying.dead:
                record(blocks, row)

        dying.record = watch
        with pytest.raises(Cut):
            enact.resume(run)
        store.backend = backend
        CUT.clear()
        assert store.run(run.id).status == "interrupted"
    inv = enact.resume(run)
    assert inv.output == [["a0!", "a1!", "a2!"], "b!", ["c0!", "c1!", "c2!"]]
    assert sorted(RAN) == sorted(
        ["a0", "a1", "a1", "a2", "a2", "b", "b", "c0", "c1", "c1", "c2"]
    )


def test_tasks_go_on_where_each_of_them_was():
    @enact.register(name="resume/worker")
    async def worker(name, steps):
        return [await aleaf(f"{name}{n}", 0.001 * (n + 1)) for n in range(steps)]

    @enact.register(name="resume/tasks")
    async def tasks():
        done = []

        async def collect(name):
            done.append(await worker(name, 4))

        await asyncio.gather(*(collect(name) for name in "abc"))
        return done

    store = enact.InMemoryStore()
    run = die_at(["b2"], tasks, store)
    before = set(RAN)
    partial = run.invocation
    kept = {view.output for view in partial.walk() if view.name == "resume/aleaf"}
    RAN.clear()
    inv = asyncio.run(enact.resume_async(run))
    assert sorted(map(tuple, inv.output)) == [
        tuple(f"{name}{n}!" for n in range(4)) for name in "abc"
    ]
    assert not {f"{x}!" for x in RAN} & kept, "a call that returned ran again"
    assert len(RAN) == len(set(RAN)) == 12 - len(kept)
    assert before & set(RAN) >= {"b2"}


def test_threads_go_on_where_each_of_them_was():
    @enact.register(name="resume/pool")
    def pool():
        with ThreadPoolExecutor(3) as executor:
            return list(executor.map(branch, "abcd"))

    store = enact.InMemoryStore()
    run = die_at(["c1"], pool, store)
    kept = {
        view.output
        for view in run.invocation.walk()
        if view.name == "resume/leaf" and view.successful()
    }
    RAN.clear()
    inv = enact.resume(run)
    assert inv.output == [[f"{x}{n}!" for n in range(3)] for x in "abcd"]
    assert not {f"{x}!" for x in RAN} & kept
    assert len(RAN) == 12 - len(kept)


def test_a_replay_that_is_cut_off_keeps_what_its_record_still_holds():
    store = enact.InMemoryStore()
    with store:
        first = enact.invoke(program)
        edited = first.edit(first[0, 1], output="edited")
        RAN.clear()

        @enact.register(name="resume/program")
        def changed():
            return [branch("a"), leaf("new"), leaf("b"), branch("c")]

        backend = store.backend
        dying = store.backend = DyingBackend(backend)
        record = backend.record
        CUT[:] = ["new"]

        def watch(blocks, row):
            if RAN and RAN[-1] in CUT:
                dying.dead = True
            if not dying.dead:
                record(blocks, row)

        dying.record = watch
        with pytest.raises(Cut):
            edited.replay()
        store.backend = backend
        CUT.clear()
        runs.LIVE.clear()
        assert RAN == ["new"]
        run = store.runs()[0]
        inv = enact.resume(run)
        assert inv.output == [
            ["a0!", "edited", "a2!"], "new!", "b!", ["c0!", "c1!", "c2!"]
        ]  # fmt: skip
        assert RAN == ["new", "new"]
        enact.register(program.__wrapped__, name="resume/program")


def test_a_run_that_came_to_its_end_or_is_executed_is_refused():
    store = enact.InMemoryStore()
    with store:
        enact.invoke(leaf, ("x",))
        with pytest.raises(enact.NotResumable, match="came to its end"):
            enact.resume(store.runs()[0])
        with pytest.raises(enact.NotFound, match="no run"):
            enact.resume("00")
        told = []

        @enact.register(name="resume/inside")
        def inside():
            thread = threading.Thread(target=outside)
            enact.contexts.with_new_contexts(thread.start)()
            thread.join()

        def outside():
            try:
                enact.resume(store.runs()[0])
            except enact.RunIsLive as error:
                told.append(str(error))

        enact.invoke(inside)
        assert "is being executed by process" in told[0]


def test_a_run_whose_program_is_gone_says_so():
    store = enact.InMemoryStore()
    run = die_at(["b"], program, store)
    from enact.calls import targets

    known = targets._newest.pop("resume/program")
    try:
        with pytest.raises(enact.UnregisteredType, match="resume/program"):
            enact.resume(run)
    finally:
        targets._newest["resume/program"] = known
    assert enact.resume(run).successful()


def test_a_call_that_must_not_be_tried_twice_is_in_doubt():
    keys = []

    @enact.register(name="resume/pay", retry="never")
    def pay(x):
        keys.append(enact.current_call().idempotency_key)
        return leaf_now(x)

    def leaf_now(x):
        RAN.append(x)
        if x in CUT:
            raise Cut
        return f"paid {x}"

    @enact.register(name="resume/shop")
    def shop():
        return [leaf("order"), pay("7"), leaf("ship")]

    store = enact.InMemoryStore()
    run = die_at(["7"], shop, store)
    with pytest.raises(enact.InDoubt, match="retry='never'") as caught:
        enact.resume(run)
    assert caught.value.path == "1"
    assert RAN == ["order", "7"]
    with store:
        edited = store.run(run.id).invocation.edit("1", output="paid by hand")
        assert edited.replay().output == ["order!", "paid by hand", "ship!"]
    assert RAN == ["order", "7", "ship"]
    inv = enact.resume(run, in_doubt="retry")
    assert inv.output == ["order!", "paid 7", "ship!"]
    assert keys[0] == keys[1]


KEYS: list[str] = []


@enact.register(name="resume/keyed")
def keyed(x):
    KEYS.append(enact.current_call().idempotency_key)
    if x == 2 and len(KEYS) < 4:
        raise ValueError
    return x


@enact.register(name="resume/keys")
def all_keys():
    return [keyed(1), keyed(1), keyed(2)]


def test_the_idempotency_key_tells_calls_apart_and_stays_in_retries():
    KEYS.clear()
    with enact.InMemoryStore() as store:
        failed = enact.invoke(all_keys, wrap_exceptions=True)
        assert failed.replay().output == [1, 1, 2]
        assert len(set(KEYS[:3])) == 3 and KEYS[3:] == KEYS[2:3]
        enact.invoke(all_keys)
        assert not set(KEYS[4:]) & set(KEYS[:4])
        run = store.runs()[1]
        assert run.how == "replay" and run.derived_from == failed.ref


def test_of_two_resumes_at_once_one_wins_and_the_other_is_told(tmp_path):
    store = enact.SQLiteStore(tmp_path / "runs.db")
    run = die_at(["b"], slow_program, store)
    other = enact.SQLiteStore(tmp_path / "runs.db")
    outcomes = []
    start = threading.Barrier(2)

    def go_on(store):
        start.wait()
        try:
            outcomes.append(enact.resume(store.run(run.id)).output)
        except (enact.RunIsLive, enact.NotResumable) as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=go_on, args=(s,)) for s in (store, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ["a!", "b!"] in outcomes
    (told,) = (outcome for outcome in outcomes if outcome != ["a!", "b!"])
    assert run.id in told
    assert sorted(RAN) == ["a", "b", "b"]
    store.close()
    other.close()


@enact.register(name="resume/slow_program")
def slow_program():
    first = leaf("a")
    time.sleep(0.05)
    return [first, leaf("b")]


@enact.register(name="resume/inner")
def inner():
    return [leaf("i0"), leaf("i1"), leaf("i2")]


@enact.register(name="resume/outer")
def outer():
    return enact.invoke(inner).output


def test_an_invoke_within_a_run_goes_on_after_a_crash():
    store = enact.InMemoryStore()
    with store:
        expected = enact.invoke(outer)
    RAN.clear()
    run = die_at(["i1"], outer, store)
    run = next(one for one in store.runs() if one.name == "resume/outer")
    inv = enact.resume(run)
    assert RAN == ["i0", "i1", "i1", "i2"]
    assert inv.output == expected.output
    assert [one.status for one in store.runs()].count("interrupted") == 0


def cut_after(store, records, execute):
    """Executes something of which only the first records are written; the last run."""
    backend = store.backend
    dying = DyingBackend(backend)
    left = iter(range(records))

    def record(blocks, row):
        dying.dead = dying.dead or next(left, None) is None
        if not dying.dead:
            backend.record(blocks, row)

    dying.record = record
    store.backend = dying
    with contextlib.suppress(enact.MissingBlock):  # it goes on, as no dead one would
        execute()
    store.backend = backend
    runs.LIVE.clear()
    assert dying.dead
    RAN.clear()
    return store.runs()[0]


@pytest.mark.parametrize("records", [1, 2, 3])
def test_a_replay_that_is_cut_off_at_once_has_all_of_its_record(records, monkeypatch):
    old = branch

    @enact.register(name="resume/branch")
    def changed(x):
        return [leaf(f"{x}{n}") for n in (0, 3, 1, 2)]

    store = enact.InMemoryStore()
    with store:
        enact.register(old.__wrapped__, name="resume/branch")
        first = enact.invoke(program)
        enact.register(changed.__wrapped__, name="resume/branch")
        monkeypatch.setitem(globals(), "branch", changed)
        try:
            run = cut_after(store, records, first.replay)
            inv = enact.resume(run)
        finally:
            enact.register(old.__wrapped__, name="resume/branch")
    a, c = ([f"{x}{n}!" for n in (0, 3, 1, 2)] for x in "ac")
    assert inv.output == [a, "b!", c]
    expected = ["c3"] if records > 2 else ["a3", "c3"]
    assert expected == RAN


@enact.register(name="resume/abranch")
async def abranch(x):
    return [await aleaf(f"{x}{n}") for n in range(1, 4)]


@enact.register(name="resume/lanes")
async def lanes():
    async def worker(x):
        return [await aleaf(f"{x}0"), await abranch(x)]

    return await asyncio.gather(worker("a"), worker("b"))


def test_lanes_of_a_replay_that_nothing_tells_the_order_of_keep_what_ran():
    store = enact.InMemoryStore()
    with store:
        base = asyncio.run(enact.invoke_async(lanes))
        expected = base.output
        rewound = base.rewind(2)
        assert [view.name for view in rewound.children] == ["resume/aleaf"] * 2
        # Rows of the program and of both branches, then one leaf of each of them.
        run = cut_after(store, 5, lambda: asyncio.run(rewound.replay_async()))
        inv = asyncio.run(enact.resume_async(run))
    assert inv.output == expected
    assert sorted(RAN) == ["a2", "a3", "b2", "b3"]


@enact.register(name="resume/consumers")
async def consumers():
    items = asyncio.Queue()
    done = asyncio.Queue()

    async def consume(number):
        while (item := await items.get()) is not None:
            done.put_nowait((number, await aleaf(item, 0.001)))

    tasks = [asyncio.create_task(consume(number)) for number in range(3)]
    got = []
    for item in "abcd":
        items.put_nowait(await aleaf(item, 0.001))
        got.append(await done.get())
    for _ in tasks:
        items.put_nowait(None)
    await asyncio.gather(*tasks)
    return got


def test_tasks_of_which_nothing_is_recorded_do_not_overtake_the_others():
    store = enact.InMemoryStore()
    with store:
        inv = asyncio.run(enact.invoke_async(consumers))
        assert inv.output == [(0, "a!!"), (1, "b!!"), (2, "c!!"), (0, "d!!")]
        for records in range(2, 9):
            run = cut_after(
                store, records, lambda: asyncio.run(enact.invoke_async(consumers))
            )
            again = asyncio.run(enact.resume_async(run))
            assert again.output == inv.output
            assert len(RAN) == 8 - (records - 1)


@enact.register(name="resume/timeouts")
async def timeouts():
    async def worker(x):
        got = []
        for n in range(2):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(aleaf(f"{x}{n} slow", 60.0), 0.02)
            got.append(await aleaf(f"{x}{n}"))
        return got

    return await asyncio.gather(worker("a"), worker("b"))


def test_calls_that_the_program_cancels_in_tasks_are_replayed():
    with enact.InMemoryStore():
        inv = asyncio.run(enact.invoke_async(timeouts))
        RAN.clear()
        again = asyncio.run(inv.replay_async(live="forbid"))
    assert again == inv and RAN == []


@enact.register(name="resume/fails")
def fails():
    leaf("before")
    raise ValueError


@enact.register(name="resume/fails_below")
def fails_below():
    return fails()


@enact.register(name="resume/handles")
def handles():
    try:
        return fails_below()
    except ValueError:
        return leaf("instead")


def test_what_failed_and_was_handled_is_replayed_where_no_call_may_run():
    with enact.InMemoryStore():
        inv = enact.invoke(handles)
        RAN.clear()
        assert inv.replay(live="forbid") == inv
        assert RAN == []


def test_threads_of_the_store_are_none_of_the_programs(tmp_path, monkeypatch):
    monkeypatch.setattr(intake, "FOLD_BYTES", 10)
    with enact.SQLiteStore(tmp_path / "runs.db") as store:
        inv = asyncio.run(enact.invoke_async(tasks_at_the_end))
        assert {call.lane for call in store.calls(invokable=aleaf)} == {(0,), (1,)}
        assert inv.output == ["a!", "b!"]
    store.close()


@enact.register(name="resume/tasks_at_the_end")
async def tasks_at_the_end():
    for n in range(5):
        leaf(n)
    return await asyncio.gather(aleaf("a"), aleaf("b"))


def test_a_replay_that_left_out_calls_is_resumed_on_its_own_way():
    store = enact.InMemoryStore()
    with store:
        first = enact.invoke(program)
        try:

            @enact.register(name="resume/program")
            def changed():
                return [branch("a"), branch("c"), branch("d")]

            # Rows of the program, of branch d, and of one leaf there.
            run = cut_after(store, 3, first.replay)
            inv = enact.resume(run)
        finally:
            enact.register(program.__wrapped__, name="resume/program")
    assert inv.output == [[f"{x}{n}!" for n in range(3)] for x in "acd"]
    assert RAN == ["d1", "d2"]


@enact.register(name="resume/count")
def count(parts):
    return [len(parts), leaf("count")]


@enact.register(name="resume/counts")
def counts():
    return count(branch("a"))


@pytest.mark.parametrize("records", [1, 2, 3])
def test_a_replay_of_something_edited_goes_on_from_what_was_put_in(records):
    store = enact.InMemoryStore()
    with store:
        first = enact.invoke(counts)
        edited = first.edit(first[0, 1], output="edited")
        run = cut_after(store, records, edited.replay)
        inv = enact.resume(run)
    assert inv[0].output == ["a0!", "edited", "a2!"]
    assert inv.output == [3, "count!"]
    assert RAN == []


def test_a_damaged_journal_is_told_and_nothing_runs(tmp_path):
    store = enact.SQLiteStore(tmp_path / "runs.db")
    run = die_at(["b"], program, store)
    store.close()
    RAN.clear()
    with contextlib.closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
        connection.execute("UPDATE calls SET position = position + 1 WHERE parent = 0")
        connection.commit()
    store = enact.SQLiteStore(tmp_path / "runs.db")
    assert store.run(run.id).status == "interrupted"
    with pytest.raises(enact.CorruptBlock, match="damaged"):
        enact.resume(store.run(run.id))
    assert RAN == [] and not store.check().ok
    store.close()


def test_edits_that_cannot_be_made_say_where():
    with enact.InMemoryStore():
        inv = enact.invoke(program)
        with pytest.raises(enact.NoSuchCall, match="no call 7 in 0"):
            inv.edit("0/7", output="x")
        with pytest.raises(enact.UnstorableValue, match=r"\[1\]"):
            inv.edit("0/1", output=[1, object()])
        assert inv.replay() == inv


@enact.register(name="resume/step")
def step(text, number):
    leaf(f"step {number}")
    return f"{text} {number}"


@enact.register(name="resume/steps")
def steps():
    text = branch("a")[1]
    for number in range(3):
        text = step(text, number)
    return text


@pytest.mark.parametrize("records", range(1, 6))
def test_calls_with_another_request_find_what_was_recorded_below_them(records):
    store = enact.InMemoryStore()
    with store:
        first = enact.invoke(steps)
        edited = first.edit(first[0, 1], output="edited")
        run = cut_after(store, records, edited.replay)
        inv = enact.resume(run)
    assert inv.output == "edited 0 1 2"
    assert RAN == []


@enact.register(name="resume/Tally")
@dataclasses.dataclass
class Tally(enact.Invokable[str, int]):
    seen: list[str] = dataclasses.field(default_factory=list)

    def call(self, x: str) -> int:
        self.seen.append(leaf(x))
        leaf(f"{x} after")
        return len(self.seen)


@enact.register(name="resume/Twice")
@dataclasses.dataclass
class Twice(enact.Invokable[str, int]):
    tally: Tally

    def call(self, x: str) -> int:
        leaf(f"{x} begins")
        return self.tally(f"{x} once") + self.tally(f"{x} twice")


@enact.register(name="resume/tallied")
def tallied():
    tally = Tally()
    got = [tally("t0"), tally("t1")]
    twice = Twice(tally)
    got += [twice("u0"), twice("u1"), tally("z")]
    return [got, tally.seen]


@pytest.mark.parametrize("first", range(1, 5))
def test_an_edited_replay_that_is_cut_off_twice_loses_nothing(first):
    for second in range(1, 9):
        store = enact.InMemoryStore()
        with store:
            edited = enact.invoke(tallied).edit("0/0", output="edited")
            expected = edited.replay().output
            run = cut_after(store, first, edited.replay)
            with contextlib.suppress(AssertionError):  # it came to its end
                cut_after(store, second, lambda run=run: enact.resume(run))
            RAN.clear()
            if store.run(run.id).status == "interrupted":
                assert enact.resume(run).output == expected
            assert RAN == []


def test_a_call_that_was_interrupted_stays_in_doubt():
    @enact.register(name="resume/pay_once", retry="never")
    def pay_once(x):
        RAN.append(x)
        raise KeyboardInterrupt

    @enact.register(name="resume/till")
    def till():
        return pay_once("9")

    store = enact.InMemoryStore()
    with store:
        with pytest.raises(KeyboardInterrupt):
            enact.invoke(till)
        run = store.runs()[0]
        for _ in range(2):
            with pytest.raises(enact.InDoubt):
                enact.resume(run)
        for _ in range(2):
            with pytest.raises(enact.InDoubt):
                run.invocation.replay()
            with pytest.raises(enact.InDoubt):
                enact.resume(store.runs()[0])
    assert RAN == ["9"]


PAUSE = {"a": 0.05}


@enact.register(name="resume/paused")
async def paused(x):
    RAN.append(x)
    await asyncio.sleep(PAUSE.get(x, 0))
    return f"{x}!"


@enact.register(name="resume/overlapping")
async def overlapping():
    results = []

    async def worker(name):
        results.append(await paused(name))
        return await paused(f"{name} is {len(results)}")

    return await asyncio.gather(*map(worker, "abc"))


def test_a_call_in_flight_ends_after_what_had_ended_before_it(monkeypatch):
    for records in range(2, 6):
        store = enact.InMemoryStore()
        with store:
            run = cut_after(
                store, records, lambda: asyncio.run(enact.invoke_async(overlapping))
            )
            recorded = [call.input.args[0] for call in run.invocation.children]
            assert "a" in recorded, "what was in flight is in the record"
            with monkeypatch.context() as patch:
                patch.setitem(PAUSE, "a", 0)  # this time it is quick
                inv = asyncio.run(enact.resume_async(run))
            first, second = ("a", "c") if records == 2 else ("c", "a")
            both = {f"{first} is 2!", f"{second} is 3!"}
            # With two records, c was in flight as well.
            assert set(inv.output) == {"b is 1!", *both}
            assert RAN.count("a") == 1 and len(RAN) == 6 - (records - 1)
            RAN.clear()
            assert asyncio.run(inv.rewind(0).replay_async(live="forbid")) == inv


def test_a_call_in_flight_may_be_another_one_when_it_runs_again(monkeypatch):
    words = WORDS

    @enact.register(name="resume/worded")
    async def worded():
        return await asyncio.gather(paused("b"), paused(words[0]))

    monkeypatch.setitem(PAUSE, "first", 0.05)
    store = enact.InMemoryStore()
    with store:
        run = cut_after(store, 2, lambda: asyncio.run(enact.invoke_async(worded)))
        assert [call.status for call in run.invocation.children] == [
            "completed",
            "incomplete",
        ]
        WORDS[:] = ["second"]
        inv = asyncio.run(enact.resume_async(run, on_code_change="reuse"))
        assert inv.output == ["b!", "second!"] and RAN == ["second"]
    WORDS[:] = ["first"]


WORDS = ["first"]


class NothingBeforeItsTime:
    """A backend that is slow, and looks if each row could be the last one written."""

    def __init__(self, backend):
        self._backend = backend
        self.too_early = []

    def __getattr__(self, name):
        return getattr(self._backend, name)

    def put(self, blocks):
        time.sleep(random.random() * 0.004)
        self._backend.put(blocks)

    def record(self, blocks, row):
        time.sleep(random.random() * 0.004)
        numbers = {known.number for known in self._backend.calls(run=row.run)}
        if row.parent is not None and row.parent not in numbers:
            self.too_early.append((row.invokable, "before its parent"))
        self._backend.record(blocks, row)
        for cid in (row.request, row.invocation):
            try:
                if cid is not None:
                    self._all_below(cid)
            except enact.MissingBlock as error:
                self.too_early.append((row.invokable, str(error)))

    def _all_below(self, cid):
        found = self._backend.get([cid])
        if cid not in found:
            raise enact.MissingBlock(cid.hex())
        for link in links(found[cid]):
            self._all_below(link)


@enact.register(name="resume/twigs")
def twigs(name):
    return [leaf(f"{name} {n}") for n in range(2)]


@enact.register(name="resume/starts_together")
def starts_together():
    ready = threading.Barrier(4)

    def work(name):
        ready.wait()
        return twigs(name)

    with ThreadPoolExecutor(4) as pool:
        return [*pool.map(work, "abcd")]


def test_a_row_that_threads_write_needs_nothing_that_is_not_written():
    for _ in range(10):
        store = enact.InMemoryStore()
        backend = store.backend = NothingBeforeItsTime(store.backend)
        with store:
            enact.invoke(starts_together)
        assert backend.too_early == []
