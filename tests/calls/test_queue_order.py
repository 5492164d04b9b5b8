# SPDX-License-Identifier: Apache-2.0
"""Queues between threads: a replay puts and takes as it was, whoever comes first."""

from __future__ import annotations

import logging
import logging.handlers
import queue
import threading
import time

import pytest

import enact
from tests.calls.test_work_futures import (
    check_crashes,
    check_replays,
    check_rewinds,
    model,
    nap,
)

JOBS = 8


def in_threads(*works) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@enact.register(name="queues/workers")
def workers() -> list[object]:
    """The result says who did what."""
    jobs: queue.Queue[int | None] = queue.Queue()
    said: list[object] = []

    def work(name: str) -> None:
        while (job := jobs.get()) is not None:
            said.append([job, name, model([job])])

    def give() -> None:
        for job in [*range(JOBS), None, None]:
            nap()
            jobs.put(job)

    in_threads(lambda: work("a"), lambda: work("b"), give)
    return sorted(said)


@enact.register(name="queues/until_empty")
def until_empty() -> list[object]:
    """Nobody waits; what is asked hangs on who took what."""
    jobs: queue.Queue[int] = queue.PriorityQueue()
    said: list[object] = []
    for job in range(JOBS):
        jobs.put(JOBS - job)

    def work(name: str) -> None:
        done: list[object] = []
        while True:
            try:
                done.append(jobs.get_nowait())
            except queue.Empty:
                break
            model([name, *done])
        said.append([name, *done])

    in_threads(lambda: work("a"), lambda: work("b"), lambda: work("c"))
    return sorted(said)


@enact.register(name="queues/results")
def results() -> list[object]:
    """What comes first is chance, and decides what is asked next."""
    ended: queue.Queue[object] = queue.LifoQueue(maxsize=2)
    said: list[object] = []

    def work(name: str) -> None:
        for n in range(3):
            nap()
            ended.put([name, n])

    threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for _ in range(9):
        said.append(ended.get())
        model([*said])
    for thread in threads:
        thread.join()
    return said


@enact.register(name="queues/impatient")
def impatient() -> list[object]:
    """It does not wait for long, and says so."""
    ended: queue.Queue[int] = queue.Queue(maxsize=1)
    said: list[object] = []

    def work() -> None:
        for n in range(5):
            nap()
            while True:
                try:
                    ended.put(n, timeout=0.001)
                    break
                except queue.Full:
                    pass

    thread = threading.Thread(target=work)
    thread.start()
    while len([one for one in said if one != "late"]) < 5:
        try:
            said.append(ended.get(timeout=0.0005))
        except queue.Empty:
            said.append("late")
        model([*said])
    thread.join()
    return said


class Counted(queue.Queue):
    """Of a program, with ways of its own."""

    def _get(self):
        return [self._qsize(), self.queue.popleft()]


@enact.register(name="queues/own_class")
def own_class() -> list[object]:
    jobs = Counted()
    for job in range(JOBS):
        jobs.put(job)
    said: list[object] = []

    def work(name: str) -> None:
        for _ in range(JOBS // 2):
            said.append([*jobs.get(), name, model([name])])

    in_threads(lambda: work("a"), lambda: work("b"))
    return sorted(said)


PROGRAMS = [workers, until_empty, results, impatient, own_class]
CHECKS = {"replay": check_replays, "rewind": check_rewinds, "crash": check_crashes}


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_program(program, check):
    CHECKS[check](program, (), 3)


@pytest.mark.soak
@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_program_often(program, check):
    CHECKS[check](program, (), 50)


def test_a_call_in_one_thread_notes_nothing():
    @enact.register
    def alone() -> int:
        jobs: queue.Queue[int] = queue.Queue()
        jobs.put(model([]))
        return jobs.get()

    with enact.InMemoryStore():
        assert enact.invoke(alone).response().details is None


def test_what_waits_for_ever_outside_of_calls_waits_as_ever():
    jobs: queue.Queue[int] = queue.Queue(maxsize=1)
    jobs.put(1)
    with pytest.raises(queue.Full):
        jobs.put(2, timeout=0.001)
    assert jobs.get() == 1
    with pytest.raises(queue.Empty):
        jobs.get_nowait()


def test_an_edit_lets_another_thread_take_the_job():
    """What is changed takes longer: the order no longer holds, and nothing is lost."""
    with enact.InMemoryStore():
        inv = enact.invoke(workers)
        first = next(view for view in inv.walk() if view.name == "ends/model")
        start = time.monotonic()
        done = inv.edit(first, output=7).replay()
        assert time.monotonic() - start < 4
        assert [job for job, *_ in done.output] == list(range(JOBS))
        assert done.rewind(0).replay(live="forbid") == done


logger = logging.getLogger("tests.queues")


@enact.register(name="queues/logs")
def logs() -> list[object]:
    """What is logged goes through a queue, and is no work."""
    jobs: queue.Queue[int] = queue.Queue()
    said: list[object] = []
    for job in range(JOBS):
        jobs.put(job)

    def work(name: str) -> None:
        for _ in range(JOBS // 2):
            logger.debug("another one")
            nap()
            said.append([name, model([jobs.get()])])

    in_threads(lambda: work("a"), lambda: work("b"))
    return sorted(said)


def test_a_replay_may_log_more_than_the_record():
    logger.addHandler(logging.handlers.QueueHandler(queue.Queue()))
    with enact.InMemoryStore():
        for _ in range(5):
            logger.setLevel(logging.WARNING)
            inv = enact.invoke(logs)
            logger.setLevel(logging.DEBUG)
            assert inv.rewind(0).replay(live="forbid") == inv
        marks = inv.response().details["marks"]
        assert len(marks) == JOBS, "each get, while there were several lanes"
