# SPDX-License-Identifier: Apache-2.0
"""Taking out what nothing needs, beside those who write."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import apsw
import pytest

import enact
from enact.errors import (
    CorruptBlock,
    MissingBlock,
    NotFound,
    RunIsLive,
    StoreUnavailable,
)
from enact.stores import collect, sqlite_backend
from enact.stores.files import exclusive

WRITER = str(Path(__file__).with_name("caring.py"))


@enact.register
def leaf(x):
    return f"{x} " * 20


@enact.register
def top(n):
    return [leaf(i) for i in range(n)]


@pytest.fixture(params=["sqlite", "memory"])
def store(request, tmp_path):
    made = (
        enact.InMemoryStore()
        if request.param == "memory"
        else enact.SQLiteStore(tmp_path / "runs.db")
    )
    with made:
        yield made
    made.close()


@pytest.fixture
def file_store(tmp_path):
    with enact.SQLiteStore(tmp_path / "runs.db") as made:
        yield made
    made.close()


def change(path, sql):
    with closing(apsw.Connection(path)) as connection:
        connection.execute(sql)


def tag(store, name, ref):
    assert store.backend.swap("tag", name, None, f'"{ref.id}"')


def test_what_runs_and_tags_lead_to_stays(store):
    invocation = enact.invoke(top, (30,))
    tagged = store.commit({"a": store.commit([1, 2])})
    tag(store, "release", tagged)
    lost = store.commit("nobody needs this")
    removed = store.gc(grace=0)
    assert removed.blocks >= 1
    assert removed.bytes >= 18
    assert not store.has(lost)
    assert tagged.checkout()["a"].checkout() == [1, 2]
    assert enact.Ref(invocation.ref.cid).checkout().get_output() == top(30)
    assert store.check().ok, str(store.check())


def test_young_blocks_stay(store):
    ref = store.commit("nobody needs this yet")
    assert store.gc().blocks == 0
    assert store.has(ref)
    with pytest.raises(ValueError, match="number of seconds"):
        store.gc(grace=-1)


def test_a_deleted_run_leaves_garbage(store):
    enact.invoke(top, (20,))
    kept = enact.invoke(leaf, (7,))
    with pytest.raises(NotFound, match="no run abc"):
        store.delete("abc")
    store.delete(store.runs(name=store.runs()[1].name)[0])
    assert len(store.runs()) == 1
    assert len(list(store.calls())) == 1
    assert store.gc(grace=0).blocks > 50
    assert store.gc(grace=0).blocks == 0
    assert kept.get_output() == leaf(7)
    assert store.check().ok, str(store.check())


@enact.register
def looks_after_its_store():
    store = globals()["STORE"]
    hidden = store.commit(["only this program knows it", time.time()])
    store.gc(grace=0)
    assert store.has(hidden)
    with pytest.raises(RunIsLive, match="wait until it ends"):
        store.delete(store.runs()[0])
    return hidden


def test_a_run_that_goes_on_is_neither_deleted_nor_collected(store, monkeypatch):
    monkeypatch.setitem(globals(), "STORE", store)
    invocation = enact.invoke(looks_after_its_store)
    store.gc(grace=0)
    assert invocation.get_output().checkout()[0].startswith("only")


def test_collecting_twice_and_closing_loses_nothing(tmp_path):
    path = tmp_path / "runs.db"
    for number in range(12):
        with enact.SQLiteStore(path) as store:
            tag(store, f"t{number}", store.commit([number, "x" * 100]))
            store.commit(["junk", number])
            store.gc(grace=0)
        store.close()
    with enact.SQLiteStore(path) as store:
        assert store.check().ok, str(store.check())
        assert store.check().blocks == 12
        store.compact()
        assert store.check().ok, str(store.check())
    store.close()


def test_what_was_collected_can_be_committed_again(file_store):
    ref = file_store.commit("comes again")
    file_store.gc(grace=0)
    for _ in range(3):
        assert file_store.commit("comes again") == ref
    assert ref.checkout() == "comes again"


def test_compact_gives_space_back(file_store, tmp_path):
    import os

    kept = file_store.commit("stays")
    tag(file_store, "t", kept)
    for _ in range(20):
        file_store.commit(os.urandom(100_000))
    file_store.gc(grace=0)
    assert file_store.compact() > 1_500_000
    assert (tmp_path / "runs.db").stat().st_size < 200_000
    assert file_store.check().ok
    assert kept.checkout() == "stays"


def test_a_block_that_others_hold_by_heart_is_written_again(file_store, monkeypatch):
    """What a writer leaves out, because it is there, must still be there."""
    monkeypatch.setattr("enact.stores.intake.FOLD_BYTES", 1000)
    monkeypatch.setattr(collect, "HOLD_SECONDS", 0.0)
    path = file_store.backend.path
    with closing(sqlite_backend(path)) as other:
        from enact.testing.backends import sample_block, sample_call

        hot = sample_block(1)
        for number in range(60):
            other.record([hot, sample_block(100 + number)], sample_call("0a", number))
        other._intake.fold_now()
        assert hot[0] in other._intake._hot
        for run in ("0a",):
            file_store.delete(run)
        file_store.gc(grace=0)
        assert not file_store.backend.has([hot[0]])
        other.put([hot])
        assert other.get([hot[0]]) == dict([hot])
        other.close()
    assert file_store.backend.get([hot[0]]) == dict([hot])


def test_a_block_that_is_referred_to_while_it_is_collected_stays(
    file_store, monkeypatch
):
    """The writer looks, and writes only after the collection has begun."""
    monkeypatch.setattr(collect, "HOLD_SECONDS", 0.0)
    path = file_store.backend.path
    old = file_store.commit("old and needed by nobody")
    file_store.backend._intake.fold_now()
    with closing(sqlite_backend(path)) as other:
        other.put([])
        taking, released = threading.Event(), threading.Event()
        take_out = collect._take_out

        def slowly(*args):
            take_out(*args)
            taking.set()
            released.wait(10)

        monkeypatch.setattr(collect, "_take_out", slowly)
        collector = threading.Thread(target=file_store.gc, args=(0,))
        collector.start()
        assert taking.wait(10)
        kept: list[set[bytes]] = []
        keeper = threading.Thread(target=lambda: kept.append(other.keep([old.cid])))
        keeper.start()
        time.sleep(0.2)
        assert not kept, "it must wait for the end of the collection"
        released.set()
        collector.join()
        keeper.join()
        assert kept == [set()], "and learn that the block is gone"


def test_a_ref_is_held_as_long_as_what_was_written_with_it(file_store, monkeypatch):
    old = file_store.commit("old")
    file_store.backend._intake.fold_now()
    with closing(sqlite_backend(file_store.backend.path)) as other:
        assert other.keep([old.cid]) == {old.cid}
        file_store.gc(grace=0)
        assert file_store.has(old)


def test_a_damaged_store_is_not_collected(file_store):
    tag(file_store, "t", file_store.commit([file_store.commit("a"), 1]))
    file_store.backend._intake.fold_now()
    change(file_store.backend.path, "UPDATE packs SET data = zeroblob(30)")
    with pytest.raises(CorruptBlock, match=r"nothing is removed: see store\.check"):
        file_store.gc(grace=0)


def test_an_index_that_is_damaged_is_mended_first(file_store):
    ref = file_store.commit([file_store.commit("a"), 1])
    tag(file_store, "t", ref)
    file_store.backend._intake.fold_now()
    change(file_store.backend.path, "UPDATE segments SET data = zeroblob(8)")
    file_store.gc(grace=0)
    assert file_store.check().ok, str(file_store.check())
    assert ref.checkout()[0].checkout() == "a"


def test_only_one_takes_care_at_a_time(file_store):
    with exclusive(file_store.backend.path):
        for care in (file_store.gc, file_store.compact):
            with pytest.raises(StoreUnavailable, match=r"runs\.db.*try again"):
                care()


def test_a_store_that_can_only_be_read_refuses(tmp_path, monkeypatch):
    path = tmp_path / "runs.db"
    enact.SQLiteStore(path).close()
    monkeypatch.setattr("enact.stores.open_file.prepare", lambda path: False)
    with closing(enact.SQLiteStore(path)) as store:
        for care in (store.gc, store.compact, lambda: store.delete("0a")):
            with pytest.raises(StoreUnavailable, match=r"runs\.db: it can only be rea"):
                care()
        assert store.check().ok


def test_nothing_reachable_is_lost_while_two_processes_write(tmp_path):
    path = tmp_path / "runs.db"
    enact.SQLiteStore(path).close()
    writers = [
        subprocess.Popen([sys.executable, WRITER, "write", str(path), str(n), "40"])
        for n in range(2)
    ]
    with enact.SQLiteStore(path) as store:
        rounds = 0
        while any(writer.poll() is None for writer in writers):
            store.gc(grace=0)
            rounds += 1
        assert [writer.returncode for writer in writers] == [0, 0]
        assert rounds >= 1
        store.gc(grace=0)
        assert store.check().ok, str(store.check())
        tags = store.backend.entries("tag")
        assert len(tags) == 80
        for text in tags.values():
            inner = enact.Ref.from_id(text.strip('"')).checkout()
            assert inner["shared"].checkout()
        with pytest.raises(MissingBlock):
            enact.Ref(store.commit("x").cid[:-1] + b"\0").checkout()
    store.close()
