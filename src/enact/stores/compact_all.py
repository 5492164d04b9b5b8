# SPDX-License-Identifier: Apache-2.0
"""Packing a SQLite store anew, a part at a time, beside readers and writers."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import apsw

from enact.stores.catalog import Catalog
from enact.stores.collect import mend, sweep
from enact.stores.compact import merge_small_packs
from enact.stores.connect import told
from enact.stores.files import exclusive
from enact.stores.fold import Archive
from enact.stores.intake import Intake
from enact.stores.opened import Opened
from enact.stores.packs import decode_pack
from enact.stores.sheets import DamagedIndex

_SPAN = 1 << 16
_PAGES_PER_STEP = 2000


def compact_all(store: Opened) -> int:
    """Packs everything anew; see `Care.compact`."""
    with exclusive(store.path):
        before = _size(store.path)
        intake = store.settle()
        sweep(intake)
        _merge_packs(intake)
        try:
            intake.change(_tidy_index)
        except DamagedIndex:
            mend(intake)
            intake.change(_tidy_index)
        while intake.use(_shrink_some):
            pass
        intake.use(_empty_log)
        return before - _size(store.path)


def _merge_packs(intake: Intake) -> None:
    """Joins small packs, a span of numbers at a time."""
    end = intake.change(lambda archive: archive.next_block(0))
    for begin in range(0, end, _SPAN):
        intake.change(
            partial(merge_small_packs, begin=begin, end=min(begin + _SPAN, end))
        )


def _tidy_index(archive: Archive) -> None:
    """Leaves out entries of what is not there, and makes one sheet of all."""
    connection = archive.connection
    there = bytearray(archive.next_block(0))
    packs: list[Any] = connection.execute("SELECT id, size FROM packs").fetchall()
    for first, size in packs:
        data: Any = connection.execute(
            "SELECT data FROM packs WHERE id = ?", (first,)
        ).get
        for number, block in enumerate(decode_pack(data, size), first):
            there[number] = bool(block)
    archive.blocks.keep_only(lambda number: bool(there[number]))
    archive.blocks.merge_all()
    calls = Catalog()
    calls.add(call for (call,) in connection.execute("SELECT id FROM calls"))
    calls.sort()
    archive.requests.keep_only(calls.__contains__)
    archive.requests.merge_all()


def _shrink_some(archive: Archive) -> bool:
    """Gives some free pages back; says whether there may be more."""
    connection = archive.connection
    with told(archive.path, "write to"):
        before = connection.pragma("freelist_count")
        connection.execute(f"PRAGMA incremental_vacuum({_PAGES_PER_STEP})").fetchall()
        return bool(0 < connection.pragma("freelist_count") < before)


def _empty_log(archive: Archive) -> None:
    with told(archive.path, "write to"):
        try:
            archive.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except apsw.BusyError:
            pass  # others read: the log is emptied when they do not


def _size(path: str) -> int:
    return sum(
        os.path.getsize(file) for file in (path, f"{path}-wal") if os.path.exists(file)
    )
