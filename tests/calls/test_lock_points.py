# SPDX-License-Identifier: Apache-2.0
"""Threads that contend for locks around calls: a replay gives these as it was."""

from __future__ import annotations

import dis
import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import enact
from enact.calls.guarded import ENTERS, guards_data_only


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


@enact.register(name="locks/echo")
def echo(text: str) -> str:
    time.sleep(random.random() * 0.005)
    return text


@enact.register(name="locks/noted")
def noted() -> list[str]:
    """Locks guard what is noted, and no calls."""
    lock, said = threading.Lock(), []

    def work(number: int) -> None:
        for n in range(3):
            answer = echo(f"{number} {n}")
            with lock:
                said.append(answer)

    in_threads(work, 4)
    return said


@enact.register(name="locks/noted_in_steps")
def noted_in_steps() -> list[str]:
    lock, seen = threading.Lock(), {}

    def work(number: int) -> None:
        for n in range(3):
            answer = echo(f"{number} {n}")
            lock.acquire()
            try:
                if answer not in seen:
                    seen[answer] = len(seen)
            finally:
                lock.release()

    in_threads(work, 4)
    return list(seen)


@pytest.mark.parametrize("program", [noted, noted_in_steps])
def test_what_is_noted_in_a_lock_is_so_in_the_recorded_order(program):
    for back in range(12):
        with enact.InMemoryStore():
            inv = enact.invoke(program)
            again = inv.rewind(back).replay()
            kept = {call.output for call in inv.children[: 12 - back]}
            assert [text for text in again.output if text in kept] == [
                text for text in inv.output if text in kept
            ]
            assert kept == set(again.output[: 12 - back]), "what is new comes last"


def test_locks_that_guard_data_are_told_from_those_around_calls():
    lock, said, get = threading.Lock(), [], {}

    def data(answer):
        with lock:
            if answer and len(said) < 3:
                said.append(f"{answer}")
                get["n"] = get.get("n", 0) + sum(said)

    def no_block(answer):
        lock.acquire()
        echo(answer)
        try:
            said.append(answer)
        finally:
            lock.release()

    def function(answer):
        with lock:
            said.append(echo(answer))

    def method(answer):
        with lock:
            get.ask(answer)

    def any_of_several(answer):
        with lock:
            said.extend(map(echo, answer))

    def behind(answer):
        with lock:
            if answer:
                return 1
            return echo(answer)

    def another_block(answer):
        with lock, get:
            pass

    for one in (
        no_block, function, method, any_of_several, behind, another_block, data,
    ):  # fmt: skip
        enters = [
            instruction.offset
            for instruction in dis.get_instructions(one.__code__)
            if instruction.opname in ENTERS or instruction.argval == "acquire"
        ]
        assert guards_data_only(one.__code__, enters[0]) == (one is data)


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
