# SPDX-License-Identifier: Apache-2.0
"""A SQLite store that is open, as those see it who look after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import apsw

from enact.errors import EnactError, StoreUnavailable
from enact.stores.backend import CallRow, RunRow
from enact.stores.connect import connect, told
from enact.stores.foreign import ForeignTails, TailContent
from enact.stores.intake import Intake
from enact.stores.owners import Owner
from enact.stores.roots import of_call, of_run
from enact.values import links

_TRIES = 50


@dataclass(frozen=True)
class Opened:
    """What belongs to an open store.

    Attributes:
        path: of the file.
        store_id: of the store.
        intake: takes in what is recorded; None if the file can only be read.
        owner: this process.
        busy: held while something is looked for and referred to.
        take_over: folds in the tails of the dead.
        running: runs that this process executes now.
        runs: lists rows of runs, those in tails included.
    """

    path: str
    store_id: bytes
    intake: Intake | None
    owner: Owner
    busy: AbstractContextManager[object]
    take_over: Callable[[], None]
    running: frozenset[str]
    runs: Callable[..., list[RunRow]]

    def writer(self) -> Intake:
        """Gives what changes the store.

        Raises:
            StoreUnavailable: it can only be read.
        """
        if self.intake is None:
            raise StoreUnavailable(
                f"cannot write to {self.path}: it can only be read; change its"
                " permissions, or copy it to a place of yours"
            )
        return self.intake

    def tails(self) -> list[TailContent]:
        """Reads all tails, those of this process included, from their files."""
        return ForeignTails(self.path, self.store_id).read_all()

    def is_live(self, row: RunRow) -> bool:
        """Says whether somebody executes a run now."""
        if row.status != "running":
            return False
        token = row.meta.get("owner")
        if row.id in self.running:
            return True
        if isinstance(token, str):
            return token != self.owner.token and self.owner.find(token) is not None
        return bool(self.owner.others())

    def settle(self) -> Intake:
        """Folds the tails of this process and of dead ones into the database."""
        intake = self.writer()
        intake.fold_now()
        self.take_over()
        return intake


@dataclass
class Cut:
    """A store as of one moment: a view of the database, and what tails hold besides.

    Attributes:
        connection: in a transaction that reads.
        blocks: that are in tails.
        calls: likewise.
        runs: likewise.
    """

    connection: apsw.Connection
    blocks: dict[bytes, bytes] = field(default_factory=dict)
    calls: list[CallRow] = field(default_factory=list)
    runs: list[RunRow] = field(default_factory=list)


@contextmanager
def cut(store: Opened) -> Iterator[Cut]:
    """Gives a consistent view of a store while others write.

    Raises:
        StoreUnavailable: the file cannot be written here, and others write so much
            that no moment was found.
    """
    writable = store.intake is not None
    with (
        told(store.path, "read"),
        closing(connect(store.path, writable)) as watch,
        closing(connect(store.path, writable)) as connection,
    ):
        for _ in range(_TRIES):
            if writable:  # nothing is folded meanwhile, and recording goes on
                watch.execute("BEGIN IMMEDIATE")
            before = watch.pragma("data_version")
            connection.execute("BEGIN DEFERRED")
            connection.execute("SELECT 1 FROM meta LIMIT 1").fetchall()
            found = Cut(connection)
            _read_tails(store, found)
            if writable:
                watch.execute("ROLLBACK")
                break
            if watch.pragma("data_version") == before:
                break
            connection.execute("COMMIT")
        else:
            raise StoreUnavailable(
                f"{store.path} is being written too fast to be looked at without"
                " permission to write: try again later"
            )
        yield found


def _read_tails(store: Opened, found: Cut) -> None:
    """Reads tails so that what one of them refers to in another is there too.

    They cannot be read all at once, so they are read twice: all that is referred to in
    what was read first is in what was read in the end.
    """
    tails = ForeignTails(store.path, store.store_id)
    for content in tails.read_all():
        found.blocks.update(content.blocks)
        found.calls += content.calls
        found.runs += content.runs
    later: dict[bytes, bytes] = {}
    for content in tails.read_all():
        later.update(content.blocks)
    waiting = list(found.blocks)
    for cids in (*map(of_call, found.calls), *map(of_run, found.runs)):
        waiting += cids
    while waiting:
        cid = waiting.pop()
        data = found.blocks.get(cid) or later.get(cid)
        if data is not None:
            found.blocks[cid] = data
            waiting += [c for c in _links(data) if c in later and c not in found.blocks]


def _links(data: bytes) -> list[Any]:
    try:
        return links(data)
    except EnactError:
        return []
