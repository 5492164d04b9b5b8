# SPDX-License-Identifier: Apache-2.0
"""What is left after a process dies."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from enact.stores import sqlite_backend
from enact.testing.backends import sample_block, sample_call
from tests.stores.crashing import copy_as_after_a_crash

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
