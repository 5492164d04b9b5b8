# SPDX-License-Identifier: Apache-2.0
"""Removing blocks from a SQLite store for good, so that no byte of them is left."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from typing import Any

import apsw

from enact.errors import NotFound, StoreUnavailable
from enact.stores.collect import drop, sweep, sweep_some
from enact.stores.connect import told
from enact.stores.entries import write_entry
from enact.stores.files import exclusive
from enact.stores.fold import Archive
from enact.stores.opened import Opened
from enact.stores.owners import taking_out
from enact.stores.packs import decode_pack
from enact.stores.sheets import HASH_START, PREFIX_BYTES
from enact.stores.tombstones import KIND, read_tombstone, tombstone
from enact.values import cid_from_text, cid_of, cid_text

_TRIES = 5
_LOG_MILLISECONDS = 10_000


class _InTail(Exception):
    """A block came into a tail just now."""


def purge(store: Opened, cids: Iterable[bytes], why: str) -> None:
    """Removes blocks for good; see `Care.purge`."""
    wanted = sorted(set(cids))
    with exclusive(store.path):
        for attempt in range(_TRIES):
            intake = store.settle()
            sweep(intake)
            try:
                with store.busy, ExitStack() as told_others:

                    def write(archive: Archive) -> None:
                        told_others.enter_context(taking_out(store.path))
                        _remove(store, archive, wanted, why)

                    intake.change(write)
                break
            except _InTail as error:
                if attempt == _TRIES - 1:
                    raise StoreUnavailable(
                        f"block {error} is in the tail of another process that writes"
                        f" {store.path} ({', '.join(store.owner.others())}): close the"
                        " store there, then purge again; nothing was changed"
                    ) from None
                time.sleep(0.1)
        intake.use(lambda archive: _scrub(archive, wanted))


def finish(store: Opened, tombstones: Mapping[str, str]) -> None:
    """Finishes purges that were cut short, unless somebody is at it.

    Called when a store is opened, with tails of the dead folded in.

    Args:
        store: that is opened.
        tombstones: texts of entries by key.
    """
    cids = list(_unfinished(tombstones))
    if cids or os.path.exists(f"{store.path}-care"):
        intake = store.writer()
        # Whoever holds it, or reads too long, leaves this to the next one.
        with suppress(StoreUnavailable), exclusive(store.path, patience=0.0):
            if cids:
                sweep(intake)
                intake.use(lambda archive: _scrub(archive, cids))


def _unfinished(tombstones: Mapping[str, str]) -> Iterator[bytes]:
    for key, text in tombstones.items():
        if read_tombstone(text).get("finished") is False:
            with suppress(ValueError):  # made up by somebody else
                yield cid_from_text(key)


def _remove(store: Opened, archive: Archive, cids: list[bytes], why: str) -> None:
    connection = archive.connection
    connection.pragma("secure_delete", 1)
    for content in store.tails():
        for cid in cids:
            if cid in content.blocks:
                raise _InTail(cid_text(cid))
    now = time.time()
    places = bytearray(archive.next_block(0))
    for cid in cids:
        key = cid_text(cid)
        numbers = _numbers(archive, cid)
        before = connection.execute(
            "SELECT value FROM entries WHERE kind = ? AND key = ?", (KIND, key)
        ).get
        if not numbers and before is None:
            raise NotFound(f"there is no block {key} in {store.path}")
        for number in numbers:
            places[number] = 1
        fields = read_tombstone(before or "")
        when, reason = fields.get("when", now), fields.get("why", why)
        text = tombstone(when, reason, finished=False)
        write_entry(connection, KIND, key, text)
    drop(archive, places)
    while sweep_some(archive) is not None:
        pass


def _numbers(archive: Archive, cid: bytes) -> list[int]:
    """Finds all places where a block is."""
    found = []
    for number in archive.blocks.find(cid[HASH_START : HASH_START + PREFIX_BYTES]):
        rows: list[Any] = archive.connection.execute(
            "SELECT id, size, data FROM packs WHERE id <= ? ORDER BY id DESC LIMIT 1",
            (number,),
        ).fetchall()
        for first, size, data in rows:
            blocks = decode_pack(data, size)
            place = number - first
            # A damaged block may still hold some of the bytes.
            if (
                place < len(blocks)
                and blocks[place]
                and (cid_of(blocks[place]) == cid or _is_damaged(blocks[place], cid))
            ):
                found.append(number)
    return found


def _is_damaged(block: bytes, cid: bytes) -> bool:
    start = slice(HASH_START, HASH_START + PREFIX_BYTES)
    return cid_of(block)[start] != cid[start]


def _scrub(archive: Archive, cids: list[bytes]) -> None:
    """Rewrites the file: free pages and gaps in pages hold what once was there."""
    connection = archive.connection
    with told(archive.path, "rewrite"):
        connection.pragma("secure_delete", 1)
        try:
            connection.execute("VACUUM")
            connection.set_busy_timeout(_LOG_MILLISECONDS)
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except apsw.BusyError as error:
            raise StoreUnavailable(
                f"{', '.join(map(cid_text, cids))} cannot be read any more, but bytes"
                f" may be left in the log of {archive.path} while somebody reads it:"
                " purge again when nobody does"
            ) from error
        finally:
            with suppress(apsw.Error):
                connection.pragma("secure_delete", 0)
    archive.transact(lambda: _finish(connection, cids))


def _finish(connection: apsw.Connection, cids: list[bytes]) -> None:
    for cid in cids:
        key = cid_text(cid)
        text = connection.execute(
            "SELECT value FROM entries WHERE kind = ? AND key = ?", (KIND, key)
        ).get
        fields = read_tombstone(text)
        done = tombstone(fields["when"], fields["why"], finished=True)
        write_entry(connection, KIND, key, done)
