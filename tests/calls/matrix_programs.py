# SPDX-License-Identifier: Apache-2.0
"""One small program for each way of doing several things at once.

Each returns what its calls gave (``results``: the same under every schedule) and in
which order they ended. Names of leaves are unique within a program.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import random
import threading
import time
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import enact

PAUSES = (None, 0.0, 0.0003, 0.0007, 0.001)
SLOW = 60.0  # seconds
PERSON = 120.0


class Live:
    """What leaves do when they run: how long they take, and what comes of them."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.start(0)

    def start(
        self,
        schedule: int,
        answers: dict[str, str] | None = None,
        ask: str = "",
        waits: str = "",
    ) -> None:
        """Begin another execution.

        Args:
            schedule: says how long calls take.
            answers: what calls give in place of what they would.
            ask: the name of a call that asks a person.
            waits: one that takes as long as a person does.
        """
        self.schedule = schedule
        self.answers = answers or {}
        self.ask = ask
        self.waits = waits
        self.ran.clear()

    def pause(self, name: str) -> float | None:
        """Seconds, or None; it hangs on the name, not on who asks first."""
        if name == self.waits:
            return PERSON
        if name.startswith("slow"):
            return None if name in self.answers else SLOW
        if name.startswith("quick"):
            return None
        return random.Random(f"{self.schedule} {name}").choice(PAUSES)

    def answer(self, name: str, given: Any) -> str:
        return self.answers.get(name, f"{name}({given})")


LIVE = Live()


@enact.register(name="matrix/leaf")
async def leaf(name: str, given: Any = "") -> str:
    LIVE.ran.append(name)
    if name == LIVE.ask:
        return enact.request_input(str, for_value=name)
    pause = LIVE.pause(name)
    if pause is not None:
        await asyncio.sleep(pause)
    return LIVE.answer(name, given)


@enact.register(name="matrix/leaf_sync")
def leaf_sync(name: str, given: Any = "") -> str:
    LIVE.ran.append(name)
    if name == LIVE.ask:
        return enact.request_input(str, for_value=name)
    time.sleep(min(LIVE.pause(name) or 0, 0.01))
    return LIVE.answer(name, given)


@enact.register(name="matrix/branch")
async def branch(name: str) -> list[str]:
    return await asyncio.gather(leaf(f"{name}x"), leaf(f"{name}y"))


class Program(NamedTuple):
    run: Callable[[], Any]
    threads: bool
    loop: str


PROGRAMS: dict[str, Program] = {}


def program(fun: Callable[[], Any], *, threads: bool = False, loop: str = "") -> Any:
    """Register a program, and put it into the matrix."""
    name = fun.__name__
    registered = enact.register(name=f"matrix/{name}")(fun)
    PROGRAMS[name] = Program(registered, threads, loop)
    return registered


def with_threads(fun: Callable[[], Any]) -> Any:
    """Register a program that needs real time."""
    return program(fun, threads=True)


async def nap(name: str) -> None:
    """A wait that is in no record."""
    await asyncio.sleep(LIVE.pause(f"nap {name}") or 0)


async def two(order: list[str], name: str) -> list[str]:
    """Two calls, the second of which hangs on the first."""
    await nap(name)
    first = await leaf(f"{name}1")
    order.append(f"{name}1")
    second = await leaf(f"{name}2", first)
    order.append(f"{name}2")
    return [first, second]


# --- starting tasks and waiting for them ----------------------------------------------


@program
async def gather():
    order = []
    results = await asyncio.gather(two(order, "a"), two(order, "b"), two(order, "c"))
    return results, order


@program
async def gather_nested():
    order = []
    results = await asyncio.gather(
        asyncio.gather(two(order, "a"), branch("b")),
        asyncio.gather(branch("c"), two(order, "d")),
    )
    return results, order


@program
async def gather_exceptions():
    order = []

    async def failing(name):
        given = await leaf(name)
        order.append(name)
        raise ValueError(given)

    results = await asyncio.gather(
        two(order, "a"), failing("b"), failing("c"), return_exceptions=True
    )
    return [repr(one) for one in results], order


@program
async def task_group():
    order = []
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(two(order, name)) for name in "abc"]
        first = await leaf("main")
    return [first, *(task.result() for task in tasks)], order


@program
async def task_group_fails():
    """One fails: the others are cancelled."""

    async def failing():
        await leaf("quick")
        raise ValueError("no")

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(leaf("slow a"))
            group.create_task(leaf("slow b"))
            group.create_task(failing())
    except* ValueError as errors:
        said = [repr(error) for error in errors.exceptions]
    return [said, await leaf("after")], []


@program
async def awaited_late():
    order = []
    tasks = [asyncio.create_task(two(order, name)) for name in "ab"]
    main = await two(order, "main")
    return [main, *[await task for task in reversed(tasks)]], order


@program
async def as_completed():
    order = []
    results = []

    async def work(name):
        return f"after {name}", await two(order, name)

    # Untracked, it makes tasks of coroutines in the order of a set, which is chance.
    tasks = [asyncio.ensure_future(work(name)) for name in "abc"]
    for done in asyncio.as_completed(tasks):
        name, got = await done
        results.append([got, await leaf(name)])
        order.append(name)
    return sorted(results), order


@program
async def wait_all():
    order = []
    tasks = [asyncio.create_task(two(order, name)) for name in "abc"]
    done, pending = await asyncio.wait(tasks)
    assert len(done) == 3 and not pending
    return [task.result() for task in tasks], order


@program
async def wait_first():
    order = []
    waiting = {asyncio.create_task(leaf(name), name=name) for name in "abc"}
    results = []
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in sorted(done, key=asyncio.Task.get_name):
            name = f"after {task.get_name()}"
            results.append([task.result(), await leaf(name)])
            order.append(name)
    return sorted(results), order


@program
async def race():
    """The first one wins, the other is cancelled."""
    racers = [asyncio.create_task(leaf(name)) for name in ("slow", "a")]
    done, pending = await asyncio.wait(racers, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    return [[task.result() for task in racers if task in done], await leaf("z")], []


@program
async def wait_exception():
    async def failing():
        given = await leaf("a")
        raise ValueError(given)

    tasks = [asyncio.create_task(one) for one in (leaf("b"), failing(), leaf("slow"))]
    _, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    first = await tasks[0]
    for task in pending:
        task.cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    return [first, [repr(end) for end in ends]], []


# --- time -----------------------------------------------------------------------------


async def caught(what):
    try:
        return await what
    except TimeoutError:
        return "too late"


@program
async def wait_for():
    order = []

    async def work(name, limit):
        got = await caught(asyncio.wait_for(leaf(name), limit))
        order.append(name)
        return [got, await leaf(f"after {name}")]

    results = await asyncio.gather(
        work("a", 30.0), work("slow b", 0.01), work("c", None)
    )
    return results, order


@program
async def timeout():
    order = []

    async def work(first, second, limit):
        got = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                got.append(await leaf(first))
                order.append(first)
                got.append(await leaf(second))
                order.append(second)
        return [got, await leaf(f"after {first}")]

    results = await asyncio.gather(
        work("a1", "a2", 30.0), work("b1", "slow b2", 0.05), work("c1", "c2", None)
    )
    return results, order


# --- waiting for each other -----------------------------------------------------------


@program
async def queue_one_worker():
    order = []
    queue = asyncio.Queue()
    results = []

    async def worker():
        while (job := await queue.get()) is not None:
            results.append(await leaf(f"did {job}"))
            order.append(f"did {job}")

    task = asyncio.create_task(worker())
    for job in "abc":
        queue.put_nowait(await leaf(f"made {job}"))
        order.append(f"made {job}")
    queue.put_nowait(None)
    await task
    return results, [name for name in order if "made" in name]


@program
async def queue_workers():
    """Which worker does a job is in no result, but it is part of the order."""
    order = []
    queue = asyncio.Queue()
    results = []

    async def worker(number):
        while True:
            job = await queue.get()
            try:
                results.append(await leaf(job))
                order.append(job)
                took.append((number, job))
            finally:
                queue.task_done()

    took = []
    workers = [asyncio.create_task(worker(number)) for number in range(2)]
    for job in "abcde":
        queue.put_nowait(job)
    await queue.join()
    for task in workers:
        task.cancel()
    ends = await asyncio.gather(*workers, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ends)
    return sorted(results), order, took


@program
async def semaphore():
    order = []
    room = asyncio.Semaphore(2)

    async def work(name):
        async with room:
            return await two(order, name)

    return await asyncio.gather(*map(work, "abc")), order


@program
async def lock():
    order = []
    one = asyncio.Lock()

    async def work(name):
        await nap(name)
        async with one:
            return await two(order, name)

    return await asyncio.gather(*map(work, "abc")), order


@program
async def event():
    order = []
    go = asyncio.Event()

    async def work(name):
        await go.wait()
        return await two(order, name)

    async def starter():
        got = await leaf("start")
        go.set()
        return got

    return await asyncio.gather(work("a"), work("b"), starter()), order


@program
async def condition():
    order = []
    changed = asyncio.Condition()
    done = []

    async def work(name, after):
        async with changed:
            await changed.wait_for(lambda: len(done) >= after)
        got = await leaf(name)
        order.append(name)
        async with changed:
            done.append(name)
            changed.notify_all()
        return got

    return await asyncio.gather(work("c", 2), work("a", 0), work("b", 0)), order


@program
async def barrier():
    order = []
    meet = asyncio.Barrier(3)

    async def work(name):
        first = await leaf(f"{name}1")
        order.append(f"{name}1")
        await meet.wait()
        second = await leaf(f"{name}2", len(order) >= 3)
        order.append(f"{name}2")
        return [first, second]

    return await asyncio.gather(*map(work, "abc")), order


# --- cancelling -----------------------------------------------------------------------


@program
async def shield():
    order = []
    inner = asyncio.create_task(two(order, "a"))

    async def outer():
        return await asyncio.shield(inner)

    task = asyncio.create_task(outer())
    first = await leaf("quick")
    task.cancel()
    ends = await asyncio.gather(task, return_exceptions=True)
    return [first, [repr(end) for end in ends], await inner], order


@program
async def cancelling():
    order = []

    async def work():
        try:
            await leaf("a")
            order.append("a")
        finally:
            started.set()
        try:
            return await leaf("slow")
        except asyncio.CancelledError:
            return await leaf("cleaned up")

    started = asyncio.Event()
    task = asyncio.create_task(work())
    other = asyncio.create_task(two(order, "b"))
    await started.wait()
    await leaf("before")
    task.cancel()
    return [await task, await other], order


@program
async def cancelled_before_it_begins():
    task = asyncio.create_task(leaf("never"))
    task.cancel()
    ends = await asyncio.gather(task, leaf("a"), leaf("b"), return_exceptions=True)
    return [repr(end) for end in ends], []


# --- factories ------------------------------------------------------------------------


if hasattr(asyncio, "eager_task_factory"):

    @program
    async def eager_tasks():
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        order = []
        results = await asyncio.gather(
            two(order, "a"), branch("b"), leaf("quick"), two(order, "c")
        )
        return results, order


class OwnTask(asyncio.Task):
    pass


@program
async def own_task_factory():
    asyncio.get_running_loop().set_task_factory(
        lambda loop, coro, **options: OwnTask(coro, loop=loop, **options)
    )
    order = []
    results = await asyncio.gather(two(order, "a"), branch("b"), two(order, "c"))
    return results, order


async def on_uvloop():
    order = []
    results = await asyncio.gather(two(order, "a"), branch("b"), two(order, "c"))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(two(order, "d"))
        last = await caught(asyncio.wait_for(leaf("slow"), 0.02))
    return [results, last, task.result()], order


program(on_uvloop, loop="uvloop")


async def anyio_task_group():
    import anyio

    order = []
    results = {}

    async def work(name):
        results[name] = await two(order, name)

    async with anyio.create_task_group() as group:
        for name in "abc":
            group.start_soon(work, name)
    with anyio.move_on_after(0.05):
        await leaf("slow")
    async with anyio.create_task_group() as group:
        group.start_soon(leaf, "slow too")
        results["main"] = await leaf("main")
        group.cancel_scope.cancel()
    return sorted(results.items()), order


program(anyio_task_group, loop="anyio")


# --- threads --------------------------------------------------------------------------


def two_in_thread(name: str) -> list[str]:
    """It notes no order: what a thread does after its last call is in no record."""
    time.sleep(LIVE.pause(f"nap {name}") or 0)
    first = leaf_sync(f"{name}1")
    second = leaf_sync(f"{name}2", first)
    return [first, second]


@with_threads
async def run_in_executor():
    loop = asyncio.get_running_loop()
    results = await asyncio.gather(
        loop.run_in_executor(None, two_in_thread, "a"),
        loop.run_in_executor(None, two_in_thread, "b"),
        two([], "c"),
    )
    return results, []


@with_threads
async def to_thread():
    results = await asyncio.gather(
        *(asyncio.to_thread(two_in_thread, name) for name in "ab"),
        two([], "c"),
    )
    return results, []


@with_threads
def threads():
    results = {}

    def work(name):
        results[name] = two_in_thread(name)

    started = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    return sorted(results.items()), []


@with_threads
def executor_submit():
    with ThreadPoolExecutor(2) as pool:
        started = [pool.submit(two_in_thread, name) for name in "abc"]
        main = leaf_sync("main")
        return [main, *(future.result() for future in started)], []


@with_threads
def executor_map():
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(two_in_thread, "abc")), []


@with_threads
def executors_nested():

    def outer(name):
        with ThreadPoolExecutor(2) as inner:
            return list(inner.map(lambda n: leaf_sync(f"{name}{n}"), range(2)))

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(outer, "abc")), []


def untracked(name: str) -> str:
    time.sleep(LIVE.pause(f"nap {name}") or 0)
    return name


@with_threads
def thread_as_completed():
    """Which item is done next is chance, and in no result."""
    with ThreadPoolExecutor(2) as pool:
        items = [pool.submit(two_in_thread, name) for name in "abc"]
        items += [pool.submit(untracked, name) for name in "de"]
        first = leaf_sync("first")
        done = [
            leaf_sync(f"got {item.result()[0]}") for item in futures.as_completed(items)
        ]
    return [first, *sorted(done)], []


@with_threads
def thread_wait():
    """So it is here; several may be done at once."""
    done = []
    with ThreadPoolExecutor(2) as pool:
        left = {pool.submit(two_in_thread, name) for name in "ab"}
        left |= {pool.submit(untracked, name) for name in "cd"}
        while left:
            found, left = futures.wait(left, return_when=futures.FIRST_COMPLETED)
            done += [leaf_sync(f"got {item.result()[0]}") for item in found]
    return sorted(done), []


@with_threads
def thread_workers():
    """Which thread does a job is chance, and in no result."""
    results, jobs = [], queue.Queue()

    def worker(number):
        while (job := jobs.get()) is not None:
            results.append(leaf_sync(f"did {job}"))

    workers = [threading.Thread(target=worker, args=(n,)) for n in range(2)]
    for thread in workers:
        thread.start()
    for job in "abcd":
        jobs.put(leaf_sync(f"made {job}"))
    for _ in workers:
        jobs.put(None)
    for thread in workers:
        thread.join()
    return sorted(results), []


@with_threads
def thread_locks():
    """Which thread has the lock next is chance, and in no result."""
    lock, results = threading.Lock(), []

    def work(name):
        for n in range(2):
            time.sleep(LIVE.pause(f"nap {name}{n}") or 0)
            with lock:
                results.append(leaf_sync(f"{name}{n}"))

    workers = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in workers:
        thread.start()
    work("c")
    for thread in workers:
        thread.join()
    return sorted(results), []
