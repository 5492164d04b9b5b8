# SPDX-License-Identifier: Apache-2.0
"""What is done, and when: ``as_completed`` and ``wait`` say the same in a replay."""

from __future__ import annotations

import random
import threading
import time
from concurrent import futures
from concurrent.futures import FIRST_COMPLETED, FIRST_EXCEPTION, ThreadPoolExecutor

import pytest

import enact
from enact.calls import layout
from enact.calls.marks import BEGIN, CANCEL, END, LOOK, moved, worth_telling
from tests.calls.test_matrix import cut_after

ITEMS = 8


@enact.register(name="ends/model")
def model(prompt: list[object]) -> int:
    nap()
    return len(prompt)


def nap() -> None:
    if random.random() < 0.7:
        time.sleep(random.random() * 0.003)


def recorded(number: int) -> int:
    model([number])
    return number


def unrecorded(number: int) -> int:
    nap()
    return number


@enact.register(name="ends/completed")
def completed(*works: str) -> list[int]:
    """What is asked hangs on what was done before."""
    said: list[int] = []
    with ThreadPoolExecutor(3) as pool:
        items = [
            pool.submit(globals()[work], n) for n in range(ITEMS) for work in works
        ]
        nap()
        for item in futures.as_completed(items):
            said.append(item.result())
            model([*said])
            nap()
    return said


@enact.register(name="ends/first")
def first(*works: str) -> list[object]:
    said: list[object] = []
    with ThreadPoolExecutor(3) as pool:
        left = {pool.submit(globals()[work], n) for n in range(ITEMS) for work in works}
        while left:
            done, left = futures.wait(left, return_when=FIRST_COMPLETED)
            said.append([item.result() for item in done])
            model([*said])
    return said


@enact.register(name="ends/only_looks")
def only_looks() -> list[int]:
    """Nothing is called where somebody looks."""
    model([])
    with ThreadPoolExecutor(3) as pool:
        items = [pool.submit(unrecorded, n) for n in range(ITEMS)]
        return [item.result() for item in futures.as_completed(items)]


@enact.register(name="ends/in_time")
def in_time() -> list[int]:
    """How many are done after a while."""
    said: list[int] = []
    with ThreadPoolExecutor(2) as pool:
        left = {pool.submit(unrecorded, n) for n in range(ITEMS)}
        while left:
            done, left = futures.wait(left, timeout=0.001)
            said.append(len(done))
            model([*said])
    return said


@enact.register(name="ends/until_failure")
def until_failure() -> list[int]:
    def work(number: int) -> int:
        if number == 3:
            nap()
            raise ValueError(number)
        return recorded(number)

    with ThreadPoolExecutor(3) as pool:
        items = [pool.submit(work, n) for n in range(ITEMS)]
        done, left = futures.wait(items, return_when=FIRST_EXCEPTION)
        model([len(done), len(left)])
        return [n for n, item in enumerate(items) if item in done]


@enact.register(name="ends/cancelled")
def cancelled() -> list[object]:
    said: list[object] = []
    with ThreadPoolExecutor(2) as pool:
        items = [pool.submit(unrecorded, n) for n in range(ITEMS)]
        for item in futures.as_completed(items):
            was = item.cancelled()
            said.append([items.index(item), was])
            model([*said])
            if not was:
                items[-1 - item.result()].cancel()
    return said


@enact.register(name="ends/cancelled_rest")
def cancelled_rest() -> list[object]:
    """The first one wins; what others ask hangs on whether they had begun."""
    with ThreadPoolExecutor(2) as pool:
        items = [pool.submit(recorded, n) for n in range(ITEMS)]
        won = next(futures.as_completed(items)).result()
        model([won])
        pool.shutdown(wait=False, cancel_futures=True)
    return [won, *(n for n, item in enumerate(items) if item.cancelled())]


@enact.register(name="ends/polls")
def polls() -> list[object]:
    """It asks each one whether it is done, time and again."""
    said: list[object] = []
    with ThreadPoolExecutor(2) as pool:
        left = [pool.submit(unrecorded, n) for n in range(ITEMS)]
        while left:
            done = [item for item in left if item.done()]
            left = [item for item in left if item not in done]
            said.append([item.result() for item in done])
            model([*said])
    return said


@enact.register(name="ends/impatient")
def impatient() -> list[object]:
    said: list[object] = []
    with ThreadPoolExecutor(2) as pool:
        for item in [pool.submit(unrecorded, n) for n in range(ITEMS)]:
            try:
                said.append(item.result(timeout=0.0005))
            except futures.TimeoutError:
                said.append("late")
            model([*said])
    return said


@enact.register(name="ends/by_threads")
def by_threads() -> list[object]:
    """Two threads, each with items of its own, in one pool."""
    said: dict[str, list[object]] = {"a": [], "b": []}

    def look(name: str, pool: ThreadPoolExecutor) -> None:
        items = [pool.submit(unrecorded, n) for n in range(ITEMS)]
        for item in futures.as_completed(items):
            said[name].append(item.result())
            model([name, *said[name]])

    with ThreadPoolExecutor(3) as pool:
        threads = [threading.Thread(target=look, args=(name, pool)) for name in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return [said["a"], said["b"]]


PROGRAMS = [
    pytest.param(completed, ("recorded",), id="as_completed"),
    pytest.param(completed, ("unrecorded",), id="as_completed-unrecorded"),
    pytest.param(completed, ("recorded", "unrecorded"), id="as_completed-both"),
    pytest.param(first, ("recorded",), id="wait"),
    pytest.param(first, ("recorded", "unrecorded"), id="wait-both"),
    pytest.param(only_looks, (), id="only_looks"),
    pytest.param(in_time, (), id="timeouts"),
    pytest.param(until_failure, (), id="first_exception"),
    pytest.param(cancelled, (), id="cancelled"),
    pytest.param(cancelled_rest, (), id="cancelled_rest"),
    pytest.param(polls, (), id="polls"),
    pytest.param(impatient, (), id="impatient"),
    pytest.param(by_threads, (), id="by_threads"),
]


def check_replays(program, args, times):
    for _ in range(times):
        with enact.InMemoryStore():
            inv = enact.invoke(program, args)
            assert inv.status == "completed", inv
            assert inv.rewind(0).replay(live="forbid") == inv


def check_rewinds(program, args, times):
    for seed in range(times):
        with enact.InMemoryStore():
            inv = enact.invoke(program, args)
            calls = len(inv.children)
            for count in {seed % max(1, calls), calls // 2}:
                done = inv.rewind(count).replay()
                assert done.status == "completed"
                assert done.rewind(0).replay(live="forbid") == done


def check_crashes(program, args, times):
    for seed in range(times):
        with enact.InMemoryStore():
            calls = len(enact.invoke(program, args).children)
        store = enact.InMemoryStore()
        with store:
            count = 2 + seed % max(1, calls)
            run = cut_after(store, count, lambda: enact.invoke(program, args))
            if run.status == "completed":  # fewer calls, this time
                continue
            done = enact.resume(run)
            assert done.status == "completed"
            assert done.rewind(0).replay(live="forbid") == done


CHECKS = {"replay": check_replays, "rewind": check_rewinds, "crash": check_crashes}


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(("program", "args"), PROGRAMS)
def test_program(program, args, check):
    CHECKS[check](program, args, 3)


@pytest.mark.soak
@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(("program", "args"), PROGRAMS)
def test_program_often(program, args, check):
    CHECKS[check](program, args, 50)


def marks_of(inv):
    return inv.response().details.get("marks")


def test_a_record_has_marks_only_where_somebody_looked():
    @enact.register
    def waits_for_each(looks: bool) -> list[int]:
        with ThreadPoolExecutor(2) as pool:
            items = [pool.submit(recorded, n) for n in range(3)]
            for item in items:
                item.result()
            time.sleep(0.01)
            if looks:
                futures.wait(items)
            return [item.result() for item in items]

    with enact.InMemoryStore():
        assert marks_of(enact.invoke(waits_for_each, (False,))) is None
        *ends, look = marks_of(enact.invoke(waits_for_each, (True,)))
    assert look == [6, LOOK], "after three starts and three ends; by the body"
    assert sorted(mark for _, *mark in ends) == [[END, 0], [END, 1], [END, 2]]
    assert all(1 < place <= 6 for place, *_ in ends)


def test_marks_are_a_field_that_most_records_do_without():
    details = layout.Details()
    details.status = "incomplete"
    assert "marks" not in details.as_map()
    details.marks = [[2, END, 0], [2, LOOK]]
    assert details.as_map()["marks"] == [[2, 0, 0], [2, 1]]


def test_begins_are_told_where_somebody_cancels():
    begin, end, look = [0, BEGIN, 0], [1, END, 0], [1, LOOK]
    assert worth_telling([begin, end, look]) == [end, look]
    assert worth_telling([begin, [1, CANCEL], end]) == [begin, [1, CANCEL], end]


def test_what_came_after_calls_that_are_dropped_is_dropped():
    ends = [[1, END, 0], [2, LOOK], [4, END, 1]]
    assert moved(ends, [True] * 4) == ends
    assert moved(ends, [True, True, False, False]) == ends[:2]
    assert moved(ends, [False, True, True, True]) == [[0, 0, 0], [1, 1], [3, 0, 1]]
    assert moved(ends, [True, False, False, False]) == ends[:1]
    assert moved(ends, [False] * 4) is None, "all of it comes again"
    assert moved(None, [True]) is None


def test_an_edit_that_changes_what_is_done_first():
    """The program takes another way; nothing waits for ever, and nothing is lost."""

    @enact.register
    def delay(number: int) -> float:
        return 0.002 * number

    @enact.register
    def races() -> list[int]:
        def work(number: int) -> int:
            time.sleep(delay(number))
            return number

        with ThreadPoolExecutor(3) as pool:
            items = [pool.submit(work, number) for number in range(3)]
            return [
                model([item.result()]) and item.result()
                for item in futures.as_completed(items)
            ]

    with enact.InMemoryStore():
        inv = enact.invoke(races)
        slow = next(view for view in inv.walk() if view.name.endswith("delay"))
        done = inv.edit(slow, output=0.05).replay()
        assert sorted(done.output) == [0, 1, 2]
        assert done.rewind(0).replay(live="forbid") == done


def test_futures_of_a_call_above_are_looked_at():
    @enact.register
    def below(items: list[object]) -> list[int]:
        return sorted(item.result() for item in futures.as_completed(given))

    given: list[object] = []

    @enact.register
    def above() -> list[int]:
        with ThreadPoolExecutor(2) as pool:
            given[:] = [pool.submit(recorded, n) for n in range(4)]
            return below([])

    with enact.InMemoryStore():
        inv = enact.invoke(above)
        assert inv.output == [0, 1, 2, 3]
        assert inv.rewind(0).replay(live="forbid").output == [0, 1, 2, 3]


def test_futures_outside_of_calls_are_as_ever():
    with ThreadPoolExecutor(2) as pool:
        items = [pool.submit(unrecorded, n) for n in range(4)]
        assert {item.result() for item in futures.as_completed(items)} == set(range(4))
        done, left = futures.wait(items)
    assert len(done) == 4 and not left


BROKEN: list[int] = []


@enact.register(name="ends/checked")
def checked(number: int) -> int:
    if number in BROKEN:
        raise ValueError(number)
    return number


@enact.register(name="ends/gives_up")
def gives_up(closes: bool) -> list[int]:
    """What has not begun when one fails is cancelled."""
    may_go_on = threading.Event()

    def waits() -> int:
        return checked(2) if may_go_on.wait(10) else -1

    with ThreadPoolExecutor(1) as pool:
        items = [pool.submit(checked, 0), pool.submit(checked, 1), pool.submit(waits)]
        items.append(pool.submit(checked, 3))
        try:
            model([items[1].result()])
        except ValueError:
            assert items[3].cancel(), "the only worker is busy"
            raise
        finally:
            may_go_on.set()
        if closes:
            pool.shutdown()
        return [item.result() for item in items]


@pytest.mark.parametrize("closes", [False, True])
def test_what_a_failure_cancelled_is_done_when_it_does_not_fail(closes):
    for _ in range(5):
        BROKEN[:] = [1]
        with enact.InMemoryStore():
            inv = enact.invoke(gives_up, (closes,), wrap_exceptions=True)
            assert inv.status == "failed"
            assert inv.rewind(0).replay(wrap_exceptions=True) == inv
            BROKEN.clear()
            done = inv.replay()
            assert done.output == [0, 1, 2, 3]
            assert done.rewind(0).replay(live="forbid") == done


@enact.register(name="ends/begins_after_cancel")
def begins_after_cancel() -> list[object]:
    """What is told of a cancelled item must not rename what begins after it."""
    may_go_on = threading.Event()

    def waits() -> str:
        may_go_on.wait(10)
        return "waited"

    with ThreadPoolExecutor(1) as pool:
        items = [pool.submit(waits), pool.submit(recorded, 1)]
        was_cancelled = items[1].cancel()
        after = pool.submit(recorded, 2)
        may_go_on.set()
        return [was_cancelled, items[0].result(), after.result()]


def test_what_begins_after_a_cancelled_item_has_its_own_name():
    for _ in range(5):
        with enact.InMemoryStore():
            inv = enact.invoke(begins_after_cancel)
            assert inv.output == [True, "waited", 2]
            again = inv.rewind(0).replay(live="forbid")
            assert again == inv and again.response() == inv.response()
