# SPDX-License-Identifier: Apache-2.0
"""Stores that are only looked at: nothing is made, changed or tidied up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import enact
from enact.stores import Overlay

WRITER = """
import os, signal, sys
import enact

@enact.register(name="test_read_only/step")
def step(n):
    return n + 1

@enact.register(name="test_read_only/work")
def work():
    for n in range(20):
        if n == 7:
            os.kill(os.getpid(), signal.SIGKILL)
        step(n)

with enact.SQLiteStore(sys.argv[1]) as store:
    enact.commit("older")
    store.tag("older", "older")
    enact.invoke(work)
"""


def state(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def killed(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", WRITER, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL


def test_what_a_killed_process_left_is_read_and_stays_as_it_is(tmp_path):
    path = tmp_path / "s" / "runs.db"
    path.parent.mkdir()
    killed(path)
    before = state(path.parent)
    assert len(before) > 2  # tails, an owner, a log
    store = enact.open_store(path, read_only=True)
    run = store.runs()[0]
    for _ in range(200):  # its locks may outlive it by a moment
        if run.status != "running":
            break
        time.sleep(0.05)
        run = store.runs()[0]
    assert run.status == "interrupted"
    assert [child.output for child in run.invocation.children] == list(range(1, 8))
    assert store["older"] == "older"
    assert store.figures().calls == 8
    assert store.check().ok
    store.close()
    after = state(path.parent)
    after.pop("runs.db-shm", None), before.pop("runs.db-shm", None)
    assert after == before


def test_a_store_that_was_closed_is_read_and_stays_as_it_is(tmp_path):
    path = tmp_path / "s" / "runs.db"
    with enact.SQLiteStore(path) as store:
        ref = enact.commit(["sea", 3])
    store.close()
    before = state(path.parent)
    store = enact.open_store(path, read_only=True)
    assert store.checkout(ref) == ["sea", 3]
    with pytest.raises(enact.StoreUnavailable, match="looked at only"):
        store.commit("new")
    with pytest.raises(enact.StoreUnavailable, match="looked at only"):
        store.tag("name", ref)
    assert store.check().ok
    store.close()
    assert state(path.parent) == before


def test_what_a_living_process_writes_is_seen(tmp_path):
    path = tmp_path / "runs.db"
    with enact.SQLiteStore(path) as store:
        ref = enact.commit("first")
        looking = enact.open_store(path, read_only=True)
        assert looking.checkout(ref) == "first"
        second = enact.commit("second")
        assert looking.checkout(second) == "second"
        looking.close()
    store.close()
    assert os.listdir(tmp_path) == ["runs.db"]


def test_nothing_is_made_where_there_is_no_store(tmp_path):
    with pytest.raises(enact.StoreUnavailable, match="there is no store at"):
        enact.open_store(tmp_path / "a" / "runs.db", read_only=True)
    assert not list(tmp_path.iterdir())


def test_an_empty_file_is_no_store_yet(tmp_path):
    path = tmp_path / "runs.db"
    path.touch()
    with pytest.raises(enact.StoreUnavailable, match="is empty"):
        enact.open_store(path, read_only=True)
    assert path.stat().st_size == 0


@enact.register(name="test_read_only/deref")
def deref(ref):
    return inner(ref)


@enact.register(name="test_read_only/inner")
def inner(ref):
    return ref.checkout()


def test_calls_with_refs_run_beside_a_store_that_is_only_read(tmp_path):
    with enact.SQLiteStore(tmp_path / "runs.db") as store:
        ref = enact.commit(["sea"])
        enact.invoke(deref, (ref,))
    store.close()
    store = enact.open_store(tmp_path / "runs.db", read_only=True)
    with Overlay(store):
        again = enact.invoke(deref, (enact.Ref.from_id(ref.id),))
        assert again.output == ["sea"]
    assert len(store.runs()) == 1
    store.close()
