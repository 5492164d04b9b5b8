# SPDX-License-Identifier: Apache-2.0
"""One store, many processes."""

from __future__ import annotations

import multiprocessing
import os
import random
import subprocess
import sys
import time
import warnings

import pytest

from enact.errors import StoreClosed
from enact.stores import RunRow, sqlite_backend
from enact.testing.backends import sample_block, sample_call
from tests.stores import busy
from tests.stores.crashing import record_some

BUSY = busy.__file__


def test_eight_processes_write_while_another_reads(tmp_path):
    path, count = tmp_path / "runs.db", 400
    spawn = multiprocessing.get_context("spawn")
    runs = [f"a{n}" for n in range(8)]
    # Some fold all the time, some not before they close.
    writers = [
        spawn.Process(
            target=record_some, args=(str(path), run, count, [2_000, 4 << 20][n % 2])
        )
        for n, run in enumerate(runs)
    ]
    reader = sqlite_backend(path)
    for writer in writers:
        writer.start()
    seen = dict.fromkeys(runs, 0)
    while any(writer.is_alive() for writer in writers):
        for run in runs:
            rows = list(reader.calls(run=run))
            assert [row.number for row in rows] == list(range(len(rows)))
            assert len(rows) >= seen[run], "a call that was there is gone"
            seen[run] = len(rows)
            if rows:
                number = rows[-1].number
                block = sample_block(int(run, 16) * 1_000_000 + number)
                assert reader.get([block[0]]) == dict([block])
        time.sleep(0.01)
    assert [writer.exitcode for writer in writers] == [0] * 8
    for run in runs:
        expected = [sample_call(run, n, duration=1e-6) for n in range(count)]
        assert list(reader.calls(run=run)) == expected
        base = int(run, 16) * 1_000_000
        blocks = dict(sample_block(base + n) for n in range(count))
        assert reader.get(blocks) == blocks
    reader.close()
    assert [p.name for p in tmp_path.iterdir()] == ["runs.db"]


def test_what_another_holds_in_its_tail_can_be_read(tmp_path):
    writer = sqlite_backend(tmp_path / "runs.db")
    reader = sqlite_backend(tmp_path / "runs.db")
    for number in range(3):
        writer.record([sample_block(number)], sample_call("0a", number))
        assert [row.number for row in reader.calls()] == list(range(number + 1))
        assert reader.get([sample_block(number)[0]]) == dict([sample_block(number)])
    writer.close()
    assert len(list(reader.calls())) == 3
    assert len(reader.has(sample_block(n)[0] for n in range(4))) == 3
    reader.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_is_refused_and_does_no_harm(tmp_path):
    backend = sqlite_backend(tmp_path / "runs.db")
    backend.record([sample_block(1)], sample_call("0a", 0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Python: forking with threads
        child = os.fork()
    if child == 0:
        refused = 0
        for use in (
            lambda: backend.record([sample_block(2)], sample_call("0a", 1)),
            lambda: backend.get([sample_block(1)[0]]),
            lambda: backend.put([sample_block(3)]),
            lambda: list(backend.calls()),
            lambda: backend.flush(),
        ):
            try:
                use()
            except StoreClosed as error:
                refused += "open it again" in str(error)
        backend.close()
        own = sqlite_backend(tmp_path / "runs.db")
        own.record([sample_block(9)], sample_call("0c", 0))
        own.close()
        os._exit(refused)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
    backend.record([sample_block(4)], sample_call("0a", 1))
    backend.close()
    backend = sqlite_backend(tmp_path / "runs.db")
    assert [(row.run, row.number) for row in backend.calls()] == [
        ("0c", 0),
        ("0a", 0),
        ("0a", 1),
    ]
    assert len(backend.has(sample_block(n)[0] for n in range(10))) == 3
    backend.close()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such modes here")
def test_all_files_are_for_the_owner_alone(tmp_path):
    old = os.umask(0)
    try:
        backend = sqlite_backend(tmp_path / "runs.db")
        backend.record([sample_block(1)], sample_call("0a", 0))
        modes = {p.name: p.stat().st_mode & 0o777 for p in tmp_path.iterdir()}
        backend.close()
    finally:
        os.umask(old)
    assert len(modes) > 1 and set(modes.values()) == {0o600}, modes


def work_together(path, processes, seconds, kills):
    """Lets processes work on one store, kills some of them, starts others instead.

    Returns:
        What each told, by its run, and whether it was killed.
    """
    chance = random.Random(processes)
    told, killed, running = {}, set(), {}
    numbers = iter(range(1, 1000))

    def start():
        run = f"{next(numbers):02x}"
        output = path.with_name(f"{run}.txt").open("w+")
        running[run] = (
            subprocess.Popen(
                [sys.executable, BUSY, str(path), run, str(seconds)],
                stdout=output,
                stderr=subprocess.STDOUT,
            ),
            output,
        )

    for _ in range(processes):
        start()
    begin = time.monotonic()
    for number in range(kills):
        time.sleep(
            max(0.0, begin + seconds * (number + 1) / (kills + 1) - time.monotonic())
        )
        run = chance.choice(sorted(running.keys() - killed))
        killed.add(run)
        running[run][0].kill()
        start()
    for run, (process, output) in running.items():
        process.wait(timeout=200)
        output.seek(0)
        told[run] = output.read().splitlines()
        output.close()
    return told, killed


def check_together(path, told, killed):
    """Fails if anything of what the processes told is not there."""
    backend = sqlite_backend(path)
    tried = counted = calls = 0
    for run, lines in told.items():
        assert lines[-1:] == ["done"] or run in killed, "\n".join(lines[-30:])
        returned = sum(line.startswith("call ") for line in lines)
        expected = [busy.call_of(run, number) for number in range(returned + 1)]
        rows = [row for row, _ in expected]
        # The one that was being recorded at the kill may be there.
        found = list(backend.calls(run=run))
        assert found == rows[: max(returned, len(found))], f"calls of {run}"
        blocks = dict(block for _, two in expected[: len(found)] for block in two)
        assert backend.get(blocks) == blocks
        if "run" in lines:
            assert backend.runs(run=run) == [busy.run_of(run)]
        tried += lines.count("try")
        counted += lines.count("count")
        calls += returned
    count = sum(map(int, backend.entries("count").values()))
    assert counted <= count <= tried
    if tried == counted:
        assert count == tried
    backend.close()
    with_log = [p.name for p in path.parent.iterdir() if p.name.startswith(path.name)]
    left = [name for name in with_log if "-owner-" not in name and ".new" not in name]
    assert left == [path.name]
    return calls, counted


def test_processes_that_come_go_and_are_killed_lose_nothing(tmp_path):
    told, killed = work_together(tmp_path / "runs.db", 6, 2.0, 2)
    calls, counted = check_together(tmp_path / "runs.db", told, killed)
    assert calls > 50 and counted > 5


@pytest.mark.soak
def test_many_processes_that_come_go_and_are_killed_lose_nothing(tmp_path):
    told, killed = work_together(tmp_path / "runs.db", 32, 60.0, 24)
    calls, counted = check_together(tmp_path / "runs.db", told, killed)
    print(f"\n{len(told)} processes, {len(killed)} killed: {calls}, {counted}")


def test_a_late_row_of_an_earlier_attempt_does_not_win(tmp_path):
    first = sqlite_backend(tmp_path / "runs.db")
    row = RunRow("0a", "m:f", "paused", None, 1.0, 0.0)
    first.begin_run(row)
    second = sqlite_backend(tmp_path / "runs.db")
    second.begin_run(row._replace(status="completed", attempt=1))
    second.close()
    assert [one.status for one in first.runs()] == ["completed"]
    first.close()
    third = sqlite_backend(tmp_path / "runs.db")
    assert [one.status for one in third.runs()] == ["completed"]
    third.close()
