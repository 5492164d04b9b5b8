# SPDX-License-Identifier: Apache-2.0
"""Removing values for good."""

from __future__ import annotations

import os
from contextlib import closing

import pytest

import enact
from enact.errors import MissingBlock, NotFound, Purged, StoreUnavailable
from enact.stores import purge, sqlite_backend
from enact.testing.backends import sample_call
from enact.values import cid_of, encode_form

# It does not compress, so a search for it in a file finds it in packs as well.
SECRET = os.urandom(600)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs.db"


def found_in_files(path, secret=SECRET):
    """Names the files in which some part of the secret is."""
    parts = [secret[place : place + 24] for place in range(0, len(secret) - 24, 24)]
    return [
        file.name
        for file in sorted(path.parent.iterdir())
        if any(part in file.read_bytes() for part in parts)
    ]


def test_no_byte_of_a_purged_value_is_left_in_any_file(path):
    with enact.SQLiteStore(path) as store:
        store.commit(["before", "x" * 3000])
        ref = store.commit({"password": SECRET})
        assert found_in_files(path) != []
        store.commit(["after", "y" * 3000])
        store.purge(ref, why="a password")
        assert found_in_files(path) == []
        assert store.check().ok, str(store.check())
    store.close()
    assert found_in_files(path) == []


def test_bytes_of_packs_that_were_joined_before_are_gone_as_well(path):
    for number in range(12):
        with enact.SQLiteStore(path) as store:
            ref = store.commit({"n": number % 2, "password": SECRET})
            store.commit(os.urandom(50_000))
            store.gc(grace=0)
        store.close()
    with enact.SQLiteStore(path) as store:
        for number in range(2):
            ref = store.commit({"n": number, "password": SECRET})
            store.purge(ref)
        assert found_in_files(path) == []
    store.close()


@pytest.mark.parametrize(
    "value",
    [
        "long text " * 30_000,
        [f"item {n} of a long list" for n in range(9000)],
        {"a": [os.urandom(300_000), {"b": [str(n) for n in range(5000)]}]},
        {str(n): "long dict" for n in range(9000)},
    ],
)
def test_the_chunks_of_long_values_go_with_them(path, value):
    with enact.SQLiteStore(path) as store:
        kept = store.commit(["kept", store.commit("inner")])
        ref = store.commit([value, kept])
        store.purge(ref)
        assert store.check().blocks == 2
        assert store.checkout(kept)[0] == "kept"
    store.close()


@pytest.fixture(params=["sqlite", "memory"])
def store(request, path):
    memory = request.param == "memory"
    with enact.InMemoryStore() if memory else enact.SQLiteStore(path) as made:
        yield made
    made.close()


@enact.register
def shout(text):
    return text + "!"


def test_reading_says_when_it_was_purged_and_why(store):
    ref = store.commit("secret")
    outer = store.commit([ref])
    store.purge(ref, why="a password")
    with pytest.raises(Purged, match=r"was purged on 20.. ?.*: a password\."):
        ref.checkout()
    with pytest.raises(MissingBlock):
        outer.checkout()[0].checkout()
    assert not store.has(ref)
    assert store.check().ok, str(store.check())


def test_the_same_content_is_refused(store):
    ref = store.commit("secret")
    store.purge(ref)
    with pytest.raises(Purged, match="cannot be stored here again"):
        store.commit("secret")
    assert store.commit("another").checkout() == "another"


def test_a_call_that_meets_it_again_is_recorded_without_it(store):
    store.purge(store.commit("secret"))
    invocation = enact.invoke(shout, ("secret",))
    assert invocation.get_output() == "secret!"
    assert len(list(store.calls())) == 1
    assert store.check().ok, str(store.check())


def test_what_is_not_here_cannot_be_purged_and_twice_is_once(store):
    with pytest.raises(NotFound, match="no block bafy"):
        store.purge(enact.Ref(cid_of(b"\xf6")))
    ref = store.commit("secret")
    store.purge(ref, why="first")
    store.purge(ref, why="second")
    with pytest.raises(Purged, match="first"):
        ref.checkout()


def test_tombstones_need_nothing_and_survive_collections(store):
    ref = store.commit("secret")
    store.purge(ref, why="a password")
    store.gc(grace=0)
    store.compact()
    with pytest.raises(Purged, match="a password"):
        ref.checkout()


def test_a_block_in_the_tail_of_somebody_else_is_not_purged(path):
    data = encode_form({"password": SECRET})
    block = (cid_of(data), data)
    with closing(sqlite_backend(path)) as other, enact.SQLiteStore(path) as store:
        other.put([block])
        with pytest.raises(StoreUnavailable, match="close the store there"):
            store.purge(enact.Ref(block[0]))
        assert store.backend.entries("tombstone") == {}
        other._intake.fold_now()
        store.purge(enact.Ref(block[0]))
        assert found_in_files(path) == []
        # The other process has not looked since, and learns of it when it folds.
        other.record([block], sample_call("0a", 0, request=None, invocation=None))
        other._intake.fold_now()
        assert other.get([block[0]]) == {}
        with pytest.raises(Purged):
            other.put([block])
    store.close()
    assert found_in_files(path) == []


def test_a_purge_that_was_cut_short_is_finished_when_the_store_is_opened(
    path, monkeypatch
):
    store = enact.SQLiteStore(path)
    ref = store.commit({"password": SECRET})
    with monkeypatch.context() as patch:
        patch.setattr(purge, "_scrub", lambda archive, cids: None)
        store.purge(ref)
    assert [fault.kind for fault in store.check().faults] == ["purge"]
    store.close()
    store = enact.SQLiteStore(path)
    assert store.check().ok, str(store.check())
    assert found_in_files(path) == []
    store.close()
