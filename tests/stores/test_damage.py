# SPDX-License-Identifier: Apache-2.0
"""Files that are not what they were, or never were stores."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import suppress
from functools import partial

import pytest

from enact.errors import (
    CorruptBlock,
    NotAStore,
    StoreError,
    StoreUnavailable,
    StoreVersionError,
)
from enact.stores import RunRow, schema, sqlite_backend
from enact.stores.entries import entry_check
from enact.stores.files import try_lock
from enact.testing.backends import sample_block, sample_call
from tests.stores.disk import Disk

BLOCKS = dict(sample_block(n, 20 + n % 200) for n in range(240))
CALLS = [sample_call("0a", n) for n in range(60)]
RUNS = [RunRow("0a", "shop:draft", "completed", CALLS[0].invocation, 1.5, 2.5)]


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    """A closed store in which all kinds of rows are."""
    path = tmp_path_factory.mktemp("closed") / "runs.db"
    blocks = list(BLOCKS.items())
    for part in range(3):
        backend = sqlite_backend(path)
        backend.begin_run(RUNS[0])
        for number in range(part * 20, part * 20 + 20):
            backend.record(blocks[4 * number : 4 * number + 4], CALLS[number])
        backend.close()
    return path.read_bytes()


def compare(rows, expected, what):
    """Says whether rows are missing or come twice; fails when one is wrong."""
    rows = list(rows)
    if rows != expected:
        assert all(row in expected for row in rows), what
    return rows != expected


def check_finds_damage(path):
    """Whether a check of the whole store says what reading a part may not notice.

    A page of the database that says that it holds fewer rows than it does, or that
    another page is next, looks well to a reader. It looks at a copy: closing a store
    makes a damaged index anew.
    """
    copy = path.with_name("checked.db")
    shutil.copy(path, copy)
    try:
        backend = sqlite_backend(copy)
    except StoreError:
        return True
    try:
        return not backend.check().ok
    finally:
        with suppress(StoreError):
            backend.close()
        for left in copy.parent.glob(f"{copy.name}*"):
            left.unlink()


def read_all(path):
    """Reads everything; a difference that nobody noticed fails."""
    told = lacking = 0
    found = check_finds_damage(path)
    try:
        backend = sqlite_backend(path)
    except StoreError:
        return 1
    try:
        try:
            assert backend.get(BLOCKS) == BLOCKS, "blocks"
        except StoreError:
            told += read_blocks(backend)
        try:
            lacking = compare(backend.calls(), CALLS, "a call")
        except StoreError:
            told += 1
        try:
            lacking += compare(backend.runs(), RUNS, "a run")
        except StoreError:
            told += 1
        told += lacking
        assert found or not told, "a check of the store does not find it"
    finally:
        try:
            backend.close()
        except StoreError:
            told += 1
    return told


def read_blocks(backend):
    told = 0
    for cid in BLOCKS:
        try:
            assert backend.get([cid]) == {cid: BLOCKS[cid]}, "a block"
        except StoreUnavailable:
            raise  # not what is wrong
        except StoreError:
            told += 1
    return told


def flip_bits(data, path, read, count, seed):
    """Writes data with one bit wrong to a file and reads it, many times."""
    chance = random.Random(seed)
    told = 0
    for number in range(count):
        damaged = bytearray(data)
        place = chance.randrange(len(damaged))
        damaged[place] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        try:
            told += bool(read())
        except BaseException as error:
            error.add_note(f"seed {seed}, flip {number}, byte {place}")
            raise
        for left in path.parent.glob(f"{path.name}*"):
            left.unlink()
    return told


def flip_bits_of_store(closed, tmp_path, count, seed):
    path = tmp_path / "flipped.db"
    return flip_bits(closed, path, lambda: read_all(path), count, seed)


def test_a_flipped_bit_never_gives_a_wrong_value(closed, tmp_path):
    assert read_all_of(closed, tmp_path) == 0
    assert flip_bits_of_store(closed, tmp_path, 300, 1) > 30


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2, 12))
def test_many_flipped_bits_never_give_a_wrong_value(closed, tmp_path, seed):
    told = flip_bits_of_store(closed, tmp_path, 8000, seed)
    print(f"\n8000 flips in a closed file: {told} were told, others had no effect")


class Tail:
    """A store whose last 40 calls, with a run and blocks, are in a tail."""

    def __init__(self, directory):
        self.path = directory / "runs.db"
        sqlite_backend(self.path).close()
        self.empty = self.path.read_bytes()
        backend = sqlite_backend(self.path)
        backend.begin_run(RUNS[0])
        blocks = list(BLOCKS.items())
        for number in range(40):
            backend.record(blocks[2 * number : 2 * number + 2], CALLS[number])
        backend.flush()
        (self.tail,) = directory.glob("*-tail-*")
        self.content = self.tail.read_bytes()
        backend.close()

    def read(self, owner_lives):
        """Reads all that is left of the tail; whatever is there must be right."""
        self.path.write_bytes(self.empty)
        with self.tail.open("rb") as file:
            if owner_lives:
                assert try_lock(file.fileno())
            backend = sqlite_backend(self.path)
            try:
                rows = list(backend.calls())
                assert rows == CALLS[: len(rows)], "calls"
                assert backend.runs() == RUNS or not rows, "runs"
                needed = dict(list(BLOCKS.items())[: 2 * len(rows)])
                assert backend.get(needed) == needed, "blocks"
                found = backend.get(BLOCKS)
                assert found == {cid: BLOCKS[cid] for cid in found}, "blocks"
            finally:
                backend.close()
        return len(rows) < 40


@pytest.fixture
def tail(tmp_path):
    with Disk(tmp_path):  # which takes no time to flush
        yield Tail(tmp_path / "tail")


@pytest.mark.parametrize("owner_lives", [False, True])
def test_a_flipped_bit_in_a_tail_never_gives_a_wrong_value(tail, owner_lives):
    tail.tail.write_bytes(tail.content)
    assert not tail.read(owner_lives)
    assert (
        flip_bits(tail.content, tail.tail, partial(tail.read, owner_lives), 100, 1) > 50
    )


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2, 6))
@pytest.mark.parametrize("owner_lives", [False, True])
def test_many_flipped_bits_in_a_tail(tail, owner_lives, seed):
    cut = flip_bits(
        tail.content, tail.tail, partial(tail.read, owner_lives), 2500, seed
    )
    print(f"\n2500 flips in a tail, owner lives: {owner_lives}: {cut} cut it short")


def read_all_of(data, tmp_path):
    path = tmp_path / "some.db"
    path.write_bytes(data)
    return read_all(path)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_truncated_file_never_gives_a_wrong_value(closed, tmp_path, share):
    assert read_all_of(closed[: int(len(closed) * share)], tmp_path) > 0


def change(path, *statements):
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


@pytest.fixture
def path(closed, tmp_path):
    path = tmp_path / "runs.db"
    path.write_bytes(closed)
    return path


def varint(number):
    """A number as SQLite writes the key of a row."""
    groups = [number >> shift & 0x7F for shift in range(56, -1, -7)]
    while not groups[0]:
        del groups[0]
    return bytes([*(group | 0x80 for group in groups[:-1]), groups[-1]])


@pytest.mark.timeout(60)
def test_a_wrong_number_of_a_call_does_not_lead_round_in_circles(path):
    with sqlite3.connect(path) as connection:
        last = connection.execute("SELECT max(id) FROM calls").fetchone()[0]
    connection.close()
    data = bytearray(path.read_bytes())
    assert data.count(varint(last)) == 1
    data[data.index(varint(last))] &= 0x80  # the last row has a small number now
    path.write_bytes(data)
    assert check_finds_damage(path)
    backend = sqlite_backend(path)
    for newest_first in (False, True):
        with pytest.raises(CorruptBlock, match="order"):
            list(backend.calls(newest_first=newest_first))
    backend.close()


def test_damage_in_a_pack_names_the_block(path):
    change(path, "UPDATE packs SET data = zeroblob(length(data))")
    backend = sqlite_backend(path)
    cid = next(iter(BLOCKS))
    with pytest.raises(CorruptBlock, match="bafy"):
        backend.get([cid])
    backend.close()


def test_a_lost_pack_is_told(path):
    change(path, "DELETE FROM packs")
    backend = sqlite_backend(path)
    with pytest.raises(CorruptBlock, match="damaged"):
        backend.get(list(BLOCKS))
    backend.close()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM segments",
        "UPDATE segments SET data = zeroblob(length(data))",
        "UPDATE segments SET first = zeroblob(4)",
        'UPDATE segments SET "check" = -1',
        "UPDATE segments SET first = 'x'",
        "DELETE FROM meta WHERE key LIKE 'entries%'",
    ],
)
def test_a_damaged_index_is_made_anew(path, statement):
    change(path, statement)
    for step in range(2):
        backend = sqlite_backend(path)
        assert backend.get(BLOCKS) == BLOCKS
        assert list(backend.calls(request=CALLS[7].request)) == [CALLS[7]]
        new = sample_block(9000 + step)
        backend.put([new])
        backend.close()
        backend = sqlite_backend(path)
        assert backend.get([new[0], *BLOCKS]) == dict([new]) | BLOCKS
        backend.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE runs SET status = 'failed'",
        "UPDATE runs SET duration = duration + 1",
        "UPDATE runs SET meta = '{'",
        "UPDATE calls SET status = 'failed'",
        "UPDATE calls SET invocation = request",
        "UPDATE calls SET position = position + 1",
        "UPDATE calls SET lane = 'x'",
        "UPDATE names SET name = name || 'x' WHERE typeof(name) = 'text'",
        "DELETE FROM names",
    ],
)
def test_a_changed_row_is_told(path, statement):
    change(path, statement)
    backend = sqlite_backend(path)
    with pytest.raises(CorruptBlock, match="checksum"):
        assert (list(backend.calls()), backend.runs()) == (CALLS, RUNS)
    backend.close()


def test_another_file_is_no_store(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("buy milk, and other things that are longer than a header")
    with pytest.raises(NotAStore, match=r"notes\.txt"):
        sqlite_backend(path)
    assert path.read_text().startswith("buy milk")


def test_a_database_of_another_application_is_no_store(tmp_path):
    path = tmp_path / "other.db"
    change(path, "CREATE TABLE t(x)")
    before = path.read_bytes()
    with pytest.raises(NotAStore, match=r"other\.db.*another application"):
        sqlite_backend(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["other.db"]


def test_a_newer_store_says_what_it_needs(path):
    change(
        path,
        "PRAGMA user_version = 99",
        "UPDATE meta SET value = '7.5' WHERE key = 'needs'",
    )
    with pytest.raises(StoreVersionError, match=r"enact 7\.5"):
        sqlite_backend(path)


def test_an_older_store_is_brought_up_to_date_once(path, monkeypatch):
    steps = []

    def add_column(connection):
        steps.append(1)
        connection.execute("ALTER TABLE runs ADD COLUMN note TEXT")

    newer = [*schema.MIGRATIONS, ("0.9", add_column)]
    monkeypatch.setattr(schema, "MIGRATIONS", newer)
    for _ in range(2):
        backend = sqlite_backend(path)
        assert backend.get(BLOCKS) == BLOCKS and list(backend.calls()) == CALLS
        backend.close()
    assert steps == [1]
    monkeypatch.undo()
    with pytest.raises(StoreVersionError, match=r"enact 0\.9"):
        sqlite_backend(path)


def test_a_step_that_fails_leaves_the_store_as_it_was(path, monkeypatch):
    def fail(connection):
        connection.execute("DELETE FROM runs")
        raise RuntimeError("no")

    monkeypatch.setattr(schema, "MIGRATIONS", [*schema.MIGRATIONS, ("0.9", fail)])
    with pytest.raises(RuntimeError):
        sqlite_backend(path)
    monkeypatch.undo()
    backend = sqlite_backend(path)
    assert backend.runs() == RUNS
    backend.close()


def test_a_letter_that_is_wrong_in_the_definition_of_a_table_is_told(closed, path):
    place = closed.index(b"INTEGER PRIMARY KEY", closed.index(b"CREATE TABLE calls("))
    damaged = bytearray(closed)
    damaged[place] ^= 0x10
    path.write_bytes(damaged)
    with pytest.raises(CorruptBlock, match="tables"):
        sqlite_backend(path)


def test_an_entry_may_be_damaged_in_its_types():
    # A flipped bit in the header of a row makes texts numbers, bytes, or nothing.
    whole = entry_check("tag", "best", "x")
    for damaged in ((None, "best", "x"), ("tag", b"best", "x"), ("tag", "best", 1)):
        assert entry_check(*damaged) != whole
