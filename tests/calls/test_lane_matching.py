# SPDX-License-Identifier: Apache-2.0
"""Workers that take jobs as they come: requests decide who makes a recorded call."""

from __future__ import annotations

import asyncio
import collections
import queue
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed, wait

import pytest

import enact

RAN = []
CHANCE = random.Random(0)


@enact.register(name="lane_matching/work")
def work(job):
    RAN.append(job)
    time.sleep(CHANCE.random() * 0.002)
    return job * 2


@enact.register(name="lane_matching/threads")
def threads(count):
    jobs, done = queue.Queue(), []

    def worker(number):
        while (job := jobs.get()) is not None:
            done.append(work(job))

    workers = [threading.Thread(target=worker, args=(n,)) for n in range(3)]
    for thread in workers:
        thread.start()
    for job in range(count):
        jobs.put(job)
    for _ in workers:
        jobs.put(None)
    for thread in workers:
        thread.join()
    return sorted(done)


def test_worker_threads_replay_as_those_that_made_the_calls():
    with enact.InMemoryStore():
        for _ in range(10):
            inv = enact.invoke(threads, (9,))
            RAN.clear()
            assert inv.rewind(0).replay(live="forbid") == inv
            assert RAN == []


def test_worker_threads_do_no_job_again_after_a_rewind():
    with enact.InMemoryStore():
        inv = enact.invoke(threads, (9,))
        for view in inv.children:
            kept = inv.rewind(to=view)
            RAN.clear()
            done = kept.replay()
            assert done.output == inv.output
            made = {one.input.args[0] for one in kept.children if one.status != "open"}
            assert not made & set(RAN)


@enact.register(name="lane_matching/taken")
def taken(slow):
    """Who takes a job is in no record: this is no queue that notes it."""
    jobs, done = collections.deque("ab"), []

    def worker(number):
        time.sleep(0.15 * (number == SLOW[0]))
        done.append([number, work(jobs.popleft())])

    workers = [threading.Thread(target=worker, args=(n,)) for n in range(2)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    return sorted(done)


SLOW = [0]


def test_that_requests_decide_is_said_once():
    with enact.InMemoryStore():
        SLOW[0] = 0
        inv = enact.invoke(taken, (0,))
        assert inv.output == [[0, "bb"], [1, "aa"]]
        SLOW[0] = 1
        with pytest.warns(enact.AmbiguousWorkerWarning, match="'lane_matching/taken'"):
            again = inv.rewind(0).replay(live="forbid")
        assert again.output == [[0, "aa"], [1, "bb"]]
        assert inv.rewind(0).replay(live="forbid") == again


@enact.register(name="lane_matching/as_they_come")
def as_they_come():
    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(work, n) for n in range(6)]
        wait(futures)  # all are done, so they come in the order of a set
        return [work(f"then {future.result()}") for future in as_completed(futures)]


def test_futures_that_are_done_come_in_the_same_order():
    with enact.InMemoryStore():
        for _ in range(10):
            inv = enact.invoke(as_they_come)
            assert inv.rewind(0).replay(live="forbid") == inv


@enact.register(name="lane_matching/locked")
def locked():
    lock, order = threading.Lock(), []

    def worker(name):
        time.sleep(CHANCE.random() * 0.003)
        with lock:
            order.extend([work(f"{name} one"), work(f"{name} two")])

    workers = [threading.Thread(target=worker, args=(n,)) for n in "abc"]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    return order


def test_threads_that_begin_by_taking_a_lock_take_it_in_the_recorded_order():
    with enact.InMemoryStore():
        for _ in range(5):
            inv = enact.invoke(locked)
            assert inv.rewind(0).replay(live="forbid") == inv


SHIFT = [0]


@enact.register(name="lane_matching/strays")
async def strays():
    async def task(name):
        first = work(name)
        await asyncio.sleep(0)
        return [first, work(f"{name} {SHIFT[0]}")]

    return await asyncio.gather(task("a"), task("b"))


def test_a_call_that_nobody_recorded_is_still_an_error():
    with enact.InMemoryStore():
        inv = asyncio.run(enact.invoke_async(strays))
        SHIFT[0] += 1
        for kept in (inv.rewind(0), inv.rewind(to=inv.children[-1])):
            with pytest.raises(enact.ReplayError, match="left the record"):
                asyncio.run(kept.replay_async())
