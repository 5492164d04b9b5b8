# SPDX-License-Identifier: Apache-2.0
"""Many things at once: how long they take, and how long an event loop is held up."""

from __future__ import annotations

import asyncio
import resource
import tempfile
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import quantiles
from typing import Any

import enact
from bench.table import Row


@enact.register(name="bench/load/soon")
async def soon(k: int) -> int:
    await asyncio.sleep(0)
    return k


@enact.register(name="bench/load/gathers")
async def gathers(count: int) -> int:
    return sum(await asyncio.gather(*map(soon, range(count))))


@enact.register(name="bench/load/agents")
async def agents(count: int, steps: int) -> int:
    """Agents side by side, each of which waits for a model a few times."""

    async def agent(k: int) -> int:
        for _ in range(steps):
            await asyncio.sleep(0.01)
            await soon(k)
        return k

    return sum(await asyncio.gather(*map(agent, range(count))))


@enact.register(name="bench/load/leaf")
def leaf(k: int) -> int:
    return k


@enact.register(name="bench/load/threads")
def threads(count: int, each: int) -> int:
    def work(t: int) -> int:
        return sum(leaf(t * each + k) for k in range(each))

    with ThreadPoolExecutor(count) as pool:
        return sum(pool.map(work, range(count)))


@enact.register(name="bench/load/tokens")
async def tokens(count: int, k: int) -> Any:
    for n in range(count):
        if n % 50 == 0:
            await asyncio.sleep(0)
        yield f"token{n}"


@enact.register(name="bench/load/reads")
async def reads(streams: int, count: int) -> int:
    async def one(k: int) -> int:
        return len([token async for token in tokens(count, k)])

    return sum(await asyncio.gather(*map(one, range(streams))))


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.perf_counter()
    result = work()
    return time.perf_counter() - begin, result


def _run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(coroutine)


def _accesses(store: enact.SQLiteStore) -> list[float]:
    """Seconds that each write into a store takes, from now on."""
    found: list[float] = []
    backend = store.backend
    for name in ("record", "record_unflushed", "put"):
        write = getattr(backend, name)

        def timed(*args: Any, write: Any = write) -> Any:
            begin = time.perf_counter()
            try:
                return write(*args)
            finally:
                found.append(time.perf_counter() - begin)

        setattr(backend, name, timed)
    return found


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def load() -> list[Row]:
    """One gather, many threads, many streams, and agents side by side."""
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        for kind in ("memory", "SQLite"):
            store: Any = enact.InMemoryStore()
            if kind == "SQLite":
                store = enact.SQLiteStore(Path(directory) / "runs.db")
            with store:
                seconds, inv = _timed(
                    lambda: _run(enact.invoke_async(gathers, (10_000,)))
                )
                rows.append(Row(f"gather of 10,000 calls, {kind}", seconds, "s"))
                again = inv.rewind(0)
                seconds, _ = _timed(lambda again=again: _run(again.replay_async()))  # type: ignore[misc]  # of an invocation
                rows.append(Row("  its replay", seconds, "s"))
                seconds, _ = _timed(lambda: enact.invoke(threads, (200, 100)))
                rows.append(Row(f"200 threads, 100 calls each, {kind}", seconds, "s"))
                seconds, inv = _timed(
                    lambda: _run(enact.invoke_async(reads, (100, 10_000)))
                )
                rows.append(Row(f"100 streams of 10,000 items, {kind}", seconds, "s"))
                rows.append(Row("  an item", seconds, "us"))
                if kind == "SQLite":
                    rows += _held_up(store)
            store.backend.close()
    rows.append(Row("most memory", _megabytes(), "MB"))
    return rows


def _held_up(store: enact.SQLiteStore) -> list[Row]:
    accesses = _accesses(store)
    seconds, _ = _timed(lambda: _run(enact.invoke_async(agents, (1000, 10))))
    share = quantiles(accesses, n=100)[98]
    return [
        Row("1,000 agents, 10 calls each, SQLite", seconds, "s"),
        Row("  a write holds up the loop, 99th percentile", share * 1e3, "ms", 5.0),
    ]
