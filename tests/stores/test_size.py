# SPDX-License-Identifier: Apache-2.0
"""How much a store grows, and what it holds on to."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import apsw
import pytest

from enact.stores import CallRow, RunRow, sqlite_backend
from enact.stores.packs import PACK_BYTES
from enact.values import cid_of

SIZES = {"arguments": 33, "output": 2, "request": 115, "response": 190, "call": 119}
FIXED = b"\xa6\x61$ names of fields and types, which are the same in each block. " * 4


def leaf_call(number):
    """Blocks and row as of a call from int to int: links look random."""

    def block(kind, links):
        text = b"".join(b"\xd8\x2a\x58\x25\x00" + link for link in links)
        room = SIZES[kind] - len(text)
        data = text + FIXED[:room]
        return cid_of(data), data

    arguments = b"%d" % number
    arguments += FIXED[: 33 - len(arguments)]
    output = (number % 65536).to_bytes(2, "big")
    blocks = [(cid_of(arguments), arguments), (cid_of(output), output)]
    invokable = cid_of(b"leaf")
    blocks.append(block("request", [blocks[0][0], invokable]))
    blocks.append(block("response", [blocks[1][0], invokable, cid_of(b"%d" % number)]))
    blocks.append(block("call", [blocks[2][0], blocks[3][0]]))
    row = CallRow(
        run=f"0192f0aabbccdd{number // 5000:018x}",
        number=number % 5000,
        parent=0 if number % 5000 else None,
        lane=(),
        position=number % 5000,
        index=number % 5000,
        invokable="module:leaf",
        request=blocks[2][0],
        invocation=blocks[4][0],
        code=hashlib.sha256(b"code").digest(),
        status="completed",
        started=1_700_000_000.0 + number * 0.000123,
        duration=0.000017,
    )
    return blocks, row


def test_a_call_from_int_to_int_takes_less_than_700_bytes(tmp_path):
    path, count = tmp_path / "runs.db", 20_000
    backend = sqlite_backend(path, durability="end")
    for number in range(count):
        backend.record(*leaf_call(number))
    backend.close()
    assert [p.name for p in tmp_path.iterdir()] == ["runs.db"]
    each = path.stat().st_size / count
    print(f"{each:.0f} bytes per call")
    assert each < 700
    backend = sqlite_backend(path)
    for number in range(0, count, 997):
        blocks, row = leaf_call(number)
        assert backend.get(cid for cid, _ in blocks) == dict(blocks)
        assert row in list(backend.calls(request=row.request))
    assert sum(1 for _ in backend.calls()) == count
    backend.close()


def test_a_store_that_is_opened_often_stays_small(tmp_path):
    path = tmp_path / "runs.db"
    sizes = []
    for session in range(120):
        backend = sqlite_backend(path)
        for number in range(session * 3, session * 3 + 3):
            backend.record(*leaf_call(number))
        backend.close()
        sizes.append(path.stat().st_size)
    backend = sqlite_backend(path)
    rows = backend._reader._connection.execute
    assert rows("SELECT count(*) FROM packs").get < 20
    assert rows("SELECT count(*) FROM segments").get < 40
    assert rows("SELECT max(size) FROM packs").get < 2 * PACK_BYTES
    for number in range(360):
        blocks, _ = leaf_call(number)
        assert backend.get(cid for cid, _ in blocks) == dict(blocks)
    assert sum(1 for _ in backend.calls()) == 360
    backend.close()
    assert sizes[-1] < 400_000


def test_blocks_that_come_in_each_session_are_kept_once(tmp_path):
    path = tmp_path / "runs.db"
    large = hashlib.shake_256(b"large").digest(40_000)  # too far back for zlib
    for _ in range(40):
        backend = sqlite_backend(path)
        backend.put([(cid_of(large), large)])
        backend.close()
    assert path.stat().st_size < 700_000
    backend = sqlite_backend(path)
    assert backend.get([cid_of(large)]) == {cid_of(large): large}
    backend.close()


@pytest.mark.parametrize("fold_bytes", [200_000, 4 << 20])
def test_a_block_that_comes_again_and_again_is_kept_once(
    tmp_path, monkeypatch, fold_bytes
):
    monkeypatch.setattr("enact.stores.intake.FOLD_BYTES", fold_bytes)
    path = tmp_path / "runs.db"
    large = hashlib.shake_256(b"large").digest(70_000)  # in a pack of its own
    backend = sqlite_backend(path, durability="end")
    for number in range(400):
        blocks, row = leaf_call(number)
        backend.record([(cid_of(large), large), *blocks], row)
    backend.close()
    assert path.stat().st_size < 400_000
    backend = sqlite_backend(path)
    assert backend.get([cid_of(large)]) == {cid_of(large): large}
    backend.close()


def test_small_packs_between_large_ones_stay_where_they_are(tmp_path):
    path = tmp_path / "runs.db"
    blocks = {}
    for session in range(40):
        size = 90_000 if session % 3 else 300
        data = hashlib.shake_256(b"%d" % session).digest(size)
        blocks[cid_of(data)] = data
        backend = sqlite_backend(path)
        backend.put([(cid_of(data), data)])
        backend.close()
    backend = sqlite_backend(path)
    assert backend.get(blocks) == blocks
    backend.close()


@pytest.mark.parametrize("fold_bytes", [3_000, 100_000])
def test_many_merges_of_the_index_lose_nothing(tmp_path, monkeypatch, fold_bytes):
    monkeypatch.setattr("enact.stores.intake.FOLD_BYTES", fold_bytes)
    monkeypatch.setattr("enact.stores.sheets._SEGMENT_BYTES", 512)
    monkeypatch.setattr("enact.stores.sheets._SLICE_ENTRIES", 100)
    monkeypatch.setattr("enact.stores.packs.PACK_BYTES", 1_000)
    monkeypatch.setattr("enact.stores.packs._CACHE_BYTES", 10_000)
    backend = sqlite_backend(tmp_path / "runs.db", durability="end")
    count = 1_500
    for number in range(count):
        backend.record(*leaf_call(number))
    for _ in range(2):
        for place in range(count):
            blocks, row = leaf_call(place * 701 % count)
            assert backend.get(cid for cid, _ in blocks) == dict(blocks)
            assert list(backend.calls(request=row.request)) == [row]
        assert backend.has([cid_of(b"%d" % n) for n in range(count)]) == set()
        backend.close()
        backend = sqlite_backend(tmp_path / "runs.db")
    backend.close()


def test_the_queries_of_the_documentation_run(tmp_path):
    text = (Path(__file__).parents[2] / "docs" / "storage.md").read_text("utf-8")
    queries = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    assert len(queries) >= 5
    backend = sqlite_backend(tmp_path / "runs.db")
    for number in range(5):
        backend.record(*leaf_call(number))
    backend.close()
    with apsw.Connection(str(tmp_path / "runs.db")) as connection:
        for query in queries:
            connection.execute(query).fetchall()
        rows = connection.execute("SELECT run, number, invokable FROM call_log")
        assert rows.fetchall()[4] == (leaf_call(4)[1].run, 4, "module:leaf")
        tables = {
            name
            for name, sql in connection.execute("SELECT name, sql FROM sqlite_schema")
            if sql and not sql.startswith("CREATE INDEX")
        }
    connection.close()
    assert all(f"`{name}`" in text for name in tables), tables


def test_everything_about_a_call_fits_into_its_row(tmp_path):
    backend = sqlite_backend(tmp_path / "runs.db")
    row = leaf_call(1)[1]
    rows = [
        row,
        row._replace(number=(1 << 32) - 1, lane=(0,), parent=None),
        row._replace(number=7, lane=(3, 0, 12), started=0.1 + 0.2, duration=1e-9),
        row._replace(number=8, code=b"", request=None, invocation=None, verdict="new"),
        row._replace(number=9, code=b"\x01\x00\x00\x00", invokable="Größe:<λ>"),
        row._replace(number=10, code=b"\x12\x20" + bytes(32), status="paused"),
    ]
    for each in rows:
        backend.record([], each)
    expected = sorted(rows, key=lambda row: row.number)
    assert list(backend.calls()) == expected
    backend.close()
    backend = sqlite_backend(tmp_path / "runs.db")
    assert list(backend.calls()) == expected
    meta = {"path": os.fsdecode(b"/caf\xe9"), "text": "é", "list": [1, None, 2.5]}
    run = RunRow("0b", "shop:draft", "running", None, 0.1, 0.0, None, "edit", meta)
    backend.begin_run(run)
    assert backend.runs() == [run]
    backend.close()
    backend = sqlite_backend(tmp_path / "runs.db")
    assert backend.runs() == [run]
    backend.close()
