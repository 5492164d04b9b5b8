# SPDX-License-Identifier: Apache-2.0
"""Threads that contend for locks around calls: a replay gives these as it was."""

from __future__ import annotations

import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import enact


@enact.register(name="locks/model")
def model(prompt: list[object]) -> int:
    time.sleep(random.random() * 0.002)
    return len(prompt)


def nap() -> None:
    if random.random() < 0.5:
        time.sleep(random.random() * 0.002)


def in_threads(work, count: int) -> None:
    threads = [threading.Thread(target=work, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@enact.register(name="locks/guarded")
def guarded() -> list[object]:
    """What is asked hangs on who had the lock before."""
    lock, said = threading.Lock(), []

    def work(number: int) -> None:
        for _ in range(3):
            nap()
            with lock:
                said.append([number, model([number, *said])])

    in_threads(work, 3)
    return said


@enact.register(name="locks/acquired")
def acquired() -> list[object]:
    lock, said = threading.RLock(), []

    def work(number: int) -> None:
        for _ in range(3):
            lock.acquire()
            try:
                said.append([number, model([number, *said])])
            finally:
                lock.release()
            nap()

    in_threads(work, 3)
    return said


class Client:
    """Serves one thread at a time, as many do."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.log: list[object] = []

    def ask(self, *prompt: object) -> int:
        with self.lock:
            answer = model([*prompt, len(self.log)])
            self.log.append([*prompt, answer])
        return answer


@enact.register(name="locks/shared_client")
def shared_client() -> list[object]:
    client = Client()

    def work(number: int) -> list[int]:
        return [client.ask(number, n) for n in range(3)]

    with ThreadPoolExecutor(3) as pool:
        return [*pool.map(work, range(4)), client.log]


@enact.register(name="locks/limited")
def limited() -> list[object]:
    two, got = threading.Semaphore(2), []

    def work(number: int) -> None:
        for n in range(3):
            nap()
            with two:
                got.append(model([number, n]))

    in_threads(work, 4)
    return sorted(got)


@enact.register(name="locks/body_takes_part")
def body_takes_part() -> list[object]:
    first, second, said = threading.Lock(), threading.Lock(), []

    def work(number: int) -> None:
        for _ in range(3):
            with first:
                got = model([number, *said])
                with second:
                    said.append([number, model([got])])
            nap()
            with second:
                said.append([number, model([number, *said])])

    threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    work(9)
    for thread in threads:
        thread.join()
    return said


PROGRAMS = [guarded, acquired, shared_client, limited, body_takes_part]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_threads_take_a_lock_in_the_recorded_order(program):
    for _ in range(4):
        with enact.InMemoryStore():
            inv = enact.invoke(program)
            assert inv.rewind(0).replay(live="forbid") == inv
            assert sys.gettrace() is None


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_new_calls_in_locks_come_after_recorded_ones(program):
    with enact.InMemoryStore():
        inv = enact.invoke(program)
        count = len(inv.children)
        for back in range(1, count, 3):
            again = inv.rewind(back).replay()
            assert again.status == "completed"
            kept = [call.ref.id for call in inv.children[: count - back]]
            assert kept == [call.ref.id for call in again.children[: count - back]]


def test_a_debugger_goes_on_tracing():
    seen = []

    def debugger(frame, event, arg):
        seen.append(frame.f_code.co_name)

    with enact.InMemoryStore():
        inv = enact.invoke(limited)
        sys.settrace(debugger)
        try:
            inv.rewind(0).replay(live="forbid", strict=False)
            assert sys.gettrace() is debugger
        finally:
            sys.settrace(None)
    assert "limited" in seen
