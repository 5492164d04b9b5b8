# SPDX-License-Identifier: Apache-2.0
"""Programs whose calls are made in child processes; a module that these can import.

Each leaf writes a line into the file that ``NOTES`` names when it really runs.
"""

from __future__ import annotations

import asyncio
import dataclasses
import multiprocessing
import os
import threading
import time
from concurrent import futures
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing.pool import ThreadPool
from typing import Any

import enact

NOTES = "ENACT_TEST_NOTES"


def note(text: object) -> None:
    path = os.environ.get(NOTES)
    if path:
        with open(path, "a") as notes:
            notes.write(f"{text}\n")


def noted() -> list[str]:
    with open(os.environ[NOTES]) as notes:
        return notes.read().split()


@enact.register(name="process/leaf")
def leaf(x: int) -> int:
    note(f"leaf:{x}")
    return x + 1


@enact.register(name="process/slow_leaf")
def slow_leaf(x: int) -> int:
    note(f"leaf:{x}")
    time.sleep(0.002 * (x % 3))
    return x + 1


def _locking(lock: Any, x: int) -> None:
    for n in range(3):
        time.sleep(0.001 * ((x + n) % 2))
        with lock:
            slow_leaf(10 * x + n)


@enact.register(name="process/locking")
def locking(method: str) -> int:
    """They contend for a lock."""
    context = multiprocessing.get_context(method)
    lock = context.Lock()
    workers = [context.Process(target=_locking, args=(lock, x)) for x in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return len(workers)


@enact.register(name="process/inner")
def inner(x: int) -> int:
    note(f"inner:{x}")
    return leaf(x) + leaf(10 * x)


@enact.register(name="process/careless")
def careless(x: int) -> int:
    inner(x)
    if os.environ.get("ENACT_TEST_MEND") is None:
        raise ValueError(f"no {x}")
    return x


@enact.register(name="process/asks")
def asks(x: int) -> int:
    answer = enact.request_input(int, x, f"how many for {x}?")
    return leaf(x) + answer


@enact.register(name="process/dies")
def dies(x: int) -> int:
    """The second time, it goes on."""
    leaf(x)
    if noted().count(f"died:{x}") == 0:
        note(f"died:{x}")
        os._exit(7)
    return leaf(x + 1)


@enact.register(name="process/counter")
@dataclasses.dataclass
class Counter:
    """Keeps count of its own calls."""

    count: int = 0

    @enact.register(name="process/Counter.add")
    def add(self, n: int) -> int:
        self.count += n
        return self.count


def work(x: int) -> int:
    return leaf(x) + inner(x)


def pair(x: int, y: int) -> int:
    return leaf(x) + leaf(y)


async def gathered(x: int) -> list[int]:
    async def one(n: int) -> int:
        return await later(n)

    return await asyncio.gather(*(one(x + n) for n in range(3)))


@enact.register(name="process/later")
async def later(x: int) -> int:
    note(f"later:{x}")
    await asyncio.sleep(0.001 * (x % 3))
    return x + 1


def runs_loop(x: int) -> list[int]:
    return asyncio.run(gathered(x))


def runs_threads(x: int) -> list[int]:
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(leaf, range(x, x + 3)))


@enact.register(name="process/executor")
def executor(method: str) -> list[int]:
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        first = pool.submit(inner, 1)
        second = pool.submit(work, 2)
        return [*pool.map(leaf, [5, 6]), first.result(), second.result(), leaf(0)]


@enact.register(name="process/completed")
def completed(method: str) -> list[object]:
    """What is asked hangs on what was done before; half of it is not tracked."""
    said: list[object] = []
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as workers:
        items = [workers.submit(untracked if x % 2 else slow_leaf, x) for x in range(6)]
        for item in futures.as_completed(items):
            said.append(item.result())
            counts_of(said)
        left = {workers.submit(untracked, x) for x in range(4)}
        while left:
            done, left = futures.wait(left, return_when=futures.FIRST_COMPLETED)
            counts_of([*said, *sorted(item.result() for item in done)])
    return sorted(said)


@enact.register(name="process/cancelled")
def cancelled(method: str) -> str:
    """The first one wins; which of the others had begun is chance."""
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as workers:
        items = [workers.submit(slow_leaf, x) for x in range(8)]
        won = next(futures.as_completed(items))
        counts_of([items.index(won)])
        counts_of([item.cancel() for item in items[6:]])
        workers.shutdown(cancel_futures=True)
    counts_of([item.cancelled() for item in items])
    return "one has won"


BROKEN: list[int] = []


@enact.register(name="process/checked")
def checked(x: int) -> int:
    if x in BROKEN:
        raise ValueError(x)
    time.sleep(0.01)
    return x


@enact.register(name="process/gives_up")
def gives_up(method: str) -> list[int]:
    """What has not begun when one fails is cancelled."""
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, mp_context=context) as workers:
        items = [workers.submit(checked, x) for x in range(8)]
        try:
            items[0].result()
        except ValueError:
            assert items[7].cancel(), "the only worker is not as far"
            raise
        return [item.result() for item in items]


def untracked(x: int) -> int:
    time.sleep(0.001 * (x % 3))
    return x + 1


@enact.register(name="process/counts_of")
def counts_of(said: list[object]) -> int:
    return len(said)


@enact.register(name="process/alone")
def alone(method: str) -> list[int]:
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    workers = [context.Process(target=puts, args=(queue, n)) for n in range(2)]
    for worker in workers:
        worker.start()
    found = sorted(queue.get() for _ in workers)
    for worker in workers:
        worker.join()
    return [*found, leaf(0)]


def puts(queue, n: int) -> None:
    queue.put(work(n))


class Worker(multiprocessing.Process):
    """One that has its work in a method."""

    def __init__(self, queue: Any) -> None:
        super().__init__()
        self.queue = queue

    def run(self) -> None:
        self.queue.put(work(3))


@enact.register(name="process/subclassed")
def subclassed(method: str) -> int:
    multiprocessing.set_start_method(method, force=True)
    queue = multiprocessing.Queue()
    worker = Worker(queue)
    worker.start()
    found = queue.get()
    worker.join()
    return found


@enact.register(name="process/pool")
def pool(method: str) -> list[object]:
    with multiprocessing.get_context(method).Pool(2) as workers:
        return [
            workers.map(work, range(3)),
            workers.starmap(pair, [(1, 2), (3, 4)]),
            list(workers.imap(leaf, range(3))),
            sorted(workers.imap_unordered(leaf, range(3), chunksize=2)),
            workers.apply(pair, (1,), {"y": 2}),
            workers.map_async(leaf, [7], chunksize=1).get(),
        ]


@enact.register(name="process/concurrent")
def concurrent(method: str) -> list[object]:
    """Tasks and threads within a process."""
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, mp_context=context) as workers:
        return [
            workers.submit(runs_loop, 10).result(),
            workers.submit(runs_threads, 20).result(),
        ]


@enact.register(name="process/nested")
def nested(method: str) -> list[int]:
    """A process whose call starts processes."""
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, mp_context=context) as workers:
        return workers.submit(executor, method).result()


@enact.register(name="process/failing")
def failing(method: str) -> list[int]:
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, mp_context=context) as workers:
        found = [workers.submit(leaf, 1).result()]
        return [*found, workers.submit(careless, 2).result()]


def wraps(x: int) -> int:
    try:
        return careless(x)
    except ValueError as error:
        raise KeyError("wrapped") from error


@enact.register(name="process/wrapping")
def wrapping(method: str) -> int:
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, mp_context=context) as workers:
        return workers.submit(wraps, 2).result()


@enact.register(name="process/handled")
def handled(method: str) -> list[object]:
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, mp_context=context) as workers:
        try:
            workers.submit(careless, 2).result()
        except ValueError as error:
            return [str(error), leaf(3)]
    return []


@enact.register(name="process/asking")
def asking(method: str) -> list[int]:
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as workers:
        futures = [workers.submit(asks, n) for n in (1, 2)]
        return [future.result() for future in futures]


@enact.register(name="process/dying")
def dying(method: str) -> list[int]:
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, mp_context=context) as workers:
        first = workers.submit(leaf, 5).result()
        return [first, workers.submit(dies, 1).result()]


@enact.register(name="process/stateful")
def stateful(method: str) -> list[int]:
    counter = Counter()
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, mp_context=context) as workers:
        return [workers.submit(counter.add, n).result() for n in (1, 2)]


@enact.register(name="process/outliving")
def outliving(method: str) -> int:
    context = multiprocessing.get_context(method)
    WORKERS.append(context.Process(target=waits))
    WORKERS[-1].start()
    return leaf(1)


def waits() -> None:
    time.sleep(0.3)
    leaf(9)


WORKERS: list[Any] = []


@enact.register(name="process/items")
def items(x: int):
    for n in range(x):
        yield leaf(n)


def reads(x: int) -> list[int]:
    return list(items(x))


@enact.register(name="process/streaming")
def streaming(method: str) -> list[int]:
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, mp_context=context) as workers:
        return workers.submit(reads, 3).result()


@enact.register(name="process/long")
def long(method: str, n: int) -> int:
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, mp_context=context) as workers:
        return workers.submit(counts, n).result()


def counts(n: int) -> int:
    return sum(leaf(k) for k in range(n))


@enact.register(name="process/counts")
def counted(n: int) -> int:
    return sum(leaf(k) for k in range(n))


@enact.register(name="process/longer")
def longer(method: str, n: int) -> int:
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, mp_context=context) as workers:
        return workers.submit(counted, n).result()


@enact.register(name="process/drawing")
def drawing(method: str, deep: bool) -> int:
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, mp_context=context) as workers:
        return workers.submit(inner if deep else leaf, 1).result()


@enact.register(name="process/thread_pool")
def thread_pool(method: str) -> list[object]:
    """Has the interface of a pool of processes, in one process."""
    del method
    told: list[int] = []
    with ThreadPool(2) as workers:
        found = [
            workers.map(work, range(3)),
            workers.starmap(pair, [(1, 2), (3, 4)]),
            list(workers.imap(leaf, range(3))),
            workers.apply_async(leaf, (5,), callback=lambda x: told.append(leaf(x))),
        ]
        found[-1] = found[-1].get()
    return [*found, told]


@enact.register(name="process/called_back")
def called_back(method: str) -> list[int]:
    """What comes of one work item starts the next one, from a callback."""
    found: list[int] = []
    over = threading.Event()
    with ThreadPoolExecutor(1) as workers:

        def ended(future: Any) -> None:
            found.append(leaf(future.result()))
            if len(found) == 3:
                over.set()
            else:
                workers.submit(leaf, 10 * len(found)).add_done_callback(ended)

        workers.submit(leaf, 0).add_done_callback(ended)
        over.wait(10)
    return found
