# SPDX-License-Identifier: Apache-2.0
"""Locks of SQLite: a process drops them all when it closes the file in any way."""

from __future__ import annotations

import gc
import subprocess
import sys
import time

import pytest

from enact import SQLiteStore
from enact.stores import sqlite_backend
from enact.testing.backends import sample_block, sample_call

# The bytes in which SQLite holds its shared lock: https://sqlite.org/fileformat.html
TRY_TO_LOCK = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)
    except OSError:
        print("locked")
    else:
        print("free")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="locks of POSIX")
def test_opening_a_store_twice_leaves_it_locked(tmp_path):
    def state():
        command = [sys.executable, "-c", TRY_TO_LOCK, path]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()

    path = tmp_path / "runs.db"
    store = SQLiteStore(path)
    SQLiteStore(path).close()
    assert state() == "locked"
    store.close()
    assert state() == "free"


def test_a_store_that_is_dropped_while_its_file_is_written_waits_for_that(
    tmp_path, monkeypatch
):
    # The collector may come in the middle of a transaction, in the thread that has it.
    monkeypatch.setattr("enact.stores.connect.BUSY_MILLISECONDS", 2000)
    path = tmp_path / "runs.db"
    backend = sqlite_backend(path)
    others = [sqlite_backend(path)]
    others[0].record([sample_block(1)], sample_call("00", 0))
    (tail,) = tmp_path.glob("*-tail-*")

    def drop(connection):
        others.clear()
        gc.collect()
        assert tail.exists()

    backend._intake.transact(drop)
    for _ in range(1000):
        if not tail.exists():
            break
        time.sleep(0.01)
    assert not tail.exists()
    assert len(list(backend.calls())) == 1
    backend.close()
