# SPDX-License-Identifier: Apache-2.0
"""Programs that do what cannot be recorded: a clear word, and the rest stays whole."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import multiprocessing
import os
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ProcessPoolExecutor

import pytest

import enact
from enact.calls import runs

KEPT: list[object] = []


@pytest.fixture(autouse=True)
def store(monkeypatch):
    KEPT.clear()
    monkeypatch.setattr(runs, "_warned", set())
    with enact.InMemoryStore() as store:
        yield store


@enact.register(name="bad/leaf")
def leaf(x):
    return x


@enact.register(name="bad/aleaf")
async def aleaf(x):
    await asyncio.sleep(0)
    return x


def tracked(inv):
    return [(call.name, call.output) for call in inv.children]


# --- tasks and threads that come late -------------------------------------------------


@enact.register(name="bad/late_thread")
def late_thread(go):
    def work():
        go_on[go].wait()
        KEPT.append(leaf("late"))
        again = threading.Thread(target=lambda: KEPT.append(leaf("later")))
        again.start()
        again.join()

    thread = threading.Thread(target=work)
    thread.start()
    threads[go] = thread
    return leaf("in time")


go_on: dict[str, threading.Event] = {}
threads: dict[str, threading.Thread] = {}


def finish(go):
    go_on[go].set()
    threads[go].join()


def test_a_thread_that_outlives_its_call_says_so_and_the_rest_is_whole():
    go_on["a"] = threading.Event()
    inv = enact.invoke(late_thread, ("a",))
    with pytest.warns(enact.LateCallWarning) as caught:
        finish("a")
    assert len(caught) == 2
    for warning in caught:
        assert "'bad/leaf' was called by" in str(warning.message)
        assert "outlived 'bad/late_thread'" in str(warning.message)
        assert warning.filename == __file__
    assert KEPT == ["late", "later"]
    assert tracked(inv) == [("bad/leaf", "in time")]
    assert inv.status == "completed"
    assert inv.replay() == inv


@enact.register(name="bad/late_task")
async def late_task(with_invoke=False):
    async def inner():
        KEPT.append(await aleaf("later"))

    async def work():
        await asyncio.sleep(0.01)
        if with_invoke:
            KEPT.append(await enact.invoke_async(aleaf, ("own",)))
            return
        KEPT.append(await aleaf("late"))
        await asyncio.create_task(inner())
        KEPT.append(await asyncio.to_thread(leaf, "thread"))

    KEPT.append(asyncio.create_task(work()))
    return await aleaf("in time")


async def run_late(*args):
    inv = await enact.invoke_async(late_task, args)
    await KEPT.pop(0)
    return inv


def test_a_task_that_outlives_its_call_says_so_and_the_rest_is_whole():
    with pytest.warns(
        enact.LateCallWarning, match="outlived 'bad/late_task'"
    ) as caught:
        inv = asyncio.run(run_late())
    assert [str(w.message).split("'")[1] for w in caught] == [
        "bad/aleaf",
        "bad/aleaf",
        "bad/leaf",
    ]
    assert KEPT == ["late", "later", "thread"]
    assert tracked(inv) == [("bad/aleaf", "in time")]


def test_what_a_late_task_invokes_is_a_record_of_its_own(store):
    inv = asyncio.run(run_late(True))
    [own] = KEPT
    assert (own.name, own.output) == ("bad/aleaf", "own")
    assert tracked(inv) == [("bad/aleaf", "in time")]
    assert {run.status for run in store.runs()} == {"completed"}


@enact.register(name="bad/in_flight")
async def in_flight():
    KEPT.append(asyncio.create_task(aleaf("x")))
    await asyncio.sleep(0)
    return 1


def test_a_call_that_returns_while_others_run_names_them():
    async def main():
        with pytest.raises(
            enact.IncompleteSubinvocationError,
            match="'bad/in_flight' returned while calls of bad/aleaf still run",
        ):
            await enact.invoke_async(in_flight)
        return await KEPT[0]

    assert asyncio.run(main()) == "x"


# --- event loops closed early ---------------------------------------------------------


@enact.register(name="bad/waits")
async def waits():
    await aleaf("before")
    if KEPT:
        return "after"
    await asyncio.sleep(100)


def close_loop_under(coro):
    loop = asyncio.new_event_loop()
    task = loop.create_task(coro)
    loop.run_until_complete(asyncio.sleep(0.02))
    loop.close()
    task._log_destroy_pending = False  # asyncio's own complaint is not ours to test
    del task, coro
    gc.collect()


def test_a_loop_closed_under_an_execution_leaves_a_record_that_can_go_on(store):
    close_loop_under(enact.invoke_async(waits))
    [run] = store.runs()
    assert run.status == "interrupted"
    inv = run.invocation
    assert inv.status == "incomplete"
    assert tracked(inv) == [("bad/aleaf", "before")]
    KEPT.append("go on")
    again = asyncio.run(inv.replay_async())
    assert again.output == "after"


@enact.register(name="bad/closes_loop")
def closes_loop():
    with contextlib.suppress(RuntimeError):
        close_loop_under(waits())
    return leaf("end")


def test_a_loop_closed_within_a_call_names_what_still_ran(store):
    with pytest.raises(enact.IncompleteSubinvocationError, match="bad/waits still run"):
        enact.invoke(closes_loop)
    [run] = store.runs()
    assert run.status == "failed"
    assert [call.status for call in run.invocation.children] == [
        "incomplete",
        "completed",
    ]


# --- streams --------------------------------------------------------------------------


@enact.register(name="bad/opened")
@contextlib.contextmanager
def opened(x):
    yield leaf(x)


@enact.register(name="bad/opens")
def opens():
    with opened(1) as x:
        return leaf(x)


@enact.register(name="bad/lazy")
def lazy(n):
    return (leaf(k) for k in range(n))


@enact.register(name="bad/reads_lazy")
def reads_lazy():
    return [*lazy(2), leaf("end")]


@pytest.mark.parametrize(
    ("program", "name", "advice"),
    [
        (reads_lazy, "bad/lazy", "return a list of the items, or register the gen"),
        (opens, "bad/opened", "put `@enact.register` below the decorator"),
    ],
)
def test_what_is_used_up_warns_once_with_advice_and_runs_as_ever(program, name, advice):
    untracked = program()
    with pytest.warns(enact.UnstorableWarning) as caught:
        inv = enact.invoke(program)
    [warning] = caught
    assert f"'{name}'" in str(warning.message)
    assert advice in str(warning.message)
    assert warning.filename == __file__
    assert inv.output == untracked
    for number in range(len(inv.children)):
        rewound = inv.rewind(number)
        assert rewound.replay() == inv
        with pytest.raises(enact.LiveCallForbidden, match=name):
            rewound.replay(live="forbid")


def test_a_stream_in_the_input_says_where():
    @enact.register(name="bad/total")
    def total(items):
        return sum(items)

    @enact.register(name="bad/sums")
    def sums():
        return total(leaf(k) for k in range(3))

    with pytest.warns(enact.UnstorableWarning, match=r"input.*args\[0\].*a generator"):
        inv = enact.invoke(sums)
    assert inv.output == 3
    assert [call.name for call in inv.walk()].count("bad/leaf") == 3


def test_a_stream_abandoned_till_after_the_loop_ends_is_told_of():
    @enact.register(name="bad/cleans")
    async def cleans():
        try:
            yield await aleaf(1)
        finally:
            KEPT.append(await aleaf("closed"))

    @enact.register(name="bad/abandons")
    async def abandons():
        async for item in cleans():
            return item

    asyncio.run(abandons())
    untracked = KEPT[:]
    KEPT.clear()
    with pytest.warns() as caught:
        inv = asyncio.run(enact.invoke_async(abandons))
    kinds = [warning.category for warning in caught]
    assert kinds == [enact.LateCallWarning]
    assert "outlived 'bad/cleans'" in str(caught[0].message)
    assert untracked == KEPT
    assert inv.output == 1


# --- recursion ------------------------------------------------------------------------


@enact.register(name="bad/deeper")
def deeper(n):
    return deeper(n + 1)


@enact.register(name="bad/adeeper")
async def adeeper(n):
    return await adeeper(n + 1)


@enact.register(name="bad/recovers")
def recovers():
    with contextlib.suppress(RecursionError):
        deeper(0)
    return leaf("end")


@enact.register(name="bad/arecovers")
async def arecovers():
    with contextlib.suppress(RecursionError):
        await adeeper(0)
    return await aleaf("end")


def test_recursion_to_the_limit_leaves_the_rest_whole(store):
    inv = enact.invoke(recovers)
    assert inv.output == "end"
    assert [call.status for call in inv.children] == ["failed", "completed"]
    assert isinstance(inv[0].error, RecursionError)
    assert inv.replay() == inv
    assert inv.rewind(1).replay() == inv
    chain = inv[0]
    while chain.children:
        # The last few may have got no further than to begin.
        assert chain.status in ("failed", "incomplete")
        chain = chain[0]
    again = asyncio.run(enact.invoke_async(arecovers))
    assert [call.status for call in again.children] == ["failed", "completed"]
    with pytest.raises(RecursionError):
        enact.invoke(deeper, (0,))
    assert [run.status for run in store.runs()].count("failed") == 1
    assert enact.invoke(leaf, (1,)).output == 1


# --- child processes ------------------------------------------------------------------

PROGRAM = """
    import os, sys
    import enact

    @enact.register
    def leaf(x):
        return x + 1

    def forked(loud):
        child = os.fork()
        if child == 0:
            if loud:
                leaf(1), leaf(2)
            os._exit(0)
        os.waitpid(child, 0)

    @enact.register
    def program(loud):
        forked(loud)
        return leaf(0)

    if __name__ == "__main__":
        with enact.InMemoryStore():
            for loud in False, True:
                print("loud" if loud else "quiet", file=sys.stderr, flush=True)
                inv = enact.invoke(program, (loud,))
                assert inv.output == 1
                assert [call.output for call in inv.children] == [1]
        print("fine")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_calls_in_forked_processes_run_and_say_that_they_are_not_recorded(tmp_path):
    (tmp_path / "prog.py").write_text(textwrap.dedent(PROGRAM))
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "prog.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "fine\n", done.stderr
    quiet, _, loud = done.stderr.partition("loud\n")
    assert "ChildProcessWarning" not in quiet
    said = "'prog:leaf' was called in a forked process of 'prog:program'"
    assert loud.count(said) == 1  # per process
    assert "prog.py:" in loud


NOTED: list[str] = []


def test_what_cannot_be_pickled_to_a_child_fails_as_ever_and_the_rest_is_whole():
    @enact.register(name="bad/unpickled")
    def program():
        context = multiprocessing.get_context("spawn")
        said = []
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            for fn in (lambda: 1, threading.Lock().locked):
                try:
                    pool.submit(fn).result()
                except Exception as error:
                    said.append("pickle" in str(error))
                    NOTED.extend(error.__notes__)
        return [said, leaf(1)]

    inv = enact.invoke(program)
    assert inv.output == [[True, True], 1]
    assert NOTED == 2 * ["(sent to a child process by a call of 'bad/unpickled')"]
    assert tracked(inv) == [("bad/leaf", 1)]
    assert inv.replay() == inv


@pytest.mark.parametrize("arguments", ["text", b"bytes", 3])
def test_arguments_that_are_in_no_tuple_are_refused(store, arguments):
    with pytest.raises(enact.InvokableTypeError, match="come in a tuple"):
        enact.invoke(leaf, arguments)
