# SPDX-License-Identifier: Apache-2.0
"""Programs that ``crash.py`` kills: each leaf call has an effect outside of the store.

Each call tells a side file that its code begins, and a leaf also that it is about to
return. A label names a call in the same way in every try; no two calls share one.
What a program gives does not depend on which of its tasks or threads is faster.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import queue
import signal
import threading
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import enact
from enact.calls.lanes import CURRENT

# --- the side file, and the hand that kills ---------------------------------------


class Trap:
    """Kills the process when it comes to a point for the n-th time.

    Args:
        point: where; no point for a trap that only counts.
        count: at which time.
    """

    def __init__(self, point: str = "", count: int = 0) -> None:
        self.point = point
        self.count = count
        self.seen: dict[str, int] = {}
        self._lock = threading.Lock()

    def at(self, point: str) -> None:
        """The process comes to a point."""
        with self._lock:
            self.seen[point] = self.seen.get(point, 0) + 1
            if point == self.point and self.seen[point] == self.count:
                os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(10)


class Side:
    """Where this process tells its effects."""

    trap = Trap()
    attempt = 0
    fd = -1


def tell(kind: str, what: str, label: str) -> None:
    """Appends a line to the side file: an effect that is never undone.

    Args:
        kind: ``leaf`` for an effect, ``code`` for code that makes calls.
        what: ``begin`` or ``end``.
        label: of the call.
    """
    lane = CURRENT.get()
    assert lane is not None
    call = enact.current_call()
    branch = lane.frame.run.branch
    line = [Side.attempt, kind, what, label, call.idempotency_key, branch]
    line.append(lane.frame.key())
    os.write(Side.fd, (json.dumps(line) + "\n").encode())


def begin(label: str) -> None:
    """A leaf begins."""
    Side.trap.at("before effect")
    tell("leaf", "begin", label)
    Side.trap.at("in effect")


def end(label: str) -> str:
    """A leaf is about to return."""
    tell("leaf", "end", label)
    Side.trap.at("after effect")
    return label + "!"


def seconds(label: str) -> float:
    """How long a leaf takes, as if by chance."""
    chance = zlib.crc32(label.encode()) % 8
    return 0.0 if chance < 3 else chance / 2500


# --- leaves -----------------------------------------------------------------------


@enact.register(name="crash/leaf")
def leaf(label: str) -> str:
    begin(label)
    if pause := seconds(label):
        time.sleep(pause)
    return end(label)


@enact.register(name="crash/quick")
def quick(label: str) -> str:
    begin(label)
    return end(label)


@enact.register(name="crash/aleaf")
async def aleaf(label: str) -> str:
    begin(label)
    if pause := seconds(label):
        await asyncio.sleep(pause)
    return end(label)


@enact.register(name="crash/flaky")
def flaky(label: str) -> str:
    begin(label)
    end(label)
    raise ValueError(label)


@enact.register(name="crash/aflaky")
async def aflaky(label: str) -> str:
    begin(label)
    await asyncio.sleep(seconds(label))
    end(label)
    raise ValueError(label)


@enact.register(name="crash/slow")
async def slow(label: str) -> str:
    begin(label)
    await asyncio.sleep(5)
    return end(label)


@enact.register(name="crash/listed")
def listed(label: str) -> list[dict[str, Any]]:
    begin(label)
    return [{"label": end(label), "n": n} for n in range(3)]


@enact.register(name="crash/pay", retry="never")
def pay(label: str) -> str:
    begin(label)
    time.sleep(0.001)
    return end(label)


# --- calls that make calls --------------------------------------------------------


@enact.register(name="crash/branch")
def branch(label: str, depth: int = 1) -> list[Any]:
    tell("code", "begin", label)
    if depth == 0:
        return [leaf(f"{label}.{n}") for n in range(3)]
    return [leaf(f"{label}.0"), branch(f"{label}.1", depth - 1), quick(f"{label}.2")]


def branch_changed(label: str, depth: int = 1) -> list[Any]:
    """``branch`` in its next version."""
    tell("code", "begin", label)
    if depth == 0:
        return [leaf(f"{label}.{n}") for n in (0, 2, 3)]
    return [branch(f"{label}.1", depth - 1), leaf(f"{label}.0"), quick(f"{label}.4")]


@enact.register(name="crash/abranch")
async def abranch(label: str, depth: int = 1) -> list[Any]:
    tell("code", "begin", label)
    first = await aleaf(f"{label}.first")
    if depth == 0:
        return [first, await aleaf(f"{label}.last")]
    inner = await asyncio.gather(*(abranch(f"{label}.{n}", depth - 1) for n in "ab"))
    return [first, *inner, quick(f"{label}.last")]


async def abranch_changed(label: str, depth: int = 1) -> list[Any]:
    """``abranch`` in its next version."""
    tell("code", "begin", label)
    first = await aleaf(f"{label}.first")
    if depth == 0:
        return [first, await aleaf(f"{label}.more"), await aleaf(f"{label}.last")]
    inner = await asyncio.gather(*(abranch(f"{label}.{n}", depth - 1) for n in "ab"))
    return [first, *inner, quick(f"{label}.last")]


@enact.register(name="crash/Tally")
@dataclasses.dataclass
class Tally(enact.Invokable[str, int]):
    total: int = 0
    seen: list[str] = dataclasses.field(default_factory=list)

    def call(self, label: str) -> int:
        tell("code", "begin", label)
        self.total += 1
        self.seen.append(leaf(f"{label}.inside"))
        self.total += len(quick(f"{label}.after"))
        return self.total


@enact.register(name="crash/Memory")
@dataclasses.dataclass
class Memory(enact.AsyncInvokable[str, int]):
    words: list[str] = dataclasses.field(default_factory=list)

    async def call(self, label: str) -> int:
        tell("code", "begin", label)
        self.words.append(await aleaf(f"{label}.word"))
        return len(self.words)


@enact.register(name="crash/pair")
@dataclasses.dataclass
class Pair(enact.Invokable[str, list[int]]):
    a: Tally
    b: Tally

    def call(self, label: str) -> list[int]:
        tell("code", "begin", label)
        return [self.a(f"{label}.a"), self.b(f"{label}.b")]


@enact.register(name="crash/fails")
def fails(label: str) -> str:
    tell("code", "begin", label)
    leaf(f"{label}.before")
    return flaky(f"{label}.fails")


@enact.register(name="crash/handles")
def handles(label: str) -> str:
    tell("code", "begin", label)
    try:
        return fails(f"{label}.x")
    except ValueError as error:
        return leaf(f"{label}.instead") + str(error)


# --- programs ---------------------------------------------------------------------


@enact.register(name="crash/nested")
def nested() -> Any:
    tell("code", "begin", "nested")
    return [leaf("first"), branch("a", 3), branch("b", 2), leaf("between"), branch("c")]


@enact.register(name="crash/loop")
def loop() -> Any:
    tell("code", "begin", "loop")
    done = [quick(f"quick {n}") for n in range(60)]
    done += [leaf(f"leaf {n}") for n in range(15)]
    return [done, [listed(f"list {n}") for n in range(3)]]


@enact.register(name="crash/gather")
async def gather() -> Any:
    tell("code", "begin", "gather")

    async def worker(name: str) -> list[str]:
        return [await aleaf(f"{name}{n}") for n in range(6)]

    return await asyncio.gather(*(worker(name) for name in "abc"), abranch("d"))


@enact.register(name="crash/group")
async def group() -> Any:
    tell("code", "begin", "group")
    results: list[str] = []
    seen: list[str] = []

    async def worker(name: str) -> None:
        for n in range(4):
            results.append(await aleaf(f"{name}{n}"))
            seen.append(await aleaf(f"seen {len(results)}"))

    async with asyncio.TaskGroup() as tasks:
        for name in "abc":
            tasks.create_task(worker(name))
        tasks.create_task(abranch("d", 2))
    return [sorted(results), sorted(seen), await aleaf("last")]


@enact.register(name="crash/tasks")
async def tasks() -> Any:
    tell("code", "begin", "tasks")
    results: list[str] = []

    async def worker(name: str, pause: float) -> list[str]:
        await asyncio.sleep(pause)
        got = [await aleaf(f"{name}0")]
        results.append(got[0])
        await asyncio.sleep(pause)
        got.append(await aleaf(f"{name}1"))
        await asyncio.sleep(0)
        return [*got, await aleaf(f"{name}2")]

    some = [asyncio.create_task(worker(n, int(n) / 2000)) for n in "1234"]
    first = await aleaf("meanwhile")
    ended = [await one for one in asyncio.as_completed(some)]
    return [first, sorted(ended), sorted(results)]


@enact.register(name="crash/queue")
async def from_queue() -> Any:
    tell("code", "begin", "queue")
    # Each worker has a queue of its own: which of several workers takes an item depends
    # on wake-ups that are in no record.
    queues: list[asyncio.Queue[str | None]] = [asyncio.Queue(2) for _ in range(3)]
    results: list[str] = []

    async def produce() -> None:
        for n in range(9):
            await queues[n % 3].put(await aleaf(f"make {n}"))
        for items in queues:
            await items.put(None)

    async def work(items: asyncio.Queue[str | None]) -> None:
        while (item := await items.get()) is not None:
            results.append(await aleaf(f"use {item}"))
            await aleaf(f"number {len(results)}")

    await asyncio.gather(produce(), *map(work, queues))
    return sorted(results)


@enact.register(name="crash/pool")
def pool() -> Any:
    tell("code", "begin", "pool")
    with ThreadPoolExecutor(3) as executor:
        some = [executor.submit(leaf, f"item {n}") for n in range(6)]
        return [list(executor.map(branch, "abcd")), [one.result() for one in some]]


@enact.register(name="crash/threads")
def threads() -> Any:
    tell("code", "begin", "threads")
    results: list[Any] = []

    def work(name: str) -> None:
        for n in range(3):
            results.append(leaf(f"{name}{n}"))
        results.extend(branch(name, 0))

    some = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for thread in some:
        thread.start()
    here = [leaf(f"here {n}") for n in range(5)]
    for thread in some:
        thread.join()
    return [here, sorted(results)]


@enact.register(name="crash/async_in_threads")
def async_in_threads() -> Any:
    tell("code", "begin", "async_in_threads")

    def work(name: str) -> Any:
        return asyncio.run(both(name))

    async def both(name: str) -> Any:
        first = await aleaf(f"{name} first")
        return [first, *await asyncio.gather(abranch(f"{name}x"), abranch(f"{name}y"))]

    with ThreadPoolExecutor(2) as executor:
        return list(executor.map(work, "ab"))


@enact.register(name="crash/to_thread")
async def to_thread() -> Any:
    tell("code", "begin", "to_thread")

    async def worker(name: str) -> Any:
        first = await asyncio.to_thread(leaf, f"{name} in thread")
        return [
            first,
            await aleaf(f"{name} here"),
            await asyncio.to_thread(branch, name),
        ]

    return await asyncio.gather(*(worker(name) for name in "abc"))


@enact.register(name="crash/state")
def state() -> Any:
    tell("code", "begin", "state")
    tally, other = Tally(), Tally(total=5)
    got: list[Any] = [tally(f"a{n}") for n in range(4)]
    pair = Pair(tally, other)
    got += [pair(f"p{n}") for n in range(2)]
    got.append(tally("z"))
    return [got, tally.total, tally.seen, other.seen]


@enact.register(name="crash/astate")
async def astate() -> Any:
    tell("code", "begin", "astate")
    memory = Memory()
    got = [await memory(f"a{n}") for n in range(4)]

    async def worker(name: str) -> list[int]:
        own = Memory([name])
        return [await own(f"{name}{n}") for n in range(3)]

    more = await asyncio.gather(*(worker(name) for name in "bc"))
    return [got, more, memory.words]


@enact.register(name="crash/errors")
def errors() -> Any:
    tell("code", "begin", "errors")
    got = []
    for n in range(4):
        for attempt in range(3):
            try:
                got.append((leaf if attempt == 2 else flaky)(f"{n} try {attempt}"))
            except ValueError as error:
                got.append(f"caught {error}")
        got.append(handles(f"h{n}"))
    return got


@enact.register(name="crash/aerrors")
async def aerrors() -> Any:
    tell("code", "begin", "aerrors")

    async def worker(name: str) -> str:
        await aleaf(f"{name}0")
        try:
            await aflaky(f"{name}1")
        except ValueError:
            await aleaf(f"{name}2")
        return await aflaky(f"{name}3")

    some = await asyncio.gather(*map(worker, "abc"), return_exceptions=True)
    return [*map(str, some), await aleaf("last")]


@enact.register(name="crash/timeouts")
async def timeouts() -> Any:
    tell("code", "begin", "timeouts")

    async def worker(name: str) -> list[str]:
        got = []
        for n in range(2):
            got.append(await aleaf(f"{name}{n}"))
            try:
                await asyncio.wait_for(slow(f"{name}{n} slow"), 0.05)
            except TimeoutError:
                got.append(await aleaf(f"{name}{n} instead"))
        return got

    return await asyncio.gather(*map(worker, "ab"))


@enact.register(name="crash/inner")
def inner() -> Any:
    tell("code", "begin", "inner")
    one = enact.invoke(branch, ("i", 2))
    two = enact.invoke(handles, ("j",))
    return [leaf("between"), one.output, two.output, leaf("last")]


@enact.register(name="crash/shop")
def shop() -> Any:
    tell("code", "begin", "shop")
    got = []
    for n in range(4):
        got += [leaf(f"order {n}"), pay(f"pay {n}"), leaf(f"ship {n}")]
    return got


@enact.register(name="crash/handed_over")
def handed_over() -> Any:
    """Threads that hand work to each other, one at a time."""
    tell("code", "begin", "handed_over")
    there: queue.Queue[str] = queue.Queue()
    back: queue.Queue[str] = queue.Queue()

    def serve() -> None:
        while (item := there.get()) != "end":
            back.put(leaf(f"served {item}"))

    thread = threading.Thread(target=serve)
    thread.start()
    got = []
    for n in range(5):
        there.put(leaf(f"asked {n}"))
        got.append(back.get())
    there.put("end")
    thread.join()
    return got


class Program(NamedTuple):
    """A program.

    Attributes:
        run: its invokable.
        fixed: every run makes the very same invocation.
        edits: replays of it are killed as well.
    """

    run: Callable[[], Any]
    fixed: bool = False
    edits: bool = False

    @property
    def is_async(self) -> bool:
        """Whether it needs an event loop."""
        return asyncio.iscoroutinefunction(getattr(self.run, "__wrapped__", None))


PROGRAMS = {
    "nested": Program(nested, True, True),
    "loop": Program(loop, True),
    "gather": Program(gather, False, True),
    "group": Program(group),
    "tasks": Program(tasks),
    "queue": Program(from_queue),
    "pool": Program(pool, False, True),
    "threads": Program(threads, False, True),
    "async_in_threads": Program(async_in_threads, False, True),
    "to_thread": Program(to_thread, False, True),
    "state": Program(state, True, True),
    "astate": Program(astate, False, True),
    "errors": Program(errors, True, True),
    "aerrors": Program(aerrors, False, True),
    "timeouts": Program(timeouts),
    "inner": Program(inner, True, True),
    "shop": Program(shop, True),
    "handed_over": Program(handed_over),
}


def change_code() -> None:
    """From now on the functions in the middle have other code."""
    globals().update(
        branch=enact.register(branch_changed, name="crash/branch"),
        abranch=enact.register(abranch_changed, name="crash/abranch"),
    )
