# SPDX-License-Identifier: Apache-2.0
"""What a process does that ``crash.py`` starts, and may kill: one try of a program."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import enact
from bench.crash_programs import PROGRAMS, Program, Side, Trap, change_code
from enact.stores import fold, intake, owners, sqlite, tail

T = TypeVar("T")

# Points where a process may be killed, by what must be the case for them to come.
POINTS = (
    "before effect",
    "in effect",
    "after effect",
    "before record",
    "in record",
    "after record",
    "before fold",
    "in fold",
    "after fold",
    "after tail",
    "before close",
    "in close",
    "before tidying",
    "after tidying",
    "before run begins",
    "after run begins",
    "before run ends",
    "after run ends",
    "before claim",
    "after claim",
    "after opening",
)


class Try(NamedTuple):
    """What one process is to do.

    Attributes:
        directory: where the store is, and all else that is written.
        program: its name.
        how: ``run``, or which replay of a recording that is there: ``edit``,
            ``rewind`` or ``code``.
        durability: of the store.
        fold_bytes: size of a tail that is folded.
        number: 0 for the first process, then 1, ...
        point, times: where to die; no point to die by another's hand, or not at all.
    """

    directory: Path
    program: str
    how: str
    durability: str
    fold_bytes: int
    number: int
    point: str = ""
    times: int = 0


def make(task: Try) -> None:
    """Begins the run, or goes on with it where others left it."""
    trap = _prepare(task)
    program = PROGRAMS[task.program]
    store = enact.SQLiteStore(task.directory / "runs.db", task.durability)
    trap.at("after opening")
    _watch(store.backend, trap)
    with store:
        run = _find(store, task)
        _write(task, "journal", journal(store, run))
        if run is not None and run.status == "completed":
            invocation = run.invocation
        elif run is None or run.invocation is None:
            invocation = _begin(store, task, program)
        else:
            invocation = _go_on(store, task, program, run)
    assert invocation is not None
    outcome = {"output": invocation.output, "id": invocation.ref.id}
    _write(task, "outcome", outcome)
    store.close()
    trap.at("after closing")
    _write(task, "seen", trap.seen)


def check(task: Try) -> None:
    """Sees that what was recorded in the end replays without any call."""
    _prepare(task)
    program = PROGRAMS[task.program]
    with enact.SQLiteStore(task.directory / "runs.db") as store:
        run = _find(store, task)
        assert run is not None and run.status == "completed", run
        found = run.invocation
        assert found is not None
        if program.is_async:
            again = asyncio.run(found.replay_async(live="forbid"))
        else:
            again = found.replay(live="forbid")
        assert again.output == found.output, (again.output, found.output)
        _write(task, "outcome", {"output": again.output, "id": found.ref.id})
    store.close()


def journal(store: enact.Store, since: enact.Run | None) -> list[list[Any]]:
    """Calls of a run and of later ones: run, branch, place, name and status of each."""
    found: list[list[Any]] = []
    for run in store.backend.runs():
        if since is None or run.id < since.id:
            continue
        places: dict[int, str] = {}
        for row in store.backend.calls(run=run.id):
            step = ":".join(map(str, (*row.lane, row.position)))
            above = "" if row.parent is None else places[row.parent] + "/"
            places[row.number] = above + step
            branch = run.meta.get("branch", run.id)
            status = "running" if row.invocation is None else row.status
            found.append([run.id, branch, above + step, row.invokable, status])
    return found


def in_child(job: Callable[[Try], None], task: Try) -> int:
    """Starts a process of its own for a job; gives its number."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        log = os.open(task.directory / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 2)
        sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
        faulthandler.register(signal.SIGUSR1, file=sys.stderr)
        job(task)
        status = 0
    except BaseException:  # whatever it is, it must not come back into the parent
        import traceback

        traceback.print_exc()
    finally:
        os._exit(status)


def _prepare(task: Try) -> Trap:
    trap = Side.trap = Trap(task.point, task.times)
    Side.attempt = task.number
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    Side.fd = os.open(task.directory / "side", flags, 0o600)
    intake.FOLD_BYTES = task.fold_bytes
    if task.how == "code":
        change_code()
    _around(fold.Archive, "fold", trap, "before fold", "after fold")
    _around(tail.TailWriter, "remove", trap, "", "after tail")
    _around(owners.Owner, "disappear", trap, "in close", "")
    _around(sqlite, "compact", trap, "before tidying", "after tidying")
    transact = fold.Archive.transact

    def cut(self: Any, write: Callable[[], None]) -> None:
        def run() -> None:
            write()
            trap.at("in fold")

        transact(self, run)

    fold.Archive.transact = cut  # type: ignore[method-assign]
    append = tail.TailWriter.append

    def tear(self: Any, record: bytes) -> None:
        if trap.point == "in record" and (
            trap.seen.get("in record", 0) + 1 == trap.count
        ):
            os.write(self.fd, record[: len(record) * 2 // 3])
        trap.at("in record")
        append(self, record)

    tail.TailWriter.append = tear  # type: ignore[method-assign]
    return trap


def _watch(backend: Any, trap: Trap) -> None:
    _around(backend, "record", trap, "before record", "after record")
    _around(backend, "begin_run", trap, "before run begins", "after run begins")
    _around(backend, "end_run", trap, "before run ends", "after run ends")
    _around(backend, "close", trap, "before close", "")
    claim = backend.claim

    @contextlib.contextmanager
    def claimed(run: str) -> Any:
        trap.at("before claim")
        with claim(run):
            trap.at("after claim")
            yield

    backend.claim = claimed


def _around(owner: Any, name: str, trap: Trap, before: str, after: str) -> None:
    do = getattr(owner, name)

    def run(*args: Any, **kwargs: Any) -> Any:
        if before:
            trap.at(before)
        found = do(*args, **kwargs)
        if after:
            trap.at(after)
        return found

    setattr(owner, name, run)


def _find(store: enact.Store, task: Try) -> enact.Run | None:
    """The run that this is about: the last one of the program."""
    name = f"crash/{task.program}"
    how = None if task.how == "run" else "replay"
    rows = [row for row in store.backend.runs(name=name) if row.how == how]
    return store.run(rows[0].id) if rows else None


def _begin(store: enact.Store, task: Try, program: Program) -> Any:
    if task.how == "run":
        if program.is_async:
            return asyncio.run(enact.invoke_async(program.run))
        return enact.invoke(program.run)
    rows = [r for r in store.backend.runs(name=f"crash/{task.program}") if not r.how]
    found = store.run(rows[0].id).invocation
    assert found is not None
    if task.how == "rewind":
        found = found.rewind(len(found.children) // 2)
    elif task.how == "edit":
        leaves = [view for view in found.walk() if view.name in _EDITED]
        found = found.edit(leaves[len(leaves) // 3], output="edited")
    if program.is_async:
        return asyncio.run(found.replay_async())
    return found.replay()


_EDITED = ("crash/leaf", "crash/aleaf")


def _go_on(store: enact.Store, task: Try, program: Program, run: enact.Run) -> Any:
    try:
        return _resume(program, run)
    except enact.InDoubt as error:
        _write(task, "doubt", {"path": error.path})
        return _resume(program, run, in_doubt="retry")


def _resume(program: Program, run: enact.Run, **options: Any) -> Any:
    if program.is_async:
        return asyncio.run(enact.resume_async(run, **options))
    return enact.resume(run, **options)


def _write(task: Try, what: str, data: Any) -> None:
    """Writes a file, all of it or nothing."""
    path = task.directory / f"{what}-{task.number}"
    path.with_name("new").write_text(json.dumps(data))
    path.with_name("new").rename(path)
