# SPDX-License-Identifier: Apache-2.0
"""What a check of a store finds."""

from __future__ import annotations

import dataclasses
import random
import sqlite3
from contextlib import closing

import pytest

import enact
from enact.errors import StoreError
from enact.stores import RunRow, sqlite_backend
from enact.testing.backends import sample_call
from enact.values import cid_of, encode_form


def block(number, *links):
    data = encode_form([number, "x" * (number % 90), *links])
    return cid_of(data), data


def fill(path, calls=40):
    """Makes a store in which all is in order, with several packs and sheets."""
    for part in range(3):
        backend = sqlite_backend(path)
        run = RunRow(f"0{part}", "shop:draft", "completed", None, 1.5 + part, 2.5)
        backend.begin_run(run)
        for number in range(calls):
            first = block(1000 * part + 2 * number)
            second = block(1000 * part + 2 * number + 1, first[0])
            row = sample_call(
                f"0{part}", number, request=first[0], invocation=second[0]
            )
            backend.record([first, second], row)
        backend.end_run(run._replace(invocation=second[0]))
        backend.swap("tag", f"t{part}", None, '"bafy"')
        backend.close()
    return path


@pytest.fixture
def path(tmp_path):
    return fill(tmp_path / "runs.db")


def report_of(path):
    with closing(sqlite_backend(path)) as backend:
        return backend.check()


def change(path, sql, *values):
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(sql, values).rowcount > 0


def test_a_store_in_order_has_no_faults(path):
    report = report_of(path)
    assert report.ok, str(report)
    assert (report.blocks, report.calls, report.runs, report.entries) == (
        240,
        120,
        3,
        3,
    )
    assert "is in order: 240 blocks" in str(report)


def test_a_store_that_is_being_written_has_no_faults(path):
    with closing(sqlite_backend(path)) as backend:
        backend.record([block(5000)], sample_call("07", 0, request=block(5000)[0],
                                                  invocation=None))  # fmt: skip
        with closing(sqlite_backend(path)) as other:
            assert other.check().ok, str(other.check())
            assert other.check().calls == 121


@pytest.mark.parametrize(
    ("kind", "sql"),
    [
        ("call", "UPDATE calls SET status = 'failed' WHERE id & 4294967295 = 3"),
        ("call", "UPDATE calls SET invokable = 999 WHERE id & 4294967295 = 3"),
        ("run", "UPDATE runs SET duration = 7 WHERE run = '01'"),
        ("entry", "UPDATE entries SET value = '1' WHERE key = 't1'"),
        ("index", "DELETE FROM segments WHERE id = (SELECT min(id) FROM segments)"),
        ("index", "UPDATE segments SET data = zeroblob(8) WHERE kind = 'block'"),
        ("pack", "UPDATE packs SET data = zeroblob(9) WHERE id = 1"),
        ("pack", "UPDATE packs SET blocks = blocks + 1 WHERE id = 1"),
        ("pack", "DELETE FROM packs WHERE id = 1"),
        ("missing", "DELETE FROM packs WHERE id = 1"),
    ],
)
def test_each_kind_of_damage_is_named(path, kind, sql):
    change(path, sql)
    report = report_of(path)
    assert not report.ok
    assert kind in {fault.kind for fault in report.faults}, str(report)
    assert f"  {kind}: " in str(report), "what to do about it"


def test_every_fault_is_told_and_not_the_first_alone(path):
    change(path, "UPDATE runs SET duration = 7 WHERE run = '01'")
    change(path, "UPDATE calls SET status = 'failed' WHERE id & 4294967295 < 5")
    change(path, "UPDATE entries SET value = '1' WHERE key = 't1'")
    kinds = [fault.kind for fault in report_of(path).faults]
    assert sorted(kinds) == ["call"] * 15 + ["entry", "run"]


def test_a_block_with_another_content_is_told(path):
    from enact.stores.packs import decode_pack, encode_pack

    with closing(sqlite3.connect(path)) as db, db:
        first, size, data = db.execute("SELECT id, size, data FROM packs").fetchone()
        blocks = decode_pack(data, size)
        blocks[2] = encode_form("something else".ljust(len(blocks[2]) - 1))
        data = encode_pack(blocks)
        db.execute("UPDATE packs SET data = ? WHERE id = ?", (data, first))
    kinds = {fault.kind for fault in report_of(path).faults}
    assert kinds >= {"block", "missing"}


def test_a_row_that_names_a_block_that_is_not_here_is_told(path):
    absent = block(77_777)[0]
    with closing(sqlite_backend(path)) as backend:
        backend.record([], sample_call("09", 0, request=absent, invocation=absent))
        report = backend.check()
    (fault,) = report.faults
    assert (fault.kind, fault.message) == ("missing", "call 0 of run 09 needs it")


def test_a_tail_with_garbage_in_the_middle_is_told(path):
    with closing(sqlite_backend(path)) as backend:
        backend.put([block(9000)])
        backend.put([block(9001)])
        (tail,) = path.parent.glob("runs.db-tail-*")
        content = bytearray(tail.read_bytes())
        content[45] ^= 4
        tail.write_bytes(content)
        assert [fault.kind for fault in backend.check().faults] == ["tail"]


@pytest.mark.parametrize("seed", range(4))
def test_no_damage_to_a_file_makes_the_check_raise(path, tmp_path, seed):
    chance = random.Random(seed)
    content = path.read_bytes()
    found = 0
    for number in range(12):
        damaged = bytearray(content)
        for _ in range(chance.choice([1, 20])):
            damaged[chance.randrange(4096, len(damaged))] ^= 1 << chance.randrange(8)
        copy = tmp_path / f"{number}.db"
        copy.write_bytes(damaged)
        try:
            backend = sqlite_backend(copy)
        except StoreError:
            continue
        found += not backend.check().ok
        try:
            backend.close()
        except StoreError:
            pass
    assert found


def test_a_store_that_can_only_be_read_is_checked(path, monkeypatch):
    monkeypatch.setattr("enact.stores.open_file.prepare", lambda path: False)
    assert report_of(path).ok


def test_memory_is_checked_as_well():
    with enact.InMemoryStore() as store:
        ref = store.commit([store.commit("a"), 1])
        assert store.check().ok
        del store.backend._blocks[ref.checkout()[0].cid]
        store.backend._blocks[ref.cid] += b"\0"
        kinds = {fault.kind for fault in store.check().faults}
        assert kinds == {"block", "missing"} or kinds == {"block"}


def test_a_report_is_plain_data():
    report = enact.InMemoryStore().check()
    assert dataclasses.asdict(report)["faults"] == []
