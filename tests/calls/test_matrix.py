# SPDX-License-Identifier: Apache-2.0
"""Each way of doing several things at once, with each thing that is done to a record.

Programs of tasks run in virtual time, so that a schedule is the same each time; those
of threads in real time. What a program gives is compared with a run outside of any
invocation whose leaves had the same outcomes.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib.util
import selectors
import threading

import pytest

import enact
from enact.calls import runs
from tests.calls import matrix_callbacks, matrix_streams
from tests.calls.matrix_programs import LIVE, PROGRAMS, Program

assert matrix_callbacks and matrix_streams  # they add to the programs

QUICK, SOAK = 3, 20
OTHER = 1000  # added to a schedule: everything takes another time
OPERATIONS = ("record", "replay", "rewind", "edit", "crash", "crash_twice", "pause")


class _VirtualSelector(selectors.DefaultSelector):
    """Where a real one would sleep, the time has passed."""

    now = 0.0

    def select(self, timeout=None):
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        got = super().select(0)
        if not got:
            self.now += timeout
        return got


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self):
        self._virtual = _VirtualSelector()
        super().__init__(self._virtual)

    def time(self):
        return self._virtual.now


class Case:
    """A program and how it is run.

    Attributes:
        takes_jobs: which task does a job is in no record: after an edit only requests
            say which of them makes a call.
    """

    takes_jobs = False

    def __init__(self, program: Program, schedule: int, step: int = 1) -> None:
        self.fun = program.run
        self.loop = program.loop
        self.real = program.threads or program.loop == "uvloop"
        self.schedule = schedule
        self.step = step
        self.is_async = asyncio.iscoroutinefunction(self.fun.__wrapped__)

    def some(self, items):
        """All of them, or this schedule's share: each is in that of one schedule."""
        return list(items)[self.schedule % self.step :: self.step]

    def wait(self, coroutine):
        if self.loop == "uvloop":
            import uvloop

            factory = uvloop.new_event_loop
        else:
            factory = None if self.real else _VirtualLoop
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(coroutine)

    def untracked(self, answers=None, waits=""):
        LIVE.start(self.schedule, answers, waits="" if self.real else waits)
        return listed(self.wait(self.fun()) if self.is_async else self.fun())

    def record(self, ask=""):
        LIVE.start(self.schedule, ask=ask)
        if self.is_async:
            return self.wait(enact.invoke_async(self.fun))
        return enact.invoke(self.fun)

    def replay(self, inv, answers=None, ask="", **options):
        LIVE.start(self.schedule + OTHER, answers, ask)
        if self.is_async:
            return self.wait(inv.replay_async(**options))
        return inv.replay(**options)

    def resume(self, run):
        LIVE.start(self.schedule + OTHER)
        if self.is_async:
            return self.wait(enact.resume_async(run))
        return enact.resume(run)

    def answer(self, inv, value, ask):
        LIVE.start(self.schedule + OTHER, ask=ask)
        request = inv.get_raised()
        if self.is_async:
            return self.wait(request.continue_invocation_async(inv, value))
        return request.continue_invocation(inv, value)

    def repeat(self, inv, ask=""):
        """Replay all of it: it must be the same, and nothing may run."""
        again = self.replay(inv.rewind(0), live="forbid", ask=ask)
        assert set(LIVE.ran) <= {ask}, "it ran again"  # the code around a question
        assert again == inv


def listed(output):
    """As it comes back from a record."""
    results, *rest = output
    return [results, *rest]


def plain(value):
    """Tuples are lists, where a comparison is not about that."""
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value


def leaves(inv, *statuses):
    """Names of recorded leaf calls."""
    return [
        view.input.args[0]
        for view in inv.walk()
        if view.name.startswith("matrix/leaf")
        and (not statuses or view.status in statuses)
    ]


def results(output):
    return plain(output)[0]


def goes_on_well(kept, done, expected, before=None):
    """What was recorded did not run again, and came in the same order as before."""
    assert not set(leaves(kept, "completed")) & set(LIVE.ran), "it ran again"
    assert len(set(LIVE.ran)) == len(LIVE.ran)
    assert results(done.output) == results(expected)
    if before is not None:
        in_order(set(leaves(kept, "completed")), before, done.output)


def in_order(ended, before, after):
    """Recorded calls ended in the same order as before."""
    was, now = ([x for x in out[1] if x in ended] for out in (before, after))
    assert now == was, "recorded calls ended in another order"


def check_record(case):
    expected = case.untracked()
    ran = sorted(LIVE.ran)
    inv = case.record()
    assert sorted(LIVE.ran) == ran == sorted(leaves(inv)), "no call is lost"
    if case.real:
        assert results(inv.output) == results(expected)
    else:
        assert plain(inv.output) == plain(expected)


def check_replay(case):
    case.repeat(case.record())


def check_rewind(case):
    expected = case.untracked()
    inv = case.record()
    for view in case.some(list(inv.walk())[1:]):
        kept = inv.rewind(to=view)
        done = case.replay(kept)
        goes_on_well(kept, done, expected, inv.output)
        case.repeat(done)


def check_edit(case):
    inv = case.record()
    for view in case.some(inv.walk()):
        # One that was cancelled has an outcome, but no time of its own.
        if view.name.startswith("matrix/leaf") and view.status == "completed":
            answers = {view.input.args[0]: "edited"}
            expected = case.untracked(answers)
            done = case.replay(inv.edit(view, output="edited"), answers)
            assert results(done.output) == results(expected)
            if case.takes_jobs:
                again = case.replay(done.rewind(0), live="forbid")
                assert LIVE.ran == [] and results(again.output) == results(done.output)
            else:
                case.repeat(done)


def crashes_of(case, records):
    """After how many records the process dies, and the run that is left."""
    for count in case.some(range(2, records)):
        store = enact.InMemoryStore()
        with store:
            yield count, store, cut_after(store, count, case.record)


def recorded_whole(case):
    """What an execution gives that nothing cuts off, and how many records it has."""
    with enact.InMemoryStore():
        whole = case.record()
    return whole, len(list(whole.walk())) + 1


def check_crash(case):
    expected = case.untracked()
    whole, records = recorded_whole(case)
    for _, _, run in crashes_of(case, records):
        kept = run.invocation
        done = case.resume(run)
        # In real time each execution has an order of its own.
        before = None if case.real else whole.output
        goes_on_well(kept, done, expected, before)
        case.repeat(done)


def check_crash_twice(case):
    expected = case.untracked()
    whole, records = recorded_whole(case)
    for count, store, once in crashes_of(case, records):
        first = set(leaves(once.invocation, "completed"))
        # The second process dies earlier in the program, or behind it.
        again = 1 + (count * 7 + case.schedule) % (records - count + 2)
        run = cut_after(store, again, functools.partial(case.resume, once))
        assert not first & set(LIVE.ran), "it ran again"
        if run.status == "completed":
            continue
        kept = run.invocation
        assert first <= set(leaves(kept, "completed")), "lost by the second death"
        done = case.resume(run)
        goes_on_well(kept, done, expected)
        if not case.real:
            in_order(first, whole.output, done.output)
        case.repeat(done)


def check_pause(case):
    case.untracked()
    for name in case.some(name for name in LIVE.ran if "slow" not in name):
        # Where a program looks at the time, a person may be fast or slow.
        expected = [
            results(case.untracked({name: "answer"}, waits=waits))
            for waits in (name, "")
        ]
        inv = case.record(ask=name)
        assert inv.status == "paused"
        assert inv.get_raised().for_value() == name
        done = case.answer(inv, "answer", name)
        assert not set(leaves(inv, "completed")) & set(LIVE.ran), "it ran again"
        assert results(done.output) in expected
        case.repeat(done, name)


class Dying:
    """A backend of a process that dies after some records."""

    outlives_process = True

    def __init__(self, backend, records):
        self._backend = backend
        self._left = records
        self._lock = threading.Lock()

    def __getattr__(self, name):
        return getattr(self._backend, name)

    def record(self, blocks, row):
        with self._lock:
            self._left -= 1
            if self._left >= 0:
                self._backend.record(blocks, row)

    def put(self, blocks):
        if self._left >= 0:
            self._backend.put(blocks)

    def end_run(self, row):
        if self._left >= 0:
            self._backend.end_run(row)


def cut_after(store, records, execute):
    """Executes something of which only the first records are written; the run."""
    backend = store.backend
    store.backend = Dying(backend, records)
    with contextlib.suppress(enact.MissingBlock):  # it goes on, as no dead one would
        execute()
    store.backend = backend
    runs.LIVE.clear()
    return store.runs()[0]


CHECKS = {
    "record": check_record,
    "replay": check_replay,
    "rewind": check_rewind,
    "edit": check_edit,
    "crash": check_crash,
    "crash_twice": check_crash_twice,
    "pause": check_pause,
}

CELLS = [
    pytest.param(name, operation, id=f"{name}-{operation}")
    for name in PROGRAMS
    for operation in OPERATIONS
]


def check(name, operation, schedules, step):
    program = PROGRAMS[name]
    if program.loop and importlib.util.find_spec(program.loop) is None:
        pytest.skip(f"{program.loop} is not installed")
    for schedule in schedules:
        with enact.InMemoryStore():
            CHECKS[operation](Case(program, schedule, step))


@pytest.mark.parametrize(("name", "operation"), CELLS)
def test_cell(name, operation):
    check(name, operation, range(QUICK), QUICK)


@pytest.mark.soak
@pytest.mark.parametrize(("name", "operation"), CELLS)
def test_cell_under_many_schedules(name, operation):
    check(name, operation, range(QUICK, QUICK + SOAK), 1)
