# SPDX-License-Identifier: Apache-2.0
"""Calls in child processes: recorded under the call that started them, and replayed."""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.forkserver
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

import enact
from tests.calls import process_programs as programs
from tests.calls.process_programs import NOTES, noted

METHODS = [
    method
    for method in ("fork", "forkserver", "spawn")
    if method in multiprocessing.get_all_start_methods()
]
PROGRAMS = [
    programs.executor, programs.alone, programs.pool, programs.concurrent,
    programs.nested, programs.stateful, programs.handled, programs.streaming,
    programs.subclassed, programs.thread_pool, programs.called_back,
    programs.locking, programs.completed,
]  # fmt: skip

pytestmark = pytest.mark.filterwarnings(
    # Of forking while threads run, in Python itself.
    "ignore:This process:DeprecationWarning"
)


@pytest.fixture(autouse=True)
def notes(tmp_path, monkeypatch):
    path = tmp_path / "notes"
    path.touch()
    monkeypatch.setenv(NOTES, str(path))
    # What a fork server makes has the environment that it began with.
    multiprocessing.forkserver._forkserver._stop()
    yield path
    multiprocessing.set_start_method(None, force=True)


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    if request.param == "memory":
        with enact.InMemoryStore() as store:
            yield store
    else:
        with enact.SQLiteStore(tmp_path / "runs.db") as store:
            yield store
        store.close()


def names(inv):
    return sorted(call.path for call in inv.walk() if call.path)


def leaves():
    return [line for line in noted() if line.startswith(("leaf", "later"))]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_what_runs_in_processes_is_recorded_and_replayed(program, store):
    inv = enact.invoke(program, ("fork",))
    ran = leaves()
    assert inv.output == program("fork")
    assert len(leaves()) == 2 * len(ran)  # outside of an invocation they just run
    called = [
        call
        for call in inv.walk()
        if str(call.name).endswith(("process/leaf", "/slow_leaf", "process/later"))
    ]
    assert len(called) == len(ran)
    before = leaves()
    assert inv.replay() == inv
    forbidden = inv.replay(live="forbid")
    assert forbidden == inv
    assert forbidden.verdicts() == {}
    assert leaves() == before
    rows = list(store.calls())
    assert len({(row.run, row.number) for row in rows}) == len(rows)


QUICK = [programs.concurrent, programs.stateful, programs.streaming]


@pytest.mark.parametrize(
    "program",
    [
        program if program in QUICK else pytest.param(program, marks=pytest.mark.soak)
        for program in PROGRAMS
    ],
    ids=lambda program: program.__name__,
)
def test_each_call_is_rewound_and_edited(program):
    with enact.InMemoryStore():
        inv = enact.invoke(program, ("fork",))
        for call in list(inv.walk()):
            if not call.path:
                continue
            before = len(leaves())
            again = inv.rewind(to=call).replay()
            assert again.get_output() == inv.output
            assert len(leaves()) - before <= sum(1 for _ in inv.walk())
            if call.status == "completed":
                assert inv.edit(call, output=call.output).replay().output == inv.output


def test_what_a_failure_cancelled_is_done_when_it_does_not_fail():
    for _ in range(3):
        programs.BROKEN[:] = [0]
        with enact.InMemoryStore():
            inv = enact.invoke(programs.gives_up, ("fork",), wrap_exceptions=True)
            assert inv.status == "failed"
            programs.BROKEN.clear()
            assert inv.replay().output == list(range(8))


def test_what_was_cancelled_is_cancelled_again():
    for _ in range(3):
        with enact.InMemoryStore():
            inv = enact.invoke(programs.cancelled, ("fork",))
            before = leaves()
            assert inv.replay() == inv
            assert inv.rewind(0).replay(live="forbid") == inv
            assert leaves() == before
            assert inv.rewind(2).replay().output == "one has won"


@pytest.mark.parametrize("method", METHODS[1:])
@pytest.mark.parametrize(
    "program",
    [
        programs.concurrent,
        programs.subclassed,
        pytest.param(programs.executor, marks=pytest.mark.soak),
    ],
)
def test_other_ways_of_starting_processes(program, method):
    with enact.InMemoryStore():
        inv = enact.invoke(program, (method,))
        assert inv.output == program("fork")
        like = enact.invoke(program, ("fork",))
        assert len(names(inv)) == len(names(like))
        before = leaves()
        assert inv.replay(live="forbid") == inv
        assert leaves() == before


def test_an_edit_is_seen_by_what_comes_after_it():
    with enact.InMemoryStore():
        inv = enact.invoke(programs.executor, ("fork",))
        (call,) = (c for c in inv.children if c.get_input().args == [1])
        changed = inv.edit(call[1], output=1000).replay()
        assert changed.output == [6, 7, 1002, 27, 1]
        assert inv.output == [6, 7, 13, 27, 1]


# --- failures, pauses, deaths ---------------------------------------------------------


@pytest.mark.parametrize("program", [programs.failing, programs.wrapping])
def test_what_failed_in_a_process_is_retried(program, monkeypatch):
    with enact.InMemoryStore():
        inv = enact.invoke(program, ("fork",), wrap_exceptions=True)
        assert inv.status == "failed"
        (failed,) = (c for c in inv.walk() if c.path and c.status == "failed")
        assert str(failed.error) == "no 2"
        before = leaves()
        monkeypatch.setenv("ENACT_TEST_MEND", "1")
        again = inv.replay()
        assert again.status == "completed"
        assert again.output in ([2, 2], 2)
        assert leaves() == before  # what had returned was not paid for again


def test_a_failed_process_is_the_error_that_the_program_sees():
    with enact.InMemoryStore(), pytest.raises(KeyError) as caught:
        enact.invoke(programs.wrapping, ("fork",))
    assert type(caught.value) is KeyError
    said = str(caught.value.__cause__)
    assert 'raise KeyError("wrapped") from error' in said
    assert "ValueError: no 2" in said
    assert "Carried" not in said


def test_questions_of_processes_are_all_found_and_answered(store):
    inv = enact.invoke(programs.asking, ("fork",))
    assert inv.status == "paused"
    assert [question.context for question in store.pending()] == [
        "how many for 1?",
        "how many for 2?",
    ]
    for answer in (5, 6):
        inv = inv.get_raised().continue_invocation(inv, answer)
    assert inv.output == [7, 9]
    assert leaves() == ["leaf:1", "leaf:2"]


def test_a_process_that_dies_leaves_what_it_recorded(store):
    inv = enact.invoke(programs.dying, ("fork",), wrap_exceptions=True)
    assert inv.get_raised().type_name == "BrokenProcessPool"
    assert [call.status for call in inv.children] == ["completed", "incomplete"]
    assert inv[1, 0].output == 2
    again = inv.replay()
    assert again.output == [6, 3]
    assert leaves() == ["leaf:5", "leaf:1", "leaf:2"]


KILLED = """
    import os, signal, sys
    import enact
    from tests.calls import process_programs as programs

    store = enact.SQLiteStore(sys.argv[1])
    backend, limit = store.backend, int(sys.argv[2])
    record, seen = backend.record, []

    def counting(blocks, row):
        record(blocks, row)
        seen.append(row)
        if len(seen) == limit:
            os.kill(os.getpid(), signal.SIGKILL)

    backend.record = counting
    with store:
        enact.invoke(programs.executor, ("fork",))
    print("done")
"""


def resumed(run):
    """What a killed program comes to, once the last of its workers is dead as well."""
    until = time.monotonic() + 30
    while True:
        try:
            return enact.resume(run)
        except enact.errors.RunIsLive:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.soak)])
def test_a_killed_program_resumes_what_its_processes_recorded(tmp_path, notes, step):
    limit, over = 0, False
    while not over:
        limit += step
        notes.write_text("")
        path = tmp_path / f"runs{limit}.db"
        program = [sys.executable, "-c", textwrap.dedent(KILLED), str(path), str(limit)]
        child = subprocess.Popen(program, start_new_session=True)
        code = child.wait(60)
        over = code == 0
        assert over or code == -signal.SIGKILL
        with contextlib.suppress(ProcessLookupError):
            # Workers that are forked do not see by themselves that it is gone.
            os.killpg(child.pid, signal.SIGKILL)
        with enact.SQLiteStore(path) as store:
            returned = [
                row for row in store.backend.calls() if row.status == "completed"
            ]
            before = leaves()
            (run,) = store.runs()
            inv = run.invocation if over else resumed(run)
            assert inv.output == [6, 7, 13, 27, 1]
            kept = sum(row.invokable == "process/leaf" for row in returned)
            assert len(leaves()) - len(before) == 8 - kept, limit
        store.close()
    assert limit > 10


# --- what cannot be done --------------------------------------------------------------


def test_a_process_that_outlives_its_call_is_told(recwarn):
    with enact.InMemoryStore():
        inv = enact.invoke(programs.outliving, ("fork",))
        programs.WORKERS.pop().join()
        assert inv.output == 2
        assert [call.name for call in inv.children] == ["process/leaf"]
    said = [str(w.message) for w in recwarn if "outlived" in str(w.message)]
    assert len(said) == 1
    assert "'process/leaf'" in said[0]
    assert "'process/outliving'" in said[0]


def test_a_search_looks_at_calls_of_processes_but_not_below_them():
    found = enact.search.run(
        programs.drawing, args=("fork", False), score=float, strategy="best_of",
        budget=enact.search.Budget(calls=4), seed=0,
    )  # fmt: skip
    assert found.spent.calls == 4
    with pytest.raises(enact.CallError, match="a search cannot look below calls in"):
        enact.search.run(
            programs.drawing, args=("fork", True), score=float, strategy="best_of",
            budget=enact.search.Budget(calls=4), seed=0,
        )  # fmt: skip


def test_strangers_are_not_listened_to():
    from multiprocessing.connection import Client

    from enact.calls.processes import hooks

    with enact.InMemoryStore():
        assert enact.invoke(programs.handled, ("fork",)).output == ["no 2", 4]
    place, _ = hooks._address()
    with pytest.raises((multiprocessing.AuthenticationError, OSError, EOFError)):
        Client(place, authkey=b"guess")
    with enact.InMemoryStore():
        assert enact.invoke(programs.handled, ("fork",)).output == ["no 2", 4]


def test_a_program_that_imports_processes_late_is_covered(tmp_path):
    program = """
        import enact, sys

        @enact.register
        def leaf(x):
            return x + 1

        @enact.register
        def program():
            from concurrent.futures import ProcessPoolExecutor
            with ProcessPoolExecutor(1) as pool:
                return pool.submit(leaf, 1).result()

        if __name__ == "__main__":
            assert "multiprocessing.process" not in sys.modules
            with enact.InMemoryStore():
                print(len(enact.invoke(program).children))
    """
    (tmp_path / "late.py").write_text(textwrap.dedent(program))
    done = subprocess.run(
        [sys.executable, "late.py"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout == "1\n", done.stderr
    assert os.listdir(tmp_path)


JOBS = """
    import joblib, sys
    import enact

    @enact.register
    def leaf(x):
        return x + 1

    @enact.register(name="jobs/Scale.times", deterministic=True)
    def times(x, by=3):
        return by * x

    def work(x):
        return leaf(x) + times(x)

    @enact.register
    def program(backend):
        with joblib.parallel_config(backend=backend):
            return joblib.Parallel(n_jobs=2)(joblib.delayed(work)(n) for n in range(6))

    if __name__ == "__main__":
        backend = sys.argv[1]
        assert program(backend) == [1, 5, 9, 13, 17, 21]
        with enact.InMemoryStore():
            inv = enact.invoke(program, (backend,))
            assert inv.output == [1, 5, 9, 13, 17, 21]
            assert inv.replay(live="forbid").output == inv.output
            print(len(inv.children))
"""


@pytest.mark.parametrize("backend", ["loky", "multiprocessing", "threading"])
def test_jobs_of_joblib_are_recorded(backend, tmp_path):
    pytest.importorskip("joblib")
    (tmp_path / "jobs.py").write_text(textwrap.dedent(JOBS))
    done = subprocess.run(
        [sys.executable, "jobs.py", backend],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.stdout == "12\n", done.stderr
