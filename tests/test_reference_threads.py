# SPDX-License-Identifier: Apache-2.0
"""Random programs of threads and work items do what the specification says of tasks.

The programs are those of tasks. Where one starts a task it starts a thread here, or
hands work to a pool of threads: the reference knows no difference, nor may a record.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import enact
from enact.calls import thread_turns
from tests import reference
from tests.programs import (
    LIMIT,
    CodeChange,
    Program,
    TooLong,
    World,
    code_changes,
    programs,
)
from tests.programs import plain as in_words
from tests.test_reference import (
    CHANGES,
    PLAIN,
    REFERENCE_PLAIN,
    SCHEDULES,
    Step,
    Tasks,
    bounded,
    by_lane,
    change,
    change_reference,
    check_verdicts,
    drive,
    hangs_on_order,
    tree,
    tree_of,
    within,
)


class Free:
    """Threads as the machine runs them, each pause of some length.

    Every other one is a thread of its own, the rest is work for a pool.
    """

    def __init__(self, schedule: Sequence[int] = (0,)) -> None:
        self.schedule = schedule
        self.pauses = self.started = 0
        self.lock = threading.Lock()
        self.pool = ThreadPoolExecutor(LIMIT)
        self.threads: list[threading.Thread] = []

    def names(self) -> dict[str, Any]:
        return {
            "gather": self.gather,
            "pause": self.pause,
            "settle": self.settle,
            "spawn": self.spawn,
        }

    def main(self, run: Callable[[], Any]) -> Any:
        """Run a program; no thread of it goes on when it is over."""
        try:
            return run()
        finally:
            self.pool.shutdown()
            for thread in self.threads:
                thread.join()

    async def pause(self) -> None:
        with self.lock:
            length = self.schedule[self.pauses % len(self.schedule)]
            self.pauses += 1
        time.sleep(length / 10_000)

    def spawn(self, body: Coroutine[Any, Any, Any]) -> Future[Any]:
        return self.start(lambda: drive(body))

    def start(self, run: Callable[[], Any]) -> Future[Any]:
        with self.lock:
            self.started += 1
            number = self.started
        if number % 2:
            return self.pool.submit(run)
        future: Future[Any] = Future()

        def note() -> None:
            try:
                future.set_result(run())
            except Exception as error:
                future.set_exception(error)
            except BaseException as error:
                future.set_exception(error)
                if not isinstance(error, TooLong):  # which nobody need hear of
                    raise

        thread = threading.Thread(target=note)
        self.threads.append(thread)
        thread.start()
        return future

    async def settle(self, *futures: Future[Any]) -> list[Any]:
        outcomes = []
        for future in futures:
            try:
                outcomes.append(future.result())
            except Exception as error:
                outcomes.append(error)
        return outcomes

    async def gather(self, *bodies: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        return await self.settle(*[self.spawn(body()) for body in bodies])


class Gate(Free):
    """Lets one thread go on at a time, the same one as in the reference."""

    def __init__(self, schedule: Sequence[int]) -> None:
        super().__init__(schedule)
        self.doors: list[Door] = []
        self.door_of: dict[Future[Any], Door] = {}
        self.own = threading.local()
        self.steps = 0
        self.is_open = False

    def main(self, run: Callable[[], Any]) -> Any:
        self.doors.append(Door())
        self.let_go_on()
        return super().main(lambda: self.behind(self.doors[0], run))

    def behind(self, door: Door, run: Callable[[], Any]) -> Any:
        self.own.door = door
        try:
            door.opened.wait()
            return run()
        finally:
            door.over = True
            if door is self.doors[0]:  # what it left behind ends
                self.is_open = True
                for other in self.doors:
                    other.opened.set()
            self.let_go_on()

    def wait(self, ready: Callable[[], bool]) -> None:
        door = self.own.door
        door.ready, door.opened = ready, threading.Event()
        self.let_go_on()
        if not self.is_open:
            door.opened.wait()

    def let_go_on(self) -> None:
        able = [d for d in self.doors if not d.over and d.ready()]
        if able and not self.is_open:
            number = self.schedule[self.steps % len(self.schedule)]
            self.steps += 1
            able[number % len(able)].opened.set()

    async def pause(self) -> None:
        self.wait(lambda: True)

    def spawn(self, body: Coroutine[Any, Any, Any]) -> Future[Any]:
        door = Door()
        self.doors.append(door)
        future = self.start(lambda: self.behind(door, lambda: drive(body)))
        self.door_of[future] = door
        return future

    async def settle(self, *futures: Future[Any]) -> list[Any]:
        doors = [self.door_of[future] for future in futures]
        if not all(door.over for door in doors):
            self.wait(lambda: all(door.over for door in doors))
        return await super().settle(*futures)


class Door:
    """What a thread waits for."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.ready: Callable[[], bool] = lambda: True
        self.over = False


class Threads(Tasks):
    """A program with threads, in the reference and in the package."""

    def __init__(self, program: Program, *, ordered: bool) -> None:
        super().__init__(program, ordered=ordered)
        self.expected = World(program.source, REFERENCE_PLAIN, ordered=ordered)
        self.actual = World(program.source, PLAIN, ordered=ordered)

    def run(self, world: World, threads: Free, run: Callable[[], Any]) -> Any:
        within(world).names.update(threads.names())
        return threads.main(run)

    def untracked(self, threads: Free) -> tuple[Any, Any, Any]:
        world = World(self.program.source, PLAIN, ordered=self.actual.ordered)
        try:
            output = self.run(
                world, threads, lambda: PLAIN["main"](self.program.argument)
            )
        except Exception as error:
            return in_words(error), None, world.log
        return None, in_words(output), world.log

    def record(self, threads: Free) -> enact.Invocation:
        return self.run(
            self.actual, threads,
            lambda: enact.invoke(
                PLAIN["main"], (self.program.argument,),
                wrap_exceptions=True, raise_on_errors=(),
            ),
        )  # fmt: skip

    def replay(
        self, inv: enact.Invocation, threads: Free, **options: Any
    ) -> enact.Invocation:
        self.actual.log.clear()
        self.actual.epoch += 1
        return self.run(
            self.actual, threads,
            lambda: inv.replay(wrap_exceptions=True, raise_on_errors=(), **options),
        )  # fmt: skip


def check_record(program: Program, schedule: list[int]) -> None:
    both = Threads(program, ordered=True)
    error, output, log = both.untracked(Gate(schedule))
    call = both.record_reference(schedule)
    with enact.InMemoryStore():
        inv = both.record(Gate(schedule))
        assert tree_of(inv) == tree(call)
    assert both.actual.log == both.expected.log
    if "InputChanged" not in repr(tree(call)):
        assert (error, output, log) == (
            in_words(call.raised), in_words(call.output), both.actual.log
        )  # fmt: skip


def check_exact(program: Program, first: list[int], second: list[int]) -> None:
    both = Threads(program, ordered=True)
    with enact.InMemoryStore():
        inv = both.record(Free(first))
        if inv.status == "completed":
            again = both.replay(inv.rewind(0), Free(second))
            assert both.actual.log == []
            assert in_words(again.output) == in_words(inv.output)
            assert tree_of(again) == tree_of(inv)


def check_changes(program: Program, schedule: list[int], changes: list[Step]) -> None:
    both = Threads(program, ordered=False)
    both.untracked(Gate(schedule))
    call = both.record_reference(schedule)
    with enact.InMemoryStore():
        inv = both.record(Gate(schedule))
        assert tree_of(inv) == tree(call)
        for step in changes:
            call, inv = change_reference(call, step), change(inv, step)
            assert by_lane(tree_of(inv)) == by_lane(tree(call))
        # The order between lanes may differ from here on: live calls have no turns.
        for _ in range(2):
            try:
                call, inv = replay_both(both, call, inv)
            except enact.ReplayError:
                return


def replay_both(
    both: Threads, call: reference.Call, inv: enact.Invocation, **options: Any
) -> tuple[reference.Call, enact.Invocation]:
    left = False
    try:
        call = both.replay_reference(call, **options)
    except reference.ReplayError:
        left = True
    try:
        inv = both.replay(inv, Free(), **options)
    except enact.ReplayError:
        assert left
        raise
    assert not left
    found = tree_of(inv, inv.verdicts())
    expected = tree(call, reference._whole.verdicts)
    if by_lane(found) != by_lane(expected):
        assume(not hangs_on_order(found, expected))
    assert by_lane(found) == by_lane(expected)
    assert sorted(both.actual.log) == sorted(both.expected.log)
    return call, inv


def check_code(
    program: Program, schedule: list[int], changes: list[CodeChange]
) -> None:
    both = Threads(program, ordered=False)
    both.untracked(Gate(schedule))
    call = both.record_reference(schedule)
    with enact.InMemoryStore(), pytest.MonkeyPatch.context() as patch:
        inv = both.record(Gate(schedule))
        names = both.change_code(changes)
        # A thread may wait for one that goes another way now; not for long here.
        patch.setattr(thread_turns, "PATIENCE", 0.3)
        again_call, again = replay_both(both, call, inv, strict=False)
        if inv.status == "completed":
            check_verdicts(inv, again, names)
        replay_both(both, again_call, again, strict=False)


@given(programs(tasks=True, shared=True), SCHEDULES)
@settings(max_examples=20)
def test_threads_are_recorded_as_they_run(
    program: Program, schedule: list[int]
) -> None:
    bounded(check_record, program, schedule)


@given(programs(tasks=True, shared=True), SCHEDULES, SCHEDULES)
@settings(max_examples=20)
def test_threads_are_replayed_exactly(
    program: Program, first: list[int], second: list[int]
) -> None:
    bounded(check_exact, program, first, second)


@given(programs(tasks=True, distinct=True), SCHEDULES, st.lists(CHANGES, max_size=3))
@settings(max_examples=20)
def test_partial_programs_with_threads_go_on_as_specified(
    program: Program, schedule: list[int], changes: list[Step]
) -> None:
    bounded(check_changes, program, schedule, changes)


@given(
    programs(tasks=True, distinct=True, calm=True), SCHEDULES,
    code_changes("task", "task"),
)  # fmt: skip
@settings(max_examples=10)
def test_changed_programs_with_threads_go_on_as_specified(
    program: Program, schedule: list[int], changes: list[CodeChange]
) -> None:
    bounded(check_code, program, schedule, changes)


EACH = [
    test_threads_are_recorded_as_they_run,
    test_threads_are_replayed_exactly,
    test_partial_programs_with_threads_go_on_as_specified,
    test_changed_programs_with_threads_go_on_as_specified,
]


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("test", EACH)
def test_many_programs(test: Callable[[], None]) -> None:
    # Settings are given to a test once, says Hypothesis; here they are given anew.
    vars(test).pop("_hypothesis_internal_settings_applied", None)
    settings(max_examples=1000)(test)()
