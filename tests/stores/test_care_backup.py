# SPDX-License-Identifier: Apache-2.0
"""Copies of stores."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import enact
from enact.errors import StoreError, StoreUnavailable
from enact.stores import sqlite_backend
from enact.testing.backends import sample_block, sample_call

WRITER = str(Path(__file__).with_name("caring.py"))


def test_a_backup_has_what_is_in_the_tails_of_all(tmp_path):
    path, copy = tmp_path / "runs.db", tmp_path / "copy" / "copy.db"
    copy.parent.mkdir()
    with closing(sqlite_backend(path)) as one, closing(sqlite_backend(path)) as two:
        for number, backend in enumerate([one, two]):
            backend.record([sample_block(number)], sample_call(f"0{number}", 0))
        one.swap("tag", "t", None, '"x"')
        one.backup(copy)
        one.record([sample_block(7)], sample_call("00", 1))
    assert [p.name for p in copy.parent.iterdir()] == ["copy.db"]
    assert copy.stat().st_mode & 0o777 == 0o600
    with closing(sqlite_backend(copy)) as backend:
        assert len(list(backend.calls())) == 2
        assert len(backend.has([sample_block(n)[0] for n in range(8)])) == 2
        assert backend.entries("tag") == {"t": '"x"'}


def test_a_backup_takes_the_place_of_nothing(tmp_path):
    copy = tmp_path / "copy.db"
    copy.write_bytes(b"mine")
    with closing(enact.SQLiteStore(tmp_path / "runs.db")) as store:
        with pytest.raises(StoreUnavailable, match=r"copy\.db.*does not exist yet"):
            store.backup(copy)
        with pytest.raises(StoreUnavailable, match="cannot make"):
            store.backup(tmp_path / "nowhere" / "copy.db")
    assert copy.read_bytes() == b"mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["copy.db", "runs.db"]


def test_a_backup_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def fail(part, target):
        raise StoreUnavailable("no")

    monkeypatch.setattr("enact.stores.backup._publish", fail)
    with (
        closing(enact.SQLiteStore(tmp_path / "runs.db")) as store,
        pytest.raises(StoreUnavailable, match="no"),
    ):
        store.backup(tmp_path / "copy.db")
    assert [p.name for p in tmp_path.iterdir()] == ["runs.db"]


def test_a_store_that_can_only_be_read_can_be_copied(tmp_path, monkeypatch):
    path = tmp_path / "runs.db"
    with enact.SQLiteStore(path) as store:
        ref = store.commit("sea")
    store.close()
    monkeypatch.setattr("enact.stores.open_file.prepare", lambda path: False)
    with closing(enact.SQLiteStore(path)) as store:
        store.backup(tmp_path / "copy.db")
    monkeypatch.undo()
    with closing(enact.SQLiteStore(tmp_path / "copy.db")) as store:
        assert store.checkout(ref) == "sea"


def test_memory_has_no_file(tmp_path):
    with pytest.raises(StoreError, match="no file"):
        enact.InMemoryStore().backup(tmp_path / "copy.db")


def test_backups_are_whole_while_processes_write(tmp_path):
    path = tmp_path / "runs.db"
    enact.SQLiteStore(path).close()
    writers = [
        subprocess.Popen([sys.executable, WRITER, "write", str(path), str(n), "60"])
        for n in range(2)
    ]
    copies = []
    with closing(enact.SQLiteStore(path)) as store:
        while any(writer.poll() is None for writer in writers):
            copies.append(tmp_path / f"copy-{len(copies)}.db")
            store.backup(copies[-1])
    assert [writer.returncode for writer in writers] == [0, 0]
    counts = []
    for copy in copies:
        with closing(enact.SQLiteStore(copy)) as store:
            assert store.check().ok, str(store.check())
            counts.append(len(store.backend.entries("tag")))
    assert counts == sorted(counts)
