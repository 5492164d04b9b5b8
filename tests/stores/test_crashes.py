# SPDX-License-Identifier: Apache-2.0
"""What is left after a process dies."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from enact.errors import RunIsLive, StoreUnavailable
from enact.stores import RunRow, fold, intake, sqlite_backend
from enact.testing.backends import sample_block, sample_call
from tests.stores.crashing import copy_as_after_a_crash
from tests.stores.story import abandon

CHILD = str(Path(__file__).with_name("crashing.py"))


def kill_while_recording(directory, fold_bytes, after):
    """Returns how many calls the child says had returned when it was killed."""
    path = directory / "runs.db"
    with subprocess.Popen(
        [sys.executable, CHILD, str(path), str(fold_bytes)],
        stdout=subprocess.PIPE,
    ) as child:
        told = child.stdout.read(4 * after)
        child.send_signal(signal.SIGKILL)
        told += child.stdout.read()
    return len(told) // 4


def check_all_there(path, returned):
    backend = sqlite_backend(path)
    rows = list(backend.calls())
    assert [row.number for row in rows] == list(range(len(rows)))
    assert returned <= len(rows) <= returned + 1
    assert rows == [sample_call("0a", n, duration=1e-6) for n in range(len(rows))]
    blocks = dict(sample_block(n) for n in range(3 * len(rows)))
    assert backend.get(blocks) == blocks
    backend.close()
    # A tail that was being made when the kill came has nothing in it yet; it goes when
    # it is old enough to be nobody's.
    left = [p.name for p in path.parent.iterdir() if not p.name.endswith(".new")]
    assert left == [path.name]


def crash_rounds(tmp_path, rounds):
    chance = random.Random(rounds)
    for number in range(rounds):
        directory = tmp_path / str(number)
        fold_bytes = chance.choice([500, 5_000, 50_000, 4 << 20])
        after = chance.randrange(1, 400)
        returned = kill_while_recording(directory, fold_bytes, after)
        assert returned >= after
        check_all_there(directory / "runs.db", returned)


def test_calls_that_returned_survive_a_kill(tmp_path):
    crash_rounds(tmp_path, 20)


@pytest.mark.soak
def test_calls_that_returned_survive_many_kills(tmp_path):
    crash_rounds(tmp_path, 500)


@pytest.fixture
def crashed(tmp_path):
    """Directory of a store as three calls left it, and the place of the last one."""
    backend = sqlite_backend(tmp_path / "live" / "runs.db")
    for number in range(3):
        before = tail_of(tmp_path / "live").stat().st_size if number else 0
        backend.record([sample_block(number)], sample_call("0a", number))
    yield tmp_path / "live" / "runs.db", before
    backend.close()


def tail_of(directory):
    (tail,) = (p for p in directory.iterdir() if "-tail-" in p.name)
    return tail


def test_a_torn_last_record_is_dropped_wherever_it_is_torn(tmp_path, crashed):
    path, begin = crashed
    end = tail_of(path.parent).stat().st_size
    for size in range(begin, end + 1):
        copy = copy_as_after_a_crash(path, tmp_path / f"cut-{size}")
        os.truncate(tail_of(copy.parent), size)
        backend = sqlite_backend(copy)
        whole = 3 if size == end else 2
        assert len(list(backend.calls())) == whole
        assert len(backend.has(sample_block(n)[0] for n in range(3))) == whole
        backend.close()


def test_a_tail_with_garbage_in_its_last_record(tmp_path, crashed):
    path, begin = crashed
    end = tail_of(path.parent).stat().st_size
    for place in range(begin, end, 7):
        copy = copy_as_after_a_crash(path, tmp_path / f"bad-{place}")
        with tail_of(copy.parent).open("r+b") as file:
            file.seek(place)
            byte = file.read(1)
            file.seek(place)
            file.write(bytes([byte[0] ^ 0x10]))
        backend = sqlite_backend(copy)
        assert len(list(backend.calls())) == 2
        backend.close()


def test_a_tail_of_another_store_is_left_alone(tmp_path, crashed):
    path, _ = crashed
    other = tmp_path / "other" / "runs.db"
    sqlite_backend(other).close()
    tail = other.with_name(tail_of(path.parent).name)
    tail.write_bytes(tail_of(path.parent).read_bytes())
    backend = sqlite_backend(other)
    assert list(backend.calls()) == []
    backend.close()
    assert tail.exists()


def test_a_crash_between_folding_and_deleting_the_tail(tmp_path, crashed):
    path, _ = crashed
    copy = copy_as_after_a_crash(path, tmp_path / "again")
    tail = tail_of(copy.parent)
    content = tail.read_bytes()
    for _ in range(3):
        backend = sqlite_backend(copy)
        rows = list(backend.calls())
        backend.close()
        assert rows == [sample_call("0a", number) for number in range(3)]
        tail.write_bytes(content)


def test_a_tail_that_was_never_finished_goes_away(tmp_path):
    path = tmp_path / "runs.db"
    sqlite_backend(path).close()
    left = tmp_path / "runs.db-tail-0000.new"
    left.write_bytes(b"")
    sqlite_backend(path).close()
    assert left.exists(), "its owner may be about to lock it"
    os.utime(left, (1, 1))
    sqlite_backend(path).close()
    assert not left.exists()


def test_a_tail_of_which_nothing_reached_the_disk_goes_away(tmp_path):
    path = tmp_path / "runs.db"
    sqlite_backend(path).close()
    for number, content in enumerate([b"", bytes(1000)]):
        (tmp_path / f"runs.db-tail-{number}").write_bytes(content)
    sqlite_backend(path).close()
    assert [p.name for p in tmp_path.iterdir()] == ["runs.db"]


def leave_two_tails(path, monkeypatch):
    """Leaves a row in one tail and the row that came in its place in the next."""

    def no_time(self, *args):
        raise StoreUnavailable("killed before")

    with monkeypatch.context() as patch:
        patch.setattr(fold.Archive, "fold", no_time)
        patch.setattr(intake, "FOLD_BYTES", 10)
        backend = sqlite_backend(path)
        backend.record([], sample_call("0a", 0, status="running"))
        backend.record([], sample_call("0a", 0, status="completed"))
        abandon(backend)


def test_of_two_tails_the_one_that_was_begun_last_stands(tmp_path, monkeypatch):
    for number in range(8):  # their names could be in order by chance
        path = tmp_path / str(number) / "runs.db"
        leave_two_tails(path, monkeypatch)
        assert len(list(path.parent.glob("*-tail-*"))) == 2
        backend = sqlite_backend(path)
        assert [row.status for row in backend.calls()] == ["completed"]
        backend.close()


def test_rows_of_a_dead_process_do_not_come_over_those_of_its_successor(tmp_path):
    path = tmp_path / "runs.db"
    running = RunRow("0a", "shop:draft", "running", None, 1.0, 0.0)
    successor = sqlite_backend(path)
    first = sqlite_backend(path)
    first.begin_run(running)
    first.record([], sample_call("0a", 0, status="running"))
    abandon(first)
    with successor.claim("0a"):
        successor.record([], sample_call("0a", 0))
        successor.end_run(running._replace(status="completed"))
    successor.close()
    backend = sqlite_backend(path)
    assert [row.status for row in backend.runs()] == ["completed"]
    assert [row.status for row in backend.calls()] == ["completed"]
    backend.close()


def test_a_tail_that_cannot_be_deleted_is_told(tmp_path, monkeypatch):
    path = tmp_path / "runs.db"
    backend = sqlite_backend(path)
    backend.record([], sample_call("0a", 0))
    abandon(backend)

    def refuse(path):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", refuse)
        with pytest.raises(StoreUnavailable, match=r"cannot delete .*-tail-"):
            sqlite_backend(path)
    backend = sqlite_backend(path)
    assert list(backend.calls()) == [sample_call("0a", 0)]
    backend.close()


def test_a_store_that_was_not_closed_is_closed_at_exit(tmp_path):
    path = tmp_path / "runs.db"
    code = (
        "from enact.stores import sqlite_backend\n"
        "from enact.testing.backends import sample_block, sample_call\n"
        f"kept = sqlite_backend({str(path)!r})\n"
        "kept.record([sample_block(1)], sample_call('0a', 0))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert [p.name for p in tmp_path.iterdir()] == ["runs.db"]
    backend = sqlite_backend(path)
    assert list(backend.calls()) == [sample_call("0a", 0)]
    backend.close()


def test_what_a_dead_process_claimed_goes_away(tmp_path):
    path = tmp_path / "runs.db"
    backend = sqlite_backend(path)
    backend.begin_run(RunRow("0a", "shop:draft", "running", None, 1.0, 0.0))
    (tmp_path / "runs.db-claim-0b").write_bytes(b"")  # of a process that is dead
    with backend.claim("0a"):
        other = sqlite_backend(path)
        with pytest.raises(RunIsLive), other.claim("0a"):
            pass
        assert {p.name for p in tmp_path.glob("*-claim-*")} == {"runs.db-claim-0a"}
        other.close()
    backend.close()
    assert [p.name for p in tmp_path.iterdir()] == ["runs.db"]
