# SPDX-License-Identifier: Apache-2.0
"""Many things at once: how long they take, and how long an event loop is held up."""

from __future__ import annotations

import asyncio
import functools
import gc
import resource
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import enact
from bench.table import Row

PASSES = 4


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
    gc.collect()  # so that none pays for the one before
    begin = time.perf_counter()
    result = work()
    return time.perf_counter() - begin, result


def _run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(coroutine)


def _replay(invocation: enact.Invocation) -> enact.Invocation:
    again: enact.Invocation = _run(invocation.replay_async())
    return again


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


def _middle(passes: list[float]) -> float:
    return median(passes[len(passes) > 1 :])  # the first one warms up


def _costs(
    what: str, count: int, took: list[float], own: list[float], bar: float | None = None
) -> list[Row]:
    """What all calls take, and one of them beyond what the program takes itself."""
    seconds = _middle(took)
    each = 1e6 * (seconds - _middle(own)) / count
    return [
        Row(what, seconds, "s", note=f"untracked {_middle(own):.2f} s"),
        Row("  a call, beyond the program itself", each, "us", bar),
    ]


def load() -> list[Row]:
    """One gather, many threads, many streams, and agents side by side.

    Where one call is made at a time, 10 us in memory and 30 us in a file are the bars;
    here it is twice that.
    """
    rows = []
    own_gather = [_timed(lambda: _run(gathers(10_000)))[0] for _ in range(PASSES)]
    own_threads = [_timed(lambda: threads(200, 100))[0] for _ in range(PASSES)]
    own_reads = [_timed(lambda: _run(reads(100, 10_000)))[0]]
    with tempfile.TemporaryDirectory() as directory:
        for kind, bar in (("memory", 20.0), ("SQLite", 60.0)):
            gathered, replayed, threaded = [], [], []
            for n in range(PASSES):
                with _store(kind, directory, n) as store:
                    seconds, inv = _timed(
                        lambda: _run(enact.invoke_async(gathers, (10_000,)))
                    )
                    gathered.append(seconds)
                    again = inv.rewind(0)
                    replayed.append(_timed(functools.partial(_replay, again))[0])
                with _store(kind, directory, -n) as store:
                    seconds, _ = _timed(lambda: enact.invoke(threads, (200, 100)))
                    threaded.append(seconds)
            rows += _costs(
                f"gather of 10,000 calls, {kind}", 10_000, gathered, own_gather, bar
            )
            rows += _costs("  its replay", 10_000, replayed, own_gather)
            rows += _costs(
                f"200 threads, 100 calls each, {kind}",
                20_000,
                threaded,
                own_threads,
                bar,
            )
            with _store(kind, directory, PASSES) as store:
                seconds, _ = _timed(
                    lambda: _run(enact.invoke_async(reads, (100, 10_000)))
                )
                rows += _costs(
                    f"100 streams of 10,000 items, {kind}",
                    1_000_000,
                    [seconds],
                    own_reads,
                    bar,
                )
                if kind == "SQLite":
                    rows += _held_up(store)
    rows.append(Row("most memory", _megabytes(), "MB"))
    return rows


@contextmanager
def _store(kind: str, directory: str, number: int) -> Iterator[Any]:
    """A new store, active."""
    store: Any = enact.InMemoryStore()
    if kind == "SQLite":
        store = enact.SQLiteStore(Path(directory) / f"runs{number}.db")
    with store:
        yield store
    store.backend.close()


def _held_up(store: enact.SQLiteStore) -> list[Row]:
    accesses = _accesses(store)
    seconds, _ = _timed(lambda: _run(enact.invoke_async(agents, (1000, 10))))
    share = quantiles(accesses, n=100)[98]
    return [
        Row("1,000 agents, 10 calls each, SQLite", seconds, "s"),
        Row("  a write holds up the loop, 99th percentile", share * 1e3, "ms", 5.0),
    ]
