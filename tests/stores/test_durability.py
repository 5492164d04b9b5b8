# SPDX-License-Identifier: Apache-2.0
"""What a loss of power may take: nothing that was forced to the disk before."""

from __future__ import annotations

import errno
import gc
import os
import signal
import threading
import time

import pytest

from enact.errors import StoreUnavailable
from enact.stores import RunRow, files, fold, intake, sqlite_backend, tail
from enact.testing.backends import sample_block, sample_call

RUN = RunRow("0a", "shop:draft", "running", None, 1.0, 0.0)


class Disk:
    """Notes how much of each tail is on the disk."""

    def __init__(self, directory):
        self.directory = directory
        self.flushed = {}
        self.count = 0
        self.seconds = 0.0
        self._flush = os.fdatasync

    def flush(self, fd):
        self.count += 1
        size = os.fstat(fd)
        time.sleep(self.seconds)
        self._flush(fd)
        self.flushed[size.st_ino] = size.st_size

    def at_risk(self):
        """Bytes in tails that a loss of power would take."""
        return sum(
            (stat := path.stat()).st_size - self.flushed.get(stat.st_ino, 0)
            for path in self.directory.iterdir()
            if "-tail-" in path.name
        )


@pytest.fixture
def disk(tmp_path, monkeypatch):
    disk = Disk(tmp_path)
    monkeypatch.setattr(os, "fdatasync", disk.flush)
    return disk


def backend_on(disk, durability):
    backend = sqlite_backend(disk.directory / "runs.db", durability=durability)
    disk.count = 0
    return backend


def record(backend, number, seconds):
    row = sample_call("0a", number, duration=seconds)
    backend.record([sample_block(number)], row)


def test_call_forces_each_call_to_the_disk(disk):
    backend = backend_on(disk, "call")
    backend.begin_run(RUN)
    for number in range(5):
        record(backend, number, 0.0)
        assert disk.at_risk() == 0
    assert disk.count == 6
    backend.close()


def test_adaptive_forces_dear_calls_to_the_disk_before_they_return(disk):
    backend = backend_on(disk, "adaptive")
    for number in range(5):
        record(backend, 2 * number, 0.0)
        record(backend, 2 * number + 1, 2.0)
        assert disk.at_risk() == 0
    backend.close()


def test_adaptive_forces_cheap_calls_to_the_disk_together_and_soon(disk):
    backend = backend_on(disk, "adaptive")
    for number in range(100):
        record(backend, number, 0.0)
    assert disk.at_risk() > 0 and disk.count < 50
    deadline = time.monotonic() + 20
    while disk.at_risk() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert disk.at_risk() == 0
    record(backend, 100, 0.0)
    while disk.at_risk() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert disk.at_risk() == 0, "and again"
    backend.close()


def test_adaptive_learns_what_a_flush_costs(disk):
    disk.seconds = 0.02
    backend = backend_on(disk, "adaptive")
    for number in range(30):
        record(backend, number, 2.0)
    assert disk.count == 30
    record(backend, 30, 0.004)
    assert disk.at_risk() > 0, "cheaper than a flush"
    record(backend, 31, 0.1)
    assert disk.at_risk() == 0
    backend.close()


def test_end_forces_to_the_disk_when_a_run_ends(disk):
    backend = backend_on(disk, "end")
    backend.begin_run(RUN)
    record(backend, 0, 100.0)
    assert disk.count == 0
    backend.end_run(RUN._replace(status="completed"))
    assert disk.at_risk() == 0
    backend.close()


def test_flush_forces_all_to_the_disk(disk):
    backend = backend_on(disk, "end")
    record(backend, 0, 0.0)
    assert disk.at_risk() > 0
    backend.flush()
    assert disk.at_risk() == 0
    backend.close()


def test_a_batch_that_is_being_folded_is_flushed_with_the_call(disk, monkeypatch):
    go_on = threading.Event()
    into = fold.Archive.fold

    def slow(self, *args):
        go_on.wait(20)
        into(self, *args)

    monkeypatch.setattr(fold.Archive, "fold", slow)
    monkeypatch.setattr(intake, "FOLD_BYTES", 100)
    backend = backend_on(disk, "adaptive")
    record(backend, 0, 0.0)
    record(backend, 1, 2.0)
    tails = [p for p in disk.directory.iterdir() if "-tail-" in p.name]
    assert len(tails) == 2 and disk.at_risk() == 0
    go_on.set()
    backend.close()


def test_a_tail_is_on_the_disk_before_the_next_one_is_begun(disk, monkeypatch):
    def refuse(self, *args):
        raise StoreUnavailable("not now")

    with monkeypatch.context() as patch:
        patch.setattr(fold.Archive, "fold", refuse)
        patch.setattr(intake, "FOLD_BYTES", 100)
        backend = backend_on(disk, "end")
        record(backend, 0, 0.0)
        record(backend, 1, 0.0)
        _, second = sorted(disk.directory.glob("*-tail-*"))
        assert disk.at_risk() == second.stat().st_size
    backend.close()


def test_an_entry_is_written_after_what_it_may_refer_to(disk):
    backend = backend_on(disk, "end")
    record(backend, 0, 0.0)
    assert disk.at_risk() > 0
    assert backend.swap("tag", "best", None, "0")
    assert disk.at_risk() == 0
    backend.close()


def test_directories_that_are_made_are_forced_to_the_disk(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(files, "sync_directory", made.append)
    sqlite_backend(tmp_path / "a" / "b" / "runs.db").close()
    assert made == [str(tmp_path), str(tmp_path / "a")]


def test_names_that_are_not_forced_to_the_disk_are_told(disk, monkeypatch):
    backend = backend_on(disk, "call")

    def fail(fd):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(StoreUnavailable, match="cannot flush"):
            record(backend, 0, 0.0)
    record(backend, 1, 0.0)
    assert disk.at_risk() == 0
    backend.close()


def test_threads_share_a_flush(disk):
    disk.seconds = 0.05
    backend = backend_on(disk, "call")
    record(backend, 0, 0.0)
    before = disk.count
    threads = [
        threading.Thread(target=record, args=(backend, n, 0.0)) for n in range(1, 17)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert disk.at_risk() == 0
    assert disk.count - before < 16
    backend.close()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer")
def test_an_interrupt_while_recording_tears_nothing(tmp_path):
    path = tmp_path / "runs.db"
    backend = sqlite_backend(path, durability="end")
    returned = []

    def interrupt(*_):
        raise KeyboardInterrupt

    old = signal.signal(signal.SIGALRM, interrupt)
    gc.disable()  # an exception that comes while Python collects garbage is dropped
    try:
        number = 0
        for _ in range(60):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0005)
                for _ in range(5000):
                    number += 1
                    record(backend, number, 0.0)
                    returned.append(number)
            except KeyboardInterrupt:
                pass
    finally:
        gc.enable()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    reader = sqlite_backend(path)  # which sees what a crash would leave
    there = {row.number for row in reader.calls()}
    assert there >= set(returned)
    reader.close()
    backend.close()
    backend = sqlite_backend(path)
    assert {row.number for row in backend.calls()} >= set(returned)
    backend.close()


def test_a_write_that_is_cut_short_goes_on(tmp_path, monkeypatch):
    class Short:
        def __getattr__(self, name):
            return getattr(os, name)

        def write(self, fd, data):
            return os.write(fd, data[:50])

    monkeypatch.setattr(tail, "os", Short())
    backend = sqlite_backend(tmp_path / "runs.db")
    record(backend, 0, 0.0)
    reader = sqlite_backend(tmp_path / "runs.db")
    assert [row.number for row in reader.calls()] == [0]
    reader.close()
    backend.close()
