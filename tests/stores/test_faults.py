# SPDX-License-Identifier: Apache-2.0
"""Disks that are full, broken, or not ours to write."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from contextlib import suppress

import apsw
import pytest

from enact.errors import StoreClosed, StoreError, StoreUnavailable
from enact.stores import fold, intake, sqlite_backend, tail
from enact.testing.backends import sample_block, sample_call
from enact.values import cid_of


class FaultyOs:
    """Stands for ``os`` in the module of tails; writes fail as it is told."""

    def __init__(self):
        self.room = None
        self.error = errno.ENOSPC
        self.truncates = True

    def __getattr__(self, name):
        return getattr(os, name)

    def write(self, fd, data):
        if self.room is None:
            return os.write(fd, data)
        if not self.room:
            raise OSError(self.error, os.strerror(self.error))
        written = os.write(fd, data[: self.room])
        self.room -= written
        return written

    def ftruncate(self, fd, size):
        if not self.truncates:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        os.ftruncate(fd, size)


@pytest.fixture
def faulty(monkeypatch):
    faulty = FaultyOs()
    monkeypatch.setattr(tail, "os", faulty)
    return faulty


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs.db"


def record(backend, number):
    backend.record([sample_block(number)], sample_call("0a", number, duration=0.0))


def record_until_refused(backend, data=b""):
    for number in range(60):
        extra = data + bytes([number])
        backend.put([(cid_of(extra), extra)] if data else [])
        record(backend, number)
        time.sleep(0.002)


def numbers(backend):
    there = [n for n in range(60) if backend.has([sample_block(n)[0]])]
    assert [row.number for row in backend.calls()] == there
    return there


@pytest.mark.parametrize("truncates", [True, False])
@pytest.mark.parametrize("room", [0, 1, 7, 100, 200])
def test_a_full_disk_refuses_a_call_and_the_store_stays_good(
    path, faulty, room, truncates
):
    backend = sqlite_backend(path)
    record(backend, 0)
    faulty.room, faulty.truncates = room, truncates
    with pytest.raises(StoreUnavailable, match=r"runs\.db-tail.*free some space"):
        record(backend, 1)
    assert numbers(backend) == [0]
    with pytest.raises(StoreUnavailable):
        record(backend, 2)
    faulty.room, faulty.truncates = None, True
    record(backend, 3)
    other = sqlite_backend(path)
    assert numbers(other) == [0, 3], "what another process sees"
    other.close()
    backend.close()
    backend = sqlite_backend(path)
    assert numbers(backend) == [0, 3]
    backend.close()


def test_a_full_disk_at_the_first_call(path, faulty):
    backend = sqlite_backend(path)
    faulty.room = 10
    with pytest.raises(StoreUnavailable, match="cannot make"):
        record(backend, 0)
    faulty.room = None
    record(backend, 1)
    backend.close()
    assert [p.name for p in path.parent.iterdir()] == ["runs.db"]


@pytest.mark.parametrize("durability", ["call", "adaptive"])
def test_a_disk_that_fails_to_flush_is_told(path, monkeypatch, durability):
    backend = sqlite_backend(path, durability=durability)

    def fail(fd):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", fail)
    with pytest.raises(StoreUnavailable, match="cannot flush"):
        backend.record([], sample_call("0a", 1, duration=100.0))
    with pytest.raises(StoreUnavailable, match="cannot flush"):
        backend.flush()
    monkeypatch.undo()
    backend.flush()
    backend.close()


def test_a_late_failure_to_flush_is_told_to_the_next_call(path, monkeypatch):
    backend = sqlite_backend(path)
    failed = []

    def fail(fd):
        failed.append(fd)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", fail)
    record(backend, 0)
    while not failed:
        time.sleep(0.001)
    with pytest.raises(StoreUnavailable, match="cannot flush"):
        record_until_refused(backend)
    monkeypatch.undo()
    record(backend, 2)
    backend.close()


@pytest.fixture
def unfolding(monkeypatch):
    """Makes the database refuse what tails hold, until the list is emptied."""
    refusing = [True]
    into = fold.Archive.fold

    def refuse(self, *args):
        if refusing:
            raise StoreUnavailable("cannot write to runs.db: no space left")
        into(self, *args)

    monkeypatch.setattr(fold.Archive, "fold", refuse)
    monkeypatch.setattr(intake, "FOLD_BYTES", 1000)
    monkeypatch.setattr(intake, "_RETRY_SECONDS", 0.001)
    monkeypatch.setattr(intake, "_MOST_BYTES", 8000)
    return refusing


def test_a_database_that_takes_no_data_is_told_once_too_much_waits(path, unfolding):
    backend = sqlite_backend(path)
    with pytest.raises(StoreUnavailable, match=r"wait for it.*no space left"):
        record_until_refused(backend)
    there = numbers(backend)
    assert len(there) > 10
    unfolding.clear()
    last = 59
    while True:
        try:
            record(backend, last)
            break
        except StoreUnavailable:
            time.sleep(0.001)
    assert numbers(backend) == [*there, last]
    backend.close()
    backend = sqlite_backend(path)
    assert numbers(backend) == [*there, last]
    backend.close()
    assert [p.name for p in path.parent.iterdir()] == ["runs.db"]


def test_what_cannot_be_folded_at_close_is_there_when_next_opened(path, unfolding):
    backend = sqlite_backend(path)
    record(backend, 0)
    with pytest.raises(StoreUnavailable):
        backend.close()
    with pytest.raises(StoreClosed):
        record(backend, 1)
    unfolding.clear()
    backend = sqlite_backend(path)
    assert numbers(backend) == [0]
    backend.close()


def test_a_real_full_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no file systems can be mounted here")
    try:
        backend = sqlite_backend(disk / "runs.db")
        with pytest.raises(StoreUnavailable, match="free some space"):
            record_until_refused(backend, os.urandom(20_000))
        stored = len(numbers(backend))
        assert stored > 5
        assert [row.number for row in backend.calls()] == list(range(stored))
        with suppress(StoreUnavailable):
            backend.close()
        subprocess.run(["mount", "-o", "remount,size=50m", str(disk)], check=True)
        backend = sqlite_backend(disk / "runs.db")
        assert [row.number for row in backend.calls()] == list(range(stored))
        assert backend.has(sample_block(n)[0] for n in range(stored))
        backend.close()
        assert [p.name for p in disk.iterdir()] == ["runs.db"]
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_directory_is_no_file(tmp_path):
    with pytest.raises(StoreUnavailable, match="FileStore") as told:
        sqlite_backend(tmp_path)
    assert isinstance(told.value, OSError)


def test_a_path_through_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match=r"file.runs\.db"):
        sqlite_backend(tmp_path / "file" / "runs.db")


def test_an_unknown_durability_is_refused(path):
    with pytest.raises(ValueError, match="adaptive, call, end"):
        sqlite_backend(path, durability="never")
    assert not path.exists()


def test_a_locked_database_is_told(path, monkeypatch):
    monkeypatch.setattr("enact.stores.connect.BUSY_MILLISECONDS", 10)
    backend = sqlite_backend(path)
    record(backend, 0)
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="another process"):
        backend.close()
    other.execute("COMMIT")
    other.close()
    backend = sqlite_backend(path)
    assert numbers(backend) == [0]
    backend.close()


READ_ONLY = """
import os, sys
import enact.stores.sqlite
from enact.errors import StoreUnavailable
from enact.stores import sqlite_backend
from enact.testing.backends import sample_block, sample_call
os.setuid(65534)
backend = sqlite_backend(sys.argv[1])
assert [row.number for row in backend.calls()] == [0, 1]
assert backend.has([sample_block(1)[0]])
try:
    backend.put([sample_block(2)])
except StoreUnavailable as error:
    assert "can only be read" in str(error), error
else:
    sys.exit("it was written")
backend.flush()
backend.close()
try:
    sqlite_backend(sys.argv[1] + ".new")
except StoreUnavailable as error:
    assert "permissions" in str(error), error
else:
    sys.exit("it was made")
"""


@pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() != 0, reason="takes another user"
)
@pytest.mark.parametrize("mode", [0o444, 0o666])
def test_a_store_that_cannot_be_written_can_be_read(mode):
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "runs.db")
        backend = sqlite_backend(path)
        record(backend, 0)
        record(backend, 1)
        backend.close()
        os.chmod(path, mode)
        os.chmod(directory, 0o755)
        subprocess.run([sys.executable, "-c", READ_ONLY, path], check=True)
        assert os.listdir(directory) == ["runs.db"]
