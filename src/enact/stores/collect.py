# SPDX-License-Identifier: Apache-2.0
"""Taking blocks that nobody needs out of a SQLite store; deleting runs.

``docs/storage.md`` says how this goes on beside writers. In short: what is needed is
found out in a view of the database, and completed in one transaction with what came
since, tails included; this transaction takes the rest out of the index, which is what
counts. Packs are rewritten afterwards, little by little.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import Any

import apsw

from enact.errors import EnactError, NotFound, RunIsLive, StoreUnavailable
from enact.stores.care import Removed
from enact.stores.connect import connect, told
from enact.stores.dropped import SPAN, unpack_places, write_dropped
from enact.stores.files import exclusive
from enact.stores.fold import Archive
from enact.stores.intake import Intake
from enact.stores.marks import Marks
from enact.stores.opened import Opened
from enact.stores.owners import taking_out
from enact.stores.packs import decode_pack
from enact.stores.roots import in_database, of_call, of_run
from enact.stores.sheets import DamagedIndex, Sheets
from enact.values import links

HOLD_SECONDS = 600.0
"""What others may have begun to refer to stays at least so long."""


def collect(store: Opened, grace: float) -> Removed:
    """Takes out what nothing needs; see `Care.collect`."""
    if not grace >= 0:
        raise ValueError(f"a grace period is a number of seconds, not {grace!r}")
    with exclusive(store.path):
        intake = store.settle()
        sweep(intake)  # what is left of one that was cut short
        cutoff = _cutoff(store, grace)
        try:
            marks = _first_marks(store.path, cutoff)
        except DamagedIndex:
            mend(intake)
            marks = _first_marks(store.path, cutoff)
        with store.busy, ExitStack() as told_others:

            def write(archive: Archive) -> None:
                told_others.enter_context(taking_out(store.path))
                _take_out(store, archive, marks)

            intake.change(write)
        return sweep(intake)


def delete_run(store: Opened, run: str) -> None:
    """Removes the rows of a run; see `Care.delete_run`."""
    with exclusive(store.path):
        intake = store.settle()
        for row in store.runs(run=run):
            if store.is_live(row):
                raise RunIsLive(
                    f"run {run} is being executed: wait until it ends, or stop it"
                )
        with store.owner.claim(run):
            intake.change(lambda archive: _delete_rows(store, archive, run))


def mend(intake: Intake) -> None:
    """Makes the index of a database anew."""
    done: list[bool] = []

    def write(archive: Archive) -> None:
        if not done:
            done.append(True)
            raise DamagedIndex

    intake.change(write)


def drop(archive: Archive, places: bytes | bytearray) -> None:
    """Takes blocks out of the index, and notes what is to go from packs.

    Args:
        archive: the database, in a transaction.
        places: by number, a byte that is not zero for each.
    """
    if any(places):
        write_dropped(archive.connection, places)
        end = len(places)
        archive.blocks.keep_only(lambda number: number >= end or not places[number])


def sweep(intake: Intake) -> Removed:
    """Takes what was dropped out of packs, a part at a time."""
    blocks = size = 0
    while (part := intake.change(sweep_some)) is not None:
        blocks += part.blocks
        size += part.bytes
    return Removed(blocks, size)


def sweep_some(archive: Archive) -> Removed | None:
    """Takes some of what was dropped out of packs; None: there is nothing left."""
    connection = archive.connection
    rows: list[Any] = connection.execute(
        "SELECT id, places FROM dropped ORDER BY id DESC LIMIT 1"
    ).fetchall()
    if not rows:
        return None
    (row, packed) = rows[0]
    begin, places = row * SPAN, unpack_places(packed)
    low = connection.execute("SELECT max(id) FROM packs WHERE id <= ?", (begin,)).get
    packs: list[Any] = connection.execute(
        "SELECT id, blocks, written FROM packs WHERE id >= ? AND id < ? ORDER BY id",
        (low or 0, begin + SPAN),
    ).fetchall()
    blocks = size = 0
    for first, count, written in packs:
        numbers = range(max(first, begin), min(first + count, begin + SPAN))
        gone = [number - first for number in numbers if places[number - begin]]
        if gone:
            lengths = _empty(archive, first, gone, written)
            blocks += len(lengths)
            size += sum(lengths)
    connection.execute("DELETE FROM dropped WHERE id = ?", (row,))
    return Removed(blocks, size)


def _empty(archive: Archive, first: int, gone: list[int], written: float) -> list[int]:
    """Leaves empty places in a pack; gives the lengths of what was there."""
    connection = archive.connection
    size, data = next(
        connection.execute("SELECT size, data FROM packs WHERE id = ?", (first,))
    )
    blocks = decode_pack(data, size)
    lengths = [len(blocks[place]) for place in gone if place < len(blocks)]
    for place in gone:
        if place < len(blocks):
            blocks[place] = b""
    last = connection.execute("SELECT max(id) FROM packs").get
    if any(blocks) or first == last:  # the last one tells the next number
        archive.write_pack(first, blocks, written)
    else:
        connection.execute("DELETE FROM packs WHERE id = ?", (first,))
    return [length for length in lengths if length]


def _cutoff(store: Opened, grace: float) -> float:
    """Says when blocks must have been written to be old enough to go."""
    now = time.time()
    cutoff = now - grace
    if store.owner.others():
        cutoff = min(cutoff, now - HOLD_SECONDS)
    for row in store.runs(status="running"):
        # A call under way may refer to what was written since its run began.
        if store.is_live(row):
            cutoff = min(cutoff, row.started - HOLD_SECONDS)
    return cutoff


def _first_marks(path: str, cutoff: float) -> Marks:
    """Finds out what is needed in a view of the database, holding up nobody."""
    with told(path, "read"), closing(connect(path)) as connection:
        connection.execute("BEGIN DEFERRED")
        sheets = Sheets("block", connection)
        sheets.load()
        if sheets.damaged:
            raise DamagedIndex
        marks = Marks(path, connection, sheets)
        packs: list[Any] = connection.execute(
            "SELECT id, blocks FROM packs WHERE written >= ?", (cutoff,)
        ).fetchall()
        for first, count in packs:
            marks.need_numbers(first, first + count)
        marks.need(in_database(connection))
        marks.expand(connection)
        connection.execute("COMMIT")
        return marks


def _take_out(store: Opened, archive: Archive, marks: Marks) -> None:
    connection = archive.connection
    marks.need(in_database(connection))
    _for_new_blocks(connection, marks.last, lambda data: marks.need(_links(data)))
    for content in store.tails():
        for data in content.blocks.values():
            marks.need(_links(data))
        for cids in (*map(of_run, content.runs), *map(of_call, content.calls)):
            marks.need(cids)
    marks.expand(connection)
    drop(archive, marks.free())


def _for_new_blocks(
    connection: apsw.Connection, last: int, job: Callable[[bytes], None]
) -> None:
    rows: list[Any] = connection.execute(
        "SELECT id, size, data FROM packs WHERE id + blocks > ?", (last + 1,)
    ).fetchall()
    for first, size, data in rows:
        for number, block in enumerate(decode_pack(data, size), first):
            if number > last and block:
                job(block)


def _links(data: bytes) -> list[bytes]:
    try:
        return links(data)
    except EnactError:
        return []  # not of ours: it names nothing that could be followed


def _delete_rows(store: Opened, archive: Archive, run: str) -> None:
    for content in store.tails():
        rows = [row.id for row in content.runs] + [row.run for row in content.calls]
        if run in rows:
            raise StoreUnavailable(
                f"rows of run {run} are still in the tail of a process that writes"
                f" {store.path}: close the store there, then delete the run"
            )
    connection = archive.connection
    number = connection.execute("SELECT id FROM runs WHERE run = ?", (run,)).get
    if number is None:
        raise NotFound(f"there is no run {run} in {store.path}")
    connection.execute(
        "DELETE FROM calls WHERE id BETWEEN ? AND ?",
        (number << 32, (number + 1 << 32) - 1),
    )
    connection.execute("DELETE FROM runs WHERE id = ?", (number,))
